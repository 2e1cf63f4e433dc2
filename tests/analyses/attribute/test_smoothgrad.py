"""SmoothGrad: the gradient without noise, the mean gradient with it, repeatable and the same for every chunk."""

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

from gnomon.analyses.attribute.saliency import saliency
from gnomon.analyses.attribute.smoothgrad import smoothgrad


def test_without_noise_it_is_the_gradient():
    model, x = seeded(convolutional), images()
    assert torch.equal(smoothgrad(model, x, 1, noise=0.0), saliency(model, x, 1))
    model, x = seeded(lambda: (Reader(), mixed_inputs()))
    ours, plain = (f(model, x, 0, times_input=True, **k) for f, k in ((smoothgrad, {"noise": 0.0}), (saliency, {})))
    assert all(torch.equal(ours[name], plain[name]) for name in x)


def test_a_linear_model_keeps_its_weights_under_any_noise():
    model, x = seeded(lambda: (nn.Linear(5, 2), torch.randn(7, 5)))
    assert torch.allclose(smoothgrad(model, x, 1, noise=0.5, draws=8), model.weight[1].expand(7, 5), atol=1e-6)


class Square(nn.Module):
    def forward(self, x):
        return (x**3).sum(1, keepdim=True)


def test_the_mean_and_the_size_of_the_noise_are_as_said():
    """For f = sum x^3 the mean gradient is 3 x^2 + 3 sd^2, sd = noise * range of the row."""
    x = torch.tensor([[0.0, 1.0, 2.0], [5.0, 5.0, 9.0]])
    found = smoothgrad(Square(), x, 0, noise=0.2, draws=1000, chunk=2)
    sd = 0.2 * torch.tensor([[2.0], [4.0]])
    assert torch.allclose(found, 3 * x**2 + 3 * sd**2, rtol=0.1, atol=0.05)


def test_same_seed_same_map_whatever_the_chunk():
    model, x = seeded(convolutional), images(5)
    one, two, other = (smoothgrad(model, x, 1, seed=s, chunk=c, draws=4) for s, c in ((3, 2), (3, 5), (4, 5)))
    assert torch.allclose(one, two, atol=1e-6) and not torch.allclose(one, other, atol=1e-4)
    model, x = seeded(lambda: (Reader(), mixed_inputs()))
    one, two = (smoothgrad(model, x, 1, chunk=c, draws=3) for c in (1, 3))
    assert all(np.allclose(one[name], two[name], atol=1e-5) for name in x)


def test_works_on_an_odd_network_and_leaves_nothing():
    found = smoothgrad(seeded(Odd).eval(), images(), 0, draws=2)
    assert found.isfinite().all() and (found != 0).any()
    assert leaves_nothing(smoothgrad, seeded(convolutional), images(2), 1)
    assert leaves_nothing_after_an_error(smoothgrad, images(2))
