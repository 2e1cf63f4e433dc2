"""A fit that reaches the deadline is given up whole; one that ends in time holds the same numbers as without a deadline."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gnomon.errors import TrainingError
from gnomon.models.tables import _deadline
from gnomon.models.tables._boosted import BoostedNumbers
from gnomon.models.tables._curves import CurvesOfNumbers
from gnomon.models.tables._deadline import in_time, until
from gnomon.models.tables._forest import ForestNumbers
from gnomon.models.tables._kernels import ProcessClasses, ProcessNumbers, VectorClasses, VectorNumbers
from gnomon.models.tables._linear import FewClasses, HeldOutLogistic

NUMBERS = (ForestNumbers(n_estimators=50), BoostedNumbers(rounds=30), VectorNumbers(), ProcessNumbers(searched=60, restarts=1),
           CurvesOfNumbers(bags=1, rounds=20))
CLASSES = (HeldOutLogistic(count=3), FewClasses(count=2), VectorClasses(), ProcessClasses())


def rows(seed: int, n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    return x, x[:, 0] + 0.3 * rng.normal(size=n)


def tasks():
    x, y = rows(0)
    return [(e, x, y) for e in NUMBERS] + [(e, x, (y > 0).astype(np.int64)) for e in CLASSES]


@pytest.mark.parametrize("estimator, x, y", tasks(), ids=lambda a: type(a).__name__ if hasattr(a, "fit") else "")
def test_a_fit_is_given_up_between_two_pieces(monkeypatch, estimator, x, y):
    """The clock passes the deadline at its third reading, in the middle of the fit."""
    readings = iter([0.0, 0.0])
    monkeypatch.setattr(_deadline.time, "monotonic", lambda: next(readings, 2.0))
    with until(1.0), pytest.raises(TrainingError) as error:
        estimator.fit(x, y)
    assert error.value.code == "E-DEADLINE"
    assert next(readings, None) is None  # it was under way, not refused at the door


def test_outside_the_block_nothing_is_in_a_hurry():
    with until(time.monotonic() - 1), pytest.raises(TrainingError):
        in_time()
    in_time()


def test_a_forest_grown_a_few_trees_at_a_time_is_the_forest_grown_at_once():
    from sklearn.ensemble import RandomForestRegressor

    x, y = rows(1)
    ours = ForestNumbers(n_estimators=50, random_state=3).fit(x, y)
    assert np.array_equal(ours.predict(x), RandomForestRegressor(50, random_state=3).fit(x, y).predict(x))


def test_a_process_searches_as_scikit_learn_does():
    from sklearn.gaussian_process import GaussianProcessRegressor

    from gnomon.models.tables._kernels import _kernel

    x, y = rows(2, 60)
    ours = ProcessNumbers(restarts=1).fit(x, y)
    z, order = (y - y.mean()) / y.std(), np.random.default_rng(0).permutation(len(y))
    theirs = GaussianProcessRegressor(_kernel(x), alpha=1e-8).fit(x[order], z[order])
    assert np.allclose(ours.model_.kernel_.theta, theirs.kernel_.theta)
