"""Trials inside a study: what is planted is found, each check says that it ran or why not, gains reach the advice."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.values import Action, Advice, Finding, Recipe
from gnomon.workflow._clock import Clock, merged, run_trial
from gnomon.workflow._effects import CLEANED
from gnomon.workflow._folder import Folder
from gnomon.workflow._gains import measured_gains, seed_gain
from gnomon.workflow._members import _candidate, seed_scores
from gnomon.workflow._more_data import curve_candidate, missed
from gnomon.workflow.advise import _per_cost, advise
from gnomon.workflow.after import accept_finding
from gnomon.workflow.examine import Notes
from gnomon.workflow.plan import Plan, seconds_short

CODES = ("VALID-SHORTCUT", "VALID-STRATUM", "VALID-CURVE", "VALID-CORRUPTION", "VALID-ATTRIBUTE")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A table in which the batch tells the class almost by itself, and can be read from another column."""
    rng = np.random.default_rng(0)
    n = 400
    y = rng.integers(0, 2, n)
    batch = np.where(rng.random(n) < 0.93, y, 1 - y)
    table = pd.DataFrame({f"gene{i}": rng.normal(size=n) + (0.4 * y if i < 2 else 0) for i in range(6)})
    table["batch"] = np.array(["north", "south"])[batch]
    table["gene5"] += 2 * batch  # the batch can be read from another column
    table["state"] = np.array(["healthy", "ill"])[y]
    folder = tmp_path_factory.mktemp("trials")
    table.to_csv(folder / "t.csv", index=False)
    os.environ["GNOMON_STATE"] = str(folder / "state")
    done = gnomon.study(folder / "t.csv", target="state", out=folder / "t.study", only=("logistic",),
                        budget="30m",  # so large that a busy machine cuts no trial
                        split="random", because="the same batches come again")
    return done.report, json.loads((done.folder / "exhibits.json").read_text())["trials"], done.page.read_text()


def test_every_trial_ran_or_says_why_not(finished):
    report, shown, _ = finished
    checks = {c["code"]: c for c in report["checks"] if c["code"] in CODES}
    assert set(checks) == set(CODES)
    assert all((c["ran"] and c["smallest_effect_it_would_find"]) or c["why_not"] for c in checks.values())
    assert {t["what"] for t in shown["took"]} >= {"shortcut trials", "slices"} and all(t["seconds"] >= 0 for t in shown["took"])


def test_batch_is_found_as_shortcut_and_readable_attribute(finished):
    report, shown, _ = finished
    short = [f for f in report["findings"] if f["code"] == "VALID-SHORTCUT" and f["grade"] == "warn"]
    assert short and short[0]["columns"] == ["batch"] and short[0]["values"]["share"] > 0.8
    read = [f for f in report["findings"] if f["code"] == "VALID-ATTRIBUTE"]
    assert read and read[0]["columns"] == ["batch"]
    price = shown["attributes"][0]
    assert price["left"] < price["readable"] - 0.15 and price["gap_erased"] < price["gap"]
    assert any(a["because"] == ["VALID-SHORTCUT"] for a in report["advice"])


def test_curve_gives_advice_its_gain(finished):
    report, shown, _ = finished
    assert len(shown["curve"]["sizes"]) == 5 and shown["curve"]["ahead"] == 2 * shown["curve"]["sizes"][-1]
    step = next(a for a in report["advice"] if "VALID-CURVE" in a["because"])
    assert set(step["gain"]) == {"value", "low", "high", "level", "metric", "kind", "model"}
    assert step["gain"]["kind"] == "predictive" and step["gain"]["model"] == "logistic" in step["do"]
    assert shown["curve"]["units"] == 400 and "about 400 more rows" in step["do"]  # of which four in five are trained on
    assert step["gain"]["low"] <= step["gain"]["value"] <= step["gain"]["high"]


def test_more_of_each_class_has_a_gain_of_its_own(finished):
    """Both classes have rows enough; each step is measured by giving back rows of that class alone."""
    report, shown, _ = finished
    assert set(shown["classes"]) == {"healthy", "ill"}
    for name, one in shown["classes"].items():
        assert one["sizes"][-1] < shown["curve"]["sizes"][-1] and len(one["sizes"]) == 4
        assert one["scores"][-1] == pytest.approx(shown["curve"]["scores"][-1], abs=0.02)  # the same trainings at full size
        step = next(a for a in report["advice"] if f"of class '{name}'" in a["do"])
        assert step["gain"]["value"] == pytest.approx(one["gain"]) and step["gain"]["low"] <= step["gain"]["high"]


