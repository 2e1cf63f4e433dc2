"""A finished study's held-out rows come back from its folder as a whole look would find them; changed data are looked at."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.rng import stream
from gnomon.workflow import _reread
from gnomon.workflow._folder import read_json
from gnomon.workflow.look import read_stage, whole_look
from gnomon.workflow.origin import again


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Groups of four rows, an identifier and a number to learn."""
    base = tmp_path_factory.mktemp("reread")
    dice = stream(2, "reread")
    x = dice.normal(size=(320, 3))
    pd.DataFrame({"code": [f"S{i:05d}" for i in range(320)], "donor": np.repeat(np.arange(80), 4), "a": x[:, 0], "b": x[:, 1],
                  "c": x[:, 2], "y": x[:, 0] - x[:, 1] + 0.1 * dice.normal(size=320)}).to_csv(base / "rows.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNOMON_STATE", str(base / "state"))
        gnomon.study(base / "rows.csv", target="y", group="donor", out=base / "rows.study", budget="40s", only=("ridge",))
    return base / "rows.study"


def test_the_folder_answers_as_a_whole_look_does(place, monkeypatch):
    folder, source, options = again(place)
    task = read_json(folder / "delivered.json")["task"]
    seen = whole_look(read_stage(source, options, {}, None), options, None)
    monkeypatch.setattr(_reread, "whole_look", lambda *_: pytest.fail("nothing changed: there is nothing to look at"))
    read = _reread.reread(folder, source, options, task)
    assert not len(seen.parts.test)
    counts = [len(np.unique(seen.parts.units[f.valid])) for f in seen.parts.folds]
    assert np.array_equal(read.rows, seen.parts.folds[read.fold].valid) and counts[read.fold] == max(counts)
    assert np.array_equal(read.units, seen.parts.units)
    assert {n: r.role for n, r in read.data.roles.items()} == {n: r.role for n, r in seen.data.roles.items()}
    assert read.data.inputs == ("a", "b", "c") and read.data.hash == seen.data.hash
    assert (read.task.target, read.task.metric.name) == (seen.task.target, seen.task.metric.name)


def test_the_rows_asked_about_have_the_most_units_and_sealed_ones_go_first():
    units = np.array([0, 0, 0, 0, 1, 2, 3, 3])
    rows, fold = _reread._held(units, np.array([], dtype=int), [np.arange(4), np.arange(4, 8)])
    assert fold == 1 and list(rows) == [4, 5, 6, 7]
    assert _reread._held(units, np.array([7]), [np.arange(4)]) == (np.array([7]), None)


def test_changed_data_are_looked_at_again(place, tmp_path):
    folder, source, options = again(place)
    frame = pd.read_csv(source)
    frame.loc[0, "a"] += 1.0
    frame.to_csv(tmp_path / "rows.csv", index=False)
    assert _reread._kept(folder, read_stage(source, options, {}, None)) is not None
    assert _reread._kept(folder, read_stage(str(tmp_path / "rows.csv"), options, {}, None)) is None
