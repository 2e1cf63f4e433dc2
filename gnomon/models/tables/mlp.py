"""One multi-layer perceptron for tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gnomon.card import Card
from gnomon.data.table import Spec

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Multi-layer perceptron",
    gist="Layers of weighted sums over numbers embedded as learned waves and categories as vectors.",
    use_when="A table of numbers and categories, as the plainest deep model, or where speed at prediction counts.",
    avoid_when="There are few rows or far more columns than rows; an ensemble in one network (tabm) is usually better.",
    paper="Gorishniy et al. 2021, arXiv:2106.11959",
    survey=("V0",),
    tasks=("classify", "regress", "several"),
    reads=("number", "category", "date"),
    needs=("steps",),
    gives=("gradient", "embed"),
    tune={"hidden": (128, 256, 512), "layers": (2, 3, 4), "dropout": (0.0, 0.4)},
    cost="minutes",
)


def mlp(inputs: Mapping[str, Spec], out: Spec, *, hidden: int = 256, layers: int = 3, embedded: int = 8,
        dropout: float = 0.1) -> nn.Module:
    """forward(dict of (B, d) floats and (B, c) codes) -> raw (B, out.shape[0]).

    hidden, layers: width and depth. embedded: learned periodic features of each number (0 = the numbers as they are).
    """
    from gnomon.models.tables._table import ensemble

    return ensemble(inputs, out, members=1, hidden=hidden, layers=layers, embedded=embedded, dropout=dropout)