def test_page_opens_to_the_evidence(finished):
    page = finished[2]
    assert '<section id="trials">' in page and "batch, site or group (batch)" in page and "Small changes of the input" in page
    assert page.index('id="errors"') < page.index('id="trials"') < page.index('id="next"')


def test_a_trial_that_does_not_fit_in_says_so_and_is_not_started():
    notes, clock = Notes(), Clock(5.0)
    assert run_trial(notes, clock, "VALID-CURVE", "x", 60.0, lambda: 1 / 0) is None
    assert not notes.checks[0].ran and "needs about 60 s" in notes.checks[0].why_not
    assert run_trial(notes, clock, "VALID-STRATUM", "x", 0.0, lambda: 7) == 7 and clock.took[0]["what"] == "slices"


def test_a_trial_whose_time_ends_says_what_it_left_out():
    notes, clock = Notes(), Clock(0.05)

    def slow(found):
        while not clock.over():
            pass
        return found

    run_trial(notes, clock, "VALID-CORRUPTION", "a loss", 0.0, lambda: slow([1]))
    assert notes.checks[0].ran and notes.checks[0].smallest_effect_it_would_find.endswith("was not tried")
    clock = Clock(0.05)
    run_trial(notes, clock, "VALID-CURVE", "a gain", 0.0, lambda: slow(None))
    assert not notes.checks[1].ran and "ended before it came to a result" in notes.checks[1].why_not
    run_trial(notes, Clock(60.0), "VALID-CURVE", "a gain", 0.0, lambda: None, "too few units")
    assert not notes.checks[2].ran and notes.checks[2].why_not == "too few units"  # it had time, and nothing to do


def test_one_fold_a_group_becomes_five_that_hold_every_row_once():
    from gnomon.data.parts import Fold

    group = np.arange(160) // 10
    folds = tuple(Fold(np.flatnonzero(group != g), np.flatnonzero(group == g)) for g in range(16))
    few = merged((*folds, Fold(folds[0].train, folds[0].valid, 1)))
    assert len(few) == 5 and sorted(np.concatenate([f.valid for f in few]).tolist()) == list(range(160))
    assert all(not set(group[f.train]) & set(group[f.valid]) for f in few)
    assert all(len(f.train) + len(f.valid) == 160 for f in few)
    assert merged(folds[:4]) == folds[:4]


def candidate(folder, family, score, seconds):
    place = folder / f"{family}{score}"
    place.mkdir()
    (place / "run.json").write_text(json.dumps({"seconds": seconds}))
    return SimpleNamespace(family=family, score=score, members=((1.0, SimpleNamespace(folders=(place,))),))


def test_the_curve_is_of_the_best_near_model_that_fits_in(tmp_path):
    bench = SimpleNamespace(task=SimpleNamespace(metric=SimpleNamespace(higher_is_better=False)),
                            parts=SimpleNamespace(folds=(1, 2, 3, 4, 5)))
    floor, far, near, best = (candidate(tmp_path, *c) for c in (
        ("floor", 10, 0), ("simple", 8, 0.2), ("simple", 4.4, 1), ("simple", 4, 10)))
    every = [floor, far, near, best]
    assert curve_candidate(bench, every, best, 1000)[0] is best
    assert curve_candidate(bench, every, best, 20)[0] is near
    assert curve_candidate(bench, every, best, 1)[0] is near  # too dear too, but the cheapest that speaks for the best
    deep = candidate(tmp_path, "deep", 3, 100)
    assert curve_candidate(bench, [floor, far, deep], deep, 1000)[0] is far  # none is near: the best simple one


def test_gains_are_null_unless_measured():
    assert measured_gains({}) == {} and measured_gains({"curve": {"gain": None}}) == {}
    told = {"metric": "rmse", "curve": {"gain": 0.1, "gain_low": 0.0, "gain_high": 0.2, "level": 0.9, "near": True,
                                        "model": "ridge"}}
    assert measured_gains(told)["more data"]["value"] == 0.1 and measured_gains(told)["more data"]["model"] == "ridge"
    far = {**told, "curve": {**told["curve"], "near": False}}
    assert measured_gains(far) == {}  # what another model would gain


