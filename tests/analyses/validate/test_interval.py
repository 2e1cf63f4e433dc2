"""Reference numbers of the intervals."""

from __future__ import annotations

import time

import numpy as np
import pytest

from gnomon.analyses.validate._auc import area, covariance, score_limits
from gnomon.analyses.validate._bootstrap import bca, bootstrap, left_out
from gnomon.analyses.validate._scores import weighted
from gnomon.analyses.validate.interval import interval, wilson
from gnomon.rng import stream
from gnomon.tasks._metrics import auc
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.tasks.several import several


def _binary(n, metric="roc_auc", shift=1.0, seed=0):
    rng = stream(seed, "binary", n)
    task, truth = classify("y", ("no", "yes"), metric=metric), rng.integers(0, 2, n)
    score = shift * (truth - 0.5) + rng.normal(size=n)
    return task, task.measure(task.read(np.stack([-score, score], axis=1)), truth), truth, score


def _errors(n, metric="rmse", seed=0):
    rng = stream(seed, "errors", n)
    task, truth = regress("y", metric=metric), rng.normal(size=n)
    return task, task.measure(Prediction(value=truth + rng.normal(size=n)), truth)


def test_wilson_known_value():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263
    np.testing.assert_allclose(wilson(81 / 263, 263, 1.959964), (0.2553, 0.3662), atol=5e-5)
    np.testing.assert_allclose(wilson(0.0, 20, 1.959964), (0.0, 0.1611), atol=5e-5)


def test_accuracy_is_wilson_as_scipy_has_it():
    from scipy.stats import binomtest

    task, stats, _, _ = _binary(80, "accuracy")
    e = interval(task, stats, None)
    wanted = binomtest(round(e.value * 80), 80).proportion_ci(method="wilson")
    np.testing.assert_allclose((e.low, e.high), (wanted.low, wanted.high), rtol=1e-9)
    assert e.method == "Wilson" and e.n_units == 80 and e.n_events == (stats["truth"] == 1).sum()


def test_delong_against_pairs_of_rows():
    """Sen's estimate straight from the definition, over all pairs."""
    _, _, truth, score = _binary(50)
    score = np.round(score, 1)
    pairs = (score[truth == 1][:, None] > score[truth == 0]) + 0.5 * (score[truth == 1][:, None] == score[truth == 0])
    brute = pairs.mean(1).var(ddof=1) / len(pairs) + pairs.mean(0).var(ddof=1) / pairs.shape[1]
    found = area(truth, score, np.arange(50), 50)
    assert found.value == pytest.approx(pairs.mean()) == pytest.approx(auc(truth, score))
    assert covariance(found, found, clustered=False) == pytest.approx(brute, rel=1e-12)


def test_clustered_auc_error_is_the_jackknife_over_clusters():
    """Obuchowski's variance agrees with leaving out clusters, and rises when rows of a cluster repeat each other."""
    rng = stream(7, "clusters")
    _, _, truth, score = _binary(600)
    codes = rng.integers(0, 60, 600)
    found = area(truth, score, codes, 60)
    without = np.array([auc(truth[codes != u], score[codes != u]) for u in range(60)])
    jackknife = 59 / 60 * ((without - without.mean()) ** 2).sum()
    assert covariance(found, found, clustered=True) == pytest.approx(jackknife, rel=0.1)
    thrice = area(np.repeat(truth, 3), np.repeat(score, 3), np.repeat(np.arange(600), 3), 600)
    once = area(truth, score, np.arange(600), 600)
    alone = covariance(once, once, clustered=False)
    assert covariance(thrice, thrice, clustered=True) == pytest.approx(alone, rel=0.01)


