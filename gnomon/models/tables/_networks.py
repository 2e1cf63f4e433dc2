"""The modules behind `tabm` and `mlp`; imported only where torch is wanted."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from gnomon.models._fused import embedding

MOST_EMBEDDED = 4096  # numbers of an embedded row; wider tables are read as they are


class Numbers(nn.Module):
    """Each number as itself and as `width` learned periodic features: (B, d) to (B, d (1 + width)).

    e_j(x) = GELU(W_j [sin 2 pi c_j x, cos 2 pi c_j x] + b_j), its own W, b and frequencies c for each column j.
    Reference: Gorishniy et al. 2022, arXiv:2203.05556.
    """

    def __init__(self, features: int, width: int, waves: int = 12, spread: float = 0.3):
        super().__init__()
        self.width = 0 if features * width > MOST_EMBEDDED else width
        self.out = features * (1 + self.width)
        if self.width:
            self.frequency = nn.Parameter(torch.randn(features, waves) * spread)
            self.weight = nn.Parameter(torch.randn(features, 2 * waves, width) / math.sqrt(2 * waves))
            self.bias = nn.Parameter(torch.zeros(features, width))
            self.frequency.undecayed = True  # type: ignore[attr-defined]

    def forward(self, x: Tensor) -> Tensor:
        if not self.width:
            return x
        angle = (2 * math.pi) * x[:, :, None] * self.frequency  # (B, d, waves)
        waves = torch.cat([angle.sin(), angle.cos()], dim=2)
        features = torch.einsum("bdw,dwe->bde", waves, self.weight) + self.bias
        return torch.cat([x, nn.functional.gelu(features).flatten(1)], dim=1)


class Ensemble(nn.Module):
    """M multi-layer perceptrons that share their weights but for each member's scales, biases and output layer.

    h_m = ReLU(W (r_m * x) * s_m + b_m): BatchEnsemble (Wen et al. 2020, arXiv:2002.06715) as in TabM (Gorishniy et al.
    2025, arXiv:2410.24210). Training gives (B, M, K), each member judged by itself; prediction their mean (B, K).
    """

    def __init__(self, numbers: dict[str, int], categories: dict[str, tuple[int, ...]], outputs: int, classes: bool, *,
                 members: int, hidden: int, layers: int, embedded: int, dropout: float):
        super().__init__()
        self.wide, self.coded, self.classes, self.members = tuple(numbers), dict(categories), classes, members
        self.numbers = nn.ModuleList(Numbers(size, embedded) for size in numbers.values())
        self.tables = nn.ModuleList(embedding(size) for sizes in categories.values() for size in sizes)
        width = sum(n.out for n in self.numbers) + sum(t.embedding_dim for t in self.tables)
        widths = [width, *[hidden] * (layers - 1)]
        self.layers = nn.ModuleList(Shared(w, hidden, members, first=i == 0) for i, w in enumerate(widths))
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.Parameter(torch.empty(members, hidden, outputs).uniform_(-1, 1) / math.sqrt(hidden))
        self.offsets = nn.Parameter(torch.zeros(members, outputs))
        self.width = hidden

    def hidden(self, inputs: dict[str, Tensor]) -> Tensor:
        """(M, B, hidden)."""
        parts = [encode(inputs[name]) for name, encode in zip(self.wide, self.numbers, strict=True)]
        codes = [inputs[name][:, j] for name, sizes in self.coded.items() for j in range(len(sizes))]
        parts += [table(code) for table, code in zip(self.tables, codes, strict=True)]
        x = torch.cat(parts, dim=1).expand(self.members, -1, -1)
        for layer in self.layers:
            x = self.dropout(torch.relu(layer(x)))
        return x

    def embed(self, inputs: dict[str, Tensor]) -> Tensor:
        """(B, hidden): the members' last layers, averaged."""
        return self.hidden(inputs).mean(dim=0)

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        raw = torch.baddbmm(self.offsets[:, None], self.hidden(inputs), self.heads)  # (M, B, K)
        if self.training and self.members > 1:
            return raw.transpose(0, 1)
        if self.classes and self.members > 1:  # the mean of probabilities, as log-probabilities
            return raw.log_softmax(dim=2).logsumexp(dim=0) - math.log(self.members)
        return raw.mean(dim=0)


class Shared(nn.Module):
    """(M, B, in) to (M, B, out): one weight matrix; input scales, output scales and biases are each member's own."""

    def __init__(self, inputs: int, outputs: int, members: int, *, first: bool):
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=False)
        nn.init.kaiming_uniform_(self.linear.weight, a=1.0)
        signs = torch.randint(0, 2, (members, 1, inputs)) * 2.0 - 1.0
        self.scale_in = nn.Parameter(signs if first and members > 1 else torch.ones(members, 1, inputs))
        self.scale_out = nn.Parameter(torch.ones(members, 1, outputs))
        self.bias = nn.Parameter(torch.empty(members, 1, outputs).uniform_(-1, 1) / math.sqrt(inputs))
        for own in (self.scale_in, self.scale_out, self.bias):
            own.undecayed = True  # type: ignore[attr-defined]

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.bias, self.linear(x * self.scale_in), self.scale_out)

