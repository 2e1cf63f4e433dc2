"""Conformal ranges: exact small-sample coverage, groups, sets, CV+, saving."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gnomon.analyses.validate.conformal import (
    conformal,
    conformal_from_state,
    coverage,
    coverage_finding,
    covered,
    promise,
)
from gnomon.rng import stream
from gnomon.tasks._task import Prediction


def _zero(n):
    return Prediction(value=np.zeros(n))


def test_threshold_is_the_ceiling_quantile():
    rule = conformal(_zero(39), np.arange(1.0, 40), level=0.9)
    assert rule.threshold == 36.0  # the ceil(0.9 * 40)th smallest of 39
    low, high = rule.interval(Prediction(value=np.array([10.0])))
    assert (low[0], high[0]) == (-26.0, 46.0)


def test_what_few_units_can_promise_is_said():
    few = conformal(_zero(8), np.arange(8.0))
    said = promise(few.level, few.n_units, few.reached, guaranteed=True)
    assert "8 calibration units can promise 89% at most (95% needs 19)" in said and "guarantee" not in said
    assert promise(0.95, 19, conformal(_zero(19), np.arange(19.0)).reached, guaranteed=True) == ""
    assert promise(0.95, 300, 0.95, guaranteed=False).startswith("no guarantee")
    measured = coverage(few, _zero(60), np.zeros(60))
    assert measured["reached"] == pytest.approx(8 / 9) and measured["kind"] == "regress" and len(measured["thirds"]) == 3


def test_coverage_is_exact_on_average():
    """(n + 1) share reached: with 39 rows at 90 %, exactly 36/40."""
    hits = []
    for seed in range(400):
        e = stream(seed, "exact").normal(size=139)
        rule = conformal(_zero(39), e[:39], level=0.9)
        hits.append(covered(rule, _zero(100), e[39:]).mean())
    assert np.mean(hits) == pytest.approx(0.9, abs=0.008)


def test_nineteen_units_for_95_percent():
    e = np.arange(18.0)
    assert not conformal(_zero(18), e).enough and conformal(_zero(19), np.arange(19.0)).enough
    few = conformal(_zero(18), e)
    assert few.reached == pytest.approx(18 / 19) and few.radius == 17.0


def test_groups_not_rows_are_exchangeable():
    """Groups differ in the size of their errors: 95 % of the rows of new groups are covered, though 30 groups of 20."""
    hits, naive = [], []
    for seed in range(150):
        rng = stream(seed, "groups")
        size = np.exp(rng.normal(size=230))
        units = np.repeat(np.arange(30), 20)
        e, new = rng.normal(size=600) * size[units], rng.normal(size=200) * size[30:]
        hits.append(covered(conformal(_zero(600), e, units), _zero(200), new).mean())
        naive.append(covered(conformal(_zero(600), e, None), _zero(200), new).mean())
    assert np.mean(hits) >= 0.945 and np.mean(hits) > np.mean(naive)


def test_sets_hold_the_class_and_always_one():
    rng = stream(3, "sets")
    raw = rng.normal(size=(2000, 4)) * 2
    proba = np.exp(raw) / np.exp(raw).sum(1, keepdims=True)
    truth = (rng.random(2000)[:, None] > np.cumsum(proba, 1)).sum(1)
    prediction = Prediction(value=proba.argmax(1), proba=proba)
    rule = conformal(prediction.take(np.arange(1000)), truth[:1000], level=0.9)
    found = coverage(rule, prediction.take(np.arange(1000, 2000)), truth[1000:])
    assert found["value"] == pytest.approx(0.9, abs=0.03) and 1 < found["size"] < 4 and len(found["thirds"]) == 3
    assert rule.sets(Prediction(np.array([0]), np.full((1, 4), 0.25))).any()
    assert np.isnan(rule.interval(prediction)[0]).all()


def test_difficulty_scales_the_range():
    rng = stream(4, "difficulty")
    d = np.repeat([0.1, 1.0, 10.0], 300)
    e = rng.normal(size=900) * d
    rule = conformal(_zero(900), e, difficulty=d)
    hit = covered(rule, _zero(900), e, d)
    assert all(abs(hit[d == x].mean() - 0.95) < 0.04 for x in (0.1, 1.0, 10.0))
    plain = covered(conformal(_zero(900), e), _zero(900), e)
    assert plain[d == 10].mean() < 0.88


def test_cv_plus_against_the_definition():
    """Barber et al. 2021: the k-th smallest of mu_-S(i)(x) - R_i and of mu_-S(i)(x) + R_i."""
    rng = stream(5, "cv+")
    n, fold = 99, np.arange(99) % 3
    residual = np.abs(rng.normal(size=n))
    rule = conformal(_zero(n), residual, level=0.9, fold=fold)
    models = np.array([0.0, 0.5, -0.3])
    low, high = rule.crossed([Prediction(value=np.array([m])) for m in models])
    lows, highs = np.sort(models[fold] - residual), np.sort(models[fold] + residual)
    k = int(np.ceil(0.9 * 100))
    assert high[0] == pytest.approx(highs[k - 1]) and low[0] == pytest.approx(lows[n - k])


def test_state_survives_json():
    rng = stream(6, "json")
    truth = np.stack([rng.normal(size=60), np.where(rng.random(60) < 0.2, np.nan, rng.integers(0, 2, 60))], 1)
    proba = rng.dirichlet([1, 1], 60)
    both = Prediction(parts=(_zero(60), Prediction(proba.argmax(1), proba)))
    rule = conformal(both, truth, np.arange(60) // 2, fold=np.arange(60) % 5)
    again = conformal_from_state(json.loads(json.dumps(rule.state())))
    for a, b in zip(rule.interval(both), again.interval(both), strict=True):
        np.testing.assert_array_equal(a, b)
    assert again.enough == rule.enough and rule.interval(both)[0].shape == (60, 2)
    assert coverage(again, both, truth)["targets"][0] >= 0.9
    endless = conformal(_zero(5), np.ones(5))
    assert conformal_from_state(json.loads(json.dumps(endless.state()))).threshold == float("inf")


def test_finding_only_beyond_chance():
    loud = []
    for seed in range(100):
        e = stream(seed, "quiet").normal(size=600)
        loud.append(coverage_finding(coverage(conformal(_zero(100), e[:100]), _zero(500), e[100:])) is not None)
    assert np.mean(loud) <= 0.05
    e = stream(1, "loud").normal(size=600)
    found = coverage_finding(coverage(conformal(_zero(100), e[:100]), _zero(500), 2 * e[100:]), guaranteed=False)
    assert found.code == "VALID-COVERAGE" and "no guarantee" in found.claim and found.grade == "warn"


def test_the_worst_of_many_targets_is_not_taken_for_short_by_chance():
    loud = []
    for seed in range(60):
        e = stream(seed, "many").normal(size=(300, 40))
        many = lambda n: Prediction(parts=tuple(_zero(n) for _ in range(40)))  # noqa: E731
        loud.append(coverage_finding(coverage(conformal(many(200), e[:200]), many(100), e[200:])) is not None)
    assert np.mean(loud) <= 0.05
