"""What exactly is explained: one number a row, from a prediction or from a network's raw output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.tasks._task import Prediction

if TYPE_CHECKING:
    from torch import Tensor

CERTAIN = 1e-6  # probabilities are kept at least so large before their logarithm is taken: trees' shares are often 0
EXACT = 1e-30  # and those of networks, which are right however small: a sure network would else seem moved by nothing


@dataclass(frozen=True)
class Question:
    """Why this number, or why this class rather than the others (as log-odds).

    target: the column. part: which of several targets, -1 when there is one. start, stop: its raw outputs.
    classes: (n,) the class explained in each row: of two the second, else the one predicted; None for a number.
    names: the class names. scale: what one unit of raw output is worth in the target's own unit. least: what
    probabilities are kept above.
    """

    target: str
    part: int
    start: int
    stop: int
    classes: np.ndarray | None
    names: tuple[str, ...] = ()
    scale: float = 1.0
    least: float = CERTAIN

    def answer(self, prediction: Prediction, rows: np.ndarray) -> np.ndarray:
        """(len(rows),) the explained number; `rows` say which of the question's rows these predictions are for."""
        told: Any = prediction.parts[self.part] if self.part >= 0 else prediction
        if self.classes is None:
            return np.asarray(told.value, dtype=float)
        own = np.arange(told.proba.shape[1]) == self.classes[rows, None]
        share, rest = (np.where(part, told.proba, 0.0).sum(axis=1) for part in (own, ~own))
        return np.log(np.maximum(share, self.least) / np.maximum(rest, self.least))

    def pick(self, raw: Tensor, rows: Any) -> Tensor:
        """The same from raw outputs (B, K), differentiable: the number, or the class's logit against all others."""
        import torch

        raw = raw[:, self.start:self.stop]
        if self.classes is None:
            return raw[:, 0] * self.scale
        wanted = torch.from_numpy(self.classes)[rows].to(raw.device)[:, None]
        others = raw.scatter(1, wanted, float("-inf"))
        return raw.gather(1, wanted)[:, 0] - torch.logsumexp(others, dim=1)

    @property
    def what(self) -> str:
        """For sentences: 'solubility', or 'the odds of toxic', or 'the odds of the predicted class'."""
        if self.classes is None:
            return self.target
        return f"the odds of {self.names[1]}" if len(self.names) == 2 else "the odds of the predicted class"

    def shown(self, prediction: Prediction, row: int) -> str:
        """What was predicted for a row, for people."""
        told: Any = prediction.parts[self.part] if self.part >= 0 else prediction
        if self.classes is None:
            return f"{told.value[row]:.4g}"
        best = int(told.value[row])
        return f"{self.names[best]} ({told.proba[row, best]:.0%})"


def ask(task: Any, prediction: Prediction, *, part: int = 0, of: Any = None) -> Question:
    """The question put to every row of `prediction`; of several targets, about the one at `part`. of: who predicted."""
    from gnomon.methods._network import Network

    least = EXACT if isinstance(of, Network) else CERTAIN
    if task.name != "several":
        return replace(_ask_one(task, prediction, -1, 0), least=least)
    ends = [0, *np.cumsum([t.out.shape[0] for t in task.tasks])]
    return replace(_ask_one(task.tasks[part], prediction.parts[part], part, int(ends[part])), least=least)


def _ask_one(task: Any, prediction: Prediction, part: int, start: int) -> Question:
    stop = start + task.out.shape[0]
    if prediction.proba is None:
        return Question(task.target, part, start, stop, None, (), float(getattr(task, "sd", 1.0)))
    two = prediction.proba.shape[1] == 2
    classes = np.full(len(prediction), 1) if two else np.asarray(prediction.value)
    return Question(task.target, part, start, stop, classes.astype(np.int64), tuple(task.out.categories))
