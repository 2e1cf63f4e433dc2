"""Fit an estimator that learns by itself: features from a view, then one estimator for each target."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from gnomon.card import Card
from gnomon.data.features._view import fit_view
from gnomon.data.parts import Rows
from gnomon.data.table import Data, Spec
from gnomon.data.weights import row_weights, too_few
from gnomon.methods._desk import Desk
from gnomon.methods._fitted import Fitted, matrix_of
from gnomon.methods._network import describe_builder
from gnomon.models.tables._deadline import in_time, until
from gnomon.rng import key

CARD = Card(
    name="Fit by the estimator's own procedure",
    gist="Turns each kind of input into the field's own features and lets a classical model fit itself to them.",
    use_when="Always first: it takes seconds, and a deep model has to beat it.",
    avoid_when="Never; what it cannot capture is what the deep models are for.",
    paper="Raghu & Schmidt 2020, arXiv:2003.11755, section 9",
    survey=("P2", "C4", "C5"),
    tasks=("classify", "regress", "several"),
    needs=("fit", "labels"),
    cost="seconds",
)
ONE_THREAD_BELOW = 3000  # rows; threads of a linear algebra library only get in each other's way on small matrices
TREES = ("sklearn.ensemble.", "sklearn.tree.", "lightgbm.", "xgboost.", "interpret.")


def own_fit(task: Any, build: Callable[[Any, Spec], Any], data: Data, rows: Rows, seed: int, desk: Desk, *,
            view: str = "standard") -> Fitted:
    """Fit `build(inputs, out)` on a view of the data's inputs; several targets get one estimator each.

    task: classify, regress or several. build: gives an estimator with fit, predict and, for classes, predict_proba.
    rows: estimators whose `fit` takes `stop=` (a (matrix, truth) pair) choose when to stop on rows.stop; all others fit
    on rows.fit and rows.stop together. view: see gnomon.data.features._view.
    Raises E-TRUTH-FEW when a target has fewer than two labelled rows (several targets: when none has enough), E-DEADLINE
    when the desk's deadline passes between two of an estimator's inner fits.
    """
    tasks = task.tasks if task.name == "several" else (task,)
    probe = build({"numbers": Spec("numbers", shape=(1,))}, tasks[0].out)
    form, dense = reads(probe)
    order = _order(tasks[0], data, rows.all) if form == "raw" and len(tasks) == 1 else None
    fitted = fit_view(data, rows.all, data.inputs, view, dense=dense, form=form, truth=order, seed=key(seed, "view"))
    matrix = matrix_of(fitted, data, rows.all)
    weight = row_weights(data, rows.all)
    estimators = []
    for k, one in enumerate(tasks):
        truth = one.truth(data, rows.all)
        numbers = {"numbers": Spec("numbers", shape=(matrix.shape[1],))}
        estimator = _ready(build(numbers, one.out), seed, k, desk)
        estimators.append(_fit(estimator, one, matrix, truth, weight, len(rows.fit), desk))
    described = describe_builder(build)
    return Fitted(fitted, tuple(estimators), tuple(t.out for t in tasks), task.name == "several",
                  described if "file" in described else None)


def reads(estimator: Any) -> tuple[str, bool]:
    """The form of features an estimator wants (gnomon.data.features._block), and whether it needs a dense matrix."""
    from sklearn.utils import get_tags

    tags = get_tags(estimator).input_tags
    home = type(estimator).__module__
    trees = home.startswith(TREES) or bool(getattr(estimator, "trees", False))
    form = "scaled" if not trees else "raw" if tags.allow_nan else "filled"
    return form, not tags.sparse or form == "raw"


def _order(task: Any, data: Data, rows: np.ndarray) -> np.ndarray:
    """A number for each row by which categories can be ordered: the target, or whether it is the last class of two
    or the commonest of more; NaN where unknown."""
    truth = task.truth(data, rows)
    if task.name == "regress":
        return truth
    counts = np.bincount(truth[truth >= 0].astype(int), minlength=len(task.out.categories))
    chosen = 1 if len(counts) == 2 else int(counts.argmax())
    return np.where(truth < 0, np.nan, (truth == chosen).astype(float))


def _ready(estimator: Any, seed: int, place: int, desk: Desk) -> Any:
    """Seeded, and with as many threads as the desk allows."""
    offered = estimator.get_params(deep=False)
    settings = {"random_state": key(seed, "own_fit", place) % 2**31, "n_jobs": desk.threads}
    return estimator.set_params(**{name: value for name, value in settings.items() if name in offered})


def _fit(estimator: Any, task: Any, matrix: Any, truth: np.ndarray, weight: np.ndarray | None, count: int,
         desk: Desk) -> Any:
    """Fit on the rows that have this target. The first `count` rows are rows.fit, the others rows.stop."""
    known = np.isfinite(truth) & (truth >= 0 if task.name == "classify" else True)
    weighing = known if weight is None else known & (weight > 0)
    if weighing.sum() < 2:
        raise too_few(task.target, int(known.sum()), int(weighing.sum()))
    known = weighing
    known = np.flatnonzero(known)
    truth = truth.astype(np.int64) if task.name == "classify" else truth
    if len(np.unique(truth[known])) == 1:
        return _constant(task, matrix, truth, known)
    parameters = inspect.signature(estimator.fit).parameters
    fit, stop = known[known < count], known[known >= count]
    options: dict[str, Any] = {}
    if "stop" in parameters and len(stop) and len(np.unique(truth[fit])) == len(np.unique(truth[known])):
        options["stop"] = (matrix[stop], truth[stop])
        known = fit
    if weight is not None and "sample_weight" in parameters:
        options["sample_weight"] = weight[known] / weight[known].mean()
    return _quietly(estimator, matrix if len(known) == len(truth) else matrix[known], truth[known], options, desk)


def _constant(task: Any, matrix: Any, truth: np.ndarray, known: np.ndarray) -> Any:
    """One target of several may hold a single value in these rows: then that value is the prediction."""
    from sklearn.dummy import DummyClassifier, DummyRegressor

    dummy = DummyClassifier() if task.name == "classify" else DummyRegressor()
    return dummy.fit(matrix[known[:2]], truth[known[:2]])


def _quietly(estimator: Any, matrix: Any, truth: np.ndarray, options: dict[str, Any], desk: Desk) -> Any:
    """Fit within the desk's threads; a solver that stopped at its last iteration is good enough here."""
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    blas = 1 if len(truth) < ONE_THREAD_BELOW else desk.threads
    with threadpool_limits({"blas": blas, "openmp": desk.threads}), warnings.catch_warnings(), \
            until(desk.deadline):
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="The number of unique classes")  # rare classes have a finding of their own
        in_time()
        return estimator.fit(matrix, truth, **options)
