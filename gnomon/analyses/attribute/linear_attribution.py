"""A linear model's own explanation: coefficient times how far the value lies from the average."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.card import Card

CARD = Card(
    name="Linear attribution",
    gist="What each feature adds to a linear model's output, exactly: coefficient x (value - mean).",
    use_when="The predictor is ridge, Lasso or logistic regression (or any linear read-out).",
    avoid_when="Features are strongly correlated: their coefficients share the effect arbitrarily; read the group.",
    paper="Lundberg & Lee 2017, arXiv:1705.07874 (linear models: Shapley values where features are independent)",
    survey=("C4", "I6", "T2"),
    tasks=("classify", "regress", "several"),
    cost="seconds",
)


def linear_attribution(coefficients: np.ndarray, matrix: Any, mean: np.ndarray) -> Any:
    """(n, d) contributions to the output: they add up to output(x) - output(mean).

    coefficients: (d,) or one set a row (n, d). matrix: (n, d) dense, or csr (a csr without mean shift stays csr).
    mean: (d,) the features' average over the rows it is read against.
    """
    if not isinstance(matrix, np.ndarray):
        matrix = matrix.toarray()
    return (matrix - mean) * coefficients
