"""DeepLIFT: complete through every function, captum's value where that is complete, by hand where one can."""

import warnings

import pytest
import torch
from backward_nets import (
    Lstm,
    Odd,
    Reader,
    convolutional,
    images,
    leaves_nothing,
    leaves_nothing_after_an_error,
    mixed_inputs,
    seeded,
    whole,
)
from torch import nn

from gnomon.analyses.attribute.deeplift import deeplift
from gnomon.analyses.attribute.integrated_gradients import path_ends
from gnomon.errors import InputError


def gap(model, x, target, found, base=None):
    low, high = path_ends(model, x, target, baseline=base)
    return (found - (high - low)).abs().max()


def test_a_linear_model_gets_weight_times_difference():
    model, x, base = seeded(lambda: (nn.Linear(5, 2), torch.randn(7, 5), torch.randn(7, 5)))
    assert torch.allclose(deeplift(model, x, 1, baseline=base), (x - base) * model.weight[1], atol=1e-6)


def test_the_papers_example():
    """relu(i1 - 1) + relu(i2 - 1), saturated and not: gradients are 0 or 1, differences are told exactly (section 2)."""
    class Two(nn.Module):
        def forward(self, x):
            return torch.relu(x - 1).sum(1, keepdim=True)

    x = torch.tensor([[3.0, 0.5], [1.5, 2.0]])
    assert torch.allclose(deeplift(Two(), x, 0, baseline=torch.zeros(2, 2)), torch.tensor([[2.0, 0.0], [0.5, 1.0]]))


def test_agrees_with_captum_on_activations_and_where_pools_have_no_ties():
    from captum.attr import DeepLift

    x, base = images(4), images(4, seed=9)
    tails = [nn.ReLU(), nn.Tanh(), nn.Softplus(), nn.MaxPool2d(2)]
    for tail in tails:
        wide = 6 * 36 if isinstance(tail, nn.MaxPool2d) else 6 * 144
        model = seeded(lambda tail=tail, wide=wide: nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), tail, nn.Flatten(),
                                                                  nn.Linear(wide, 4)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            wanted = DeepLift(model).attribute(x, base, target=1).detach()
        assert torch.allclose(deeplift(model, x, 1, baseline=base), wanted, atol=1e-6)


def test_complete_behind_pools_with_ties_where_captum_is_not():
    model, x, base = seeded(convolutional), images(), images(seed=9)
    assert gap(model, x, 1, deeplift(model, x, 1, baseline=base).flatten(1).sum(1), base) < 1e-5


@pytest.mark.parametrize("target", [0, 5, "odds"])
def test_complete_through_an_odd_network(target):
    """Modules used twice, functions, in-place ones, attention, norms, gates, maxima, and a question of log-odds."""
    def odds(raw, rows):
        others = raw.scatter(1, torch.zeros(len(raw), 1, dtype=torch.long), float("-inf"))
        return raw[:, 0] - torch.logsumexp(others, dim=1)

    model, x, base = seeded(Odd).eval(), images(4), images(4, seed=9)
    target = odds if target == "odds" else target
    assert gap(model, x, target, deeplift(model, x, target, baseline=base, chunk=3).flatten(1).sum(1), base) < 2e-5


def test_complete_over_tokens_categories_numbers_and_graphs_at_once():
    model, x = seeded(lambda: (Reader(), mixed_inputs()))
    with torch.no_grad():
        model.head[0].weight[:, 8] = 0
    found = deeplift(model, x, 1)
    assert gap(model, x, 1, whole(found)) < 1e-5
    assert (found["numbers"][:, 0] == 0).all() and (found["seq"][~x["seq"].mask] == 0).all()


@pytest.mark.parametrize("function", [
    lambda h: h.softmax(1), lambda h: h.log_softmax(1), lambda h: h.amax((1,), keepdim=True) * h,
    lambda h: h / (1 + h * h), lambda h: 1 / (2 + h.tanh()), lambda h: torch.minimum(h, h.flip(1)),
    lambda h: h.max(1, keepdim=True)[0] - h.min(1, keepdim=True).values, lambda h: h.pow(3), lambda h: 2 ** h,
    lambda h: torch.einsum("bi,bj->bij", h, h).flatten(1), lambda h: nn.functional.glu(h),
    lambda h: nn.functional.rms_norm(h, (6,)), lambda h: torch.addcmul(h, h, h.exp()),
    lambda h: nn.functional.instance_norm(h[:, None] * 2).flatten(1),
    lambda h: nn.functional.scaled_dot_product_attention(*3 * [h[:, :, None]], is_causal=True).flatten(1),
    lambda h: nn.functional.adaptive_max_pool1d(h[:, None], 3).flatten(1), lambda h: h.clamp(-0.5, 0.5),
    lambda h: torch.nn.functional.max_pool1d(h[:, None], 2, return_indices=True)[0].flatten(1),
], ids=range(18))
def test_every_rule_is_complete(function):
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(5, 6)

        def forward(self, x):
            return (function(self.first(x)) * 1.5).sum(1, keepdim=True) + function(self.first(x))[:, :1]

    model, x, base = seeded(lambda: (One(), torch.randn(6, 5), torch.randn(6, 5)))
    found = deeplift(model, x, 0, baseline=base)
    assert gap(model, x, 0, found.sum(1), base) < 1e-4 and found.isfinite().all()
    assert torch.allclose(deeplift(model, x, 0, baseline=x), torch.zeros_like(x), atol=1e-6)


def test_what_has_no_rule_is_refused_in_words():
    with pytest.raises(InputError, match="no rule for the function 'lstm'") as error:
        deeplift(seeded(Lstm), torch.randn(2, 4, 3), 0)
    assert "integrated_gradients" in error.value.do

    class Fickle(nn.Module):
        def forward(self, x):
            return (x.exp() if x.sum() > 0 else x.tanh().sin()).sum(1, keepdim=True)

    with pytest.raises(InputError, match="other functions"):
        deeplift(Fickle(), torch.ones(2, 3), 0)

    class OfTheBatch(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm = nn.BatchNorm1d(3, track_running_stats=False)

        def forward(self, x):
            return self.norm(x)

    with pytest.raises(InputError, match="statistics of the batch"):
        deeplift(OfTheBatch(), torch.randn(4, 3), 0)


def test_a_scripted_part_is_refused_in_words():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scripted = torch.jit.trace(nn.ReLU(), torch.ones(1, 3))
    with pytest.raises(InputError, match="scripted module"):
        deeplift(nn.Sequential(scripted, nn.Linear(3, 1)), torch.ones(2, 3), 0)


def test_nothing_is_left_behind():
    assert leaves_nothing(deeplift, seeded(convolutional), images(), 1)
    assert leaves_nothing_after_an_error(deeplift, images())
