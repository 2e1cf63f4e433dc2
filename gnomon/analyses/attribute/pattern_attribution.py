"""PatternNet and PatternAttribution: what varies with each unit's output, rather than what cancels the noise in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from gnomon.analyses.attribute._backward import by_chunks
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

    from gnomon.analyses.attribute._backward_patterns import Pattern

CARD = Card(
    name="Pattern attribution (PatternNet, PatternAttribution)",
    gist="Learns from data which direction of its input each unit's output follows, and goes back along those directions.",
    use_when="Inputs hold strong correlated noise (backgrounds, drifts): weights avoid noise, patterns point at the signal.",
    avoid_when="There are few rows to fit patterns on, or the network is not built of linear layers, convolutions and ReLU.",
    paper="Kindermans et al. 2018, arXiv:1705.05598",
    survey=("I3",),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    cost="seconds",
)


def pattern_attribution(model: nn.Module, x: Any, target: Any, *, data: Any,
                        way: Literal["attribution", "signal"] = "attribution", chunk: int = 0) -> Any:
    """The output handed back with each weight w replaced by w * a ("attribution") or by the pattern a ("signal", PatternNet).

    a = cov(x, y) / (w . cov(x, y)) for each unit y = w . x + b, over the rows and places where the ReLU after it is on
    (the two-component estimator; over all where none follows), so w . a = 1.

    model, x, target: as in integrated_gradients; so is the form of what is returned. data: rows to fit the patterns on,
    in the form of x (some hundred training rows; not the ones explained alone), or what `fit_patterns` returned for them.
    way: how much each part contributed, or the signal itself as the network sees it. chunk: rows at a time.

    Law: for one linear unit the attributions add up to w . x. Raises E-ATTRIBUTION where no unit can be fitted.
    Differs: means and covariances are both taken within the regime; a batch norm passes the signal on as one weight with
    pattern 1 / weight; other functions go back by their gradient.
    """
    def one(leaves: Any) -> dict[str, Any]:
        from gnomon.analyses.attribute._backward_patterns import through_patterns

        return leaves.placed(through_patterns(leaves, fitted, way == "signal"))

    fitted = data if _is_fitted(data) else fit_patterns(model, data, chunk=chunk)
    return by_chunks(model, x, target, one, chunk=chunk)


def fit_patterns(model: nn.Module, data: Any, *, chunk: int = 0) -> list[Pattern]:
    """The patterns of every linear layer and convolution of a model, in the order they are called. data: as x above."""
    from gnomon.analyses.attribute._backward_patterns import Moments

    moments = Moments()

    def one(leaves: Any) -> dict[str, Any]:
        moments.watch(leaves)
        return {name: leaves.leaves[next(iter(leaves.leaves))].new_zeros(0) for name in leaves.inputs}

    by_chunks(model, data, _no_target, one, chunk=chunk)
    return moments.patterns()


def _is_fitted(data: Any) -> bool:
    from gnomon.analyses.attribute._backward_patterns import Pattern

    return isinstance(data, list) and all(isinstance(p, Pattern) for p in data)


def _no_target(raw: Any, rows: Any) -> Any:
    """Any number of the output: patterns are fitted on what goes in and out of every unit."""
    return raw.flatten(1).sum(1)
