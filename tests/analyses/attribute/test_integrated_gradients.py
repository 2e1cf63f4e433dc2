"""Integrated gradients on the common signature: invariance, user's own networks, chunks (closed forms: test_gradients)."""

import numpy as np
import torch
from backward_nets import (
    Odd,
    Reader,
    convolutional,
    images,
    leaves_nothing,
    leaves_nothing_after_an_error,
    mixed_inputs,
    seeded,
)
from torch import nn

from gnomon.analyses.attribute import _backward
from gnomon.analyses.attribute.integrated_gradients import integrated_gradients, path_ends


def test_two_networks_of_one_function_get_the_same():
    """Implementation invariance: a linear layer split into two, a ReLU written as (x + |x|) / 2."""
    one = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)))

    class Other(nn.Module):
        def forward(self, x):
            h = nn.functional.linear(x, 2 * one[0].weight) / 2 + one[0].bias
            return one[2]((h + h.abs()) / 2)

    x = torch.linspace(-2, 2, 20).reshape(5, 4)
    assert torch.allclose(integrated_gradients(one, x, 1), integrated_gradients(Other(), x, 1), atol=1e-5)


def test_it_is_the_sum_over_the_path_on_an_odd_network_with_a_baseline_of_ones_own():
    model, x, base = seeded(Odd).eval(), images(2), images(2, seed=9)
    kept = x.clone()
    wanted = torch.zeros_like(x)
    for point, weight in zip(*np.polynomial.legendre.leggauss(5), strict=True):
        at = (base + float(point + 1) / 2 * (x - base)).requires_grad_()
        wanted += float(weight) / 2 * torch.autograd.grad(model(at.clone())[:, 0].sum(), at)[0]
    found = integrated_gradients(model, x, 0, steps=5, baseline=base, chunk=1)
    assert torch.equal(x, kept) and torch.allclose(found, wanted * (x - base), atol=1e-5)


def test_symmetric_inputs_get_the_same():
    class Product(nn.Module):
        def forward(self, x):
            return (x[:, :1] * x[:, 1:2]).tanh()

    found = integrated_gradients(Product(), torch.tensor([[1.5, 1.5, 3.0]]), 0)
    assert torch.allclose(found[0, 0], found[0, 1]) and found[0, 2] == 0


def test_a_single_output_needs_no_target():
    model, x = seeded(lambda: (nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)), torch.randn(3, 4)))
    assert torch.equal(integrated_gradients(model, x, None), integrated_gradients(model, x, 0))


def test_chunks_follow_the_memory_and_change_nothing(monkeypatch):
    """With a share of the memory so small that one row fits, rows go one by one."""
    model, x = seeded(convolutional), images(4)
    sizes = []
    watched = nn.Sequential(model)
    watched.register_forward_hook(lambda module, args, out: sizes.append(len(args[0])))
    whole = integrated_gradients(watched, x, 1, steps=4)
    assert max(sizes) == 4
    sizes.clear()
    monkeypatch.setattr(_backward, "SHARE", 1e-12)
    assert torch.allclose(integrated_gradients(watched, x, 1, steps=4), whole, atol=1e-6) and sizes[1:] == [1] * 16


def test_codes_may_be_looked_up_by_a_function():
    """nn.functional.embedding is as good as the module."""
    model, x = seeded(lambda: (Reader(), mixed_inputs()))

    class Looked(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = nn.Parameter(model.letters.weight.detach().clone()), nn.Linear(4, 2)

        def forward(self, ids):
            return self.head(nn.functional.embedding(ids, self.table, padding_idx=0).tanh().mean(1))

    looked = seeded(Looked)
    found = integrated_gradients(looked, x["seq"].ids, 1)
    low, high = path_ends(looked, x["seq"].ids, 1)
    assert torch.allclose(found.sum(1), high - low, atol=1e-5) and (found[x["seq"].mask] != 0).all()


def test_nothing_is_left_behind():
    assert leaves_nothing(integrated_gradients, seeded(convolutional), images(), 1)
    assert leaves_nothing_after_an_error(integrated_gradients, images())
