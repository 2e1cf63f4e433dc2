"""Rows in the order of a column of dates or numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

TIMES = 3  # distinct times below which a column orders nothing: one each to learn from, to choose by and to judge


def time_places(column: Any, rows: np.ndarray | None = None) -> np.ndarray:
    """The place of each row's time among the distinct times, int64 (n,): 0 = the earliest, -1 = none is known. All are -1
    where the column is neither a date nor a plain number."""
    rows = np.arange(len(column)) if rows is None else rows
    out = np.full(len(rows), -1, dtype=np.int64)
    if column.spec.kind in ("date", "number") and not column.spec.shape:
        values = column.take(rows)
        known = np.flatnonzero(~np.isnat(values) if values.dtype.kind == "M" else np.isfinite(values))
        out[known] = np.unique(values[known], return_inverse=True)[1]
    return out


def orders(column: Any) -> bool:
    """Whether a column holds several distinct times."""
    return int(time_places(column).max(initial=-1)) + 1 >= TIMES


def time_cuts(place: np.ndarray, folds: int, seal: bool) -> tuple[int, list[int]]:
    """(first sealed row, edges of the parts before it) of rows in the order of their times, each where the time changes.

    The edges are the nearest to those without ties: four fifths train and a tenth is sealed; where there are several folds a
    third trains and the rest judges in turn. Edges that leave less than a quarter of that are taken only where there are no
    others, and nothing is sealed where the times allow one edge only.
    """
    n = len(place)
    at = np.flatnonzero(np.diff(place)) + 1
    large = at[(at >= n // 12) & (n - at >= n // 40)]
    at = large if len(large) else at
    if folds > 1:
        return n, [*sorted({_nearest(at, e) for e in np.linspace(n // 3, n, folds + 1).astype(int)[:-1]}), n]
    later = at[at >= at[0] + n // 40]
    if not seal or not len(later):
        return n, [_nearest(at, int(n * 0.8)), n]
    last = _nearest(later, int(n * 0.9))
    return last, [_nearest(at[at <= last - n // 40], int(n * 0.8)), last]


def _nearest(at: np.ndarray, wanted: int) -> int:
    return int(at[np.abs(at - wanted).argmin()])
