"""How far a column's own tail reaches, extrapolated from its body."""

from __future__ import annotations

import numpy as np

WINDOW = 20  # spacings of the tail next to a gap that it is set against
TRIED = 64  # gaps, the widest for their place, whose chance is worked out exactly
HEAVY = 1.3  # (q95 - q90) / (q90 - q80): 0.87 for a normal, 1.0 for an exponential, above it only a power law is safe
CARE = 2.0  # standard errors by which a tail is taken to be heavier than it looks
POWER = 0.9  # shape of a tail from which only a power law is safe


def limits(values: np.ndarray, expected: float) -> tuple[float, float, float, float]:
    """(low, high) beyond which fewer than `expected` values should lie, and the same at twice that distance.

    Each side's distance from the median is followed from its 80 % to its 95 % point and extrapolated: exponentially
    (too wide for a normal column, so careful), or as a power where the body is heavier than exponential. Up to 5 % of
    bad values on a side do not bend the line. Infinite where a side has too few values or no spread.
    """
    middle = float(np.median(values))
    low, high = (reach(side[side > 0], expected / 2) for side in (middle - values, values - middle))
    return middle - low, middle + high, middle - 2 * low, middle + 2 * high


def reach(side: np.ndarray, expected: float) -> float:
    """The distance beyond which fewer than `expected` of these distances should lie; infinite below 40 of them."""
    if len(side) < 40:
        return np.inf
    a, b, c = np.percentile(side, [80, 90, 95])
    if not 0 < a < b < c:
        return np.inf
    steps = np.log(max(len(side) * 0.05 / expected, 1.0)) / np.log(4)  # how many times further than from 80 % to 95 %
    if (c - b) / (b - a) > HEAVY:
        return float(c * (c / a) ** steps)
    return float(c + (c - a) * steps)


def expected_beyond(side: np.ndarray, distance: float) -> float:
    """How many of these distances the tail, exponential from its 80 % to its 95 % point as in `reach`, leaves beyond
    `distance`; infinite below 40 of them and within the 95 % point."""
    if len(side) < 40:
        return np.inf
    a, c = np.percentile(side, [80, 95])
    if not 0 < a < c <= distance:
        return np.inf
    return float(len(side) * 0.05 * np.exp(-(distance - c) / (c - a) * np.log(4)))


def evened(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Skewed positive values as logarithms (True), others unchanged; NaN stay."""
    known = values[~np.isnan(values)]
    low, middle, high = np.percentile(known, [2, 50, 98]) if len(known) else (0.0, 0.0, 0.0)
    if len(known) and known.min() > 0 and middle - low < 0.5 * (high - middle):
        return np.log(values), True
    return values, False


def straightened(far: np.ndarray, *, most: int) -> np.ndarray:
    """Distances from the middle, largest first (m,), on a scale on which their tail is exponential of mean one.

    The outer half is taken as generalised Pareto, 1 - F(y) = (1 + xi y / s)^(-1 / xi), and y mapped to
    log(1 + xi y / s) / xi. xi and s come from probability-weighted moments (Hosking & Wallis 1987), the `most` largest
    brought in to the next (they are what is in question), xi then CARE standard errors heavier: a light tail keeps its own
    scale where logarithms, safe for any power law, would hide a value three times as far as all others. Logarithms over
    their mean excess below 60 distances or above POWER.
    """
    count = len(far) // 2
    if not count:
        return np.zeros(len(far))
    logs = np.log(far / far[count])
    power = logs / max(float(logs[:count].mean()), 1e-12)
    if count < 30 or most >= count:
        return power
    excess = np.sort(np.minimum(far[:count], far[most]) - far[count])
    first = float(excess.mean())
    second = float((excess * (1 - (np.arange(1, count + 1) - 0.35) / count)).mean())
    shape = 2 - first / max(first - 2 * second, 1e-300) + CARE * (4 / 3 / count) ** 0.5 if first > 0 else np.inf
    if shape > POWER:
        return power
    shape = max(shape, 1e-6)
    scale = first * (1 - shape)  # the mean of the excess is kept
    return np.log1p(np.maximum(shape * (far - far[count]) / scale, -0.5)) / shape


def set_apart(u: np.ndarray, *, most: int, level: float, window: int = WINDOW) -> int:
    """How many of the largest of u (n,) lie beyond a gap that the spacings next to it do not explain; 0 if none."""
    count, chance = widest_gap(u, most=most, window=window)
    return count if chance < level else 0


def widest_gap(u: np.ndarray, *, most: int, window: int = WINDOW) -> tuple[int, float]:
    """(how many of the largest of u (n,) lie beyond the gap that surprises most, its chance among all that were tried).

    With u_(1) >= u_(2) >= ... the spacings e_j = j (u_(j) - u_(j+1)) of an exponential tail are independent draws of one mean
    (Renyi 1953), and locally so for any law whose hazard changes slowly. If the k largest are no part of the tail, its own
    spacings are w_j e_j, w_j = (j - k) / j. So the k-th is set against the sum of w_j e_j over the next `window`: it exceeds
    t times that by chance with probability prod_j 1 / (1 + t w_j). The most surprising k up to `most` counts, its p times
    the number tried. A gap of one step of rounding proves nothing and is taken off.
    """
    order = np.sort(u)[::-1]
    most = min(most, len(order) - window - 1)
    if most < 1:
        return 0, 1.0
    least = 1e-9 * (1e-300 + abs(order[0]) + abs(order[-1]))
    order = order[:most + window + 1]
    gap = order[:-1] - order[1:]
    step = gap[gap > least]
    k, place = np.arange(1, most + 1), np.arange(1, len(order))
    sums, ranked, inverse = (np.concatenate([[0.0], np.cumsum(x)]) for x in (gap, gap * place, 1 / place))
    beside = (ranked[k + window] - ranked[k]) - k * (sums[k + window] - sums[k])
    own = np.maximum(gap[:most] - (step.min() if len(step) else 0.0), 0.0) * k
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(beside > 0, own / beside, 0.0)
    likely = np.argsort(-np.log1p(t * (1 - k * (inverse[k + window] - inverse[k]) / window)), kind="stable")[:TRIED]
    weight = np.arange(1, window + 1) / (k[likely, None] + np.arange(1, window + 1))
    chance = -np.log1p(t[likely, None] * weight).sum(axis=1)
    best = int(chance.argmin())
    return int(likely[best]) + 1, float(np.exp(chance[best]) * most)
