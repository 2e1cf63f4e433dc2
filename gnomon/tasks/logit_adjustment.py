"""Decide for a class by its probability over its prior, where the headline counts rare classes as much as common ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.card import Card
from gnomon.tasks._task import Prediction

CARD = Card(
    name="Post-hoc logit adjustment",
    gist="Divides each class's probability by its training share to a power, and decides for the largest.",
    use_when="Classes are uneven and the score is macro-F1, balanced accuracy or MCC: rare classes count in full.",
    avoid_when="The score is accuracy or reads probabilities (AUC, log loss): there the largest probability is right.",
    paper="Menon et al. 2021, arXiv:2007.07314",
    survey=("P1", "P5"),
    tasks=("classify",),
    needs=("labels",),
    cost="seconds",
)
METRICS = ("macro_f1", "balanced_accuracy", "mcc")  # headlines that a decision by the largest probability does not serve


def logit_adjustment(task: Any, prediction: Prediction, truth: np.ndarray, *,
                     strengths: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0)) -> tuple[float, ...]:
    """Weights (K,) by which probabilities are multiplied before the largest decides: share of the class ** -strength.

    prediction, truth: rows predicted by models that were not trained on them. The strength with the best headline score
    on these rows is taken, the smaller one of equals; () where the plain decision is best, and for tasks and metrics it
    is not made for. Differs: the paper fixes the strength at 1.
    """
    if task.name != "classify" or task.metric.name not in METRICS or prediction.proba is None:
        return ()
    shares = np.bincount(truth[truth >= 0].astype(int), minlength=prediction.proba.shape[1]) / max((truth >= 0).sum(), 1)
    sign = 1 if task.metric.higher_is_better else -1
    best, chosen = -np.inf, ()
    for strength in strengths:
        weights = tuple(np.maximum(shares, 1 / max(len(truth), 1)) ** -strength)
        score = sign * task.score(task.measure(decided(prediction, weights), truth))
        if score > best + 1e-12:
            best, chosen = score, weights if strength else ()
    return chosen


def decided(prediction: Prediction, weights: Sequence[float]) -> Prediction:
    """The same probabilities, and the class whose weighted probability is largest; unchanged without weights."""
    if not len(weights) or prediction.proba is None:
        return prediction
    return replace(prediction, value=(prediction.proba * np.asarray(weights)).argmax(axis=1))
