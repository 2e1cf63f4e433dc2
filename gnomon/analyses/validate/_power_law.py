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

POWERS = np.array([0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.7, 1.0, 1.5])
REDUCIBLE = np.linspace(0, 1, 101) ** 2  # the share of the present error that more data would take away in the end
USUAL = 0.08  # of the error: what a doubling brought on average over 58 curves of 29 data sets that no claim rests on
DRAWS, TAKEN = 300, 2000
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
    """now, then: errors with all units and with twice as many; gain limits are predictive, and no more than `now` is
    ever gained; law: n -> error."""

    now: float
    then: float
    gain_low: float
    gain_high: float
    noise: float
    law: Callable[[np.ndarray], np.ndarray]


def forecast(sizes: np.ndarray, errors: np.ndarray, drawn: np.ndarray, seed: int, whole: int | None = None) -> Forecast | str:
    """Judge the laws by errors (R, S) and their resamples (B, R, S); a sentence where they support no forecast.

    whole: the different trainings behind the R errors with all units, R unless said: repeats of one fold share theirs.
    """
    if len(sizes) < 4 or not np.isfinite(errors).all():
        return "too few sizes could be scored"
    mean, boot = errors.mean(axis=0), drawn.mean(axis=1)
    if mean.min() <= 0:
        return "nothing is left to gain: the error is zero already"
    few = np.sqrt(len(errors) / max(1, len(errors) - 1))  # resampling R repeats understates their spread by this
    boot = np.maximum(mean + few * (boot - mean), 1e-2 * mean)
    repeats, whole = len(errors), len(errors) if whole is None else whole
    end = len(sizes) if whole == repeats else -1  # errors of one training tell no scatter
    single, free = scatter(errors[:, :end][:, -LARGEST:])
    noise = single * np.sqrt(2 / whole)
    share = (single / mean[-1]) ** 2
    cov = (np.cov(np.log(boot).T) + share / repeats * np.eye(len(sizes))) / 2  # few repeats resampled leave directions too sure
    cov[-1, -1] += share * (1 / whole - 1 / repeats)
    weights = posterior(sizes, mean, cov)
    gains = _shares() * mean[-1]
    rng = stream(seed, "curve noise")
    told = gains.ravel()[rng.choice(weights.size, TAKEN, p=weights.ravel())]
    low, high = np.quantile(told + rng.standard_t(free, size=TAKEN) * noise, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    gain, now = float((weights * gains).sum()), float(mean[-1])

    def law(n: np.ndarray) -> np.ndarray:
        return now * np.tensordot(weights, shapes(np.asarray(n, float) / sizes[-1]), 2)

    return Forecast(now, now - gain, float(min(low, gain)), float(min(max(high, gain), now)), float(noise), law)


def posterior(sizes: np.ndarray, mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Weights (C, U), summing to 1, of the laws e(n) = e(N) [1 - u + u (n / N)^-c], c of POWERS and u of REDUCIBLE.

    e = a + b n^-c with a, b >= 0 is this with u = b N^-c / e(N). Likelihood: the logarithms of the mean errors (S,) are
    normal about the law's with covariance `cov` (S, S), e(N) free. Prior: every c alike, and given c the share
    g = u (1 - 2^-c) that a doubling takes away falls off as exp(-g / 0.08). A fit alone takes the luck of single
    trainings for gains, for none of its laws rises.
    """
    precise = np.linalg.inv(cov + 1e-6 * max(np.trace(cov), 1e-12) * np.eye(len(mean)))
    away = np.log(mean) - np.log(shapes(sizes / sizes[-1]))  # (C, U, S)
    flat = precise.sum(axis=1)
    away = away - ((away @ flat) / flat.sum())[..., None]
    off = np.einsum("cus,st,cut->cu", away, precise, away)
    prior = np.exp(-_shares() / USUAL) * np.gradient(REDUCIBLE)
    weights = np.exp(-(off - off.min()) / 2) * prior / prior.sum(axis=1, keepdims=True)
    return weights / weights.sum()


def shapes(x: np.ndarray) -> np.ndarray:
    """(C, U, S) every law's error at x (S,) = n / N, in shares of that at N."""
    return 1 + REDUCIBLE[None, :, None] * (np.asarray(x)[None, None] ** -POWERS[:, None, None] - 1)


def _shares() -> np.ndarray:
    """(C, U) the share of the present error that a doubling takes away under every law."""
    return REDUCIBLE[None] * (1 - 2.0 ** -POWERS[:, None])


def scatter(errors: np.ndarray) -> tuple[float, int]:
    """sd of one training's error (R, S) about its repeat's level and the common curve, and its degrees of freedom."""
    left = errors - errors.mean(axis=0) - errors.mean(axis=1, keepdims=True) + errors.mean()
    free = max(1, (errors.shape[0] - 1) * (errors.shape[1] - 1))
    return float(np.sqrt((left**2).sum() / free)), free
