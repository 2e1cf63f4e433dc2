"""Layouts of the map: PCA always, UMAP where the budget allows, the recommended network's own view; each says what it is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from gnomon.analyses.explore.map_points import map_points
from gnomon.analyses.represent import _planes
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.workflow import _exhibit_map
from gnomon.workflow._exhibit_map import _layout, map_layouts, representing


def data_of(n: int = 80) -> Data:
    rng = np.random.default_rng(0)
    columns = {f"x{i}": Dense(rng.normal(size=n), Spec("number")) for i in range(5)}
    return Data(columns, {name: Role("input", "made for a test") for name in columns}, np.arange(n) + 1000)


def asked(monkeypatch) -> list[str]:
    """Techniques other than PCA that were asked for; a turned plane stands for them, as UMAP takes 15 s to compile."""
    seen: list[str] = []

    def plane(axes, technique, neighbours, seed):
        seen.append(technique)
        return axes[:, 1::-1]

    monkeypatch.setattr(_exhibit_map, "_slowness", lambda: 2.0)  # a processor shared with one other program
    monkeypatch.setattr("gnomon.analyses.explore.map_points.plane", plane)
    monkeypatch.setattr("gnomon.analyses.represent.embedding_map.plane", plane)
    return seen


def test_umap_stands_beside_pca_only_when_budget_and_time_allow(monkeypatch):
    seen, data = asked(monkeypatch), data_of()
    for budget, left in ((299.0, 200.0), (300.0, 89.0), (0.0, 0.0)):
        assert [entry["technique"] for entry in map_layouts(data, budget=budget, left=left)] == ["PCA"]
    assert not seen
    pca, umap = map_layouts(data, budget=300.0, left=200.0)
    assert seen == ["UMAP"] and umap["technique"] == "UMAP" and umap["rows"] == pca["rows"]
    assert "target took no part" in pca["note"] and "target took no part" in umap["note"].lower()
    assert "neighbourhoods kept: 0." in umap["note"]


def test_a_umap_that_fails_costs_no_more_than_itself(monkeypatch):
    asked(monkeypatch)

    def broken(axes, technique, neighbours, seed):
        raise RuntimeError("numba found no place for its files")

    monkeypatch.setattr("gnomon.analyses.explore.map_points.plane", broken)
    assert [entry["technique"] for entry in map_layouts(data_of(), budget=300.0, left=200.0)] == ["PCA"]


def test_umap_of_few_rows_is_left_out(monkeypatch):
    seen = asked(monkeypatch)
    assert "umap" not in map_points(data_of(29), umap=True) and not seen


def test_the_recommended_networks_view_says_that_it_was_trained(monkeypatch):
    seen, data = asked(monkeypatch), data_of()
    held = np.random.default_rng(1).normal(size=(80, 7))
    asked_rows = []

    def embed(data, rows):
        asked_rows.append(rows)
        return held[rows]

    monkeypatch.setattr(_exhibit_map, "representing", lambda best: ("resnet", SimpleNamespace(embed=embed)))
    layouts = map_layouts(data, budget=300.0, left=200.0, best=object())
    assert [e["technique"] for e in layouts] == ["PCA", "UMAP", "resnet, hidden layer", "resnet, hidden layer (UMAP)"]
    assert asked_rows[0].tolist() == [p - 1000 for p in layouts[0]["rows"]] and seen == ["UMAP", "UMAP"]
    assert "trained on the target" in layouts[2]["note"] and "took no part" not in layouts[2]["note"]
    expected, _ = _planes.principal(held[asked_rows[0]], 2)
    assert np.allclose(layouts[2]["x"], expected[:, 0])
    drawn = _layout(layouts[2], np.arange(80))
    assert drawn["note"] == layouts[2]["note"] and min(drawn["x"]) == 0 and max(drawn["x"]) == 1000

    def broken(best):
        raise RuntimeError("no longer built")

    monkeypatch.setattr(_exhibit_map, "representing", broken)
    assert [e["technique"] for e in map_layouts(data, budget=60.0, left=20.0, best=object())] == ["PCA"]


def test_only_saved_networks_represent(tmp_path):
    assert representing(None) is None
    (tmp_path / "learned.json").write_text('{"format": 1, "kind": "fitted"}')
    run = SimpleNamespace(recipe=SimpleNamespace(family="simple", label="ridge"), folders=(tmp_path,))
    assert representing(SimpleNamespace(members=((1.0, run),))) is None
