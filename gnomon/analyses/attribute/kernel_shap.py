"""Shapley values of any predictor, as the weighted regression of outputs on which pieces are there."""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np

from gnomon.analyses.attribute._game import game
from gnomon.card import Card
from gnomon.rng import stream

CARD = Card(
    name="Kernel SHAP",
    gist="Fits an additive model to the outputs of many half-deleted rows, weighted so that its terms are Shapley values.",
    use_when="Any predictor with few pieces: below a dozen or so it is exact; with more it uses runs well.",
    avoid_when="Many pieces and few samples: the regression is then badly posed; sampled Shapley degrades more gently.",
    paper="Lundberg & Lee 2017, arXiv:1705.07874; Covert & Lee 2021, arXiv:2012.01536",
    survey=("I6", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("number", "category", "image", "sequence", "molecule", "text", "date"),
    tune={"samples": (256, 1024, 4096)},
    cost="seconds",
)


def kernel_shap(model: Any, x: Any, target: Any, *, samples: int = 1024, pieces: Any = None, baseline: Any = None,
                seed: int = 0, chunk: int = 0) -> Any:
    """argmin over phi of sum_z p(|z|) (output(z) - output(none) - z . phi)^2 where sum phi = output(all) - output(none).

    The kernel is p(s) = (K - 1) / (C(K, s) s (K - s)). samples: coalitions a row; where 2^K - 2 is no more, all are taken
    and the values are exact; else they are drawn by the kernel in pairs of a coalition and its complement, the same for
    all rows. model, x, target, pieces, baseline, chunk: as `_game.game`. Returns x's shape. Raises nothing of its own.
    Differs: small coalitions are drawn too, where the authors' code lists them first.
    """
    with game(model, x, target, pieces=pieces, baseline=baseline, chunk=chunk) as played:
        return played.spread(of_pieces(played, samples=samples, seed=seed))


def of_pieces(played: Any, *, samples: int = 1024, seed: int = 0) -> list[np.ndarray]:
    """The same of a Game or a Ground: one array a row."""
    counts = np.array([len(p) for p in played.pieces])
    out = [np.zeros(n) for n in counts]
    for count in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == count)
        for row, phi in zip(rows, _values(played, rows, int(count), samples, seed), strict=True):
            out[row] = phi
    return out


def _values(played: Any, rows: np.ndarray, count: int, samples: int, seed: int) -> np.ndarray:
    """(len(rows), count) of rows with as many pieces."""
    full = played.without(rows, np.zeros((len(rows), count), dtype=bool))
    none = played.without(rows, np.ones((len(rows), count), dtype=bool))
    if count == 1:
        return (full - none)[:, None]
    there, weight = coalitions(count, samples, seed)
    told = played.without(np.repeat(rows, len(there)), np.tile(~there, (len(rows), 1))).reshape(len(rows), -1)
    return _solved(there.astype(float), weight, told - none[:, None], full - none)


def coalitions(count: int, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(m, count) bool, who is there, and (m,) weights: all, weighted by the kernel, or a draw by it, weighted evenly."""
    if count <= 30 and 2**count - 2 <= samples:
        there = (np.arange(1, 2**count - 1)[:, None] >> np.arange(count)) & 1 == 1
        sizes = there.sum(axis=1)
        table = np.array([0.0, *[(count - 1) / (comb(count, s) * s * (count - s)) for s in range(1, count)]])
        return there, table[sizes]
    dice, pairs = stream(seed, "coalitions", count), max(1, samples // 2)
    size = np.arange(1, count)
    share = 1 / (size * (count - size))
    drawn = dice.choice(size, pairs, p=share / share.sum())
    there = dice.random((pairs, count)).argsort(axis=1).argsort(axis=1) < drawn[:, None]
    return np.concatenate([there, ~there]), np.ones(2 * pairs)


def _solved(there: np.ndarray, weight: np.ndarray, told: np.ndarray, total: np.ndarray) -> np.ndarray:
    """Least squares with the sum held to `total` (a Lagrange multiplier); the shortest solution where runs are too few."""
    inverse = np.linalg.pinv(there.T @ (weight[:, None] * there), hermitian=True)
    free = told @ (weight[:, None] * there) @ inverse
    toward = inverse.sum(axis=1)
    return free + (total - free.sum(axis=1))[:, None] * toward / toward.sum()
