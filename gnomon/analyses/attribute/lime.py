"""LIME: a straight line fitted to the predictor around one row."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.attribute._game import game
from gnomon.card import Card
from gnomon.rng import stream

CARD = Card(
    name="LIME",
    gist="Deletes random sets of pieces and fits a weighted linear model to the outputs; its weights are the explanation.",
    use_when="Any predictor, when a local straight line is what is asked for and runs are cheap.",
    avoid_when="The width of the neighbourhood changes the answer: compare two widths; Shapley values have no such knob.",
    paper="Ribeiro, Singh & Guestrin 2016, arXiv:1602.04938",
    survey=("I6", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("number", "category", "image", "sequence", "molecule", "text", "date"),
    tune={"width": (0.25, 0.5, 0.75, 1.0), "samples": (256, 1024, 4096)},
    cost="seconds",
)


def lime(model: Any, x: Any, target: Any, *, samples: int = 1024, width: float = 0.75, pieces: Any = None,
         baseline: Any = None, seed: int = 0, chunk: int = 0) -> Any:
    """w of argmin sum_z k(z) (output(z) - w0 - w . z)^2, z in {0, 1}^K: all sets of pieces where `samples` allows, else
    even draws, the untouched row among them.

    k(z) = exp(-(1 - cos(z, 1))^2 / width^2). samples: altered copies a row, the same draws for all rows. width: small =
    only copies close to the row count. model, x, target, pieces, baseline, chunk: as `_game.game`. Returns x's shape.
    Law: on a linear model w * (x - baseline); on others an unused piece may get a little, which is the kernel's doing.
    Differs: no selection of a few pieces and no ridge; with fewer samples than pieces the shortest solution is taken.
    """
    with game(model, x, target, pieces=pieces, baseline=baseline, chunk=chunk) as played:
        return played.spread(of_pieces(played, samples=samples, width=width, seed=seed))


def of_pieces(played: Any, *, samples: int = 1024, width: float = 0.75, seed: int = 0) -> list[np.ndarray]:
    """The same of a Game or a Ground: one array a row."""
    counts = np.array([len(p) for p in played.pieces])
    out = [np.zeros(n) for n in counts]
    for count in np.unique(counts[counts > 0]):
        rows = np.flatnonzero(counts == count)
        there = _copies(int(count), samples, seed)
        told = played.without(np.repeat(rows, len(there)), np.tile(~there, (len(rows), 1))).reshape(len(rows), -1)
        for row, weights in zip(rows, _slopes(there.astype(float), told, width), strict=True):
            out[row] = weights
    return out


def _copies(count: int, samples: int, seed: int) -> np.ndarray:
    """(m, count) bool, which pieces a copy keeps: every set of them, once, where `samples` allows; else even draws."""
    if count <= 30 and 2**count <= samples:
        return (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1
    there = stream(seed, "lime", count).random((samples, count)) < 0.5
    there[0] = True
    return there


def _slopes(there: np.ndarray, told: np.ndarray, width: float) -> np.ndarray:
    """(rows, pieces): one factorisation for all rows."""
    closeness = np.sqrt(there.mean(axis=1))  # the cosine between z and all ones
    root = np.exp(-((1 - closeness) ** 2) / (2 * width**2))  # of the kernel
    design = np.concatenate([np.ones((len(there), 1)), there], axis=1)
    return (np.linalg.pinv(root[:, None] * design) @ (root[:, None] * told.T))[1:].T
