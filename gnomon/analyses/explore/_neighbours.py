"""Rows far closer to each other than the data's own density explains."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import discoveries

NEIGHBOURS = 10


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
    """Intrinsic dimension (Levina & Bickel 2004, averaged as MacKay & Ghahramani advise) from (m, k) distances."""
    usable = distance[:, 0] > 0
    if usable.sum() < 20:
        return 0.0
    logs = np.log(distance[usable, -1:] / distance[usable, :-1])
    return float(1 / np.median(logs.mean(axis=1)))


def too_close(view: np.ndarray, *, share: float = 1e-3) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Pairs (left, right) closer than chance, with the dimension and the ratio of distances that was the limit.

    In d dimensions the nearest of k neighbours lies within t times the distance of the k-th with probability
    1 - (1 - t^d)^(k-1). Rows where that is below what `share` of false discoveries allows are reported; d is taken
    at half the measured value, because density and dimension vary from place to place.
    """
    distance, index = nearest(view)
    d = dimension(distance)
    none = np.zeros(0, dtype=np.int64)
    if d < 3 or distance.shape[1] < 5:
        return none, none, d, 0.0
    ratio = distance[:, 0] / np.maximum(distance[:, -1], 1e-12)
    p = 1 - (1 - np.minimum(ratio, 1.0) ** (d / 2)) ** (distance.shape[1] - 1)
    limit = (share / len(view) / NEIGHBOURS) ** (2 / d)
    keep = discoveries(p, share) & (ratio < 0.35)
    rows = np.flatnonzero(keep)
    return rows, index[rows, 0], d, limit
