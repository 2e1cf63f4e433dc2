"""Shared by sequence networks: symbols as vectors, and pooling in which padding never counts.

Every function of (B, L, D) takes the mask (B, L), True where a token stands, and gives the same however much padding
follows. Tokens enter through nn.Embedding only, so that attributions can be taken at its output.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from gnomon.data.table import Spec
from gnomon.data.tokens import FIXED

SMALL = 64  # alphabets of at most so many symbols enter as one-hot vectors
COMPLEMENT = {"A": "T", "C": "G", "G": "C", "T": "A", "U": "A"}


def is_aligned(spec: Spec) -> bool:
    """Whether position i means the same in every row (see data/tokens.py)."""
    return spec.detail.endswith("aligned")


def biological(spec: Spec) -> str:
    """"DNA", "RNA", "protein", or "" for text and the rest."""
    name = spec.detail.split(" ")[0]
    return name if name in FIXED else ""


class Symbols(nn.Module):
    """Codes (B, L) to vectors (B, L, width): one-hot for small alphabets, else learned, small at the start.

    Padding is zero, and so is the unknown in an alphabet of nucleotides (no evidence either way).
    """

    def __init__(self, spec: Spec, width: int):
        super().__init__()
        count = len(spec.categories)
        self.one_hot = count <= SMALL
        self.width = count if self.one_hot else width
        self.table = nn.Embedding(count + 1, self.width, padding_idx=0)
        with torch.no_grad():
            if self.one_hot:
                self.table.weight.copy_(torch.cat([torch.zeros(1, count), torch.eye(count)]))
                self.table.weight[1, 0] = 0.0 if biological(spec) in ("DNA", "RNA") else 1.0
                self.table.weight.requires_grad_(False)
            else:
                self.table.weight.mul_(0.1)

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids)


class Bag(nn.Module):
    """GAIN * sum of word vectors / sqrt(how many): what a linear model on tf-idf sees (Joulin 2017, arXiv:1607.01759).

    The gain makes the vectors learn that much faster than the rest, as words that occur in few rows must; dropout takes
    whole words away.
    """

    GAIN = 40.0

    def __init__(self, spec: Spec, width: int, dropout: float):
        super().__init__()
        self.table = nn.Embedding(len(spec.categories) + 1, width, padding_idx=0)
        self.dropout = dropout
        with torch.no_grad():
            self.table.weight.mul_(0.1 / self.GAIN)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        share = mask.to(self.table.weight.dtype)
        share = self.GAIN * share / share.sum(dim=1, keepdim=True).clamp(min=1).sqrt()
        return torch.einsum("bld,bl->bd", self.table(ids), F.dropout(share, self.dropout, self.training))


class Complement(nn.Module):
    """One-hot nucleotides (B, L, A) of one strand to those of the other, read its way; padding stays at the end."""

    def __init__(self, alphabet: tuple[str, ...]):
        super().__init__()
        partner = ["T" if c == "A" and "T" in alphabet else "U" if c == "A" else COMPLEMENT.get(c, c) for c in alphabet]
        self.register_buffer("swap", torch.tensor([alphabet.index(c) for c in partner]), persistent=False)

    def forward(self, vectors: Tensor, mask: Tensor) -> Tensor:
        return backwards(vectors.index_select(2, self.swap), mask)


def backwards(values: Tensor, mask: Tensor) -> Tensor:
    """Each row (of B, L, D) read from its last token to its first; padding stays at the end, and zero."""
    places = mask.sum(dim=1, keepdim=True) - 1 - torch.arange(mask.shape[1], device=mask.device)
    index = places.clamp(min=0)[:, :, None].expand_as(values)
    return values.gather(1, index) * mask[:, :, None]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """(B, D): the mean over tokens; zero where there is none."""
    share = mask.to(values.dtype)
    return torch.einsum("bld,bl->bd", values, share / share.sum(dim=1, keepdim=True).clamp(min=1))


def masked_max(values: Tensor, mask: Tensor) -> Tensor:
    """(B, D): the maximum over tokens; zero where there is none."""
    lowest = torch.finfo(values.dtype).min
    top = values.masked_fill(~mask[:, :, None], lowest).amax(dim=1)
    return torch.where(mask.any(dim=1)[:, None], top, torch.zeros_like(top))


class AttentionPool(nn.Module):
    """Per head h, sum over l of softmax_l(w_h . x_l) x_l: learns which positions count (Bahdanau 2015, Ilse 2018)."""

    def __init__(self, width: int, heads: int = 4):
        super().__init__()
        self.score = nn.Linear(width, heads)
        self.heads = heads

    def weights(self, values: Tensor, mask: Tensor) -> Tensor:
        """(B, L, heads), summing to 1 over each row's tokens."""
        lowest = torch.finfo(values.dtype).min
        return self.score(values).masked_fill(~mask[:, :, None], lowest).softmax(dim=1)

    def forward(self, values: Tensor, mask: Tensor) -> Tensor:
        count, length, width = values.shape
        parts = values.view(count, length, self.heads, width // self.heads)
        return torch.einsum("blh,blhd->bhd", self.weights(values, mask), parts).reshape(count, width)


def convolve(convolution: nn.Conv1d, values: Tensor) -> Tensor:
    """A convolution of (B, L, D) along L; few channels go as one matrix product, which is half the time on a CPU."""
    if convolution.in_channels > 32 or convolution.dilation[0] > 1:
        return convolution(values.transpose(1, 2)).transpose(1, 2)
    edge = convolution.padding[0]
    windows = F.pad(values, (0, 0, edge, edge)).unfold(1, convolution.kernel_size[0], 1)
    return F.linear(windows.flatten(2), convolution.weight.flatten(1), convolution.bias)


def coarser(values: Tensor, mask: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """relu, then the maximum over each `stride` positions, the last window filled up: (B, ceil(L / stride), D).

    A masked position counts as zero, which after relu changes no maximum.
    """
    values = values * mask[:, :, None]
    if stride > 1:
        values = F.max_pool1d(values.transpose(1, 2), stride, ceil_mode=True).transpose(1, 2).contiguous()
        mask = F.pad(mask, (0, -mask.shape[1] % stride)).view(len(mask), -1, stride).any(dim=2)
    return values.relu(), mask
