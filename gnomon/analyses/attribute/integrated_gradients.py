"""Integrated gradients: what each part of the input adds to a network's output, on the way from a neutral input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._backward import by_chunks, named, picker, rows_of, rows_taken, still
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

    from gnomon.analyses.attribute._backward_leaves import Leaves

__all__ = ["CARD", "integrated_gradients", "path_ends", "rows_of", "rows_taken", "still"]

CARD = Card(
    name="Integrated gradients",
    gist="Follows the gradient from a neutral input to the row; the parts add up to the change of the output.",
    use_when="A network on numbers, images, sequences or molecules: which features, pixels, letters, atoms count here.",
    avoid_when="The model has no gradient: use tree SHAP or occlusion. Read it only behind the two gates.",
    paper="Sundararajan, Taly & Yan 2017, arXiv:1703.01365",
    survey=("I1", "T2"),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    cost="seconds",
)


def integrated_gradients(model: nn.Module, x: Any, target: Any, *, steps: int = 64, baseline: Any = None,
                         chunk: int = 0) -> Any:
    """Attributions (x - baseline) * mean over the straight path of d output / d x, per part of the input.

    model: `model(x) -> (B, K)`. x: a float Tensor (B, ...) or a dict of them by name, of Tokens, of Graphs, or of whole
    number codes (B, c); codes go through the model's embedding tables, whose outputs are what is integrated over.
    target: the output explained: an int, one int a row (B,), None for the only one, or `f(raw, rows) -> (len(rows),)`.
    steps: points of the path (Gauss-Legendre; more = closer completeness). baseline: same form as x, or None: zeros for
    numbers, images (which arrive standardised, so this is the mean) and atoms, the mean embedding for codes.
    chunk: rows at a time; 0 = what fits an eighth of the free memory.

    Returns the form of x: a Tensor gives a Tensor of its shape, Tokens (B, L), codes (B, c), Graphs (N,) one number an
    atom (its features and half of each of its bonds' features summed). Law: for each row they add up to
    output(x) - output(baseline). Raises E-ATTRIBUTION where the model has no gradient to its input.
    """
    points, weights = np.polynomial.legendre.leggauss(steps)
    path = list(zip((points + 1) / 2, weights / 2, strict=True))
    return by_chunks(model, x, target, lambda leaves: _integrate(leaves, path), base=baseline, chunk=chunk)


def path_ends(model: nn.Module, x: Any, target: Any, *, baseline: Any = None) -> tuple[Any, Any]:
    """(output at the baseline, output at x), each (B,): what completeness is checked against."""
    import torch

    from gnomon.analyses.attribute._backward_leaves import Leaves

    inputs, single = named(x)
    base = None if baseline is None else named(baseline)[0]
    call = (lambda given: model(given[""])) if single else model
    with still(model), torch.no_grad():
        leaves = Leaves(model, inputs, call, picker(target, torch.arange(rows_of(inputs))), base)
        return leaves.output(lambda key, value, neutral: neutral()).detach(), leaves.output().detach()


def _integrate(leaves: Leaves, path: list[tuple[float, float]]) -> dict[str, Any]:
    steps: dict[Any, Any] = {}  # x - baseline, by leaf
    sums: dict[Any, Any] = {}
    for point, weight in path:

        def at(key: Any, value: Any, neutral: Any, left: float = 1 - float(point)) -> Any:
            if key not in steps:
                steps[key] = value - neutral()
            return value.sub(steps[key], alpha=left)

        for key, slope in leaves.slopes(at).items():
            sums[key] = slope * float(weight) if key not in sums else sums[key].add_(slope, alpha=float(weight))
    return leaves.placed({key: total * steps[key] for key, total in sums.items()})
