"""How the units of one layer drive those of a later one: mean slopes, and slopes weighted by activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._backward import still
from gnomon.analyses.attribute._backward_leaves import gradients
from gnomon.analyses.represent._watch import INPUT, chunks_of, watched
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Circuits",
    gist="Which earlier units excite or inhibit which later ones, whatever lies between the two layers.",
    use_when="A unit is understood and the question is what it is built from, or what it feeds.",
    avoid_when="Slopes saturate or cancel over rows: then influence is local, and small does not mean unused.",
    paper="Olah et al. 2020, Distill 5(3); Voss et al. 2021, Distill 6(2)",
    survey=("I10",),
    needs=("gradient",),
    cost="seconds",
)


@dataclass(frozen=True)
class Circuits:
    """weights: (later units, earlier units) mean slope; between linear layers, the product of the weights in between.
    influence: the same shape, mean of slope times activation: what the earlier unit adds to the later one."""

    weights: np.ndarray
    influence: np.ndarray

    def strongest(self, unit: int, most: int = 5) -> list[tuple[int, float]]:
        """The earlier units that add most to (or take most from) a later one, with what they add."""
        order = np.argsort(-np.abs(self.influence[unit]), kind="stable")[:most]
        return [(int(k), float(self.influence[unit, k])) for k in order]


def circuits(model: nn.Module, x: Any, earlier: str, later: str, *, chunk: int = 64) -> Circuits:
    """W[u, v] = mean over rows of d later_u / d earlier_v;  I[u, v] = mean over rows of (d later_u / d earlier_v) earlier_v.

    earlier, later: names of modules (`model.named_modules()`; "relu:1" is the second call of one called several times in
    a pass); earlier = "" is the input itself, a float Tensor.
    A unit is a channel: of maps, the later unit is its mean over positions, and slopes are summed over the earlier
    unit's positions. x: rows over which slopes are averaged. chunk: rows at a time; one backward pass a later unit and
    chunk. Raises E-LAYER-ABSENT for a name the model does not have, E-ACTIVATIONS for one that names no single call,
    E-ATTRIBUTION where the later layer has no gradient.

    Differs: the papers read weights between adjacent layers and multiply them, skipping nonlinearities; mean slopes equal
    that product in linear networks and take nonlinearities as they act on real rows in all others.
    """
    import torch

    slopes: Any = 0
    added: Any = 0
    total = 0
    with still(model), torch.enable_grad():
        for part in chunks_of(x, chunk):
            source, target = _run(model, part, earlier, later)
            own = _units(target)
            rows = [gradients(own[:, u], {earlier: source}, again=True)[earlier] for u in range(own.shape[1])]
            slopes = slopes + torch.stack([_summed(g) for g in rows])
            added = added + torch.stack([_summed(g * source.detach()) for g in rows])
            total += len(source)
    return Circuits((slopes / total).cpu().numpy(), (added / total).cpu().numpy())


def _run(model: nn.Module, part: Any, earlier: str, later: str) -> tuple[Tensor, Tensor]:
    """(what gradients are asked for, what is explained) of one pass."""
    with watched(model, later) as target:
        if earlier == INPUT:
            source = part.detach().requires_grad_(True)
            model(source.clone())  # a model may change its input in place; a leaf may not be
            return source, target()
        with watched(model, earlier, leaf=True) as source_of:
            model(part)
            return source_of(), target()


def _units(values: Tensor) -> Tensor:
    """(B, units): maps by their mean over positions."""
    return values if values.ndim == 2 else values.flatten(2).mean(dim=2)


def _summed(values: Tensor) -> Tensor:
    """(units,) summed over rows and positions."""
    return values.flatten(2).sum(dim=(0, 2)) if values.ndim > 2 else values.sum(dim=0)