def test_bca_against_scipy():
    from scipy.stats import bootstrap as scipy_bootstrap

    values = stream(8, "skew").exponential(size=80)
    task = regress("y", metric="mae")
    stats = task.measure(Prediction(value=values), np.zeros(80))
    scores = weighted(task, stats, np.arange(80), 80)
    drawn = bootstrap([scores], 80, 20_000, stream(9, "draw"))[0]
    ours = bca(scores.full, drawn, left_out([scores], 80)[0], 80)
    theirs = scipy_bootstrap((values,), np.mean, n_resamples=20_000, method="BCa", random_state=0).confidence_interval
    # ours is widened for small samples: 95 % of ours is 95.25 % of theirs or so
    assert ours.limits(0.95)[0] == pytest.approx(theirs.low, abs=0.02)
    assert ours.limits(0.95)[1] == pytest.approx(theirs.high, abs=0.03)
    assert ours.limits(0.95)[1] > theirs.high


def test_groups_under_40_use_t_of_the_cluster_means():
    """Equal groups without skewness: the textbook t interval of the group means (here on the log scale)."""
    task, units = regress("y", metric="mae"), np.arange(120) // 12
    means = np.linspace(0.8, 1.2, 10)
    e = interval(task, task.measure(Prediction(value=means[units]), np.zeros(120)), units)
    from scipy.stats import t

    half = t.ppf(0.975, 9) * means.std(ddof=1) / np.sqrt(10)
    assert e.n_units == 10 and e.n_rows == 120 and "t" in e.method
    wide = half / means.mean()
    np.testing.assert_allclose((e.low, e.high), means.mean() * np.exp([-wide, wide]), rtol=0.01)


def test_few_groups_give_no_interval():
    task, stats = _errors(40)
    assert interval(task, stats, np.arange(40) % 2).low is None
    assert interval(task, stats, np.arange(40) % 3).low is not None


def test_repeated_rows_are_not_more_evidence():
    task, stats = _errors(300, "mae")
    once = interval(task, stats, np.arange(300))
    five = interval(task, stats.take(np.repeat(np.arange(300), 5)), np.repeat(np.arange(300), 5))
    assert five.high - five.low == pytest.approx(once.high - once.low, rel=0.1)


@pytest.mark.parametrize("metric", ["roc_auc", "accuracy"])
def test_a_perfect_score_still_has_room_below(metric):
    task, stats, _, _ = _binary(60, metric, shift=50.0)
    e = interval(task, stats, None)
    assert e.value == 1.0 and 0.85 < e.low < 0.99 and e.high == 1.0
    low_few = score_limits(1.0, 5, 5, 1.96)[0]
    assert low_few < score_limits(1.0, 50, 50, 1.96)[0]


def _three(n, right, metric, rng):
    """Three classes, 7 : 2 : 1; a share `right` of the rows is called by its name."""
    truth = rng.choice(3, n, p=[0.7, 0.2, 0.1])
    value = np.where(rng.random(n) < right, truth, (truth + 1) % 3)
    task = classify("y", ("a", "b", "c"), metric=metric)
    return task, task.measure(Prediction(value, np.eye(3)[value] * 0.8 + 0.2 / 3), truth)


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy", "mcc"])
def test_class_scores_near_1_are_covered_and_others_are_as_they_were(metric):
    """BCa alone covers 56 to 65 % of the time at 99 % right of 100 rows."""
    rng = stream(12, metric)
    task, many = _three(300_000, 0.99, metric, rng)
    made = [interval(task, _three(100, 0.99, metric, rng)[1], None, repeats=400) for _ in range(80)]
    assert np.mean([e.low <= task.score(many) <= e.high for e in made]) >= 0.93
    e = interval(task, _three(300, 0.8, metric, rng)[1], None, repeats=400)
    assert e.method == "BCa"


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy", "mcc", "roc_auc", "average_precision"])
@pytest.mark.parametrize("donors", [0, 30, 60])
def test_perfect_class_scores_have_room_below_that_shrinks_with_units_not_rows(metric, donors):
    task, stats = _three(120, 1.0, metric, stream(13, metric))
    few = interval(task, stats, stream(14).integers(0, donors, 120) if donors else None)
    more = interval(task, stats.take(np.tile(np.arange(120), 4)), None)
    assert few.value == 1.0 == few.high and few.low < 0.96 and few.low < more.low < 1.0


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy", "mcc"])
def test_errors_of_one_group_leave_more_room_than_as_many_of_six(metric):
    """40 groups of six rows, six rows wrong; rows whose errors have nothing to do with their groups count as rows."""
    task, groups = classify("y", ("a", "b", "c"), metric=metric), np.repeat(np.arange(40), 6)
    truth = np.tile([0, 0, 0, 1, 1, 2], 40)

    def with_wrong(rows):
        value = truth.copy()
        value[rows] = (truth[rows] + 1) % 3
        return task.measure(Prediction(value, np.eye(3)[value] * 0.8 + 0.2 / 3), truth)

    spread = [6 * k + k % 6 for k in range(6)]
    one, six, alone = (interval(task, with_wrong(rows), units) for rows, units in (
        (np.arange(6), groups), (spread, groups), (spread, None)))
    assert one.low < six.low - 0.01 and abs(six.low - alone.low) < 0.02


