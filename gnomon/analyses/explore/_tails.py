"""How far a column's own tail reaches, extrapolated from its body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

WINDOW = 20  # spacings of the tail next to a gap that it is set against
TRIED = 64  # gaps, the widest for their place, whose chance is worked out exactly
HEAVY = 1.3  # (q95 - q90) / (q90 - q80): 0.87 for a normal, 1.0 for an exponential, above it only a power law is safe
POWER = 0.9  # shape of a tail from which only a power law is safe
SHAPES, SCALES = np.linspace(-0.45, 1.45, 20), np.exp(np.linspace(-1.6, 1.6, 33))  # of a tail that are weighed; means
USUAL = (0.1, 0.25)  # mean and spread of shapes beforehand: twice the spread of Martins & Stedinger 2000, WRR 36:737
POINTS = 200  # values of a tail that its law is read from, evenly from all


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


@dataclass(frozen=True)
class Tail:
    """The generalised Pareto laws that may hold beyond `start`, 1 - F(start + y) = (1 + shape y / scale)^(-1 / shape): their
    weights (S,), shapes (S,) and scales (S,)."""

    start: float
    weights: np.ndarray
    shapes: np.ndarray
    scales: np.ndarray

    def straight(self, far: np.ndarray) -> np.ndarray:
        """(S, m) the distances on the scale on which each law is exponential of mean one: log(1 + shape y / scale) / shape;
        logarithms, right for any power law, from a shape of POWER."""
        shape, scale = np.maximum(self.shapes, 1e-6)[:, None], self.scales[:, None]
        pareto = np.log1p(np.maximum(shape * (far - self.start) / scale, -0.5)) / shape
        with np.errstate(divide="ignore"):
            return np.where(shape > POWER, np.log(np.maximum(far, 1e-300) / self.start) / shape, pareto)


def tail_of(far: np.ndarray, *, most: int, power: float = 0.0) -> Tail | None:
    """The laws of the outer half of distances from the middle, largest first (m,); None of fewer than 60.

    Shapes are weighed by their likelihood and by what is USUAL of them: a tail of which few values tell may be heavier than it
    looks. The `most` largest are what is in question: they count as beyond the next (censored), whatever they are.
    power: the weight of a power law, whatever the likelihood says.
    """
    count = len(far) // 2
    if count < 30 or most >= count or far[most] <= far[count]:
        return None
    end, body = far[most] - far[count], far[most:count] - far[count]
    each = max(len(body) / POINTS, 1.0)
    body = body[np.linspace(0, len(body) - 1, min(len(body), POINTS)).round().astype(int)]
    shape, scale = np.where(np.abs(SHAPES) < 1e-6, 1e-6, SHAPES)[:, None], SCALES * body.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        inner = (np.log1p(shape[..., None] * body / scale[:, None])).sum(axis=-1)
        beyond = np.log1p(shape * end / scale)
        fit = -each * (len(body) * np.log(scale) + (1 + 1 / shape) * inner) - most * beyond / shape
    fit = np.where(np.isfinite(fit), fit, -np.inf) - ((shape - USUAL[0]) / USUAL[1]) ** 2 / 2
    weights = np.exp(fit - fit.max()).sum(axis=1)
    weights, scale = np.append((1 - power) * weights / weights.sum(), power), np.append(scale[fit.argmax(axis=1)], far[count])
    kept = weights > 1e-9
    return Tail(float(far[count]), weights[kept], np.append(SHAPES, 1.0)[kept], scale[kept])


def straightened(far: np.ndarray, *, most: int) -> np.ndarray:
    """Distances from the middle, largest first (m,), on a scale on which their tail is exponential of mean one: the mean of
    those of its laws. Logarithms over their mean excess of fewer than 60."""
    tail, count = tail_of(far, most=most), len(far) // 2
    if tail is not None:
        return tail.weights @ tail.straight(far)
    if not count:
        return np.zeros(len(far))
    logs = np.log(far / far[count])
    return logs / max(float(logs[:count].mean()), 1e-12)


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
    return _surest(np.sort(u)[::-1][None], np.ones(1), most, window)


def tail_gap(far: np.ndarray, tail: Tail, *, most: int, window: int = WINDOW) -> tuple[int, float]:
    """As `widest_gap`, for distances from the middle, largest first (m,), of which the tail may follow several laws: the chance
    is the mean over them."""
    return _surest(tail.straight(far[:most + window + 1]), tail.weights, most, window)


def _surest(orders: np.ndarray, weights: np.ndarray, most: int, window: int) -> tuple[int, float]:
    """`widest_gap` over several scales, orders (S, m) falling, of these weights (S,)."""
    most = min(most, orders.shape[1] - window - 1)
    if most < 1:
        return 0, 1.0
    k, place = np.arange(1, most + 1), np.arange(1, most + window + 1)
    inverse = np.concatenate([[0.0], np.cumsum(1 / place)])
    ratios = np.stack([_ratios(order[:most + window + 1], float(order[-1]), k, window) for order in orders])
    rough = -np.log1p(ratios * (1 - k * (inverse[k + window] - inverse[k]) / window))
    likely = np.argsort(weights @ rough, kind="stable")[:TRIED]
    weight = np.arange(1, window + 1) / (k[likely, None] + np.arange(1, window + 1))
    chance = weights @ np.exp(-np.log1p(ratios[:, likely, None] * weight).sum(axis=-1))
    best = int(chance.argmin())
    return int(likely[best]) + 1, float(chance[best] * most)


def _ratios(order: np.ndarray, last: float, k: np.ndarray, window: int) -> np.ndarray:
    """(most,) t of each k: its spacing over the sum of the tail's own next `window`."""
    least = 1e-9 * (1e-300 + abs(order[0]) + abs(last))
    gap = order[:-1] - order[1:]
    step = gap[gap > least]
    sums, ranked = (np.concatenate([[0.0], np.cumsum(x)]) for x in (gap, gap * np.arange(1, len(order))))
    beside = (ranked[k + window] - ranked[k]) - k * (sums[k + window] - sums[k])
    own = np.maximum(gap[:len(k)] - (step.min() if len(step) else 0.0), 0.0) * k
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(beside > 0, own / beside, 0.0)
