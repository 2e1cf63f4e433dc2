"""Two representations of the same rows, met once: means and second moments, streamed in pieces; never an n x n matrix."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.errors import InputError

CHUNK = 8192  # rows read at a time


@dataclass(frozen=True)
class Moments:
    """n; means (p,), (q,); sums of products about the means: xx (p, p), yy (q, q), xy (p, q), all float64."""

    n: int
    mean_x: np.ndarray
    mean_y: np.ndarray
    xx: np.ndarray
    yy: np.ndarray
    xy: np.ndarray

    @property
    def raw(self) -> Moments:
        """The same about zero instead of the means."""
        a, b, n = self.mean_x, self.mean_y, self.n
        return Moments(n, np.zeros_like(a), np.zeros_like(b), self.xx + n * np.outer(a, a), self.yy + n * np.outer(b, b),
                       self.xy + n * np.outer(a, b))

    def correlations(self) -> np.ndarray:
        """(p, q) Pearson correlations of units; 0 for a unit that never varies."""
        a, b = (np.sqrt(np.maximum(np.diag(m), 0)) for m in (self.xx, self.yy))
        size = np.outer(a, b)
        return np.clip(np.divide(self.xy, size, out=np.zeros_like(size), where=size > 1e-12 * max(size.max(), 1e-300)), -1, 1)


def pair(x: Any, y: Any, least: int = 2) -> tuple[Any, Any]:
    """Both as arrays (n, p), (n, q); memory-mapped ones stay on disk. More axes are laid flat.

    Raises E-ACTIVATIONS when their rows differ in number or are fewer than `least`.
    """
    x, y = (a if isinstance(a, np.ndarray) else np.asarray(a) for a in (x, y))
    if x.ndim < 1 or y.ndim < 1 or len(x) != len(y) or len(x) < least:
        raise InputError("E-ACTIVATIONS", f"two representations of the same {least} or more rows were wanted; their shapes "
                         f"are {x.shape} and {y.shape}", do="take both on the same rows, in the same order")
    return x.reshape(len(x), -1), y.reshape(len(y), -1)


def pieces(*arrays: Any, chunk: int = CHUNK) -> Iterator[tuple[np.ndarray, ...]]:
    """The same rows of each, `chunk` at a time, as float32 where that is what is stored, else float64."""
    for start in range(0, len(arrays[0]), chunk):
        yield tuple(finite(a[start:start + chunk]) for a in arrays)


def finite(part: Any) -> np.ndarray:
    """A piece as float32 where it is stored so, else float64; E-ACTIVATIONS where a value is not finite."""
    part = np.asarray(part)
    part = part.astype(np.float32 if part.dtype in (np.float32, np.float16) else np.float64, copy=False)
    if not np.isfinite(part).all():
        raise InputError("E-ACTIVATIONS", "a representation holds values that are not finite", do="leave those rows out")
    return part


def moments(x: Any, y: Any, *, chunk: int = CHUNK) -> Moments:
    """The moments of (n, p) and (n, q) in one pass.

    Pieces are multiplied in the precision in which they are stored, about the mean of the first piece (so that nothing
    cancels), and summed in float64.
    """
    p, q, same = x.shape[1], y.shape[1], x is y
    shift_x = finite(x[:chunk]).mean(axis=0, dtype=np.float64)
    shift_y = shift_x if same else finite(y[:chunk]).mean(axis=0, dtype=np.float64)
    sum_x, sum_y = np.zeros(p), np.zeros(q)
    xx, yy, xy = np.zeros((p, p)), np.zeros((q, q)), np.zeros((p, q))
    for a, b in pieces(x, y, chunk=chunk):
        a = a - shift_x.astype(a.dtype)
        sum_x += a.sum(axis=0, dtype=np.float64)
        xx += a.T @ a
        if not same:
            b = b - shift_y.astype(b.dtype)
            sum_y += b.sum(axis=0, dtype=np.float64)
            yy += b.T @ b
            xy += a.T @ b
    # the shift was rounded to the stored precision: what is left of it is put back here
    base_x = shift_x.astype(finite(x[:1]).dtype).astype(np.float64)
    base_y = shift_y.astype(finite(y[:1]).dtype).astype(np.float64)
    if same:
        sum_y, yy, xy = sum_x, xx, xx
    n = len(x)
    return Moments(n, base_x + sum_x / n, base_y + sum_y / n, xx - np.outer(sum_x, sum_x) / n,
                   yy - np.outer(sum_y, sum_y) / n, xy - np.outer(sum_x, sum_y) / n)
