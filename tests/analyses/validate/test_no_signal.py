"""Shuffled labels give no signal; real ones do; both with groups, on sealed rows and out-of-fold."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.analyses.validate import _findings as findings
from gnomon.analyses.validate.bbc_cv import bbc_cv
from gnomon.analyses.validate.interval import interval
from gnomon.analyses.validate.no_signal import no_signal
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress


def _study(metric, n, strength, seed, candidates=1):
    rng = stream(seed, "no signal", metric)
    x = rng.normal(size=(n, candidates))
    if metric == "rmse":
        task = regress("y")
        y = strength * x[:, 0] + rng.normal(size=n)
        made = [task.measure(Prediction(value=0.3 * x[:, i]), y) for i in range(candidates)]
        floor = task.measure(Prediction(value=np.zeros(n)), y)
    else:
        task = classify("y", ("a", "b"), metric=metric)
        y = (strength * x[:, 0] + rng.normal(size=n) > 0).astype(int)
        made = [task.measure(task.read(np.stack([-x[:, i], x[:, i]], 1)), y) for i in range(candidates)]
        floor = task.measure(task.naive(y).predict(n), y)
    return task, made, floor


@pytest.mark.parametrize("metric", ["rmse", "roc_auc", "accuracy"])
@pytest.mark.parametrize("groups", [0, 12])
def test_sealed(metric, groups):
    found = {}
    for strength in (0.0, 1.5):
        hits = []
        for seed in range(40):
            task, made, floor = _study(metric, 72, strength, seed)
            units = np.arange(72) % groups if groups else None
            hits.append(no_signal(task, made[0], floor, units, seed=seed).signal)
        found[strength] = np.mean(hits)
    assert found[0.0] <= 0.15  # 40 draws of 5 %: more than 6 happens once in 300
    assert found[1.5] >= 0.8


def test_selection_is_repeated_under_cross_validation():
    """The best of 30 useless candidates looks good; tested as if it had been the only one, it is found too often."""
    fooled, honest = [], []
    for seed in range(40):
        task, made, floor = _study("roc_auc", 60, 0.0, seed, candidates=20)
        best = max(made, key=task.score)
        fooled.append(no_signal(task, best, floor, None, seed=seed).signal)
        honest.append(no_signal(task, made, floor, None, seed=seed).signal)
    assert np.mean(fooled) > 0.25 and np.mean(honest) <= 0.125


def _smoothed_out_of_fold(seed: int, n: int = 100):
    """Labels without meaning, predicted out of five folds by a kernel smoother trained on the other four."""
    rng = stream(seed, "trained across folds")
    x, y = rng.normal(size=(n, 4)), rng.permutation(np.arange(n) % 2)
    near = np.exp(-((x[:, None] - x[None]) ** 2).sum(2) / 0.5) * (np.arange(n)[:, None] % 5 != np.arange(n)[None] % 5)
    score = near @ (y - 0.5)
    task = classify("y", ("a", "b"), metric="roc_auc")
    return task, task.measure(task.read(np.stack([-score, score], 1)), y), task.measure(task.naive(y).predict(n), y)


def test_training_across_folds_is_allowed_for(monkeypatch):
    """Each pair of rows teaches one another, so a useless model's out-of-fold AUC spreads wider than shuffling says."""
    draws = [_smoothed_out_of_fold(seed) for seed in range(300)]
    honest = np.mean([no_signal(t, [s], f, None, seed=i).signal for i, (t, s, f) in enumerate(draws)])
    monkeypatch.setattr("gnomon.analyses.validate.no_signal.BOTH_WAYS", 1.0)
    fooled = np.mean([no_signal(t, [s], f, None, seed=i).signal for i, (t, s, f) in enumerate(draws)])
    assert honest <= 0.05 and fooled > 0.06  # wanted: 0.025; 0.033 and 0.093 in these draws


def test_mann_whitney_against_scipy():
    from scipy.stats import mannwhitneyu

    task, made, floor = _study("roc_auc", 50, 0.6, 3)
    score, truth = made[0]["proba"][:, 1], made[0]["truth"]
    wanted = mannwhitneyu(score[truth == 1], score[truth == 0], alternative="greater", method="asymptotic",
                          use_continuity=False).pvalue
    assert no_signal(task, made[0], floor, None).p == pytest.approx(wanted, rel=1e-9)


