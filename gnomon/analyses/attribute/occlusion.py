"""Occlusion: take each piece of a row away in turn and see how the prediction changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.attribute._ground import Ground
from gnomon.card import Card

CARD = Card(
    name="Occlusion",
    gist="Deletes one piece at a time (patch, letter, word, atom, column) and records the fall of the output.",
    use_when="Any predictor, with or without gradient; on sequences it is in-silico mutagenesis.",
    avoid_when="Pieces stand in for one another: each alone then seems not to matter.",
    paper="Zeiler & Fergus 2014, arXiv:1311.2901; Zhou & Troyanskaya 2015, Nature Methods 12",
    survey=("I8", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("number", "category", "image", "sequence", "molecule", "text", "date"),
    cost="seconds",
)


def occlusion(ground: Any, *, draws: int = 3) -> list[np.ndarray]:
    """One array a row: for each piece, output(row) - output(row without that piece); positive pieces raise the output.

    ground: a `Ground`, or a `Game` of any module or function (`_game.game`). draws: random replacements averaged where
    deletion is random (sequence letters), else one.
    All rows and pieces are predicted in big batches.
    """
    counts = [len(p) for p in ground.pieces]
    rows = np.repeat(np.arange(len(ground)), counts)
    masks = [np.arange(n) == k for n in counts for k in range(n)]
    random = isinstance(ground, Ground) and any(c.spec.kind == "sequence" for c in ground.data.columns.values())
    left = np.mean([ground.without(rows, masks, draw) for draw in range(draws if random else 1)], axis=0)
    falls = ground.whole()[rows] - left
    return np.split(falls, np.cumsum(counts)[:-1])
