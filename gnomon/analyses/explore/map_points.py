"""A map of the data: two numbers a row, to look at before any training."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import finite, sample
from gnomon.analyses.explore._views import quick_view
from gnomon.card import Card
from gnomon.data.table import Data, missing, strings

CARD = Card(
    name="Map of the data (PCA)",
    gist="Projects a cheap numeric view of every kind of input to the plane of largest variance.",
    use_when="At once, on any data: clusters, batches, outliers and copies show before anything is trained.",
    avoid_when="Judging distances: a plane keeps only the share of variance it states.",
    paper="Pearson 1901, Philosophical Magazine 2(11):559-572",
    survey=("W4", "P1", "C1"),
    cost="seconds",
)


def map_points(data: Data, *, seed: int = 0, colour: str | None = None, most: int = 2000) -> dict[str, Any]:
    """x, y (floats), rows (positions in the input), explained (share of the variance of each axis) and, with `colour`,
    that column's values (numbers, or text for categories; None where missing).

    The target is never part of the view. Of more than `most` rows a seeded sample is drawn. The sign of each axis is
    fixed so that its longest tail points up, and the same data always give the same map.
    """
    data, _ = finite(data)
    rows = sample(np.arange(len(data)), most, seed, "map")
    view = quick_view(data, rows, seed=seed).astype(np.float64)
    view = view - view.mean(axis=0) if len(view) else view
    flat, explained = _plane(view)
    out = {"x": flat[:, 0].tolist(), "y": flat[:, 1].tolist(), "rows": data.position[rows].tolist(),
           "explained": explained}
    if colour is not None:
        column = data.columns[colour]
        if column.spec.kind == "number":
            gone = missing(column, rows)
            out["colour"] = [None if g else float(v) for v, g in zip(column.take(rows), gone, strict=True)]
        else:
            out["colour"] = strings(column, rows).tolist()
    return out


def _plane(view: np.ndarray) -> tuple[np.ndarray, list[float]]:
    """(m, 2) coordinates on the two leading principal axes and the share of variance of each."""
    total = float((view**2).sum())
    if total == 0 or min(view.shape) < 1:
        return np.zeros((len(view), 2)), [0.0, 0.0]
    small = view @ view.T if view.shape[0] < view.shape[1] else view.T @ view
    values, vectors = np.linalg.eigh(small)
    values, vectors = values[::-1][:2], vectors[:, ::-1][:, :2]
    flat = vectors * np.sqrt(np.maximum(values, 0)) if view.shape[0] < view.shape[1] else view @ vectors
    if flat.shape[1] < 2:
        flat, values = np.pad(flat, ((0, 0), (0, 1))), np.append(values, 0.0)
    flat = flat * np.where(np.sum(flat**3, axis=0) < 0, -1.0, 1.0)
    return flat, [max(float(v), 0.0) / total for v in values]
