"""Shared by the planters: columns by hand, a planted fault's truth, and how a look is judged against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.data.table import Data, Dense, Role, Spec, take_column
from gnomon.values import Finding


@dataclass(frozen=True)
class Truth:
    """What was planted. codes: any of them is right. rows: places of the rows (empty: no row to name); columns: the
    finding must name these; least: the lowest grade that counts; share: recall and precision over rows that are asked."""

    codes: tuple[str, ...]
    rows: frozenset[int] = frozenset()
    columns: tuple[str, ...] = ()
    least: str = "note"
    share: float = 0.8
    cues: tuple[str, ...] = ()  # one of these must be named in the finding's values
    possible: bool | None = None  # whether one who knows fault, column and law could name it (None: not worked out)
    beside: frozenset[int] = frozenset()  # rows of the clean data that are so as well: named or not, they do not count
    ranked: bool = False  # the likeliest rows come first: as many are judged as were planted


GRADES = {"fine": 0, "note": 1, "warn": 2, "block": 3}


def column(values: Any, kind: str = "", detail: str = "") -> Dense:
    """A Dense column; the kind follows from the type unless stated."""
    import pandas as pd

    series = pd.Series(values)
    kind = kind or ("date" if series.dtype.kind == "M" else "number" if series.dtype.kind in "iufb" else "category")
    if kind == "number":
        return Dense(series.to_numpy(dtype=np.float64), Spec("number", detail=detail))
    if kind == "date":
        return Dense(series.to_numpy(dtype="datetime64[ns]"), Spec("date"))
    if kind == "category":
        codes, levels = pd.factorize(series, sort=True)
        return Dense(codes.astype(np.int32), Spec("category", categories=tuple(map(str, levels))))
    return Dense(series.astype(object).where(series.notna(), None).to_numpy(dtype=object), Spec(kind, detail=detail))


def pictures(pixels: np.ndarray) -> Dense:
    """(n, H, W) or (n, C, H, W) pixels as an image column."""
    pixels = pixels if pixels.ndim == 4 else pixels[:, None]
    return Dense(np.ascontiguousarray(pixels), Spec("image", pixels.shape[1:], detail=str(pixels.dtype)))


def build(columns: Mapping[str, Dense], target: str = "target", items: tuple[str, ...] = ()) -> Data:
    """Data of these columns, all inputs but the target."""
    roles = {n: Role("target" if n == target else "input", "as given") for n in columns}
    return Data(dict(columns), roles, np.arange(len(next(iter(columns.values())))), items=items)


def with_column(data: Data, name: str, values: Any, role: str = "input") -> Data:
    """The data with a column added or replaced."""
    made = values if isinstance(values, Dense) else column(values)
    return replace(data, columns={**data.columns, name: made}, roles={**data.roles, name: Role(role, "planted")})


def with_values(data: Data, name: str, values: np.ndarray) -> Data:
    """The data with a column's values replaced, its kind kept."""
    return replace(data, columns={**data.columns, name: replace(data.columns[name], values=values)})


def values_of(data: Data, name: str) -> np.ndarray:
    return data.columns[name].take(np.arange(len(data))).copy()


def repeated(data: Data, rows: np.ndarray) -> Data:
    """The data with these rows once more at the end."""
    every = np.concatenate([np.arange(len(data)), rows])
    columns = {n: take_column(c, every) for n, c in data.columns.items()}
    items = tuple(data.items) + tuple(f"copy_{i}_{data.items[r]}" for i, r in enumerate(rows)) if data.items else ()
    return replace(data, columns=columns, position=np.arange(len(every)), items=items)


def taken(data: Data, rows: np.ndarray) -> Data:
    """These rows as a data set of their own."""
    return replace(data.take(rows), position=np.arange(len(rows)))


def is_classes(data: Data, target: str = "target") -> bool:
    return data.columns[target].spec.kind == "category"


def fine_columns(data: Data, levels: int = 20) -> list[str]:
    """Number inputs with at least so many distinct values."""
    return [n for n in data.of_kind("number") if not data.columns[n].spec.shape
            and len(np.unique(values_of(data, n))) >= levels]


def specimen(data: Data) -> str:
    """The image, molecule, sequence or text column; "" in a table."""
    return next(iter(data.of_kind("image", "molecule", "sequence", "text")), "")


def judge(findings: Iterable[Finding], truth: Truth, before: Iterable[Finding] = ()) -> dict[str, Any]:
    """found: a finding of a right code and grade names the planted columns, and the planted rows with the recall and
    precision asked; rows or columns the same look named before the planting do not count."""
    right = [f for f in findings if f.code in truth.codes and GRADES[f.grade] >= GRADES[truth.least]
             and set(truth.columns) <= set(f.columns)
             and (not truth.cues or any(c in cue for cue in f.values for c in truth.cues))]
    grade = max((f.grade for f in right), key=GRADES.__getitem__, default="")
    if not truth.rows:
        said = {(f.code, f.columns) for f in before if GRADES[f.grade] >= GRADES[truth.least]}
        new = any((f.code, f.columns) not in said for f in right)
        return {"found": new, "code": new, "recall": float(new), "precision": float(new), "grade": grade}
    old = truth.beside.union(r for f in before if f.code in truth.codes for r in f.rows) - truth.rows
    named = {r for f in right for r in f.rows} - old
    if truth.ranked:
        named = set([r for f in right for r in f.rows if r not in old][:len(truth.rows)])
    hit = named & truth.rows
    recall, precision = len(hit) / min(len(truth.rows), 50), len(hit) / max(len(named), 1)
    return {"found": bool(recall >= truth.share and precision >= truth.share), "code": bool(right),
            "recall": round(min(recall, 1.0), 3), "precision": round(precision, 3), "grade": grade}
