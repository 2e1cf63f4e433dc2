"""Clean twins: data in which nothing is wrong by construction, so that every warning on them is a false alarm.

Fine number columns first get a tail of a known law. Two nulls follow. "permuted": the target shuffled, and in tables
each column drawn anew on its own (bootstrap), in sequences the letters shuffled: no relation of any kind. "modelled":
inputs with their own dependence, the target drawn from a model fitted to the true one (class probabilities, or
prediction plus normal noise of the residual size): signal and overlap as in life, and no wrong label, leak or batch.
"""

from __future__ import annotations

import numpy as np
from _data import column, is_classes, values_of, with_column, with_values

from gnomon.analyses.explore._views import quick_view
from gnomon.data.table import Data


def tamed(data: Data, rng: np.random.Generator) -> Data:
    """Fine number columns with a tail that is known: their ranks, given the values of a sample of the normal (or, when
    all are positive and skewed, lognormal) law of the same centre and spread. What depends on what stays."""
    for name in [n for n in data.of_kind("number") if not data.columns[n].spec.shape]:
        values = values_of(data, name)
        _, counts = np.unique(values, return_counts=True)
        if len(counts) < 50 or counts.max() > 0.05 * len(values):
            continue
        skewed = values.min() > 0 and np.mean(values) > 1.1 * np.median(values)
        body = np.log(values) if skewed else values
        low, middle, high = np.percentile(body, [16, 50, 84])
        drawn = np.sort(rng.normal(middle, (high - low) / 2, len(values)))
        drawn = (np.exp(drawn) if skewed else drawn)[np.argsort(np.argsort(values, kind="stable"))]
        data = with_values(data, name, drawn)
    return data


def permuted(data: Data, rng: np.random.Generator) -> Data:
    data = tamed(data, rng)
    for name in data.of_kind("number"):
        values = values_of(data, name)
        fine = len(np.unique(values)) == len(values)
        data = with_values(data, name, rng.permutation(values) if fine else rng.choice(values, len(values)))
    for name in data.of_kind("sequence"):
        drawn = np.array(["".join(rng.permutation(list(s))) for s in values_of(data, name)], dtype=object)
        data = with_values(data, name, drawn)
    return with_values(data, "target", rng.permutation(values_of(data, "target")))


def modelled(data: Data, rng: np.random.Generator) -> Data:
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    data = tamed(data, rng)
    view, y = quick_view(data, np.arange(len(data))), values_of(data, "target")
    if is_classes(data):
        model = ExtraTreesClassifier(60, min_samples_leaf=3, max_features="sqrt", random_state=0, bootstrap=True,
                                     oob_score=True).fit(view, y)
        chance = np.nan_to_num(model.oob_decision_function_, nan=1 / len(model.classes_))
        chance = honest(chance, float((model.classes_[chance.argmax(axis=1)] != y).mean()))
        pick = (rng.random((len(y), 1)) > np.cumsum(chance, axis=1)).sum(axis=1).clip(max=len(model.classes_) - 1)
        names = np.array(data.columns["target"].spec.categories)[model.classes_]
        return with_column(data, "target", column(names[pick]), "target")
    model = ExtraTreesRegressor(60, min_samples_leaf=3, max_features=0.33, random_state=0, bootstrap=True,
                                oob_score=True).fit(view, y)
    guess = model.oob_prediction_
    return with_values(data, "target", guess + rng.normal(0, float(np.std(y - guess)), len(y)))


def honest(chance: np.ndarray, wrong: float) -> np.ndarray:
    """Probabilities sharpened (p to a power) until they expect as many errors as there are: votes of trees are never
    sure, and labels drawn from them would be wrong where the true ones never are."""
    low, high = 0.5, 20.0
    for _ in range(30):
        power = (low + high) / 2
        sharp = np.maximum(chance, 1e-12) ** power
        sharp = sharp / sharp.sum(axis=1, keepdims=True)
        low, high = (power, high) if float(1 - sharp.max(axis=1).mean()) > wrong else (low, power)
    return sharp


TWINS = {"permuted": permuted, "modelled": modelled}
