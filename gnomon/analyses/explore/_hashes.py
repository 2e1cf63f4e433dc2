"""A 64-bit key a value, so that equal values can be found by sorting, whatever their kind."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.data.table import Data, codes
from gnomon.rng import stream

CHUNK = 512  # images read at once


def mixed(keys: np.ndarray) -> np.ndarray:
    """Keys scrambled (the finaliser of SplitMix64; Steele, Lea & Flood 2014), so that sums of them rarely collide."""
    x = keys.astype(np.uint64)
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def weighted(block: np.ndarray, name: str) -> np.ndarray:
    """(n,) keys of the rows of a numeric array: their bits as 64-bit words times random odd weights, summed."""
    flat = np.ascontiguousarray(block.reshape(len(block), -1))
    if flat.dtype.kind == "f":
        flat = np.where(np.isnan(flat), np.float32(np.nan), flat + 0)  # one NaN, one zero
    bits = flat.view(f"u{flat.dtype.itemsize}")
    weights = stream(0, "hash", name).integers(0, 2**63, bits.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    out = np.zeros(len(bits), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for start in range(0, bits.shape[1], 256):  # a few columns at a time: the product is eight bytes a value
            part = mixed(bits[:, start:start + 256].astype(np.uint64) + np.uint64(1))
            out += (part * weights[start:start + 256]).sum(axis=1, dtype=np.uint64)
    return out


def column_keys(column: Any, rows: np.ndarray, *, text: np.ndarray | None = None) -> np.ndarray:
    """(m,) uint64 keys of a column's values on these rows; `text` replaces a text column's values (canonical form)."""
    kind = column.spec.kind
    if kind == "image":
        parts = []
        for start in range(0, len(rows), CHUNK):
            pixels = column.take(rows[start:start + CHUNK])
            parts.append(weighted(pixels, f"image{pixels.shape[1:]}"))
        return np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint64)
    if kind in ("text", "sequence", "molecule"):
        import pandas as pd

        values = column.take(rows) if text is None else text
        return pd.util.hash_array(np.array(["" if v is None else str(v) for v in values], dtype=object),
                                  categorize=True)
    if kind == "number":
        return weighted(column.take(rows), "number")
    if kind == "date":
        return mixed(column.take(rows).astype("int64").astype(np.uint64))
    return mixed((codes(column, rows) + 2).astype(np.uint64))


def row_keys(data: Data, names: tuple[str, ...], rows: np.ndarray, texts: dict[str, np.ndarray] | None = None
             ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Keys of whole rows as a sum, and each column's part of it: the sum less one part is the key without it."""
    parts: dict[str, np.ndarray] = {}
    total = np.zeros(len(rows), dtype=np.uint64)
    for place, name in enumerate(names):
        keys = column_keys(data.columns[name], rows, text=(texts or {}).get(name))
        with np.errstate(over="ignore"):
            parts[name] = mixed(keys + np.uint64(place + 1) * np.uint64(0x9E3779B97F4A7C15))
            total = total + parts[name]
    return total, parts


def equal_pairs(keys: np.ndarray) -> int:
    """How many pairs of rows have equal keys."""
    _, counts = np.unique(keys, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


def repeated(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(codes of equal keys (n,), how many rows share each row's key (n,))."""
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    return inverse.astype(np.int64), counts[inverse]
