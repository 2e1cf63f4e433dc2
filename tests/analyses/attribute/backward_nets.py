"""Small networks with every habit that a user's own may have, and rows for them."""

from __future__ import annotations

import gc
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional

from gnomon.data.kinds import Graphs, Tokens


def seeded(make, seed=0):
    """What `make` builds, with its own randomness."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def convolutional(*, bias=True, outputs=4):
    """(B, 3, 12, 12) -> (B, outputs), of modules only, none used twice (so that captum takes it)."""
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1, bias=bias), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(6, 8, 3, bias=bias), nn.ReLU(), nn.Flatten(), nn.Linear(128, outputs, bias=bias)).eval()


def images(rows=5, seed=1):
    return seeded(lambda: torch.randn(rows, 3, 12, 12), seed)


class Pooled(nn.Module):
    """Convolutions, mean over places, one linear layer: what CAM was made for."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.ReLU())
        self.head = nn.Linear(6, 4)

    def forward(self, x):
        return self.head(self.features(x).mean(dim=(2, 3)))


class Odd(nn.Module):
    """One ReLU module used twice, shared weights, functions, in-place operations (on the input too), a residual sum,
    every norm, attention, a gate and a maximum."""

    def __init__(self):
        super().__init__()
        self.first, self.relu = nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True)
        self.batch, self.group, self.layer = nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.LayerNorm(8)
        self.attend = nn.MultiheadAttention(8, 2, batch_first=True)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.twice = nn.Linear(8, 8)
        with torch.no_grad():
            self.batch.running_mean.normal_()
            self.batch.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x += 0.1
        h = self.relu(self.batch(self.first(x)))
        h = functional.max_pool2d(self.relu(self.group(h) * 2 - 0.5), 2).flatten(2).transpose(1, 2)
        h = self.attend(self.layer(h), h, h)[0] + h
        h = self.block(h)
        h.relu_()
        h = torch.maximum(h, h.flip(1))
        z = self.twice(functional.gelu(self.twice(h.amax(1) * torch.sigmoid(self.twice(h.mean(1))))))
        return z / (1 + z.exp())


class Reader(nn.Module):
    """Tokens, categories, numbers and a graph into two outputs, every part through something curved."""

    def __init__(self):
        super().__init__()
        self.letters, self.places = nn.Embedding(6, 4, padding_idx=0), nn.Embedding(10, 4)
        self.kinds = nn.ModuleList([nn.Embedding(3, 2), nn.Embedding(5, 2)])
        self.atoms, self.bonds = nn.Linear(3, 4), nn.Linear(2, 4)
        self.mix = nn.Linear(4, 4)
        self.head = nn.Sequential(nn.Linear(4 + 4 + 2 + 4, 12), nn.Tanh(), nn.Linear(12, 2))

    def forward(self, x):
        ids, mask = x["seq"]
        letters = self.mix(self.letters(ids) * (1 + self.places(torch.arange(ids.shape[1]))))
        read = (torch.tanh(letters) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        kinds = torch.cat([e(x["categories"][:, j]) for j, e in enumerate(self.kinds)], dim=1)
        graph = x["mol"]
        atoms = self.atoms(graph.nodes)
        atoms = atoms.index_add(0, graph.edges[1], torch.relu(atoms[graph.edges[0]] + self.bonds(graph.edge_features)))
        pooled = atoms.new_zeros(graph.count, 4).index_add(0, graph.owner, torch.tanh(self.mix(atoms)))
        return self.head(torch.cat([read, kinds, x["numbers"], pooled], dim=1))


def mixed_inputs():
    """Three rows of sequences, codes, numbers and graphs of 2, 1 and 3 atoms."""
    ids = torch.tensor([[1, 2, 3, 4], [5, 5, 0, 0], [2, 1, 1, 0]])
    edges = torch.tensor([[0, 1, 3, 4, 4, 5], [1, 0, 4, 3, 5, 4]])
    graph = Graphs(torch.randn(6, 3), edges, torch.randn(6, 2), torch.tensor([0, 0, 1, 2, 2, 2]), 3)
    return {"seq": Tokens(ids, ids > 0), "categories": torch.tensor([[0, 4], [1, 1], [2, 3]]),
            "numbers": torch.randn(3, 2), "mol": graph}


def whole(found):
    """(3,) the attributions of `mixed_inputs` added up by row."""
    total = found["seq"].sum(1) + found["categories"].sum(1) + found["numbers"].sum(1)
    return total.index_add(0, torch.tensor([0, 0, 1, 2, 2, 2]), found["mol"])


class Lstm(nn.Module):
    """One fused function, which no rule can see into."""

    def __init__(self):
        super().__init__()
        self.read, self.head = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.read(x)[0][:, -1])


class Breaks(nn.Module):
    """Fails in the middle of its forward."""

    def __init__(self):
        super().__init__()
        self.first = convolutional()

    def forward(self, x):
        raise ArithmeticError(str(self.first(x).shape))


def hooks(model):
    return sum(len(m._forward_hooks) + len(m._backward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@contextmanager
def kept():
    """A list that holds, afterwards, the tensors made inside and still alive (what was there before is not looked at)."""
    left = []
    gc.collect()
    gc.freeze()
    try:
        yield left
        gc.collect()
        left += [o for o in gc.get_objects() if issubclass(type(o), torch.Tensor)]
    finally:
        gc.unfreeze()


def leaves_nothing(technique, model, x, target):
    """Whether a call leaves modes, flags, hooks and memory as they were."""
    technique(model, x, target)  # what is cached by the first call
    model.train()
    flags = [p.requires_grad for p in model.parameters()]
    with kept() as left:
        technique(model, x, target)
    return not left and hooks(model) == 0 and model.training and flags == [p.requires_grad for p in model.parameters()]


def leaves_nothing_after_an_error(technique, x):
    """The same when the model's forward raises in the middle."""
    model, raised = seeded(Breaks), False
    with kept() as left:
        try:
            technique(model, x, 0)
        except ArithmeticError:
            raised = True
    return (raised and not left and hooks(model) == 0 and model.training
            and all(p.requires_grad for p in model.parameters()))
