"""Looking inside learned things: their members, how to predict shuffled rows fast, and copies with nothing learned."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._inputs import Part, moved, parts_of
from gnomon.data.table import Data
from gnomon.rng import key, stream
from gnomon.tasks._task import Prediction

if TYPE_CHECKING:
    from torch import nn


STRUCTURED = ("molecule", "sequence", "text", "image")  # kinds whose features take long to compute


def one_number(prediction: Prediction) -> np.ndarray:
    """(n,) the prediction as one number: the value, or the probability of the last class; of several, the first."""
    if prediction.parts:
        return one_number(prediction.parts[0])
    return np.asarray(prediction.value if prediction.proba is None else prediction.proba[:, -1], dtype=float)


def mover(learned: Any, data: Data, rows: np.ndarray) -> Callable[[Sequence[Part], np.ndarray], Prediction]:
    """`move(parts, order)`: the prediction for `rows` when these parts come from the rows at `order` instead.

    `order` may hold several rounds end to end; all other inputs then repeat, and everything is predicted in one batch.
    A structured column (molecules, say) is never shuffled itself: all other inputs are moved the opposite way and the
    predictions put in order, which is the same and leaves the features computed for it valid.
    """
    own, everyone = data.take(rows), np.arange(len(rows))
    start = learned.predict(own, everyone)

    def move(parts: Sequence[Part], order: np.ndarray) -> Prediction:
        rounds = len(order) // len(rows)
        if not parts:
            return start
        if rounds > 1:
            first = np.repeat(np.arange(rounds) * len(rows), len(rows))
            tiled = own.take(np.tile(everyone, rounds))
            return learned.predict(moved(tiled, parts, order + first), np.arange(len(tiled)))
        if not any(data.kind(p.column) in STRUCTURED for p in parts):
            return learned.predict(moved(own, parts, order), everyone)
        columns = {p.column for p in parts}
        others = [p for p in parts_of(data) if p.column not in columns]
        if not others:
            return start.take(order)
        return learned.predict(moved(own, others, np.argsort(order)), everyone).take(order)

    return move


def shaken(module: nn.Module, seed: int, *, most: int | None = None) -> nn.Module:
    """A copy whose learned weights are noise of the same mean and spread (vectors are reordered).

    most: only so many parameter tensors, from the output backwards (the cascade of Adebayo et al.); None = all.
    """
    import torch

    module = copy.deepcopy(module)
    parameters = list(module.named_parameters())[::-1][:most]
    with torch.no_grad():
        for name, weight in parameters:
            dice = torch.Generator().manual_seed(key(seed, "shaken", name) % 2**63)
            if weight.ndim < 2:
                drawn = weight.flatten()[torch.randperm(weight.numel(), generator=dice).to(weight.device)]
                weight.copy_(drawn.reshape(weight.shape))
                continue
            spread = weight.float().std() if weight.numel() > 1 else weight.float().abs().sum()
            noise = torch.randn(weight.shape, generator=dice).to(weight)
            padding = (weight == 0).all(dim=-1, keepdim=True)  # rows of zeros stand for padding
            weight.copy_(torch.where(padding, weight, noise * spread.to(weight) + weight.mean()))
    return module


def relabelled(fitted: Any, task: Any, data: Data, rows: np.ndarray, seed: int) -> Any:
    """The same kind of estimators fitted on `rows` with their labels dealt out anew: nothing can have been learned."""
    from sklearn.base import clone
    from sklearn.exceptions import ConvergenceWarning

    truth = np.asarray(task.truth(data, rows))
    columns = truth[:, None] if truth.ndim == 1 else truth
    matrix = fitted.view.transform(data, rows)
    dice, again = stream(seed, "relabelled"), []
    for estimator, column in zip(fitted.estimators, columns.T, strict=True):
        known = np.flatnonzero(np.isfinite(column) if column.dtype.kind == "f" else column >= 0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # there is nothing to converge to
            again.append(clone(estimator).fit(matrix[known], dice.permutation(column[known])))
    return replace(fitted, estimators=tuple(again))