def test_perfect_scores_of_several_targets_have_room_below():
    task, truth = several([classify("a", ("no", "yes"), metric="accuracy")] * 2), np.arange(60) % 2
    one = Prediction(truth, np.eye(2)[truth])
    e = interval(task, task.measure(Prediction(parts=(one, one)), np.stack([truth, truth], 1)), None)
    assert e.value == 1.0 and 0.85 < e.low < 0.99


def test_unlabelled_rows_do_not_count():
    task, stats, truth, score = _binary(80)
    more = task.measure(task.read(np.stack([-np.append(score, 9), np.append(score, 9)], 1)), np.append(truth, -1))
    assert interval(task, more, None) == interval(task, stats, None)


def test_same_seed_same_interval():
    task, stats = _errors(60)
    assert interval(task, stats, None, seed=3) == interval(task, stats, None, seed=3)
    assert interval(task, stats, None, seed=3).low != interval(task, stats, None, seed=4).low


def test_several_targets():
    task = several([regress("a"), regress("b")])
    rng = stream(11, "two")
    truth = rng.normal(size=(70, 2))
    truth[:20, 0] = np.nan
    prediction = Prediction(parts=(Prediction(value=np.zeros(70)), Prediction(value=truth[:, 1] + 0.1)))
    e = interval(task, task.measure(prediction, truth), None)
    assert set(e.by_target) == {"a", "b"} and e.by_target["b"] == pytest.approx(0.1)
    assert e.value == pytest.approx(np.mean(list(e.by_target.values()))) and e.low < e.value < e.high


def test_bootstrap_of_10000_rows_is_quick():
    for metric in ("rmse", "spearman"):
        task, stats = _errors(10_000, metric)
        start = time.process_time()
        interval(task, stats, None, repeats=2000)
        assert time.process_time() - start < 2.0


def test_heavy_tails_are_said_and_covered_better_than_by_bca_alone():
    """RMSE of t errors with 3 degrees, 100 rows: BCa alone covers 79 % of the time."""
    task, hits, said = regress("y"), [], []
    for seed in range(150):
        e = interval(task, task.measure(Prediction(value=stream(seed, "t3").standard_t(3, 100)), np.zeros(100)), None,
                     repeats=400)
        hits.append(e.low <= np.sqrt(3) <= e.high)
        said.append("heavy tails" in e.method)
    assert np.mean(hits) > 0.84 and np.mean(said) > 0.35
    task, stats = _errors(100)
    assert "heavy" not in interval(task, stats, None).method


def test_heavy_tails_of_few_groups_are_said():
    """Twenty groups cannot show a skewness above 4.2: what is much is set against that. Errors of a size that differs
    tenfold between groups are mostly warned of, those of one size seldom."""
    task, groups, said = regress("y"), np.repeat(np.arange(20), 10), {0.0: [], 1.2: []}
    for spread, found in said.items():
        for seed in range(60):
            rng = stream(seed, "groups", spread)
            e = rng.normal(size=200) * np.exp(spread * rng.normal(size=20))[groups]
            found.append("heavy" in interval(task, task.measure(Prediction(value=e), np.zeros(200)), groups).method)
    assert np.mean(said[1.2]) > 0.6 and np.mean(said[0.0]) < 0.1, {k: np.mean(v) for k, v in said.items()}
