"""What every task offers, and the two values it deals in. Nothing may be added to Task: anything else takes a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gnomon.data.table import Data, Spec

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Prediction:
    """For n rows. classify: proba (n, K), value = code of the likeliest class (n,). regress: value (n,).
    several targets: parts, one Prediction a target (value and proba are then None)."""

    value: np.ndarray | None = None
    proba: np.ndarray | None = None
    parts: tuple[Prediction, ...] = ()

    def __len__(self) -> int:
        return len(self.parts[0]) if self.parts else len(self.value)  # type: ignore[arg-type]

    def take(self, index: np.ndarray) -> Prediction:
        pick = lambda a: None if a is None else a[index]  # noqa: E731
        return Prediction(pick(self.value), pick(self.proba), tuple(p.take(index) for p in self.parts))


@dataclass(frozen=True)
class Stats:
    """Sufficient statistics, one entry a resampled row: named arrays of equal length (truth, value, proba, weight)."""

    arrays: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.arrays.values())))

    def __getitem__(self, name: str) -> np.ndarray:
        return self.arrays[name]

    def take(self, index: np.ndarray) -> Stats:
        return Stats({name: a[index] for name, a in self.arrays.items()})


@dataclass(frozen=True)
class Metric:
    """A score of Stats. `losses` gives one loss a row, lower better, where the metric is a mean of such
    (rmse: the mean before the root); None for ranks such as AUC."""

    name: str
    higher_is_better: bool
    score: Callable[[Stats], float]
    losses: Callable[[Stats], np.ndarray] | None = None
    unit: str = ""
    needs: str = "value"  # or "proba"


class Task(Protocol):
    """classify, regress, several. `truth` of rows without a label is -1 (classify) or NaN (regress)."""

    name: str
    target: str
    metric: Metric
    out: Spec  # kind "out", shape (width of the raw output,), categories = class names

    def truth(self, data: Data, rows: np.ndarray) -> np.ndarray:
        """classify: int64 (n,) codes; regress: float64 (n,); several: float64 (n, T), codes as floats, NaN = missing."""
        ...

    def read(self, raw: np.ndarray) -> Prediction:
        """A model's raw output (n, out.shape[0]) as a Prediction in the target's own unit."""
        ...

    def loss(self, raw: Tensor, truth: Tensor, weight: Tensor) -> Mapping[str, Tensor]:
        """Named loss terms, each a scalar weighted mean over the rows that have a label; training minimises their sum."""
        ...

    def measure(self, prediction: Prediction, truth: np.ndarray) -> Stats: ...

    def score(self, stats: Stats) -> float:
        """The headline metric."""
        ...

    def naive(self, truth: np.ndarray) -> Any:
        """The floor: an object whose `predict(n) -> Prediction` uses nothing but the training truth."""
        ...
