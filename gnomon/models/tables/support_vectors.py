"""Support vector machines with a Gaussian kernel."""

from __future__ import annotations

from typing import Any

from gnomon.card import Card
from gnomon.data.table import Spec

CARD = Card(
    name="Support vector machine",
    gist="A smooth function of the distances to the training rows that matter; penalty and width are cross-validated.",
    use_when="Up to a few thousand rows with informative features on one scale: descriptors, spectra, HOG of images.",
    avoid_when="More than about 10,000 rows; many useless features; categories mainly.",
    paper="Cortes & Vapnik 1995, Machine Learning 20; Smola & Schoelkopf 2004, Stat. Comput. 14",
    survey=("P2",),
    tasks=("classify", "regress"),
    gives=("fit",),
    cost="seconds",
)


def support_vectors(inputs: Any, out: Spec, *, rows: int = 5_000, folds: int = 3, random_state: int = 0) -> Any:
    """Support vector regression (epsilon 0.05 sd of the target) or classification (probabilities by a logistic curve on
    held-out scores, Platt 1999), kernel exp(-gamma |x - x'|^2); C and gamma from a small grid by `folds`-fold
    cross-validation on at most 1,500 rows. Raises E-ROWS-MANY above `rows` rows: the time grows with their square.
    """
    from gnomon.models.tables._kernels import VectorClasses, VectorNumbers

    kind = VectorClasses if out.categories else VectorNumbers
    return kind(rows=rows, folds=folds, random_state=random_state)
