"""Which rows are cross-examined for a person: the look's own, behind its guards, under the labels as corrected."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from gnomon.analyses.explore.suspect_labels import suspect_labels
from gnomon.data.read.dispatch import read_data
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError
from gnomon.workflow import _relabel_suspects
from gnomon.workflow import relabel as step
from gnomon.workflow._folder import Folder
from gnomon.workflow._voice import Voice
from gnomon.workflow.relabel import FILE, HEAD, Labelled, suspects

OPTIONS = SimpleNamespace(seed=0)
ROWS = 500


def clean(rows: int = ROWS) -> Data:
    """x and z say the class "a"/"b" (y), the number w with little noise, and nothing of the number v."""
    dice = np.random.default_rng(0)
    x, z = dice.normal(size=rows), dice.normal(size=rows)
    frame = {"x": x, "z": z, "w": 10 * x + dice.normal(size=rows), "v": dice.normal(size=rows)}
    columns = {k: Dense(v, Spec("number")) for k, v in frame.items()}
    columns["y"] = Dense((x + z > 0).astype(np.int32), Spec("category", categories=("a", "b")))
    return Data(columns, {k: Role("input" if k in "xz" else "ignore", "test") for k in columns}, np.arange(rows))


def of(data: Data, *targets: str) -> Data:
    for target in targets:
        data = data.with_role(target, "target", "test")
    return data


def turned(data: Data, rows: np.ndarray) -> Data:
    """The same with these rows' classes turned over."""
    values = data.columns["y"].values.copy()
    values[rows] = 1 - values[rows]
    return replace(data, columns={**data.columns, "y": replace(data.columns["y"], values=values)})


def study_of(data: Data, path, monkeypatch, findings=(), lines=()) -> Folder:
    """A study folder of which relabelling reads nothing but findings and corrections."""
    monkeypatch.setattr(step, "labelled", lambda *_: Labelled(data, np.arange(len(data)), np.array([], dtype=np.int64)))
    (path / "report.json").write_text(json.dumps({"findings": list(findings)}))
    with (path / FILE).open("w", newline="") as file:
        csv.writer(file).writerows([HEAD, *lines])
    return Folder(path)


def asked(folder: Folder, **said) -> tuple[dict, list[dict]]:
    told = step.relabel(folder, None, OPTIONS, voice=Voice(), out=folder / "out.jsonl", **said)
    return told, [json.loads(line) for line in (folder / "out.jsonl").read_text().splitlines()]


def test_the_rows_that_the_look_names_can_all_be_in_the_file(tmp_path, monkeypatch):
    """The look reads a sample; the person gets rows of the same sample, and those that a report named besides."""
    bad = np.random.default_rng(1).choice(ROWS, 25, replace=False)
    data = of(turned(clean(), bad), "y")
    monkeypatch.setattr(_relabel_suspects, "LOOK_SECONDS", 0.5)  # 150 of the 500 rows
    look, = suspect_labels(data, "y", np.arange(ROWS), groups={}, seed=0, seconds=0.5).findings
    finding = {"code": "LOOK-LABEL", "columns": ["y"], "rows": look.rows}
    told, records = asked(study_of(data, tmp_path, monkeypatch, [finding]))
    assert set(look.rows) <= {r["row"] for r in records}
    assert told["notes"] == ["'y' was cross-examined on a seeded sample of 150 of 500 rows"]
    others = [{"code": "LOOK-LABEL", "columns": ["z"], "rows": [0]}, {"code": "LOOK-SMALL", "columns": ["y"], "rows": [0]}]
    assert step._named(study_of(data, tmp_path, monkeypatch, [finding, *others]), data, "y").tolist() == list(look.rows)


def test_a_row_that_was_named_is_examined_whatever_the_sample(monkeypatch):
    monkeypatch.setattr(_relabel_suspects, "LOOK_SECONDS", 0.5)
    data, every = of(clean(), "y"), np.arange(ROWS)
    aim, full = _relabel_suspects._examined(data, data, "y", every, (), 0)
    beside = np.setdiff1d(every, aim.rows)[:4]
    more, _ = _relabel_suspects._examined(data, data, "y", every, beside, 0)
    assert (len(aim), full) == (150, ROWS) and set(more.rows) == {*aim.rows, *beside}


