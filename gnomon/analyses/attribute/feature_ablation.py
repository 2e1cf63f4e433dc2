"""Feature ablation: groups of features set to a baseline, one group at a time."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.attribute._game import game
from gnomon.card import Card

CARD = Card(
    name="Feature ablation",
    gist="Sets one group of features at a time to a baseline and records the fall of the output.",
    use_when="The groups have a meaning (a channel, a sensor, a block of columns) and one run a group is affordable.",
    avoid_when="Groups stand in for one another, or the baseline is a value the model never saw: use Shapley values.",
    paper="Kokhlikyan et al. 2020, arXiv:2009.07896; Zeiler & Fergus 2014, arXiv:1311.2901",
    survey=("I8", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("number", "category", "image", "sequence", "molecule", "text", "date"),
    cost="seconds",
)


def feature_ablation(model: Any, x: Any, target: Any, *, pieces: Any = None, baseline: Any = None, chunk: int = 0) -> Any:
    """output(x) - output(x without piece k), for every piece, dealt evenly over the piece's elements.

    model, x, target, pieces, baseline, chunk: as `_game.game` has them: any predictor, (B, ...) rows, groups as whole
    numbers. Returns x's shape. Law: on a linear model w it is w * (x - baseline). K runs a row.
    """
    with game(model, x, target, pieces=pieces, baseline=baseline, chunk=chunk) as played:
        return played.spread(of_pieces(played))


def of_pieces(played: Any) -> list[np.ndarray]:
    """The same of a Game or a Ground: one array a row."""
    counts = [len(p) for p in played.pieces]
    rows = np.repeat(np.arange(len(played)), counts)
    left = played.without(rows, [mask for n in counts for mask in np.eye(n, dtype=bool)])
    return np.split(played.whole()[rows] - left, np.cumsum(counts)[:-1])
