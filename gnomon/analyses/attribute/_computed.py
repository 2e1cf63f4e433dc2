"""What a network reads beside the pieces but computed from them: a molecule's descriptors, handed back to its atoms.

A network of molecules reads graphs and properties computed from them, and may lean on the properties (mass, rings, counts of
groups) for nine tenths of its output. Property j's contribution C_j, measured from the baseline b_j, goes to atom a by how much
of the property goes when the atom is taken away:   h_a = sum_j C_j (x_j - x_j without a) / (x_j - b_j).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gnomon.analyses.attribute._case import Case
from gnomon.analyses.attribute._ground import Ground
from gnomon.analyses.attribute._tensors import Spread

AVERAGED = 500  # rows that a property's mean, its baseline, is taken over
EQUAL = 1e-6  # a property this close to its baseline (its scale is about 1) contributes nothing that could be handed back


def means(case: Case, network: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Tensor -> (B, d) the mean over reference rows of each computed property: the baseline for techniques that take one.
    The mean, as no property equals it in any row: zero is the commonest value of a count, and a contribution measured from
    there is none whatever the slope. Empty where nothing is computed."""
    names = _computed(network)
    if not names:
        return {}
    some = case.reference[:: -(-len(case.reference) // AVERAGED)]
    given = network.tensoriser.batch(case.data, some, next(network.module.parameters()).device)
    return {name: given[name].mean(dim=0).expand_as(inputs[name]) for name in names}


def handed_back(out: Spread, case: Case, network: Any, ground: Ground, inputs: Mapping[str, Any],
                found: Mapping[str, np.ndarray], base: Mapping[str, Any]) -> Spread:
    """The spread with computed properties' contributions added to the pieces they are computed from; what does not come
    back stays in `over`, so that pieces and leftovers still add up to the tensors' sum."""
    for name in _computed(network):
        column = network.tensoriser.sources[name][0]
        if name not in found or not _has_pieces(ground, column):
            continue
        x = inputs[name].detach().float().cpu().numpy()
        rows, places, gone = _taken_away(case, network, ground, name, column)
        gap = x - (base[name].detach().cpu().numpy() if name in base else 0.0)
        near = np.abs(gap) < EQUAL
        slope = np.where(near, 0.0, found[name] / np.where(near, 1.0, gap))
        handed = ((x[rows] - gone) * slope[rows]).sum(axis=1)
        own = np.array([out.scores[row][place] for row, place in zip(rows, places, strict=True)])
        out.through[column] = float(np.abs(handed).sum() / max(np.abs(handed).sum() + np.abs(own).sum(), 1e-300))
        for row, place, value in zip(rows, places, handed, strict=True):
            out.scores[row][place] += value
            atom = ground.pieces[row][place].span[0]
            if column in out.fine and atom < len(out.fine[column][row]):
                out.fine[column][row][atom] += value
        out.over[column] = out.over.get(column, 0) - np.bincount(rows, weights=handed, minlength=len(ground))
    return out


def _computed(network: Any) -> tuple[str, ...]:
    return tuple(n for n, encoder in network.tensoriser.encoders.items() if encoder.kind == "descriptors")


def seconds_before(case: Case) -> float:
    """What a row takes before any technique: its properties without each atom, worked out once for all techniques and
    copies. To be asked before a technique is timed, which then finds them worked out."""
    names = _computed(case.learned)

    def once(few: Case) -> None:
        ground = few.ground()
        for name in names:
            column = few.learned.tensoriser.sources[name][0]
            if _has_pieces(ground, column):
                _taken_away(few, few.learned, ground, name, column)

    if not names or case.end == float("inf"):
        return 0.0
    return case.seconds_a_row("properties without each atom", once)


def _has_pieces(ground: Ground, column: str) -> bool:
    return any(p.column == column and p.span for row in ground.pieces for p in row)


def _taken_away(case: Case, network: Any, ground: Ground, name: str, column: str
                ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For every piece of the column its row, its place there, and (m, d) the properties without it."""
    key = f"without {name} {ground.data.position.tobytes().hex()}"
    if key not in case.made:
        at = [(i, k) for i, pieces in enumerate(ground.pieces) for k, p in enumerate(pieces) if p.column == column and p.span]
        rows, places = np.array(at, dtype=np.int64).T
        masks = [np.arange(len(ground.pieces[i])) == k for i, k in at]
        device = next(network.module.parameters()).device
        gone = network.tensoriser.batch(ground.altered(rows, masks), np.arange(len(rows)), device)[name]
        case.made[key] = rows, places, gone.float().cpu().numpy()
    return case.made[key]
