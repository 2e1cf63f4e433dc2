"""Whether the places of a map inside a network are those of its input: in their order, turned round, or neither.

A network may read a row several times (DNA and its reverse complement, an image and its mirror) and lay the readings into
one batch. Which row a map belongs to, and which way it runs, is not guessed from names: it is measured, by the slopes of
the map with respect to the input.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

PROBED = 8  # places of a map whose slopes are taken along each of its axes
ORDERED = 0.5  # rank correlation between a map's places and the input's from which on they are in order


class Reading(NamedTuple):
    """How the rows of a map are laid out. count: readings of each row. blocks: all rows' first readings come first (else
    each row's readings stand side by side). turned: for each reading, the axes that run backwards."""

    count: int = 1
    blocks: bool = True
    turned: tuple[tuple[int, ...], ...] = ((),)

    def split(self, values: Tensor) -> list[Tensor]:
        """(count * B, ...) as one (B, ...) a reading."""
        if self.blocks:
            return list(values.chunk(self.count))
        return [values[k::self.count] for k in range(self.count)]


def reading_of(maps: Tensor, leaf: Tensor, axes: tuple[tuple[int, int], ...]) -> Reading | None:
    """How the maps read the leaf; None where they do not keep its rows and places.

    maps: (count * B, ...) with a graph behind it; leaf: (B, ...). axes: pairs (axis of the maps, axis of the leaf).
    """
    rows = len(leaf)
    count, rest = divmod(len(maps), rows)
    if rest or not count:
        return None
    owner = [_owner(maps[q], leaf) for q in range(len(maps))]
    blocks = all(own in (q % rows, None) for q, own in enumerate(owner))
    if not blocks and not all(own in (q // count, None) for q, own in enumerate(owner)):
        return None
    turned = []
    for k in range(count):
        ways = [_way(maps[k * rows if blocks else k], leaf, a - 1, b - 1) for a, b in axes]
        if 0 in ways:
            return None
        turned.append(tuple(b for (_, b), way in zip(axes, ways, strict=True) if way < 0))
    return Reading(count, blocks, tuple(turned))


def _owner(row: Tensor, leaf: Tensor) -> int | None:
    """The one row of the leaf that a row of maps depends on; None: on none; -1: on several."""
    reached = _slope(row, leaf).flatten(1).abs().sum(1)
    found = torch.nonzero(reached)[:, 0].tolist()
    return None if not found else found[0] if len(found) == 1 else -1


def _way(row: Tensor, leaf: Tensor, axis: int, of: int) -> int:
    """1: the places of one row's map run along the leaf's; -1: against them; 0: neither. axis, of: without the rows."""
    from scipy.stats import spearmanr

    places = row.shape[axis]
    if places < 2:
        return 1
    at = np.unique(np.linspace(0, places - 1, PROBED).round().astype(int))
    centres = []
    for place in at:
        size = _slope(row.select(axis, int(place)), leaf).abs().sum(0)
        line = size.sum(dim=[d for d in range(size.ndim) if d != of])
        centres.append(float((line * torch.arange(len(line), device=line.device)).sum() / line.sum()))
    known = np.isfinite(centres)
    if known.sum() < 2:
        return 1  # the map is flat here: it says nothing of its order
    if np.ptp(np.array(centres)[known]) < 1e-6:
        return 0
    rho = float(spearmanr(at[known], np.array(centres)[known])[0])
    return 1 if rho > ORDERED else -1 if rho < -ORDERED else 0


def _slope(out: Tensor, leaf: Tensor) -> Tensor:
    found = torch.autograd.grad(out.sum(), leaf, retain_graph=True, allow_unused=True)[0]
    return torch.zeros_like(leaf) if found is None else found


def turned_back(whole: Tensor, axes: tuple[int, ...], mask: Tensor | None) -> Tensor:
    """A map (B, 1, places ...) run the other way along these axes of the leaf. mask: of tokens (whose one axis of places
    is 1, of the map 2): padding stays at the end."""
    if not axes:
        return whole
    if mask is None:
        return whole.flip(axes)
    last = mask.sum(dim=1, keepdim=True) - 1 - torch.arange(mask.shape[1], device=mask.device)
    return whole.gather(2, last.clamp(min=0)[:, None])
