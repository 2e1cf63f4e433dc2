"""A known power law is recovered; the predictive range holds the measured gain as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.analyses.validate._power_law import LEVEL, POWERS, REDUCIBLE, USUAL, forecast, posterior, scatter
from gnomon.analyses.validate.data_size_curve import data_size_curve
from gnomon.data.parts import Fold
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress

SIZES = np.array([30.0, 60, 120, 240, 480])


@pytest.mark.parametrize(("a", "b", "c"), [(0.2, 3.0, 0.5), (0.0, 2.0, 0.3), (1.0, 0.0, 0.5), (0.5, 10.0, 1.0)])
def test_the_law_is_recovered_where_the_points_are_exact(a, b, c):
    errors = a + b * SIZES**-c
    told = forecast(SIZES, np.tile(errors, (4, 1)) * (1 + 1e-5 * np.random.default_rng(0).normal(size=(4, 5))),
                    errors * (1 + 1e-5 * np.random.default_rng(1).normal(size=(300, 4, 5))), 0)
    assert abs(told.now - told.then - (errors[-1] - a - b * 960.0**-c)) < 0.01 * errors[-1]
    assert np.allclose(told.law(SIZES), errors, rtol=0.02)


def test_without_evidence_a_doubling_brings_what_it_usually_does():
    """Points that say nothing leave the prior: its mean, and no more than the whole of the reducible error."""
    weights = posterior(SIZES, np.ones(5), 1e6 * np.eye(5))
    gain = float((weights * REDUCIBLE[None] * (1 - 2.0 ** -POWERS[:, None])).sum())
    assert weights.sum() == pytest.approx(1) and 0.4 * USUAL < gain < USUAL  # cut off at what each power can reach


def test_predictive_range_covers_what_is_then_measured():
    rng, hits = np.random.default_rng(0), 0
    true = lambda n: 0.3 + 2.0 * n**-0.5  # noqa: E731
    for trial in range(200):
        errors = true(SIZES) + rng.normal(size=(4, 5)) * 0.02 + rng.normal(size=(4, 1)) * 0.05
        drawn = errors[rng.integers(4, size=(300, 4))]
        told = forecast(SIZES, errors, drawn, trial)
        measured = true(480.0) - true(960.0) + rng.normal() * 0.02 * np.sqrt(2 / 4)
        hits += told.gain_low <= measured <= told.gain_high
    assert LEVEL - 0.05 <= hits / 200 <= 0.99


def test_scatter_is_the_sd_of_a_training_with_levels_taken_out():
    rng = np.random.default_rng(1)
    found = [scatter(rng.normal(size=(4, 1)) + SIZES**-0.3 + 0.1 * rng.normal(size=(4, 5)))[0] for _ in range(200)]
    assert np.sqrt(np.mean(np.square(found))) == pytest.approx(0.1, rel=0.08)


def table(n, seed=0, classes=False):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 12))
    y = x @ rng.normal(size=12) + rng.normal(size=n)
    return x, (y > 0).astype(np.int64) if classes else y


def folds(n, k=4):
    place = np.arange(n) % k
    return tuple(Fold(np.flatnonzero(place != j), np.flatnonzero(place == j)) for j in range(k))


def test_ridge_on_a_line_gains_what_it_then_gains():
    from sklearn.linear_model import LinearRegression

    x, y = table(1200)
    task = regress("y")

    def learn(rows):
        model = LinearRegression().fit(x[rows], y[rows])
        return lambda held: Prediction(model.predict(x[held]))

    half = tuple(Fold(f.train[:150], f.valid) for f in folds(1200))
    curve = data_size_curve(task, learn, half, y, np.arange(1200))
    scores = [task.score(task.measure(learn(f.train[:300])(f.valid), y[f.valid])) for f in folds(1200)]
    assert curve.scores[0] > curve.scores[-1] and curve.sizes[-1] == 150 and curve.ahead == 300
    measured = curve.scores[-1] - np.mean(scores)
    assert curve.gain_low <= measured <= curve.gain_high and curve.gain_high < 0.2


def test_classes_have_their_own_curves_and_few_units_none():
    from sklearn.linear_model import LogisticRegression

    x, y = table(600, classes=True)
    task = classify("y", ("no", "yes"), metric="roc_auc")

    def learn(rows):
        model = LogisticRegression().fit(x[rows], y[rows])

        def told(held):
            p = model.predict_proba(x[held])
            return Prediction(p.argmax(1), p)
        return told

    curve = data_size_curve(task, learn, folds(600), y, np.arange(600))
    assert set(curve.by_class) == {"no", "yes"} and all(0.5 < c["now"] < 1 for c in curve.by_class.values())
    assert curve.low <= curve.forecast <= curve.high
    assert data_size_curve(task, learn, folds(60), y[:60], np.arange(60)) is None


@pytest.mark.parametrize("metric", ["roc_auc", "log_loss"])
def test_a_smallest_sample_of_one_class_is_no_error_and_ranges_end_where_the_score_does(metric):
    from sklearn.linear_model import LogisticRegression

    x, y = table(300)[0], np.isin(np.arange(300), np.arange(14) * 20).astype(np.int64)
    x[:, 0] += 6 * y
    seen = []

    def learn(rows):
        seen.append(len(np.unique(y[rows])))
        model = LogisticRegression().fit(x[rows], y[rows])
        return lambda held: Prediction((p := model.predict_proba(x[held])).argmax(1), p)

    curves = [data_size_curve(classify("y", ("no", "yes"), metric=metric), learn, folds(300, k=3), y, np.arange(300), seed=s)
              for s in range(4)]
    assert min(seen) == 2 and all(c is not None and np.isfinite(c.scores).all() for c in curves)
    assert len(seen) < 4 * 20  # some samples did hold one class
    for c in (c for c in curves if c.high is not None):
        assert (c.high <= 1 if metric == "roc_auc" else c.low >= 0) and c.low <= c.forecast <= c.high


def test_groups_are_given_back_whole():
    y = table(400)[1]
    units = np.arange(400) // 4
    seen = []

    def learn(rows):
        seen.append(rows)
        return lambda held: Prediction(np.zeros(len(held)))

    place = units % 4
    parts = tuple(Fold(np.flatnonzero(place != j), np.flatnonzero(place == j)) for j in range(4))
    data_size_curve(regress("y"), learn, parts, y, units, unit="patient")
    assert all(np.bincount(units[rows])[np.unique(units[rows])].min() == 4 for rows in seen)
    assert set(seen[0]) < set(seen[1]) < set(seen[2])  # nested


def test_predictive_range_covers_where_one_fold_has_one_training_with_all_units():
    """Four repeats share the training with all units, and its luck."""
    rng, hits = np.random.default_rng(0), 0
    true = lambda n: 0.3 + 2.0 * n**-0.5  # noqa: E731
    for trial in range(200):
        errors = true(SIZES) + rng.normal(size=(4, 5)) * 0.02
        errors[:, -1] = errors[0, -1]
        drawn = errors[rng.integers(4, size=(300, 4))]
        told = forecast(SIZES, errors, drawn, trial, whole=1)
        hits += told.gain_low <= errors[0, -1] - true(960.0) - rng.normal() * 0.02 <= told.gain_high
    assert LEVEL - 0.05 <= hits / 200 <= 0.99


def test_the_repeats_of_one_fold_are_not_taken_for_four_trainings():
    y = np.zeros(800)

    def learn(rows):
        off = 1 + 0.1 * np.random.default_rng(rows).normal()  # the luck of this training
        return lambda held: Prediction(np.full(len(held), off))

    noise = [data_size_curve(regress("y", metric="rmse"), learn, folds(800)[:k], y, np.arange(800), seed=s).noise
             for k in (1, 4) for s in range(12)]
    one, four = (np.sqrt(np.mean(np.square(part))) for part in (noise[:12], noise[12:]))
    assert one == pytest.approx(0.1 * np.sqrt(2), rel=0.25) and four == pytest.approx(0.1 * np.sqrt(2 / 4), rel=0.25)