def test_what_could_have_been_found_is_found_four_times_in_five():
    """80 % power at the AUC that the sentence names."""
    from scipy.stats import norm

    task, made, floor = _study("roc_auc", 100, 0.0, 0)
    named = no_signal(task, made[0], floor, None).detectable
    hits = []
    for seed in range(200):
        rng = stream(seed, "power")
        y = np.arange(100) % 2
        score = y * np.sqrt(2) * norm.ppf(named) + rng.normal(size=100)
        stats = task.measure(task.read(np.stack([-score, score], 1)), y)
        hits.append(no_signal(task, stats, stats, None).signal)
    assert 0.7 < np.mean(hits) < 0.92


def test_truth_of_whole_groups_is_moved_whole():
    """Five rows a patient with one label, and a predictor that only knows the patient: rows are no evidence."""
    hits = []
    for seed in range(30):
        rng = stream(seed, "patients")
        truth, score = np.repeat(rng.integers(0, 2, 16), 5), np.repeat(rng.normal(size=16), 5)
        task = classify("y", ("a", "b"))
        stats = task.measure(task.read(np.stack([-score, score], 1)), truth)
        floor = task.measure(task.naive(truth).predict(80), truth)
        hits.append(no_signal(task, [stats], floor, np.repeat(np.arange(16), 5), seed=seed).signal)
    assert np.mean(hits) <= 0.17


def test_under_6_groups_there_is_no_p():
    task, made, floor = _study("roc_auc", 80, 2.0, 1)
    found = no_signal(task, made[0], floor, np.arange(80) % 4)
    assert found.p is None and found.signal and "within" in found.test


@pytest.mark.parametrize("groups, judged", [(2, False), (5, False), (8, True)])
def test_targets_of_a_few_whole_groups_judge_nothing(groups, judged):
    """Two groups of one class each can be swapped in two ways: neither is chance."""
    task, units = classify("y", ("a", "b")), np.repeat(np.arange(groups), 20)
    score, truth = stream(0, "few").normal(size=len(units)), units % 2
    stats = task.measure(task.read(np.stack([-score, score], 1)), truth)
    floor = task.measure(task.naive(truth).predict(len(truth)), truth)
    result = no_signal(task, [stats], floor, units)
    assert result.judged == judged and not result.signal
    if not judged:
        told = findings.no_signal_found(result)
        assert told.code == "VALID-UNDETERMINED" and f"only {groups} groups" in told.claim and "only" in result.why_not


@pytest.mark.parametrize("rows, why", [(60, "only one class is present"), (1, "only 1 row has a label")])
def test_rows_that_cannot_judge_are_not_called_without_signal(rows, why):
    task, truth = classify("y", ("a", "b")), np.zeros(rows, dtype=int)
    score = stream(1, "one class").normal(size=rows)
    stats = task.measure(task.read(np.stack([-score, score], 1)), truth)
    result, estimate = no_signal(task, stats, stats, None), interval(task, stats, None)
    assert not result.judged and result.why_not == why
    assert np.isnan(estimate.value) and estimate.method == f"none: {why}"
    assert findings.too_good(task, estimate, 0.5) is None  # a score that is no number is not a perfect one
    task, made, floor = _study("roc_auc", 60, 0.0, 2)
    silent = no_signal(task, made, floor, None)  # what the folds say: that stands where the other rows cannot judge
    assert findings.no_signal_found(result, silent).code == "VALID-NO-SIGNAL"
    assert findings.no_signal_found(result).values["judged"] is False


def test_few_rows_that_judge_are_counted_in_words():
    task, made, _ = _study("roc_auc", 8, 1.0, 1)
    told = findings.few_groups(task, made[0].take(np.arange(1)), np.zeros(1), "row")
    assert told.claim.startswith("Only 1 independent unit (row) judges the score")


def _right(hits, classes=200, n=158):
    """A model right on the first `hits` rows, and a floor that is right on none."""
    task, y = classify("y", tuple(f"k{i}" for i in range(classes)), metric="accuracy"), np.arange(n)
    told = np.where(y < hits, y, y + 1)
    made = [task.measure(Prediction(value=v, proba=np.eye(classes)[v]), y) for v in (told, np.full(n, classes - 1))]
    return task, *made


def test_a_single_right_row_of_many_classes_is_no_signal_and_none_is_within_reach():
    """Rows that differ in nothing speak for neither: what rounding makes of them must not."""
    found = {hits: no_signal(*_right(hits), None) for hits in (0, 1, 5, 8)}
    assert [found[k].signal for k in (0, 1, 5, 8)] == [False, False, False, True]
    assert found[1].p > 0.4  # half of all sign vectors
    assert all(r.detectable >= 6 / 158 and "above 0 " not in r.smallest_effect for r in found.values())
    task, _, floor = _study("rmse", 60, 0.0, 0)
    assert no_signal(task, floor, floor, None).detectable is None  # no difference on any row: its spread is not known
    task, model, floor = _right(0)
    assert no_signal(task, [model], floor, None).detectable >= 1 / 158


