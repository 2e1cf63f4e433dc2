"""Explaining what own_fit learned: contributions of its view's features, and their way back to columns and atoms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.attribute._ground import Ground
from gnomon.analyses.attribute._inputs import Part, medians
from gnomon.analyses.attribute._question import Question
from gnomon.data.table import Data
from gnomon.tasks._task import Prediction

TREES = {"_Boosted", "LGBMModel", "BaseForest", "BaseGradientBoosting", "BaseHistGradientBoosting", "BaseDecisionTree"}
MOST_WORK = 1e9  # rows x leaves x depth squared that tree SHAP is asked for; some seconds
FEWEST_ROWS = 12


def contributions(estimator: Any, matrix: Any, neutral: np.ndarray,
                  question: Question) -> tuple[str, np.ndarray] | None:
    """(technique, (n, d) signed contributions to the explained output) by the way the estimator itself offers; None
    when it offers none. With more than two classes each row's is for the class explained there."""
    kind = way_of(estimator)
    if kind is None:
        return None
    places = _class_places(estimator, question)
    if kind == "linear_attribution":
        return kind, _linear(estimator, matrix, neutral, places)
    dense = matrix if isinstance(matrix, np.ndarray) else matrix.toarray()
    if places is None or len(np.unique(places)) == 1:
        return kind, _walked(kind, estimator, dense, -1 if places is None else int(places[0]))
    out = np.zeros(dense.shape)
    for place in np.unique(places):
        some = places == place
        out[some] = _walked(kind, estimator, dense[some], int(place))
    return kind, out


def way_of(estimator: Any) -> str | None:
    """Which exact attribution suits this estimator."""
    kinds = {c.__name__ for c in type(estimator).__mro__}
    if kinds & {"_Curves", "ExplainableBoostingClassifier", "ExplainableBoostingRegressor"}:
        return "additive_terms"
    if kinds & TREES:
        return "tree_shap"
    return "linear_attribution" if getattr(estimator, "coef_", None) is not None else None


