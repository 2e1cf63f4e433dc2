"""The layers of the transformer encoder (what they are for: transformer.py)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnomon.data.kinds import Tokens
from gnomon.data.table import Spec
from gnomon.models.sequences._kit import Bag, Symbols, is_aligned, masked_max, masked_mean


def rotate(values: Tensor) -> Tensor:
    """Queries or keys (B, heads, L, d) turned by angles proportional to their position, pair (i, i + d/2) by pair.

    The product of a query and a key then depends on their distance only (Su et al. 2021, arXiv:2104.09864).
    """
    length, half = values.shape[2], values.shape[3] // 2
    speed = 10000.0 ** (-torch.arange(half, device=values.device, dtype=torch.float32) / half)
    angle = torch.arange(length, device=values.device, dtype=torch.float32)[:, None] * speed
    cos, sin = angle.cos().to(values.dtype), angle.sin().to(values.dtype)
    first, second = values[..., :half], values[..., half:]
    return torch.cat([first * cos - second * sin, first * sin + second * cos], dim=-1)


class Layer(nn.Module):
    """x + attention(norm(x)), then x + MLP(norm(x)); nobody attends to padding."""

    def __init__(self, width: int, heads: int, dropout: float, rotary: bool):
        super().__init__()
        self.heads, self.rotary = heads, rotary
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.ask, self.answer = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.net = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Dropout(dropout),
                                 nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        count, length, width = values.shape
        parts = self.ask(self.before(values)).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        if self.rotary:
            query, key = rotate(query), rotate(key)
        seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
        values = values + self.dropout(self.answer(seen.transpose(1, 2).reshape(count, length, width)))
        return values + self.dropout(self.net(self.between(values)))


class Encoder(nn.Module):
    """Tokens -> (B, width): mean and maximum over the tokens of the last layer; for texts a bag of words beside it."""

    def __init__(self, spec: Spec, *, hidden: int, depth: int, heads: int, dropout: float):
        super().__init__()
        self.symbols = Symbols(spec, hidden)
        self.enter = nn.Conv1d(self.symbols.width, hidden, 3, padding=1)  # neighbours tell more than single letters
        self.place = nn.Parameter(0.02 * torch.randn(spec.shape[0], hidden)) if is_aligned(spec) else None
        self.layers = nn.ModuleList(Layer(hidden, heads, dropout, self.place is None) for _ in range(depth))
        self.norm = nn.LayerNorm(hidden)
        self.bag = None if self.symbols.one_hot else Bag(spec, hidden, dropout)
        self.dropout = nn.Dropout(dropout)
        self.width = 2 * hidden + (hidden if self.bag else 0)

    def forward(self, tokens: Tokens) -> Tensor:
        ids, mask = tokens
        there = mask[:, :, None]
        values = self.enter(self.symbols(ids).transpose(1, 2)).transpose(1, 2)
        if self.place is not None:
            values = values + F.pad(self.place, (0, 0, 0, max(ids.shape[1] - len(self.place), 0)))
        values = self.dropout(values * there)
        for layer in self.layers:
            values = layer(values, mask)
        values = self.norm(values)
        found = [masked_mean(values, mask), masked_max(values, mask)]
        if self.bag is not None:
            found.append(self.bag(ids, mask))
        return torch.cat(found, dim=1)
