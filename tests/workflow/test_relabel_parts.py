"""The parts of relabelling, without a study: what reaches training, what the gain is measured on, pictures to look at."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "methods"))

from deep_data import images, labelled_table, task_of

from gnomon.data.parts import Fold, Parts
from gnomon.data.read.dispatch import read_data
from gnomon.errors import InputError
from gnomon.tasks._task import Prediction
from gnomon.values import Difference
from gnomon.workflow import relabel as step
from gnomon.workflow._folder import Folder, write_json
from gnomon.workflow._predictions import save_prediction
from gnomon.workflow._relabel_answers import answered
from gnomon.workflow._relabel_files import can_be_taken_back, read_rows, shown_inputs, thumbnails, write_rows
from gnomon.workflow._relabel_gain import _claim, relabel_gain
from gnomon.workflow._voice import Voice
from gnomon.workflow.relabel import BEFORE, FILE, HEAD, TRAINED, corrections, mended, places_of, suspects
from gnomon.workflow.run import Bench


def write_corrections(folder: Path, lines):
    with (folder / FILE).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEAD)
        writer.writerows(lines)


@pytest.fixture
def case(tmp_path):
    data = labelled_table(60)
    names = data.columns["y"].spec.categories
    was = [names[c] for c in data.columns["y"].values]
    other = [names[1 - c] for c in data.columns["y"].values]
    return SimpleNamespace(data=data, training=data, was=was, other=other, folder=Folder(tmp_path))


def test_only_rows_outside_the_sealed_part_are_mended_and_the_last_word_counts(case):
    line = lambda r, new, part="train": (r, "y", case.was[r], new, "me", "now", part)  # noqa: E731
    write_corrections(case.folder.path, [line(3, case.other[3]), line(4, case.other[4]), line(4, case.was[4]),
                                         line(50, case.other[50], "test"), line(7, case.was[7])])
    data, digest = mended(case, case.folder)
    changed = np.flatnonzero(data.columns["y"].values != case.data.columns["y"].values)
    assert changed.tolist() == [3] and digest  # 4 was taken back, 50 is sealed, 7 was confirmed
    assert len(corrections(case.folder)) == 4
    (case.folder / FILE).unlink()
    assert mended(case, case.folder) == (None, "")


def test_the_gain_is_measured_on_rows_nobody_touched(case):
    task, rows = task_of(case.data), np.arange(60)
    truth = task.truth(case.data, rows)
    touched = np.sort([np.flatnonzero(truth == k)[2] for k in (0, 1)])
    write_corrections(case.folder.path, [(r, "y", case.was[r], case.other[r], "me", "now", "train") for r in touched])
    dice = np.random.default_rng(0)

    def guess(right):
        proba = np.full((60, 2), 0.5)
        proba[rows, truth] = np.where(right, 0.7, 0.3) + 0.1 * dice.random(60)
        proba[rows, 1 - truth] = 1 - proba[rows, truth]
        return Prediction(proba.argmax(axis=1), proba)

    before, after = guess(dice.random(60) < 0.6), guess(np.isin(rows, touched, invert=True))
    (case.folder.path / BEFORE).mkdir()
    save_prediction(case.folder.path / BEFORE / "judged.parquet", rows, before)
    save_prediction(case.folder / "judged.parquet", rows, after)
    pq.write_table(pa.table({"x": [1]}), case.folder / "judged_truth.parquet")
    none = np.array([], dtype=np.int64)
    parts = Parts((Fold(rows, rows),), none, rows, "row", "random", "", "", "", "repeated_cv")
    bench = Bench(case.data, task, parts, None, case.folder, None, 0, "", {})
    found = relabel_gain(bench, case, case.folder)
    v = found.values
    assert v["untouched_rows"] == 58 and v["corrected"] == 2 and v["low"] > 0 and "is better than before" in found.claim
    same = np.setdiff1d(rows, touched)
    score = lambda p: task.score(task.measure(p.take(same), truth[same]))  # noqa: E731
    assert v["gain"] == pytest.approx(score(after) - score(before))
    assert v["corrected_score_after"] == 1.0 > v["score_after"]  # by the corrected labels all is right, by the old ones not
    assert found.rows == tuple(touched)


def test_no_gain_is_told_where_other_models_were_trained_than_before(case):
    """A lone model after an ensemble says nothing of the labels; the same runs again do."""
    rows, truth = np.arange(60), task_of(case.data).truth(case.data, np.arange(60))
    proba = np.eye(2)[truth] * 0.4 + 0.3 + 0.01 * np.random.default_rng(0).random((60, 1))
    write_corrections(case.folder.path, [(3, "y", case.was[3], case.other[3], "me", "now", "train")])
    (case.folder.path / BEFORE).mkdir()
    for place in (case.folder.path / BEFORE, case.folder.path):
        save_prediction(place / "judged.parquet", rows, Prediction(truth, proba))
    pq.write_table(pa.table({"x": [1]}), case.folder / "judged_truth.parquet")
    none = np.array([], dtype=np.int64)
    parts = Parts((Fold(rows, rows),), none, rows, "row", "random", "", "", "", "repeated_cv")
    bench = Bench(case.data, task_of(case.data), parts, None, case.folder, None, 0, "", {})
    member = lambda name: [{"recipe": name, "folders": [f"runs/{name}/0/fold0"]}]  # noqa: E731
    both, one = {"f": [], "a": member("a"), "b": member("b")}, {"f": [], "a": member("a")}
    write_json(case.folder.path / BEFORE / TRAINED, {"candidates": both})
    write_json(case.folder / TRAINED, {"candidates": one})
    found = relabel_gain(bench, case, case.folder)
    assert "before only: b" in found.claim and "gain" not in found.values and found.values["corrected"] == 1
    write_json(case.folder / TRAINED, {"candidates": both})
    assert "gain" in relabel_gain(bench, case, case.folder).values


def test_pictures_stand_beside_their_labels(tmp_path):
    data = images(6)
    rows = np.array([4, 1])
    records = [{"row": int(r), "column": "bar", "label": "<i>lying", "suggested label": "<b>standing</b>"} for r in rows]
    thumbnails(tmp_path / "page.html", data, records, rows)
    html = (tmp_path / "page.html").read_text()
    assert html.count('<img src="data:image/') == 2 and "&lt;b&gt;standing" in html and "<i>" not in html
    assert html.index("row 4") < html.index("row 1")
    assert shown_inputs(data, rows) == {}


def test_inputs_are_shown_as_text_and_the_target_is_not(case):
    told = shown_inputs(case.data, np.array([0, 1]))
    assert set(told) == {"a", "b", "c"} and told["c"][0] in ("red", "green", "blue")


def test_a_person_gets_numbers_in_the_looks_order_with_what_the_inputs_say():
    from gnomon.analyses.explore.suspect_labels import suspect_labels
    from gnomon.data.bundle import bundled

    frame, rng = pd.read_csv(bundled("concrete.csv")).sample(300, random_state=0), np.random.default_rng(0)
    wrong, answer = rng.choice(300, 4, replace=False), frame["strength_MPa"].to_numpy().copy()
    answer[wrong] += 200
    data = read_data(frame.assign(strength_MPa=answer), target=("strength_MPa",))
    told = suspects(data, "strength_MPa", np.arange(300), 0)
    look = suspect_labels(data, "strength_MPa", np.arange(300), groups={}, seed=0).findings[0]
    assert told.rows[:len(look.rows)].tolist() == list(look.rows) and set(told.rows[:4]) == set(wrong)
    assert told.stands == (look.grade == "warn")
    was = frame["strength_MPa"].to_numpy()[told.rows[:4]]
    assert np.abs(np.array(told.suggested[:4], dtype=float) - was).max() < 40


def taken(case, records, monkeypatch):
    """What `take` says of these records."""
    path = case.folder.path / "filled.jsonl"
    write_rows(path, records)
    sealed = np.array([50])
    monkeypatch.setattr(step, "labelled", lambda *_: step.Labelled(case.data, np.setdiff1d(np.arange(60), sealed), sealed))
    return step.take(case.folder, None, None, path, who="me", voice=Voice())


def test_before_is_the_study_before_any_correction(case, monkeypatch):
    """Each round's study leaves other predictions: only those of the time before the first correction are kept."""
    row = lambda r, new: {"row": r, "column": "y", "label": case.was[r], "new label": new}  # noqa: E731
    stands = lambda text: [(case.folder / name).write_text(text) for name in step.JUDGED]  # noqa: E731
    kept = lambda: [(case.folder.path / BEFORE / name).read_text() for name in step.JUDGED]  # noqa: E731
    stands("as it came, small budget")
    assert taken(case, [row(1, case.was[1])], monkeypatch)["confirmed"] == 1
    stands("as it came")
    (case.folder / TRAINED).write_text("as it came")
    told = taken(case, [row(3, case.other[3]), row(50, case.other[50]), row(9, "")], monkeypatch)
    assert told == {"corrected": 1, "sealed": 1, "confirmed": 0, "taken_back": 0, "left": 1} and kept() == ["as it came"] * 2
    stands("after one correction")
    (case.folder / TRAINED).write_text("after one correction")
    taken(case, [row(4, case.other[4])], monkeypatch)
    told = taken(case, [row(3, case.was[3]), row(5, case.was[5])], monkeypatch)
    assert kept() == ["as it came"] * 2 and told["taken_back"] == told["confirmed"] == 1
    assert (case.folder.path / BEFORE / TRAINED).read_text() == "as it came"
    (case.folder / FILE).write_text((case.folder / FILE).read_text().rstrip("\n"))  # as an editor leaves it
    taken(case, [row(6, case.other[6])], monkeypatch)
    assert len(corrections(case.folder)) == 6


