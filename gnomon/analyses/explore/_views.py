"""A cheap numeric view of any input, for looking only: no model is trained on it that anyone will use."""

from __future__ import annotations

import contextlib
import functools

import numpy as np

from gnomon.analyses.explore._molecules import chemistry
from gnomon.analyses.explore._shingles import shingles
from gnomon.data.table import Data
from gnomon.rng import stream

LEVELS = 20  # categories kept one-hot
WIDTH = 300  # columns a block or a hashed text gives at most
SIDE = 24  # pixels a side of a thumbnail


def quick_view(data: Data, rows: np.ndarray, *, inputs: tuple[str, ...] | None = None, seed: int = 0,
               width: int = WIDTH) -> np.ndarray:
    """(m, d) float32 without NaN: every input column of these rows as standardised numbers. width: columns of a block of
    numbers that are read at most.

    Numbers and dates are centred by the median and scaled by the spread, missing = 0 with an indicator column;
    categories one-hot; molecules circular counts; sequences k-mer shares and, when all of one length, positions;
    texts hashed words; images thumbnails.
    """
    parts = [_column_view(data, name, rows, seed, width) for name in (data.inputs if inputs is None else inputs)]
    parts = [p for p in parts if p.shape[1]]
    return np.concatenate(parts, axis=1) if parts else np.zeros((len(rows), 0), dtype=np.float32)


def full_view(data: Data, rows: np.ndarray, *, inputs: tuple[str, ...], seed: int = 0) -> np.ndarray:
    """(m, d) float32: the quick view of numbers, dates and categories, and what a study's simple models read of pictures and
    texts (edges, texture, pieces of words); of molecules and sequences both, without the descriptors, which take ten times as
    long."""
    from gnomon.data.features._view import fit_view
    from gnomon.errors import InputError

    plain = tuple(n for n in inputs if data.kind(n) not in ("image", "text"))
    items = tuple(n for n in inputs if data.kind(n) in ("image", "text", "molecule", "sequence"))
    parts = [quick_view(data, rows, inputs=plain, seed=seed)]
    if items:
        with contextlib.suppress(InputError):  # nothing varies in them
            parts.append(fit_view(data, rows, items, "morgan+properties", dense=True, seed=seed).transform(data, rows))
    return np.concatenate(parts, axis=1)


def _column_view(data: Data, name: str, rows: np.ndarray, seed: int, width: int) -> np.ndarray:
    column, kind = data.columns[name], data.kind(name)
    if kind == "number":
        return number_view(column.take(rows), seed, name, width)
    if kind == "date":
        days = column.take(rows)
        values = np.where(np.isnat(days), np.nan, days.astype("datetime64[s]").astype(np.float64))
        return number_view(values, seed, name)
    if kind == "category":
        return _one_hot(column.take(rows))
    if kind == "image":
        return balanced(thumbnails(data, name, rows).reshape(len(rows), -1))
    if kind == "molecule":
        chem = chemistry(data, name, rows)
        if chem is not None:
            return balanced(np.log1p(chem.counts.astype(np.float32)), most=WIDTH)
    return balanced(_text_view(tuple(column.take(rows)), kind), most=WIDTH)


def number_view(values: np.ndarray, seed: int = 0, name: str = "", width: int = WIDTH) -> np.ndarray:
    """Robustly standardised numbers, clipped at 8 spreads, with an indicator for missing where any are."""
    values = values.reshape(len(values), -1)
    if values.shape[1] > width:
        keep = np.sort(stream(seed, "view", name).choice(values.shape[1], width, replace=False))
        values = values[:, keep]
    values = values.astype(np.float64)
    gone = np.isnan(values)
    filled = np.where(gone, np.nan, values)
    with np.errstate(all="ignore"):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            middle = np.nanmedian(filled, axis=0)
            low, high = np.nanpercentile(filled, [10, 90], axis=0)
            spread = np.where(high > low, (high - low) / 2.56, np.nanstd(filled, axis=0))
    spread = np.where((spread > 0) & np.isfinite(spread), spread, 1.0)
    out = np.clip(np.where(gone, 0.0, (filled - middle) / spread), -8, 8)
    some = gone.any(axis=0) & ~gone.all(axis=0)
    return np.concatenate([np.nan_to_num(out), gone[:, some]], axis=1).astype(np.float32)


