"""A map of the data: two numbers a row, to look at before any training."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import sample
from gnomon.analyses.explore._views import quick_view
from gnomon.analyses.represent._planes import plane, principal, trust
from gnomon.card import Card
from gnomon.data.read.endless import finite
from gnomon.data.table import Data, missing, strings

CARD = Card(
    name="Map of the data (PCA, UMAP)",
    gist="Projects a cheap numeric view of every kind of input to the plane of largest variance; on request UMAP beside it.",
    use_when="At once, on any data: clusters, batches, outliers and copies show before anything is trained.",
    avoid_when="Judging distances: a plane keeps only the share of variance it states.",
    paper="Pearson 1901, Philosophical Magazine 2(11):559-572; McInnes, Healy & Melville 2018, arXiv:1802.03426",
    survey=("W4", "P1", "C1", "I12"),
    cost="seconds",
)
AXES = 50  # principal directions from which UMAP starts
FEWEST = 30  # rows below which UMAP shows nothing that PCA does not


def map_points(data: Data, *, seed: int = 0, colour: str | None = None, most: int = 2000, umap: bool = False
               ) -> dict[str, Any]:
    """x, y (floats), rows (positions in the input), explained (share of the variance of each axis) and, with `colour`,
    that column's values (numbers, or text for categories; None where missing).

    umap: also "umap", {x, y, trust} of the same rows from their 50 leading principal directions; trust is the share in
    0..1 by which neighbours on that plane are neighbours in the view. Takes about 15 s more the first time in a process
    (its code is compiled), then some seconds. The target is never part of the view. Of more than `most` rows a seeded
    sample is drawn. The sign of each axis is fixed so that its longest tail points up, and the same data always give the
    same map.
    """
    data, _ = finite(data)
    rows = sample(np.arange(len(data)), most, seed, "map")
    view = quick_view(data, rows, seed=seed).astype(np.float64)
    axes, shares = principal(view, AXES)
    flat, explained = _two(axes), [*shares, 0.0][:2]
    out = {"x": flat[:, 0].tolist(), "y": flat[:, 1].tolist(), "rows": data.position[rows].tolist(),
           "explained": explained}
    if umap and len(rows) >= FEWEST and axes.shape[1] > 2:
        other = plane(axes, "UMAP", 15, seed)
        out["umap"] = {"x": other[:, 0].tolist(), "y": other[:, 1].tolist(), "trust": trust(axes, other, seed)}
    if colour is not None:
        column = data.columns[colour]
        if column.spec.kind == "number":
            gone = missing(column, rows)
            out["colour"] = [None if g else float(v) for v, g in zip(column.take(rows), gone, strict=True)]
        else:
            out["colour"] = strings(column, rows).tolist()
    return out


def _two(axes: np.ndarray) -> np.ndarray:
    """The first two columns, the second of zeros where there is only one."""
    return axes[:, :2] if axes.shape[1] > 1 else np.pad(axes, ((0, 0), (0, 1)))
