"""Findings act: each action is told with the line of plan.toml that undoes it and what it did to the score."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import gnomon
from gnomon.errors import InputError
from gnomon.values import Action, finding
from gnomon.workflow import _effects
from gnomon.workflow._effects import _of_split, action_lines, blocking, told, unmeasured
from gnomon.workflow.advise import RULES, settled
from gnomon.workflow.look import read_stage, whole_look
from gnomon.workflow.options import Options

QUICK = {"budget": "20m", "jobs": 1, "examples": False}  # so much that a busy machine cuts nothing


@pytest.fixture(scope="module")
def visits(tmp_path_factory):
    """40 patients of four visits, a level of each patient's own, ten copied rows, and a column made from the target."""
    folder, rng = tmp_path_factory.mktemp("effects"), np.random.default_rng(0)
    patient = np.repeat(np.arange(40), 4)
    x = rng.normal(size=(160, 3)) * 0.3 + rng.normal(size=(40, 3))[patient]
    y = x[:, 0] + 1.5 * rng.normal(size=40)[patient] + 0.3 * rng.normal(size=160)
    frame = pd.DataFrame(x, columns=list("abc")).assign(patient=[f"P{p}" for p in patient], reading=2 * y + 1, y=y)
    frame = pd.concat([frame, frame.iloc[:10]], ignore_index=True)
    frame.to_csv(folder / "visits.csv", index=False)
    os.environ["GNOMON_STATE"] = str(folder / "state")
    return folder


@pytest.fixture(scope="module")
def report(visits):
    return gnomon.study(visits / "visits.csv", target="y", out=visits / "whole.study", only=("ridge",), **QUICK).report


@pytest.fixture(scope="module")
def planned(visits):
    gnomon.plan(visits / "visits.csv", target="y", out=visits / "planned.study", only=("ridge",), **QUICK)
    return visits / "planned.study"


def of(report, code):
    return next(f for f in report["findings"] if f["code"] == code)


@pytest.mark.slow
def test_a_leak_is_set_aside_with_both_scores(report):
    action = of(report, "LOOK-LEAK")["action"]
    assert action["plan_line"] == '[actions] "set aside reading" = false'
    e = action["effect"]
    assert e["undone"] < 0.1 * e["as_done"]  # with the answer among the inputs next to nothing is left of the error
    assert 0 < e["low"] <= e["difference"] <= e["high"]
    assert e["as_done"] == pytest.approx(next(c["valid"]["value"] for c in report["candidates"] if c["label"] == "ridge"),
                                         rel=0.2)  # one repeat of the folds, against three


@pytest.mark.slow
def test_groups_and_copies_are_told_with_what_a_random_split_would_promise(report):
    assert report["split"]["policy"] == "group:patient"
    undo = {"LOOK-GROUP": '[split] policy = "random"', "LOOK-DUPLICATE": '[actions] "keep copies together" = false'}
    for code, line in undo.items():
        assert of(report, code)["action"]["plan_line"] == line
    effect = of(report, "LOOK-GROUP")["action"]["effect"]
    assert effect["undone"] == report["split"]["optimism"]["random"]
    assert effect["difference"] == report["split"]["optimism"]["gap"] and "flattery" in effect["said"]
    assert of(report, "LOOK-DUPLICATE")["action"]["effect"] == unmeasured(
        "not told apart from the rest of the split, whose optimism gap is under the split")


ASIDE, TIED, GROUPS = '"set aside reading" = true', '"keep copies together" = true', 'policy = "group:patient"'
UNDONE = {ASIDE: '"set aside reading" = false', TIED: '"keep copies together" = false', GROUPS: 'policy = "random"'}


@pytest.mark.parametrize(("lines", "role", "units"), [((ASIDE,), "input", 40), ((GROUPS,), "ignore", 160),
                                                      ((GROUPS, TIED), "ignore", 170)])
def test_the_line_undoes_the_action(visits, planned, lines, role, units, tmp_path):
    """Planned again with the edited plan: the column is an input; rows are units; copies too."""
    out = tmp_path / "again.study"
    out.mkdir()
    for name in ("versions.json", "data.json"):
        (out / name).write_text((planned / name).read_text())
    plan = (planned / "plan.toml").read_text()
    for line in lines:
        assert line in plan
        plan = plan.replace(line, UNDONE[line])
    (out / "plan.toml").write_text(plan)
    gnomon.plan(visits / "visits.csv", target="y", out=out, only=("ridge",), **QUICK)
    assert json.loads((out / "data.json").read_text())["roles"]["reading"] == role
    assert len(np.unique(pq.read_table(out / "split.parquet")["unit"].to_numpy())) == units
    assert all(UNDONE[line] in (out / "plan.toml").read_text() for line in lines)


