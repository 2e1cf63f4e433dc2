"""The fast ways of scoring resamples give what the task itself gives on the drawn rows."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.analyses.validate._scores import weighted
from gnomon.analyses.validate._units import scorable, unit_sums
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.tasks.several import several


def _classes(metric: str, k: int, n: int = 60):
    rng = stream(1, metric, k)
    task = classify("y", tuple("abcd"[:k]), metric=metric)
    truth = rng.integers(0, k, n)
    raw = np.round(rng.normal(size=(n, k)) + 1.5 * (truth[:, None] == np.arange(k)), 1)  # rounded: ties
    return task, task.measure(task.read(raw), truth)


def _numbers(metric: str, n: int = 60):
    rng = stream(2, metric)
    task = regress("y", metric=metric)
    truth = np.round(rng.normal(size=n), 1)
    return task, task.measure(Prediction(value=np.round(truth + rng.normal(size=n), 1)), truth)


CASES = [(m, k, way) for k in (2, 4) for m, way in (
    ("roc_auc", "ranked"), ("accuracy", "additive"), ("macro_f1", "additive"), ("log_loss", "additive"),
    ("balanced_accuracy", "additive"), ("mcc", "additive"), ("average_precision", "ranked"))]
CASES += [(m, 0, way) for m, way in (("rmse", "additive"), ("mae", "additive"), ("r2", "additive"),
                                     ("pearson", "additive"), ("spearman", "ranked"))]


@pytest.mark.parametrize(("metric", "k", "way"), CASES)
def test_weights_equal_repeated_rows(metric, k, way):
    task, stats = _classes(metric, k) if k else _numbers(metric)
    units = stream(3, "units").integers(0, 25, len(stats))
    stats, codes, g = scorable(stats, units)
    scores = weighted(task, stats, codes, g)
    assert scores.way == way
    w = stream(4, "w").multinomial(g, np.full(g, 1 / g), size=6).astype(float)
    slow = [task.score(stats.take(np.repeat(np.arange(len(stats)), x[codes].astype(int)))) for x in w]
    np.testing.assert_allclose(scores.of(w), slow, rtol=1e-9, atol=1e-12)
    if scores.left_out is not None:
        without = [task.score(stats.take(np.flatnonzero(codes != u))) for u in range(g)]
        np.testing.assert_allclose(scores.left_out(), without, rtol=1e-9, atol=1e-12)


def test_several_targets_with_missing_entries():
    rng = stream(5, "several")
    task = several([regress("a", metric="spearman"), regress("b", metric="spearman")])
    truth = rng.normal(size=(80, 2))
    truth[rng.random((80, 2)) < 0.4] = np.nan
    parts = tuple(Prediction(value=np.nan_to_num(truth[:, i]) + rng.normal(size=80)) for i in range(2))
    stats, codes, g = scorable(task.measure(Prediction(parts=parts), truth), None)
    assert len(stats) == (~np.isnan(truth)).any(axis=1).sum()
    scores = weighted(task, stats, codes, g)
    w = rng.multinomial(g, np.full(g, 1 / g), size=4).astype(float)
    slow = [task.score(stats.take(np.repeat(np.arange(g), x.astype(int)))) for x in w]
    np.testing.assert_allclose(scores.of(w), slow, rtol=1e-9)


def test_a_metric_nobody_knows_is_scored_by_rows():
    from gnomon.tasks._task import Metric
    from gnomon.tasks.regress import Regress

    median = Metric("median_error", False, lambda s: float(np.median(np.abs(s["truth"] - s["value"]))))
    task = Regress("y", 0.0, 1.0, median)
    _, stats = _numbers("mae")
    scores = weighted(task, stats, np.arange(60), 60)
    assert scores.way == "generic"
    w = np.zeros((1, 60))
    w[0, :5] = 2
    assert scores.of(w)[0] == pytest.approx(task.score(stats.take(np.arange(5))))


def test_weighted_rows_are_never_scored_as_unweighted():
    task, stats = _numbers("rmse")
    from gnomon.tasks._task import Stats

    heavy = Stats({**stats.arrays, "weight": np.linspace(0, 1, 60)})
    assert weighted(task, heavy, np.arange(60), 60).way == "generic"


def test_unit_sums():
    out = unit_sums(np.array([[1.0, 2], [3, 4], [5, 6]]), np.array([1, 0, 1]), 2)
    np.testing.assert_array_equal(out, [[3, 4], [6, 8]])


def test_a_ranked_score_of_many_classes_costs_as_many_sorts():
    cost = {}
    for k in (2, 3, 50):
        truth = np.arange(200) % k
        task = classify("y", tuple(f"c{i:02}" for i in range(k)), metric="roc_auc")
        stats = task.measure(task.read(stream(3, "cost", k).normal(size=(200, k))), truth)
        cost[k] = weighted(task, stats, np.arange(200), 200).cost
    assert cost[3] == 3 * cost[2] and cost[50] == 50 * cost[2]
