"""Shapley values of forests and boosting, exactly, by walking the trees."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.card import Card
from gnomon.errors import InputError, missing_extra

CARD = Card(
    name="Tree SHAP",
    gist="The Shapley value of every feature for every row: its average effect over all orders of revealing features.",
    use_when="The predictor is a tree, a forest or gradient boosting.",
    avoid_when="Features are strongly correlated: their effect is shared by the trees' accidents; read the group.",
    paper="Lundberg et al. 2020, Nature Machine Intelligence 2, arXiv:1905.04610",
    survey=("I6", "T2"),
    tasks=("classify", "regress", "several"),
    cost="seconds",
)


def tree_shap(model: Any, matrix: Any, *, background: np.ndarray | None = None, output: int = -1) -> np.ndarray:
    """(n, d) Shapley values of the model's own output: margin (log-odds) of boosting, probability of forests, number.

    model: a fitted tree ensemble of scikit-learn, LightGBM or XGBoost. matrix: (n, d). background: rows against which
    features are hidden (interventional), or None to follow the trees' own counts. output: the class explained
    (-1: the last). Law: a row's values add up to its output less the average output. Needs the library shap.
    Raises E-ATTRIBUTION for another number of features than the trees were grown on.
    """
    grown = getattr(model, "n_features_in_", matrix.shape[1])
    if matrix.shape[1] != grown:  # the library would read beyond the row's end
        raise InputError("E-ATTRIBUTION", f"the trees were grown on {grown} features; these rows have {matrix.shape[1]}",
                         do="give the features the model was fitted on, in the same order")
    if type(model).__module__.startswith("lightgbm") and background is None:
        return _lightgbm(getattr(model, "booster_", model), matrix, output)
    try:
        import shap
    except ImportError as error:
        raise missing_extra("shap", "trust", "tree SHAP") from error

    how = "tree_path_dependent" if background is None else "interventional"
    explainer = shap.TreeExplainer(model, data=background, feature_perturbation=how)
    dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    values = explainer.shap_values(dense, check_additivity=False)
    values = np.stack(values, axis=-1) if isinstance(values, list) else np.asarray(values)
    return values if values.ndim == 2 else values[:, :, output]


def _lightgbm(booster: Any, matrix: Any, output: int) -> np.ndarray:
    """LightGBM walks its own trees, many times faster; the last column of each class is the average output."""
    found = booster.predict(matrix, pred_contrib=True)
    found = found if isinstance(found, np.ndarray) else found.toarray() if not isinstance(found, list) else \
        np.concatenate([f.toarray() for f in found], axis=1)
    width = matrix.shape[1] + 1
    return found.reshape(len(found), -1, width)[:, output if found.shape[1] > width else 0, :-1]