def test_the_classes_missed_most_are_asked_about_where_they_have_rows_enough():
    truth = np.repeat([0, 1, 2], [100, 40, 10])
    told = np.where(np.arange(150) % 4 == 0, 0, truth)
    task = SimpleNamespace(name="classify", out=SimpleNamespace(categories=("a", "b", "c")),
                           metric=SimpleNamespace(name="roc_auc"))
    bench = SimpleNamespace(task=task, parts=SimpleNamespace(units=np.arange(150)))
    best = SimpleNamespace(stats={"truth": truth, "value": told}, members=((1.0, SimpleNamespace(rows=np.arange(150))),))
    assert missed(bench, best) == ["b", "a"]  # c is missed too, but 10 rows cannot tell
    task.metric.name = "macro_f1"
    assert missed(bench, best) == []  # its forecasts were never judged


def test_seed_gain_is_the_law_of_averaging():
    """Predictions y + noise of variance V: one seed has error V, s seeds V / s, twice as many V / 2s."""
    from gnomon.tasks._task import Prediction
    from gnomon.tasks.regress import regress

    rng, n, s = np.random.default_rng(7), 4000, 3
    y = rng.normal(size=n)
    each = [Prediction(y + 1.0 + 0.1 * rng.normal(size=n)) for _ in range(s)]
    together = Prediction(np.mean([p.value for p in each], axis=0))
    task = regress("y", metric="rmse")
    truth = SimpleNamespace(metric=task.metric, truth=lambda data, rows: y, measure=task.measure, score=task.score)
    bench = SimpleNamespace(task=truth, data=None, parts=SimpleNamespace(units=np.arange(n)))
    run = SimpleNamespace(by_seed=each, rows=np.arange(n))
    best = SimpleNamespace(family="deep", members=((1.0, run),), oof=together, recipe=None, tilt=())
    told = seed_gain(bench, best)
    rmse = lambda v: float(np.sqrt(1 + v))  # noqa: E731
    assert told["low"] < rmse(0.01 / s) - rmse(0.01 / (2 * s)) < told["high"]
    assert seed_gain(bench, SimpleNamespace(family="simple", members=((1.0, run),))) is None


def test_the_range_of_the_gain_of_seeds_holds_what_other_seeds_then_bring():
    """Seeds differ by luck that is alike in all rows as well: which three come next decides more than the rows do."""
    from gnomon.tasks._task import Prediction
    from gnomon.tasks.regress import regress

    rng, n, s, hits = np.random.default_rng(3), 200, 3, 0
    y, task = rng.normal(size=n), regress("y", metric="rmse")
    asked = SimpleNamespace(metric=task.metric, truth=lambda data, rows: y, measure=task.measure, score=task.score)
    bench = SimpleNamespace(task=asked, data=None, parts=SimpleNamespace(units=np.arange(n)))
    mean = lambda ps: Prediction(np.mean([p.value for p in ps], axis=0))  # noqa: E731
    score = lambda p: task.score(task.measure(p, y))  # noqa: E731
    for _ in range(60):
        each = [Prediction(y * (0.5 + 0.1 * rng.normal()) + 0.2 * rng.normal(size=n)) for _ in range(2 * s)]
        run = SimpleNamespace(by_seed=each[:s], rows=np.arange(n))
        told = seed_gain(bench, SimpleNamespace(family="deep", members=((1.0, run),), oof=mean(each[:s]), tilt=()))
        hits += told["low"] <= score(mean(each[:s])) - score(mean(each)) <= told["high"]
    assert 0.85 <= hits / 60 <= 1
    pair = SimpleNamespace(by_seed=each[:2], rows=np.arange(n))
    assert seed_gain(bench, SimpleNamespace(family="deep", members=((1.0, pair),), oof=mean(each[:2]), tilt=())) is None


