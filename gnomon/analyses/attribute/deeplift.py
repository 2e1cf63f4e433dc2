"""DeepLIFT: the difference of the output from its value at a reference, shared out over the differences of the inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import by_chunks
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="DeepLIFT (rescale rule)",
    gist="Compares every unit with its value at a reference input and hands the difference back, layer by layer.",
    use_when="As integrated gradients, in two passes instead of many; saturated units still get their share.",
    avoid_when="No reference stands for 'nothing', or the network uses a function without a rule (LSTM: it is refused).",
    paper="Shrikumar, Greenside & Kundaje 2017, arXiv:1704.02685; products: Lundberg & Lee 2017, arXiv:1705.07874",
    survey=("I7",),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    cost="seconds",
)


def deeplift(model: nn.Module, x: Any, target: Any, *, baseline: Any = None, chunk: int = 0) -> Any:
    """Contributions C_i with sum_i C_i = output(x) - output(baseline): multipliers m = dy / dx of differences, chained.

    model, x, target, baseline: as in integrated_gradients; so is the form of what is returned. Per function: one number
    in and out, m = (f(x) - f(x0)) / (x - x0), the derivative where they are equal; linear, its weights; products and
    attention, each factor times the mean of the other; maxima, a rise to the winner at x, a fall to the winner at x0;
    softmax and norms exactly, as the products and sums they are. Works for modules used twice, functions and in-place ones.
    chunk: rows at a time; 0 = what fits an eighth of the free memory (the reference pass is kept as well).

    Raises E-ATTRIBUTION for a function without a rule, or a model that takes another path at the baseline.
    Differs: rescale rule only (the paper's reveal-cancel rule splits positive and negative parts besides).
    """
    def one(leaves: Any) -> dict[str, Any]:
        from gnomon.analyses.attribute._backward_differences import multipliers

        found = multipliers(leaves)
        return leaves.placed({k: m * (leaves.values[k] - leaves.neutral(k)) for k, m in found.items()})

    return by_chunks(model, x, target, one, base=baseline, chunk=chunk)
