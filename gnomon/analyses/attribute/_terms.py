"""What attributions of different rows can be compared on: things that mean the same in every row.

    columns                 themselves
    patches                 themselves, of images of one size (typical_regions measures whether places are aligned)
    sequence positions      runs of letters, as long as at most 400 different ones allow (four of DNA, two of protein)
    words                   the words, small letters, held by at least five rows of five units
    atoms                   their kind: element, hydrogens, charge, aromatic or not, and highest bond, as in =[O] or [NH2]; not
                            their neighbours, or every setting of one group would be a reason of its own

A row's weight on a term is the sum over its letters, words or atoms, so that a row's terms add up to what its pieces do,
but for words and atoms of too few rows. Nothing that fewer than five rows hold is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.attribute._ground import Ground
from gnomon.analyses.attribute._pictures import weights_of
from gnomon.data.features._sequences import is_mutations
from gnomon.data.table import Data
from gnomon.data.tokens import WORDS

FEWEST = 5  # rows that must hold a word or a kind of atom
MOST_RUNS = 400  # different runs of letters
MOST = 1000  # terms kept: those with the largest weights


@dataclass(frozen=True)
class Terms:
    """features: (n, d) signed weights. names: of the terms; () where places are told apart by a picture. kind: of the
    column they were cut from, "columns" for scalar ones. column: its name, or ""."""

    features: np.ndarray
    names: tuple[str, ...]
    kind: str
    column: str = ""


def terms_of(attempt: Any, data: Data, units: np.ndarray | None = None) -> Terms | None:
    """The comparable terms of an attempt; None where its pieces mean something else in every row. units: of its rows."""
    ground = attempt.ground
    if not isinstance(ground, Ground) or not len(ground.pieces):
        return None
    columns = list(dict.fromkeys(p.column for row in ground.pieces for p in row if p.span))
    if not columns and len(ground.pieces[0]) > 1:
        return Terms(np.stack(attempt.scores), tuple(p.label for p in ground.pieces[0]), "columns")
    if len(columns) != 1:
        return None
    column, kind = columns[0], data.kind(columns[0])
    if kind == "image":
        grids = [[s for s, p in zip(row, pieces, strict=True) if p.column == column]
                 for row, pieces in zip(attempt.scores, ground.pieces, strict=True)]
        return Terms(np.stack(grids), (), kind, column)
    values = [v or "" for v in data.columns[column].take(attempt.rows)]
    weights = [weights_of(attempt, i, column) for i in range(len(values))]
    cut = {"sequence": _runs, "text": _words, "molecule": _atoms}.get(kind)
    if cut is None or is_mutations(np.array(values, dtype=object)):
        return None
    features, names = _words(values, weights, units) if kind == "text" else cut(values, weights)
    return Terms(features, names, kind, column) if len(names) > 1 else None


def _runs(texts: Sequence[str], weights: Sequence[np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Overlapping runs of letters, each with the mean weight of its letters."""
    texts = [t.upper() for t in texts]
    size = max(len(set("".join(texts))), 2)
    wide = max(2, int(np.log(MOST_RUNS) / np.log(size)))
    told = [[(t[i:i + wide], w[i:i + wide].mean()) for i in range(len(t) - wide + 1)]
            for t, w in zip(texts, weights, strict=True)]
    return _summed(told, fewest=1)


def _words(texts: Sequence[str], weights: Sequence[np.ndarray], units: np.ndarray | None = None
           ) -> tuple[np.ndarray, tuple[str, ...]]:
    told = [[(m.group().lower(), w[m.start():m.end()].sum()) for m in WORDS.finditer(t)]
            for t, w in zip(texts, weights, strict=True)]
    return _summed(told, fewest=FEWEST, units=units)


def _atoms(smiles: Sequence[str], weights: Sequence[np.ndarray]) -> tuple[np.ndarray, tuple[str, ...]]:
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    with BlockLogs():
        molecules = [Chem.MolFromSmiles(s) for s in smiles]
    told = [[(kind_of_atom(a), v) for a, v in zip(m.GetAtoms(), w, strict=True)]
            if m is not None and m.GetNumAtoms() == len(w) else [] for m, w in zip(molecules, weights, strict=True)]
    return _summed(told, fewest=FEWEST)


def kind_of_atom(atom: Any) -> str:
    """An RDKit atom as in =[O] or [NH2]: small letters when aromatic, before it its highest other bond."""
    from rdkit.Chem import BondType

    bonds = {bond.GetBondType() for bond in atom.GetBonds()}
    highest = "#" if BondType.TRIPLE in bonds else "=" if BondType.DOUBLE in bonds else ""
    hydrogens, charge = atom.GetTotalNumHs(), atom.GetFormalCharge()
    element = atom.GetSymbol().lower() if atom.GetIsAromatic() else atom.GetSymbol()
    held = "" if not hydrogens else "H" if hydrogens == 1 else f"H{hydrogens}"
    return f"{highest}[{element}{held}{'+' * charge if charge > 0 else '-' * -charge}]"


def drawn_kind(name: str, smiles: Sequence[str | None], *, up: bool) -> dict[str, Any] | None:
    """A picture of this kind of atom with its neighbours, from the smallest of these molecules that holds it."""
    from rdkit import Chem

    from gnomon.analyses.attribute.substructures import drawing

    for text in sorted((s for s in smiles if s), key=len):
        molecule = Chem.MolFromSmiles(text)
        for atom in molecule.GetAtoms() if molecule is not None else ():
            if kind_of_atom(atom) == name:
                return drawing(text, [atom.GetIdx()], up=up)
    return None


def _summed(told: Sequence[Sequence[tuple[str, float]]], *, fewest: int, units: np.ndarray | None = None
            ) -> tuple[np.ndarray, tuple[str, ...]]:
    """(n, terms) the sums a row, and the terms' names, of terms that at least `fewest` rows (of as many `units`) hold."""
    rows: list[dict[str, float]] = []
    held: dict[str, set[int]] = {}
    for i, pairs in enumerate(told):
        sums: dict[str, float] = {}
        for name, value in pairs:
            sums[name] = sums.get(name, 0.0) + float(value)
        rows.append(sums)
        for name in sums:
            held.setdefault(name, set()).add(i if units is None else int(units[i]))
    names = sorted(n for n, holders in held.items() if len(holders) >= fewest)
    place = {n: k for k, n in enumerate(names)}
    out = np.zeros((len(rows), len(names)))
    for i, sums in enumerate(rows):
        for name, value in sums.items():
            if name in place:
                out[i, place[name]] = value
    most = np.sort(np.argsort(-np.abs(out).sum(axis=0), kind="stable")[:MOST])
    return out[:, most], tuple(names[k] for k in most)
