"""Logistic regression with the penalty chosen on held-out rows."""

from __future__ import annotations

from typing import Any

from gnomon.card import Card
from gnomon.data.table import Spec

CARD = Card(
    name="Logistic regression",
    gist="Class probabilities from weighted sums of the features; the penalty is chosen by inner cross-validation.",
    use_when="Always, as the first model of a class; with more features than rows; text as tf-idf.",
    avoid_when="Classes are told apart by combinations of features: trees and kernels see that.",
    paper="Cox 1958, J. R. Stat. Soc. B 20",
    survey=("C4", "P2"),
    tasks=("classify",),
    gives=("fit",),
    cost="seconds",
)


def logistic(inputs: Any, out: Spec, *, weakest: float = 1e3, strongest: float = 1e-4, count: int = 8,
             folds: int = 5, random_state: int = 0) -> Any:
    """minimise |W|^2 / 2 + C sum_i cross_entropy(y_i, W x_i + a), several classes jointly (multinomial).

    weakest, strongest: the largest and the smallest C tried, `count` in all on a log scale, each time the average log
    loss on held-out rows decides; `folds` folds, three from 1,000 rows on,
    one held-out part from 3,000 on. Sparse input is read as it is.
    More features than rows: solved exactly in the rows' own space. Raises E-MODEL-TASK for a number.
    """
    from gnomon.models.tables._linear import HeldOutLogistic, refuse_numbers

    refuse_numbers(out, "logistic", "ridge")
    return HeldOutLogistic(weakest=weakest, strongest=strongest, count=count, folds=folds, random_state=random_state)
