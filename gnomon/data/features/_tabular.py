"""Numbers, categories and dates as feature columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.data.features._block import Arrays
from gnomon.data.table import member_names

MANY = 10  # categories beyond which trees also read how common a category is


def numbers(data: Any, columns: tuple[str, ...],
            rows: np.ndarray) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """(n, d) of these number columns, blocks unrolled; the d names; the column of each."""
    parts, names, source = [], [], []
    for name in columns:
        column = data.columns[name]
        values = column.take(rows)
        values = values[:, None] if values.ndim == 1 else values
        parts.append(values)
        labels = list(member_names(column)) or [name]
        names += labels if len(labels) == values.shape[1] else [f"{name} {i}" for i in range(values.shape[1])]
        source += [name] * values.shape[1]
    return np.concatenate(parts, axis=1), tuple(names), tuple(source)


def one_of(column: Any, rows: np.ndarray) -> Any:
    """(n, K) csr: one where the row has this category; a row of zeros where it has none of them."""
    from scipy.sparse import csr_matrix

    codes = column.take(rows).astype(np.int64)
    known = np.flatnonzero(codes >= 0)
    shape = (len(rows), max(len(column.spec.categories), 1))
    return csr_matrix((np.ones(len(known), np.float32), (known, codes[known])), shape=shape)


def fit_order(column: Any, rows: np.ndarray, truth: np.ndarray | None) -> Arrays:
    """Ranks of the categories for trees: by the mean of the target over these rows, drawn to the grand mean by ten
    rows' worth (so that a rare category stands in the middle), else by how common they are (Breiman 1984)."""
    codes = column.take(rows).astype(np.int64)
    known = codes >= 0
    width = max(len(column.spec.categories), 1)
    counts = np.bincount(codes[known], minlength=width).astype(float)
    if truth is None:
        worth = counts
    else:
        known &= np.isfinite(truth)
        held = np.bincount(codes[known], minlength=width)
        grand = truth[known].mean() if known.any() else 0.0
        worth = (np.bincount(codes[known], truth[known], minlength=width) + 10 * grand) / (held + 10)
    ranks = np.full(width, np.nan)
    seen = np.flatnonzero(counts)
    ranks[seen] = np.argsort(np.argsort(worth[seen], kind="stable"), kind="stable")
    return {"ranks": ranks, "counts": counts}


def ordered(column: Any, rows: np.ndarray, arrays: Arrays) -> np.ndarray:
    """(n, 1) ranks, or (n, 2) with log counts where there are many categories; NaN for missing and never seen."""
    codes = column.take(rows).astype(np.int64)
    ranks = np.where(codes < 0, np.nan, arrays["ranks"][codes])
    if len(arrays["ranks"]) <= MANY:
        return ranks[:, None]
    return np.column_stack([ranks, np.where(codes < 0, np.nan, np.log1p(arrays["counts"][codes]))])


DATE_NAMES = ("year", "month", "day of week", "hour", "elapsed days", "season sine", "season cosine",
              "day sine", "day cosine")


def dates(column: Any, rows: np.ndarray, start: int) -> np.ndarray:
    """(n, 9) as DATE_NAMES; `start`: day 0 of the elapsed days, in days since 1970; NaN where there is no date."""
    values = column.take(rows).astype("datetime64[s]")
    gone = np.isnat(values)
    values = np.where(gone, np.datetime64(0, "s"), values)
    day = values.astype("datetime64[D]")
    year = day.astype("datetime64[Y]")
    seconds = (values - day).astype(np.float64)
    season = 2 * np.pi * (day - year.astype("datetime64[D]")).astype(float) / 365.25
    clock = 2 * np.pi * seconds / 86400
    out = np.column_stack([
        year.astype(float) + 1970, (day.astype("datetime64[M]") - year.astype("datetime64[M]")).astype(float) + 1,
        (day.astype(np.int64) + 3) % 7, seconds // 3600, day.astype(float) - start + seconds / 86400,
        np.sin(season), np.cos(season), np.sin(clock), np.cos(clock)])
    out[gone] = np.nan
    return out


def first_day(column: Any, rows: np.ndarray) -> int:
    """The earliest date of these rows, in days since 1970; 0 when there is none."""
    values = column.take(rows)
    values = values[~np.isnat(values)]
    return int(values.min().astype("datetime64[D]").astype(np.int64)) if len(values) else 0
