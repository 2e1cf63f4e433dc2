"""Test rows whose nearest training row, as the network sees them, is almost the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import discoveries
from gnomon.analyses.explore._neighbours import CLOSE, FEWEST, NEIGHBOURS, dimension
from gnomon.analyses.represent._moments import finite
from gnomon.card import Card
from gnomon.errors import InputError

CARD = Card(
    name="Nearest neighbours across parts",
    gist="For every test row its nearest training rows in a representation; those too near to be chance are named.",
    use_when="After training: near copies across the split that raw inputs hide (crops, re-scans, paraphrases).",
    avoid_when="The representation has collapsed to the classes: rows of one class are then all alike; use an earlier layer.",
    paper="Barz & Denzler 2020, arXiv:1902.00423; Levina & Bickel 2004, NIPS 17",
    survey=("I12", "W8"),
    needs=("embed",),
    cost="seconds",
)
BLOCK = 2e7  # distances made at a time


@dataclass(frozen=True)
class Neighbours:
    """index, distance (m, k): of each test row, its nearest training rows, nearest first. close: test rows almost identical
    to a training row, closest (against its surroundings) first. dimension: of the training cloud, as its distances tell;
    below 3 closeness proves nothing and `close` holds exact copies only."""

    index: np.ndarray
    distance: np.ndarray
    close: np.ndarray
    dimension: float


def nearest_neighbours(train: Any, test: Any, *, count: int = NEIGHBOURS, share: float = 1e-3) -> Neighbours:
    """The nearest of train (n, d) to each row of test (m, d), Euclidean, by brute force in blocks.

    Rule for "almost identical": in D dimensions the nearest of k lies within t times the distance of the k-th with chance
    1 - (1 - t^D)^(k - 1); rows are named where this is below what `share` of false discoveries allows and t < 1/2, or the
    distance is 0. Scale: representations are taken as they come. Raises E-ACTIVATIONS when widths differ.
    """
    train, test = (finite(a).reshape(len(a), -1) for a in (train, test))
    if train.shape[1:] != test.shape[1:] or len(train) < 2 or not len(test):
        raise InputError("E-ACTIVATIONS", f"rows of one width were wanted; they are {train.shape} and {test.shape}",
                         do="take both from the same layer")
    count = min(count, len(train) - 1)
    distance, index = _nearest(train, test, count)
    zero = distance[:, 0] <= 1e-7 * max(float(np.median(distance[:, -1])), 1e-300)
    own, _ = _nearest(train, train[:: max(1, len(train) // 2000)], count + 1)
    d = dimension(own[:, 1:])
    ratio = distance[:, 0] / np.maximum(distance[:, -1], 1e-300)
    close = zero
    if d >= FEWEST and count >= 5:
        chance = 1 - (1 - np.minimum(ratio, 1.0) ** d) ** (count - 1)
        close = zero | (discoveries(chance, share) & (ratio < CLOSE))
    rows = np.flatnonzero(close)
    return Neighbours(index, distance, rows[np.argsort(ratio[rows], kind="stable")], d)


def _nearest(train: np.ndarray, test: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    squares = (train.astype(np.float64) ** 2).sum(axis=1)
    distance, index = np.zeros((len(test), count)), np.zeros((len(test), count), dtype=np.int64)
    step = max(1, int(BLOCK // len(train)))
    for start in range(0, len(test), step):
        some = test[start:start + step]
        block = squares[None] - 2 * (some @ train.T)
        near = np.argpartition(block, count - 1, axis=1)[:, :count]
        exact = np.stack([((some - train[near[:, j]]).astype(np.float64) ** 2).sum(axis=1) for j in range(count)], axis=1)
        order = np.argsort(exact, axis=1, kind="stable")
        distance[start:start + step] = np.sqrt(np.take_along_axis(exact, order, axis=1))
        index[start:start + step] = np.take_along_axis(near, order, axis=1)
    return distance, index
