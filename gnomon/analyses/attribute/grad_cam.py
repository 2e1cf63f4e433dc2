"""Grad-CAM: where, in the last layer that still has places, the features stand that raise the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import by_chunks, named, picker, rows_of, rows_taken, still
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Grad-CAM",
    gist="Weighs the maps of the last convolution by how the output grows with each, adds them up and enlarges the sum.",
    use_when="Where in an image (or along a sequence, or in a molecule) the evidence for a class stands, coarsely.",
    avoid_when="Fine detail matters, evidence against counts, or the network joins far places before its last maps.",
    paper="Selvaraju et al. 2017, arXiv:1610.02391; graphs: Pope et al. 2019, CVPR; CAM: Zhou et al. 2016, arXiv:1512.04150",
    survey=("I2",),
    tasks=("classify", "regress", "several"),
    reads=("image", "sequence", "text", "molecule"),
    needs=("gradient",),
    cost="seconds",
)


def grad_cam(model: nn.Module, x: Any, target: Any, *, layer: str | nn.Module | None = None, rectify: bool = True,
             chunk: int = 0) -> Any:
    """relu(sum over channels k of alpha_k A_k), alpha_k = mean over places of d output / d A_k, enlarged to x's places.

    model, x, target: as in integrated_gradients. layer: the module (or its name) whose output is A; None = for each
    input the last one with maps: (B, C, h, w) for images, (B, C, l) or (B, l, C) for sequences, (atoms, C) for molecules.
    rectify: False keeps negative evidence as well. chunk: rows at a time; 0 = what fits an eighth of the free memory.

    Returns the form of x; the channels of an image share the map evenly, so their sum is the map. Inputs without places
    (numbers, categories) get NaN: nothing is said about them. Raises E-ATTRIBUTION where no layer has maps.
    Law: for a network ending in mean over places and one linear layer it is CAM over the number of places.
    """
    import torch

    from gnomon.analyses.attribute._backward_leaves import Leaves
    from gnomon.analyses.attribute._backward_maps import cam, chosen_layers

    inputs, single = named(x)
    call = (lambda given: model(given[""])) if single else model
    with still(model), torch.enable_grad():
        rows = torch.arange(min(rows_of(inputs), 2))
        wanted = chosen_layers(Leaves(model, rows_taken(inputs, rows), call, picker(target, rows)), layer)
    return by_chunks(model, x, target, lambda leaves: cam(leaves, wanted, rectify), chunk=chunk)
