"""How likely chance alone is that a column tells the target."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._aim import Aim, Alone
from gnomon.analyses.explore._clusters import design_effect


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
