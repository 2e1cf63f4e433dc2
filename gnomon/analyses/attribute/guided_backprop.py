"""Guided backpropagation: gradients that pass a ReLU only where both the signal and the gradient are positive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import by_chunks
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Guided backpropagation",
    gist="Backpropagates with negative gradients cut at every ReLU: sharp pictures of what excites the network.",
    use_when="To see, in fine detail, which structures of the image reach the units of a ReLU network at all.",
    avoid_when="To learn why a class was predicted: it acts as an edge detector and barely depends on the weights or class.",
    paper="Springenberg et al. 2015, arXiv:1412.6806; against it: Adebayo et al. 2018, arXiv:1810.03292; Nie et al. 2018, "
          "arXiv:1805.07039",
    survey=("I3",),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    cost="seconds",
)


def guided_backprop(model: nn.Module, x: Any, target: Any, *, times_input: bool = False, chunk: int = 0) -> Any:
    """The gradient with R_in = R_out * [activation > 0] * [R_out > 0] at every ReLU (module, function or in place).

    model, x, target, times_input, chunk: as in saliency; so is the form of what is returned. A network without ReLU
    gives its plain gradient: other activations have no rule of this kind. Read it behind the gate of randomised weights,
    which it often fails (Nie, Zhang & Patel prove that it restores the image rather than explain the class).
    """
    def one(leaves: Any) -> dict[str, Any]:
        from gnomon.analyses.attribute._backward_rectified import guided

        found = leaves.slopes(modes=(guided(leaves.model),))
        return leaves.placed({k: g * leaves.values[k] for k, g in found.items()} if times_input else found)

    return by_chunks(model, x, target, one, chunk=chunk)
