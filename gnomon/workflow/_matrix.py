"""Rows as plain numbers, for the checks that need a matrix: narrow features of each kind, sampled rows, main axes."""

from __future__ import annotations

import numpy as np

from gnomon.data.features._view import View, fit_view
from gnomon.data.table import Data
from gnomon.rng import stream

MATRIX_ROWS, AXES = 3000, 30
CHECK_VIEW = "properties+composition+kmers+words+style+texture"  # narrow features of each kind: enough to see the unlike


def matrix(data: Data, rows: np.ndarray, seed: int) -> tuple[View, np.ndarray, np.ndarray]:
    """(view, the rows sampled, their dense matrix) for checks that need plain numbers."""
    some = np.sort(stream(seed, "matrix").permutation(rows)[:MATRIX_ROWS])
    view = fit_view(data, some, data.inputs, CHECK_VIEW, dense=True, seed=seed)
    return view, some, np.asarray(view.transform(data, some), dtype=np.float32)


def matrices(data: Data, known: np.ndarray, new: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(matrix of known rows, of new rows, weight of its columns), by features learnt from the known."""
    view = fit_view(data, known, data.inputs, CHECK_VIEW, dense=True, seed=seed)
    known_x, new_x = (np.asarray(view.transform(data, rows), dtype=np.float32) for rows in (known, new))
    return known_x, new_x, weight_of(view)


def weight_of(view: View) -> np.ndarray:
    """(d,) What each column counts: 1, less in blocks of more than ten columns other than numbers, so that a block of words
    counts as ten."""
    wide = [1 if block.key == "numbers" else max(1.0, len(block.names) / 10) for block in view.blocks]
    return np.concatenate([np.full(len(b.names), 1 / np.sqrt(w)) for b, w in zip(view.blocks, wide, strict=True)])


def main_axes(x: np.ndarray, count: int, seed: int) -> np.ndarray:
    """The main axes of wide matrices: the cheap model needs no more."""
    if x.shape[1] <= count:
        return x
    from sklearn.decomposition import PCA

    return PCA(min(count, len(x) - 1), svd_solver="randomized", random_state=seed).fit_transform(x)


def axes_pair(a: np.ndarray, b: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Both (n, d) and (m, d) on the main axes of the two together."""
    both = main_axes(np.concatenate([a, b]), AXES, seed)
    return both[:len(a)], both[len(a):]
