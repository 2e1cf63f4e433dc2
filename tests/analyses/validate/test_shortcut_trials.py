"""A planted cue is found with its share; clean data draw no warning; sorted files and spelled-out classes are no cue."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from gnomon.analyses.validate._cues import Cue, corners, cues, frame
from gnomon.analyses.validate.shortcut_trials import Trial, shortcut_findings, shortcut_trials
from gnomon.data.parts import Fold
from gnomon.data.read.dispatch import read_data
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress

N = 300


def folds_of(n, k=5, units=None, seed=0):
    units = np.arange(n) if units is None else units
    place = np.random.default_rng(seed).permutation(units.max() + 1)[units] % k
    return tuple(Fold(np.flatnonzero(place != j), np.flatnonzero(place == j)) for j in range(k))


def images(y, rng, patch=0.0):
    pixels = rng.integers(60, 120, size=(len(y), 1, 24, 24))
    pixels[y == 1, :, 8:16:2, 8:16] += 60  # the property, in the middle: stripes across, or along
    pixels[y == 0, :, 8:16, 8:16:2] += 60
    pixels[:, :, 0, 0:3] += (patch * y)[:, None, None].astype(int)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def data_of(column, y, more=None):
    columns = {"image": Dense(column, Spec("image", column.shape[1:])),
               "y": Dense(y.astype(np.int32), Spec("category", categories=("no", "yes"))), **(more or {})}
    roles = {"image": Role("input", ""), "y": Role("target", ""), **{k: Role("ignore", "") for k in more or {}}}
    return Data(columns, roles, np.arange(len(y)))


def sure(y, rng, right=0.95):
    p = np.where(rng.random(len(y)) < right, y, 1 - y) * 0.8 + 0.1 + rng.normal(size=len(y)) * 0.01
    return Prediction((p > 0.5).astype(int), np.stack([1 - p, p], axis=1))


def trials_of(data, y, rng, **options):
    task = classify("y", ("no", "yes"), metric="roc_auc")
    rows = np.arange(len(y))
    floor = task.naive(y).predict(len(y))
    return shortcut_trials(task, data, folds_of(len(y)), rows, rows, sure(y, rng), floor, **options)


def test_planted_patch_is_found_by_the_corners_alone():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, N)
    found = shortcut_findings(trials_of(data_of(images(y, rng, patch=100), y), y, rng))
    corner = [f for f in found if f.values["cue"] == "corners"]
    assert corner and corner[0].grade == "warn" and corner[0].values["share_low"] > 0.5


def test_planted_file_type_is_found_and_named():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 2, N)
    kind = np.where(rng.random(N) < 0.95, y, 1 - y).astype(np.int32)
    more = {"file:type": Dense(kind, Spec("category", categories=("jpg", "png")))}
    found = shortcut_findings(trials_of(data_of(images(y, rng), y, more), y, rng))
    assert [f.columns for f in found if f.grade == "warn"] == [("file:type",)]


@pytest.mark.parametrize("seed", range(4))
def test_clean_images_draw_no_warning(seed):
    rng = np.random.default_rng(10 + seed)
    y = rng.integers(0, 2, N)
    more = {"file:width": Dense(rng.integers(100, 120, N).astype(float), Spec("number"))}
    found = shortcut_findings(trials_of(data_of(images(y, rng), y, more), y, rng))
    assert not [f for f in found if f.grade == "warn" and f.values["cue"] in ("corners", "border", "metadata")]


def test_share_equals_the_ratio_of_gains_and_covers_it():
    rng = np.random.default_rng(2)
    n = 1500
    half, rest = rng.normal(size=n), rng.normal(size=n)
    y = half + rest + 0.3 * rng.normal(size=n)
    columns = {"x": Dense(half, Spec("number")), "y": Dense(y, Spec("number"))}
    data = Data(columns, {"x": Role("input", ""), "y": Role("target", "")}, np.arange(n))
    task = regress("y", metric="r2")
    rows = np.arange(n)
    model, floor = Prediction(half + rest), Prediction(np.full(n, y.mean()))
    cue = Cue("half", "half of it", False, half[:, None].astype(np.float32), ("x",))
    told = shortcut_trials(task, data, folds_of(n), rows, rows, model, floor, found=[cue])[0]
    assert told.share == pytest.approx((told.score - told.floor) / (told.model - told.floor))
    truth = 1 / (2 + 0.09) / (2 / (2 + 0.09))  # R2 of one half over R2 of both
    assert told.share_low < truth < told.share_high and abs(told.share - truth) < 0.1


def test_a_batch_that_never_comes_again_tells_nothing():
    rng = np.random.default_rng(3)
    batch = np.repeat(np.arange(20), 15)
    y = (batch % 2).astype(int)
    more = {"batch": Dense(batch.astype(np.int32), Spec("category", categories=tuple(f"b{i}" for i in range(20))))}
    data = data_of(images(y, rng), y, more)
    data = replace(data, roles={**data.roles, "batch": Role("group", "")})
    task, rows = classify("y", ("no", "yes"), metric="roc_auc"), np.arange(N)
    floor = task.naive(y).predict(N)
    within = shortcut_trials(task, data, folds_of(N), rows, rows, sure(y, rng), floor)
    across = shortcut_trials(task, data, folds_of(N, units=batch), batch, rows, sure(y, rng), floor)
    share = lambda ts: next(t.share for t in ts if t.cue == "batch")  # noqa: E731
    assert share(within) > 0.9 and share(across) < 0.3


def test_a_file_sorted_by_class_and_names_that_spell_it_are_no_cue():
    rng = np.random.default_rng(4)
    y = np.repeat([0, 1], N // 2)
    names = tuple(f"{('no', 'yes')[c]}/{('no', 'yes')[c]}_{i:04d}.png" for i, c in enumerate(y))
    data = replace(data_of(images(y, rng), y), items=names)
    assert {c.key for c in cues(data, np.arange(N))} == {"corners", "border", "intensity"}
    camera = tuple(f"cam{c}_{rng.integers(10**6):06d}.png" for c in y)
    told = cues(replace(data, items=camera), np.arange(N))
    assert "metadata" in {c.key for c in told}


def test_the_ends_of_sequences_are_tried_where_lengths_differ():
    told = {}
    for name, lengths in (("ragged", (8, 9)), ("aligned", (8, 8))):
        rng = np.random.default_rng(9)
        y = rng.integers(0, 2, N)
        seqs = ["MS"[c] + "".join(rng.choice(list("ACDEFGHIKLNPQRTVWY"), lengths[i % 2] - 1)) for i, c in enumerate(y)]
        frame = pd.DataFrame({"peptide": seqs, "y": np.where(y, "yes", "no")})
        told[name] = {c.key: c for c in cues(read_data(frame, target="y", kinds={"peptide": "sequence"}), np.arange(N))}
    assert "ends" in told["ragged"] and "ends" not in told["aligned"]
    first = told["ragged"]["ends"].matrix[:, :2]
    assert sorted(np.abs(np.corrcoef(first.T, y)[2, :2]).round(6)) == [1, 1]


def test_an_ordinary_column_is_no_fact_of_a_file():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"pH": rng.normal(size=N), "height": rng.normal(size=N), "h": rng.normal(size=N),
                          "mode": rng.choice(["a", "b"], N),
                          "remark": [" ".join(rng.choice(list("abcdefgh"), 9)) for _ in range(N)],
                          "y": rng.choice(["yes", "no"], N)})
    options = {"target": "y", "kinds": {"remark": "text"}}
    assert "metadata" not in {c.key for c in cues(read_data(frame, **options), np.arange(N))}
    sized = {c.key: c for c in cues(read_data(frame.assign(filesize=rng.integers(9, 99, N)), **options), np.arange(N))}
    assert sized["metadata"].what == "the column filesize" and sized["metadata"].columns == ("filesize",)


def test_legitimate_cues_need_nearly_all_of_the_gain():
    base = dict(what="composition", columns=(), metric="rmse", score=1.0, model=0.5, floor=2.0, gain_low=0.5, n_rows=100,
                n_units=100, seconds=0.1, cue="composition", legitimate=True)
    grade = lambda share, low: [f.grade for f in shortcut_findings([Trial(**base, share=share, share_low=low,  # noqa: E731
                                                                          share_high=1.0)])]
    assert grade(0.97, 0.93) == ["warn"] and grade(0.8, 0.7) == ["note"] and grade(0.4, 0.3) == []


def test_frame_is_the_outermost_twelfth():
    picture = np.zeros((1, 1, 24, 24), dtype=np.float32)
    picture[:, :, 2:-2, 2:-2] = 1
    assert frame(picture).shape == (1, 24 * 24 - 20 * 20) and frame(picture).max() == 0


def test_corners_are_squares_of_an_eighth():
    picture = np.ones((1, 2, 24, 24), dtype=np.float32)
    for rows in (slice(0, 3), slice(-3, None)):
        picture[:, :, rows, :3] = picture[:, :, rows, -3:] = 0
    assert corners(picture).shape == (1, 2 * 4 * 9) and corners(picture).max() == 0
