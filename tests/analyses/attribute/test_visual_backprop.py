"""VisualBackProp: its equations by hand, a path through pools and residual sums, and no say about outputs."""

import pytest
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
from torch.nn import functional

from gnomon.analyses.attribute.visual_backprop import visual_backprop
from gnomon.errors import InputError


def test_the_equations_by_hand():
    """Two strided convolutions: means, transposed convolutions of ones, products."""
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, 5, 3, 1, 1), nn.ReLU(),
                                         nn.Flatten(), nn.Linear(5 * 36, 2)))
    x = seeded(lambda: torch.randn(2, 3, 13, 13), 1)
    with torch.no_grad():
        one = model[:2](x)
        two = model[2:4](one)
        picture = two.mean(1, keepdim=True)
        picture = functional.conv_transpose2d(picture, torch.ones(1, 1, 3, 3), stride=1, padding=1)
        picture = functional.conv_transpose2d(picture * one.mean(1, keepdim=True), torch.ones(1, 1, 3, 3), stride=2)
        picture = picture / picture.amax((2, 3), keepdim=True)
    found = visual_backprop(model, x)
    assert found.shape == x.shape and torch.allclose(found.sum(1, keepdim=True), picture, atol=1e-5)


def test_it_shows_where_something_is():
    model = seeded(lambda: nn.Sequential(nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.ReLU(inplace=True), nn.MaxPool2d(2),
                                         nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(288, 2)))
    x = torch.zeros(1, 1, 12, 12)
    x[..., 7:11, 2:5] = seeded(lambda: torch.randn(4, 3))
    found = visual_backprop(model, x)[0, 0]
    assert found[7:11, 2:5].mean() > 3 * found.mean() > 0 and found[:4].max() == 0 and found[:, 9:].max() == 0


def test_it_knows_no_output():
    model, x = seeded(convolutional), images()
    assert torch.equal(visual_backprop(model, x, 0), visual_backprop(model, x, 3))


def test_residual_networks_and_pools_are_followed():
    from gnomon.data.table import Spec
    from gnomon.models.images.resnet import resnet

    model = seeded(lambda: resnet({"image": Spec("image", shape=(3, 40, 40)), "numbers": Spec("numbers", shape=(2,))},
                                  Spec("category", shape=(3,), categories=("a", "b", "c")), width=4)).eval()
    x = {"image": seeded(lambda: torch.randn(2, 3, 40, 40)), "numbers": torch.ones(2, 2)}
    found = visual_backprop(model, x)
    assert found["image"].shape == (2, 3, 40, 40) and found["image"].isfinite().all()
    assert torch.allclose(found["image"].sum(1).amax((1, 2)), torch.ones(2)) and found["numbers"].isnan().all()


def test_what_reads_no_image_is_refused_in_words():
    with pytest.raises(InputError, match="no convolution followed by an activation"):
        visual_backprop(*seeded(lambda: (Reader(), mixed_inputs())))
    assert visual_backprop(seeded(Odd).eval(), images()).isfinite().all()


def test_nothing_is_left_behind():
    assert leaves_nothing(visual_backprop, seeded(convolutional), images(), 1)
    assert leaves_nothing_after_an_error(visual_backprop, images())
