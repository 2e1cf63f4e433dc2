"""A weighted ensemble of the candidates, chosen greedily on out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._metrics import CLASSIFY, REGRESS
from gnomon.tasks._task import Prediction
from gnomon.workflow._predictions import average, scatter

CARD = Card(
    name="Greedy ensemble selection",
    gist="Adds, one at a time and with repetition, the candidate that helps the average most.",
    use_when="Several candidates of different families are about equally good.",
    avoid_when="One readable model is wanted, or fewer than about 50 rows were predicted out of fold.",
    paper="Caruana, Niculescu-Mizil, Crew & Ksikes 2004, ICML",
    survey=("P6", "C5"),
    tasks=("classify", "regress", "several"),
    needs=("labels",),
    cost="seconds",
)
CROSS = 5  # parts over which the weights are cross-fitted, so that the ensemble's own score is honest


def caruana(task: Any, truth: np.ndarray, predictions: Sequence[Prediction], *, rounds: int = 30) -> np.ndarray:
    """Weights (k,), summing to 1, of the k candidates' predictions of the same n rows.

    Starts from the best single candidate; each round adds the one that lowers the loss of the average most, and the
    best round wins. Smooth losses (AUC, log loss, squared error) decide, for shares are too coarse to climb.
    """
    loss = _smooth_loss(task)
    alone = [loss(p, truth) for p in predictions]
    counts = np.zeros(len(predictions))
    counts[int(np.argmin(alone))] = 1
    current, best, kept = predictions[int(np.argmin(alone))], min(alone), counts.copy()
    for size in range(1, rounds):
        tries = [loss(average([current, p], [size, 1]), truth) for p in predictions]
        chosen = int(np.argmin(tries))
        current = average([current, predictions[chosen]], [size, 1])
        counts[chosen] += 1
        if tries[chosen] < best * (1 - 1e-6):
            best, kept = tries[chosen], counts.copy()
    return kept / kept.sum()


def cross_fitted(task: Any, truth: np.ndarray, predictions: Sequence[Prediction], units: np.ndarray, *,
                 seed: int = 0) -> Prediction:
    """The ensemble's predictions of n rows, each with weights chosen on rows of other units: an honest score of it."""
    codes = np.unique(units, return_inverse=True)[1]
    part = stream(seed, "caruana").permutation(codes.max() + 1)[codes] % CROSS
    pieces = []
    for k in range(CROSS):
        here, there = np.flatnonzero(part == k), np.flatnonzero(part != k)
        if not len(here):
            continue
        weights = caruana(task, truth[there], [p.take(there) for p in predictions]) if len(there) else None
        pieces.append((here, average([p.take(here) for p in predictions], weights)))
    return scatter(len(truth), pieces)


def _smooth_loss(task: Any) -> Any:
    """(prediction, truth) -> number, lower better: mean log loss or mean squared error, averaged over targets."""
    if task.name == "several":
        losses = [_smooth_loss(t) for t in task.tasks]

        def joint(prediction: Prediction, truth: np.ndarray) -> float:
            columns = [truth[:, i] if t.name == "regress" else np.nan_to_num(truth[:, i], nan=-1)
                       for i, t in enumerate(task.tasks)]
            each = [f(p, c) / s for f, p, c, s in zip(losses, prediction.parts, columns, _scales(task), strict=True)]
            return float(np.nanmean(each))

        return joint
    if task.metric.name == "roc_auc":
        return lambda prediction, truth: 1 - task.score(task.measure(prediction, truth))
    metric = CLASSIFY["log_loss"] if task.name == "classify" else REGRESS["mae" if task.metric.name == "mae" else "rmse"]
    return lambda prediction, truth: metric.score(task.measure(prediction, truth))


def _scales(task: Any) -> list[float]:
    """So that no target counts more for being measured in small units."""
    return [getattr(t, "sd", 1.0) for t in task.tasks]