def number(*values):
    return read_data(pd.DataFrame({"x": np.arange(len(values)), "y": values}), target=("y",), kinds={"y": "number"})


@pytest.mark.parametrize("new", ["nan", "inf", "-inf", "1e400", "many"])
def test_no_number_is_no_label(new):
    data = number(1.5, 2.5, 3.5)
    with pytest.raises(InputError, match=f"row 1: '{new}' is no number"):
        answered(data, [{"row": 1, "new label": new}], places_of(data), again="")


def test_labels_are_the_same_number_relative_to_their_size():
    data = number(1e-9, 3e8, 0.123456789012)
    say = lambda r, label: answered(data, [{"row": r, "label": label, "new label": 1}], places_of(data), again="")  # noqa: E731
    for row, label in ((0, "1.0e-09"), (1, "300000000"), (2, "0.12345679")):
        assert say(row, label)[0].row == row
    for row, label in ((0, "5e-9"), (0, "0"), (1, "300001000"), (2, "one")):
        with pytest.raises(InputError, match="the data say"):
            say(row, label)


@pytest.mark.parametrize(("row", "said"), [(None, "''"), ("inf", "'inf'"), ("1.5", "'1.5'"), ("first", "'first'"),
                                           ("1e9", "row 10")])
def test_a_record_without_a_row_is_named(row, said):
    data = number(1.5, 2.5, 3.5)
    bad = {"new label": "1"} if row is None else {"row": row, "new label": "1"}
    with pytest.raises(InputError, match="record 2 of the file") as told:
        answered(data, [{"row": "0.0", "new label": "1"}, bad], places_of(data), again="")
    assert told.value.code == "E-RELABEL" and said in told.value.message


