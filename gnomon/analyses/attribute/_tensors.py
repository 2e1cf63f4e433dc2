"""From a network's attributions, tensor by tensor, back to the pieces of a data ground."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.analyses.attribute._ground import Ground, Piece
from gnomon.analyses.attribute.integrated_gradients import integrated_gradients
from gnomon.data.kinds import Graphs, Tokens
from gnomon.data.tokens import SMILES, WORDS

ATOM = ("[", *"BCNOPSFIbcnops*")  # how a SMILES token that is an atom begins


@dataclass(frozen=True)
class Spread:
    """scores: one array a row over the ground's pieces. over: column -> (n,), what belongs to the column but to none of
    its pieces (a molecule's descriptors). fine: column -> one array a row, by letter, pixel (H, W) or atom.
    through: column -> the share of its pieces' weight that reached them through properties computed from them.
    said: the columns that the technique says something about. members: of a mean of techniques, each one's scores.
    covered: (n,) of masks, the share of a row that they cover."""

    scores: list[np.ndarray]
    over: dict[str, np.ndarray] = field(default_factory=dict)
    fine: dict[str, list[np.ndarray]] = field(default_factory=dict)
    through: dict[str, float] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    members: tuple[list[np.ndarray], ...] = ()
    covered: np.ndarray | None = None


def network_attributions(network: Any, ground: Ground, *, steps: int = 32, chunk: int = 64) -> Spread:
    """Integrated gradients of the explained output, brought to the ground's pieces."""
    device = next(network.module.parameters()).device
    inputs = network.tensoriser.batch(ground.data, np.arange(len(ground)), device)
    found = integrated_gradients(network.module, inputs, ground.question.pick, steps=steps, chunk=chunk)
    positions = {name: encoder.vocabulary.positions for name, encoder in network.tensoriser.encoders.items()
                 if encoder.kind == "tokens" and encoder.vocabulary.positions}
    return spread(ground, network.tensoriser.sources, network.tensoriser.names, inputs,
                  {name: value.detach().float().cpu().numpy() for name, value in found.items()}, positions)


def spread(ground: Ground, sources: Mapping[str, tuple[str, ...]], names: Mapping[str, tuple[str, ...]],
           inputs: Mapping[str, Any], found: Mapping[str, np.ndarray],
           positions: Mapping[str, tuple[int, ...]] | None = None) -> Spread:
    """Attributions by tensor to pieces. `positions`: the letters that a tokens tensor holds, where it leaves some out.
    Law: pieces and leftovers add up to the tensors' sum, row by row."""
    out = Spread([np.zeros(len(p)) for p in ground.pieces])
    for tensor, values in found.items():
        out.said.update(sources[tensor])
        column = sources[tensor][0]
        if isinstance(inputs[tensor], Graphs):
            owner = inputs[tensor].owner.cpu().numpy()
            per_row = [values[owner == i] for i in range(len(ground))]
            _by_span(ground, column, out, per_row, _atom_sum)
        elif isinstance(inputs[tensor], Tokens):
            mask = inputs[tensor].mask.cpu().numpy()
            places = (positions or {}).get(tensor, ())
            per_row = [_to_letters(ground, column, i, values[i][mask[i]], places) for i in range(len(ground))]
            _by_span(ground, column, out, per_row, _span_sum)
        elif values.ndim == 4:
            _by_span(ground, column, out, list(values.sum(axis=1)), _patch_sum(ground, column))
        else:
            _by_feature(ground, sources[tensor], names[tensor], values, out)
    return out


def _by_feature(ground: Ground, sources: tuple[str, ...], names: tuple[str, ...], values: np.ndarray,
                out: Spread) -> None:
    shared = ground.pieces[0] if ground.pieces else ()
    by_part = {(p.column, p.what): k for k, piece in enumerate(shared) for p in piece.parts}
    by_column = {p.column: k for k, piece in enumerate(shared) for p in piece.parts if p.place < 0}
    named = names if len(names) == len(sources) else sources
    for j, (column, name) in enumerate(zip(sources, named, strict=True)):
        k = by_column.get(column, by_part.get((column, name), by_part.get((column, name.removesuffix(" missing")))))
        if k is None:
            out.over[column] = out.over.get(column, 0) + values[:, j]
            continue
        for row, score in enumerate(out.scores):
            score[k] += values[row, j]


def _by_span(ground: Ground, column: str, out: Spread, per_row: list[np.ndarray], total: Any) -> None:
    """Add each piece's share of a row's letters, atoms or pixels; what no piece covers goes to `over`."""
    out.fine[column] = per_row
    left = np.zeros(len(ground))
    for row, (pieces, values) in enumerate(zip(ground.pieces, per_row, strict=True)):
        for k, piece in enumerate(pieces):
            if piece.column == column and piece.span:
                share = total(values, piece)
                out.scores[row][k] += share
                left[row] -= share
        left[row] += values.sum()
    if np.abs(left).max(initial=0) > 1e-6:
        out.over[column] = out.over.get(column, 0) + left


def _span_sum(values: np.ndarray, piece: Piece) -> float:
    return float(values[piece.span[0]:piece.span[1]].sum())


def _atom_sum(values: np.ndarray, piece: Piece) -> float:
    return float(values[piece.span[0]]) if piece.span[0] < len(values) else 0.0


def _patch_sum(ground: Ground, column: str) -> Any:
    """Patches are cut in the image as read; the network may have seen it at another size."""
    height, width = ground.data.columns[column].spec.shape[-2:]

    def total(values: np.ndarray, piece: Piece) -> float:
        tall, wide = values.shape[0] / height, values.shape[1] / width
        top, bottom, left, right = piece.span
        return float(values[round(top * tall):round(bottom * tall), round(left * wide):round(right * wide)].sum())

    return total


def _to_letters(ground: Ground, column: str, row: int, tokens: np.ndarray, places: tuple[int, ...]) -> np.ndarray:
    """One number a letter (or atom, of a molecule read as SMILES) from one a token."""
    text = ground.data.columns[column].take(np.array([row]))[0] or ""
    kind = ground.data.kind(column)
    if kind == "molecule":
        return _smiles_atoms(text, tokens)
    letters = np.zeros(max(len(text), 1))
    if kind == "text":
        spans = [m.span() for m in WORDS.finditer(text)]
        if len(spans) >= len(tokens):
            for (start, stop), value in zip(spans, tokens, strict=False):
                letters[start:stop] += value / (stop - start)
            return letters
    if places and max(places) < len(letters):
        letters[list(places)] = tokens
        return letters
    if len(tokens) > len(letters):
        return tokens
    start = _read_from(len(letters), len(tokens), ground.data.columns[column].spec.detail)
    letters[start:start + len(tokens)] = tokens
    return letters


def _read_from(length: int, read: int, detail: str) -> int:
    """Of long DNA and RNA the middle is read, of anything else the beginning."""
    return (length - read) // 2 if detail in ("DNA", "RNA") else 0


def _smiles_atoms(smiles: str, tokens: np.ndarray) -> np.ndarray:
    """Tokens that are no atom (bonds, rings, brackets) count for the atom before them."""
    atoms: list[float] = []
    waiting = 0.0
    for token, value in zip(SMILES.findall(smiles.strip()), tokens, strict=False):
        if token[0] in ATOM:
            atoms.append(float(value) + waiting)
            waiting = 0.0
        elif atoms:
            atoms[-1] += float(value)
        else:
            waiting += float(value)
    return np.array(atoms or [0.0])
