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
from gnomon.errors import InputError

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


def by_redrawing(case: Case, *, technique: str) -> Attempt | str | None:
    """Prediction difference on a table's columns: a piece is redrawn from rows that are close in all the others."""
    if case.question.classes is None:
        return "prediction difference explains classes; for a number take sampled_shapley or occlusion"
    if any(case.data.kind(c) not in SCALAR for c in case.data.inputs):
        return "prediction difference redraws a table's columns; for images use the function on the module, or occlusion"
    ground = case.ground()
    if _most(ground) < 2:
        return None
    fewer = case.affordable(technique, lambda few: _redrawn(few, few.ground()), 1 + case.copies)
    if isinstance(fewer, str):
        return fewer
    return _attempt(fewer, fewer.ground(), technique, lambda g: _redrawn(fewer, g))


NEIGHBOURS = 12  # rows a piece is redrawn from


def _redrawn(case: Case, ground: Ground) -> list[np.ndarray]:
    """(n rows) log-odds of the whole row less those of the mean probability over the redrawn copies."""
    closest = _closest(case, ground)
    everyone = np.arange(len(ground))
    rows, whole = np.repeat(everyone, NEIGHBOURS), ground.whole()
    out = np.zeros((len(ground), len(ground.pieces[0])))
    for k, near in enumerate(closest):
        names = {p.column for p in ground.pieces[0][k].parts}
        own, given = ground.data.take(rows), case.data.take(near.reshape(-1))
        columns = dict(own.columns)
        for name in names:
            parts = [p for p in ground.pieces[0][k].parts if p.column == name]
            columns[name] = _moved(columns[name], given.columns[name], parts)
        told = ground.question.answer(ground.predict(replace(own, columns=columns), np.arange(len(rows))), rows)
        share = (1 / (1 + np.exp(-told))).reshape(len(ground), NEIGHBOURS).mean(axis=1)
        out[:, k] = whole - np.log(share / (1 - share))
    return list(out)


def _moved(column: Any, other: Any, parts: list[Any]) -> Any:
    """The column with these parts' values from the other, which has as many rows."""
    values, new = np.array(column.values), other.values
    if values.ndim == 1:
        return replace(column, values=np.array(new))
    places = [p.place for p in parts]
    values[:, places] = new[:, places]
    return replace(column, values=values)


def _closest(case: Case, ground: Ground) -> list[np.ndarray]:
    """For every piece (n, NEIGHBOURS): reference rows closest to each row in all other pieces."""
    from gnomon.analyses.attribute._inputs import data_values

    def coded(piece: Any, rows: np.ndarray) -> np.ndarray:
        return np.stack([np.nan_to_num(np.asarray(data_values(case.data, p, rows), dtype=float)) for p in piece.parts], axis=1)

    apart = []
    for piece in ground.pieces[0]:
        there, here = coded(piece, case.reference), coded(piece, case.rows)
        if case.data.kind(piece.column) == "category":
            apart.append((here[:, None] != there[None]).any(axis=2).astype(float))
        else:
            scale = np.where(there.std(axis=0) > 0, there.std(axis=0), 1)
            apart.append((((here[:, None] - there[None]) / scale) ** 2).mean(axis=2))
    total, count = np.sum(apart, axis=0), min(NEIGHBOURS, len(case.reference))
    found = [np.argpartition(total - own, count - 1, axis=1)[:, :count] for own in apart]
    return [case.reference[np.resize(f, (len(f), NEIGHBOURS)) if count == NEIGHBOURS else f[:, np.arange(NEIGHBOURS) % count]]
            for f in found]


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


def masked(name: str, **options: Any) -> Callable[[Any, Any, Any, Any], Any]:
    """A mask technique as a way through a network that reads one image."""
    def way(module: Any, inputs: Any, target: Any, _: Any) -> Any:
        import torch

        from gnomon.card import load

        if len(inputs) != 1 or getattr(next(iter(inputs.values())), "ndim", 0) != 4:
            raise InputError("E-ATTRIBUTION", "a mask is found for networks that read one image", do="take sampled_shapley")
        (key, value), = inputs.items()

        class Alone(torch.nn.Module):
            """The same network on a tensor."""

            def __init__(self) -> None:
                super().__init__()
                self.own = module

            def forward(self, x: Any) -> Any:
                return self.own({key: x})

        alone = Alone()
        alone.training = False
        return {key: load(name)(alone, value, target, **options)}

    return way