def test_a_row_has_one_new_label(case, monkeypatch):
    row = lambda r, new: {"row": r, "column": "y", "label": case.was[r], "new label": new}  # noqa: E731
    (case.folder / step.JUDGED[0]).write_text("")
    (case.folder / step.JUDGED[1]).write_text("")
    with pytest.raises(InputError, match="row 3: 'y' has two new labels") as told:
        taken(case, [row(3, case.other[3]), row(3, case.was[3])], monkeypatch)
    assert told.value.code == "E-RELABEL" and corrections(case.folder) == []
    told = taken(case, [row(3, case.other[3]), row(3, case.other[3]), row(4, "")], monkeypatch)
    assert told["corrected"] == 1 and told["left"] == 1 and len(corrections(case.folder)) == 1


def mixed():
    return read_data(pd.DataFrame({"size": [1.23456789, 2.5, 3.5], "flag": ["True", "False", "True"],
                                   "day": ["2020-01-05", "2020-02-05", "2020-03-05"], "y": [1.0, 2.0, 3.0]}),
                     target=("y",), kinds={"y": "number", "size": "number", "flag": "category", "day": "date"})


def test_a_row_number_with_the_inputs_of_another_row_is_refused():
    data = mixed()
    moved = {"row": 1, "size": "3.5", "flag": "False", "new label": "1"}
    with pytest.raises(InputError, match=r"row 1: 'size' is '3\.5' in the file, '2\.5' in the data") as told:
        answered(data, [moved], places_of(data), again="")
    assert told.value.code == "E-RELABEL"
    with pytest.raises(InputError, match="row 1: 'flag'"):
        answered(data, [{"row": 1, "flag": "True", "new label": "1"}], places_of(data), again="")


