"""Whether some values follow the law of the others, a known distance away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

WIDE = 3.0  # scale of the stray values' law, in the main one's
MOST, POINTS = 2000, 600  # values that are fitted, evenly from all; points that stand for them, means of neighbours
FEWEST = 30  # values from which a law is fitted
TRIED = 3  # distances fitted in full, those that gain most while the main law is held
SHARES = (0.01, 0.03, 0.1)  # moved shares at which a distance is tried
SHAPE = (0.8, 8.0)  # of the main law: 1 Laplace, 2 normal, large even; heavier tails are the stray values'
NEVER = -40.0  # log odds that stand for none
FREE = 6.9  # log likelihood by which a moved law elsewhere, of another width may be better: chi-squared, 2 degrees, 0.1 %
EACH = np.log(2)  # least gain by each moved value, on average: a misfit of the main law gains a little on very many
FAR = np.log(100)  # distance from which it need not: a misfit lies near the body, and so do neighbouring populations


@dataclass(frozen=True)
class Moved:
    """gain: log likelihood ratio against nothing moved; place: of the distance; posterior (n,): that a value is moved."""

    gain: float
    place: int
    posterior: np.ndarray


def surprising(chance: float) -> float:
    """The gain that a given distance exceeds with this chance where nothing is moved: P(Z^2 / 2 > gain, Z > 0) (Chernoff)."""
    from scipy.stats import norm

    return float(norm.isf(chance)) ** 2 / 2


def moved(values: np.ndarray, distances: np.ndarray, *, least: float = 0.0,
          stands: Callable[[Moved], bool] = lambda hit: True) -> Moved | None:
    """The distance at which a moved share explains the values (n,) best, of those that gain more than `least` and of which the
    caller says that they stand: a few equal values may gain more than a second law. NaN take no part.

    Null: f = (1 - e) g + e w, g an exponential power law with a scale of its own on either side (Zhu & Zinde-Walsh 2009, J.
    Econometrics 148:86), w a Cauchy law of the same centre, WIDE times as wide, so that neither a skewed nor a light nor a
    heavy tail is taken for a second mode. Alternative: f = (1 - e - p) g(u) + p g(u - distance) + e w. Both by maximum
    likelihood; of 2 gain the null law is at most half a point mass, half chi-squared with one degree (Chernoff 1954).
    Laws are never exactly these: so the moved law must fit as well as one of any distance and width (FREE), and each moved
    value must tell unless it lies FAR away (EACH). Two populations that differ by just such a factor, in equal spreads, pass.
    """
    u, weight = _fewer(values[~np.isnan(values)])
    if len(u) < FEWEST or not np.ptp(np.percentile(u, [16, 84])):
        return None  # most are one value: no law to follow
    start = _start(u)
    null, plain = _fit(u, weight, start)
    tried = []
    for j in _likely((null, start), u, weight, distances):
        x, cost = min((_fit(u, weight, _placed(x, distances[j])) for x in (null, start)), key=lambda run: run[1])
        tried.append((plain - cost, int(j), x))
    for gain, place, x in sorted(tried, key=lambda one: -one[0]):
        each = EACH if abs(distances[place]) < FAR else 0.0
        if gain <= max(least, each * float(weight @ (_parts(x, u)[1][2] > 0.5))):
            continue
        hit = Moved(gain, place, np.nan_to_num(_parts(x, values)[1][2]))
        if stands(hit) and plain - _fit(u, weight, x, free=True)[1] <= gain + FREE:
            return hit
    return None


def _fewer(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(values sorted, their weights): at most POINTS of at most MOST, each the mean of neighbours."""
    u = np.sort(values[::max(1, -(-len(values) // MOST))])
    cuts = np.unique(np.linspace(0, len(u), min(POINTS, len(u)) + 1).astype(int))
    count = np.diff(cuts)
    return np.add.reduceat(u, cuts[:-1]) / count, count.astype(float)


def _start(u: np.ndarray) -> np.ndarray:
    """(centre, log scale below and above, log shape; distance and log scale of the moved law; log odds of stray and moved
    values against the others)."""
    low, middle, high = np.percentile(u, [16, 50, 84])
    least = max(1e-3 * (high - low), 1e-9)
    scales = np.log(1.3 * max(middle - low, least)), np.log(1.3 * max(high - middle, least))
    return np.array([middle, *scales, 0.5, 0.0, 0.0, -3.0, NEVER])


def _placed(x: np.ndarray, distance: float) -> np.ndarray:
    """The law with a few values moved so far."""
    return np.concatenate([x[:4], [distance, 0.0, -3.0, -3.0]])


def _likely(laws: tuple[np.ndarray, ...], u: np.ndarray, weight: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """Places of the TRIED distances that gain most while a law without moved values is held, and the best two of the other
    direction, if they gain at all. A fitted law may have been bent to hold the moved values, one read from quantiles is not."""
    gains = np.zeros((len(laws), len(distances)))
    for i, x in enumerate(laws):
        total = _parts(x, u)[0]
        for j in np.flatnonzero(np.abs(distances) < u[-1] - u[0]):
            ratio = np.exp(np.minimum(_main(x, u - distances[j])[0] - total, 500.0))
            gains[i, j] = max(float(weight @ np.log1p(p * (ratio - 1))) for p in SHARES)
    best = gains.max(axis=0)
    order = np.argsort(-best, kind="stable")
    first, rest = order[:TRIED], order[TRIED:]
    if len(set(np.sign(distances[first]))) == 1:
        first = np.append(first, rest[distances[rest] * distances[order[0]] < 0][:2])
    return first[best[first] > 1.0]


def _fit(u: np.ndarray, weight: np.ndarray, start: np.ndarray, *, free: bool = False) -> tuple[np.ndarray, float]:
    """(parameters of largest likelihood, its -log), the moved law held where it starts or free."""
    from scipy.optimize import minimize

    def cost(x: np.ndarray) -> tuple[float, np.ndarray]:
        total, share, slope = _parts(x, u)
        held = np.exp(x[6:]) / (1 + np.exp(x[6:]).sum())
        return -float(weight @ total), -np.append((share[:, None] * slope).sum(axis=0) @ weight,
                                                  (share[1:] - held[:, None]) @ weight)

    scale, slack = np.log(np.exp(start[1]) + np.exp(start[2])), 1.5 if free else 0.0
    odds = (NEVER, NEVER) if start[7] == NEVER else (-9.0, 0.0)
    bounds = [(u[0], u[-1]), *[(scale - 4, scale + 2)] * 2, tuple(np.log(SHAPE)), (start[4] - slack, start[4] + slack),
              (-slack, slack), (-9.0, 0.0), odds]
    best = minimize(cost, np.clip(start, *np.transpose(bounds)), jac=True, method="L-BFGS-B", bounds=bounds,
                    options={"maxiter": 80})
    return best.x, float(best.fun)


def _parts(x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(log density (n,), shares of main, stray and moved values in it (3, n), slopes of their logs (3, 6, n))."""
    laws = [_main(x, u), _stray(x, u), _moved(x, u)]
    odds = np.append(0.0, x[6:])
    logs = np.stack([law[0] for law in laws]) + (odds - np.log(np.exp(odds).sum()))[:, None]
    top = logs.max(axis=0)
    total = top + np.log(np.exp(logs - top).sum(axis=0))
    return total, np.exp(logs - total), np.stack([law[1] for law in laws])


def _main(x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log g of the exponential power law, and its slopes by the first six parameters."""
    from scipy.special import digamma, gammaln

    low, high, shape = np.exp(x[1:4])
    away, below = u - x[0], u < x[0]
    away = np.where(np.abs(away) < 1e-9 * (low + high), 1e-9 * (low + high), away)
    log = np.log(np.abs(away) / np.where(below, low, high))
    power = np.exp(np.minimum(shape * log, 500.0))
    steep, none = shape * power, np.zeros(len(u))
    value = -power - np.log(low + high) - gammaln(1 + 1 / shape)
    return value, np.stack([steep / away, steep * below - low / (low + high), steep * ~below - high / (low + high),
                            digamma(1 + 1 / shape) / shape - steep * log, none, none])


def _moved(x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log of g moved by x[4] and exp(x[5]) times as wide, and its slopes."""
    away = (u - x[0] - x[4]) / np.exp(x[5])
    value, slopes = _main(x, x[0] + away)
    pull = slopes[0] / np.exp(x[5])
    slopes[0], slopes[4], slopes[5] = pull, pull, slopes[0] * away - 1
    return value - x[5], slopes


def _stray(x: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """log w of the wide Cauchy law of the same centre, and its slopes."""
    low, high = np.exp(x[1:3])
    below, none = u < x[0], np.zeros(len(u))
    scale = WIDE * np.where(below, low, high)
    far = (u - x[0]) / scale
    pull = 2 * far**2 / (1 + far**2)
    value = -np.log1p(far**2) - np.log(np.pi / 2 * WIDE * (low + high))
    return value, np.stack([2 * far / (1 + far**2) / scale, pull * below - low / (low + high),
                            pull * ~below - high / (low + high), none, none, none])
