"""Deconvolution: a unit's activity projected back to the input, rectified on the way down instead of up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import by_chunks
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Deconvolution",
    gist="Sends the output back through transposed layers; every ReLU keeps what is positive on the way down.",
    use_when="To see which pattern a convolutional unit or output responds to, as Zeiler & Fergus drew them.",
    avoid_when="To learn why a class was predicted: it acts as an edge detector and barely depends on the weights or class.",
    paper="Zeiler & Fergus 2014, arXiv:1311.2901; against it: Adebayo et al. 2018, arXiv:1810.03292; Nie et al. 2018, "
          "arXiv:1805.07039",
    survey=("I3",),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    cost="seconds",
)


def deconvolution(model: nn.Module, x: Any, target: Any, *, times_input: bool = False, chunk: int = 0) -> Any:
    """The gradient with R_in = max(R_out, 0) at every ReLU, whatever its activation was; max-pooling as it switched.

    model, x, target, times_input, chunk: as in saliency; so is the form of what is returned. A network without ReLU gives
    its plain gradient. Read it behind the gate of randomised weights: the picture is made by the pooling switches and
    the image more than by what was learned.
    """
    def one(leaves: Any) -> dict[str, Any]:
        from gnomon.analyses.attribute._backward_rectified import deconvolved

        found = leaves.slopes(modes=(deconvolved(leaves.model),))
        return leaves.placed({k: g * leaves.values[k] for k, g in found.items()} if times_input else found)

    return by_chunks(model, x, target, one, chunk=chunk)
