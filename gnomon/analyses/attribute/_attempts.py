"""Which attributions suit a learned thing and the kinds of its inputs, and how each is made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from gnomon.analyses.attribute import occlusion
from gnomon.analyses.attribute._case import SCALAR, Case
from gnomon.analyses.attribute._features import (
    FEWEST_ROWS,
    contributions,
    feature_ground,
    onto_atoms,
    onto_pieces,
    parts_importance,
    rows_affordable,
    way_of,
)
from gnomon.analyses.attribute._ground import Ground
from gnomon.analyses.attribute._inputs import data_values
from gnomon.analyses.attribute._question import Question
from gnomon.analyses.attribute._trusted import kind_of, trusted, why

MOSTLY_BITS = 0.5  # share of the contributions that must be the fingerprint's before its bits colour atoms
MOST_TRIED = 4  # techniques of the ranking, from the top, that time is looked for
ROOM = 0.5  # of the time left may go to one technique: rows, a second opinion and audits are worth more than a place
MOST_PIECES = 400  # a row with more is not occluded piece by piece


@dataclass(frozen=True)
class Attempt:
    """One attribution before its gates. scores: signed, one array a row over the ground's pieces.

    again: the same from randomised copies. kept: which of the rows asked for. columns: input column -> (size of its
    contribution in each row, its group or ""). features: feature -> (signed contributions, its values).
    pieces: what the rows were taken apart into.
    """

    technique: str
    pieces: str
    ground: Any
    scores: list[np.ndarray]
    again: list[list[np.ndarray]]
    of: str
    question: Question
    rows: np.ndarray
    columns: dict[str, tuple[np.ndarray, str]]
    features: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    other_checks: tuple[dict[str, Any], ...] = ()
    kept: Any = field(default_factory=lambda: slice(None))
    units: np.ndarray = field(default_factory=lambda: np.empty(0))
    note: str = ""
    because: str = ""  # why this technique and no other
    fine: dict[str, list[np.ndarray]] = field(default_factory=dict)  # column -> weights a row, finer than pieces
    covered: np.ndarray | None = None  # of masks, the share of each row that they cover


def attempts_for(case: Case) -> Iterator[partial]:
    """Partials (keyword `technique`) that make an Attempt each, the best-suited first.

    Networks and trees are explained by what finds planted cues of their kind best (_trusted.csv); linear and additive
    models by their own terms, which are exact. Molecules, letters, words and pixels are then explained a second time, by
    the best technique that asks nothing of the model.
    """
    learned, data = case.learned, case.data
    structured = [c for c in data.inputs if data.kind(c) not in SCALAR]
    way = way_of(learned.estimators[max(case.question.part, 0)]) if case.is_fitted else None
    used: list[str] = []
    if way is not None and structured:
        yield partial(by_features, case, True, technique=way)
        if any(block.key == "morgan" for block in learned.view.blocks):
            yield partial(by_atoms, case, technique=way)
    elif way is not None and way != "tree_shap":
        yield partial(by_features, case, False, technique=way)
    else:
        yield partial(by_trusted, case, suited_names(case, way), used, technique=suited_names(case, way)[0])
    if structured:
        anywhere = [n for n in suited_names(case, way, anything=True)]
        yield partial(by_trusted, case, anywhere, used, technique=anywhere[0])


def suited_names(case: Case, way: str | None, *, anything: bool = False) -> list[str]:
    """Techniques for this model and kind, the most trusted first. anything: only those that ask nothing of the model."""
    from gnomon.analyses.attribute._perturbing import PIECEWISE
    from gnomon.analyses.attribute._techniques import OF_NETWORKS

    open_to_all = {*PIECEWISE, "occlusion", "prediction_difference"}
    fits = open_to_all | ({way} if way else set()) | (set(OF_NETWORKS) if case.is_network else set())
    found = [t.technique for t in trusted(kind_of(case.data, network=case.is_network))
             if t.technique in (open_to_all if anything else fits)]
    usual = ["integrated_gradients"] if case.is_network and not anything else []  # for a kind that was not measured
    return list(dict.fromkeys([*(found or usual), "occlusion"]))


def by_trusted(case: Case, names: list[str], used: list[str], *, technique: str) -> Attempt | str | None:
    """The first of these techniques that applies, was not used before and explains all rows in half of the time left; where
    none does, the first that is affordable for fewer. What was passed over is said. used: filled in."""
    from gnomon.analyses.attribute._techniques import TECHNIQUES, seconds_for

    kind, passed, dear = kind_of(case.data, network=case.is_network), dict[str, str](), list[str]()
    tried = [n for n in dict.fromkeys((*names[:MOST_TRIED], "occlusion")) if n not in used]
    for name in chain(tried, dear):  # dear is filled on the way
        left = case.end - time.monotonic()
        cost = 0.0 if left == float("inf") or name in dear else seconds_for(case, name)
        if name not in dear and cost > ROOM * left:  # once: with no time left at all everything is dear for ever
            passed[name] = f"{name.replace('_', ' ')} would take about {cost:.0f} s for all {len(case.rows)} rows"
            dear.append(name)
            continue
        found = TECHNIQUES[name](case)
        if isinstance(found, Attempt):
            used.append(name)
            told = [why(name, kind), *(said for other, said in passed.items() if other != name)]
            return replace(found, because="; ".join(filter(None, told)))
        if found:
            passed[name] = found
    return "; ".join(passed.values()) or None


def by_features(case: Case, structured: bool, *, technique: str) -> Attempt | str | None:
    """Linear, tree or additive contributions: of columns for tables, of the view's features for anything else."""
    part = max(case.question.part, 0)
    count = rows_affordable(case.learned.estimators[part], len(case.rows))
    if count < min(FEWEST_ROWS, len(case.rows)):
        return None if structured else by_occlusion(case, technique="occlusion")
    kept = np.arange(len(case.rows))[:count]
    case = case.only(kept)
    features = feature_ground(case.learned, case.data, case.rows, case.reference, case.question)
    own = _of_features(case, case.learned)
    copies, of = case.randomised()
    again = [_of_features(case, c) for c in copies]
    names, source = features.names, features.source
    ground: Any = case.ground() if not structured else replace(features, names=case.feature_names())
    if structured:
        scores = [v[p] for v, p in zip(own, features.present, strict=True)]
        others = [_matched(names, c, o, features.present) for c, o in zip(copies, again, strict=True)]
        columns = {c: (np.abs(own[:, np.array(source) == c].sum(axis=1)), "") for c in dict.fromkeys(source)}
    else:
        scores = onto_pieces(ground, case.data, names, source, own)
        others = [onto_pieces(ground, case.data, c.view.names, c.view.source, o)
                  for c, o in zip(copies, again, strict=True)]
        columns = _columns(ground, scores)
    listed = _view_features(ground, own) if structured else _piece_features(ground, scores)
    what = "features" if structured else "columns"
    return Attempt(technique, what, ground, scores, others, of, case.question, case.rows, columns, listed, (), kept)


