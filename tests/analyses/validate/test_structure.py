"""Optimism, shift, out-of-distribution, sub-groups: planted faults are named, clean data are left alone."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from gnomon.analyses.validate import _findings as findings
from gnomon.analyses.validate.interval import interval
from gnomon.analyses.validate.ood import detection, ood, ood_finding, ood_from_state, too_few
from gnomon.analyses.validate.optimism import optimism
from gnomon.analyses.validate.seeds import seeds
from gnomon.analyses.validate.shift import shift, shift_finding
from gnomon.analyses.validate.subgroups import cut_of_target, subgroup_findings, subgroups
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.values import Difference, Estimate, plain


class Nearest:
    """A cheap model that profits from relatives: the truth of the nearest training row."""

    def fit(self, x, y):
        self.x, self.y, self.classes_ = x, y, np.unique(y)
        return self

    def predict(self, x):
        return self.y[((x[:, None] - self.x) ** 2).sum(-1).argmin(1)]

    def predict_proba(self, x):
        return (self.predict(x)[:, None] == self.classes_) * 0.8 + 0.1


def _families(seed, related=1.0, g=30, per=6):
    rng = stream(seed, "families")
    units = np.repeat(np.arange(g), per)
    x = related * rng.normal(size=(g, 4))[units] * 3 + rng.normal(size=(g * per, 4))
    y = related * 2 * rng.normal(size=g)[units] + rng.normal(size=g * per)
    return x, y, units


def test_optimism_is_found_and_has_one_sign_for_all_metrics():
    x, y, units = _families(0)
    numbers = optimism(regress("y"), x, y, units, make=Nearest)
    assert numbers["random"] < numbers["honest"] and numbers["low"] > 0.3
    assert numbers["gap"] == pytest.approx(numbers["honest"] - numbers["random"])
    classes = optimism(classify("y", ("a", "b"), metric="accuracy"), x, (y > 0).astype(int), units, make=Nearest)
    assert classes["random"] > classes["honest"] and classes["low"] > 0 and classes["model"] == "Nearest"
    told = findings.optimistic(classes, "rows without a copy in training")
    assert told.code == "VALID-OPTIMISM" and "on rows without a copy in training, " in told.claim
    assert "on new groups, " in findings.optimistic(classes).claim
    assert optimism(regress("y"), x, y, units, make=Nearest) == numbers


def test_no_optimism_without_relatives():
    quiet = []
    for seed in range(20):
        x, y, units = _families(seed, related=0.0)
        measured = optimism(regress("y"), x, y, units, make=Nearest, seed=seed, repeats=2)
        quiet.append(findings.optimistic(measured) is None)
    assert np.mean(quiet) >= 0.85


def test_training_parts_are_of_one_size_and_units_stay_whole():
    sizes, together = set(), []

    class Spy(Nearest):
        def fit(self, x, y):
            sizes.add(len(x))
            self.trained = set(x[:, 0].astype(int))
            return super().fit(x, y)

        def predict(self, x):
            together.append(bool(self.trained & set(x[:, 0].astype(int))))
            return super().predict(x)

    units = np.repeat(np.arange(10), np.arange(3, 13))
    x = np.column_stack([units, np.zeros(len(units))]).astype(float)
    optimism(regress("y"), x, np.arange(len(units), dtype=float), units, make=Spy, repeats=2)
    assert len(sizes) == 1
    assert not any(together[5:10]) and all(together[:5])  # random first, then whole units


def test_optimism_of_time():
    """A drifting truth: the future helps, and honest training may not see it."""
    rng = stream(1, "time")
    when = np.arange(300)
    x = np.column_stack([when / 10, rng.normal(size=300)])
    y = when / 50 + 0.3 * rng.normal(size=300)
    found = optimism(regress("y"), x, y, np.arange(300), make=Nearest, time=when, repeats=2)
    assert found["low"] > 0.3
    steady = optimism(regress("y"), x, rng.normal(size=300), np.arange(300), make=Nearest, time=when, repeats=2)
    assert steady["low"] < 0.1
    assert optimism(regress("y"), x, y, np.zeros(300), make=Nearest)["gap"] is None
    assert optimism(regress("y"), x, y, np.arange(300), make=Nearest, time=np.zeros(300))["gap"] is None


def test_shift():
    rng = stream(2, "shift")
    train, test = rng.normal(size=(300, 6)), rng.normal(size=(120, 6))
    assert all(shift_finding(shift(stream(s, "a").normal(size=(200, 6)), stream(s, "b").normal(size=(80, 6)))) is None
               for s in range(4))
    moved = test.copy()
    moved[:, 2] += 2.5
    found = shift(train, moved)
    say = shift_finding(found, tuple("abcdef"))
    assert say.code == "VALID-SHIFT" and say.grade == "warn" and say.columns == ("c",) and found.low > 0.8
    assert shift(train[:10], test) is None
    later = shift_finding(found, meant="the later rows")
    assert later.grade == "note" and "holds out the later rows" in later.claim and "groups" not in say.claim + later.claim


def test_whole_groups_held_out_are_no_shift_by_themselves():
    """Groups have levels of their own, but new groups are drawn alike: rows look shifted, units do not."""
    rng = stream(3, "levels")
    level = rng.normal(size=(60, 3)) * 3
    units = np.repeat(np.arange(60), 8)
    x = level[units] + rng.normal(size=(480, 3)) * 0.1
    train = units < 45
    by_unit = shift(x[train], x[~train], units[train], units[~train])
    by_row = shift(x[train], x[~train])
    assert by_row.low > 0.8 and by_unit.low < 0.6 and shift_finding(by_unit) is None


@pytest.mark.parametrize(("n", "d"), [(400, 8), (60, 300), (30, 3)])
def test_ood_flags_5_percent_of_like_rows_and_most_of_strange_ones(n, d):
    shares, strange = [], []
    for seed in range(6):
        rng = stream(seed, "ood", n, d)
        mix = rng.normal(size=(d, d)) / np.sqrt(d)
        rule = ood(rng.normal(size=(n, d)) @ mix, seed=seed)
        shares.append(rule.flag(rng.normal(size=(400, d)) @ mix).mean())
        strange.append(rule.flag(4 + rng.normal(size=(100, d))).mean())
    assert 0.01 < np.mean(shares) < 0.12 and np.mean(strange) > 0.9


def test_ood_state_groups_and_detection():
    rng = stream(1, "ood state")
    units = np.repeat(np.arange(40), 5)
    x = rng.normal(size=(40, 6))[units] * 2 + rng.normal(size=(200, 6)) * 0.2
    rule = ood(x, units)
    by_row = ood(x)
    new = rng.normal(size=(300, 6)) * 2 + rng.normal(size=(300, 6)) * 0.2
    assert rule.flag(new).mean() < 0.2 < by_row.flag(new).mean()  # rows of known groups are nearer than new groups'
    again = ood_from_state(json.loads(json.dumps({k: np.asarray(v).tolist() for k, v in rule.state().items()})))
    np.testing.assert_allclose(again.score(new), rule.score(new))
    rates = detection(rule, new)
    assert rates["doubled"] > rates["as they are"]
    broken = new.copy()
    broken[0, 0], broken[1, 1] = np.nan, np.inf
    assert np.isfinite(rule.score(broken)).all()


def test_ood_sees_rows_of_hardly_any_content_and_rows_off_the_plane():
    rng = stream(2, "ood shell")
    x = rng.normal(size=(400, 12)) @ rng.normal(size=(12, 300)) + 0.7 * rng.normal(size=(400, 300))
    rule = ood(x[:300])
    like, off = x[300:], x[300:] + 0.8 * rng.normal(size=(100, 300))  # off the plane by as much again, no further along it
    assert rule.flag(like).mean() < 0.15 and rule.flag(off).mean() > 0.95
    assert rule.flag(0.1 * x[300:]).mean() > 0.95  # near the mean, where no row lies


def test_ood_calibrates_on_features_learnt_without_the_held_out_rows():
    rng = stream(3, "ood refit")
    counts = rng.poisson(0.02, size=(600, 1500)).astype(float)  # rare words: most occur in one or two rows

    def features(known, held):
        kept = (counts[:300][known] > 0).sum(axis=0) >= 2
        return counts[:300][known][:, kept], counts[:300][held][:, kept], np.ones(kept.sum())

    kept = (counts[:300] > 0).sum(axis=0) >= 2
    rule = ood(counts[:300][:, kept], refit=features)
    assert 0.02 < rule.flag(counts[300:][:, kept]).mean() < 0.1
    again = ood_from_state(json.loads(json.dumps(plain(rule.state()))))
    np.testing.assert_allclose(again.score(counts[300:][:, kept]), rule.score(counts[300:][:, kept]))


def test_ood_of_many_rows_learns_features_again_only_as_often_as_it_must():
    x, asked = stream(5, "ood many").normal(size=(3300, 30)), []

    def features(known, held):
        asked.append(len(held))
        return x[known], x[held], None

    rule = ood(x[:3000], refit=features)
    assert asked == [300, 300] and 0.02 < rule.flag(x[3000:]).mean() < 0.09


def test_ood_sees_one_odd_feature_among_dozens():
    rng = stream(6, "ood along")
    x = rng.uniform(-1, 1, size=(400, 40))
    rule, odd = ood(x[:300]), x[300:].copy()
    odd[:, 7] = 2.5  # 4.3 spreads, where no row is beyond 1.7: but little beside what 24 axes add up to
    assert rule.flag(x[300:]).mean() < 0.15 and rule.flag(odd).mean() > 0.95
    assert ood_from_state({**rule.state(), "along_limit": None}).flag(odd).mean() < 0.5  # as studies of before judge


def test_ood_of_a_plane_that_holds_every_row_has_no_limit_of_distance_from_it():
    x = stream(4, "ood plane").normal(size=(200, 3))
    rule = ood(x)
    assert rule.off_least == 0 and np.isinf(rule.off_limit)
    assert np.isinf(ood_from_state(plain(rule.state())).off_limit)  # infinity is null in a study's JSON


@pytest.mark.parametrize("kind", ["dose", "switches", "one of eight"])
def test_ood_of_inputs_in_steps_flags_no_level_it_knows_and_nothing_just_beside_one(kind):
    rng = stream(7, "ood steps", kind)
    make = {"dose": lambda n: rng.integers(1, 11, (n, 1)), "switches": lambda n: rng.integers(0, 2, (n, 3)),
            "one of eight": lambda n: np.eye(8)[rng.integers(0, 8, n)]}[kind]
    for seed in range(12):
        rule, new = ood(make(1000), seed=seed), make(1000).astype(float)
        assert rule.flag(new).mean() <= 0.05 and rule.flag(new + 0.001).mean() <= 0.05
        assert rule.flag(new + 25).all()


def test_ood_finding():
    rule = ood(stream(0, "ood finding").normal(size=(200, 2)))
    assert ood_finding(np.arange(200) < 9, rule) is None
    say = ood_finding(np.arange(200) < 60, rule, positions=np.arange(200) + 1000)
    assert say.code == "VALID-OOD" and say.grade == "warn" and say.rows_total == 60 and min(say.rows) == 1000
    assert "not thereby reliable" in say.claim and say.values["low"] < 0.3 < say.values["high"]
    units = np.arange(200) // 60  # all flagged rows are of one unit of four
    assert ood_finding(np.arange(200) < 60, rule, units) is None and ood_finding(np.ones(200), rule, units).grade == "warn"


@pytest.mark.parametrize(("g", "m", "new", "icc"), [(20, 1, 50, 0.0), (12, 20, 10, 0.8), (30, 20, 10, 0.8)])
def test_like_rows_of_few_units_are_rarely_said_to_be_strange_and_far_ones_are(g, m, new, icc):
    """5 % flagged and 1 % found, where a limit at the 95th percentile of 20 rows is passed by 15 % of new ones."""
    shares, found, far = [], 0, 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        draw = lambda k: np.sqrt(icc) * np.repeat(rng.normal(size=(k, 4)), m, 0) + \
            np.sqrt(1 - icc) * rng.normal(size=(k * m, 4))  # noqa: E731, B023
        units = np.repeat(np.arange(new), m)
        rule, like = ood(draw(g), np.repeat(np.arange(g), m), seed=seed), draw(new)
        shares.append(rule.flag(like).mean())
        found += ood_finding(rule.flag(like), rule, units) is not None
        far += ood_finding(rule.flag(like + 6), rule, units) is not None
    assert 0.01 < np.mean(shares) < 0.09 and found <= 3 and far >= 57


def test_too_few_units_for_a_limit_of_5_percent_are_said_to_be():
    x = stream(0, "ood few").normal(size=(60, 3))
    assert too_few(ood(x)) == "" and too_few(ood(x, np.arange(60) // 3)) == ""
    assert "12 units are too few" in too_few(ood(x, np.arange(60) // 5)) and "one unit" in too_few(ood(x, np.zeros(60)))
    assert ood(x, np.arange(60) // 5).usual == pytest.approx(1 / 13) and ood_finding(np.ones(9), ood(x[:8])) is None


def _labelled(n, worse, seed):
    rng = stream(seed, "subgroups")
    truth, site = rng.normal(size=n), np.array(["north", "south", "east", "west"])[rng.integers(0, 4, n)]
    error = rng.normal(size=n) * np.where((site == "west") & worse, 2.5, 1.0)
    return regress("y"), regress("y").measure(Prediction(value=truth + error), truth), site


def test_subgroups():
    task, stats, site = _labelled(400, True, 0)
    site[:5] = "rare"
    table = subgroups(task, stats, None, {"site": site, "one": np.full(400, "x")})
    rows = {s.group: s for s in table}
    assert set(rows) == {"north", "south", "east", "west", "rare"}
    assert rows["rare"].few and rows["rare"].value is None and rows["rare"].n_rows == 5
    assert rows["west"].value == pytest.approx(task.score(stats.take(np.flatnonzero(site == "west"))))
    found = subgroup_findings(task, table)
    assert [f.values["group"] for f in found] == ["west"] and found[0].code == "VALID-SUBGROUP"
    assert subgroup_findings(task, table, margin=5.0) == []
    loud = [bool(subgroup_findings(t, subgroups(t, s, None, {"site": c})))
            for t, s, c in (_labelled(400, False, seed) for seed in range(40))]
    assert np.mean(loud) <= 0.05


def test_rare_groups_stand_together_unnamed():
    task, stats, site = _labelled(400, True, 0)
    site = np.where(np.arange(400) < 2, "Timbuktu", site)
    table = {s.group: s.n_rows for s in subgroups(task, stats, None, {"site": site}, fewest=5)}
    assert "Timbuktu" not in table and min(table.values()) >= 5
    assert sum(table.values()) == 400 and table["others"] > 7  # alone it would be told by the sum
    assert "Timbuktu" in {s.group for s in subgroups(task, stats, None, {"site": site})}
    assert subgroups(task, stats, None, {"one": np.repeat(["a", "b"], [398, 2])}, fewest=5) == []


def test_a_cut_of_the_target_is_no_sub_group():
    quality = stream(1, "cut").normal(size=200)
    assert cut_of_target(np.where(quality > 0, "1", "0"), quality, ordered=True)
    blurred = quality + 0.02 * stream(3, "cut").normal(size=200)  # measured again, say: a few rows are on the other side
    assert cut_of_target(np.where(blurred > 0, "1", "0"), quality, ordered=True)
    assert not cut_of_target(np.where(quality + stream(3, "cut").normal(size=200) > 0, "1", "0"), quality, ordered=True)
    assert not cut_of_target(np.where(np.arange(200) % 40 == 0, "1", "0"), quality, ordered=True)
    three = np.arange(200) % 3
    assert cut_of_target(np.array(["x", "x", "y"])[three], three.astype(float), ordered=False)
    assert not cut_of_target(np.array(["x", "y"] * 100), three.astype(float), ordered=False)


def test_subgroups_of_many_rows_take_seconds():
    rng = stream(9, "many rows")
    task, truth = classify("y", ("a", "b"), metric="average_precision"), (rng.random(10_000) < 0.3).astype(int)
    stats = task.measure(task.read(np.stack([-truth, truth], 1) + rng.normal(size=(10_000, 2))), truth)
    start = time.process_time()
    table = subgroups(task, stats, None, {"site": rng.integers(0, 20, 10_000)})
    assert time.process_time() - start < 9 and len(table) == 20 and all(s.p is not None for s in table)


def test_subgroups_with_few_events_or_units():
    task = classify("y", ("a", "b"))
    truth = np.repeat([0, 1], [290, 10])
    stats = task.measure(task.read(np.zeros((300, 2))), truth)
    halves = np.where(np.arange(300) % 2, "x", "y")
    assert all(s.few for s in subgroups(task, stats, None, {"half": halves}))
    task, stats, site = _labelled(400, False, 0)
    assert all(s.few for s in subgroups(task, stats, np.arange(400) // 40, {"site": site}))


def test_seeds():
    assert seeds([1.0]) is None and seeds([1.0, 3.0]) == pytest.approx(np.sqrt(2))
    wide = Estimate("rmse", 1.0, 0.9, 1.1)
    assert findings.seeds_unstable(np.array([1, 1.01, 0.99]), wide) is None
    told = findings.seeds_unstable(np.array([1, 1.3, 0.7]), wide)
    assert told.code == "VALID-SEEDS" and told.grade == "warn"


def test_few_groups_and_undetermined():
    task, stats, _ = _labelled(60, False, 0)
    say = findings.few_groups(task, stats, np.arange(60) % 2, "donor")
    assert say.code == "VALID-FEW-GROUPS" and len(say.values["scores"]) == 2 and "no interval" in say.claim
    assert findings.few_groups(task, stats, np.arange(60) % 10, "donor") is None
    open_ = Difference(0.1, -0.1, 0.3, 0.95, 0.3, "t", 0.05)
    told = findings.undetermined(open_, 50)
    assert told.code == "VALID-UNDETERMINED" and told.values["units_needed"] > 50
    assert "contrary" in findings.undetermined(Difference(-0.2, -0.3, -0.1, 0.95, 0.01, "t", 0.05), 50).claim
    assert findings.undetermined(Difference(0.2, 0.1, 0.3, 0.95, 0.01, "t", 0.05), 50) is None


def test_ceiling_and_too_good():
    rng = stream(5, "ceiling")
    truth = rng.normal(size=200)
    task = regress("y")

    def at(noise):
        return interval(task, task.measure(Prediction(value=truth + noise * rng.normal(size=200)), truth), None)

    assert findings.ceiling(at(0.3), 0.3, 40).code == "VALID-CEILING"
    assert findings.ceiling(at(0.6), 0.3, 40) is None and findings.ceiling(at(0.3), 0.3, 4) is None
    leak = findings.too_good(task, at(0.1), 1.0, replicate_sd=0.3)
    assert leak.code == "VALID-TOO-GOOD" and leak.grade == "warn"
    assert findings.too_good(task, at(0.3), 1.0, replicate_sd=0.3) is None
    def codes(noise, **facts):
        told, check = findings.against_noise(task, at(noise), 1.0, facts)
        return [f.code for f in told], check.ran

    assert codes(0.3, replicate_sd=0.3, repeats=40) == (["VALID-CEILING"], True)
    assert codes(0.1, replicate_sd=0.3, repeats=40) == (["VALID-TOO-GOOD"], True), "below the noise: not a ceiling as well"
    assert codes(0.6, replicate_sd=0.3, repeats=40) == ([], True)
    assert codes(0.3, replicate_sd=0.3, repeats=5) == codes(0.3, replicate_sd=0.0, repeats=40) == codes(0.3) == ([], False)
    assert findings.too_good(task, at(0.0001), 1.0).grade == "note" and findings.too_good(task, at(0.1), 1.0) is None


def test_why_no_ceiling_was_looked_for():
    task = regress("y")

    def why(metric, **facts):
        return findings.against_noise(task, Estimate(metric, 1.0, 0.9, 1.1, n_units=90), 2.0, facts)[1].why_not

    assert "10 inputs measured more than once tell the noise, not 0" in why("rmse")
    assert "not 3" in why("rmse", repeats=3, replicate_sd=0.4)
    assert "no error in the target's unit" in why("r2", repeats=40, replicate_sd=0.4)
    assert why("mae", repeats=40, replicate_sd=0.4) == ""
