"""Occlusion: take each piece of a row away in turn and see how the prediction changes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from gnomon.analyses.attribute._game import game
from gnomon.analyses.attribute._ground import GRID, Ground
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


def occlusion(model: Any, x: Any, target: Any, *, window: int = 0, stride: int = 0, baseline: Any = None,
              chunk: int = 0) -> Any:
    """Mean over the windows that cover an element of [output(x) - output(x without the window)] / the window's elements.

    model, x, target, baseline, chunk: as `_game.game` has them: any predictor, (B, ...) rows. window: the side of what is
    taken away, over all channels: of images (B, C, H, W) and signals (B, C, L); 0 = an eighth of the longest side; of
    tables (B, d) neighbouring columns, 0 = one. stride: how far the window moves, in elements; 0 = its own side, so that
    windows do not overlap. Returns x's shape. Laws: windows of one element give w * (x - baseline) on a linear model; those
    that do not overlap give what feature_ablation gives for them. Costs about the places / stride^dimensions runs a row.
    Differs: the paper draws the output at each place of the window; here a fall is dealt evenly over the window.
    """
    grids, total = _grids(tuple(x.shape[1:]), window, stride), 0
    for labels in grids:
        with game(model, x, target, pieces=labels, baseline=baseline, chunk=chunk) as played:
            total = total + played.spread(of_pieces(played))
    return total / len(grids)


def _grids(shape: tuple[int, ...], window: int, stride: int) -> list[np.ndarray]:
    """A numbering of windows for each way of shifting them, of a row's last dimensions; within one none overlap."""
    sides = shape if len(shape) == 1 else shape[1:]
    side = window or (1 if len(shape) == 1 else -(-max(sides) // GRID))
    out = []
    for shift in itertools.product(*(range(0, min(side, n), stride or side) for n in sides)):
        labels = np.zeros((), dtype=np.int64)
        for n, s in zip(sides, shift, strict=True):
            along = (np.arange(n) + (side - s if s else 0)) // side
            labels = labels[..., None] * (along[-1] + 1 - along[0]) + (along - along[0])
        out.append(labels)
    return out


def of_pieces(played: Any, *, draws: int = 3) -> list[np.ndarray]:
    """The same of the pieces of a `Ground` or a `Game`: one array a row, output(row) - output(row without that piece).

    draws: random replacements averaged where deletion is random (sequence letters), else one. All rows and pieces are
    predicted in big batches.
    """
    counts = [len(p) for p in played.pieces]
    rows = np.repeat(np.arange(len(played)), counts)
    masks = [np.arange(n) == k for n in counts for k in range(n)]
    random = isinstance(played, Ground) and any(c.spec.kind == "sequence" for c in played.data.columns.values())
    left = np.mean([played.without(rows, masks, draw) for draw in range(draws if random else 1)], axis=0)
    falls = played.whole()[rows] - left
    return np.split(falls, np.cumsum(counts)[:-1])
