"""Is a new row like anything that was trained on?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.validate._units import unit_codes
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.values import Finding, finding

CARD = Card(
    name="Out-of-distribution score",
    gist="Distance to the nearest training rows after whitening; flagged beyond the 95th percentile of held-out units.",
    use_when="Predictions are made for rows nobody has checked.",
    avoid_when="To call a row reliable because it is not flagged.",
    paper="Sun et al. 2022, arXiv:2204.06507; Lee et al. 2018, arXiv:1807.03888",
    survey=("P7", "P8"),
    tasks=("classify", "regress", "several"),
    cost="seconds",
)
COMPONENTS, REFERENCE, NEIGHBOURS, FOLDS, QUANTILE = 24, 2000, 5, 5, 0.95


@dataclass(frozen=True)
class Ood:
    """Arrays that score new rows: centre, scale (d,), axes (d, c), spread (c,), rest: the usual distance from the plane
    of the axes, points (r, c + 1): the reference rows; threshold: above it a row is flagged."""

    centre: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    rest: float
    points: np.ndarray
    threshold: float
    n_units: int

    def place(self, x: np.ndarray) -> np.ndarray:
        """(n, c + 1): whitened coordinates, and the distance from their plane in units of what is usual."""
        z = (np.nan_to_num(np.asarray(x, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0) - self.centre) / self.scale
        z = np.clip(z, -50, 50)
        inside = z @ self.axes
        off = np.sqrt(np.maximum((z**2).sum(1) - (inside**2).sum(1), 0)) / self.rest
        return np.column_stack([inside / self.spread, off])

    def score(self, x: np.ndarray) -> np.ndarray:
        """(n,) mean distance to the nearest reference rows; x (n, d)."""
        return _nearest(self.place(x), self.points)

    def flag(self, x: np.ndarray) -> np.ndarray:
        """(n,) whether a row is unlike the training rows."""
        return self.score(x) > self.threshold

    def state(self) -> dict[str, Any]:
        """Arrays and numbers by name; `ood_from_state` reads it."""
        return {k: getattr(self, k) for k in self.__dataclass_fields__}


def ood(x: np.ndarray, units: np.ndarray | None = None, *, seed: int = 0) -> Ood:
    """Fit on the training rows' matrix (n, d). The threshold is the 95th percentile of the scores of whole units held
    out in turn, a row of a large unit counting less, so that 5 % of the rows of new, like units are flagged."""
    x = np.asarray(x, dtype=np.float32)
    codes, g = unit_codes(units, len(x))
    rng = stream(seed, "ood")
    fold = (rng.permutation(g) % min(FOLDS, g))[codes]
    least = len(x) - int(np.bincount(fold).max()) if g > 1 else len(x)
    axes = max(1, min(COMPONENTS, x.shape[1], min(least, REFERENCE) // 5))  # in every fit: distances grow with them
    scores = np.empty(len(x))
    for k in range(fold.max() + 1):
        scores[fold == k] = _fit(x[fold != k] if g > 1 else x, axes, rng).score(x[fold == k])
    weight = 1 / np.bincount(codes, minlength=g)[codes]
    order = np.argsort(scores)
    reach = np.cumsum(weight[order]) / weight.sum()
    threshold = float(scores[order][min(np.searchsorted(reach, QUANTILE), len(x) - 1)])
    return replace(_fit(x, axes, rng), threshold=threshold, n_units=g)


def _fit(x: np.ndarray, count: int, rng: np.random.Generator) -> Ood:
    rows = np.sort(rng.permutation(len(x))[:REFERENCE])
    z = np.nan_to_num(x[rows].astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    centre, scale = z.mean(0), z.std(0)
    scale = np.where(scale > 1e-9, scale, 1.0)
    z = np.clip((z - centre) / scale, -50, 50)
    axes, spread = _axes(z, count)
    left = np.sqrt(np.maximum((z**2).sum(1) - ((z @ axes) ** 2).sum(1), 0))
    rest = float(max(left.mean(), 1e-3 * np.sqrt(z.shape[1])))
    bare = Ood(centre, scale, axes, spread, rest, np.empty((0, 0)), float("inf"), 0)
    return replace(bare, points=bare.place(x[rows]).astype(np.float32))


def _axes(z: np.ndarray, c: int) -> tuple[np.ndarray, np.ndarray]:
    """The c main axes of z (n, d), by the smaller of the two products, and the spread along each."""
    n, d = z.shape
    if d <= n:
        values, vectors = np.linalg.eigh(z.T @ z / n)
        axes, spread = vectors[:, ::-1][:, :c], np.sqrt(np.maximum(values[::-1][:c], 0))
    else:
        values, vectors = np.linalg.eigh(z @ z.T / n)
        spread = np.sqrt(np.maximum(values[::-1][:c], 0))
        axes = z.T @ vectors[:, ::-1][:, :c] / np.maximum(spread * np.sqrt(n), 1e-9)
    kept = spread > 1e-6 * max(1e-12, spread.max())
    return (axes[:, kept], spread[kept]) if kept.any() else (np.zeros((d, 1)), np.ones(1))


def _nearest(a: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Mean distance of each row of a to its nearest few of `points`."""
    out, points = np.empty(len(a)), points.astype(np.float64)
    k = min(NEIGHBOURS, len(points))
    for start in range(0, len(a), 512):
        part = a[start:start + 512]
        square = (part**2).sum(1)[:, None] + (points**2).sum(1) - 2 * part @ points.T
        near = np.partition(np.sqrt(np.maximum(square, 0)), k - 1, axis=1)[:, :k]
        out[start:start + 512] = near.mean(1)
    return out


