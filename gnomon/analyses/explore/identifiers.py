"""Columns that name a row rather than describe it."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, found, join, not_run, ran
from gnomon.analyses.explore._names import IDENTIFIER, TIME, has, identifies
from gnomon.card import Card
from gnomon.data.table import Data, missing

CARD = Card(
    name="Identifiers among the inputs",
    gist="Finds columns whose values never repeat or only count the rows; a model can only memorise them.",
    use_when="Always: an identifier lets trees memorise rows and carries the order of collection.",
    avoid_when="A measured quantity happens to be unique in every row: continuous numbers are left alone.",
    paper="Kaufman et al. 2012, Leakage in data mining, ACM TKDD 6(4):15",
    survey=("P1",),
    cost="seconds",
)


def identifiers(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Input columns that only name rows; they are excluded, since no new row can share a value."""
    if len(data) < 20:
        return Looked(checks=(not_run("LOOK-ID", "fewer than 20 rows"),))
    reasons = {name: reason for name in data.of_kind("number", "category") if (reason := names_rows(data, name))}
    check = ran("LOOK-ID", "a category with 95 % distinct values, or whole numbers that count the rows")
    if not reasons:
        return Looked(checks=(check,))
    verb = "names rows" if len(reasons) == 1 else "name rows"
    finding = found(data, "LOOK-ID", "warn", f"{join(reasons)} {verb} rather than describing them",
                    columns=tuple(reasons), values={}, source="identifiers")
    return Looked((finding,), (check,), exclude=reasons)


def names_rows(data: Data, name: str) -> str:
    """Why this column only names rows, or ""."""
    column = data.columns[name]
    rows = np.arange(len(data))
    if column.spec.kind == "category":
        values = column.take(rows)
        known = values[values >= 0]
        if len(known) >= 20 and len(np.unique(known)) >= 0.95 * len(known):
            return "almost every row has a value of its own"
        return ""
    if column.spec.kind != "number" or column.spec.shape or has(name, TIME):
        return ""
    values = column.take(rows)[~missing(column)]
    if len(values) < max(20, 0.9 * len(data)) or not np.array_equal(values, np.round(values)):
        return ""
    steps = np.diff(np.sort(values))
    dense = values.max() - values.min() < 2 * len(values)  # a count of things is seldom unique and dense at once
    if (identifies(name) or (dense and has(name, IDENTIFIER))) and len(np.unique(values)) >= 0.98 * len(values):
        return "whole numbers that never repeat, and the name says identifier"
    return "whole numbers that count the rows one by one" if len(values) == len(data) and (steps == 1).all() else ""
