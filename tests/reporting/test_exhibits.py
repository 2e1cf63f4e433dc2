"""exhibits.json: what it holds, and above all what it must not hold."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from gnomon.data.parts import Fold, Parts
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.workflow._exhibit_curves import read_curve
from gnomon.workflow._exhibit_map import bands
from gnomon.workflow._gallery import Gallery
from gnomon.workflow.exhibits import build_exhibits, nice_edges


def load(folder) -> dict:
    return json.loads((folder / "exhibits.json").read_text(encoding="utf-8"))


def small(*, show_rows: bool = False, examples: bool = True) -> dict:
    """Forty people with a name, a note, an age and a diagnosis; rows 30-39 are sealed."""
    n = 40
    truth = np.array([0, 1] * 20, dtype=np.int32)
    columns = {
        "name": Dense(np.array([f"Person{i:03d}" for i in range(n)], dtype=object), Spec("text")),
        "note": Dense(np.array([f"free words number{i}" for i in range(n)], dtype=object), Spec("text")),
        "age": Dense(np.arange(20, 60) + 0.123, Spec("number")),
        "seen": Dense(np.array(["2021-03-04"] * n, dtype="datetime64[ns]"), Spec("date")),
        "diagnosis": Dense(truth, Spec("category", categories=("well", "ill"))),
    }
    roles = {c: Role(r, "") for c, r in zip(columns, ("identifier", "input", "input", "time", "target"), strict=True)}
    data = Data(columns, roles, np.arange(n) + 1000)
    parts = Parts(
        (Fold(np.arange(20), np.arange(20, 30)),),
        np.arange(30, 40),
        np.arange(n),
        "row",
        "random",
        "",
        "",
        "",
        "holdout",
    )
    proba = np.full((10, 2), 0.5)
    proba[:, 0] += np.linspace(-0.4, 0.4, 10)
    proba[:, 1] = 1 - proba[:, 0]
    points = {"x": np.linspace(0, 1, n).tolist(), "y": np.zeros(n).tolist(), "rows": (np.arange(n) + 1000).tolist()}
    return build_exhibits(
        data,
        classify("diagnosis", ("well", "ill")),
        parts,
        parts.test,
        Prediction(proba.argmax(1), proba),
        map_points=points,
        show_rows=show_rows,
        examples=examples,
    )


def test_a_table_shows_no_row():
    text = json.dumps(out := small())
    assert "Person" not in text and "free words" not in text and "20.123" not in text and "2021" not in text
    assert out["errors"] is None and out["pictures"] == []
    assert out["map"]["rows"] is None and out["map"]["labels"] is None and set(out["map"]["pictures"]) == {-1}


def test_counts_of_one_to_four_are_hidden():
    assert small()["confusion"][0]["counts"] == [[None, None], [None, None]]
    shown = small(show_rows=True)["confusion"][0]["counts"]
    assert sum(map(sum, shown)) == 10


def test_no_hidden_count_is_told_by_the_sum_of_the_others():
    from gnomon.workflow._cells import shown_counts

    assert shown_counts(np.array([47, 0, 1])) == [47, None, None]
    assert shown_counts(np.array([40, 3, 20])) == [40, None, None]
    assert shown_counts(np.array([40, 2, 2])) == [40, None, None] and shown_counts(np.array([40, 0, 20])) == [40, 0, 20]
    assert shown_counts(np.array([47, 0, 1]), True) == [47, 0, 1]


def test_show_rows_opens_rows_but_never_sealed_targets_on_the_map():
    out = small(show_rows=True)
    assert out["errors"] and out["map"]["rows"][0] == 1000
    for row, label, code in zip(
        out["map"]["rows"], out["map"]["labels"], out["map"]["colours"][0]["codes"], strict=True
    ):
        sealed = row >= 1030
        assert (label == "sealed") == sealed and (code == -1) == sealed


def test_the_histogram_leaves_sealed_rows_out():
    assert sum(small(show_rows=True)["targets"][0]["counts"]) == 30


def test_molecules_are_drawn_unless_examples_are_off(studies):
    out = load(studies["esol"])
    assert sum(p >= 0 for p in out["map"]["pictures"]) > 250
    assert {p["k"] for p in out["pictures"]} == {"m"}
    assert all(e["picture"] >= 0 for e in out["errors"])
    sizes = [e["size"] for e in out["errors"]]
    assert sizes == sorted(sizes, reverse=True) and sizes[0] > 0
    assert any(out["pictures"][e["picture"]].get("g") for e in out["explained"][0]["pictures"])


def test_a_real_table_keeps_its_rows_and_opens_them_when_asked(studies):
    closed, opened = load(studies["concrete"]), load(studies["open"])
    assert closed["errors"] is None and "truth" not in closed["scatter"][0] and closed["pictures"] == []
    assert len(opened["scatter"][0]["truth"]) == opened["scatter"][0]["of"] and opened["errors"]
    assert closed["scatter"][0]["bins"] == opened["scatter"][0]["bins"]
    assert all(b["n"] >= 20 and b["low"] <= b["truth"] <= b["high"] for b in closed["scatter"][0]["bins"])


def test_sub_groups_under_five_lose_their_counts():
    from gnomon.workflow.exhibits import _subgroup

    row = {"column": "site", "group": "A", "n_units": 3, "n_rows": 3, "few": True}
    assert _subgroup(row)["n_rows"] is None and _subgroup({**row, "n_rows": 9})["n_rows"] == 9


def test_the_same_study_gives_the_same_exhibits():
    assert json.dumps(small()) == json.dumps(small())


def test_pictures_stop_at_the_budget():
    data = SimpleNamespace(
        columns={"s": Dense(np.array(["ACGT" * 10] * 50, dtype=object), Spec("sequence"))},
        of_kind=lambda kind: ("s",) if kind == "sequence" else (),
        kind=lambda name: "sequence",
    )
    gallery = Gallery(data, True, False, budget=500)
    drawn = [gallery.add(i) for i in range(50)]
    assert 0 < len(gallery.pictures) < 10 and drawn[-1] == -1 and gallery.add(0) == drawn[0]


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.0, 2, 3, 1000]),
        np.array([-3e-5, 4e-5]),
        np.array([7.0, 7.0]),
        np.random.default_rng(0).normal(size=500),
        np.array([0.0, 10.0, 20.0]),
    ],
)
def test_histogram_edges_are_round_and_hold_every_value(values):
    edges = nice_edges(values)
    assert edges[0] <= values.min() and values.max() <= edges[-1] and 2 <= len(edges) <= 60
    assert np.histogram(values, edges)[0].sum() == len(values)


def test_bands_hold_equal_numbers_and_say_what_they_hold():
    values = np.random.default_rng(0).normal(size=700)
    codes, levels = bands(values, np.ones(700, bool))
    assert len(levels) == 7 and np.ptp(np.bincount(codes)) < 30
    assert bands(np.ones(5), np.ones(5, bool))[1]


def test_curves_read_what_training_wrote(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("step,train_loss,valid\n0,2.5,3\n10,1.5,\n20,nan,1.25\n", encoding="utf-8")
    assert read_curve(log) == {
        "steps": [0, 10, 20],
        "train": [2.5, 1.5, None],
        "valid": [3.0, None, 1.25],
        "valid_is": "valid",
    }
    log.write_text("epoch,loss\n1,2\n", encoding="utf-8")
    assert read_curve(log) is None
    log.write_text("step,seconds,rate,fit.a,fit.b,fit.norm,stop.loss\n5,1,0.1,2,0.5,9,\n6,1,,,,,3\n", encoding="utf-8")
    loop = read_curve(log)  # what the loop writes: terms of the loss, and looks at the stopping rows in lines of their own
    assert loop["train"] == [2.5, None] and loop["valid"] == [None, 3.0] and loop["valid_is"] == "stop.loss"
