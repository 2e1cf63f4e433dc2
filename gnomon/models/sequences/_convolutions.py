"""The layers of convolution_attention (what they are for: convolution_attention.py)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnomon.data.kinds import Tokens
from gnomon.data.table import Spec
from gnomon.models.sequences._kit import (
    AttentionPool,
    Bag,
    Complement,
    Symbols,
    biological,
    coarser,
    convolve,
    is_aligned,
    masked_max,
    masked_mean,
)


class Block(nn.Module):
    """x + W relu(dilated convolution of norm(x)), zero at padding."""

    def __init__(self, width: int, dilation: int, dropout: float, kernel: int = 3):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.reach = nn.Conv1d(width, width, kernel, padding=dilation * (kernel // 2), dilation=dilation)
        self.mix = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        there = mask[:, :, None]
        inner = convolve(self.reach, self.norm(values) * there).relu()
        return values + self.mix(self.dropout(inner)) * there


class Trunk(nn.Module):
    """Symbols to one vector a row: a wide first convolution (the motifs), dilated blocks, three poolings."""

    def __init__(self, symbols: int, hidden: int, depth: int, kernel: int, stride: int, dropout: float):
        super().__init__()
        self.width, self.stride = 3 * hidden, stride
        self.first = nn.Conv1d(symbols, hidden, kernel, padding=kernel // 2)
        self.blocks = nn.ModuleList(Block(hidden, 2 ** (i % 4), dropout) for i in range(depth))
        self.norm = nn.LayerNorm(hidden)
        self.pool = AttentionPool(hidden)
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        state, mask = coarser(convolve(self.first, values), mask, self.stride)
        motifs = masked_mean(state, mask)
        state = self.dropout(state)
        for block in self.blocks:
            state = block(state, mask)
        state = self.norm(state)
        return torch.cat([motifs, masked_max(state, mask), self.pool(state, mask)], dim=1)


class ConvolutionAttention(nn.Module):
    """Tokens -> (B, width): the trunk, and beside it what suits the kind (bag of words, network on the alignment)."""

    def __init__(self, spec: Spec, *, hidden: int, depth: int, kernel: int, stride: int, dropout: float, both: bool):
        super().__init__()
        self.length = spec.shape[0]
        self.symbols = Symbols(spec, hidden)
        self.swap = Complement(spec.categories) if both else None
        self.trunk = Trunk(self.symbols.width, hidden, depth, kernel, stride, dropout)
        self.heavy = nn.Dropout(0.0 if self.symbols.one_hot else min(2 * dropout, 0.6))
        self.aligned = _aligned(spec, self.symbols.width, hidden, dropout) if is_aligned(spec) else None
        self.bag = None if self.symbols.one_hot else Bag(spec, 2 * hidden, dropout)
        self.width = self.trunk.width + (2 * hidden if self.aligned else 0) + (2 * hidden if self.bag else 0)

    def forward(self, tokens: Tokens) -> Tensor:
        ids, mask = tokens
        vectors = self.symbols(ids)
        found = [self._strands(vectors, mask)]
        if self.aligned is not None:
            found.append(self.aligned(vectors[:, :self.length].flatten(1)))
        if self.bag is not None:
            found.append(self.heavy(self.bag(ids, mask)))
        return torch.cat(found, dim=1)

    def _strands(self, vectors: Tensor, mask: Tensor) -> Tensor:
        if self.swap is None:
            return self.trunk(self.heavy(vectors), mask)
        both = self.trunk(torch.cat([vectors, self.swap(vectors, mask)]), torch.cat([mask, mask]))
        return torch.maximum(*both.chunk(2))


def _aligned(spec: Spec, symbols: int, hidden: int, dropout: float) -> nn.Module:
    """Weights of its own for every symbol at every position, then a layer for how positions act together."""
    return nn.Sequential(nn.Linear(spec.shape[0] * symbols, 2 * hidden), nn.ReLU(), nn.Dropout(dropout),
                         nn.Linear(2 * hidden, 2 * hidden), nn.ReLU())


def both_strands(spec: Spec, strands: str) -> bool:
    """"auto": both, for DNA that is not aligned."""
    if strands == "auto":
        return biological(spec) == "DNA" and not is_aligned(spec)
    return strands == "both" and biological(spec) in ("DNA", "RNA")
