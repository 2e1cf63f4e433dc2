"""Perturbation and Shapley attributions as a study asks for them: any predictor, on the pieces of its own data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.analyses.attribute import feature_ablation, kernel_shap, lime, sampled_shapley, sufficient_subsets
from gnomon.analyses.attribute._attempts import MOST_PIECES, Attempt, _columns, _piece_features, _pieces_name, by_features
from gnomon.analyses.attribute._audits import audited, correlations
from gnomon.analyses.attribute._case import SCALAR, Case
from gnomon.analyses.attribute._features import way_of
from gnomon.analyses.attribute._ground import Ground

ORDERS = 8  # of sampled Shapley: with pairs of an order and its reverse, four independent ones
DRAWN = ("sampled_shapley", "kernel_shap", "lime")  # whose numbers depend on draws

Scores = Callable[[Ground], list[np.ndarray]]


def _samples(count: float) -> int:
    """Altered copies a row that a regression on `count` pieces takes: all sets while they are few, else 4 a piece."""
    return int(min(2.0 ** min(count, 9.0), 512) if count <= 9 else 64 + 4 * count)


def _most(ground: Ground) -> int:
    return max(len(p) for p in ground.pieces)


PIECEWISE: dict[str, Scores] = {
    "feature_ablation": feature_ablation.of_pieces,
    "sampled_shapley": lambda g: sampled_shapley.of_pieces(g, draws=ORDERS, seed=g.seed),
    "kernel_shap": lambda g: kernel_shap.of_pieces(g, samples=_samples(_most(g)), seed=g.seed),
    "lime": lambda g: lime.of_pieces(g, samples=_samples(_most(g)), seed=g.seed),
    "sufficient_subsets": lambda g: sufficient_subsets.of_pieces(g, subsets=1),
}


def by_pieces(case: Case, *, technique: str) -> Attempt | str | None:
    """One of PIECEWISE, on whatever pieces the rows have."""
    ground, scores_of = case.ground(), PIECEWISE[technique]
    most = _most(ground)
    if most < 2:
        return f"{technique.replace('_', ' ')} needs rows of at least two pieces; these have {most}"
    if most > MOST_PIECES:
        return f"{technique.replace('_', ' ')} would take a row of {most} pieces apart; at most {MOST_PIECES} are taken"
    fewer = case.affordable(technique, lambda few: scores_of(few.ground()), runs_of(case, technique))
    if isinstance(fewer, str):
        return fewer
    ground = fewer.ground() if len(fewer.rows) < len(case.rows) else ground
    return _attempt(fewer, ground, technique, scores_of)


def runs_of(case: Case, technique: str) -> int:
    """How often a row is explained in all: for itself, for the randomised copies and, where draws decide, once more."""
    return 1 + case.copies + (technique in DRAWN)


def _attempt(case: Case, ground: Ground, technique: str, scores_of: Scores) -> Attempt:
    scores = scores_of(ground)
    copies, of = case.randomised()
    again = [scores_of(replace(ground, predict=c.predict)) for c in copies]
    checks = (over_seeds(scores, scores_of(replace(ground, seed=ground.seed + 1))),) if technique in DRAWN else ()
    return Attempt(technique, _pieces_name(ground), ground, scores, again, of, case.question, case.rows,
                   _columns(ground, scores), _piece_features(ground, scores), checks, kept=np.arange(len(case.rows)))


def over_seeds(scores: list[np.ndarray], other: list[np.ndarray]) -> dict[str, Any]:
    """Whether other draws give the same ranking, as an audit that is printed."""
    return audited("stability over seeds", correlations(scores, other), None,
                   "rank correlation {} with the same technique on other draws").entry


def by_own_way(case: Case, *, technique: str) -> Attempt | str | None:
    """Tree SHAP, linear or additive contributions, where the model is of that kind."""
    way = way_of(case.learned.estimators[max(case.question.part, 0)]) if case.is_fitted else None
    if way != technique:
        instead = way or ("integrated_gradients" if case.is_network else "sampled_shapley")
        return f"{technique.replace('_', ' ')} does not fit this model; its own way is {instead}"
    return by_features(case, any(case.data.kind(c) not in SCALAR for c in case.data.inputs), technique=technique)
