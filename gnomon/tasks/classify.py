"""Predict one of several classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gnomon.card import Card
from gnomon.data.table import Data, Spec, strings
from gnomon.tasks._metrics import CLASSIFY, metric_named
from gnomon.tasks._task import Metric, Prediction, Stats

if TYPE_CHECKING:
    from torch import Tensor

CARD = Card(
    name="Classification",
    gist="Predict one of several classes, with a probability for each.",
    use_when="The target is a category or a code of few values.",
    avoid_when="The classes are bins of a measured number: predict the number.",
    paper="Raghu & Schmidt 2020, arXiv:2003.11755",
    survey=("T1", "V1", "S4", "G1"),
    tasks=("classify",),
)
UNEVEN = 5  # largest over smallest class beyond which macro-F1 is the headline with more than two classes


@dataclass(frozen=True)
class Classify:
    """Cross-entropy over `classes`. With two classes the second is the positive one."""

    target: str
    classes: tuple[str, ...]
    metric: Metric
    name: str = "classify"

    @property
    def out(self) -> Spec:
        return Spec("out", shape=(len(self.classes),), categories=self.classes)

    def truth(self, data: Data, rows: np.ndarray) -> np.ndarray:
        column = data.columns[self.target]
        place = {label: i for i, label in enumerate(self.classes)}
        if column.spec.kind == "category":
            lookup = np.array([*(place.get(c, -1) for c in column.spec.categories), -1])
            return lookup[column.take(rows)]
        return np.array([place.get(label, -1) for label in strings(column, rows)])

    def read(self, raw: np.ndarray) -> Prediction:
        raw = np.asarray(raw, dtype=np.float64)
        proba = np.exp(raw - raw.max(axis=1, keepdims=True))
        proba /= proba.sum(axis=1, keepdims=True)
        return Prediction(value=proba.argmax(axis=1), proba=proba)

    def loss(self, raw: Tensor, truth: Tensor, weight: Tensor) -> Mapping[str, Tensor]:
        """Weighted mean cross-entropy in nats over the rows that have a class."""
        from torch.nn.functional import cross_entropy

        known = truth >= 0
        each = cross_entropy(raw.float(), truth.long().clamp_min(0), reduction="none")
        weight = weight * known
        return {"cross_entropy": (each * weight).sum() / weight.sum().clamp_min(1e-8)}

    def measure(self, prediction: Prediction, truth: np.ndarray) -> Stats:
        return Stats({"truth": truth.astype(np.int64), "value": prediction.value, "proba": prediction.proba})

    def score(self, stats: Stats) -> float:
        return self.metric.score(stats)

    def naive(self, truth: np.ndarray) -> Prevalence:
        """Predicts the classes' shares in training."""
        counts = np.bincount(truth[truth >= 0].astype(int), minlength=len(self.classes)).astype(float)
        return Prevalence(tuple(counts / max(counts.sum(), 1)))


@dataclass(frozen=True)
class Prevalence:
    """The floor of classification: the training shares for every row, hence the commonest class."""

    shares: tuple[float, ...]

    def predict(self, n: int) -> Prediction:
        proba = np.tile(np.asarray(self.shares), (n, 1))
        return Prediction(value=proba.argmax(axis=1), proba=proba)


def classify(target: str, classes: Sequence[str], *, metric: str | None = None, positive: str | None = None,
             counts: Sequence[int] | None = None) -> Classify:
    """The task of predicting the column `target`. `positive` is put last of two classes; `counts` (training rows
    a class) choose the headline: AUC for two classes, accuracy for more, macro-F1 when they are uneven."""
    ordered = tuple(classes)
    if positive is not None and positive in ordered:
        ordered = (*(c for c in ordered if c != positive), positive)
    if metric is None:
        uneven = counts is not None and min(counts) * UNEVEN < max(counts)
        metric = "roc_auc" if len(ordered) == 2 else "macro_f1" if uneven else "accuracy"
    return Classify(target, ordered, metric_named(metric, CLASSIFY, "classify"))
