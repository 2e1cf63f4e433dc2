"""The plan's line for snapshots: written, read, carried over, refused in words when it makes no sense."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError
from gnomon.values import Recipe
from gnomon.workflow._plan_file import plan_of, read_plan, write_plan
from gnomon.workflow.plan import Plan

DATA = Data({"y": Dense(np.arange(3.0), Spec("number"))}, {"y": Role("target", "")}, np.arange(3))


def test_the_line_comes_back_as_it_was_edited(tmp_path):
    path = tmp_path / "plan.toml"
    recipe = Recipe("regress", "mlp", "supervised", {}, 10, because="", family="deep")
    write_plan(path, Plan((recipe,), {recipe.hash: 1}, {recipe.hash: 2.0}), DATA, {"policy": "random", "because": ""}, {})
    text = path.read_text()
    assert "snapshots = 0" in text and plan_of(read_plan(path), path, "regress").snapshots == 0
    path.write_text(text.replace("snapshots = 0", "snapshots = 6"))
    plan = plan_of(read_plan(path), path, "regress")
    assert plan.snapshots == 6 and plan.candidates[0].hash == recipe.hash  # what is trained stays the same run
    write_plan(path, plan, DATA, {"policy": "random", "because": ""}, {})
    assert plan_of(read_plan(path), path, "regress").snapshots == 6


@pytest.mark.parametrize("value", ["7", "-1", "2.5", '"all"'])
def test_a_line_that_makes_no_sense_is_refused(value, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(f"snapshots = {value}\n")
    with pytest.raises(InputError) as refused:
        plan_of(read_plan(path), path, "regress")
    assert refused.value.code == "E-PLAN" and "from 0 to 6" in refused.value.do


def test_plans_of_earlier_versions_have_none(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text("budget_seconds = 60.0\n")
    assert plan_of(read_plan(path), path, "regress").snapshots == 0
