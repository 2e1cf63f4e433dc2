"""Several inputs, one output: an encoder for each tensor, their representations side by side, and a head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gnomon.data.table import Spec
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import nn

WIDTH = 128  # of the small encoders for numbers and categories that come along with something larger


def fuse(inputs: Mapping[str, Spec], out: Spec, encoders: Mapping[str, Callable[[Spec], nn.Module]], *,
         hidden: int = 0, dropout: float = 0.1) -> nn.Module:
    """A network over all `inputs`: forward(dict) -> raw (B, out.shape[0]), embed(dict) -> (B, d).

    encoders: by tensor kind, spec -> module with `width` and forward(x) -> (B, width). Numbers and categories without
    an encoder of their own get small ones. hidden: width of a layer before the output (0 = linear head).
    Raises E-MODEL-KIND for a kind that nothing here encodes.
    """
    known = {"numbers": _numbers, "categories": _categories, **encoders}
    for name, spec in inputs.items():
        if spec.kind not in known:
            raise InputError("E-MODEL-KIND",
                             f"this model cannot read '{name}' ({spec.kind}); it reads {', '.join(known)}",
                             do="leave the column out with --exclude, or choose a model for it with --only")
    if not inputs:
        raise InputError("E-MODEL-KIND", "a model needs at least one input", do="give a column the role 'input'")
    from gnomon.models._fused import Fused

    made = [known[spec.kind](spec) for spec in inputs.values()]
    return Fused(list(inputs), made, out.shape[0], hidden, dropout)


def _numbers(spec: Spec) -> Any:
    from gnomon.models import _fused

    return _fused.NumbersEncoder(spec.shape[0], WIDTH)


def _categories(spec: Spec) -> Any:
    from gnomon.models import _fused

    return _fused.CategoriesEncoder(spec.sizes, WIDTH)
