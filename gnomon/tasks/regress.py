"""Predict a number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from gnomon.card import Card
from gnomon.data.table import Data, Spec
from gnomon.tasks._metrics import REGRESS, metric_named
from gnomon.tasks._task import Metric, Prediction, Stats

if TYPE_CHECKING:
    from torch import Tensor

CARD = Card(
    name="Regression",
    gist="Predict a number from any supported input.",
    use_when="The target is a measured quantity.",
    avoid_when="The target is an ordered code of few values: compare with classification.",
    paper="Raghu & Schmidt 2020, arXiv:2003.11755",
    survey=("T1", "S4"),
    tasks=("regress",),
)


@dataclass(frozen=True)
class Regress:
    """Squared error on the standardised target; `mean` and `sd` come from training rows only."""

    target: str
    mean: float
    sd: float
    metric: Metric
    name: str = "regress"

    @property
    def out(self) -> Spec:
        return Spec("out", shape=(1,), unit=self.metric.unit)

    def truth(self, data: Data, rows: np.ndarray) -> np.ndarray:
        return data.columns[self.target].take(rows).astype(np.float64)

    def read(self, raw: np.ndarray) -> Prediction:
        return Prediction(value=np.asarray(raw, dtype=np.float64).reshape(len(raw)) * self.sd + self.mean)

    def loss(self, raw: Tensor, truth: Tensor, weight: Tensor) -> Mapping[str, Tensor]:
        """Weighted mean squared error in units of the target's standard deviation."""
        import torch

        known = torch.isfinite(truth)
        wanted = (torch.nan_to_num(truth) - self.mean) / self.sd
        each = (raw.squeeze(-1).float() - wanted.float()) ** 2
        weight = weight * known
        return {"squared_error": (each * weight).sum() / weight.sum().clamp_min(1e-8)}

    def measure(self, prediction: Prediction, truth: np.ndarray) -> Stats:
        return Stats({"truth": truth, "value": np.asarray(prediction.value, dtype=np.float64)})

    def score(self, stats: Stats) -> float:
        return self.metric.score(stats)

    def naive(self, truth: np.ndarray) -> Constant:
        """Predicts the mean (the median when the metric is the mean absolute error)."""
        centre = np.nanmedian if self.metric.name == "mae" else np.nanmean
        return Constant(float(centre(truth)))


@dataclass(frozen=True)
class Constant:
    """The floor of regression: one number for every row."""

    value: float

    def predict(self, n: int) -> Prediction:
        return Prediction(value=np.full(n, self.value))


def regress(target: str, *, mean: float = 0.0, sd: float = 1.0, metric: str | None = None, unit: str = "") -> Regress:
    """The task of predicting the number column `target`; `mean` and `sd` in its unit, from training rows."""
    chosen = metric_named(metric or "rmse", REGRESS, "regress")
    return Regress(target, float(mean), float(sd) if sd > 0 else 1.0, replace(chosen, unit=unit))
