"""Prediction difference as a study asks for it: each piece redrawn as the rest of its row suggests, for any predictor.

  columns                 from the rows that are closest in all other columns
  letters, words          from what stands between the same neighbours in other rows (_runs.py)
  atoms                   from the kinds of atoms that make the same bonds with the same neighbours (_atom_kinds.py)
  patches                 from the normal law of patches given the pixels around them (_patch_laws.py)
A piece's probabilities add up over what could stand there, what does stand there included.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.attribute._atom_kinds import AtomKinds, kind_of_atom, swapped
from gnomon.analyses.attribute._attempts import MOST_PIECES, Attempt, _columns, _piece_features, _pieces_name
from gnomon.analyses.attribute._case import SCALAR, Case
from gnomon.analyses.attribute._ground import LISTED, Ground, patches
from gnomon.analyses.attribute._inputs import data_values
from gnomon.analyses.attribute._patch_laws import IMAGES, patch_law
from gnomon.analyses.attribute._runs import Runs
from gnomon.data.table import Data, Dense
from gnomon.data.tokens import WORDS
from gnomon.rng import stream

NEIGHBOURS = 12  # rows a column is redrawn from; the most kinds of letters, words or atoms that stand for one
OTHERS, FEWEST = 2000, 50  # rows that laws of letters, words and atoms are learned from, by lot, at most; at least
LETTERS, NEAR_WORDS = 4, 2  # neighbours on either side
DRAWS = 10  # copies of a row a patch is redrawn in, as in the paper


@dataclass(frozen=True)
class Redraw:
    """Altered rows. rows, places: whose piece was redrawn; share: the probability of what stands there now."""

    rows: np.ndarray
    places: np.ndarray
    share: np.ndarray
    data: Data


def by_redrawing(case: Case, *, technique: str) -> Attempt | str | None:
    """Prediction difference on the pieces of the data."""
    ground = case.ground()
    said = refused(case, ground)
    if said or max(len(p) for p in ground.pieces) < 2:
        return said or None
    laws(case)
    fewer = case.affordable(technique, lambda few: redrawn(few, few.ground()), 1 + case.copies)
    if isinstance(fewer, str):
        return fewer
    ground = fewer.ground()
    scores = redrawn(fewer, ground)
    copies, of = fewer.randomised()
    again = [redrawn(fewer, replace(ground, predict=c.predict)) for c in copies]
    return Attempt(technique, _pieces_name(ground), ground, scores, again, of, fewer.question, fewer.rows,
                   _columns(ground, scores), _piece_features(ground, scores), kept=np.arange(len(fewer.rows)))


def refused(case: Case, ground: Ground) -> str:
    """Why these rows are not redrawn, or ""."""
    if LISTED in [n for n in ground.neutral.values() if isinstance(n, str)]:
        return "prediction difference needs whole sequences, and these are lists of mutations; take occlusion"
    if max(len(p) for p in ground.pieces) > MOST_PIECES:
        return f"prediction difference takes at most {MOST_PIECES} pieces a row"
    return ""


def redrawn(case: Case, ground: Ground) -> list[np.ndarray]:
    """One array a row: the log-odds (or number) less those of the mean over what else could stand there."""
    from scipy.special import expit

    whole, odds = ground.whole(), ground.question.classes is not None
    width = max(len(p) for p in ground.pieces)
    total, other, share = (np.zeros((len(ground), width)) for _ in range(3))
    for batch in redraws(case, ground):
        told = ground.question.answer(ground.predict(batch.data, np.arange(len(batch.rows))), batch.rows)
        place = batch.rows, batch.places
        np.add.at(total, place, batch.share * (expit(told) if odds else told))
        np.add.at(other, place, batch.share * expit(-told))  # apart, as 1 less a probability near 1 is rounded
        np.add.at(share, place, batch.share)
    mean = total + (1 - share) * (expit(whole) if odds else whole)[:, None]
    rest = np.log(mean / (other + (1 - share) * expit(-whole)[:, None])) if odds else mean
    return [(w - r)[:len(p)] for w, r, p in zip(whole, rest, ground.pieces, strict=True)]


def redraws(case: Case, ground: Ground) -> Iterator[Redraw]:
    """Every row with every piece as it else could be, in batches."""
    yield from _columns_redrawn(case, ground)
    for name in case.data.inputs:
        if case.data.kind(name) in SCALAR:
            continue
        if case.data.kind(name) == "image":
            yield from _patches_redrawn(case, ground, name)
            continue
        key = f"redrawn {name} {ground.data.position.tobytes().hex()}"
        if key not in case.made:  # once for the model and its randomised copies
            case.made[key] = list(_items_redrawn(case, ground, name))
        yield from case.made[key]


def _items_redrawn(case: Case, ground: Ground, name: str) -> Iterator[Redraw]:
    column = ground.data.columns[name]
    texts = column.take(np.arange(len(column)))
    redraw = _atoms_redrawn if case.data.kind(name) == "molecule" else _runs_redrawn
    rows, places, share, values = redraw(case, ground, name, texts)
    size = ground._batch
    for start in range(0, len(rows), size):
        some = slice(start, start + size)
        altered = ground.data.take(rows[some])
        new = replace(altered.columns[name], values=values[some])
        yield Redraw(rows[some], places[some], share[some], replace(altered, columns={**altered.columns, name: new}))


def _patches_redrawn(case: Case, ground: Ground, name: str) -> Iterator[Redraw]:
    """Patches as the pixels around them suggest, a patch at a time, all rows together; drawn alike for every copy."""
    column, size = ground.data.columns[name], ground._batch
    images = column.take(np.arange(len(column)))
    for place, piece in enumerate(ground.pieces[0]):
        if piece.column != name:
            continue
        top, bottom, left, right = piece.span
        made = laws(case)[name].drawn(images, piece.span, DRAWS, stream(case.seed, "redrawn", name, place))
        made = (made if images.dtype.kind == "f" else np.rint(made)).astype(images.dtype).reshape(-1, *made.shape[2:])
        everyone = np.repeat(np.arange(len(images)), DRAWS)
        for start in range(0, len(everyone), size):
            rows = everyone[start:start + size]
            altered, values = ground.data.take(rows), images[rows]
            values[:, :, top:bottom, left:right] = made[start:start + size]
            yield Redraw(rows, np.full(len(rows), place), np.full(len(rows), 1 / DRAWS),
                         replace(altered, columns={**altered.columns, name: Dense(values, column.spec)}))


Alternatives = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # rows, places, probabilities, values


def _runs_redrawn(case: Case, ground: Ground, name: str, texts: np.ndarray) -> Alternatives:
    """Letters or words by what stands between the same neighbours elsewhere; what stands there already is left out."""
    law, their_spans, their_texts, code = laws(case)[name]
    own, spans = _coded(texts, case.data.kind(name), code)
    dice, out = stream(case.seed, "redrawn", name), []
    at = [(row, k, *_covered(p.span, spans[row])) for row, pieces in enumerate(ground.pieces)
          for k, p in enumerate(pieces) if p.column == name]
    rows, places, starts, lengths = np.array(at, dtype=np.int64).reshape(-1, 4).T
    for length in np.unique(lengths[lengths > 0]):
        mine = np.flatnonzero(lengths == length)
        which, row, start, share = law.drawn(own, rows[mine], starts[mine], int(length), NEIGHBOURS, dice)
        run = np.arange(length)
        same = (law.codes[row[:, None], start[:, None] + run] == own[rows[mine[which], None], starts[mine[which], None] + run])
        for i, r, s, p in zip(mine[which], row, start, share * ~same.all(axis=1), strict=True):
            if p:
                new = their_texts[r][their_spans[r][s][0]:their_spans[r][s + length - 1][1]]
                cut = ground.pieces[rows[i]][places[i]].span
                out.append((rows[i], places[i], p, texts[rows[i]][:cut[0]] + new + texts[rows[i]][cut[1]:]))
    return _side_by_side(out)


def _atoms_redrawn(case: Case, ground: Ground, name: str, texts: np.ndarray) -> Alternatives:
    """Atoms by the kinds that stand in the same place elsewhere, as far as that gives a molecule."""
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    kinds, out = laws(case)[name], []
    with BlockLogs():
        for row, (text, pieces) in enumerate(zip(texts, ground.pieces, strict=True)):
            molecule = Chem.MolFromSmiles(text) if text else None
            for k, piece in enumerate(pieces if molecule is not None else ()):
                if piece.column != name:
                    continue
                atom = molecule.GetAtomWithIdx(piece.span[0])
                law, own = kinds.law(atom, NEIGHBOURS), kind_of_atom(atom)
                made = {kind: text if kind == own else swapped(molecule, piece.span[0], kind) for kind in law}
                total = sum(law[kind] for kind, new in made.items() if new)
                out += [(row, k, law[kind] / total, new) for kind, new in made.items() if new and kind != own]
    return _side_by_side(out)


def _side_by_side(found: list[tuple[int, int, float, str]]) -> Alternatives:
    rows, places, share, values = zip(*found, strict=True) if found else ((), (), (), ())
    return np.array(rows, dtype=np.int64), np.array(places, dtype=np.int64), np.array(share), np.array(values, dtype=object)


def laws(case: Case) -> dict[str, Any]:
    """Column -> what is known of its letters, words, atoms or patches from rows that are not explained (inputs only; of all
    rows where others are few). Learned once; to be asked before a technique is timed."""
    if "laws" not in case.made:
        others = np.setdiff1d(np.arange(len(case.data)), case.rows)
        others = others if len(others) >= FEWEST else np.arange(len(case.data))
        others = np.sort(stream(case.seed, "others").permutation(others)[:OTHERS])
        case.made["laws"] = {name: _law(case.data, name, others, case.seed) for name in case.data.inputs
                             if case.data.kind(name) not in SCALAR}
    return case.made["laws"]


def _law(data: Data, name: str, rows: np.ndarray, seed: int) -> Any:
    from gnomon.data.features._sequences import is_aligned

    if data.kind(name) == "image":
        dice, images = stream(seed, "windows", name), data.columns[name].take(rows[:: -(-len(rows) // IMAGES)])
        top, bottom, left, right = patches(*images.shape[2:])[0]
        return patch_law(images, (bottom - top, right - left), dice)
    texts = [t or "" for t in data.columns[name].take(rows)]
    if data.kind(name) == "molecule":
        return AtomKinds(texts)
    code: dict[str, int] = {}
    codes, spans = _coded(texts, data.kind(name), code)
    letters = data.kind(name) == "sequence"
    aligned = letters and is_aligned(np.array(texts, dtype=object))
    return Runs(codes, LETTERS if letters else NEAR_WORDS, aligned), spans, texts, code


def _coded(texts: Any, kind: str, code: dict[str, int]) -> tuple[np.ndarray, list[list[tuple[int, int]]]]:
    """(n, longest) a number from 1 a letter or word, alike in upper and lower case, 0 after the last; and where each stands.
    code: filled in with what was new."""
    spans = [[(i, i + 1) for i in range(len(t or ""))] if kind == "sequence" else [m.span() for m in WORDS.finditer(t or "")]
             for t in texts]
    out = np.zeros((len(spans), max([1, *map(len, spans)])), dtype=np.int64)
    for i, (text, own) in enumerate(zip(texts, spans, strict=True)):
        even = (text or "").lower()
        even = even if len(even) == len(text or "") else text
        out[i, :len(own)] = [code.setdefault(even[a:b], len(code) + 1) for a, b in own]
    return out, spans


def _covered(cut: tuple[int, ...], spans: list[tuple[int, int]]) -> tuple[int, int]:
    """(first, how many) of the letters or words that a piece covers."""
    inside = [k for k, (start, stop) in enumerate(spans) if cut[0] <= start and stop <= cut[1]]
    return (inside[0], len(inside)) if inside else (0, 0)


def _columns_redrawn(case: Case, ground: Ground) -> Iterator[Redraw]:
    """Scalar columns, each piece from the reference rows that are closest in all other columns."""
    shared = [k for k, p in enumerate(ground.pieces[0]) if p.parts] if ground.pieces else []
    everyone = np.arange(len(ground))
    rows, even = np.repeat(everyone, NEIGHBOURS), np.full(len(ground) * NEIGHBOURS, 1 / NEIGHBOURS)
    for k, near in zip(shared, _closest(case, ground, shared), strict=True):
        own, given = ground.data.take(rows), case.data.take(near.reshape(-1))
        columns = dict(own.columns)
        for name in {p.column for p in ground.pieces[0][k].parts}:
            parts = [p for p in ground.pieces[0][k].parts if p.column == name]
            columns[name] = _moved(columns[name], given.columns[name], parts)
        yield Redraw(rows, np.full(len(rows), k), even, replace(own, columns=columns))


def _moved(column: Any, other: Any, parts: list[Any]) -> Any:
    """The column with these parts' values from the other, which has as many rows."""
    values, new = np.array(column.values), other.values
    if values.ndim == 1:
        return replace(column, values=np.array(new))
    places = [p.place for p in parts]
    values[:, places] = new[:, places]
    return replace(column, values=values)


def _closest(case: Case, ground: Ground, shared: list[int]) -> list[np.ndarray]:
    """For every shared piece (n, NEIGHBOURS): reference rows closest to each row in all other shared pieces."""
    def coded(piece: Any, rows: np.ndarray) -> np.ndarray:
        return np.stack([np.nan_to_num(np.asarray(data_values(case.data, p, rows), dtype=float)) for p in piece.parts], axis=1)

    apart = []
    for piece in (ground.pieces[0][k] for k in shared):
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