def test_labels_that_a_person_put_right_no_longer_mislead(tmp_path, monkeypatch):
    """Most labels of one heap are wrong: only once they are put right is the heap's right label free of doubt."""
    heap = np.repeat([0, 1, 2], [50, 50, 25])
    data = of(turned(clean(125), np.arange(0)), "y")
    x = heap * 8 + 0.3 * np.random.default_rng(0).normal(size=125)
    label = np.where((heap == 1) | (np.arange(125) >= 120), 1, 0).astype(np.int32)  # of the last heap 5 are right
    data = replace(data, columns={**data.columns, "x": Dense(x, Spec("number")), "y": replace(data.columns["y"], values=label)})
    lines = [(r, "y", "a", "b", "me", "now", "train") for r in range(101, 120)]
    rows = lambda lines: {r["row"]: r for r in asked(study_of(data, tmp_path, monkeypatch, lines=lines))[1]}  # noqa: E731
    before, after = rows(()), rows(lines)
    assert len(set(range(120, 125)) & set(before)) >= 3 and not set(range(101, 125)) & set(after)
    assert after[100]["label"] == "a" and after[100]["suggested label"] == "b"  # the one that nobody put right


def test_what_the_look_would_not_judge_gives_no_rows_and_its_reason(tmp_path, monkeypatch):
    data = of(clean(150), "v")
    why = suspect_labels(data, "v", np.arange(150), groups={}, seed=0).checks[0].why_not
    with pytest.raises(InputError, match="E-RELABEL") as told:
        asked(study_of(data, tmp_path, monkeypatch))
    assert why in told.value.message and not (tmp_path / "out.jsonl").exists()


def test_one_target_that_cannot_be_examined_stops_no_other(tmp_path, monkeypatch):
    data = clean(150)
    texts = np.array([f"note {i}" for i in range(150)], dtype=object)
    told = Data({**data.columns, "t": Dense(texts, Spec("text")), "u": Dense(np.full(150, np.nan), Spec("number"))},
                {**data.roles, "t": Role("target", ""), "u": Role("target", "")}, data.position)
    out, records = asked(study_of(of(told, "w", "v"), tmp_path, monkeypatch), most=7)
    assert {r["column"] for r in records} == {"w"} and out["rows"] == 7
    said = {note.split("'")[1]: note for note in out["notes"]}
    assert set(said) == {"v", "t", "u"} and "kind text" in said["t"] and "no training row has a label" in said["u"]


@pytest.mark.parametrize(("names", "said"), [
    (["a"] * 78 + ["b"] * 2, "two classes of 10 rows or more"), ([f"c{i % 60}" for i in range(900)], "at most 50 classes"),
    (["a"] * 8 + ["b"] * 8, "known in 16 training rows"), (["a"] * 60, "two classes")])
def test_rare_and_many_classes_are_refused_in_words(names, said, tmp_path, monkeypatch):
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=len(names)), "y": names})
    data = read_data(frame, target=("y",), kinds={"y": "category"})
    with pytest.raises(InputError, match=said) as told:
        asked(study_of(data, tmp_path, monkeypatch))
    assert told.value.code == "E-RELABEL" and "'y'" in told.value.message


def test_nothing_left_to_look_at_is_said(tmp_path, monkeypatch):
    data = of(turned(clean(150), np.array([3, 50])), "y")
    doubted = suspects(data, "y", np.arange(150), 0).rows
    names = data.columns["y"].spec.categories
    lines = [(r, "y", names[c], names[c], "me", "now", "train") for r, c in zip(doubted, data.columns["y"].values[doubted],
                                                                               strict=True)]
    with pytest.raises(InputError, match="has been looked at"):
        asked(study_of(data, tmp_path, monkeypatch, lines=lines))
    with pytest.raises(InputError, match="nothing would be listed"):
        asked(study_of(data, tmp_path, monkeypatch), most=0)
