"""How many rows count as independent where they come in units: the design effect."""

from __future__ import annotations

import numpy as np


def independent_share(values: np.ndarray, sides: np.ndarray, units: np.ndarray) -> float:
    """Share of the rows that count as independent when `values` (n,) are compared between `sides` (n,).

    Rows of a unit count as one where both the values and the sides are the same within it, and in full where either varies as
    freely within units as between them: 1 + (sum n_i^2 / n - 1) r_values r_sides (Moulton 1986, J. Econometrics 32(3)).
    Integers are levels, floats are compared by rank.
    """
    _, own, sizes = np.unique(units, return_inverse=True, return_counts=True)
    if len(sizes) == len(units):
        return 1.0
    size = float((sizes.astype(float) ** 2).sum() / len(units))
    return 1 / (1 + (size - 1) * _alike(values, own, sizes) * _alike(sides, own, sizes))


def _alike(values: np.ndarray, own: np.ndarray, sizes: np.ndarray) -> float:
    """Intraclass correlation of values within units, from the analysis of variance, in [0, 1]; of levels it is that of their
    indicators together."""
    from scipy.stats import rankdata

    n, g = len(own), len(sizes)
    if g < 2:
        return 1.0
    if values.dtype.kind == "f":
        ranks = rankdata(values)
        ranks -= ranks.mean()
        total, between = float((ranks**2).sum()), float((np.bincount(own, ranks) ** 2 / sizes).sum())
    else:
        level = np.unique(values, return_inverse=True)[1]
        pair, count = np.unique(own * (int(level.max()) + 1) + level, return_counts=True)
        middle = float((np.bincount(level).astype(float) ** 2).sum() / n)
        total, between = n - middle, float((count.astype(float) ** 2 / sizes[pair // (int(level.max()) + 1)]).sum()) - middle
    within, above = max(total - between, 0.0) / (n - g), between / (g - 1)
    typical = (n - float((sizes.astype(float) ** 2).sum()) / n) / (g - 1)
    below = above + (typical - 1) * within
    return min(1.0, max(0.0, (above - within) / below)) if below > 0 else 1.0
