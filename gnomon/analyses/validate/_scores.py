"""A metric as a function of unit weights: what every resampling scheme needs, a whole batch of resamples at a time.

`weighted(task, stats, codes, n_units)` returns `Weighted`; `of(w)` scores every row of w (B, G), the number of times
each unit was drawn. Three ways, fastest first, and the fast ones are used only if they give `task.score` on all rows:

additive  the score is a function of sums over rows (RMSE, accuracy, R2, macro-F1 ...): one matrix product
ranked    the score needs an order (AUC, average precision, Spearman): one sort, then cumulative weights
generic   anything else: `task.score` on the drawn rows, one resample at a time
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.validate._units import known, unit_sums
from gnomon.tasks._task import Stats

CHUNK = 1 << 20  # numbers held at once by the ranked way


@dataclass(frozen=True)
class Weighted:
    """full: the score of all rows. of(w): scores of weighted units (B, G) -> (B,). cost: numbers touched a resample.
    left_out: the (G,) scores without each unit, where that is cheap (additive), else None."""

    full: float
    of: Callable[[np.ndarray], np.ndarray]
    cost: int
    way: str
    left_out: Callable[[], np.ndarray] | None = None


def weighted(task: Any, stats: Stats, codes: np.ndarray, n_units: int) -> Weighted:
    """The task's headline score as a function of unit weights; `stats` holds labelled rows (some targets may lack)."""
    full = float(task.score(stats))
    fast = _several(task, stats, codes, n_units) if getattr(task, "tasks", ()) else _fast(task, stats, codes, n_units)
    if fast is not None and "weight" not in stats.arrays:
        check = float(fast.of(np.ones((1, n_units)))[0])
        if abs(check - full) <= 1e-6 * max(1.0, abs(full)) or (np.isnan(check) and np.isnan(full)):
            return fast
    return Weighted(full, lambda w: _by_rows(task, stats, codes, w), 40 * len(stats), "generic")


def _by_rows(task: Any, stats: Stats, codes: np.ndarray, w: np.ndarray) -> np.ndarray:
    rows = np.arange(len(stats))
    return np.array([task.score(stats.take(np.repeat(rows, each[codes].astype(np.int64)))) for each in w])


def _several(task: Any, stats: Stats, codes: np.ndarray, n_units: int) -> Weighted | None:
    """Several targets: the mean of their scores, each over the rows that have it."""
    parts = []
    for i, each in enumerate(task.tasks):
        part = task.part(stats, i)
        rows = np.flatnonzero(known(part))
        if len(rows):
            parts.append(weighted(each, part.take(rows), codes[rows], n_units))

    def of(w: np.ndarray) -> np.ndarray:
        scores = np.stack([p.of(w) for p in parts])
        seen = np.isfinite(scores)
        with np.errstate(invalid="ignore"):
            return np.where(seen, scores, 0.0).sum(0) / np.where(seen.any(0), seen.sum(0), np.nan)

    return Weighted(float(task.score(stats)), of, sum(p.cost for p in parts), "several") if parts else None


def _fast(task: Any, stats: Stats, codes: np.ndarray, n_units: int) -> Weighted | None:
    name = task.metric.name
    sums = _row_sums(task, stats)
    if sums is not None:
        features, finish = sums
        per_unit = unit_sums(features, codes, n_units)
        total = per_unit.sum(0)
        return Weighted(float(task.score(stats)), lambda w: finish(w @ per_unit), per_unit.size, "additive",
                        lambda: finish(total - per_unit))
    if name in RANKED and len(stats):
        of_rows = RANKED[name](stats)
        return Weighted(float(task.score(stats)), lambda w: _in_chunks(of_rows, w, codes),
                        8 * len(codes) * _sorts(stats), "ranked")
    return None


def _sorts(stats: Stats) -> int:
    """How many orders of the rows are gone through: one a class where there are more than two."""
    classes = len(np.unique(stats["truth"])) if "proba" in stats.arrays and stats["proba"].shape[1] > 2 else 1
    return max(1, classes)


