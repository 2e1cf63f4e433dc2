"""Deconvolution: its rule by hand, captum's value, the gradient without ReLU."""

import torch
from backward_nets import Odd, convolutional, images, leaves_nothing, leaves_nothing_after_an_error, seeded
from torch import nn

from gnomon.analyses.attribute.deconvolution import deconvolution
from gnomon.analyses.attribute.saliency import saliency


def test_the_rule_by_hand():
    """y = w . relu(V x): what goes down is max(w, 0) V, whatever the input: it does not see which units are on."""
    model, x = seeded(lambda: (nn.Sequential(nn.Linear(4, 9), nn.ReLU(), nn.Linear(9, 1)), torch.randn(6, 4)))
    wanted = (model[2].weight.clamp(min=0) @ model[0].weight).expand(6, 4)
    assert torch.allclose(deconvolution(model, x, 0), wanted, atol=1e-6)


def test_agrees_with_captum_also_in_place():
    import warnings

    from captum.attr import Deconvolution

    model, x = seeded(convolutional), images()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = Deconvolution(model).attribute(x.clone().requires_grad_(), target=2).detach()
    other = nn.Sequential(*[nn.ReLU(inplace=True) if isinstance(m, nn.ReLU) else m for m in model])
    for one in (model, other):
        assert torch.allclose(deconvolution(one, x, 2), wanted, atol=1e-7)


def test_without_relu_it_is_the_gradient():
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(400, 2)))
    assert torch.equal(deconvolution(model, images(), 1), saliency(model, images(), 1))


def test_works_on_an_odd_network_and_leaves_nothing():
    found = deconvolution(seeded(Odd).eval(), images(), 0)
    assert found.isfinite().all() and (found != 0).any()
    assert leaves_nothing(deconvolution, seeded(convolutional), images(), 1)
    assert leaves_nothing_after_an_error(deconvolution, images())
