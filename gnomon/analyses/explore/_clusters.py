"""How many rows count as independent where they come in units: the design effect."""

from __future__ import annotations

import numpy as np

FEWEST = 6  # units of a level or a side below which nothing is said of it, as no p is given below six (EVIDENCE 6)


def design_effect(one: np.ndarray, other: np.ndarray, ties: np.ndarray | None) -> float:
    """By how much rows of one unit inflate what two unrelated columns seem to share: 1 + (m - 1) r1 r2, with m the mean size
    of a unit and r the share of each column's variance that lies between units (Kish 1965; Moulton 1986, J. Econometrics
    32). 1 where one of them varies freely within units; m where both are the same in all rows of a unit. ties: (n,) the
    unit of each row, or None."""
    if ties is None:
        return 1.0
    _, unit, sizes = np.unique(ties, return_inverse=True, return_counts=True)
    mean = float((sizes**2).sum() / len(unit))
    return 1 + (mean - 1) * between_units(one, unit) * between_units(other, unit) if mean > 1 else 1.0


def between_units(values: np.ndarray, unit: np.ndarray) -> float:
    """Share of the variance (of ranks; of codes, Gini's) that lies between units, 0 to 1. unit: codes (n,) from 0 up."""
    sizes = np.bincount(unit)
    n, within = len(unit), len(unit) - len(sizes)
    if not within:
        return 0.0
    if values.dtype.kind == "f":
        from scipy.stats import rankdata

        x = rankdata(np.where(np.isnan(values), -np.inf, values))
        inner = float(((x - (np.bincount(unit, x) / sizes)[unit]) ** 2).sum())
        total = float(((x - x.mean()) ** 2).sum())
    else:
        _, code = np.unique(values, return_inverse=True)
        pairs, times = np.unique(unit * (int(code.max()) + 1) + code, return_counts=True)
        inner = float(n - (times**2 / sizes[pairs // (int(code.max()) + 1)]).sum())
        total = float(n - (np.bincount(code) ** 2).sum() / n)
    return float(np.clip(1 - inner / within / (total / (n - 1)), 0, 1)) if total > 0 else 0.0
