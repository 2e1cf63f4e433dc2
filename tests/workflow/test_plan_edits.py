"""Plan.toml edited, and the same command with other words: what was said last holds, what was made is kept, typos are named."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import tomlkit

import gnomon
from gnomon.errors import InputError
from gnomon.workflow._voice import Voice

QUICK = {"target": "state", "budget": "20m", "jobs": 1, "examples": False, "only": ("logistic", "forest")}


@pytest.fixture
def wards(tmp_path, monkeypatch):
    """150 rows, a column that is the answer, and one of 15 values that no one would take for a group."""
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 3))
    state = np.where(x[:, 0] + rng.normal(size=150) > 0, "ill", "well")
    frame = pd.DataFrame(x, columns=["age", "dose", "mass"]).assign(
        ward=rng.integers(0, 15, 150), code=np.where(state == "ill", "k1", "k2"), state=state)
    frame.to_csv(tmp_path / "wards.csv", index=False)
    return tmp_path


def planned(folder, **words):
    """(policy, reason, plan.toml) of a plan by these words, in the same study folder each time."""
    said = []
    out = folder / "wards.study"
    gnomon.plan(folder / "wards.csv", out=out, voice=Voice(lambda stage, text: said.append((stage, text))),
                **{**QUICK, **words})
    split = next(text for stage, text in said if stage == "SPLIT")
    return split.split(",")[0], split.split("Because ")[1], tomlkit.parse((out / "plan.toml").read_text())


def edited(folder, section, line, value):
    path = folder / "wards.study" / "plan.toml"
    plan = tomlkit.parse(path.read_text())
    plan[section][line] = value
    path.write_text(tomlkit.dumps(plan))


def test_words_said_later_count_and_gnomon_s_own_line_is_no_statement(wards):
    assert planned(wards)[0] == "by stratified"
    for _ in range(2):
        how, why, _ = planned(wards, group="ward")
        assert how == "by group:ward" and why == "stated by the user: --group"
    assert planned(wards)[0] == "by stratified"  # no longer asked for
    for _ in range(2):
        assert planned(wards, time="age")[1] == "stated by the user: --time"


def test_a_role_written_into_the_plan_splits_by_it_and_an_edited_policy_outlives_the_words_before_it(wards):
    planned(wards)
    edited(wards, "columns", "ward", "group")
    assert planned(wards)[0] == "by group:ward"
    assert planned(wards)[0] == "by group:ward"
    planned(wards, group="ward")
    edited(wards, "split", "policy", "random")
    for _ in range(2):
        how, why, plan = planned(wards, group="ward")
        assert how == "by random" and why == "stated in plan.toml" and plan["split"]["policy"] == "random"
    assert planned(wards, split="stratified", because="asked for")[:2] == ("by stratified", "asked for")


def test_an_undone_action_keeps_candidates_steps_and_snapshots(wards):
    _, _, plan = planned(wards)
    path = wards / "wards.study" / "plan.toml"
    plan["candidate"] = [c for c in plan["candidate"] if c["model"] != "forest"]
    plan["snapshots"] = 2
    next(c for c in plan["candidate"] if c["model"] == "logistic")["seeds"] = 2
    path.write_text(tomlkit.dumps(plan))
    ledger = wards / "wards.study" / "ledger.jsonl"
    ledger.write_text(ledger.read_text() + json.dumps({"event": "run", "seconds": 1150.0}) + "\n")  # the budget is spent
    before = plan["made_for"]["key"]
    edited(wards, "actions", "set aside code", False)
    _, _, plan = planned(wards)
    assert plan["made_for"]["key"] != before and plan["columns"]["code"] == "input"
    assert [c["model"] for c in plan["candidate"]] == ["floor", "logistic"] and plan["snapshots"] == 2
    assert plan["candidate"][1]["seeds"] == 2
    edited(wards, "actions", "set aside code", True)
    _, _, plan = planned(wards)
    assert plan["made_for"]["key"] == before and plan["snapshots"] == 2


def test_other_tasks_and_other_models_are_planned_anew_and_a_smaller_budget_holds(wards):
    planned(wards)
    plan = planned(wards, group="ward", only=("logistic",))[2]
    assert [c["model"] for c in plan["candidate"]] == ["floor", "logistic"]
    assert planned(wards, only=("logistic",), budget="90s")[2]["budget_seconds"] == 90.0
    gnomon.plan(wards / "wards.csv", out=wards / "wards.study", **{**QUICK, "target": "mass", "only": ("ridge", "forest")})
    plan = tomlkit.parse((wards / "wards.study" / "plan.toml").read_text())
    assert [c["model"] for c in plan["candidate"]] == ["floor", "ridge", "forest"]


@pytest.mark.parametrize(("section", "line", "value", "code", "said"), [
    ("columns", "dosse", "ignore", "E-COLUMN-ABSENT", "'dose'"),
    ("actions", "set aside coode", False, "E-PLAN", "set aside code"),
    ("actions", "set aside dose", True, "E-PLAN", '[columns] "dose" = "ignore"'),
])
def test_an_edit_that_can_do_nothing_is_refused_with_what_may_be_meant(wards, section, line, value, code, said):
    planned(wards)
    edited(wards, section, line, value)
    with pytest.raises(InputError) as refused:
        planned(wards)
    assert refused.value.code == code and said in refused.value.do


def test_a_line_that_outlived_its_cause_is_no_mistake(wards):
    """The leak is left out by name: nothing is left to set aside, and gnomon's own line stands there still."""
    planned(wards)
    for _ in range(3):
        assert planned(wards, exclude=("code",))[2]["columns"]["code"] == "ignore"