def ood_from_state(state: Mapping[str, Any]) -> Ood:
    """What `Ood.state` gave, from arrays or from lists."""
    arrays = {k: np.asarray(state[k]) for k in ("centre", "scale", "axes", "spread", "points")}
    return Ood(**arrays, rest=float(state["rest"]), threshold=float(state["threshold"]), n_units=int(state["n_units"]))


def detection(rule: Ood, held_out: np.ndarray, *, seed: int = 0) -> dict[str, float]:
    """Share of rows (n, d) flagged, as they are and after planted shifts: a tenth of the features moved by 3 sd; each
    feature shuffled over rows; noise of 1 sd on all; distances from the mean doubled."""
    rng = stream(seed, "ood", "detection")
    x = np.asarray(held_out, dtype=np.float64)
    d = x.shape[1]
    some = rng.permutation(d)[:max(1, d // 10)]
    moved = x.copy()
    moved[:, some] += 3 * rule.scale[some]
    shuffled = np.stack([rng.permutation(column) for column in x.T], axis=1)
    planted = {"as they are": x, "a tenth of the features moved by 3 sd": moved, "features shuffled": shuffled,
               "noise of 1 sd": x + rng.normal(size=x.shape) * rule.scale,
               "doubled": rule.centre + 2 * (x - rule.centre)}
    return {name: float(rule.flag(rows).mean()) for name, rows in planted.items()}


def ood_finding(flagged: np.ndarray, items: tuple[str, ...] = ()) -> Finding | None:
    """VALID-OOD: clearly more than 5 % of the rows are unlike anything trained on."""
    from scipy.stats import binom

    flagged = np.asarray(flagged, dtype=bool)
    count, n = int(flagged.sum()), len(flagged)
    if not count or binom.sf(count - 1, n, 1 - QUANTILE) > 0.01:
        return None
    grade = "warn" if count / n > 0.2 else "note"
    rows = np.flatnonzero(flagged)
    return finding("VALID-OOD", grade, f"{count} of {n} rows are unlike anything trained on (5 % would be usual): "
                   "their predictions are guesses. A row that is not flagged is not thereby reliable.", rows=rows,
                   items=tuple(items[i] for i in rows) if items else (), values={"share": count / n, "rows": n})
