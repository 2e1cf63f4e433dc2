"""Numbers that lie far from what their inputs say: for the look, and for a person who measures anew."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gnomon.analyses.explore._aim import Aim, folds_of
from gnomon.analyses.explore._lapses import CLAIMED, TWICE, out_of_fold
from gnomon.analyses.explore._leaks import rank_correlation
from gnomon.analyses.explore._tails import evened, limits

LEVELS = 30  # of a number target; a grade of few levels has rare levels, not wrong values
UNTOLD = f"the target has fewer than {LEVELS} levels, or the inputs say nothing about it that could be contradicted"
SIGNAL = 3.1  # spreads above zero (one-sided p of 0.001) from which predictions and targets go together
FEW = 0.02  # of the residuals lie beyond the tail that the others lead to, where wrong values are the matter
AGAIN = 2  # rounds after the first


@dataclass(frozen=True)
class Misfits:
    """told: the inputs say enough to be contradicted; guess (m,): what they say of each row, in the target's units; doubt (m,):
    how far its value lies from that, in typical distances of rows with a like guess; order (m,): places, those to be doubted
    first; stands: some lie beyond the tail that the others lead to, `beyond` of them plainly; far: how many lie beyond a normal
    law."""

    told: bool
    guess: np.ndarray
    doubt: np.ndarray
    order: np.ndarray
    stands: bool
    beyond: int
    far: int


def misfits(view: np.ndarray, aim: Aim, seed: int) -> Misfits:
    """Guesses out of fold, of skewed positive values in logarithms."""
    values, logged = evened(aim.values)
    middle, scale = float(np.median(values)), float(np.std(values)) or 1.0
    values = (values - middle) / scale  # models and floors know the scale of one
    aim = replace(aim, values=values)
    guess = out_of_fold(view, aim, folds_of(len(aim), seed, "labels"), seed)
    told = len(np.unique(values)) >= LEVELS and rank_correlation(values, guess) * np.sqrt(len(aim)) >= SIGNAL
    residual = by_local_spread(values - guess, guess)
    low, high, low_sure, high_sure = limits(residual, 0.01)
    plain = (residual < low) | (residual > high)
    stands = bool(told and ((residual < low_sure) | (residual > high_sure)).any() and plain.mean() <= FEW)
    if told:
        guess = _again(view, aim, guess, seed)
        residual = by_local_spread(values - guess, guess)
    # between the residual as it is and in spreads of its like: where few rows tell the spread, neither order is the better
    order = np.argsort(-np.abs(residual * (values - guess)), kind="stable")
    beyond = int(plain.sum())
    if stands:  # what is plainly beyond comes first, whatever the second round makes of it
        order = np.concatenate([order[plain[order]], order[~plain[order]]])
    far = len(beyond_normal(residual))
    guess = guess * scale + middle
    return Misfits(bool(told), np.exp(guess) if logged else guess, np.abs(residual), order, stands, beyond, far)


def _again(view: np.ndarray, aim: Aim, guess: np.ndarray, seed: int) -> np.ndarray:
    """(m,) `guess` averaged with those of more rounds, each in other folds and taught without the rows that by then lie
    beyond a normal law, lest wrong numbers teach that they are right."""
    total, rounds = guess, AGAIN if len(aim) <= TWICE else 0
    for turn in range(rounds):
        mean = total / (turn + 1)
        far = beyond_normal(by_local_spread(aim.values - mean, mean))
        taught = ~np.isin(np.arange(len(aim)), far) | (len(far) > CLAIMED * len(aim))
        total = total + out_of_fold(view, aim, folds_of(len(aim), seed, "labels again", turn), seed, taught=taught)
    return total / (rounds + 1)


def beyond_normal(residual: np.ndarray) -> np.ndarray:
    """Places of the residuals (in typical ones, median absolute) so far out that a normal law of the body's spread explains at
    most half as many, and hardly by chance more (p < 0.01): a tail-area false discovery rate of one half, hard cases being as
    likely as wrong values (Efron 2004, JASA 99, with the null's spread taken from the data)."""
    from scipy.stats import norm, poisson

    size = np.abs(residual)
    order = np.argsort(-size, kind="stable")
    rank, explained = np.arange(1, len(size) + 1), 2 * norm.sf(size[order] / 1.4826) * len(size)
    within = np.flatnonzero((explained <= 0.5 * rank) & (poisson.sf(rank - 1, explained) < 0.01))
    return order[:within[-1] + 1] if len(within) else order[:0]


def by_local_spread(residual: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Residuals over the typical residual of rows with a like prediction (tenths), so that a fan is no fault; a tenth's middle
    and spread are drawn to what all tenths have in common as far as chance alone would part them (empirical Bayes)."""
    tenth = np.minimum(np.argsort(np.argsort(guess)) * 10 // len(guess), 9)
    parts = [residual[tenth == t] for t in range(10)]
    rows = np.array([len(part) for part in parts])
    middle = np.array([np.median(part) for part in parts])
    spread = np.array([np.median(np.abs(part - m)) for part, m in zip(parts, middle, strict=True)])
    spread = np.maximum(spread, max(0.2 * float(np.median(spread)), 1e-12))
    middle = _drawn_together(middle, 1.57 * (1.4826 * spread) ** 2 / rows)  # variance of a normal median: pi / 2 of the mean's
    spread = np.exp(_drawn_together(np.log(spread), 1.36 / rows))  # a normal median absolute deviation's, relative
    return (residual - middle[tenth]) / spread[tenth]


def _drawn_together(values: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """Each value between itself and the mean of all, by how much of their variance chance (`variance`) does not explain."""
    true = max(float(values.var(ddof=1)) - float(variance.mean()), 0.0)
    keep = true / (true + variance + 1e-300)
    return keep * values + (1 - keep) * values.mean()