def _in_chunks(of_rows: Callable[[np.ndarray], np.ndarray], w: np.ndarray, codes: np.ndarray) -> np.ndarray:
    step = max(1, CHUNK // max(1, len(codes)))
    return np.concatenate([of_rows(w[i:i + step][:, codes]) for i in range(0, len(w), step)])


# ---- additive: features of a row, and the score from their sums (..., k) -------------------------------------------
def _row_sums(task: Any, stats: Stats) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]] | None:
    metric = task.metric
    if metric.losses is not None:
        losses = np.asarray(metric.losses(stats), dtype=float)
        finish = _link(float(losses.mean()), float(task.score(stats))) if len(losses) else None
        if finish is None:
            return None
        return np.stack([np.ones(len(losses)), losses], axis=1), lambda s: finish(_ratio(s[..., 1], s[..., 0]))
    if metric.name in ("r2", "pearson"):
        return _moments(stats), _r2 if metric.name == "r2" else _pearson
    if metric.name in ("macro_f1", "balanced_accuracy", "mcc"):
        return _hits(stats), {"macro_f1": _macro_f1, "balanced_accuracy": _balanced, "mcc": _mcc}[metric.name]
    return None


def _link(mean: float, score: float) -> Callable[[np.ndarray], np.ndarray] | None:
    """How the score follows from the mean loss: itself, its root, or one minus it."""
    for finish in (lambda m: m, np.sqrt, lambda m: 1 - m):
        if abs(float(finish(mean)) - score) <= 1e-9 * max(1.0, abs(score)):
            return finish
    return None


def mean_loss(task: Any, stats: Stats) -> np.ndarray | None:
    """One loss a row when the headline is their mean or a growing function of it, else None."""
    if task.metric.losses is None or "weight" in stats.arrays:
        return None
    return np.asarray(task.metric.losses(stats), dtype=float)


