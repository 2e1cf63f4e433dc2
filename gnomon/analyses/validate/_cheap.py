"""Cheap models on plain matrices: fit, predict and cross-predict, for checks that ask what some features could tell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gnomon.data.parts import Fold
from gnomon.rng import stream
from gnomon.tasks._task import Prediction

TREES, LEAF = 60, 3
MOST_TRAIN = 3000  # training rows of a fold: a cheap model learns little from more


def fit_predict(task: Any, estimator: Any, x: Any, truth: np.ndarray, train: np.ndarray, held: np.ndarray) -> Prediction:
    """What an estimator fitted on the rows `train` of (x, truth) says about the rows `held`."""
    if task.name != "classify":
        return Prediction(value=np.asarray(estimator.fit(x[train], truth[train]).predict(x[held]), dtype=float))
    proba = np.zeros((len(held), len(task.out.categories)))
    seen = np.unique(truth[train])
    if len(seen) == 1:
        proba[:, int(seen[0])] = 1.0
    else:
        estimator.fit(x[train], truth[train])
        proba[:, np.asarray(estimator.classes_).astype(int)] = estimator.predict_proba(x[held])
    return Prediction(value=proba.argmax(axis=1), proba=proba)


def small_forest(task: Any, seed: int, trees: int = TREES, leaf: int = LEAF) -> Any:
    """A forest that fits thousands of rows in a second."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

    if task.name == "classify":
        return ExtraTreesClassifier(trees, min_samples_leaf=leaf, max_features="sqrt", bootstrap=True,
                                    random_state=seed, n_jobs=1)
    return ExtraTreesRegressor(trees, min_samples_leaf=leaf, max_features=0.5, bootstrap=True, random_state=seed, n_jobs=1)


def labelled(truth: np.ndarray) -> np.ndarray:
    """Which rows have a target: bool (n,)."""
    return truth >= 0 if truth.dtype.kind in "iu" else np.isfinite(truth)


def out_of_fold(task: Any, x: np.ndarray, truth: np.ndarray, folds: Sequence[Fold], rows: np.ndarray, *,
                make: Callable[[int], Any], seed: int = 0) -> Prediction:
    """The mean prediction of `rows` (k,) by models fitted in the study's own folds, never on the row's own unit.

    x (n, d) and truth (n,) are of all rows of the data; make(seed) gives an unfitted estimator. Each fold trains on at
    most 3,000 rows, drawn by the seed.
    """
    place = np.full(len(truth), -1)
    place[rows] = np.arange(len(rows))
    width = len(task.out.categories) if task.name == "classify" else 1
    total, count = np.zeros((len(rows), width)), np.zeros(len(rows))
    for k, fold in enumerate(folds):
        rng = stream(seed, "out of fold", k)
        train = fold.train[labelled(truth[fold.train])]
        train = np.sort(rng.permutation(train)[:MOST_TRAIN])
        held = fold.valid[place[fold.valid] >= 0]
        if len(held) and len(train):
            told = fit_predict(task, make(int(rng.integers(2**31))), x, truth, train, held)
            np.add.at(total, place[held], told.proba if width > 1 else told.value[:, None])  # type: ignore[index]
            np.add.at(count, place[held], 1)
    mean = total / np.maximum(count, 1)[:, None]
    if task.name == "classify":
        return Prediction(mean.argmax(axis=1), mean)
    return Prediction(mean[:, 0])