def _of_features(case: Case, fitted: Any) -> np.ndarray:
    """(n, d) contributions of the fitted thing's features."""
    ground = feature_ground(fitted, case.data, case.rows, case.reference, case.question)
    found = contributions(ground.estimator, ground.matrix, ground.neutral, case.question)
    return found[1] if found is not None else np.zeros(ground.matrix.shape)


def _matched(names: tuple[str, ...], copy: Any, values: np.ndarray,
             present: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """A copy's contributions in the order of the original's features (its view may have kept others)."""
    place = {name: j for j, name in enumerate(copy.view.names)}
    take = np.array([place.get(name, -1) for name in names])
    whole = np.where(take >= 0, values[:, take], 0.0)
    return [v[p] for v, p in zip(whole, present, strict=True)]


def by_occlusion(case: Case, *, technique: str) -> Attempt | str | None:
    """Pieces deleted one at a time, whatever the model."""
    ground = case.ground()
    most = max(len(p) for p in ground.pieces)
    if most < 2 or most > MOST_PIECES:
        return None
    fewer = case.affordable(technique, lambda few: occlusion.of_pieces(few.ground()), 1 + case.copies)
    if isinstance(fewer, str):
        return fewer
    if len(fewer.rows) < len(case.rows):
        ground = fewer.ground()
    case = fewer
    scores = occlusion.of_pieces(ground)
    copies, of = case.randomised()
    again = [occlusion.of_pieces(replace(ground, predict=c.predict)) for c in copies]
    return Attempt(technique, _pieces_name(ground), ground, scores, again, of, case.question, case.rows,
                   _columns(ground, scores), _piece_features(ground, scores), kept=np.arange(len(case.rows)))


def by_atoms(case: Case, *, technique: str) -> Attempt | None:
    """Morgan bits' contributions on the atoms of the environments that set them."""
    names = [c for c in case.data.inputs if case.data.kind(c) == "molecule"]
    count = rows_affordable(case.learned.estimators[max(case.question.part, 0)], len(case.rows))
    if len(names) != 1 or count < min(FEWEST_ROWS, len(case.rows)):
        return None
    kept = np.arange(len(case.rows))[:count]
    case = case.only(kept)
    copies, of = case.randomised()
    found = [_of_features(case, f) for f in (case.learned, *copies)]
    atoms: Any = [onto_atoms(f, case.data, case.rows, names[0], v)
             for f, v in zip((case.learned, *copies), found, strict=True)]
    if any(a is None for a in atoms) or _share_of_bits(case.learned, found[0]) < MOSTLY_BITS:
        return None
    ground = case.ground()
    ground = replace(ground, pieces=tuple(tuple(p for p in row if p.column == names[0]) for row in ground.pieces))
    return Attempt(technique, "atoms", ground, atoms[0], atoms[1:], of, case.question, case.rows,
                   _columns(ground, atoms[0]), kept=kept)


def _share_of_bits(fitted: Any, values: np.ndarray) -> float:
    """How much of the contributions is the fingerprint's, against descriptors and other columns."""
    keys = np.concatenate([[block.key == "morgan"] * len(block.names) for block in fitted.view.blocks]).astype(bool)
    sizes = np.abs(values).mean(axis=0)
    return float(sizes[keys].sum() / max(sizes.sum(), 1e-300))


def _columns(ground: Ground, scores: list[np.ndarray],
             over: dict[str, np.ndarray] | None = None) -> dict[str, tuple[np.ndarray, str]]:
    """Input column as read -> (size of its contribution a row, the label of its group when it is in one)."""
    label = {p: piece.label for piece in ground.pieces[0] for p in piece.parts if len(piece.parts) > 1}
    out = {part.what: (sizes, label.get(part, "")) for part, sizes in parts_importance(ground, scores, over or {}).items()}
    for column, extra in (over or {}).items():
        if column not in out:
            out[column] = (np.abs(extra), "")
    return out


def _view_features(features: Any, own: np.ndarray, most: int = 60) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The features that contribute most: (contributions, values); those of one name (rare words) in sum, without values."""
    matrix = features.matrix if isinstance(features.matrix, np.ndarray) else features.matrix.toarray()
    order = np.argsort(-np.abs(own).mean(axis=0), kind="stable")[:most]
    out: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for j in order:
        name = features.names[j]
        if name in out:
            out[name] = (out[name][0] + own[:, j], np.full(len(own), np.nan))
        elif np.abs(own[:, j]).max() > 0:
            out[name] = (own[:, j], matrix[:, j].astype(float))
    return out


def _piece_features(ground: Ground, scores: list[np.ndarray]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Scalar pieces (columns, or groups by their first number): (contributions, values), so that a direction can be
    told; values of categories, which have none, are NaN."""
    everyone, out = np.arange(len(ground)), {}
    for k, piece in enumerate(ground.pieces[0]):
        if piece.parts:
            first = next((p for p in piece.parts if ground.data.kind(p.column) == "number"), None)
            values = np.full(len(ground), np.nan) if first is None else data_values(ground.data, first, everyone)
            out[piece.label] = (np.array([s[k] for s in scores]), values.astype(float))
    return out


NAMES = {"image": "patches", "sequence": "positions", "text": "words", "molecule": "atoms"}


def _pieces_name(ground: Ground) -> str:
    kinds = [ground.data.kind(c) for c in dict.fromkeys(p.column for p in ground.pieces[0])]
    return ", ".join(dict.fromkeys(NAMES.get(k, "columns") for k in kinds))
