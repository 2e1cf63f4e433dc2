"""Rows far closer to each other than the data's own density explains."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import discoveries

NEIGHBOURS = 10
CLOSE = 0.5  # a copy is nearer than half of the distance to the tenth neighbour
FEWEST = 3  # dimensions below which closeness proves nothing


def nearest(view: np.ndarray, count: int = NEIGHBOURS) -> tuple[np.ndarray, np.ndarray]:
    """(distances, indices), each (m, count): the nearest other rows, by brute force in blocks of bounded size."""
    m = len(view)
    count = min(count, m - 1)
    squares = (view.astype(np.float64) ** 2).sum(axis=1)
    distance, index = np.zeros((m, count)), np.zeros((m, count), dtype=np.int64)
    step = max(1, int(2e7 // m))
    for start in range(0, m, step):
        stop = min(start + step, m)
        block = squares[start:stop, None] + squares[None, :].astype(np.float32) - 2 * (view[start:stop] @ view.T)
        block[np.arange(stop - start), np.arange(start, stop)] = np.inf
        near = np.argpartition(block, count - 1, axis=1)[:, :count]
        exact = ((view[start:stop, None, :] - view[near]) ** 2).sum(axis=2, dtype=np.float64)
        order = np.argsort(exact, axis=1)
        distance[start:stop] = np.sqrt(np.take_along_axis(exact, order, axis=1))
        index[start:stop] = np.take_along_axis(near, order, axis=1)
    return distance, index


def dimension(distance: np.ndarray) -> float:
    """Intrinsic dimension from (m, k) sorted neighbour distances, the lower of two quantile estimates; 0 if unclear.

    In d dimensions u = log(k-th / nearest distance) is the largest of k - 1 exponential draws of rate d (the order
    statistics behind Levina & Bickel 2004; Facco et al. 2017), so its quantile at p is -log(1 - p^(1/(k-1))) / d. d is
    read from the median, and from the stretch between the median and the 75 % point: where density or dimension vary
    from place to place, u has a heavier tail than one d gives and the second is lower. A second below a quarter of the
    first is no such tail but a quarter of the rows having copies; then half of the first is taken.
    """
    usable = distance[:, 0] > 0
    if usable.sum() < 20:
        return 0.0
    u = np.log(distance[usable, -1] / distance[usable, 0])
    middle, high = (-np.log(1 - p ** (1 / (distance.shape[1] - 1))) for p in (0.5, 0.75))
    at = np.quantile(u, [0.5, 0.75])
    body, tail = middle / max(at[0], 1e-9), (high - middle) / max(at[1] - at[0], 1e-9)
    return float(body / 2 if tail < body / 4 else min(body, tail))


def too_close(view: np.ndarray, *, share: float = 1e-3) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Pairs (left, right) closer than chance, with the dimension and the ratio of distances that was the limit.

    In d dimensions the nearest of k neighbours lies within t times the distance of the k-th with probability
    1 - (1 - t^d)^(k-1). Rows where that is below what `share` of false discoveries allows are reported, if they are
    also within CLOSE of that distance: in many dimensions less would be no copy.
    """
    distance, index = nearest(view)
    d = dimension(distance)
    none = np.zeros(0, dtype=np.int64)
    if d < FEWEST or distance.shape[1] < 5:
        return none, none, d, 0.0
    ratio = distance[:, 0] / np.maximum(distance[:, -1], 1e-12)
    p = 1 - (1 - np.minimum(ratio, 1.0) ** d) ** (distance.shape[1] - 1)
    limit = min(CLOSE, (share / len(view) / NEIGHBOURS) ** (1 / d))
    rows = np.flatnonzero(discoveries(p, share) & (ratio < CLOSE))
    return rows, index[rows, 0], d, limit
