"""Weights that make target and group independent in the training rows."""

from __future__ import annotations

import numpy as np

from gnomon.card import Card

CARD = Card(
    name="Reweighing",
    gist="Each row counts by how often its group and class should meet, over how often they do.",
    use_when="A class is commoner in one sub-group than in another, and predictions should not follow the group.",
    avoid_when="The share of the class truly differs between the groups and probabilities must be right in each.",
    paper="Kamiran & Calders 2012, Knowledge and Information Systems 33",
    survey=("P9",),
    tasks=("classify",),
    reads=("number", "category"),
    needs=("labels", "groups"),
    cost="seconds",
)


def reweighing(group: np.ndarray, label: np.ndarray) -> np.ndarray:
    """(n,) weights P(group) P(label) / P(group, label), with mean 1; both arguments (n,), any values.

    Under these weights group and label are independent, whatever their joint shares were.
    """
    _, g = np.unique(np.asarray(group), return_inverse=True)
    _, y = np.unique(np.asarray(label), return_inverse=True)
    joint = np.zeros((g.max() + 1, y.max() + 1))
    np.add.at(joint, (g, y), 1.0)
    expected = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0) / len(g)
    return (expected / np.maximum(joint, 1))[g, y]
