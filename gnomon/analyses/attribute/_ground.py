"""Rows taken apart into pieces that can be deleted: columns, positions, words, patches, atoms.

Deleting happens in the data themselves, so that it means the same for every predictor:
  number -> median, category -> commonest (of the rows given); correlated columns go together
  sequence position -> another letter of the column's own; text word -> left out; image patch -> the mean image there
  atom -> an atom of no element ("*"), bonds and neighbours kept
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.attribute._inputs import Part, block_names, groups_of, medians, named, parts_of
from gnomon.analyses.attribute._question import Question
from gnomon.data.features._sequences import is_mutations
from gnomon.data.table import Data, Dense
from gnomon.data.tokens import WORDS
from gnomon.rng import stream

LISTED = "listed mutations"  # stands in place of letters where a "sequence" is a list of mutations
SCALAR = ("number", "category", "date")
GRID = 8  # an image is cut into at most so many patches a side
SPANS = 200  # a sequence or text into at most so many spans
ROWS_AT_ONCE, BYTES_AT_ONCE = 2000, 100_000_000  # altered rows predicted together, at most


@dataclass(frozen=True)
class Piece:
    """Something of one row that can be deleted. column: of the input; span: (start, stop) letters of a string, one
    (top, bottom, left, right) patch, or (atom, atom + 1); parts: the scalar columns that go together."""

    column: str
    span: tuple[int, ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def label(self) -> str:
        return named([p.what for p in self.parts]) if self.parts else self.column


@dataclass(frozen=True)
class Ground:
    """n rows in pieces, and what a predictor says when some are deleted.

    data: exactly these rows. pieces: one tuple a row. neutral: column -> what stands for nothing there.
    """

    data: Data
    pieces: tuple[tuple[Piece, ...], ...]
    neutral: dict[str, Any]
    question: Question
    predict: Callable[[Data, np.ndarray], Any]
    seed: int

    def __len__(self) -> int:
        return len(self.data)

    def whole(self) -> np.ndarray:
        """(n,) the explained number of the untouched rows."""
        rows = np.arange(len(self))
        return self.question.answer(self.predict(self.data, rows), rows)

    def without(self, rows: np.ndarray, gone: Sequence[np.ndarray], draw: int = 0) -> np.ndarray:
        """(m,) the explained number of row rows[i] with the pieces gone[i] (bool) deleted; predicted in big batches."""
        out, size = [], self._batch
        for start in range(0, len(rows), size):
            some = np.asarray(rows[start:start + size])
            altered = self.altered(some, gone[start:start + size], draw)
            out.append(self.question.answer(self.predict(altered, np.arange(len(some))), some))
        return np.concatenate(out) if out else np.empty(0)

    @property
    def _batch(self) -> int:
        a_row = sum(4 * int(np.prod(c.spec.shape or (1,))) for c in self.data.columns.values())
        return max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // a_row))

    def altered(self, rows: np.ndarray, gone: Sequence[np.ndarray], draw: int = 0) -> Data:
        """A Data of these rows with the marked pieces deleted."""
        data = self.data.take(rows)
        columns = dict(data.columns)
        cut: dict[str, list[list[Piece]]] = {}
        for i, (row, mask) in enumerate(zip(rows, gone, strict=True)):
            for k in np.flatnonzero(mask):
                piece = self.pieces[row][k]
                for name in {piece.column, *(p.column for p in piece.parts)}:
                    if name not in cut:
                        cut[name] = [[] for _ in rows]
                    cut[name][i].append(piece)
        for name, pieces in cut.items():
            columns[name] = self._deleted(name, columns[name], pieces, rows, draw)
        return replace(data, columns=columns)

    def _deleted(self, name: str, column: Any, pieces: list[list[Piece]], rows: np.ndarray, draw: int) -> Any:
        kind, neutral = column.spec.kind, self.neutral[name]
        values = np.array(column.take(np.arange(len(column))))
        if kind in SCALAR:
            return replace(column, values=_scalars_gone(name, values, pieces, neutral))
        if kind == "image":
            return Dense(_patches_gone(values, pieces, neutral), column.spec)
        for i, (text, cuts) in enumerate(zip(values, pieces, strict=True)):
            if cuts and text is not None:
                dice = stream(self.seed, "mutate", int(rows[i]), draw)
                values[i] = CUT[kind](text, [p.span for p in cuts if p.column == name], neutral, dice)
        return replace(column, values=values)


def _scalars_gone(name: str, values: np.ndarray, pieces: list[list[Piece]], neutral: Any) -> np.ndarray:
    for i, cuts in enumerate(pieces):
        places = [p.place for piece in cuts for p in piece.parts if p.column == name]
        if values.ndim == 1 and places:
            values[i] = neutral
        elif places:
            values[i, places] = neutral[places]
    return values


def _patches_gone(values: np.ndarray, pieces: list[list[Piece]], neutral: np.ndarray) -> np.ndarray:
    for i, cuts in enumerate(pieces):
        for top, bottom, left, right in (p.span for p in cuts):
            values[i, :, top:bottom, left:right] = neutral[:, top:bottom, left:right]
    return values


def _mutated(text: str, spans: list[tuple[int, ...]], letters: str, dice: np.random.Generator) -> str:
    """Every letter of the spans becomes another one, drawn evenly from the column's letters; a mutation of a list is
    left out of it."""
    if letters == LISTED:
        return re.sub(r"^[^\w*]+|[^\w*]+$|([^\w*])[^\w*]+", r"\1", _unsaid(text, spans, "", dice))
    out = list(text)
    for start, stop in spans:
        for at in range(start, min(stop, len(out))):
            others = [a for a in letters if a != out[at].upper()]
            out[at] = others[int(dice.integers(len(others)))] if others else out[at]
    return "".join(out)


def _unsaid(text: str, spans: list[tuple[int, ...]], _: Any, __: Any) -> str:
    keep = np.ones(len(text), dtype=bool)
    for start, stop in spans:
        keep[start:stop] = False
    return re.sub(r"\s+", " ", "".join(np.array(list(text))[keep])) if len(text) else text


def _atoms_masked(text: str, spans: list[tuple[int, ...]], _: Any, __: Any) -> str:
    """SMILES with these atoms as "*": no element, charge or hydrogens; the graph stays."""
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    with BlockLogs():
        molecule = Chem.MolFromSmiles(text)
        if molecule is None:
            return text
        for start, _stop in spans:
            atom = molecule.GetAtomWithIdx(start)
            atom.SetAtomicNum(0)
            atom.SetFormalCharge(0)
            atom.SetNumExplicitHs(0)
            atom.SetChiralTag(Chem.ChiralType.CHI_UNSPECIFIED)
        return Chem.MolToSmiles(molecule, canonical=False)


CUT = {"sequence": _mutated, "text": _unsaid, "molecule": _atoms_masked}


def ground_of(data: Data, rows: np.ndarray, reference: np.ndarray, question: Question,
              predict: Callable[[Data, np.ndarray], Any], *, inputs: Sequence[str] | None = None,
              seed: int = 0) -> Ground:
    """These rows in pieces. `reference`: rows from which medians, modes, letters and the mean image are taken, and
    by which columns are judged to be correlated. `question` and `predict` speak of `rows` in this order."""
    inputs = tuple(data.inputs if inputs is None else inputs)
    scalar = [p for p in parts_of(data, inputs) if data.kind(p.column) in SCALAR]
    shared = tuple(Piece(g[0].column, parts=g) for g in groups_of(data, scalar, reference))
    own = data.take(rows)
    cut = {name: _cut_column(own.columns[name]) for name in inputs if data.kind(name) not in SCALAR}
    pieces = tuple(shared + tuple(Piece(name, span) for name, spans in cut.items() for span in spans[i])
                   for i in range(len(rows)))
    neutral = {name: _neutral(data.columns[name], reference) for name in inputs}
    return Ground(own, pieces, neutral, question, predict, seed)


def _cut_column(column: Any) -> list[list[tuple[int, ...]]]:
    """The spans of every row of a structured column."""
    if column.spec.kind == "image":
        return [patches(*column.spec.shape[-2:])] * len(column)
    values = column.take(np.arange(len(column)))
    cut = {"sequence": _letters, "text": words, "molecule": _atoms}[column.spec.kind]
    if column.spec.kind in ("sequence", "text") and is_mutations(values):
        cut = _listed
    return [cut(v) if v is not None else [] for v in values]


def patches(height: int, width: int) -> list[tuple[int, ...]]:
    """(top, bottom, left, right) of the patches of an image, row by row."""
    tall, wide = -(-height // GRID), -(-width // GRID)
    return [(t, min(t + tall, height), x, min(x + wide, width))
            for t in range(0, height, tall) for x in range(0, width, wide)]


def _listed(text: str) -> list[tuple[int, ...]]:
    """The mutations of a list such as "A108D,N144D"."""
    return [m.span() for m in re.finditer(r"[A-Za-z*]\d+[A-Za-z*]", text)]


def _letters(text: str) -> list[tuple[int, ...]]:
    size = -(-len(text) // SPANS) or 1
    return [(at, min(at + size, len(text))) for at in range(0, len(text), size)]


def words(text: str) -> list[tuple[int, ...]]:
    """(start, stop) of the words of a text, several together in a long one."""
    spans = [m.span() for m in WORDS.finditer(text)]
    size = -(-len(spans) // SPANS) or 1
    return [(spans[i][0], spans[min(i + size, len(spans)) - 1][1]) for i in range(0, len(spans), size)]


def _atoms(text: str) -> list[tuple[int, ...]]:
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    with BlockLogs():
        molecule = Chem.MolFromSmiles(text)
    return [(i, i + 1) for i in range(molecule.GetNumAtoms())] if molecule is not None else []


def _neutral(column: Any, rows: np.ndarray) -> Any:
    kind = column.spec.kind
    if kind == "image":
        some = column.take(rows[:: max(1, len(rows) // 200)])
        return some.astype(np.float64).mean(axis=0).astype(some.dtype)
    values = column.take(rows)
    if kind == "number":
        middle = medians(values.reshape(len(values), -1))
        return middle if block_names(column) else float(middle[0])
    if kind == "category":
        known = values[values >= 0]
        return int(np.bincount(known).argmax()) if len(known) else -1
    if kind == "date":
        known = np.sort(values[~np.isnat(values)])
        return known[len(known) // 2] if len(known) else np.datetime64("NaT")
    if kind == "sequence" and is_mutations(values):
        return LISTED
    if kind == "sequence":
        letters, counts = np.unique(list("".join(v for v in values if v is not None).upper()), return_counts=True)
        return "".join(letters[counts >= 0.001 * counts.sum()])
    return ""
