"""Decisions by probability over prior: the right rule for balanced accuracy, and none where it does not belong."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.logit_adjustment import decided, logit_adjustment


def calibrated(seed: int, n: int = 4000) -> tuple[Prediction, np.ndarray]:
    """Exact posteriors of two unit Gaussians, two apart, the second a twentieth of the rows."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.05).astype(np.int64)
    x = rng.normal(size=n) + 2 * truth
    odds = 0.05 / 0.95 * np.exp(2 * x - 2)
    proba = np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)
    return Prediction(proba.argmax(axis=1), proba), truth


def test_balanced_accuracy_reaches_the_bayes_rule():
    told, truth = calibrated(0)
    task = classify("y", ["a", "b"], metric="balanced_accuracy")
    weights = logit_adjustment(task, told, truth)
    after = task.score(task.measure(decided(told, weights), truth))
    assert after == pytest.approx(0.841, abs=0.03)  # Phi(1): the midpoint between the means
    assert after > task.score(task.measure(told, truth)) + 0.1
    assert decided(told, weights).proba is told.proba


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc", "log_loss"])
def test_other_headlines_are_left_alone(metric):
    told, truth = calibrated(1)
    weights = logit_adjustment(classify("y", ["a", "b"], metric=metric), told, truth)
    assert weights == () and decided(told, weights) is told


def test_even_classes_that_are_told_apart_need_no_weights():
    rng = np.random.default_rng(2)
    truth = rng.integers(3, size=300)
    proba = np.full((300, 3), 0.1)
    proba[np.arange(300), truth] = 0.8
    assert logit_adjustment(classify("y", ["a", "b", "c"], metric="macro_f1"), Prediction(truth, proba), truth) == ()
