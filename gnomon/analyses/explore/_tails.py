"""How far a column's own tail reaches, extrapolated from its body."""

from __future__ import annotations

import numpy as np


def limits(values: np.ndarray, expected: float) -> tuple[float, float, float, float]:
    """(low, high) beyond which fewer than `expected` values should lie, and the same for a heavy tail.

    Each side's excess over the median is followed from its 80 % to its 98 % point and extrapolated: exponentially
    (too wide for a normal column, so careful) and as a power (careful for heavy tails; Hill 1975 in spirit).
    Infinite where a side has too few values or no spread.
    """
    middle = float(np.median(values))
    out = []
    for sign in (-1.0, 1.0):
        side = sign * (values - middle)
        out.append(_reach(side[side > 0], expected / 2))
    (low, low_heavy), (high, high_heavy) = out
    return middle - low, middle + high, middle - low_heavy, middle + high_heavy


def _reach(side: np.ndarray, expected: float) -> tuple[float, float]:
    if len(side) < 40:
        return np.inf, np.inf
    a, b, c = np.percentile(side, [80, 90, 98])
    if not (0 < a < b < c):
        return np.inf, np.inf
    ratio = np.log(max(len(side) * 0.02 / expected, 1.0))
    plain = c + (c - a) / np.log(10) * ratio
    heavy = c * float(np.exp(ratio * np.log(c / a) / np.log(10)))
    if (c - b) / (b - a) > 2.7:  # heavier than exponential (2.32): only the power law is trusted
        plain = heavy
    return float(plain), float(max(heavy, plain))


def evened(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Skewed positive values as logarithms (True), others unchanged; NaN stay."""
    known = values[~np.isnan(values)]
    low, middle, high = np.percentile(known, [2, 50, 98]) if len(known) else (0.0, 0.0, 0.0)
    if len(known) and known.min() > 0 and middle - low < 0.5 * (high - middle):
        return np.log(values), True
    return values, False
