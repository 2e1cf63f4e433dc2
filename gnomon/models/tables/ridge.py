"""Ridge regression with the penalty chosen by leave-one-out."""

from __future__ import annotations

from typing import Any

from gnomon.card import Card
from gnomon.data.table import Spec

CARD = Card(
    name="Ridge regression",
    gist="A weighted sum of the features; large weights are penalised, how much is chosen by exact leave-one-out.",
    use_when="Always, as the first model of a number; with more features than rows; when effects add up.",
    avoid_when="The effect of a feature depends on others or bends: trees and kernels see that.",
    paper="Hoerl & Kennard 1970, Technometrics 12; Golub, Heath & Wahba 1979, Technometrics 21",
    survey=("C4", "P2"),
    tasks=("regress",),
    gives=("fit",),
    cost="seconds",
)


def ridge(inputs: Any, out: Spec, *, weakest: float = 1e-3, strongest: float = 1e6, count: int = 28) -> Any:
    """minimise sum_i w_i (y_i - x_i b - a)^2 + alpha |b|^2, alpha by leave-one-out over `count` values on a log scale.

    weakest, strongest: the range of alpha. Features should be on one scale (form "scaled"). Sparse input stays sparse.
    Raises E-MODEL-TASK for classes: that is logistic regression.
    """
    from gnomon.models.tables._linear import LeaveOneOutRidge, refuse_classes

    refuse_classes(out, "ridge", "logistic")
    return LeaveOneOutRidge(weakest=weakest, strongest=strongest, count=count)