def uneven(n=600):
    """(bench, truth, a prediction) of three uneven classes, in a score that a tilted decision serves."""
    from gnomon.tasks._task import Prediction
    from gnomon.tasks.classify import classify

    rng, share = np.random.default_rng(0), [0.8, 0.12, 0.08]
    task = classify("y", ("a", "b", "c"), metric="macro_f1")
    truth = rng.choice(3, n, p=share)
    p = np.exp(np.log(share) + 1.5 * np.eye(3)[truth] + 0.7 * rng.normal(size=(n, 3)))
    p /= p.sum(axis=1, keepdims=True)
    asked = SimpleNamespace(**{k: getattr(task, k) for k in ("name", "metric", "measure", "score", "out", "classes", "target")},
                            truth=lambda data, rows: truth[rows])
    bench = SimpleNamespace(task=asked, data=np.zeros(n), parts=SimpleNamespace(units=np.arange(n)), seed=0)
    return bench, truth, Prediction(p.argmax(axis=1), p)


def test_seeds_are_scored_with_the_decision_that_the_candidate_makes():
    """Three seeds that say the same: neither does their mean gain anything, nor do they score otherwise than together."""
    bench, truth, told = uneven()
    run = SimpleNamespace(rows=np.arange(len(truth)), by_seed=(told,) * 3)
    deep = _candidate(bench, SimpleNamespace(family="deep"), told, truth, ((1.0, run),))
    assert deep.tilt and deep.score > bench.task.score(bench.task.measure(told, truth)) + 0.1
    assert seed_scores(bench, deep) == [deep.score] * 3
    assert seed_gain(bench, deep)["gain"] == pytest.approx(0.0, abs=1e-12)


def test_the_curve_is_of_the_decision_that_the_candidate_makes(monkeypatch):
    from gnomon.data.parts import Fold
    from gnomon.workflow import _more_data

    bench, _, told = uneven()
    bench.parts.folds = (Fold(np.arange(300), np.arange(300, 600)),)
    learned = SimpleNamespace(predict=lambda data, rows: told.take(rows))
    monkeypatch.setattr(_more_data, "fit", lambda *a: learned)
    learn = _more_data._remembering(bench, SimpleNamespace(recipe=None, tilt=(1.0, 5.0, 6.0)))
    decided = learn(np.arange(300))(np.arange(300, 600)).value
    assert (decided == (told.proba[300:] * [1, 5, 6]).argmax(axis=1)).all() and (decided != told.value[300:]).any()


def test_a_weak_ward_among_twelve_is_found_and_confirmed_on_few_sealed_rows(tmp_path, monkeypatch):
    """150 sealed rows would be too few for a column of 12 values, had they to choose the columns."""
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    rng, n = np.random.default_rng(0), 1500
    ward, x, z = rng.integers(0, 12, n), rng.normal(size=n), rng.normal(size=n)
    y = x + 0.5 * z + rng.normal(size=n) * np.where(ward == 3, 2, 0.5)
    table = pd.DataFrame({"x": x, "z": z, "ward": [f"w{s:02d}" for s in ward], "y": y})
    report = gnomon.study(table, target="y", only=("ridge",), budget="1m", out=tmp_path / "w.study").report
    assert report["split"]["sizes"]["test"] == 150
    found = [f for f in report["findings"] if f["code"] == "VALID-STRATUM"]
    assert found and found[0]["columns"] == ["ward"] and "'w03'" in found[0]["claim"]
    ran = {c["code"]: c["ran"] for c in report["checks"]}
    assert ran["VALID-STRATUM"] and ran["VALID-COVERAGE"] and ran["VALID-SHIFT"]
    assert len([c for c in report["checks"] if c["code"] == "VALID-COVERAGE"]) == 1


