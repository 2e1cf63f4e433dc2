"""Rows belong to units (patients, plates, scaffolds): codes for them, and which rows can be scored at all."""

from __future__ import annotations

import numpy as np

from gnomon.tasks._task import Stats

FEW_GROUPS, NO_P, NO_INTERVAL = 40, 6, 3  # groups below which: cluster-level t; no p; no interval (EVIDENCE 6)


def unit_codes(units: np.ndarray | None, n: int) -> tuple[np.ndarray, int]:
    """Units as codes 0..G-1, int64 (n,), and G. None: every row is its own unit."""
    if units is None:
        return np.arange(n), n
    values, codes = np.unique(np.asarray(units), return_inverse=True)
    return codes.reshape(-1).astype(np.int64), len(values)


def known(stats: Stats) -> np.ndarray:
    """Which rows have a label: bool (n,); of several targets, at least one."""
    truths = [a for name, a in stats.arrays.items() if name == "truth" or name.endswith(".truth")]
    has = [a >= 0 if a.dtype.kind in "iu" else ~np.isnan(a) for a in truths]
    return np.logical_or.reduce(has)


def undefined_because(stats: Stats) -> str:
    """Why the score of these labelled rows is no number."""
    truth = stats.arrays.get("truth")
    one = truth is not None and truth.dtype.kind in "iu" and len(np.unique(truth)) == 1
    if len(stats) == 1:
        return "only 1 row has a label"
    return "only one class is present" if one else "the score is not defined on these rows"


def scorable(stats: Stats, units: np.ndarray | None) -> tuple[Stats, np.ndarray, int]:
    """The labelled rows, their unit codes and the number of units."""
    rows = np.flatnonzero(known(stats))
    units = None if units is None else np.asarray(units)[rows]
    return stats.take(rows), *unit_codes(units, len(rows))


def unit_sums(values: np.ndarray, codes: np.ndarray, n_units: int) -> np.ndarray:
    """Sums of the rows of `values` (n, k) over each unit: (G, k)."""
    if n_units == len(codes) and (codes == np.arange(n_units)).all():
        return values
    return np.stack([np.bincount(codes, weights=column, minlength=n_units) for column in values.T], axis=1)
