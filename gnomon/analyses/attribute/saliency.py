"""Saliency: how fast the output changes with each part of the input, here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import by_chunks
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Saliency (gradient, gradient x input)",
    gist="The derivative of the output with respect to each part of the input; with the input multiplied in, its effect.",
    use_when="A first look, in one pass: which pixels, letters or columns the output is sensitive to at this very row.",
    avoid_when="The output is flat here (saturated) though the part matters, or gradients are noisy: integrated gradients.",
    paper="Simonyan, Vedaldi & Zisserman 2014, arXiv:1312.6034; Shrikumar et al. 2016, arXiv:1605.01713",
    survey=("I1",),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    cost="seconds",
)


def saliency(model: nn.Module, x: Any, target: Any, *, times_input: bool = False, chunk: int = 0) -> Any:
    """d output / d x, signed; with times_input x * d output / d x, which for a linear model without bias adds up to it.

    model, x, target: as in integrated_gradients; so is the form of what is returned. times_input: what is answered is
    then "how much did it contribute", else "how sensitive is the output to it". Embedded codes have no size of their
    own: their gradients are summed over the embedding, which means more with times_input (gradient . embedding).
    chunk: rows at a time; 0 = what fits an eighth of the free memory.
    Raises E-ATTRIBUTION where the model has no gradient to its input.
    """
    def one(leaves: Any) -> dict[str, Any]:
        found = leaves.slopes()
        return leaves.placed({k: g * leaves.values[k] for k, g in found.items()} if times_input else found)

    return by_chunks(model, x, target, one, chunk=chunk)
