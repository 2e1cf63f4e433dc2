"""Layer-wise relevance propagation: the output handed back layer by layer, each unit's share by what it contributed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from gnomon.analyses.attribute._backward import by_chunks
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Layer-wise relevance propagation (LRP)",
    gist="Shares the output out backwards in proportion to contributions, with a rule for each type of layer.",
    use_when="One pass, no baseline, less noise than gradients: deep convolutional or attention networks with ReLU-like units.",
    avoid_when="Biases carry much of the output (they absorb relevance), or no rule was argued for the architecture.",
    paper="Bach et al. 2015, doi:10.1371/journal.pone.0130140; rules: Montavon et al. 2019, doi:10.1007/978-3-030-28954-6_10; "
          "attention: Ali et al. 2022, arXiv:2202.07304",
    survey=("I7",),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    tune={"rule": ("composite", "epsilon", "gamma", "alpha_beta"), "gamma": (0.1, 0.25, 0.5)},
    cost="seconds",
)


def layer_relevance(model: nn.Module, x: Any, target: Any, *,
                    rule: Literal["composite", "epsilon", "gamma", "alpha_beta"] = "composite", epsilon: float = 1e-6,
                    gamma: float = 0.25, alpha: float = 2.0, box: Any = None, chunk: int = 0) -> Any:
    """Relevances R_i = sum_j z_ij / z_j R_j, from R = output at the target down to x; z_ij = x_i w_ij is a contribution.

    model, x, target: as in integrated_gradients; so is the form of what is returned. rule, for weighted sums
    (linear layers and convolutions; a batch norm after one is merged into it):
      epsilon     z_j + epsilon * sign(z_j) below the line: small sums give nothing. Larger epsilon = fewer, surer inputs
      gamma       z_ij + gamma * (the part of z_ij of the sign of z_j): favours what agrees with the unit
      alpha_beta  alpha * positive share - (alpha - 1) * negative share (alpha 1: positive contributions only)
      composite   gamma for convolutions, epsilon for linear layers
    box: (lowest, highest) value of the input, numbers or tensors of a row's shape (a mapping of them by name for several
    inputs): the first layer then uses the z-box rule x w - lowest w+ - highest w-, made for pixels, which have no zero.
    Activations pass relevance on; maxima give it to the winner; sums share by operand; products share evenly; attention
    weights, softmax and the spread of norms count as constants. chunk: rows at a time.

    Law: without biases the relevances add up to the output (all rules; epsilon towards 0). Raises E-ATTRIBUTION for a
    function without a rule (LSTM, say). Differs: gamma and alpha_beta hold for inputs of either sign.
    """
    from gnomon.errors import InputError

    if rule not in ("composite", "epsilon", "gamma", "alpha_beta"):
        raise InputError("E-ATTRIBUTION", f"layer_relevance has no rule '{rule}'",
                         do="one of composite, epsilon, gamma, alpha_beta")
    if alpha < 1:
        raise InputError("E-ATTRIBUTION", f"alpha is {alpha}; the shares alpha and 1 - alpha must be at least 1 and at most 0",
                         do="give alpha 1 or more")

    def one(leaves: Any) -> dict[str, Any]:
        from gnomon.analyses.attribute._backward_relevance import Relevances, relevances

        return leaves.placed(relevances(leaves, Relevances(rule, epsilon, gamma, alpha, box)))

    return by_chunks(model, x, target, one, chunk=chunk)