def test_bbc_takes_the_winners_luck_away():
    luck, corrected = [], []
    for seed in range(20):
        rng = stream(seed, "bbc")
        y = rng.integers(0, 2, 100)
        task = classify("y", ("a", "b"), metric="accuracy")
        tries = [task.read(rng.normal(size=(100, 2))) for _ in range(15)]
        e = bbc_cv(task, y, tries, None, seed=seed, repeats=300)
        corrected.append(e.value)
        luck.append(max(task.score(task.measure(p, y)) for p in tries))
        assert e.low < 0.5 < e.high
    assert np.mean(luck) > 0.57 and abs(np.mean(corrected) - 0.5) < 0.02


def test_bbc_of_one_candidate_is_its_own_score_and_repeats_are_averaged():
    rng = stream(1, "bbc one")
    truth, task = rng.normal(size=150), regress("y", metric="mae")
    one = Prediction(value=truth + rng.normal(size=150))
    e = bbc_cv(task, truth, [one], None, repeats=500)
    assert e.value == pytest.approx(task.score(task.measure(one, truth)), rel=0.02) and e.estimator == "bbc_cv"
    two = bbc_cv(task, truth, [[one, Prediction(value=truth + 3.0)]], None, repeats=500)
    assert two.value == pytest.approx((e.value + 3) / 2, rel=0.02)
    missing = truth.copy()
    missing[:30] = np.nan
    assert bbc_cv(task, missing, [one], np.arange(150) // 2, repeats=200).n_rows == 120


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "mcc"])
@pytest.mark.parametrize("donors", [0, 30])
def test_bbc_of_a_perfect_score_has_room_below_and_is_1(metric, donors):
    task, truth = classify("y", ("a", "b"), metric=metric), (np.arange(120) < 8).astype(int)
    perfect = Prediction(truth, np.eye(2)[truth] * 0.8 + 0.1)
    e = bbc_cv(task, truth, [perfect, perfect], np.arange(120) % donors if donors else None, repeats=300)
    assert e.value == pytest.approx(1.0) and e.high == 1.0 and 0.0 < e.low < 0.98
    e = interval(task, task.measure(perfect, truth), np.arange(120) % donors if donors else None)
    assert e.low < 0.98


@pytest.mark.parametrize("metric", ["accuracy", "rmse"])
def test_a_score_beyond_the_best_is_not_said_to_be_within_reach(metric):
    task, made, floor = _study(metric, 7, 0.0, 1)
    if metric == "rmse":  # a model much worse than the floor, on one row
        truth, told = np.zeros(7), 9.0 * (np.arange(7) == 3)
        made, floor = [task.measure(Prediction(value=told), truth)], task.measure(Prediction(value=truth + 1), truth)
    result = no_signal(task, made[0], floor, None)
    assert "no score" in result.smallest_effect and "80 % power" in result.smallest_effect, result
    assert findings.underpowered(task, result).code == "VALID-UNDERPOWERED"
    task, made, floor = _study(metric, 200, 1.0, 1)
    result = no_signal(task, made[0], floor, None)
    assert "a score" in result.smallest_effect and findings.underpowered(task, result) is None


def test_shuffles_of_many_rows_are_not_all_held_at_once():
    import tracemalloc

    task, made, floor = _study("roc_auc", 20_000, 0.2, 1)
    tracemalloc.start()
    no_signal(task, made, floor, np.arange(20_000) % 40)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 80e6


def test_findings_say_it():
    task, made, floor = _study("roc_auc", 60, 0.0, 2)
    silent = no_signal(task, made[0], floor, None)
    assert findings.no_signal_found(silent).code == "VALID-NO-SIGNAL" and "80 % power" in silent.smallest_effect
    task, made, floor = _study("roc_auc", 60, 3.0, 2)
    assert findings.no_signal_found(no_signal(task, made[0], floor, None)) is None
    tiny_task, tiny, tiny_floor = _study("roc_auc", 12, 0.0, 2)
    tiny_result = no_signal(tiny_task, tiny[0], tiny_floor, None)
    assert findings.underpowered(tiny_task, tiny_result).code == "VALID-UNDERPOWERED"
    assert findings.underpowered(task, no_signal(task, made[0], floor, None)) is None
