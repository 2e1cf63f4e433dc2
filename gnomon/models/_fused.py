"""The modules behind `fuse`; imported only where torch is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


class Fused(nn.Module):
    """Encoders in a list beside the names of their tensors (names may hold dots), normed when several, then a head."""

    def __init__(self, names: Sequence[str], encoders: Sequence[nn.Module], outputs: int, hidden: int, dropout: float):
        super().__init__()
        self.names = tuple(names)
        self.encoders = nn.ModuleList(encoders)
        widths = [int(e.width) for e in encoders]
        several = len(encoders) > 1
        self.norms = nn.ModuleList(nn.LayerNorm(w) if several else nn.Identity() for w in widths)
        self.width = sum(widths)
        layers: list[nn.Module] = [nn.Dropout(dropout)]
        if hidden:
            layers += [nn.Linear(self.width, hidden), nn.GELU(), nn.Dropout(dropout)]
        self.head = nn.Sequential(*layers, nn.Linear(hidden or self.width, outputs))

    def embed(self, inputs: dict[str, Any]) -> Tensor:
        """(B, width): the encoders' representations side by side."""
        parts = [norm(encoder(inputs[name]))
                 for name, encoder, norm in zip(self.names, self.encoders, self.norms, strict=True)]
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)

    def forward(self, inputs: dict[str, Any]) -> Tensor:
        return self.head(self.embed(inputs))


class NumbersEncoder(nn.Module):
    """(B, d) to (B, width) by two layers."""

    def __init__(self, features: int, width: int):
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(nn.Linear(features, width), nn.GELU(), nn.Dropout(0.1), nn.Linear(width, width))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class CategoriesEncoder(nn.Module):
    """(B, c) codes to (B, width): an embedding a column, then one layer."""

    def __init__(self, sizes: Sequence[int], width: int):
        super().__init__()
        self.width = width
        self.tables = nn.ModuleList(embedding(size) for size in sizes)
        self.layer = nn.Linear(sum(t.embedding_dim for t in self.tables), width)

    def forward(self, codes: Tensor) -> Tensor:
        parts = [table(codes[:, j]) for j, table in enumerate(self.tables)]
        return torch.relu(self.layer(torch.cat(parts, dim=1)))


def embedding(size: int) -> nn.Embedding:
    """A table for `size` codes, as wide as their number warrants (at most 24)."""
    table = nn.Embedding(size, min(24, max(2, round(1.6 * size**0.56))))
    nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
    return table
