"""How likely chance alone is: of rows that belong together, and over all the columns tried."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._aim import Aim, Alone

FEWEST = 6  # units below which nothing is said of a level, or of a target that hardly varies within a unit


def design_effect(one: np.ndarray, other: np.ndarray, ties: np.ndarray | None) -> float:
    """By how much rows of one unit inflate what two unrelated columns seem to share: 1 + (m - 1) r1 r2, with m the mean size
    of a unit and r the share of each column's variance that lies between units (Kish 1965). 1 where one of them varies freely
    within units; m where both are the same in all rows of a unit. ties: (n,) the unit of each row, or None."""
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


def chance_of_codes(aim: Aim, inflation: float = 1.0) -> float:
    """Chance that a column unrelated to the classes, of as many rows a level, is the same classes in other words. inflation:
    the design effect by which the rows are too many."""
    from scipy.special import gammaln

    sizes = np.bincount(aim.values)
    sizes = sizes[sizes > 0] / inflation
    log = gammaln(sizes.sum() + 1) - gammaln(sizes + 1).sum() - gammaln(len(sizes) + 1)
    return float(min(1.0, np.exp(-log)))


def chance_of_skill(alone: Alone, aim: Aim, ties: np.ndarray | None) -> float:
    """p of what a column predicts alone: exact for classes (Fisher; the class told best, times the number of classes), from
    R squared for numbers; rows of one unit counted by the design effect."""
    from scipy.stats import beta, hypergeom

    inflation = design_effect(alone.guess, aim.values, ties)
    n = len(aim) / inflation
    if not aim.classes:
        return float(beta.sf(min(alone.skill, 1.0), 0.5, (n - 2) / 2)) if n > 3 else 1.0
    classes = np.unique(aim.values)
    each = [[float(m.sum()) / inflation for m in (aim.values == c, alone.guess == c, (aim.values == c) & (alone.guess == c))]
            for c in classes]
    p = [float(hypergeom.sf(round(hit) - 1, round(n), round(have), round(said))) for have, said, hit in each]
    return min(1.0, min(p, default=1.0) * len(classes))
