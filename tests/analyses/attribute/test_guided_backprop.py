"""Guided backpropagation: its rule by hand, captum's value, the gradient without ReLU, and its known failing."""

import torch
from backward_nets import Odd, convolutional, images, leaves_nothing, leaves_nothing_after_an_error, seeded
from torch import nn

from gnomon.analyses.attribute.guided_backprop import guided_backprop
from gnomon.analyses.attribute.saliency import saliency


def test_the_rule_by_hand():
    """y = w . relu(V x): the gradient of hidden unit j passes where it is on and w_j > 0."""
    model, x = seeded(lambda: (nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 1)), torch.randn(6, 4)))
    on = (model[0](x) > 0).float()
    wanted = (on * model[2].weight.clamp(min=0)) @ model[0].weight
    assert torch.allclose(guided_backprop(model, x, 0), wanted, atol=1e-6)


def test_agrees_with_captum_however_the_relu_is_written():
    import warnings

    from captum.attr import GuidedBackprop

    model, x = seeded(convolutional), images()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = GuidedBackprop(model).attribute(x.clone().requires_grad_(), target=2).detach()

    class Written(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = model

        def forward(self, x):
            h = torch.relu_(self.layers[0](x))
            h = self.layers[3](self.layers[2](h)).clamp(min=0)
            return self.layers[6](h.flatten(1))

    for one in (model, Written()):
        assert torch.allclose(guided_backprop(one, x, 2), wanted, atol=1e-7)


def test_without_relu_it_is_the_gradient():
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(400, 2)))
    assert torch.equal(guided_backprop(model, images(), 1), saliency(model, images(), 1))


def test_it_barely_depends_on_the_output_explained():
    """The card's warning, measured: guided maps of two outputs are more alike than their gradients (Nie et al. 2018)."""
    model, x = seeded(lambda: nn.Sequential(nn.Conv2d(3, 32, 5), nn.ReLU(), nn.Conv2d(32, 32, 5), nn.ReLU(), nn.Flatten(),
                                            nn.Linear(512, 4))), images(8)

    def alike(technique):
        one, two = (technique(model, x, t).flatten(1) for t in (0, 1))
        return torch.nn.functional.cosine_similarity(one, two).mean()

    assert alike(guided_backprop) > alike(saliency) + 0.3


def test_works_on_an_odd_network_and_leaves_nothing():
    found = guided_backprop(seeded(Odd).eval(), images(), 0)
    assert found.isfinite().all() and (found != 0).any()
    assert leaves_nothing(guided_backprop, seeded(convolutional), images(), 1)
    assert leaves_nothing_after_an_error(guided_backprop, images())
