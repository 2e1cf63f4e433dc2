"""How far a column's own tail reaches, extrapolated from its body."""

from __future__ import annotations

import numpy as np

WINDOW = 20  # spacings of the tail next to a gap that it is set against
HEAVY = 1.3  # (q95 - q90) / (q90 - q80): 0.87 for a normal, 1.0 for an exponential, above it only a power law is safe


def limits(values: np.ndarray, expected: float) -> tuple[float, float, float, float]:
    """(low, high) beyond which fewer than `expected` values should lie, and the same at twice that distance.

    Each side's distance from the median is followed from its 80 % to its 95 % point and extrapolated: exponentially
    (too wide for a normal column, so careful), or as a power where the body is heavier than exponential. Up to 5 % of
    bad values on a side do not bend the line. Infinite where a side has too few values or no spread.
    """
    middle = float(np.median(values))
    low, high = (reach(side[side > 0], expected / 2) for side in (middle - values, values - middle))
    return middle - low, middle + high, middle - 2 * low, middle + 2 * high


def reach(side: np.ndarray, expected: float, *, power: bool = True) -> float:
    """The distance beyond which fewer than `expected` of these distances should lie; infinite below 40 of them.

    power=False for logarithms, where a power law is an exponential already."""
    if len(side) < 40:
        return np.inf
    a, b, c = np.percentile(side, [80, 90, 95])
    if not 0 < a < b < c:
        return np.inf
    steps = np.log(max(len(side) * 0.05 / expected, 1.0)) / np.log(4)  # how many times further than from 80 % to 95 %
    if power and (c - b) / (b - a) > HEAVY:
        return float(c * (c / a) ** steps)
    return float(c + (c - a) * steps)


def evened(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Skewed positive values as logarithms (True), others unchanged; NaN stay."""
    known = values[~np.isnan(values)]
    low, middle, high = np.percentile(known, [2, 50, 98]) if len(known) else (0.0, 0.0, 0.0)
    if len(known) and known.min() > 0 and middle - low < 0.5 * (high - middle):
        return np.log(values), True
    return values, False


def set_apart(u: np.ndarray, *, most: int, level: float) -> int:
    """How many of the largest of u (n,) lie beyond a gap that the spacings next to it do not explain; 0 if none.

    With u_(1) >= u_(2) >= ... the spacings j (u_(j) - u_(j+1)) of an exponential tail are independent draws of one mean
    (Renyi 1953), and locally so for any law whose hazard changes slowly. The spacing after the k-th largest over the sum of
    the next WINDOW then exceeds t with probability (1 + t)^-WINDOW. The most surprising k up to `most` counts, its p times
    the number tried. A gap of one step of rounding proves nothing and is taken off.
    """
    order = np.sort(u)[::-1]
    most = min(most, len(order) - WINDOW - 1)
    if most < 1:
        return 0
    gap = order[:-1] - order[1:]
    step = gap[:most + WINDOW][gap[:most + WINDOW] > 1e-9 * (1e-300 + abs(order[0]) + abs(order[-1]))]
    place = np.arange(1, len(order))
    total = np.cumsum(np.concatenate([[0.0], gap * place]))
    beside = total[WINDOW + 1:][:most] - total[1:][:most]
    own = np.maximum(gap[:most] - (step.min() if len(step) else 0.0), 0.0) * place[:most]
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.where(beside > 0, (1 + own / beside) ** -WINDOW, 1.0) * most
    best = int(p.argmin())
    return best + 1 if p[best] < level else 0
