"""What is asked: from the targets' kinds to a task, or a clear refusal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gnomon.data.table import Data, missing, strings
from gnomon.errors import InputError
from gnomon.tasks._metrics import CLASSIFY, REGRESS
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.tasks.several import several

MOST_CLASSES = 1000
FEW_VALUES = 2  # a number target with so few distinct values is a class


def ask_task(data: Data, rows: np.ndarray, *, metric: str | None = None, positive: str | None = None) -> Any:
    """The task for the data's targets; scales and class counts come from `rows` (training) only.

    Raises InputError when there is no target or no input, or the target is constant, empty, or cannot be scored as asked.
    """
    if not data.targets:
        able = [n for n in data.columns if data.kind(n) in ("number", "category") and data.roles[n].role != "id"]
        raise InputError("E-TARGET-NONE", "no column is known to be the target",
                         do=f"name it: --target COLUMN, one of {', '.join(able[:12])}" if able else
                         "add a column that holds it: none of these is a number or a class")
    if not data.inputs:
        rest = ", ".join(f"'{name}' is {role.role}" for name, role in data.roles.items())
        raise InputError("E-INPUTS-NONE", f"no column is left to predict from: {rest}",
                         do="add columns that are known before the target (for a series: its own earlier values, as columns)")
    tasks = [_one(data, name, rows, metric, positive) for name in data.targets]
    return tasks[0] if len(tasks) == 1 else several(tasks)


def _one(data: Data, name: str, rows: np.ndarray, metric: str | None, positive: str | None) -> Any:
    column = data.columns[name]
    gone = missing(column, rows)
    if gone.all():
        raise InputError("E-TARGET-EMPTY", f"the target '{name}' is missing in every row", do="name another --target")
    if column.spec.kind == "number" and not column.spec.shape:
        values = column.take(rows)[~gone]
        if len(np.unique(values)) != FEW_VALUES or metric in REGRESS:
            return _regress(name, values, metric, column.spec.unit)
    return _classify(data, name, rows[~gone], metric, positive)


def _regress(name: str, values: np.ndarray, metric: str | None, unit: str) -> Any:
    if metric in CLASSIFY:
        raise InputError("E-METRIC", f"'{metric}' scores classes, but the target '{name}' is a number",
                         do=f"use one of {', '.join(REGRESS)}, or say --kinds '{name}=category'")
    if np.ptp(values) == 0:
        raise InputError("E-TARGET-CONSTANT", f"the target '{name}' has one value only ({values[0]:g})",
                         do="there is nothing to predict: name another --target")
    return regress(name, mean=float(values.mean()), sd=float(values.std()), metric=metric, unit=unit)


def _classify(data: Data, name: str, rows: np.ndarray, metric: str | None, positive: str | None) -> Any:
    column = data.columns[name]
    if column.spec.kind in ("image", "date"):
        raise InputError("E-TARGET-KIND", f"the target '{name}' is a {column.spec.kind} column, which cannot be predicted",
                         do="name a number or category column with --target")
    labels, counts = np.unique(strings(column, rows).astype(str), return_counts=True)
    if metric in REGRESS:
        raise InputError("E-TARGET-NOT-NUMERIC", f"'{metric}' needs numbers, but the target '{name}' holds text "
                         f"(for instance in row {int(data.position[rows[0]])})",
                         do=f"use one of {', '.join(CLASSIFY)}, or --kinds '{name}=number'")
    if len(labels) < 2:
        raise InputError("E-TARGET-ONE-CLASS", f"the target '{name}' has one class only", do="name another --target")
    if len(labels) > MOST_CLASSES or (len(labels) > 20 and len(labels) > len(rows) / 2):
        raise InputError("E-TARGET-NOT-NUMERIC", f"the target '{name}' has {len(labels)} different texts in {len(rows)} "
                         "rows: neither a number nor a class", do=f"name another --target, or --kinds '{name}=number'")
    if positive is not None and positive not in labels:
        raise InputError("E-POSITIVE-ABSENT", f"--positive '{positive}' is no class of '{name}'",
                         do=f"classes: {', '.join(labels[:10])}")
    ordered = _natural_order(labels)
    return classify(name, ordered, metric=metric, positive=positive, counts=counts)


def _natural_order(labels: Sequence[str]) -> list[str]:
    """Numbers by value, else alphabetical; so that 0/1 keeps 1 positive."""
    try:
        return sorted(labels, key=float)
    except ValueError:
        return sorted(labels)


def class_codes(data: Data) -> np.ndarray | None:
    """Codes to balance parts by: the first target's classes, tertiles of nothing for numbers (None)."""
    from gnomon.data.table import codes

    for name in data.targets:
        column = data.columns[name]
        if column.spec.kind == "category" or (column.spec.kind == "number" and not column.spec.shape
                                              and len(np.unique(column.take(np.arange(len(data))))) <= FEW_VALUES + 1):
            return codes(column)
    return None


def usable_rows(data: Data) -> np.ndarray:
    """Rows that have at least one target."""
    known = np.zeros(len(data), dtype=bool)
    for name in data.targets:
        known |= ~missing(data.columns[name])
    return np.flatnonzero(known)
