"""What looking sets aside: a member of a block leaves it alone, and a claim says what became of its column."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gnomon.data.blocks import apart, members
from gnomon.workflow._effects import turned
from gnomon.workflow.look import read_stage, whole_look
from gnomon.workflow.options import Options

OPTIONS = Options(target=("y",))


def seen(frame, **actions):
    plan = {"actions": {name.replace("_", " "): done for name, done in actions.items()}}
    return whole_look(read_stage(frame, OPTIONS, {}, None), OPTIONS, plan)


@pytest.fixture(scope="module")
def wide() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(90, 250)), columns=[f"g{i}" for i in range(250)])
    frame["y"] = frame["g0"] + rng.normal(size=90)
    return frame.assign(g100=0.5 * frame["y"])


def test_a_leaking_member_leaves_its_block_alone(wide):
    read, looked = read_stage(wide, OPTIONS, {}, None), seen(wide)
    assert looked.data.roles["g100"].role == "ignore" and looked.data.numbers()[0].shape == (90, 249)
    assert looked.actions == {"set aside g100": True}
    assert looked.data.read_hash == read.hash != looked.data.hash, "openings of a test are counted by what was read"
    assert "g100" in turned(looked.data, ["g100"]).inputs
    kept = seen(wide, set_aside_g100=False).data
    assert kept.hash == read.hash and "g100" in members(kept)
    assert turned(kept, ["g100"]).roles["g100"].role == "ignore", "to measure what it is worth it is taken out"


def test_a_block_taken_apart_keeps_order_values_and_roles(wide):
    data = read_stage(wide, OPTIONS, {}, None)
    parted = apart(data, ["g3", "g249", "y", "none"])
    assert list(parted.columns) == ["g0 ... (248 columns)", "g3", "g249", "y"]
    assert set(parted.inputs) == {"g0 ... (248 columns)", "g3", "g249"}
    whole, names = data.numbers()
    again, other = parted.numbers()
    assert np.array_equal(whole[:, [names.index(n) for n in other]], again)
    assert list(apart(data, members(data)).columns) == [*names, "y"]


def test_a_claim_says_what_became_of_its_column():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=200), "k": 1, "b": rng.normal(size=200)})
    frame["y"] = frame["a"] + rng.normal(size=200)
    frame["c"], frame["d"] = 2 * frame["y"], 5 - frame["y"]
    told = {f.code: f for f in seen(frame).findings if f.columns}
    assert told["LOOK-LEAK"].claim.endswith("; set aside") and told["LOOK-CONSTANT"].claim.endswith("; set aside")
    told = {f.code: f for f in seen(frame, set_aside_c=False, set_aside_k=False).findings if f.columns}
    assert told["LOOK-CONSTANT"].claim.endswith("does not vary; kept, as you said")
    assert told["LOOK-LEAK"].claim.endswith("set aside, but for 'c': kept, as you said")
    assert told["LOOK-LEAK"].action.plan_line == '[actions] "set aside d" = false'
    told = {f.code: f for f in seen(frame, set_aside_c=False, set_aside_d=False).findings if f.columns}
    assert told["LOOK-LEAK"].action.done == "kept as an input: you said so" and "set aside" not in told["LOOK-LEAK"].claim


def test_what_predict_at_set_aside_is_not_said_to_be_kept():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"y": rng.normal(size=60), "a": rng.normal(size=60), "late": rng.normal(size=60)})
    options = Options(target=("y",), predict_at="a")
    found = [f for f in whole_look(read_stage(frame, options, {}, None), options).findings if f.source == "--predict-at"]
    assert any(f.columns == ("late",) and f.action.done.startswith("set aside") for f in found)
