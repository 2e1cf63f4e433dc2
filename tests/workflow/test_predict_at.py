"""`--predict-at`: what is recorded later is no input: columns to the right, later dates, the rest of a block."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gnomon.errors import InputError
from gnomon.workflow.look import read_stage
from gnomon.workflow.options import Options


@pytest.fixture
def stay() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 60
    admitted = pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D")
    return pd.DataFrame({"age": rng.integers(20, 90, n), "discharge_ward": rng.choice(["a", "b"], n),
                         "left": (admitted + pd.to_timedelta(rng.integers(1, 9, n), unit="D")).astype(str),
                         "admitted": admitted.astype(str), "lactate": rng.normal(size=n), "sick": rng.choice(["no", "yes"], n)})


def roles(data):
    return {name: role.role for name, role in data.roles.items()}


def test_columns_to_the_right_are_set_aside_and_said(stay):
    data = read_stage(stay, Options(target=("sick",), predict_at="discharge_ward"), {}, None)
    assert roles(data)["age"] == "input" and roles(data)["lactate"] == "ignore" and roles(data)["sick"] == "target"
    told = [f for f in data.findings if f.source == "--predict-at"]
    assert told[0].columns == ("lactate",) and told[0].grade == "note" and told[0].action


def test_a_date_to_predict_at_sets_aside_later_dates_wherever_they_stand(stay):
    options = Options(target=("sick",), predict_at="admitted")
    data = read_stage(stay, options, {"left": "input", "admitted": "input"}, None)
    assert roles(data)["left"] == "ignore" and "later than 'admitted'" in data.roles["left"].because
    assert roles(data)["admitted"] == "input"
    late = [f for f in data.findings if f.source == "--predict-at" and f.grade == "warn"]
    assert late and late[0].columns == ("discharge_ward",), "named like something recorded later, though it stands before"


def test_a_time_column_that_is_later_is_warned_of(stay):
    data = read_stage(stay, Options(target=("sick",), predict_at="admitted", time="left"), {}, None)
    assert any("put in order of time" in f.claim and f.columns == ("left",) for f in data.findings)


def test_a_block_of_like_columns_ends_where_the_prediction_is_made():
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(30, 400)), columns=[f"s{i}" for i in range(400)]).assign(y=rng.normal(size=30))
    data = read_stage(table, Options(target=("y",), predict_at="s249"), {}, None)
    inputs = {n for name in data.inputs for n in data.columns[name].names}
    assert inputs == {f"s{i}" for i in range(250)}
    assert data.numbers()[0].shape == (30, 250)


def test_an_absent_column_is_refused_with_the_closest(stay):
    with pytest.raises(InputError, match="no column is called") as error:
        read_stage(stay, Options(target=("sick",), predict_at="admited"), {}, None)
    assert "'admitted'" in error.value.do
