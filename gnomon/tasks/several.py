"""Predict several targets at once; any of them may be missing in any row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.card import Card
from gnomon.data.table import Data, Spec
from gnomon.errors import InputError
from gnomon.tasks._task import Metric, Prediction, Stats

if TYPE_CHECKING:
    from torch import Tensor

CARD = Card(
    name="Several targets",
    gist="One model with a head for each target; rows without a target simply do not count for it.",
    use_when="Related targets are measured on overlapping rows: assays, properties, traits.",
    avoid_when="The targets have nothing in common: separate studies are clearer.",
    paper="Caruana 1997, Machine Learning 28",
    survey=("M7", "T1"),
    tasks=("several",),
)


@dataclass(frozen=True)
class Several:
    """Tasks side by side. The headline is the mean of their scores, so all must share metric and direction."""

    tasks: tuple[Any, ...]
    name: str = "several"

    @property
    def target(self) -> str:
        return ", ".join(task.target for task in self.tasks)

    @cached_property
    def metric(self) -> Metric:
        first = self.tasks[0].metric
        return Metric(first.name, first.higher_is_better, self.score, None, first.unit, first.needs)

    @property
    def out(self) -> Spec:
        return Spec("out", shape=(self.widths[-1],))

    @cached_property
    def widths(self) -> np.ndarray:
        """Where each task's raw outputs end."""
        return np.cumsum([task.out.shape[0] for task in self.tasks])

    def _slices(self) -> list[slice]:
        return [slice(end - t.out.shape[0], end) for t, end in zip(self.tasks, self.widths, strict=True)]

    def truth(self, data: Data, rows: np.ndarray) -> np.ndarray:
        each = [task.truth(data, rows).astype(np.float64) for task in self.tasks]
        return np.stack([np.where(t < 0, np.nan, t) if k.name == "classify" else t
                         for k, t in zip(self.tasks, each, strict=True)], axis=1)

    def read(self, raw: np.ndarray) -> Prediction:
        return Prediction(parts=tuple(t.read(raw[:, s]) for t, s in zip(self.tasks, self._slices(), strict=True)))

    def loss(self, raw: Tensor, truth: Tensor, weight: Tensor) -> Mapping[str, Tensor]:
        """One term a target, each over the rows that have it, weighed by the share of rows that do."""
        import torch

        terms = {}
        for i, (task, piece) in enumerate(zip(self.tasks, self._slices(), strict=True)):
            wanted, known = truth[:, i], torch.isfinite(truth[:, i])
            if task.name == "classify":
                wanted = torch.where(known, wanted, -1.0)
            share = known.float().mean()
            for term, value in task.loss(raw[:, piece], wanted, weight).items():
                terms[f"{task.target}.{term}"] = value * share
        return terms

    def measure(self, prediction: Prediction, truth: np.ndarray) -> Stats:
        arrays = {}
        for i, (task, part) in enumerate(zip(self.tasks, prediction.parts, strict=True)):
            wanted = truth[:, i]
            if task.name == "classify":
                wanted = np.where(np.isnan(wanted), -1, wanted).astype(np.int64)
            for name, array in task.measure(part, wanted).arrays.items():
                arrays[f"{i}.{name}"] = array
        return Stats(arrays)

    def part(self, stats: Stats, i: int) -> Stats:
        """The statistics of one target."""
        start = f"{i}."
        return Stats({k[len(start):]: a for k, a in stats.arrays.items() if k.startswith(start)})

    def score(self, stats: Stats) -> float:
        scores = [task.score(self.part(stats, i)) for i, task in enumerate(self.tasks)]
        scores = [s for s in scores if np.isfinite(s)]
        return float(np.mean(scores)) if scores else float("nan")

    def naive(self, truth: np.ndarray) -> Floors:
        columns = [truth[:, i] if t.name == "regress" else np.where(np.isnan(truth[:, i]), -1, truth[:, i])
                   for i, t in enumerate(self.tasks)]
        return Floors(tuple(t.naive(c) for t, c in zip(self.tasks, columns, strict=True)))


@dataclass(frozen=True)
class Floors:
    """The floor of several targets: each target's own floor."""

    floors: tuple[Any, ...]

    def predict(self, n: int) -> Prediction:
        return Prediction(parts=tuple(floor.predict(n) for floor in self.floors))


def several(tasks: Sequence[Any]) -> Several:
    """Join tasks; raises when their headline metrics differ, for a mean of unlike scores means nothing."""
    names = {task.metric.name for task in tasks}
    if len(names) > 1:
        raise InputError("E-METRIC-MIXED", f"the targets would be scored by different metrics: {', '.join(sorted(names))}",
                         do="study number targets and class targets separately, or name one metric with --metric")
    return Several(tuple(tasks))
