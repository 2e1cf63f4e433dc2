"""Typical image regions by class: where the attribution of a class stands on average, or which patches carry it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.analyses.attribute._intervals import mean_over_units
from gnomon.card import Card

CARD = Card(
    name="Typical regions by class",
    gist="Averages attribution maps within a class where its images are aligned, with intervals; else shows top patches.",
    use_when="A model of images was explained image by image and the question is what it looks at for each class.",
    avoid_when="The attribution failed its gates; or few rows a class: the average of five maps is no region.",
    paper="Lapuschkin et al. 2019, arXiv:1902.10178; Benjamini & Yekutieli 2005, JASA 100",
    survey=("T2", "I1"),
    reads=("image",),
    cost="seconds",
)
FEWEST = 5  # units of a class


@dataclass(frozen=True)
class Regions:
    """One class. rows: how many. alike: mean rank correlation of a row's map with the mean of the others' (95 % over units).
    aligned: its lower limit is above 0, so that places mean the same in every image. value, low, high: (h, w) mean share of
    a row's attribution in each cell, intervals over units; kept: (h, w) cells whose mean differs from an even spread
    (false discoveries at `level`). top: (row, cell) of the rows' heaviest patches, heaviest first."""

    label: str
    rows: int
    alike: float
    alike_low: float | None
    alike_high: float | None
    aligned: bool
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    kept: np.ndarray
    top: tuple[tuple[int, tuple[int, int]], ...]


def typical_regions(maps: np.ndarray, labels: Sequence[str], *, units: np.ndarray | None = None, cells: int = 8,
                    level: float = 0.05, most: int = 8) -> tuple[Regions, ...]:
    """The regions of every class that has at least five units, the largest class first.

    maps: (n, H, W) signed attributions. labels: (n,) the class explained in each row. units: the independent unit of each
    row (None: rows). A map is summed over cells x cells patches and divided by its absolute sum, so that rows count alike.
    Whether the images are aligned is measured, not assumed: a row's map is compared with the mean of the rows of all other
    units. level: false discoveries over a class's cells (Benjamini-Hochberg on cluster-t tests against the class's mean
    cell). most: patches in `top`, one a row. Law: maps of noise are aligned in at most 2.5 % of classes.
    """
    units = np.arange(len(maps)) if units is None else np.asarray(units)
    grids = np.stack([_patched(np.asarray(m, dtype=float), cells) for m in maps]) if len(maps) else np.zeros((0, 1, 1))
    size = np.abs(grids).sum(axis=(1, 2), keepdims=True)
    shares = np.divide(grids, size, out=np.zeros_like(grids), where=size > 0)
    labels = np.asarray(labels, dtype=object)
    found = []
    for label in dict.fromkeys(labels):
        rows = np.flatnonzero((labels == label) & (size[:, 0, 0] > 0))
        if len(np.unique(units[rows])) >= FEWEST:
            found.append(_regions(str(label), rows, shares, grids, units, level, most))
    return tuple(sorted(found, key=lambda r: -r.rows))


def _regions(label: str, rows: np.ndarray, shares: np.ndarray, grids: np.ndarray, units: np.ndarray, level: float,
             most: int) -> Regions:
    own, of = shares[rows], units[rows]
    alike, low, high = mean_over_units(_alike(own, of), of)
    cells = [mean_over_units(own[:, i, j], of) for i in range(own.shape[1]) for j in range(own.shape[2])]
    value, below, above = (np.array([np.nan if c[k] is None else c[k] for c in cells]).reshape(own.shape[1:]) for k in range(3))
    order = np.argsort(-grids[rows].max(axis=(1, 2)), kind="stable")[:most]
    top = tuple((int(rows[k]), tuple(int(v) for v in np.unravel_index(grids[rows[k]].argmax(), own.shape[1:]))) for k in order)
    return Regions(label, len(rows), alike, low, high, bool(low is not None and low > 0), value, below, above,
                   _unlike_even(own, of, level), top)


def _alike(own: np.ndarray, of: np.ndarray) -> np.ndarray:
    """(n,) rank correlation of each map with the mean map of the other units' rows; NaN for flat maps."""
    from gnomon.analyses.attribute._gates import flat, rank_correlation

    total, out = own.sum(axis=0), np.full(len(own), np.nan)
    for unit in np.unique(of):
        mine = of == unit
        others = (total - own[mine].sum(axis=0)) / max((~mine).sum(), 1)
        for i in np.flatnonzero(mine):
            if not flat(own[i]) and not flat(others):
                out[i] = rank_correlation(own[i].ravel(), others.ravel())
    return out


def _unlike_even(own: np.ndarray, of: np.ndarray, level: float) -> np.ndarray:
    """(h, w) cells whose mean differs from the mean cell of the same rows."""
    from scipy.stats import false_discovery_control, t

    centred = (own - own.mean(axis=(1, 2), keepdims=True)).reshape(len(own), -1)
    _, place = np.unique(of, return_inverse=True)
    count = int(place.max()) + 1
    mean = centred.mean(axis=0)
    sums = np.stack([np.bincount(place, column) for column in (centred - mean).T], axis=1)
    error = np.sqrt(count / (count - 1) * (sums**2).sum(axis=0)) / len(own)
    chance = np.where(error > 0, 2 * t.sf(np.abs(mean) / np.where(error > 0, error, 1), count - 1), 1.0)
    return (false_discovery_control(chance) <= level).reshape(own.shape[1:])


def _patched(image: np.ndarray, cells: int) -> np.ndarray:
    """(h, w) sums over patches, at most `cells` a side."""
    tall, wide = -(-image.shape[0] // cells), -(-image.shape[1] // cells)
    rows = np.add.reduceat(image, np.arange(0, image.shape[0], tall), axis=0)
    return np.add.reduceat(rows, np.arange(0, image.shape[1], wide), axis=1)