@pytest.mark.slow
def test_suspect_labels_are_left_out_by_a_candidate_beside_its_twin(tmp_path, monkeypatch):
    from sklearn.datasets import load_breast_cancer

    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    frame = load_breast_cancer(as_frame=True).frame.sample(400, random_state=1).reset_index(drop=True)
    frame = frame[[c for c in frame if c.startswith("mean")] + ["target"]]
    bad = np.random.default_rng(0).choice(400, 32, replace=False)
    frame.loc[bad, "target"] = 1 - frame.loc[bad, "target"]
    frame["target"] = np.where(frame["target"] == 1, "benign", "malign")
    frame.to_csv(tmp_path / "c.csv", index=False)
    report = gnomon.study(tmp_path / "c.csv", target="target", out=tmp_path / "c.study", only=("logistic",), **QUICK).report
    f = of(report, "LOOK-LABEL")
    scores = {c["label"]: c["valid"]["value"] for c in report["candidates"]}
    assert f["grade"] == "warn" and "confident_learning" in f["action"]["plan_line"]
    assert f["action"]["effect"]["as_done"] == pytest.approx(scores["logistic, suspect labels left out"])
    assert f["action"]["effect"]["undone"] == pytest.approx(scores["logistic"])
    assert any("LOOK-LABEL" in a["because"] for a in report["advice"])  # a person still has to look


def test_a_random_split_flatters_it_does_not_improve():
    """The gap is never told as something the model would gain; copies own it only where nothing else is kept apart."""
    gap = {"honest": 1.2, "random": 0.8, "gap": 0.4, "low": 0.1, "high": 0.7, "level": 0.95, "model": "a small forest"}
    bench = SimpleNamespace(task=SimpleNamespace(metric=SimpleNamespace(name="rmse")),
                            parts=SimpleNamespace(policy="scaffold:s"))
    said = _of_split("LOOK-GROUP", bench, gap)["said"]
    assert "0.4 [0.1, 0.7] of flattery, not of skill" in said and "better" not in said
    assert "difference" not in _of_split("LOOK-DUPLICATE", bench, gap)
    bench.parts.policy = "random"
    assert _of_split("LOOK-DUPLICATE", bench, gap)["difference"] == 0.4
    assert "cannot be told apart" in _of_split("LOOK-DUPLICATE", bench, {**gap, "low": -0.1})["said"]
    assert "too few units for an interval" in _of_split("LOOK-DUPLICATE", bench, {**gap, "low": None, "high": None})["said"]


def test_what_is_said_of_an_effect():
    e = {"metric": "rmse", "as_done": 1.0, "undone": 0.4, "difference": 0.6, "low": 0.5, "high": 0.7, "level": 0.95,
         "model": "ridge"}
    assert told(e)["said"] == "rmse 1 as done, 0.4 if undone, better by 0.6 [0.5, 0.7] (ridge, validation rows)"
    assert "worse by 0.6 [0.5, 0.7]" in told({**e, "difference": -0.6, "low": -0.7, "high": -0.5})["said"]
    assert "cannot be told apart" in told({**e, "low": -0.1})["said"]
    f = finding("LOOK-LEAK", "warn", "x gives y away", columns=("x",), action=Action("set aside", "[actions] ...", told(e)))
    assert action_lines([f])[0].startswith("LOOK-LEAK x: set aside; rmse 1 as done") and action_lines([]) == []


def test_an_action_settles_a_finding_unless_a_person_is_still_needed():
    done = Action("set aside: not used as an input")
    assert settled(finding("LOOK-LEAK", "warn", "", action=done))
    assert not settled(finding("LOOK-LABEL", "warn", "", action=done))
    assert not settled(finding("VALID-FEW-GROUPS", "block", "", action=done))
    assert not settled(finding("LOOK-LEAK", "warn", ""))


def test_what_blocks_is_known_before_judging():
    rows = np.arange(10)
    bench = SimpleNamespace(parts=SimpleNamespace(test=rows))
    seen = SimpleNamespace(findings=(finding("LOOK-EVENT", "block", ""), finding("LOOK-LEAK", "warn", "")), copies=None)
    assert blocking(bench, seen) == ("LOOK-EVENT",)
    seen.copies = rows[:8]  # two new rows are left
    assert blocking(bench, seen) == ("LOOK-EVENT", "VALID-TEST-COPIES")
    seen.copies = rows[:7]
    assert blocking(bench, seen) == ("LOOK-EVENT",)