def _ratio(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(bottom > 0, np.maximum(top, 0) / bottom, np.nan)


def _moments(stats: Stats) -> np.ndarray:
    t = stats["truth"] - stats["truth"].mean()  # centred, so that no digits are lost
    v = stats["value"] - stats["value"].mean()
    error = stats["value"] - stats["truth"]
    return np.stack([np.ones(len(t)), t, v, t * t, v * v, t * v, error * error], axis=1)


def _r2(s: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return 1 - s[..., 6] / (s[..., 3] - s[..., 1] ** 2 / s[..., 0])


def _pearson(s: np.ndarray) -> np.ndarray:
    n = s[..., 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        below = (s[..., 3] - s[..., 1] ** 2 / n) * (s[..., 4] - s[..., 2] ** 2 / n)
        return np.where(below > 0, (s[..., 5] - s[..., 1] * s[..., 2] / n) / np.sqrt(np.maximum(below, 0)), 0.0)


def _hits(stats: Stats) -> np.ndarray:
    """Per class: hit, true, told; (n, 3K)."""
    classes = stats["proba"].shape[1]
    true = stats["truth"][:, None] == np.arange(classes)
    told = stats["value"][:, None] == np.arange(classes)
    return np.concatenate([true & told, true, told], axis=1).astype(float)


def _thirds(s: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    hit, true, told = np.split(s, 3, axis=-1)
    return hit, true, told


def _mean_of_seen(top: np.ndarray, bottom: np.ndarray) -> np.ndarray:
    seen = bottom > 1e-9
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(seen, top / np.where(seen, bottom, 1), 0).sum(-1) / seen.sum(-1)


def _macro_f1(s: np.ndarray) -> np.ndarray:
    hit, true, told = _thirds(s)
    return _mean_of_seen(2 * hit, true + told)


def _balanced(s: np.ndarray) -> np.ndarray:
    hit, true, _ = _thirds(s)
    return _mean_of_seen(hit, true)


def _mcc(s: np.ndarray) -> np.ndarray:
    """NaN where the truth is of one class: a resample without the other says nothing."""
    hit, true, told = _thirds(s)
    n = true.sum(-1)
    below = (n**2 - (told**2).sum(-1)) * (n**2 - (true**2).sum(-1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.where(below > 1e-9, (hit.sum(-1) * n - (true * told).sum(-1)) / np.sqrt(np.maximum(below, 0)), 0.0)
    return np.where(n**2 - (true**2).sum(-1) > 1e-9, found, np.nan)


# ---- ranked: one sort, then everything is a cumulative sum of weights -----------------------------------------------
@dataclass(frozen=True)
class _Order:
    """Rows sorted by a score; `starts` are where runs of ties begin; `run` is the run of each row (unsorted)."""

    order: np.ndarray
    starts: np.ndarray
    run: np.ndarray

    def sums(self, w: np.ndarray) -> np.ndarray:
        """Weight of each run of ties: (B, runs)."""
        w = w[:, self.order]
        return w if len(self.starts) == len(self.order) else np.add.reduceat(w, self.starts, axis=1)


def _sorted(score: np.ndarray) -> _Order:
    order = np.argsort(score, kind="stable")
    new = np.concatenate([[True], np.diff(score[order]) != 0])
    run = np.empty(len(score), dtype=np.int64)
    run[order] = np.cumsum(new) - 1
    return _Order(order, np.flatnonzero(new), run)


def _area(score: np.ndarray, positive: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Weighted area under the ROC curve, ties half."""
    order = _sorted(score)

    def of(w: np.ndarray) -> np.ndarray:
        pos, neg = order.sums(w * positive), order.sums(w * ~positive)
        below = np.cumsum(neg, axis=1) - 0.5 * neg
        with np.errstate(invalid="ignore", divide="ignore"):
            return (pos * below).sum(1) / (pos.sum(1) * neg.sum(1))

    return of


def _precision(score: np.ndarray, positive: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Weighted average precision: the mean over positives of the precision at their score."""
    order = _sorted(-score)

    def of(w: np.ndarray) -> np.ndarray:
        pos, all_ = order.sums(w * positive), order.sums(w)
        above, seen = np.cumsum(pos, axis=1), np.cumsum(all_, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            each = np.where(seen > 0, above / np.where(seen > 0, seen, 1), 0)
            return (pos * each).sum(1) / pos.sum(1)

    return of


def _by_class(one: Callable[[np.ndarray, np.ndarray], Callable[[np.ndarray], np.ndarray]]) -> Callable:
    """Two classes: of the second; more: the mean over classes, each against the rest."""

    def prepare(stats: Stats) -> Callable[[np.ndarray], np.ndarray]:
        truth, proba = stats["truth"], stats["proba"]
        classes = (1,) if proba.shape[1] == 2 else [k for k in range(proba.shape[1]) if (truth == k).any()]
        each = [one(proba[:, k], truth == k) for k in classes]

        def of(w: np.ndarray) -> np.ndarray:
            areas = np.stack([f(w) for f in each])
            seen = np.isfinite(areas)
            return np.where(seen, areas, 0).sum(0) / np.where(seen.any(0), seen.sum(0), np.nan)

        return of

    return prepare


def _spearman(stats: Stats) -> Callable[[np.ndarray], np.ndarray]:
    orders = [_sorted(stats["truth"]), _sorted(stats["value"])]

    def of(w: np.ndarray) -> np.ndarray:
        n = w.sum(1, keepdims=True)
        ranks = []
        for order in orders:
            sums = order.sums(w)
            ranks.append((np.cumsum(sums, axis=1) - 0.5 * sums)[:, order.run] - n / 2)
        a, b = ranks
        with np.errstate(invalid="ignore", divide="ignore"):
            below = np.sqrt((w * a * a).sum(1) * (w * b * b).sum(1))
            return np.where(below > 0, (w * a * b).sum(1) / below, 0.0)

    return of


RANKED = {"roc_auc": _by_class(_area), "average_precision": _by_class(_precision), "spearman": _spearman}
