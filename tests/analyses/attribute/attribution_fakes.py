"""Small data and learned things whose right explanation is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.tasks._task import Prediction


def table(columns: dict[str, Any], target: str = "y") -> Data:
    """A Data of number columns ((n, d) arrays become blocks), string columns by 'sequence:name' and the like."""
    made, roles = {}, {}
    for label, values in columns.items():
        kind, _, name = label.rpartition(":")
        made[name] = column(kind or "number", np.asarray(values), name)
        roles[name] = Role("target" if name == target else "input", "test")
    n = len(next(iter(made.values())))
    return Data(made, roles, np.arange(n))


def column(kind: str, values: np.ndarray, name: str) -> Dense:
    if kind == "number" and values.ndim == 2:
        names = tuple(f"{name}{j}" for j in range(values.shape[1]))
        return Dense(values.astype(np.float32), Spec("number", shape=values.shape[1:]), names)
    if kind == "number":
        return Dense(values.astype(float), Spec("number"))
    if kind == "category":
        names, codes = np.unique(values, return_inverse=True)
        return Dense(codes.astype(np.int32), Spec("category", categories=tuple(map(str, names))))
    if kind == "image":
        return Dense(values, Spec("image", shape=values.shape[1:]))
    return Dense(values.astype(object), Spec(kind, detail="DNA" if kind == "sequence" else ""))


@dataclass(frozen=True)
class Formula:
    """Learned by nobody: `value(data, rows)` is the prediction."""

    value: Any

    def predict(self, data: Data, rows: np.ndarray) -> Prediction:
        return Prediction(value=np.asarray(self.value(data, rows), dtype=float))


@dataclass(frozen=True)
class Odds:
    """Two classes whose log-odds are `value(data, rows)`."""

    value: Any

    def predict(self, data: Data, rows: np.ndarray) -> Prediction:
        p = 1 / (1 + np.exp(-np.asarray(self.value(data, rows), dtype=float)))
        return Prediction(value=(p > 0.5).astype(int), proba=np.stack([1 - p, p], axis=1))


def values(data: Data, rows: np.ndarray, *names: str) -> list[np.ndarray]:
    return [data.columns[n].take(rows) for n in names]