@pytest.mark.parametrize("cells", [
    {"size": "1.2345679", "flag": "TRUE", "day": "05/01/2020"}, {"size": "1,23"}, {"size": ""}, {"size": 1.23456789}])
def test_a_spreadsheet_may_write_the_same_inputs_otherwise(cells):
    data = mixed()
    assert len(answered(data, [{"row": 0, **cells, "new label": "1"}], places_of(data), again="")) == 1


GOOD = "row,column,x,label,new label\n3,y,0.5,a,b\n4,y,0.6,a,\n"


@pytest.mark.parametrize("text", [
    GOOD, GOOD.replace("\n", ",\n"), GOOD.replace("\n", ",,\n"), GOOD.replace(",", ";"), GOOD.replace("\n", "\r\n"),
    GOOD + ",,,,\n\n", GOOD.replace("b\n", "b,\n").replace("a,\n", "a,,\n")])
def test_a_table_as_spreadsheets_save_it(text, tmp_path):
    for suffix, encoding in ((".csv", "utf-8"), (".csv", "utf-16"), (".tsv", "utf-8-sig")):
        path = tmp_path / f"filled{suffix}"
        path.write_bytes(text.encode(encoding))
        assert [(r["row"], r["label"], r["new label"]) for r in read_rows(path)] == [("3", "a", "b"), ("4", "a", "")]


@pytest.mark.parametrize(("content", "code", "named"), [
    (GOOD.replace("3,y", "3,extra,y").encode(), "E-RAGGED", "line 2 has 6 fields where the header has 5"),
    (GOOD.replace("3,y", "3,extra,y").replace("a,b", "a,").encode(), "E-RAGGED", "line 2"),
    (GOOD.splitlines()[0].encode(), "E-FILE-EMPTY", "no rows"),
    (b"", "E-FILE-EMPTY", "is empty"),
    (GOOD.replace("a,b", "a,\xe9").encode("cp1252"), "E-ENCODING", "line 2, about field 5, holds byte 0xe9"),
    (GOOD.replace("label", "name").encode(), "E-RELABEL", "no column 'new label'"),
    (GOOD.replace("a,b", 'a,"b').encode(), "E-RELABEL", "line 3")])
def test_a_table_that_cannot_be_read_is_told_its_true_cause(content, code, named, tmp_path):
    path = tmp_path / "filled.csv"
    path.write_bytes(content)
    with pytest.raises(InputError) as told:
        read_rows(path)
    assert told.value.code == code and named in told.value.message


