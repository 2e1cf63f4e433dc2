"""What is said of units and times once the split is made."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gnomon.workflow.look import read_stage, whole_look
from gnomon.workflow.options import Options


def seen(frame, **options):
    options = Options(target=("y",), **options)
    return whole_look(read_stage(frame, options, {}, None), options)


def groups_of(looked):
    return {f.columns: f for f in looked.findings if f.code == "LOOK-GROUP"}


def crossed():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"plate": [f"pl{i}" for i in rng.integers(0, 8, 400)],
                          "patient_id": [f"P{i}" for i in rng.integers(0, 80, 400)],
                          "x": rng.normal(size=400), "z": rng.normal(size=400)})
    return frame.assign(y=frame.x + rng.normal(size=400))


@pytest.mark.parametrize("first", ["plate", "patient_id"])
def test_patients_are_held_out_and_plates_are_told_to_cross(first):
    frame = crossed()
    looked = seen(frame[[first, *(c for c in frame if c != first)]])
    assert str(looked.policy) == "group:patient_id"
    patient, plate = groups_of(looked)[("patient_id",)], groups_of(looked)[("plate",)]
    assert "each is kept in one part" in patient.claim and patient.action.done == "split by group:patient_id"
    assert "8 of 8 that are judged have rows in training too" in plate.claim and plate.action is None
    assert patient.grade == plate.grade == "note"


def test_patients_on_both_sides_are_warned_of_unless_they_are_the_next_ones_too():
    for stated in ({"split": "random", "because": "a test"}, {"group": "plate"}):
        found = groups_of(seen(crossed(), **stated))[("patient_id",)]
        assert found.grade == "warn" and found.values["crossing"] > 70 and "kept" not in found.claim
    assert groups_of(seen(crossed(), scope="same-groups"))[("patient_id",)].grade == "note"


def test_new_sites_are_held_out_where_the_score_is_for_new_sites():
    rng = np.random.default_rng(0)
    frame = crossed().drop(columns="plate").assign(hospital=[f"h{i}" for i in rng.integers(0, 9, 400)])
    assert str(seen(frame).policy) == "group:patient_id"
    assert str(seen(frame, scope="new-site").policy) == "group:hospital"


def test_rows_without_a_time_are_counted():
    frame = crossed()[["x", "z", "y"]].assign(year=np.repeat(np.arange(2000, 2008), 50).astype(float))
    assert not any("undated" in f.values for f in seen(frame, time="year").findings)
    frame.loc[::4, "year"] = np.nan
    looked = seen(frame, time="year")
    found = next(f for f in looked.findings if f.values.get("undated"))
    assert found.code == "LOOK-TIME" and found.grade == "warn" and found.values["undated"] == 100 and found.rows_total == 100
    assert all(np.isin(np.arange(0, 400, 4), fold.train).all() for fold in looked.parts.folds)


def test_patients_of_few_entries_are_rows_of_the_split_and_nothing_is_kept_together():
    """36 profiles among 300 patients: those with the same one are different patients, as the next ones will be."""
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"sex": rng.choice(["m", "f"], 300), "smoker": rng.choice(["yes", "no"], 300),
                          "stage": rng.choice(["I", "II", "III"], 300), "age": rng.choice(["<50", "50-70", ">70"], 300),
                          "y": rng.choice(["relapse", "none"], 300)})
    looked = seen(frame)
    assert len(np.unique(looked.parts.units)) == 300 and len(looked.parts.folds) == 5
    told = next(f for f in looked.findings if f.code == "LOOK-DUPLICATE")
    assert told.grade == "note" and told.action is None
