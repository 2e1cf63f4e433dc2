"""Paired comparisons: one procedure for interval and p, three outcomes."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.analyses.validate._bootstrap import sign_flips, skewed_t
from gnomon.analyses.validate.compare import compare, mcnemar, outcome, units_needed
from gnomon.analyses.validate.interval import interval
from gnomon.analyses.validate.margin import margin
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.tasks.several import several
from gnomon.values import Difference


def _pair(metric, n, seed, gap=0.3):
    rng = stream(seed, "pair", metric, n)
    if metric in ("mae", "rmse", "spearman"):
        task, truth = regress("y", metric=metric), rng.normal(size=n)
        stats = [task.measure(Prediction(value=truth + s * rng.normal(size=n)), truth) for s in (1, 1 + gap)]
    else:
        task, truth = classify("y", ("a", "b"), metric=metric), rng.integers(0, 2, n)
        shared = rng.normal(size=n)
        raw = [s * truth + shared + 0.7 * rng.normal(size=n) for s in (1.5, 1.5 - 2 * gap)]
        stats = [task.measure(task.read(np.stack([-r, r], 1)), truth) for r in raw]
    return task, stats


@pytest.mark.parametrize("metric", ["mae", "rmse", "spearman", "accuracy", "roc_auc", "macro_f1", "log_loss"])
@pytest.mark.parametrize(("n", "groups"), [(60, 0), (60, 8), (200, 50), (20, 0)])
def test_p_below_5_percent_exactly_when_the_interval_excludes_0(metric, n, groups):
    decided = set()
    for seed in range(12):
        task, (ours, theirs) = _pair(metric, n, seed)
        units = stream(seed, "u").integers(0, groups, n) if groups else None
        d = compare(task, ours, theirs, units, margin=0.1, seed=seed)
        excludes = d.low > 0 or d.high < 0
        assert (d.p < 0.05) == excludes, d
        assert d.low <= d.value <= d.high
        decided.add(excludes)
        back = compare(task, theirs, ours, units, margin=0.1, seed=seed)
        assert back.value == pytest.approx(-d.value) and back.p == pytest.approx(d.p, abs=0.02)
    assert decided  # both happen over the metrics; either may be missing for one of them


def test_positive_is_better_whatever_the_metric():
    for metric in ("mae", "spearman", "accuracy", "roc_auc"):
        task, (ours, theirs) = _pair(metric, 400, 1, gap=0.6)
        d = compare(task, ours, theirs, None, margin=0.0)
        assert d.value > 0 and outcome(d) == "better"


@pytest.mark.parametrize(("better", "worse", "n"), [(12, 3, 40), (5, 5, 30), (0, 7, 50), (1, 6, 20), (40, 22, 300)])
def test_mcnemar_mid_p_against_scipy(better, worse, n):
    from scipy.stats import binom, binomtest

    exact = binomtest(better, better + worse).pvalue
    low, high, p = mcnemar(better, worse, n, 0.95)
    wanted = exact - binom.pmf(min(better, worse), better + worse, 0.5) if better != worse else 1.0
    assert p == pytest.approx(min(1.0, wanted), abs=1e-12)
    assert (p < 0.05) == (low > 0 or high < 0)
    assert low <= (better - worse) / n <= high


def test_mcnemar_interval_is_near_walds_with_many_discordant_rows():
    low, high, _ = mcnemar(36, 9, 200, 0.95)
    half = 1.96 * np.sqrt(45 / 200 - 0.135**2) / np.sqrt(200)
    np.testing.assert_allclose((low, high), (0.135 - half, 0.135 + half), atol=0.012)


def test_paired_delong_against_the_jackknife():
    task, (ours, theirs) = _pair("roc_auc", 300, 5)
    d = compare(task, ours, theirs, None, margin=0.0)
    keep = ~np.eye(300, dtype=bool)
    gaps = np.array([task.score(ours.take(k)) - task.score(theirs.take(k)) for k in keep])
    error = np.sqrt(299 / 300 * ((gaps - gaps.mean()) ** 2).sum())
    assert (d.high - d.low) / 3.92 == pytest.approx(error, rel=0.02)


def _ranked(truth, score):
    task = classify("y", ("a", "b"))
    return task, task.measure(task.read(np.stack([-score, score], 1)), truth)


@pytest.mark.parametrize("groups", [0, 20, 4])
def test_a_perfect_auc_is_not_surer_against_a_constant_than_alone(groups):
    truth = np.isin(np.arange(40), (3, 24, 18)).astype(int)
    units = np.arange(40) % groups if groups else None
    task, ours = _ranked(truth, truth + 0.01 * np.arange(40))
    d = compare(task, ours, _ranked(truth, np.zeros(40))[1], units, margin=None)
    alone = interval(task, ours, units)
    assert d.value == 0.5 and d.low <= alone.low - 0.5 + 1e-9 and d.high <= 1
    assert d.p is None or (d.p > 1e-4 and (d.p < 0.05) == (d.low > 0))


@pytest.mark.parametrize("metric", ["roc_auc", "macro_f1"])
@pytest.mark.parametrize("groups", [0, 20])
def test_two_perfect_scores_of_few_rows_are_not_equivalent(metric, groups):
    truth, task = np.arange(40) % 2, classify("y", ("a", "b"), metric=metric)
    ours, theirs = (task.measure(task.read(np.stack([-s, s], 1)), truth) for s in (truth - 0.5, 3 * truth - 1.1))
    d = compare(task, ours, theirs, np.arange(40) // 2 if groups else None, margin=0.01)
    assert d.value == 0 and d.p == 1 and d.high > 0.01 and outcome(d) == "undetermined"


def test_limits_of_areas_end_where_areas_do():
    truth = (np.arange(60) < 3).astype(int)
    score = np.linspace(0, 1, 60)
    task, worst = _ranked(truth, score + stream(4, "areas").normal(size=60) * 0.1)
    d = compare(task, _ranked(truth, -score)[1], worst, None, margin=None)
    assert -1 <= d.low <= d.value <= d.high <= 1


def test_sign_flips_are_exact_for_few_values():
    """Seven differences: p by listing all 128 sign vectors."""
    values = np.array([0.5, 1.0, -0.2, 0.9, 0.4, 1.3, 0.1])
    signs = 1 - 2 * ((np.arange(128)[:, None] >> np.arange(7)) & 1)
    listed = 2 * np.mean((signs * values).mean(1) >= values.mean() - 1e-12)
    flips = sign_flips(values, stream(0, "x"))
    assert flips.p() == pytest.approx(listed)
    low, _ = flips.limits(0.95)
    shifted = values - (low - 1e-9)
    assert 2 * np.mean((signs * shifted).mean(1) >= shifted.mean() - 1e-12) < 0.05
    shifted = values - (low + 1e-9)
    assert 2 * np.mean((signs * shifted).mean(1) >= shifted.mean() - 1e-12) >= 0.05


def test_halls_t_without_skewness_is_students():
    from scipy.stats import ttest_1samp

    values = np.array([-3.0, -1, 0, 1, 3]) + 1.5
    ours, theirs = skewed_t(values), ttest_1samp(values, 0)
    assert ours.p() == pytest.approx(theirs.pvalue)
    np.testing.assert_allclose(ours.limits(0.95), tuple(theirs.confidence_interval()), rtol=1e-9)
    skew = skewed_t(np.array([0.1, 0.2, 0.3, 0.5, 4.0]))
    low, high = skew.limits(0.9)
    assert high - skew.centre > skew.centre - low  # leans to where the tail is
    assert skew.p(low) == pytest.approx(0.1) == pytest.approx(skew.p(high))


def test_the_order_of_the_rows_does_not_make_a_difference_look_surer():
    """Each predictor is better in its half of a sorted file: blocks of every 200th row would be alike in that, and miss it."""
    task = several([regress("a", metric="rmse"), regress("b", metric="rmse")])
    rng = stream(21, "sorted")
    half, noise = np.arange(2000) < 1000, rng.choice([-1, 1], 2000) + 0.3 * rng.normal(size=2000)
    errors, mixed = np.where(half, [[1], [3]], [[3], [1]]) * noise, rng.permutation(2000)
    wide = []
    for order in (np.arange(2000), mixed):
        ours, theirs = (task.measure(Prediction(parts=(Prediction(e), Prediction(e))), np.zeros((2000, 2)))
                        for e in errors[:, order])
        d = compare(task, ours, theirs, None, margin=None)
        wide.append(d.high - d.low)
    assert wide[0] == pytest.approx(wide[1], rel=0.2)


def test_few_groups():
    task, (ours, theirs) = _pair("mae", 60, 2)
    two, four = (compare(task, ours, theirs, np.arange(60) % k, margin=0.1) for k in (2, 4))
    assert two.low is None and two.p is None and outcome(two) == "undetermined"
    assert four.low is not None and four.p is None and outcome(four) == "undetermined"


def test_equal_predictions():
    for metric in ("mae", "accuracy", "roc_auc"):
        task, (ours, _) = _pair(metric, 100, 3)
        d = compare(task, ours, ours, None, margin=0.1)
        assert d.value == 0 and d.p == 1.0 and d.low <= 0 <= d.high and outcome(d) == "equivalent"


@pytest.mark.parametrize(("low", "high", "wanted"), [(0.1, 0.5, "better"), (-0.1, 0.15, "equivalent"),
                                                     (-0.1, 0.5, "undetermined"), (0.01, 0.15, "equivalent"),
                                                     (-0.5, -0.3, "undetermined")])
def test_outcomes(low, high, wanted):
    assert outcome(Difference((low + high) / 2, low, high, 0.95, 0.5, "t", 0.2)) == wanted


def test_units_needed_halves_the_interval_with_four_times_the_units():
    wide = Difference(0.1, -0.1, 0.3, 0.95, 0.3, "t", 0.05)
    needed = units_needed(wide, 100)
    assert needed == pytest.approx(100 * ((1.96 + 0.84) / 1.96 * 2) ** 2, rel=0.01)
    assert units_needed(Difference(0.1, None, None, 0.95, None, "t", 0.05), 10) is None


def test_where_no_p_is_given_more_units_are_needed_to_give_one():
    assert units_needed(Difference(1.0, 0.5, 1.5, 0.95, None, "", None), 4) == 6
    assert units_needed(Difference(1.0, 0.5, 1.5, 0.95, 0.01, "", None), 4) == 4


def test_margin():
    assert margin(2.0, 1.0) == pytest.approx(0.05) == pytest.approx(margin(0.5, 1.5))
