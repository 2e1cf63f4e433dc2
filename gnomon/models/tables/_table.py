"""What the networks on tables share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gnomon.data.table import Spec
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import nn


def ensemble(inputs: Mapping[str, Spec], out: Spec, *, members: int, hidden: int, layers: int, embedded: int,
             dropout: float) -> nn.Module:
    """An Ensemble over these tensors; refuses kinds other than numbers and categories in words."""
    for name, spec in inputs.items():
        if spec.kind not in ("numbers", "categories"):
            raise InputError("E-MODEL-KIND", f"a network for tables cannot read '{name}' ({spec.kind})",
                             do="leave the column out with --exclude, or choose a model for it with --only")
    if not inputs:
        raise InputError("E-MODEL-KIND", "a model needs at least one input", do="give a column the role 'input'")
    from gnomon.models.tables._networks import Ensemble

    numbers = {name: spec.shape[0] for name, spec in inputs.items() if spec.kind == "numbers"}
    categories = {name: spec.sizes for name, spec in inputs.items() if spec.kind == "categories"}
    return Ensemble(numbers, categories, out.shape[0], bool(out.categories), members=members, hidden=hidden,
                    layers=layers, embedded=embedded, dropout=dropout)
