"""CKA: how alike two representations of the same rows are, by which rows each holds similar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from gnomon.analyses.represent._moments import Moments, moments, pair, pieces
from gnomon.card import Card
from gnomon.rng import stream

CARD = Card(
    name="CKA",
    gist="Compares which rows two representations hold similar: linear or RBF kernels, whole or by unbiased minibatches.",
    use_when="Comparing layers, seeds, models, training times of any widths; unbiased=True when units are many against rows.",
    avoid_when="A few directions of large variance carry all the likeness (outlying units): look at SVCCA or PWCCA beside it.",
    paper="Kornblith, Norouzi, Lee & Hinton 2019, arXiv:1905.00414; Nguyen, Raghu & Kornblith 2021, arXiv:2010.15327; "
          "Song, Smola, Gretton, Bedo & Borgwardt 2012, JMLR 13",
    survey=("I13", "W8"),
    tune={"width": (0.2, 0.4, 0.8)},
    cost="seconds",
)
ROWS_FOR_WIDTH = 1000  # rows whose distances set the width of the RBF kernel
BLOCK, BLOCK_BYTES = 512, 16_000_000  # rows of a block of a kernel matrix, which is never whole; of the rows it is made from
FEWEST = 4  # rows the unbiased estimator needs


def cka(x: Any, y: Any, *, kernel: Literal["linear", "rbf"] = "linear", unbiased: bool = False, batch: int = 0,
        width: float = 0.5, seed: int = 0) -> float:
    """Centred kernel alignment of x (n, p) and y (n, q): 1 = the same up to rotation and scale, 0 = unrelated.

    Equation: CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)); K_ij = x_i . x_j, or exp(-|x_i - x_j|^2 / 2 s^2) with s =
    `width` times the median distance. Linear: |X'Y|^2 / (|X'X| |Y'Y|), Frobenius norms, columns centred.
    unbiased: the U-statistic HSIC_1 of Song et al. instead (then CKA may leave 0..1 slightly, and is near 0 for unrelated
    representations even of few rows). batch: mean of HSIC_1 over batches of so many rows, dealt by `seed`, in numerator and
    denominator (Nguyen et al.); implies unbiased; 0 = all rows at once.

    Linear CKA works on p x q moments, in one or two passes over the rows, so memory-mapped arrays larger than memory are
    read in pieces; where units outnumber rows, and for RBF without `batch`, kernels are made block by block from pieces of
    the rows as they are stored: time n^2, memory at most 100 MB and six numbers a row, whatever n and the file's size (rows of
    over 100,000 units take more). 0 where a representation never varies. Raises E-ACTIVATIONS.
    """
    x, y = pair(x, y, FEWEST if unbiased or batch else 2)
    if batch:
        found = _by_batches(x, y, kernel, batch, width, seed)
    elif kernel == "linear" and max(x.shape[1], y.shape[1]) <= len(x):
        m = moments(x, y)
        found = _features_unbiased(x, y, m) if unbiased else np.array([(s**2).sum() for s in (m.xy, m.xx, m.yy)])
    else:
        found = _hsic(_Kernel(x, kernel, width, seed), _Kernel(y, kernel, width, seed), unbiased)
    return _ratio(found)


def _ratio(found: np.ndarray) -> float:
    """HSIC of (xy, xx, yy) to CKA."""
    size = found[1] * found[2]
    return float(found[0] / np.sqrt(size)) if found[1] > 0 and found[2] > 0 and size > 0 else 0.0


def _features_unbiased(x: np.ndarray, y: np.ndarray, m: Moments) -> np.ndarray:
    """HSIC_1 of linear kernels from moments: with centred rows, row i of K without its diagonal sums to -|x_i|^2."""
    n, sums, dots = len(x), np.zeros(2), np.zeros(3)
    for part_x, part_y in pieces(x, y):
        a = ((part_x - m.mean_x) ** 2).sum(axis=1)
        b = ((part_y - m.mean_y) ** 2).sum(axis=1)
        sums += (a.sum(), b.sum())
        dots += (a @ b, a @ a, b @ b)
    traces = np.array([(s**2).sum() for s in (m.xy, m.xx, m.yy)]) - dots
    totals = np.array([sums[0] * sums[1], sums[0] ** 2, sums[1] ** 2])
    return _song(n, traces, totals, dots)


def _song(n: int, traces: np.ndarray, totals: np.ndarray, dots: np.ndarray) -> np.ndarray:
    """HSIC_1 from kernels with an empty diagonal: tr KL; (1'K1)(1'L1); 1'KL1."""
    return (traces + totals / ((n - 1) * (n - 2)) - 2 * dots / (n - 2)) / (n * (n - 3))


