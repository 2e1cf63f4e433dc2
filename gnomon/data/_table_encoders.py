"""Columns of a table as tensors: all numbers and dates as one matrix, all categories as another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.data._encoder import State, plain_state
from gnomon.data._resident import Rows
from gnomon.data._scales import Scale, fit_scale
from gnomon.data.table import Data, Spec

MISSING_SHARE = 0.005  # a column missing more often than this in training says so in a feature of its own


@dataclass(frozen=True)
class Numbers:
    """Number and date columns as (n, d) float32, robustly scaled; missing values become 0 (the median), and columns
    that miss values in training gain a feature that says where. `gaps` are those columns' places."""

    columns: tuple[str, ...]
    names: tuple[str, ...]
    sources: tuple[str, ...]
    gaps: np.ndarray
    scale: Scale
    kind = "numbers"

    @property
    def spec(self) -> Spec:
        return Spec("numbers", shape=(len(self.names),))

    def load(self, data: Data, device: Any) -> Rows:
        return Rows.of(self.encode(data), device)

    def encode(self, data: Data) -> np.ndarray:
        raw, _, _ = raw_numbers(data, self.columns)
        return _with_gaps(self.scale(raw), raw, self.gaps)

    def state(self) -> State:
        return plain_state(self), {"gaps": self.gaps, **self.scale.arrays}


@dataclass(frozen=True)
class Categories:
    """Category columns as (n, c) int64: 0 = missing or not met in training, then 1, 2 ... `lookups`, end to end."""

    columns: tuple[str, ...]
    sizes: tuple[int, ...]
    lookup: np.ndarray  # code in the data -> code here, the columns' tables end to end
    starts: np.ndarray
    kind = "categories"

    @property
    def spec(self) -> Spec:
        return Spec("categories", shape=(len(self.columns),), sizes=self.sizes)

    @property
    def sources(self) -> tuple[str, ...]:
        return self.columns

    names = sources

    def load(self, data: Data, device: Any) -> Rows:
        out = np.zeros((len(data), len(self.columns)), dtype=np.int64)
        for j, name in enumerate(self.columns):
            codes = data.columns[name].take(np.arange(len(data)))
            table = np.concatenate([self.lookup[self.starts[j]:self.starts[j + 1]], [0]])
            out[:, j] = table[np.clip(codes, -1, len(table) - 1)]
        return Rows.of(out, device)

    def state(self) -> State:
        return plain_state(self), {"lookup": self.lookup, "starts": self.starts}


def fit_numbers(data: Data, rows: np.ndarray, columns: Sequence[str]) -> Numbers:
    raw, names, sources = raw_numbers(data, columns)
    raw = raw[rows]
    gaps = np.flatnonzero(np.isnan(raw).mean(axis=0) > MISSING_SHARE)
    names = (*names, *(f"{names[j]} missing" for j in gaps))
    return Numbers(tuple(columns), names, (*sources, *(sources[j] for j in gaps)), gaps, fit_scale(raw))


def fit_categories(data: Data, rows: np.ndarray, columns: Sequence[str]) -> Categories:
    tables = []
    for name in columns:
        column = data.columns[name]
        counts = np.bincount(column.take(rows).clip(-1) + 1, minlength=len(column.spec.categories) + 1)[1:]
        table = np.zeros(len(counts), dtype=np.int64)
        table[counts > 0] = np.arange(1, (counts > 0).sum() + 1)
        tables.append(table)
    starts = np.concatenate([[0], np.cumsum([len(t) for t in tables])]).astype(np.int64)
    return Categories(tuple(columns), tuple(int(t.max(initial=0)) + 1 for t in tables), np.concatenate(tables), starts)


def raw_numbers(data: Data, columns: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """(n, d) floats with NaN, the d names and their input columns; blocks unrolled, dates as parts of date and day."""
    parts, names, sources = [], [], []
    for name in columns:
        if data.kind(name) == "date":
            values, labels = _date_parts(data.columns[name].take(np.arange(len(data))), name)
        else:
            values, labels = data.numbers([name])
        parts.append(np.where(np.isinf(values), np.nan, values))
        names += labels
        sources += [name] * len(labels)
    return np.concatenate(parts, axis=1), tuple(names), tuple(sources)


def _date_parts(dates: np.ndarray, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Days since 1970, and the place in the year, the week and the day as points on circles."""
    days = dates.astype("datetime64[s]").astype(np.float64) / 86400
    days[np.isnat(dates)] = np.nan
    turns = {"year": 365.2425, "week": 7.0, "day": 1.0}
    parts, names = [days], [f"{name} (days)"]
    for what, length in turns.items():
        angle = 2 * np.pi * (days % length) / length
        parts += [np.sin(angle), np.cos(angle)]
        names += [f"{name} ({what}, sine)", f"{name} ({what}, cosine)"]
    return np.stack(parts, axis=1), tuple(names)


def _with_gaps(scaled: np.ndarray, raw: np.ndarray, gaps: np.ndarray) -> np.ndarray:
    if not len(gaps):
        return scaled
    return np.concatenate([scaled, np.isnan(raw[:, gaps]).astype(np.float32)], axis=1)
