"""Rows far closer to each other than the data's own density explains."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import discoveries
from gnomon.analyses.explore._tails import widest_gap

NEIGHBOURS = 10
CLOSE = 0.5  # a copy is nearer than half of the distance to the tenth neighbour
SHIFT = 1  # pixels of a thumbnail that copies of an image may be moved by
DISTINCT = 0.9  # share of distinct ratios of distances below which rows lie on a grid
SPACINGS = 60  # next to a gap that it is set against: families of copies may be many
BESIDE = (20, 60)  # rows beyond a crowd that its number is set against
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


def aligned(images: np.ndarray) -> np.ndarray:
    """(m, h, w): grey images less their mean, of norm one, so that brightness and contrast do not matter."""
    images = images - images.mean(axis=(1, 2), keepdims=True)
    return images / np.maximum(np.linalg.norm(images, axis=(1, 2), keepdims=True), 1e-6)


def shifted_nearest(images: np.ndarray, count: int = NEIGHBOURS) -> tuple[np.ndarray, np.ndarray]:
    """As `nearest`, for images (m, h, w), each pair at the best of nine shifts by up to SHIFT pixels.

    Candidates are twice as many neighbours by images blurred over the shift; they are then compared on what overlaps.
    """
    from scipy.ndimage import uniform_filter

    blurred = aligned(uniform_filter(images, (0, 2 * SHIFT + 1, 2 * SHIFT + 1)))
    _, near = nearest(blurred.reshape(len(images), -1), 2 * count)
    inner = aligned(images[:, SHIFT:-SHIFT, SHIFT:-SHIFT]).reshape(len(images), -1)
    h, w = (s - 2 * SHIFT for s in images.shape[1:])
    best = np.full(near.shape, -1.0)
    for dy in range(2 * SHIFT + 1):
        for dx in range(2 * SHIFT + 1):
            moved = aligned(images[:, dy:dy + h, dx:dx + w]).reshape(len(images), -1)
            for start in range(0, len(images), 256):
                part = slice(start, start + 256)
                best[part] = np.maximum(best[part], np.einsum("ip,ikp->ik", inner[part], moved[near[part]]))
    distance = np.sqrt(np.maximum(2 - 2 * best, 0.0))  # of two vectors of norm one
    order = np.argsort(distance, axis=1)[:, :count]
    return np.take_along_axis(distance, order, axis=1), np.take_along_axis(near, order, axis=1)


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


def too_close(distance: np.ndarray, index: np.ndarray, *, share: float = 1e-3, comparable: bool = False
              ) -> tuple[np.ndarray, np.ndarray, float, float]:
    """Pairs (left, right) closer than chance, with the dimension and the ratio of distances that was the limit.

    distance, index (m, k): the nearest other rows of each row, nearest first. In d dimensions the nearest of k lies
    within t times the distance of the k-th with probability 1 - (1 - t^d)^(k-1), and -log of the nearest distance has an
    exponential tail whatever d is. Where distances are `comparable` from place to place, rows are reported whose nearest lies
    below a gap of these distances, or in a crowd of small ones when the ratios are one too; but not in a dense place, where
    the ratios of these rows, taken together, are as elsewhere. Where none are, those whose ratio t is below what `share` of
    false discoveries allows, below a gap or in a crowd. Only within CLOSE of the k-th distance: in many dimensions less would
    be no copy. Every neighbour of a reported row within the largest distance or ratio reported is tied to it.
    """
    none = np.zeros(0, dtype=np.int64)
    alone = _once(index)
    ratios = np.minimum(distance / np.maximum(distance[:, -1:], 1e-12), 1.0)
    ratio = ratios[:, 0]
    few = distance.shape[1] < 5
    limit, crowded = (-1.0, 1.0) if few else _dense(ratio[alone], share)
    reach = _dense(distance[alone, 0], share, crowded)[0] if comparable and not few else -1.0
    hit = (distance[:, 0] <= reach) & (ratio < CLOSE)
    d = dimension(distance[~hit])  # copies make any cloud look flat
    if d < FEWEST or few:
        return none, none, d, 0.0
    near = (distance <= reach) & (ratios < CLOSE)
    p = 1 - (1 - ratio**d) ** (distance.shape[1] - 1)
    if not _together(p[alone & (distance[:, 0] <= reach)]) < share:
        hit = (discoveries(p, share) | (ratio <= limit)) & (ratio < CLOSE)
        near = ratios <= ratio[hit].max(initial=-1.0)
    row, place = np.nonzero(near & hit[:, None])
    return row, index[row, place], d, min(CLOSE, (share / len(distance) / NEIGHBOURS) ** (1 / d))


def _together(p: np.ndarray) -> float:
    """The chance of these p-values (k,) taken together (Fisher 1932); 1 of none."""
    from scipy.stats import chi2

    return float(chi2.sf(-2 * np.log(np.maximum(p, 1e-300)).sum(), 2 * len(p))) if len(p) else 1.0


def _once(index: np.ndarray) -> np.ndarray:
    """bool: the rows, of two that are nearest to each other the first."""
    rows = np.arange(len(index))
    return ~((index[index[:, 0], 0] == rows) & (rows > index[:, 0]))


def _dense(near: np.ndarray, level: float, least: float = 0.0) -> tuple[float, float]:
    """(the largest of near (n,) below a gap or of a crowd, whichever surprises more, -1 when neither does; the chance of the
    crowd). least: what that chance is at least. On a grid of few levels they repeat, and its steps are gaps by design."""
    once = np.sort(near)
    if len(np.unique(np.round(once, 6))) < DISTINCT * len(once):
        return -1.0, 1.0
    most, window = len(once) // 5, min(SPACINGS, len(once) // 3)
    gap, (many, chance) = widest_gap(-np.log(np.maximum(once, 1e-9)), most=most, window=window), crowd(once, most=most)
    count, surprise = min(gap, (many, max(chance, least)), key=lambda one: one[1])
    return float(once[count - 1]) if 2 * surprise < level else -1.0, chance


def crowd(near: np.ndarray, *, most: int) -> tuple[int, float]:
    """(how many of the smallest of near (n,), sorted, surprise most by their number, the chance of that among all tried).

    Copies in a set that has close rows of its own end in no gap. Yet wherever FEWEST dimensions or more vary, however many
    they are from place to place, the ratios within r number N(r) = sum_i c_i r^d_i, d_i >= FEWEST (Grassberger & Procaccia
    1983, Physica D 9:189): at most (r / R)^FEWEST of those within R. Given that the m-th smallest lies at R, k of the m - 1
    before it lie within r by chance with probability P(Bin(m - 1, (r / R)^FEWEST) >= k); m = k + each of BESIDE.
    """
    from scipy.stats import binom

    best, tried = (0, 1.0), 0
    for window in BESIDE:
        k = np.arange(2, min(most, len(near) - window) + 1)
        if len(k):
            inside = (near[k - 1] / np.maximum(near[k + window - 1], 1e-300)) ** FEWEST
            chance = binom.sf(k - 1, k + window - 1, inside)
            best, tried = min(best, (int(k[chance.argmin()]), float(chance.min())), key=lambda one: one[1]), tried + len(k)
    return best[0], max(tried, 1) * best[1]
