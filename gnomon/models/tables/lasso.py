"""Lasso: few features, chosen by the model."""

from __future__ import annotations

from typing import Any

from gnomon.card import Card
from gnomon.data.table import Spec

CARD = Card(
    name="Lasso",
    gist="A weighted sum of as few features as the data need; how few is cross-validated.",
    use_when="Many features of which few matter: genes, spectra, descriptors; when a short list is wanted.",
    avoid_when="Many small effects (ridge); strongly correlated features, of which it keeps one at random.",
    paper="Tibshirani 1996, J. R. Stat. Soc. B 58",
    survey=("C4", "P2"),
    tasks=("classify", "regress"),
    gives=("fit",),
    cost="seconds",
)


def lasso(inputs: Any, out: Spec, *, count: int = 30, folds: int = 5, random_state: int = 0) -> Any:
    """minimise sum_i (y_i - x_i b - a)^2 / 2n + alpha |b|_1, alpha from a path of `count` values by `folds`-fold
    cross-validation; for classes logistic regression with the same penalty, one class against the others."""
    from gnomon.models.tables._linear import FewClasses, FewNumbers

    kind = FewClasses if out.categories else FewNumbers
    return kind(count=count, folds=folds, random_state=random_state)
