"""Aggregated explanations: the mean of several techniques' attributions, each first brought to the same size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute import optimised_mask
from gnomon.analyses.attribute._audits import rows_as_lists
from gnomon.analyses.attribute._game import like
from gnomon.analyses.attribute._masks import by_masks
from gnomon.analyses.attribute.integrated_gradients import integrated_gradients
from gnomon.analyses.attribute.occlusion import occlusion
from gnomon.card import Card
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Aggregated explanation",
    gist="Averages what a gradient, a removal and a mask say of a row, each brought to the same size first.",
    use_when="A network, and no single technique is known to be right on its kind of data, as on molecules (planted groups: "
             "AUROC 0.97): their errors differ and cancel.",
    avoid_when="One technique is known to be right (linear models, trees), or the number itself must mean something: what is "
               "averaged are shares of a row, not amounts of the output.",
    paper="Rieger & Hansen 2020 (2019), arXiv:1903.00519",
    survey=("I1", "I4", "I8", "T2"),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    cost="minutes",
)

Technique = Callable[[Any, Any, Any], Any]  # (model, x, target) -> attributions of x's shape
Maps = Sequence[Sequence[np.ndarray]]  # technique -> row -> (pieces,) numbers


def aggregated(model: nn.Module, x: Tensor, target: Any, *, members: Sequence[Technique] = (), by_spread: bool = False) -> Any:
    """mean_j e_j / |e_j|, |e| the sum of a row's sizes (AGG-Mean); over the members' spread where asked (AGG-Var).

    model, x, target: as in occlusion, of a network with a gradient and a tensor (B, ...). members: functions (model, x,
    target) -> x's shape, options bound; none: integrated gradients, occlusion and the optimised mask. These are one of each
    family: the slopes on the way from nothing to the row, the output once one piece is gone, and the pieces that together
    undo it. What misleads one (saturation; pieces that stand in for one another; the mask's knobs) leaves the others alone,
    and of its family each asks least: no rule a function, no area. by_spread: divides each number by the standard deviation
    of the members there + its mean over the row, so that what they disagree on counts less. Returns x's shape: shares of a
    row, sizes adding up to at most 1.

    Laws: of members that agree, their own scaled attribution; squared error of the mean = the members' mean squared error
    less their variance, so never more, whatever the truth. Differs: signs are kept, as here a piece may lower the output;
    the constant beside the spread is a row's own.
    """
    import torch

    if not isinstance(x, torch.Tensor):
        raise InputError("E-ATTRIBUTION", f"rows (B, ...) as a tensor are needed to average maps; {type(x).__name__} came",
                         do="graphs, texts and mixed tables are explained in a study: gnomon explain STUDY")
    techniques = members or (integrated_gradients, occlusion, _mask)
    maps = [rows_as_lists(technique(model, x, target)) for technique in techniques]
    return like(np.stack(of_maps(maps, by_spread=by_spread)).reshape(tuple(x.shape)), x)


def of_maps(maps: Maps, *, by_spread: bool = False) -> list[np.ndarray]:
    """The same of attributions at hand: one array a row."""
    out = []
    for row in zip(*maps, strict=True):
        each = np.stack([_scaled(e) for e in row])
        apart = each.std(axis=0)
        out.append(each.mean(axis=0) / (apart + apart.mean() if by_spread and apart.any() else 1.0))
    return out


def _scaled(scores: np.ndarray) -> np.ndarray:
    """Sizes that add up to 1; nothing where there is none."""
    return scores / max(float(np.abs(scores).sum()), 1e-300)


def _mask(model: nn.Module, x: Tensor, target: Any) -> Any:
    """The optimised mask, below 0 where the row's output is below nothing's."""
    return by_masks(model, x, target, optimised_mask.of_rows, signed=True)
