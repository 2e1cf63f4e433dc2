"""Intervals over independent units: whole units are left out, never single rows of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from gnomon.rng import stream

FEWEST_UNITS = 3  # below this no interval is given
BLOCKS = 40  # units are left out one at a time up to so many, beyond that in so many random blocks


def t_limits(value: float, error: float, count: int, level: float = 0.95) -> tuple[float | None, float | None]:
    """value -+ t * error with count - 1 degrees of freedom; (None, None) below three units."""
    if count < FEWEST_UNITS or not np.isfinite(error):
        return None, None
    from scipy.stats import t

    reach = float(t.ppf(0.5 + level / 2, count - 1)) * error
    return float(value - reach), float(value + reach)


def mean_over_units(values: np.ndarray, units: np.ndarray) -> tuple[float, float | None, float | None]:
    """The mean of one number a row and its 95 % interval; rows of one unit move together (cluster t, G - 1)."""
    known = np.isfinite(values)
    values, units = np.asarray(values, dtype=float)[known], np.asarray(units)[known]
    if not len(values):
        return float("nan"), None, None
    mean = float(values.mean())
    _, place = np.unique(units, return_inverse=True)
    count = int(place.max()) + 1
    if count < FEWEST_UNITS:
        return mean, None, None
    sums = np.bincount(place, values - mean)
    error = float(np.sqrt(count / (count - 1) * (sums**2).sum())) / len(values)
    return mean, *t_limits(mean, error, count)


def left_out(units: np.ndarray, seed: int) -> list[np.ndarray]:
    """For the delete-a-block jackknife: the rows that stay when each block of units is left out."""
    names, place = np.unique(units, return_inverse=True)
    count = min(len(names), BLOCKS) if len(names) > 1 else 0  # without its only unit nothing would stay
    block = stream(seed, "jackknife").permutation(np.arange(len(names)) % max(count, 1))[place]
    return [np.flatnonzero(block != b) for b in range(count)]


def jackknife(score: Callable[[np.ndarray], float], whole: Sequence[int] | np.ndarray,
              stays: list[np.ndarray]) -> tuple[float, float | None, float | None]:
    """Any smooth score of rows and its 95 % interval (delete-a-block jackknife, t with blocks - 1 degrees of freedom;
    Efron & Tibshirani 1993, ch. 11). `score(index)` is the score of those rows."""
    value = score(np.asarray(whole))
    return value, *jackknife_limits(value, np.array([score(rows) for rows in stays]))


def jackknife_limits(value: float, scores: np.ndarray) -> tuple[float | None, float | None]:
    """The interval from the scores with each block left out; a block whose score is undefined does not count."""
    scores = scores[np.isfinite(scores)]
    count = len(scores)
    if count < FEWEST_UNITS:
        return None, None
    error = float(np.sqrt((count - 1) / count * ((scores - scores.mean()) ** 2).sum()))
    return t_limits(value, error, count)