def _one_hot(codes: np.ndarray) -> np.ndarray:
    levels, counts = np.unique(codes, return_counts=True)
    kept = levels[np.argsort(-counts, kind="stable")][:LEVELS]
    return (codes[:, None] == kept[None, :]).astype(np.float32)


def balanced(matrix: np.ndarray, *, most: int = 10**9) -> np.ndarray:
    """Columns centred, the whole block scaled so that its total variance is that of ten standard columns at most."""
    matrix = matrix.astype(np.float32)
    spread = matrix.std(axis=0)
    if matrix.shape[1] > most:
        keep = np.sort(np.argsort(-spread, kind="stable")[:most])
        matrix, spread = matrix[:, keep], spread[keep]
    total = float(np.sqrt((spread.astype(np.float64) ** 2).sum())) or 1.0
    return (matrix - matrix.mean(axis=0)) * np.float32(np.sqrt(min(10, matrix.shape[1])) / total)


def thumbnails(data: Data, name: str, rows: np.ndarray, side: int = SIDE) -> np.ndarray:
    """(m, C, side, side) float32 in 0..1 of the column's own range: area means of the pixels, remembered."""
    return _thumbnails(_Held(data, name), tuple(rows[[0, -1]]) if len(rows) else (), rows.tobytes(), side)


class _Held:
    """A column as a key of a cache: equal when its content is."""

    def __init__(self, data: Data, name: str):
        self.column = data.columns[name]
        self.stamp = (name, self.column.hash)

    def __hash__(self) -> int:
        return hash(self.stamp)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.stamp == other.stamp


@functools.lru_cache(maxsize=4)
def _thumbnails(held: _Held, ends: tuple[int, ...], wanted: bytes, side: int) -> np.ndarray:
    rows = np.frombuffer(wanted, dtype=np.int64)
    parts = []
    for start in range(0, len(rows), 256):
        pixels = held.column.take(rows[start:start + 256])
        scale = float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind in "ui" else 1.0
        pixels = pixels.astype(np.float32) / scale
        parts.append(_shrunk(pixels, side))
    return np.concatenate(parts) if parts else np.zeros((0, 1, side, side), dtype=np.float32)


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    """Area means over a grid of side x side (fewer when the image is smaller)."""
    for axis in (2, 3):
        size = pixels.shape[axis]
        cuts = np.unique(np.linspace(0, size, min(side, size) + 1).astype(int)[:-1])
        widths = np.diff(np.append(cuts, size)).astype(np.float32)
        shape = [1, 1, 1, 1]
        shape[axis] = len(widths)
        pixels = np.add.reduceat(pixels, cuts, axis=axis) / widths.reshape(shape)
    return pixels


@functools.lru_cache(maxsize=4)
def _text_view(values: tuple[str | None, ...], kind: str) -> np.ndarray:
    """Shares of hashed words (text) or 3-mers (sequence), square-rooted; one-hot positions when lengths are equal."""
    size = 4 * WIDTH
    out = np.zeros((len(values), size), dtype=np.float32)
    for width in ((1, 2) if kind == "text" else (1, 2, 3)):
        keys, owner = shingles(values, kind, width)
        np.add.at(out, (owner, (keys % np.uint64(size)).astype(np.int64)), 1.0)
    out = np.sqrt(out / np.maximum(out.sum(axis=1, keepdims=True), 1))
    lengths = {len(v) for v in values if v}
    if kind == "sequence" and len(lengths) == 1 and max(lengths) <= 100:
        letters = np.frombuffer("".join(v or " " * max(lengths) for v in values).encode("latin-1", "replace"), np.uint8)
        letters = letters.reshape(len(values), -1)
        position = np.concatenate([letters == c for c in np.unique(letters)], axis=1).astype(np.float32)
        out = np.concatenate([out, position / np.sqrt(letters.shape[1])], axis=1)
    return out[:, out.std(axis=0) > 0]
