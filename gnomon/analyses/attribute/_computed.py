"""What a network reads beside the pieces but computed from them: a molecule's descriptors, handed back to its atoms.

A network of molecules reads graphs and properties computed from them, and may lean on the properties (mass, rings, counts of
groups) for nine tenths of its output. Property j's contribution C_j, measured from the baseline b_j, goes to atom a by how much
of the property goes when the atom is taken away:   h_a = sum_j C_j (x_j - x_j without a) / (x_j - b_j).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._case import Case
from gnomon.analyses.attribute._ground import Ground
from gnomon.analyses.attribute._tensors import Spread

if TYPE_CHECKING:
    from torch import Tensor

AVERAGED = 500  # rows that a property's mean, its baseline, is taken over
EQUAL = 1e-6  # a property this close to its baseline (its scale is about 1) contributes nothing that could be handed back


@dataclass(frozen=True)
class Lost:
    """A tensor (B, d) computed from a graph, as it becomes when atoms go: for what gives way by d_a in [0, 1]
        x - sum_a d_a one_a - (all - sum_a one_a) * q,   q = sum_{a != b} d_a d_b / (n (n - 1)),
    which is right where no atom, any one, or all of them have gone. one: (N, d) what x loses without each atom; all: (B, d)
    what it loses without any. source: the graph's name."""

    source: str
    one: Tensor
    all: Tensor

    def only(self, rows: Any, atoms: Any) -> Lost:
        return Lost(self.source, self.one[atoms], self.all[rows])

    def __call__(self, x: Tensor, kept: Tensor, owner: Tensor) -> Tensor:
        gone, by_row = 1 - kept, x.new_zeros(len(x))
        n, total = by_row.index_add(0, owner, x.new_ones(len(owner))), by_row.index_add(0, owner, gone)
        pairs = (total**2 - by_row.index_add(0, owner, gone**2)) / (n * (n - 1)).clamp(min=1)
        single = x.new_zeros(x.shape).index_add(0, owner, gone[:, None] * self.one)
        every = x.new_zeros(x.shape).index_add(0, owner, self.one)
        return x - single - (self.all - every) * pairs[:, None]


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


def losses(case: Case, network: Any, ground: Ground, inputs: Mapping[str, Any]) -> dict[str, Lost]:
    """Tensor -> how each computed property follows a mask over the graph it is computed from: what it loses without each
    atom, and without all."""
    import torch

    out = {}
    for name in _computed(network):
        column = network.tensoriser.sources[name][0]
        graph = next(n for n, own in network.tensoriser.sources.items() if own[0] == column and hasattr(inputs[n], "owner"))
        if not _has_pieces(ground, column):
            continue
        x, owner = inputs[name], inputs[graph].owner
        rows, places, gone = _taken_away(case, network, ground, name, column)
        start = torch.searchsorted(owner, torch.arange(len(x), device=x.device)).cpu().numpy()
        atoms = [start[row] + ground.pieces[row][k].span[0] for row, k in zip(rows, places, strict=True)]
        one = torch.zeros(len(owner), x.shape[1], device=x.device)
        one[torch.as_tensor(atoms, device=x.device)] = x[torch.from_numpy(rows).to(x.device)] - torch.from_numpy(gone).to(x)
        out[name] = Lost(graph, one, x - _without_any(case, network, ground, name, column))
    return out


def _without_any(case: Case, network: Any, ground: Ground, name: str, column: str) -> Any:
    """(B, d) the properties with every atom taken away."""
    key = f"without any {name} {ground.data.position.tobytes().hex()}"
    if key not in case.made:
        masks = [np.array([p.column == column and bool(p.span) for p in pieces]) for pieces in ground.pieces]
        device = next(network.module.parameters()).device
        everyone = np.arange(len(ground))
        case.made[key] = network.tensoriser.batch(ground.altered(everyone, masks), everyone, device)[name]
    return case.made[key]


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
