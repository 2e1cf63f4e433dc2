"""Checks that train models of their own say so where the budget leaves no time for them, and run where it does."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gnomon.tasks.classify import classify
from gnomon.workflow import examine
from gnomon.workflow.examine import Notes, _optimism


def bench(n: int = 120) -> tuple[SimpleNamespace, tuple]:
    """Pairs of like rows: a random split would put one of a pair on either side."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(n // 2, 3)), 2, axis=0)
    y = np.repeat(rng.integers(2, size=n // 2), 2)
    task = classify("y", ("a", "b"), metric="accuracy")
    asked = SimpleNamespace(name=task.name, out=task.out, truth=lambda data, rows: y[rows], measure=task.measure,
                            score=task.score, metric=task.metric)
    parts = SimpleNamespace(fold_policy="random", units=np.arange(n) // 2, develop=np.arange(n), unit="specimen")
    return SimpleNamespace(parts=parts, task=asked, seed=0, data=None), (None, np.arange(n), x)


@pytest.mark.parametrize("limit, ran", [(0.0, False), (1e9, True)])
def test_the_optimism_of_a_random_split_is_measured_where_its_fits_have_time(monkeypatch, limit, ran):
    monkeypatch.setattr(examine, "OPTIMISM_TREES", 5)
    made, table = bench()
    notes = Notes()
    gap = _optimism(made, notes, table, limit)
    (check,) = notes.checks
    assert (check.code, check.ran) == ("VALID-OPTIMISM", ran)
    if ran:
        assert gap["gap"] > 0.2  # labels are noise: only the twin knows them
    else:
        assert gap is None and "--budget" in check.why_not