@pytest.mark.parametrize(("split", "grade", "done"), [
    (None, "note", "kept together: no copy is on both sides of the split"),
    ("column:part", "warn", "left as the split has them: 1 judged row with a copy among the training rows")])
def test_one_copy_matters_where_a_given_split_parts_it(split, grade, done):
    """A tumour's row once more, as the only test row that training has seen: its kind decides the grade."""
    from sklearn.datasets import load_breast_cancer

    frame = load_breast_cancer(as_frame=True).frame.sample(300, random_state=0).iloc[:, [0, 1, 4, 8, -1]]
    n, target = len(frame), "target"
    frame = pd.concat([frame, frame.iloc[[0]]], ignore_index=True).assign(target=lambda t: t["target"].map({0: "m", 1: "b"}))
    frame["part"] = ["train"] * (n - 60) + ["test"] * 61
    frame = frame if split else frame.drop(columns="part")
    options = Options(target=(target,), split=split, because="as published" if split else None)
    seen = whole_look(read_stage(frame, options, {}, None), options)
    copy = next(f for f in seen.findings if f.code == "LOOK-DUPLICATE")
    assert (copy.grade, copy.action.done, copy.rows) == (grade, done, (0, n))


def test_only_a_refusal_is_an_effect_not_measured(monkeypatch):
    """What a model or a view refuses in words is told; a fault of ours is not taken for one."""
    recipe = SimpleNamespace(method="own_fit", label="ridge")
    simple = SimpleNamespace(family="simple", recipe=recipe, score=1.0, members=[(1.0, SimpleNamespace(folders=()))])
    roles = {"x": SimpleNamespace(role="input")}
    data = SimpleNamespace(columns={"x": 0}, roles=roles, with_role=lambda *a, **k: data)
    bench = SimpleNamespace(data=data, task=SimpleNamespace(name="regress", metric=SimpleNamespace(higher_is_better=True)),
                            parts=SimpleNamespace(folds=[SimpleNamespace(train=np.arange(3), valid=np.arange(2), repeat=0)]))

    def refused(kind):
        def raising(*_):
            raise kind("E-VIEW-EMPTY", "no input is left") if kind is InputError else kind("a fault")

        monkeypatch.setattr(_effects, "_stats", raising)
        return _effects._of_columns(finding("LOOK-LEAK", "warn", "", columns=("x",)), bench, [simple],
                                    SimpleNamespace(left=9.0))

    assert refused(InputError) == unmeasured("no input is left")
    assert refused(ValueError) == unmeasured("a fault")
    with pytest.raises(TypeError):
        refused(TypeError)


def test_a_gate_without_enough_units_asks_for_units_and_not_for_another_model():
    gates = {"deletion against random": {"passed": False, "low": None}, "randomised weights": {"passed": True, "low": 0.1}}
    rule = RULES["WHY-WITHHELD"]
    step = rule(finding("WHY-WITHHELD", "note", "", values=gates), "a.study")
    assert step.back_to == "collect" and "too few units" in step.do and step.because == ("WHY-WITHHELD",)
    gates["deletion against random"]["low"] = -0.2
    step = rule(finding("WHY-WITHHELD", "note", "", values=gates), "a.study")
    assert step.back_to == "model" and "failed a gate" in step.do


@pytest.mark.parametrize("code, values, claim, words", [
    ("VALID-NO-SIGNAL", {}, "a score (AUC) above 0.6 would", "measure other inputs, or more units"),
    ("VALID-NO-SIGNAL", {}, "no score (AUC) would have been found", "with so few"),
    ("VALID-NO-SIGNAL", {"folds": True}, "a score (AUC) above 0.6 would", "how the judged rows differ"),
    ("VALID-UNDETERMINED", {"judged": False, "why": "only one class is present"}, "", "here only one class is present"),
    ("VALID-UNDETERMINED", {}, "", "about how many"),
    ("VALID-FEW-GROUPS", {"unit": "row"}, "", "judge it on more rows")])
def test_advice_blames_the_inputs_only_where_they_were_judged(code, values, claim, words):
    told = RULES[code](finding(code, "warn", claim, values=values), "s.study").do
    assert words in told and "do not tell the target" not in told
