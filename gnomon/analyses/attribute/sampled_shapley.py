"""Shapley values of any predictor, from random orders in which pieces are taken away."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.attribute._game import game
from gnomon.card import Card
from gnomon.rng import stream

CARD = Card(
    name="Sampled Shapley values",
    gist="Takes the pieces away in random orders, each order also backwards, and averages each piece's step.",
    use_when="Any predictor; pieces work together, so that deleting one at a time says too little.",
    avoid_when="Trees (tree SHAP is exact), or pieces so correlated that half-deleted rows look like no data.",
    paper="Castro et al. 2009, Computers & OR 36; Strumbelj & Kononenko 2014, KAIS 41; Mitchell et al. 2022, arXiv:2104.12199",
    survey=("I6", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("number", "category", "image", "sequence", "molecule", "text", "date"),
    tune={"draws": (8, 16, 32, 64)},
    cost="seconds",
)


def sampled_shapley(model: Any, x: Any, target: Any, *, draws: int = 32, pieces: Any = None, baseline: Any = None,
                    seed: int = 0, chunk: int = 0) -> Any:
    """phi_k = mean over orders of output(pieces before k, and k) - output(pieces before k); x's shape.

    draws: orders a row, taken in pairs of an order and its reverse (antithetic; odd numbers are rounded up); the error
    falls with their root. model, x, target, pieces, baseline, chunk: as `_game.game`. Laws: a row's values add up to
    output(x) - output(baseline) exactly, for any draws; a piece that changes nothing gets exactly 0. The estimate is
    unbiased. Costs draws * (K - 1) + 2 runs a row.
    """
    with game(model, x, target, pieces=pieces, baseline=baseline, chunk=chunk) as played:
        return played.spread(of_pieces(played, draws=draws, seed=seed))


def of_pieces(played: Any, *, draws: int = 32, seed: int = 0) -> list[np.ndarray]:
    """The same of a Game or a Ground: one array a row. Rows share their orders' draws, not one another's fate."""
    counts = [len(p) for p in played.pieces]
    everyone = np.arange(len(played))
    full = played.without(everyone, [np.zeros(n, dtype=bool) for n in counts])
    none = played.without(everyone, [np.ones(n, dtype=bool) for n in counts])
    out = [np.zeros(n) for n in counts]
    pairs = max(1, -(-draws // 2))
    for pair in range(pairs):
        ranks = [stream(seed, "orders", pair, n).permutation(n) for n in counts]
        for way in ranks, [len(r) - 1 - r for r in ranks]:
            _one_order(played, way, full, none, out)
    return [total / (2 * pairs) for total in out]


def _one_order(played: Any, ranks: list[np.ndarray], full: np.ndarray, none: np.ndarray, out: list[np.ndarray]) -> None:
    """Add every piece's step. ranks[i][k]: when piece k of row i comes in."""
    middle = [max(len(r) - 1, 0) for r in ranks]  # coalitions that are neither empty nor whole
    rows = np.repeat(np.arange(len(ranks)), middle)
    gone = [mask for r, n in zip(ranks, middle, strict=True) for mask in r[None] > np.arange(n)[:, None]]
    told = np.split(played.without(rows, gone), np.cumsum(middle)[:-1])
    for i, rank in enumerate(ranks):
        if len(rank):
            out[i] += np.diff(np.concatenate([none[i:i + 1], told[i], full[i:i + 1]]))[rank]
