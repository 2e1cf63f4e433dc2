"""Input-shift invariance: an attribution must not change when only the scale's zero is moved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._audits import Audit, audited, correlations, rows_as_lists
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Input-shift invariance",
    gist="Adds a constant to the input of a network that takes it off again; the explanation should stay the same.",
    use_when="An attribution multiplies by the input or starts at a reference point: is the reference an accident?",
    avoid_when="The zero of the input has a meaning (counts, masks): the reference is then a choice, to be stated.",
    paper="Kindermans et al. 2019 (2017), arXiv:1711.00867",
    survey=("I5",),
    cost="seconds",
)


def input_shift(technique: Callable[..., Any], model: nn.Module, x: Any, target: Any, *, shift: Any = 1.0,
                units: np.ndarray | None = None, first: Any = None) -> Audit:
    """Rank correlation of technique(model, x) with technique(model o (- shift), x + shift), by row; 1 = invariant.

    Both networks give the same output, d output / d input included. technique: `technique(model, x, target)`; bind its
    options first (functools.partial). x: a float Tensor, or a dict of tensors by name, of which those named in `shift` are
    moved. shift: what broadcasts to x; of a dict, name -> that. units: (B,). first: technique(model, x, target) where it is
    known. Laws: gradients are invariant (1); input times gradient and integrated gradients from a fixed zero are not; with a
    reference that moves along they are.
    """
    import torch

    class Shifted(torch.nn.Module):
        """The same function of x + shift as the model is of x."""

        def __init__(self) -> None:
            super().__init__()
            self.own = model

        def forward(self, given: Any) -> Any:
            return self.own(shifted(given, shift, -1))

    moved = Shifted()
    moved.training = model.training  # a wrapper's own flag; the model keeps its modes
    first = technique(model, x, target) if first is None else first
    each = correlations(_compared(first, shift), _compared(technique(moved, shifted(x, shift), target), shift))
    return audited("input shift", each, units, "rank correlation {} with the attribution after the input's zero is moved")


def shifted(x: Any, shift: Any, sign: int = 1) -> Any:
    """x + sign * shift; of a dict, the tensors named in `shift`, the others as they are."""
    if isinstance(x, Mapping):
        return {n: shifted(value, shift[n], sign) if n in shift else value for n, value in x.items()}
    return x + sign * _like(shift, x)


def _like(shift: Any, x: Any) -> Any:
    import torch

    return torch.as_tensor(shift, dtype=x.dtype, device=x.device)


def _compared(found: Any, shift: Any) -> Any:
    """Of attributions by name, those of the tensors that move, side by side."""
    if not isinstance(found, Mapping):
        return found
    parts = [rows_as_lists(found[n]) for n in shift]
    return [np.concatenate(row) for row in zip(*parts, strict=True)]
