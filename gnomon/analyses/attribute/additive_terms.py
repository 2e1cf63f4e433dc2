"""What each input adds in a glass-box model: read off, not estimated."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.card import Card

CARD = Card(
    name="Terms of an additive model",
    gist="An explainable boosting machine is a sum of curves; each row's explanation is the heights it reads off them.",
    use_when="The predictor is an explainable boosting machine.",
    avoid_when="Any other model: there is nothing to read off.",
    paper="Nori et al. 2019, arXiv:1909.09223",
    survey=("C6", "T2"),
    tasks=("classify", "regress", "several"),
    cost="seconds",
)


def additive_terms(model: Any, matrix: np.ndarray, *, output: int = -1) -> np.ndarray:
    """(n, d) what each feature adds to the output; a pair's term is split evenly between its two features.

    model: a fitted explainable boosting machine of interpret. output: the class explained when there are more than two.
    Law: a row's numbers and the intercept add up to the model's output (log-odds for classes).
    """
    terms = np.asarray(model.eval_terms(matrix))
    terms = terms[:, :, output] if terms.ndim == 3 else terms
    out = np.zeros((len(matrix), matrix.shape[1]))
    for term, features in zip(terms.T, model.term_features_, strict=True):
        for feature in features:
            out[:, feature] += term / len(features)
    return out
