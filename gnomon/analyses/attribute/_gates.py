"""What a gate says, and the kit both gates share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Gate:
    """One audit of an attribution: its measured value with a 95 % interval over units, and whether it is passed."""

    name: str
    passed: bool
    value: float | None
    low: float | None
    high: float | None
    says: str  # one sentence

    @property
    def told(self) -> bool:
        """Whether there was enough to judge by; without limits an explanation is withheld, but has failed nothing."""
        return self.low is not None

    @property
    def entry(self) -> dict:
        """As `report.json` wants it."""
        return {"name": self.name, "passed": self.passed, "value": self.value, "low": self.low, "high": self.high,
                "says": self.says}


def rank_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rho of two attributions of one row. 1 when `a` is constant (it tells nothing of the model either
    way), 0 when only `b` is; NaN for a single piece."""
    from scipy.stats import rankdata

    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if len(a) < 2:
        return float("nan")
    if flat(a):
        return 1.0
    if flat(b):
        return 0.0
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def flat(scores: np.ndarray) -> bool:
    """All the same but for rounding."""
    return bool(np.ptp(scores) <= 1e-7 * max(float(np.abs(scores).max()), 1e-12))


def top_pieces(scores: np.ndarray, count: int, dice: np.random.Generator) -> np.ndarray:
    """Mask of the `count` highest scores; ties by lot, so that a constant attribution gains nothing from order."""
    order = np.lexsort((dice.random(len(scores)), -np.asarray(scores, dtype=float)))
    mask = np.zeros(len(scores), dtype=bool)
    mask[order[:count]] = True
    return mask


def mean_correlations(scores: Sequence[np.ndarray], again: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """(n,) each row's rank correlation between its attribution and those of the randomised models, averaged."""
    each = [[rank_correlation(a, b) for a, b in zip(scores, other, strict=True)] for other in again]
    return np.mean(each, axis=0)
