"""A power law through scores at several sizes, and how far it may be trusted one doubling ahead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.validate._bootstrap import draws
from gnomon.analyses.validate._scores import weighted
from gnomon.analyses.validate._units import scorable
from gnomon.rng import stream
from gnomon.tasks._task import Stats

POWERS = np.linspace(0.1, 1.5, 29)
DRAWS = 300
LARGEST = 3  # sizes whose single trainings tell the scatter at the end of the curve; small ones scatter more
LEVEL = 0.9


def errors_of(stats: list[list[Stats]], groups: list[np.ndarray], fold: list[int], seed: int, task_of: Callable[[Any], Any],
              up: bool) -> tuple[np.ndarray, np.ndarray]:
    """Errors (R, S) and their resamples (DRAWS, R, S): units of a fold drawn alike at all sizes, then repeats."""
    full, drawn = [], []
    for r, row in enumerate(stats):
        codes, g = scorable(row[0], groups[r])[1:]
        w = np.concatenate(list(draws(stream(seed, "curve draws", fold[r]), g, DRAWS)))
        scores = [weighted(task_of(s), scorable(s, groups[r])[0], codes, g) for s in row]
        full.append([s.full for s in scores])
        drawn.append(np.stack([s.of(w) for s in scores], axis=1))
    errors, boots = np.array(full), np.stack(drawn, axis=1)
    if up:
        errors, boots = 1 - errors, 1 - boots
    boots = np.where(np.isfinite(boots), boots, errors[None])
    pick = stream(seed, "curve repeats").integers(len(stats), size=(DRAWS, len(stats)))
    return errors, boots[np.arange(DRAWS)[:, None], pick]


@dataclass(frozen=True)
class Forecast:
    """now, then: fitted errors with all units and with twice as many; gain limits are predictive; law: n -> error."""

    now: float
    then: float
    gain_low: float
    gain_high: float
    noise: float
    law: Callable[[np.ndarray], np.ndarray]


def forecast(sizes: np.ndarray, errors: np.ndarray, drawn: np.ndarray, seed: int) -> Forecast | str:
    """Fit the law to errors (R, S) and to their resamples (B, R, S); a sentence where it cannot be supported."""
    if len(sizes) < 4 or not np.isfinite(errors).all():
        return "too few sizes could be scored"
    mean, boot = errors.mean(axis=0), drawn.mean(axis=1)
    if mean.min() <= 0:
        return "nothing is left to gain: the error is zero already"
    few = np.sqrt(len(errors) / max(1, len(errors) - 1))  # resampling R repeats understates their spread by this
    boot = np.maximum(mean + few * (boot - mean), 1e-3 * mean)
    single, free = scatter(errors[:, -LARGEST:])
    noise = single * np.sqrt(2 / len(errors))
    fits = [fit_law(sizes, np.concatenate([mean[None], boot]), level=free) for free in (True, False)]
    gains = np.stack([law(fit, sizes[-1]) - law(fit, 2 * sizes[-1]) for fit in fits])
    middle = [tuple(p[0] for p in fit) for fit in fits]
    share = _with_level(sizes, mean, middle, single / np.sqrt(len(errors)))
    gain = float(share * gains[0, 0] + (1 - share) * gains[1, 0])
    rng = stream(seed, "curve noise")
    drawn_gain = np.where(rng.random(len(boot)) < share, gains[0, 1:], gains[1, 1:])
    low, high = np.quantile(drawn_gain + rng.standard_t(free, size=len(boot)) * noise, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])

    def both(n: np.ndarray) -> np.ndarray:
        with_level, without = (a + b * np.asarray(n, float) ** -c for a, b, c in middle)
        return share * with_level + (1 - share) * without

    now = float(both(sizes[-1]))
    return Forecast(now, now - gain, float(min(low, gain)), float(max(high, gain)), float(noise), both)


def _with_level(sizes: np.ndarray, mean: np.ndarray, fits: list[tuple[Any, ...]], error: float) -> float:
    """Akaike weight of the law with a level a against the law without (one number fewer), given the points' error."""
    off = [(((a + b * sizes**-c - mean) / max(error, 1e-3 * mean[-1])) ** 2).sum() for a, b, c in fits]
    return float(1 / (1 + np.exp(np.clip((off[0] + 2 - off[1]) / 2, -50, 50))))


def scatter(errors: np.ndarray) -> tuple[float, int]:
    """sd of one training's error (R, S) about its repeat's level and the common curve, and its degrees of freedom."""
    left = errors - errors.mean(axis=0) - errors.mean(axis=1, keepdims=True) + errors.mean()
    free = max(1, (errors.shape[0] - 1) * (errors.shape[1] - 1))
    return float(np.sqrt((left**2).sum() / free)), free


def fit_law(sizes: np.ndarray, errors: np.ndarray, *, level: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(a, b, c), each (B,), of a + b n^-c nearest to errors (B, S) in relative error; a = 0 unless `level`.

    For each power c of a grid, a and b follow in closed form (not negative); the c of least error is taken.
    """
    w = 1 / np.maximum(errors, 1e-12) ** 2
    best = np.full(len(errors), np.inf)
    out = np.zeros((3, len(errors)))
    for c in POWERS:
        x = (sizes / sizes[-1]) ** -c
        a, b = _two(w, x, errors, level)
        off = (w * (a[:, None] + b[:, None] * x - errors) ** 2).sum(axis=1)
        better = off < best - 1e-15
        best = np.where(better, off, best)
        out = np.where(better, np.stack([a, b * sizes[-1] ** c, np.full(len(a), c)]), out)
    return out[0], out[1], out[2]


def _two(w: np.ndarray, x: np.ndarray, y: np.ndarray, level: bool) -> tuple[np.ndarray, np.ndarray]:
    """Weighted least squares of y on 1 and x, both coefficients at least 0; without the 1 unless `level`."""
    alone = (w * x * y).sum(1) / (w * x * x).sum(1)
    flat = (w * y).sum(1) / w.sum(1)
    if not level:
        return np.zeros(len(y)), np.maximum(alone, 0)
    s, sx, sxx, sy, sxy = w.sum(1), (w * x).sum(1), (w * x * x).sum(1), (w * y).sum(1), (w * x * y).sum(1)
    det = np.maximum(s * sxx - sx**2, 1e-300)
    a, b = (sxx * sy - sx * sxy) / det, (s * sxy - sx * sy) / det
    a, b = np.where(b < 0, flat, a), np.maximum(b, 0)
    return np.maximum(a, 0), np.where(a < 0, alone, b)


def law(fit: tuple[np.ndarray, np.ndarray, np.ndarray], n: float) -> np.ndarray:
    """The fitted errors at n units."""
    a, b, c = fit
    return a + b * n**-c
