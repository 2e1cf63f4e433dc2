"""PatternNet and PatternAttribution: the signal of Kindermans' linear example, patterns by hand, sums that hold."""

import pytest
import torch
from backward_nets import Odd, convolutional, images, leaves_nothing, leaves_nothing_after_an_error, seeded
from torch import nn

from gnomon.analyses.attribute.pattern_attribution import fit_patterns, pattern_attribution
from gnomon.analyses.attribute.saliency import saliency
from gnomon.errors import InputError


def signal_and_distractor(rows=4000):
    """x = y (1, 0) + noise (1, 1), and the unit w = (1, -1) that reads y off it (Kindermans et al. 2018, Fig. 2)."""
    y, noise = seeded(lambda: (torch.randn(rows, 1), 2 * torch.randn(rows, 1)))
    x = y * torch.tensor([1.0, 0.0]) + noise * torch.tensor([1.0, 1.0])
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[1.0, -1.0]]))
    return model, x, y


def test_it_finds_the_signal_where_the_gradient_does_not():
    model, x, y = signal_and_distractor()
    signal = pattern_attribution(model, x[:50], 0, data=x, way="signal")
    assert torch.allclose(signal, y[:50] * torch.tensor([1.0, 0.0]), atol=0.05 * y.abs().max())
    share = pattern_attribution(model, x[:50], 0, data=x)
    assert torch.allclose(share.sum(1), y[:50, 0], atol=1e-4) and (share[:, 1].abs() < 0.06 * share[:, 0].abs()).all()
    gradient = saliency(model, x[:50], 0)
    assert torch.equal(gradient, torch.tensor([1.0, -1.0]).expand(50, 2))  # half of it at the distractor


def test_patterns_by_hand_in_the_regime_of_the_relu():
    """a = cov(x, y | on) / (w . cov(x, y | on)), by numpy, for a hidden unit behind a batch norm and an in-place ReLU."""
    import numpy as np

    model, x = seeded(lambda: (nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.ReLU(inplace=True), nn.Linear(3, 1)),
                               torch.randn(300, 4) @ torch.randn(4, 4)))
    with torch.no_grad():
        model[1].running_mean.copy_(torch.tensor([0.5, -0.5, 0.0]))
    model.eval()
    first, last = fit_patterns(model, x, chunk=77)
    with torch.no_grad():
        y, on = model[0](x).double().numpy(), (model[1](model[0](x)) > 0).numpy()
    for j in range(3):
        rows = on[:, j]
        cov = np.cov(x.double().numpy()[rows].T, y[rows, j], bias=True)[:4, 4]
        wanted = cov / (cov @ model[0].weight[j].detach().double().numpy())
        assert np.allclose(first.values[j].numpy(), wanted, atol=1e-4)
    assert torch.allclose((last.values * model[3].weight).sum(), torch.tensor(1.0), atol=1e-4)


def test_weight_times_pattern_is_one_for_every_unit_of_a_convolutional_network():
    model, data = seeded(convolutional), images(60, seed=3)
    for pattern, layer in zip(fit_patterns(model, data), (model[0], model[3], model[6]), strict=True):
        along = (pattern.values * layer.weight).flatten(1).sum(1)
        assert torch.allclose(along, torch.ones_like(along), atol=1e-4)


def test_rows_do_not_depend_on_chunks_and_fitted_patterns_can_be_used_again():
    model, data = seeded(convolutional), images(60, seed=3)
    once = pattern_attribution(model, data[:6], 1, data=data, chunk=4)
    again = pattern_attribution(model, data[:6], 1, data=fit_patterns(model, data))
    assert torch.allclose(once, again, atol=1e-6) and (once != 0).any()


def test_unused_inputs_get_zero():
    model, data = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))), images(40).reshape(40, -1)[:, :4]
    with torch.no_grad():
        model[0].weight[:, 2] = 0
    assert (pattern_attribution(model, data, 0, data=data)[:, 2] == 0).all()


def test_an_odd_network_works_and_one_without_units_is_refused():
    found = pattern_attribution(seeded(Odd).eval(), images(3), 0, data=images(20))
    assert found.isfinite().all() and (found != 0).any()
    with pytest.raises(InputError, match="no linear layer or convolution"):
        pattern_attribution(nn.Flatten(), images(3), 0, data=images(8))


def test_nothing_is_left_behind():
    data = images(20, seed=3)
    assert leaves_nothing(lambda *a: pattern_attribution(*a, data=data), seeded(convolutional), images(), 1)
    assert leaves_nothing_after_an_error(lambda *a: pattern_attribution(*a, data=data), images())