def rows_affordable(estimator: Any, rows: int) -> int:
    """How many rows tree SHAP can take in reasonable time; decided by the trees' size, not by the clock."""
    trees = getattr(estimator, "estimators_", None)
    if way_of(estimator) != "tree_shap" or trees is None:
        return rows
    work = sum(t.tree_.n_leaves * t.tree_.max_depth**2 for t in np.ravel(trees))
    return int(min(rows, MOST_WORK // max(work, 1)))


def _class_places(estimator: Any, question: Question) -> np.ndarray | None:
    """(n,) the estimator's own place of the class explained in each row; None for numbers."""
    if question.classes is None:
        return None
    known = np.asarray(estimator.classes_).astype(int)
    return np.searchsorted(known, question.classes).clip(0, len(known) - 1)


def _linear(estimator: Any, matrix: Any, neutral: np.ndarray, places: np.ndarray | None) -> np.ndarray:
    from gnomon.analyses.attribute.linear_attribution import linear_attribution

    weights = np.atleast_2d(estimator.coef_)
    if places is None:
        return linear_attribution(weights[0], matrix, neutral)
    if len(weights) == 1:  # two classes, one set: of the second
        return linear_attribution(weights[0], matrix, neutral) * np.where(places == 1, 1.0, -1.0)[:, None]
    return linear_attribution((weights - weights.mean(axis=0))[places], matrix, neutral)


def _walked(kind: str, estimator: Any, matrix: np.ndarray, place: int) -> np.ndarray:
    if kind == "additive_terms":
        return _added(estimator, matrix, place)
    from gnomon.analyses.attribute.tree_shap import tree_shap

    return np.mean([tree_shap(trees, matrix, output=place) for trees in _ensembles(estimator)], axis=0)


def _added(estimator: Any, matrix: np.ndarray, place: int) -> np.ndarray:
    """Of the curves' own terms; features that the estimator left out add nothing."""
    from gnomon.analyses.attribute.additive_terms import additive_terms
    from gnomon.models.tables._curves import _Curves

    if not isinstance(estimator, _Curves):
        return additive_terms(estimator, matrix, output=place)
    out = np.zeros(matrix.shape)
    out[:, estimator.chosen_] = additive_terms(estimator.model_, estimator._features(matrix), output=place)
    return out


def _ensembles(estimator: Any) -> list[Any]:
    """The tree ensembles that an estimator averages: its bags (kept as text when they are LightGBM's), else itself.
    Of bagged classes it is the margins that are averaged here, where the prediction averages probabilities."""
    from gnomon.models.tables._boosted import _Boosted, _opened

    if not isinstance(estimator, _Boosted):
        return [estimator]
    return [_opened(bag) if isinstance(bag, str) else bag for bag in estimator.models_]


@dataclass(frozen=True)
class FeatureGround:
    """n rows whose pieces are the features that are not at their median (bits that are on, words that occur);
    deleting puts them there. Same interface as Ground."""

    matrix: Any  # (n, d) dense or csr
    neutral: np.ndarray
    present: tuple[np.ndarray, ...]  # the features that are pieces, a row
    names: tuple[str, ...]
    source: tuple[str, ...]
    question: Question
    estimator: Any
    out: Any

    def __len__(self) -> int:
        return self.matrix.shape[0]

    @property
    def pieces(self) -> tuple[np.ndarray, ...]:
        """The same as `present`, by the name that pieces have in a Ground."""
        return self.present

    def whole(self) -> np.ndarray:
        return self._answer(self.matrix, np.arange(len(self)))

    def without(self, rows: np.ndarray, gone: Any, draw: int = 0) -> np.ndarray:
        """(m,) the explained number with the marked features at their medians."""
        out, size = [], max(1, 20_000_000 // self.matrix.shape[1])
        for start in range(0, len(rows), size):
            some = np.asarray(rows[start:start + size])
            matrix = self.matrix[some]
            matrix = matrix.copy() if isinstance(matrix, np.ndarray) else matrix.tolil()
            for i, (row, mask) in enumerate(zip(some, gone[start:start + size], strict=True)):
                features = self.present[row][mask]
                matrix[i, features] = self.neutral[features]
            out.append(self._answer(matrix if isinstance(matrix, np.ndarray) else matrix.tocsr(), some))
        return np.concatenate(out) if out else np.empty(0)

    def _answer(self, matrix: Any, rows: np.ndarray) -> np.ndarray:
        from gnomon.methods._fitted import predict_one

        prediction = predict_one(self.estimator, self.out, matrix)
        parts = max(self.question.part, 0)
        return self.question.answer(prediction if self.question.part < 0 else
                                    Prediction(parts=(prediction,) * (parts + 1)), rows)


def feature_ground(fitted: Any, data: Data, rows: np.ndarray, reference: np.ndarray,
                   question: Question) -> FeatureGround:
    """The view of these rows as a ground."""
    from gnomon.methods._fitted import matrix_of

    matrix, others = (matrix_of(fitted.view, data, r) for r in (rows, reference))
    dense = isinstance(matrix, np.ndarray)
    neutral = medians(others) if dense and isinstance(others, np.ndarray) else np.zeros(matrix.shape[1])
    if dense:
        present = tuple(np.flatnonzero(np.nan_to_num(np.abs(row - neutral), nan=1.0) > 1e-9) for row in matrix)
    else:
        present = tuple(np.sort(matrix[i].indices) for i in range(matrix.shape[0]))
    part = max(question.part, 0)
    return FeatureGround(matrix, neutral, present, fitted.view.names, fitted.view.source, question,
                         fitted.estimators[part], fitted.outs[part])


def onto_pieces(ground: Ground, data: Data, names: tuple[str, ...], source: tuple[str, ...],
                values: np.ndarray) -> list[np.ndarray]:
    """(n, d) contributions of features of scalar columns added up over the pieces of a data ground."""
    place = {(p.column, p.what): k for k, piece in enumerate(ground.pieces[0]) for p in piece.parts}
    first = {p.column: k for k, piece in enumerate(ground.pieces[0]) for p in piece.parts if p.place < 0}
    out = np.zeros((len(values), len(ground.pieces[0])))
    for j, (name, column) in enumerate(zip(names, source, strict=True)):
        k = first.get(column, place.get((column, name), place.get((column, name.removesuffix(" missing")))))
        if k is not None:
            out[:, k] += values[:, j]
    return list(out)


def onto_atoms(fitted: Any, data: Data, rows: np.ndarray, column: str, values: np.ndarray) -> list[np.ndarray] | None:
    """Contributions of Morgan bits (n, d) shared out to the atoms of the environments that set them; one array a row.

    A bit's contribution goes evenly to its environments and, within each, evenly to its atoms; bits that are off belong
    to no atom. None when the view has no fingerprint of this column.
    """
    start = 0
    for block in fitted.view.blocks:
        stop = start + len(block.names)
        if block.key == "morgan" and block.columns[0] == column:
            bits = block.arrays["scale.keep"]
            smiles = data.columns[column].take(rows)
            return [_shared_out(s, dict(zip(bits.tolist(), v, strict=True)))
                    for s, v in zip(smiles, values[:, start:stop], strict=True)]
        start = stop
    return None


def _shared_out(smiles: str | None, weight: dict[int, float]) -> np.ndarray:
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.rdBase import BlockLogs

    from gnomon.data.features._molecules import BITS, RADIUS

    with BlockLogs():
        molecule = Chem.MolFromSmiles(smiles) if smiles else None
    if molecule is None:
        return np.zeros(0)
    extra = rdFingerprintGenerator.AdditionalOutput()
    extra.AllocateBitInfoMap()
    rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS).GetCountFingerprint(
        molecule, additionalOutput=extra)
    out = np.zeros(molecule.GetNumAtoms())
    for bit, environments in extra.GetBitInfoMap().items():
        for centre, radius in environments:
            atoms = environment_atoms(molecule, centre, radius)
            out[atoms] += weight.get(bit, 0.0) / len(environments) / len(atoms)
    return out


def environment_atoms(molecule: Any, centre: int, radius: int) -> list[int]:
    """The atoms within `radius` bonds of `centre`."""
    from rdkit import Chem

    bonds = Chem.FindAtomEnvironmentOfRadiusN(molecule, radius, centre) if radius else ()
    atoms = {centre}
    for bond in bonds:
        atoms |= {molecule.GetBondWithIdx(bond).GetBeginAtomIdx(), molecule.GetBondWithIdx(bond).GetEndAtomIdx()}
    return sorted(atoms)


def parts_importance(ground: Ground, scores: list[np.ndarray], over: Mapping[str, np.ndarray]) -> dict[Part, np.ndarray]:
    """For each input part, (n,) the size of its contribution: of its group, or of its column's pieces in sum, with what
    belongs to the column but to none of them (`over`)."""
    out: dict[Part, np.ndarray] = {}
    for k, piece in enumerate(ground.pieces[0] if ground.pieces else ()):
        for part in piece.parts:
            out[part] = np.array([abs(s[k]) for s in scores])
    columns = dict.fromkeys(p.column for row in ground.pieces for p in row if not p.parts)
    for name in columns:
        pieces = [sum(s[k] for k, p in enumerate(row) if p.column == name and not p.parts)
                  for row, s in zip(ground.pieces, scores, strict=True)]
        out[Part(name, name)] = np.abs(np.array(pieces, dtype=float) + over.get(name, 0.0))
    return out
