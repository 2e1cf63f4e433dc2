"""The parts of relabelling, without a study: what reaches training, what the gain is measured on, pictures to look at."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "methods"))

from deep_data import images, labelled_table, task_of

from gnomon.data.parts import Fold, Parts
from gnomon.tasks._task import Prediction
from gnomon.workflow._folder import Folder
from gnomon.workflow._predictions import save_prediction
from gnomon.workflow._relabel_files import shown_inputs, thumbnails
from gnomon.workflow._relabel_gain import relabel_gain
from gnomon.workflow.relabel import BEFORE, FILE, HEAD, corrections, mended, suspects
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


def test_pictures_stand_beside_their_labels(tmp_path):
    data = images(6)
    rows = np.array([4, 1])
    records = [{"row": int(r), "column": "bar", "label": "lying", "suggested label": "<b>standing</b>"} for r in rows]
    thumbnails(tmp_path / "page.html", data, records, rows)
    html = (tmp_path / "page.html").read_text()
    assert html.count('<img src="data:image/') == 2 and "&lt;b&gt;standing" in html
    assert html.index("row 4") < html.index("row 1")
    assert shown_inputs(data, rows) == {}


def test_inputs_are_shown_as_text_and_the_target_is_not(case):
    told = shown_inputs(case.data, np.array([0, 1]))
    assert set(told) == {"a", "b", "c"} and told["c"][0] in ("red", "green", "blue")


def test_a_person_gets_numbers_in_the_looks_order_with_what_the_inputs_say():
    import pandas as pd

    from gnomon.analyses.explore.suspect_labels import suspect_labels
    from gnomon.data.bundle import bundled
    from gnomon.data.read.dispatch import read_data

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