def test_what_few_rows_cannot_tell_is_said_not_to_be_checked(tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    rng, n = np.random.default_rng(0), 60
    x = rng.normal(size=n)
    ill = np.argsort(np.argsort(-(x + 0.3 * rng.normal(size=n)))) < 8
    table = pd.DataFrame({"x": x, "sex": rng.choice(["f", "m"], n), "y": np.where(ill, "ill", "well")})
    report = gnomon.study(table, target="y", only=("logistic",), budget="1m", out=tmp_path / "f.study").report
    for code in ("VALID-CALIBRATION", "VALID-STRATUM", "VALID-CURVE", "VALID-COVERAGE", "VALID-SUBGROUP", "VALID-SHIFT"):
        (check,) = (c for c in report["checks"] if c["code"] == code)
        assert not check["ran"] and check["why_not"] and "could not be run" not in check["why_not"], check


def concluded(folder):
    """What advice asks of a bench: the folder, and rows that judged."""
    return SimpleNamespace(folder=Folder(folder), parts=SimpleNamespace(test=np.arange(3)))


def test_equal_gravity_is_ordered_by_gain_per_cost(tmp_path):
    bench = concluded(tmp_path)
    plan = SimpleNamespace(left_out=(), budget=60.0)
    verdict = SimpleNamespace(recommended=None)
    tried = {"metric": "rmse", "seeds": {"gain": 0.05, "low": 0.01, "high": 0.1, "level": 0.9},
             "curve": {"gain": 0.2, "gain_low": 0.1, "gain_high": 0.3, "level": 0.9, "sizes": [10, 100], "ahead": 200,
                       "unit": "row", "units": 125, "near": True, "model": "ridge"}}
    run = SimpleNamespace(by_seed=(1, 2, 3), seconds=30.0)
    mlp = SimpleNamespace(family="deep", recipe=Recipe("regress", "mlp", "supervised", family="deep"), members=((1.0, run),))
    steps = advise(bench, [Finding("LOOK-LABEL", "warn", ""), Finding("LOOK-SMALL", "note", "")], verdict, [mlp], plan,
                   folder_name="s", tried=tried)
    assert steps[0].because == ("LOOK-LABEL",) and steps[0].gain is None  # graver first, though nothing was measured
    assert "seeds" in steps[1].do and steps[2].because == ("LOOK-SMALL", "VALID-CURVE") and len(steps) == 3
    assert _per_cost(Advice("collect", "", (), {"value": 1.0, "low": -0.1, "high": 2.0}, "seconds")) == 0
    assert "seeds = 6 for mlp and budget_seconds = 100, then: gnomon run s" in steps[1].do  # no --budget buys more than three
    assert "about 125 more rows, twice as many as now; tried with ridge" in steps[2].do


def test_what_leaving_suspect_labels_out_brought_is_the_gain_of_looking_at_them(tmp_path):
    bench = concluded(tmp_path)
    bench.task = SimpleNamespace(metric=SimpleNamespace(name="accuracy", higher_is_better=True))
    made = lambda score, method, family="simple": SimpleNamespace(  # noqa: E731
        score=score, family=family, recipe=Recipe("classify", "logistic", method, family=family),
        members=((1.0, SimpleNamespace(recipe=Recipe("classify", "logistic", method), by_seed=())),))
    floor, plain, cleaned, far = made(0.5, "naive", "floor"), made(0.8, "own_fit"), made(0.82, CLEANED), made(0.9, "")
    effect = {"difference": -0.02, "low": -0.05, "high": 0.01, "level": 0.95, "metric": "accuracy", "model": "logistic"}
    found = Finding("LOOK-LABEL", "warn", "", action=Action("left out", "", effect))
    gain = lambda best: advise(bench, [found], SimpleNamespace(  # noqa: E731
        recommended=best, chosen=best), [floor, plain, cleaned, far], SimpleNamespace(left_out=(), budget=60.0),
        folder_name="s")[0].gain
    told = gain(plain)
    assert (told["value"], told["low"], told["high"], told["kind"]) == (0.02, -0.01, 0.05, "paired")
    assert gain(cleaned) is None and gain(far) is None  # it has that gain already; it is another model


def test_a_better_model_than_the_simpler_one_recommended_is_a_step_with_what_it_brought(tmp_path):
    bench = concluded(tmp_path)
    bench.task = SimpleNamespace(metric=SimpleNamespace(name="accuracy"))
    simple, deep = (SimpleNamespace(recipe=Recipe("classify", m, "own_fit"), family="simple") for m in ("logistic", "boosting"))
    verdict = SimpleNamespace(recommended=simple, chosen=deep, difference=SimpleNamespace(value=0.01, low=-0.01, high=0.03,
                                                                                          level=0.95))
    told = advise(bench, [], verdict, [], SimpleNamespace(left_out=(), budget=60.0), folder_name="s")
    assert told[0].do.endswith(f"--candidate {deep.recipe.hash}") and told[0].gain["value"] == 0.01
    bench.parts.test = np.arange(0)  # the rows that chose it would flatter it
    assert not any("--candidate" in s.do for s in advise(bench, [], verdict, [], SimpleNamespace(left_out=(), budget=60.0),
                                                         folder_name="s"))


def test_more_rows_that_may_not_pay_are_not_advised(tmp_path):
    """The intervals are wide for lack of rows all the same; that finding keeps its step."""
    tried = {"metric": "rmse", "curve": {"gain": 0.1, "gain_low": -0.1, "gain_high": 0.3, "level": 0.9, "unit": "row",
                                         "units": 90, "near": True, "model": "ridge"}}
    told = advise(concluded(tmp_path), [Finding("LOOK-SMALL", "note", "")], SimpleNamespace(recommended=None), [],
                  SimpleNamespace(left_out=(), budget=60.0), folder_name="s", tried=tried)
    assert [s.because for s in told] == [("LOOK-SMALL",), ("VALID-CURVE",)]
    assert told[1].do.startswith("about 90 more rows, twice as many as now, may not pay") and told[1].gain["low"] < 0


def test_candidates_that_the_clock_cut_are_named_with_the_budget_they_need(tmp_path):
    mlp, forest = Recipe("regress", "mlp", "supervised"), Recipe("regress", "forest", "own_fit")
    plan = SimpleNamespace(left_out=(("tabm", "9 s left: --budget"),), budget=60.0, candidates=(mlp, forest),
                           seconds={mlp.hash: 100.0, forest.hash: 5.0})
    cuts = {mlp.hash: "the budget ended before it was trained", forest.hash: "out of memory"}
    told = advise(concluded(tmp_path), [], SimpleNamespace(recommended=None), [], plan, folder_name="s", cuts=cuts)
    assert [s.do for s in told] == ["give it more time: --budget 3m would train mlp (cut by the budget)"]


@pytest.mark.parametrize(("kind", "says"), [("overfit", "dropout"), ("starved", "more steps"), ("underfit", "a larger model"),
                                            ("unsteady", "a smaller rate")])
def test_what_the_debugger_found_is_a_step_in_its_own_words(kind, says, tmp_path):
    from gnomon.analyses.debug.over_under import Fitting, fitting_finding

    found = fitting_finding(Fitting(kind, 0.9, 1.5, 1.3, 1.0, 50.0, 0.8))
    found = replace(found, claim=f"mlp: {found.claim}")
    warned = Finding("LOOK-LABEL", "warn", "")
    told = advise(concluded(tmp_path), [found, warned], SimpleNamespace(recommended=None), [],
                  SimpleNamespace(left_out=(), budget=60.0), folder_name="s")
    assert told[0].because == ("LOOK-LABEL",) and told[1].do == f"mlp: {found.claim.partition('What helps: ')[2]}"
    assert says in told[1].do


def test_what_the_debugger_found_of_another_model_than_the_recommended_can_wait(tmp_path):
    notes = [Finding("DEBUG-OVERFIT", "note", "mlp: overfits. What helps: dropout"), Finding("LOOK-IMBALANCE", "note", "few")]
    for label, codes in (("mlp", ["DEBUG-OVERFIT", "LOOK-IMBALANCE"]), ("ridge", ["LOOK-IMBALANCE", "DEBUG-OVERFIT"])):
        best = SimpleNamespace(recipe=Recipe("classify", label, "own_fit"), family="simple", members=())
        told = advise(concluded(tmp_path), notes, SimpleNamespace(recommended=best, chosen=best), [],
                      SimpleNamespace(left_out=(), budget=60.0), folder_name="s")
        assert [s.because[0] for s in told if s.because] == codes


@pytest.mark.parametrize(("values", "steps"), [({"rows": 12}, 0), ({"rows": 12, "one_way": 9}, 1)])
def test_a_note_of_labels_is_a_step_where_one_class_goes_by_anothers_name(values, steps, tmp_path):
    bench, plan = concluded(tmp_path), SimpleNamespace(left_out=(), budget=60.0)
    told = advise(bench, [Finding("LOOK-LABEL", "note", "", values=values)], SimpleNamespace(recommended=None), [], plan,
                  folder_name="s")
    assert sum("gnomon relabel s" in step.do for step in told) == steps


def test_more_time_is_advised_for_what_it_buys(monkeypatch):
    from gnomon.workflow import _steps as made

    monkeypatch.setattr(made, "kept_for_the_end", lambda budget: 0.0)
    late = lambda cost: f"about {cost} s, more than the budget leaves: --budget"  # noqa: E731
    left = (("boosting on tfidf", late(271)), ("logistic on tfidf", late(20)), ("gin", "few rows"))
    plan = Plan((), {}, {}, left, budget=40.0)
    step = made.more_time(plan, {})
    assert step.do == "give it more time: --budget 80s would also try logistic on tfidf"
    step = made.more_time(replace(plan, left_out=plan.left_out[:1]), {})
    assert step.do.endswith("would also try boosting on tfidf") and 311 <= 60 * int(step.cost.removesuffix("m")) <= 440
    step = made.more_time(replace(plan, left_out=(("tabm", "no budget left: --budget"),)), {})
    assert "80s or more" in step.do and "would also" not in step.do
    assert made.more_time(replace(plan, left_out=plan.left_out[2:]), {}) is None
    assert seconds_short("10 s left would buy 50 steps a fold, 100 are the least that teach: --budget") == 10
    assert seconds_short(late(271)) == 271 and seconds_short("0 s left would buy 0 steps a fold, 100 are the least") is None


def test_one_step_names_the_columns_of_all_findings_it_answers(tmp_path):
    bench, plan = concluded(tmp_path), SimpleNamespace(left_out=(), budget=60.0)
    found = [Finding("LOOK-UNITS", "warn", "", columns=("dose",)), Finding("LOOK-UNITS", "warn", "", columns=("body weight",)),
             Finding("LOOK-LEAK", "warn", "", columns=("gone",), action=Action("set aside")),
             Finding("LOOK-LEAK", "warn", "", columns=("a", "c")), Finding("LOOK-LEAK", "warn", "", columns=("b",))]
    steps = [s.do for s in advise(bench, found, SimpleNamespace(recommended=None), [], plan, folder_name="s")]
    assert any("bring dose and 'body weight' to one unit" in s for s in steps)
    assert any("--exclude a c b" in s for s in steps) and not any("gone" in s for s in steps)  # what is settled hides no other


def test_what_a_person_settled_is_no_step(tmp_path):
    """Suspect labels that were all looked at, and findings accepted with a reason; one row left open keeps the step."""
    bench, plan = concluded(tmp_path), SimpleNamespace(left_out=(), budget=60.0)
    labels = Finding("LOOK-LABEL", "warn", "", columns=("y",), rows=(3, 8), rows_total=2)
    steps = lambda *found: [s.because for s in advise(  # noqa: E731
        bench, found, SimpleNamespace(recommended=None), [], plan, folder_name="s")]
    looked = "row,column,old,new,who,when,part\n3,y,a,a,me,now,train\n"
    (tmp_path / "relabelled.csv").write_text(looked)
    assert steps(labels) == [("LOOK-LABEL",)]
    (tmp_path / "relabelled.csv").write_text(looked + "8,y,a,b,me,now,train\n")
    assert steps(labels) == [] and steps(replace(labels, rows_total=60)) == [("LOOK-LABEL",)]
    first = replace(labels, rows=(3, 8, 9), rows_total=60, values={"first": 2})  # of 60 listed, two are what is warned of
    assert steps(first) == [] and steps(replace(first, rows=(9, 3, 8))) == [("LOOK-LABEL",)]
    drift = Finding("LOOK-DRIFT", "warn", "")
    assert steps(labels, drift) == [("LOOK-DRIFT",)]
    (tmp_path / "accepted.json").write_text('{"LOOK-DRIFT": "known"}')
    assert steps(labels, drift) == []


def test_accepting_takes_the_step_away_and_reads_the_code_as_why_does(tmp_path):
    step = {"do": "look", "because": ["LOOK-LABEL"]}
    both = {"do": "measure", "because": ["LOOK-LABEL", "VALID-CURVE"]}
    (tmp_path / "report.json").write_text(json.dumps({"findings": [{"code": "LOOK-LABEL"}], "advice": [step, both]}))
    accept_finding(Folder(tmp_path), " look-label ", "seen by two readers")
    told = json.loads((tmp_path / "report.json").read_text())
    assert told["findings"][0]["accepted"] == "seen by two readers" and told["advice"] == [both]