class _Kernel:
    """Blocks of a kernel matrix when asked for; the rows stay where they are, on disk too, and are read as they are needed."""

    def __init__(self, x: np.ndarray, kind: str, width: float, seed: int, scale: float | None = None):
        self.x, self.kind = x, kind
        step = block_rows(x)
        self.mean = sum(part.sum(axis=0, dtype=np.float64) for (part,) in pieces(x, chunk=step)) / len(x)
        self.squares = np.concatenate([(self._centred(s, s + step) ** 2).sum(axis=1) for s in range(0, len(x), step)])
        self.scale = scale if scale is not None or kind == "linear" else rbf_scale(x, width, seed)

    def _centred(self, start: int, stop: int) -> np.ndarray:
        return np.asarray(self.x[start:stop], dtype=np.float64) - self.mean

    def block(self, rows: slice, others: slice) -> np.ndarray:
        """K of these rows with those."""
        one = self._centred(rows.start, rows.stop)
        dots = one @ (one if rows == others else self._centred(others.start, others.stop)).T
        if self.kind == "linear":
            return dots
        if not self.scale:
            return np.ones_like(dots)
        dots *= -2  # in place from here on: a block is held once
        dots += self.squares[rows, None]
        dots += self.squares[None, others]
        if rows == others:
            np.fill_diagonal(dots, 0)
        return np.exp(np.divide(np.maximum(dots, 0, out=dots), -2 * self.scale, out=dots), out=dots)


def block_rows(*arrays: np.ndarray) -> int:
    """Rows of a block: BLOCK, fewer where rows are so wide that a block of them would pass BLOCK_BYTES."""
    widest = max(a.shape[1] for a in arrays)
    return int(np.clip(BLOCK_BYTES // (8 * widest), 16, BLOCK))


def rbf_scale(x: np.ndarray, width: float, seed: int) -> float:
    """s^2: the square of `width` times the median distance between (at most 1,000 of) the rows, summed over some units at a
    time."""
    from scipy.spatial.distance import pdist

    some = np.sort(stream(seed, "rbf width").permutation(len(x))[:ROWS_FOR_WIDTH])
    wide = BLOCK_BYTES // (8 * ROWS_FOR_WIDTH)
    squares = sum(pdist(np.asarray(x[some, k:k + wide], dtype=np.float64), "sqeuclidean") for k in range(0, x.shape[1], wide))
    return float(width**2 * np.median(np.sqrt(squares)) ** 2)


def _hsic(a: _Kernel, b: _Kernel, unbiased: bool) -> np.ndarray:
    """HSIC of (ab, aa, bb) from kernels in blocks; biased without its factor (n - 1)^-2, which cancels."""
    n = len(a.x)
    traces, k, l = _summed(a, b, unbiased)  # noqa: E741
    dots = np.array([k @ l, k @ k, l @ l])
    totals = np.array([k.sum() * l.sum(), k.sum() ** 2, l.sum() ** 2])
    if unbiased:
        return _song(n, traces, totals, dots)
    return traces - 2 * dots / n + totals / n**2


def _summed(a: _Kernel, b: _Kernel, hollow: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """tr of KL, KK and LL, and the row sums of K and of L. Kernels are symmetric: a block off the diagonal counts twice."""
    n, step = len(a.x), block_rows(a.x, b.x)
    traces, k, l = np.zeros(3), np.zeros(n), np.zeros(n)  # noqa: E741
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        for other in range(start, n, step):
            others = slice(other, min(other + step, n))
            one, two = a.block(rows, others), b.block(rows, others)
            if hollow and other == start:
                np.fill_diagonal(one, 0)
                np.fill_diagonal(two, 0)
            times = 1 if other == start else 2
            traces += times * np.array((np.vdot(one, two), np.vdot(one, one), np.vdot(two, two)))
            for sums, block in ((k, one), (l, two)):
                sums[rows] += block.sum(axis=1)
                if other != start:
                    sums[others] += block.sum(axis=0)
    return traces, k, l


def _batches(n: int, batch: int, seed: int) -> Iterator[np.ndarray]:
    """Rows dealt into batches of as equal a size as can be, each in the order of the file."""
    order = stream(seed, "cka batches").permutation(n)
    for part in np.array_split(order, max(1, n // max(batch, FEWEST))):
        yield np.sort(part)


def _by_batches(x: np.ndarray, y: np.ndarray, kernel: str, batch: int, width: float, seed: int) -> np.ndarray:
    scales = [rbf_scale(a, width, seed) if kernel == "rbf" else None for a in (x, y)]
    parts = [_hsic(*(_Kernel(a[rows], kernel, width, seed, s) for a, s in zip((x, y), scales, strict=True)), True)
             for rows in _batches(len(x), batch, seed)]
    return np.mean(parts, axis=0)
