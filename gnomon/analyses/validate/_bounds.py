"""Limits of class scores near 1. Where hardly a row is wrong, resampling draws hardly a wrong one: its limits collapse onto
the score found, though as many rows to come may well hold some. Binomial limits of each class do not collapse; they are
joined by the method of variance recovery (Zou & Donner 2008, Statistics in Medicine 27; Newcombe 2001 for mean shares)."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.validate._auc import score_limits
from gnomon.analyses.validate._units import known, unit_codes
from gnomon.tasks._metrics import auc, confusion
from gnomon.tasks._task import Stats

FEW = 10  # wrong rows from which on a resample holds enough of them: the usual condition of a normal share


def wilson(share: float, n: float, quantile: float) -> tuple[float, float]:
    """Wilson's score limits of a share seen on `n` (possibly effective) rows."""
    centre = (share + quantile**2 / (2 * n)) / (1 + quantile**2 / n)
    half = quantile / (1 + quantile**2 / n) * np.sqrt(share * (1 - share) / n + quantile**2 / (4 * n**2))
    return float(min(share, max(0.0, centre - half))), float(max(share, min(1.0, centre + half)))


def near_one(task: Any, stats: Stats, codes: np.ndarray, g: int, quantile: float) -> tuple[float, float] | None:
    """Limits of an accuracy, macro-F1, balanced accuracy, Matthews correlation, average precision, AUC, or a mean of such
    over targets, from rows (n,) of the units `codes` (n,) 0..g-1; None for other scores and where there are errors enough to
    resample."""
    if "weight" in stats.arrays:
        return None
    if getattr(task, "tasks", ()):
        return _several(task, stats, codes, g, quantile)
    limits = LIMITS.get(task.metric.name)
    if limits is None:
        return None
    share = g / len(stats) if limits in (_areas, _precisions) else _independent(stats, codes, g)
    found = limits(stats, share, quantile)
    return None if found is None else (max(0.0, found[0]), min(1.0, found[1]))


def _independent(stats: Stats, codes: np.ndarray, g: int) -> float:
    """Share of the rows that count as independent: as many as would give the share of wrong rows the error that it has over
    units (after Korn & Graubard 1998, Survey Methodology 24), one a unit at least, and exactly that where no row is wrong."""
    wrong, n = stats["value"] != stats["truth"], len(stats)
    if g == n or not wrong.any():
        return g / n
    share = wrong.mean()
    away = np.bincount(codes, weights=wrong - share, minlength=g)
    error = (away**2).sum() / n**2 * g / (g - 1)
    return float(np.clip(share * (1 - share) / max(error, 1e-300) / n, g / n, 1.0))


def _several(task: Any, stats: Stats, codes: np.ndarray, g: int, quantile: float) -> tuple[float, float] | None:
    """Of targets on the same rows the errors may be the same: limits are averaged."""
    each = []
    for i, one in enumerate(task.tasks):
        part = task.part(stats, i)
        rows = np.flatnonzero(known(part))
        if len(rows):
            own, units = unit_codes(codes[rows], len(rows))
            found = near_one(one, part.take(rows), own, units, quantile)
            if found is None:
                return None
            each.append(found)
    low, high = np.mean(each, axis=0)
    return float(low), float(high)


def _mean(each: list[tuple[float, float, float]], shared: int) -> tuple[float, float]:
    """Limits of a mean of K (value, low, high); an error that counts in `shared` of them at once makes the variance of
    their sum up to `shared` times that of independent ones."""
    value, low, high = np.array(each).T
    below, above = (np.sqrt(shared * ((value - end) ** 2).sum()) / len(value) for end in (low, high))
    return float(value.mean() - below), float(value.mean() + above)


def _few(table: np.ndarray, share: float) -> bool:
    return (table.sum() - np.trace(table)) * share < FEW


def _accuracy(stats: Stats, share: float, quantile: float) -> tuple[float, float] | None:
    table = confusion(stats)
    return wilson(np.trace(table) / table.sum(), max(1.0, table.sum() * share), quantile) if _few(table, share) else None


def _balanced(stats: Stats, share: float, quantile: float) -> tuple[float, float] | None:
    table = confusion(stats)
    if not _few(table, share):
        return None
    return _mean([(hit / n, *wilson(hit / n, max(1.0, n * share), quantile))
                  for hit, n in zip(np.diag(table), table.sum(1), strict=True) if n], 1)


def _macro_f1(stats: Stats, share: float, quantile: float) -> tuple[float, float] | None:
    """F1 = 2 j / (1 + j), j the share of hits among the rows that are of the class or called so."""
    table = confusion(stats)
    if not _few(table, share):
        return None
    hits, seen = np.diag(table), table.sum(0) + table.sum(1) - np.diag(table)
    jaccard = [np.array([h / n, *wilson(h / n, max(1.0, n * share), quantile)]) for h, n in zip(hits, seen, strict=True) if n]
    return _mean([tuple(2 * j / (1 + j)) for j in jaccard], 2)


def _mcc(stats: Stats, share: float, quantile: float) -> tuple[float, float] | None:
    """With few errors the correlation is Cohen's kappa but for terms of second order: 1 less the share of wrong rows over
    that which chance would bring."""
    table = confusion(stats).astype(float)
    n = table.sum()
    by_chance = 1 - (table.sum(0) @ table.sum(1)) / n**2
    if not _few(table, share) or by_chance <= 0:
        return None
    wrong = 1 - np.trace(table) / n
    low, high = wilson(wrong, max(1.0, n * share), quantile)
    return float(1 - high / by_chance), float(1 - low / by_chance)


def _areas(stats: Stats, share: float, quantile: float) -> tuple[float, float] | None:
    """Newcombe's limits of each class against the rest."""
    each, odd = [], False
    for k in range(stats["proba"].shape[1]):
        own = stats["truth"] == k
        n1, n0 = own.sum(), (~own).sum()
        if n1 and n0:
            area = auc(own, stats["proba"][:, k])
            odd |= (1 - area) * min(n1, n0) < 0.5
            each.append((area, *score_limits(area, max(2.0, n1 * share), max(2.0, n0 * share), quantile)))
    return _mean(each, 2) if odd else None


def _precisions(stats: Stats, share: float, quantile: float) -> tuple[float, float] | None:
    """Each class's average precision as a share of its own rows."""
    from sklearn.metrics import average_precision_score

    each, odd = [], False
    classes = stats["proba"].shape[1]
    for k in range(classes) if classes > 2 else (1,):
        own = stats["truth"] == k
        if own.any():
            value = float(average_precision_score(own, stats["proba"][:, k]))
            odd |= (1 - value) * own.sum() < 0.5
            each.append((value, *wilson(value, max(1.0, own.sum() * share), quantile)))
    return _mean(each, 2 if len(each) > 1 else 1) if odd else None


LIMITS = {"accuracy": _accuracy, "balanced_accuracy": _balanced, "macro_f1": _macro_f1, "mcc": _mcc,
          "roc_auc": _areas, "average_precision": _precisions}
