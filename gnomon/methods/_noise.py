"""Wrong labels: out-of-fold probabilities, the confident joint, and which rows it says are mislabelled.

Reference: Northcutt, Jiang & Chuang 2021, Confident learning, arXiv:1911.00068, sections 3 and 4.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gnomon.data.parts import Rows
from gnomon.data.table import Data
from gnomon.errors import InputError
from gnomon.rng import stream

FEWEST = 2  # rows a class keeps, whatever is said of its labels


def classes_only(task: Any, method: str) -> None:
    """Refuse a task whose labels are no classes."""
    if task.name != "classify":
        raise InputError("E-MODEL-TASK", f"'{method}' tells wrong classes from right ones; the task is '{task.name}'",
                         do='write method = "supervised" or "own_fit" in plan.toml')


def even_folds(labels: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """(n,) fold numbers at random, every class spread evenly."""
    dice = stream(seed, "noise folds").random(len(labels))
    order = np.lexsort((dice, labels))
    place = np.empty(len(labels), dtype=np.int64)
    place[order] = np.arange(len(labels)) % folds
    return place


def out_of_fold(task: Any, train: Callable[[Rows, int], Any], data: Data, rows: np.ndarray, folds: int, seed: int
                ) -> np.ndarray:
    """(n, K) probabilities of these rows, each from a model that did not see the row. train: (rows, fold) -> learned."""
    labels = task.truth(data, rows)
    place = even_folds(labels, folds, seed)
    proba = np.zeros((len(rows), len(task.classes)))
    for k in range(folds):
        held = place == k
        if held.any():
            learned = train(Rows(rows[~held], rows[:0]), k)
            proba[held] = learned.predict(data, rows[held]).proba
    return proba


def confident_joint(proba: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(K, K) estimated counts of rows labelled i whose class is j; each row i sums to the rows labelled i.

    A row counts for class j when p_j reaches that class's mean self-confidence t_j = mean of p_j over rows labelled j;
    where several do, for the likeliest of them.
    """
    count = proba.shape[1]
    sure = np.array([proba[labels == k, k].mean() if (labels == k).any() else np.inf for k in range(count)])
    above = np.where(proba >= sure - 1e-9, proba, -1.0)
    claimed, stands = above.argmax(axis=1), above.max(axis=1) >= 0
    joint = np.zeros((count, count))
    np.add.at(joint, (labels[stands], claimed[stands]), 1.0)
    size = np.bincount(labels, minlength=count).astype(float)
    empty = joint.sum(axis=1) == 0
    joint[empty, empty] = 1.0  # a class nobody counts for keeps its labels
    return joint / joint.sum(axis=1, keepdims=True) * size[:, None]


def noise_rate(joint: np.ndarray) -> float:
    """The share of labels the joint says are wrong. Where classes overlap, right labels of hard rows count among them: from
    the probabilities alone the two cannot be told apart, for a model of noisy labels foretells the noise."""
    return float(1 - np.trace(joint) / max(joint.sum(), 1e-12))


def mislabelled(proba: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """(n,) bool: for each pair i, j as many rows labelled i as the joint counts in (i, j), those with the largest
    p_j - p_i first ("prune by noise rate"); only rows whose likeliest class is another; every class keeps two rows."""
    joint = confident_joint(proba, labels)
    out = np.zeros(len(labels), dtype=bool)
    for i in range(joint.shape[0]):
        mine = np.flatnonzero(labels == i)
        for j in np.flatnonzero(np.arange(joint.shape[0]) != i):
            wanted = round(joint[i, j])
            if wanted:
                margin = proba[mine, j] - proba[mine, i]
                out[mine[np.argsort(-margin, kind="stable")[:wanted]]] = True
        out[mine] &= proba[mine].argmax(axis=1) != i
        left = mine[~out[mine]]
        if len(left) < FEWEST:
            best = mine[np.argsort(-proba[mine, i], kind="stable")[:FEWEST]]
            out[best] = False
    return out
