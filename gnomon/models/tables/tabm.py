"""An ensemble of multi-layer perceptrons in one network, for tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gnomon.card import Card
from gnomon.data.table import Spec

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="TabM",
    gist="Many perceptrons that share most weights, over numbers embedded as learned waves and categories as vectors.",
    use_when="A table of numbers and categories with a few hundred rows or more, and trees are the model to beat.",
    avoid_when="There are far more columns than rows: a linear model says as much and says why.",
    paper="Gorishniy, Kotelnikov & Babenko 2025, arXiv:2410.24210",
    survey=("V0",),
    tasks=("classify", "regress", "several"),
    reads=("number", "category", "date"),
    needs=("steps",),
    gives=("gradient", "embed"),
    tune={"hidden": (64, 128, 256), "layers": (2, 3), "dropout": (0.0, 0.3)},
    cost="minutes",
)


def tabm(inputs: Mapping[str, Spec], out: Spec, *, members: int = 16, hidden: int = 128, layers: int = 3,
         embedded: int = 8, dropout: float = 0.0) -> nn.Module:
    """forward(dict of (B, d) floats and (B, c) codes) -> raw (B, out.shape[0]); in training (B, members, K).

    members: perceptrons in one; cost grows with them. embedded: learned periodic features of each number (0 = none).
    Differs from the paper: waves instead of piecewise-linear embeddings, fewer and narrower members.
    """
    from gnomon.models.tables._table import ensemble

    return ensemble(inputs, out, members=members, hidden=hidden, layers=layers, embedded=embedded, dropout=dropout)
