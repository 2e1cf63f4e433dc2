"""Category columns: codes into sorted, distinct levels; -1 is missing."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.data.infer import PART, Guess
from gnomon.data.read._built import Built
from gnomon.data.read.roles import Facts
from gnomon.data.table import Dense, Spec


def category_column(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    """Codes and levels, whether the values came as text, numbers, dates or true and false."""
    codes, levels = _typed_levels(values) if isinstance(values, np.ndarray) else _text_levels(values)
    column = Dense(codes.astype(np.int32), Spec("category", categories=tuple(levels), detail=guess.detail))
    return Built(column, category_facts(column))


def category_facts(column: Dense) -> Facts:
    """Facts of a category column."""
    levels = column.spec.categories
    parts = len(levels) >= 2 and all(PART.match(w) for w in levels)
    length = float(np.mean([len(w) for w in levels[:2000]])) if levels else 0.0
    integer = bool(levels) and all(w.isdigit() for w in levels[:200])
    known = int((column.values >= 0).sum())
    return Facts("category", column.spec.detail, known, len(levels), integer, parts=parts, length=length)


def recode(column: Dense, categories: tuple[str, ...]) -> tuple[Dense, list[str]]:
    """A category column in other categories: codes into `categories`, -1 for values not among them, which are named."""
    place = {w: i for i, w in enumerate(categories)}
    lookup = np.array([place.get(w, -1) for w in column.spec.categories] + [-1], dtype=np.int32)
    unseen = [w for w in column.spec.categories if w not in place]
    spec = replace(column.spec, categories=tuple(categories))
    return replace(column, values=lookup[column.values], spec=spec), unseen


def _text_levels(values: Any) -> tuple[np.ndarray, list[str]]:
    """Levels of a text column; where all are numbers, 1 and 1.0 are one level and 9 stands before 10."""
    whole = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    array = whole.dictionary_encode()
    codes = np.asarray(array.indices.fill_null(-1)).astype(np.int64)
    levels = [w.strip() for w in array.dictionary.to_pylist()]
    numeric = _as_numbers(levels)
    if numeric is not None and (len(set(levels)) != len(set(numeric)) or any(w.endswith(".0") for w in levels)):
        levels = [f"{v:.12g}" for v in numeric]
    return _ordered(codes, levels, numeric)


def _as_numbers(levels: list[str]) -> list[float] | None:
    """The levels as numbers; None where one is none, or a leading zero says that it is a code (007)."""
    if any(re.match(r"^0\d", w) for w in levels):
        return None
    try:
        return [float(w) for w in levels]
    except ValueError:
        return None


def _typed_levels(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Levels of an array of bools, dates or numbers."""
    if values.dtype == bool:
        return values.astype(np.int64), ["False", "True"]
    if values.dtype.kind == "M":
        gone, texts = np.isnat(values), values.astype(str)
        levels, codes = np.unique(texts[~gone], return_inverse=True)
    else:
        gone = np.isnan(values.astype(np.float64))
        levels, codes = np.unique(values[~gone], return_inverse=True)
        levels = np.array([f"{v:.12g}" for v in levels])
    out = np.full(len(values), -1, dtype=np.int64)
    out[~gone] = codes
    return out, [str(v) for v in levels]


def _ordered(codes: np.ndarray, levels: list[str], numeric: list[float] | None) -> tuple[np.ndarray, list[str]]:
    """Codes into sorted, distinct levels (texts that differ only by blanks around them are one)."""
    keys = dict(zip(levels, numeric, strict=True)) if numeric is not None else {w: w for w in levels}
    final = sorted(set(levels), key=lambda w: keys[w])
    place = {w: i for i, w in enumerate(final)}
    lookup = np.array([place[w] for w in levels] + [-1], dtype=np.int64)
    return lookup[codes], final
