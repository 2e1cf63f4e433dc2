"""Calibration: known slopes come back, calibrated probabilities stay silent, temperature is recovered."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.analyses.validate.calibration import calibration, calibration_finding, cooled, each_target, temperature
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify


def _stats(n, slope=1.0, shift=0.0, seed=0, k=2):
    """Probabilities whose logits are `slope` times too large and `shift` too high."""
    rng = stream(seed, "calibration", n)
    raw = rng.normal(size=(n, k)) * 1.5
    task = classify("y", tuple("abc"[:k]))
    proba = task.read(raw).proba
    truth = (rng.random(n)[:, None] > np.cumsum(proba, 1)).sum(1)
    moved = raw * slope
    moved[:, -1] += shift
    return task, task.measure(task.read(moved), truth)


def test_calibrated_probabilities_pass():
    loud = [calibration_finding(calibration(_stats(300, seed=s)[1])) is not None for s in range(60)]
    assert np.mean(loud) <= 0.05
    found = calibration(_stats(4000)[1])
    assert found.slope_low < 1 < found.slope_high and found.intercept_low < 0 < found.intercept_high
    assert found.ece < 0.03 and sum(b[4] for b in found.bins) == 4000


def test_ece_of_calibrated_probabilities_does_not_grow_as_rows_shrink():
    """The plain estimate is about 0.06 with 200 rows in 10 bins although the truth is 0."""
    assert np.mean([calibration(_stats(200, seed=s)[1]).ece for s in range(30)]) < 0.035


@pytest.mark.parametrize("k", [2, 3])
def test_too_sure(k):
    task, stats = _stats(2000, slope=3.0, k=k)
    found = calibration(stats)
    say = calibration_finding(found)
    assert say.code == "VALID-CALIBRATION" and say.grade == "warn" and "too extreme" in say.claim
    assert found.ece_low > 0.03 and found.slope_high < 1
    if k == 2:
        assert found.slope == pytest.approx(1 / 3, abs=0.06)
    assert temperature(stats) == pytest.approx(3.0, rel=0.12)
    better = task.measure(cooled(Prediction(stats["value"], stats["proba"]), temperature(stats)), stats["truth"])
    assert calibration_finding(calibration(better)) is None
    np.testing.assert_array_equal(better["proba"].argmax(1), stats["proba"].argmax(1))


def test_too_high():
    found = calibration(_stats(2000, shift=1.0)[1])
    assert found.intercept == pytest.approx(-1.0, abs=0.15) and "too high" in calibration_finding(found).claim


def test_slope_is_the_logistic_regression_of_another_library():
    from sklearn.linear_model import LogisticRegression

    _, stats = _stats(500, slope=2.0)
    p = stats["proba"][:, 1]
    fit = LogisticRegression(C=1e8, tol=1e-10).fit(np.log(p / (1 - p))[:, None], stats["truth"])
    assert calibration(stats).slope == pytest.approx(fit.coef_[0, 0], rel=1e-3)


def test_errors_respect_groups():
    _, stats = _stats(200)
    once = calibration(stats)
    many = calibration(stats.take(np.repeat(np.arange(200), 5)), np.repeat(np.arange(200), 5))
    assert many.slope == pytest.approx(once.slope, rel=1e-6)
    assert many.slope_high - many.slope_low == pytest.approx(once.slope_high - once.slope_low, rel=0.02)


def _grouped(g, m, seed):
    """True probabilities of rows in units that share their luck (correlation 0.1), and the units."""
    from scipy.stats import norm

    rng = np.random.default_rng(seed)
    p = rng.uniform(0.2, 0.8, g * m)
    luck = np.repeat(rng.normal(size=g), m) * np.sqrt(0.1) + rng.normal(size=g * m) * np.sqrt(0.9)
    task = classify("y", ("a", "b"))
    return task.measure(Prediction((p > 0.5).astype(int), np.stack([1 - p, p], 1)), (norm.cdf(luck) < p).astype(int)), \
        np.repeat(np.arange(g), m)


def test_few_units_give_no_p_and_fewer_no_limits():
    five, two = (calibration(*_grouped(g, 40, g), repeats=20) for g in (5, 2))
    assert five.p is None and five.slope_low < five.slope < five.slope_high and calibration_finding(five) is None
    assert two.p is None and two.slope_low is two.intercept_high is two.ece_low is two.bins[0][2] is None


def test_right_probabilities_of_few_units_are_seldom_called_off():
    found = [calibration(*_grouped(8, 25, s), repeats=20) for s in range(120)]
    assert sum(c.p < 0.01 for c in found) <= 4  # 1 %; more than four of 120 once in 130
    assert sum(not c.slope_low <= 1 <= c.slope_high for c in found) <= 12  # 5 %; more than 12 once in 100


def test_too_few_rows_say_nothing():
    task, stats = _stats(30)
    assert calibration(stats) is None and calibration_finding(None) is None and each_target(task, stats, None) == {}