def test_new_labels_that_were_never_taken_are_not_overwritten(case, monkeypatch):
    path = case.folder / "mine.csv"
    path.write_text(f"row,column,label,new label\n3,y,{case.was[3]},{case.was[3]}\n")
    monkeypatch.setattr(step, "labelled", lambda *_: step.Labelled(case.data, np.arange(60), np.array([], dtype=np.int64)))
    monkeypatch.setattr(step, "_cross_examined", lambda *_: ([], ["nothing to look at"]))
    again = lambda: step.relabel(case.folder, None, SimpleNamespace(seed=0), out=path, voice=Voice())  # noqa: E731
    with pytest.raises(InputError, match="1 new label not taken") as told:
        again()
    assert told.value.code == "E-OUT-UNWRITABLE"
    step.take(case.folder, None, None, path, who="me", voice=Voice())
    with pytest.raises(InputError, match="nothing to look at"):
        again()


NAMES = ("5'UTR", 'the "best"', "a b", "k=v", "new_label", "suggested_label", "naïve", "x>y", "", "c\\d")


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".fasta", ".FASTA", ".xlsx"])
def test_whatever_stands_in_a_name_or_a_value_is_read_back(tmp_path, suffix):
    inputs = {name: f"{i} {name} \u2028 it's" for i, name in enumerate(NAMES) if name or "fa" in suffix.lower()}
    records = [{"row": r, "column": "y", "sequence": "ACD", **inputs, "label": "a 'b'", "suggested label": 'say "c"',
                "doubt": 0.5, "new label": ""} for r in (3, 14)]
    write_rows(tmp_path / f"out{suffix}", records)
    for came, back in zip(records, read_rows(tmp_path / f"out{suffix}"), strict=True):
        assert {**back, "sequence": "ACD"} == {k: v if suffix == ".jsonl" else str(v) for k, v in came.items()}


def test_a_fasta_header_as_a_person_leaves_it(tmp_path):
    path = tmp_path / "out.fasta"
    path.write_text(">P1 row=\"3\" new_label=b\nAC\n>row=4 label='a b' new_label=\"say \\\"c\\\"\"\r\nAC\n")
    assert read_rows(path) == [{"row": "3", "new label": "b"}, {"row": "4", "label": "a b", "new label": 'say "c"'}]
    for torn in ('new_label="b', "new_label='b"):
        path.write_text(f'>row="3" {torn}\nAC\n')
        with pytest.raises(InputError, match="no closing quotation"):
            read_rows(path)


@pytest.mark.parametrize("name", ["x.parquet", "x.fa", "x.json", "x"])
def test_only_what_can_be_taken_back_is_written(name, case):
    with pytest.raises(InputError, match="taken back") as told:
        step.relabel(case.folder, None, None, out=Path(name), voice=None)  # before anything is read
    assert told.value.code == "E-OUT-FORMAT" and ".jsonl" in told.value.do
    assert can_be_taken_back(Path("x.CSV")) is None is can_be_taken_back(None)


@pytest.mark.parametrize(("value", "low", "high", "p", "said"), [
    (-7.21e-05, -0.01, 0.02, 0.9, "not clearly different from before: roc_auc worse by 7.21e-05 [-0.02, 0.01]. By"),
    (-0.05, -0.08, -0.02, 0.01, "is worse than before: roc_auc worse by 0.05 [0.02, 0.08]"),
    (0.05, 0.02, 0.08, 0.01, "is better than before: roc_auc better by 0.05 [0.02, 0.08]"),
    (0.05, None, None, None, "is not clearly different from before: roc_auc better by 0.05. By"),
    (0.0, 0.0, 0.0, 1.0, "is as good as before: roc_auc the same. By")])
def test_a_gain_and_a_loss_are_told_as_what_they_are(value, low, high, p, said):
    scores = {key: {"before": 0.9, "after": 0.9} for key in ("as_they_came", "corrected")}
    claim = _claim("roc_auc", 1, 80, Difference(value, low, high, 0.95, p, "test", None), scores)
    assert said in claim and claim.startswith("1 label was corrected")
    assert _claim("roc_auc", 2, 80, Difference(value, low, high, 0.95, p, "", None), scores).startswith("2 labels were")
