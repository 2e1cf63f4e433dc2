"""Audits of attributions: invariant where theory says so, moved where it says so."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch

from gnomon.analyses.attribute._game import game
from gnomon.analyses.attribute.agreement import agreement
from gnomon.analyses.attribute.deletion_curves import deletion_curves
from gnomon.analyses.attribute.input_shift import input_shift
from gnomon.analyses.attribute.integrated_gradients import integrated_gradients
from gnomon.analyses.attribute.saliency import saliency
from gnomon.analyses.attribute.sampled_shapley import sampled_shapley
from gnomon.analyses.attribute.stability import stability
from gnomon.analyses.attribute.weight_cascade import weight_cascade
from gnomon.rng import stream


def net(seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(10, 24), torch.nn.Tanh(), torch.nn.Linear(24, 1)).eval()


def rows(count=12):
    return torch.randn(count, 10, generator=torch.Generator().manual_seed(1))


def test_agreement_knows_itself_its_negative_and_noise():
    dice = stream(1, "agreement")
    a, b = dice.normal(size=(60, 15)), dice.normal(size=(60, 15))
    assert agreement(a, np.exp(a)).value == 1 and agreement(a, -a).value == -1
    apart = agreement(a, b, names=("one", "two"))
    assert apart.low < 0 < apart.high and "two" in apart.name and "one and two" in apart.says
    assert agreement(a[:2], b[:2]).low is None


def test_gradients_are_shift_invariant_and_a_fixed_zero_is_not():
    model, x = net(), rows()
    assert input_shift(saliency, model, x, None).value > 0.9999
    fixed = input_shift(partial(integrated_gradients, steps=16), model, x, None, shift=3.0)
    assert fixed.value < 0.9 and "zero is moved" in fixed.says
    assert input_shift(partial(saliency, times_input=True), model, x, None, shift=3.0).value < 0.9


def test_stability_of_a_linear_gradient_is_one_and_of_a_lottery_is_not():
    model, x = torch.nn.Linear(10, 1), rows()
    assert stability(saliency, model, x, None, noise=0.5).value > 1 - 1e-9

    def lottery(model, x, target, seed=0):
        return stream(seed, "lottery").normal(size=tuple(x.shape))

    told = stability(lottery, model, x, None, noise=0, seeded=True)
    assert abs(told.value) < 0.25 and "another seed" in told.says
    few, many = (stability(partial(sampled_shapley, draws=d), net(), x, None, noise=0, seeded=True).value for d in (2, 40))
    assert few < many


def test_cascade_leaves_a_blind_map_and_changes_a_gradient():
    model, x = net(), rows(40)
    blind = weight_cascade(lambda model, x, target: x, model, x, None)
    assert np.allclose([a.value for a in blind], 1)
    gradient = weight_cascade(saliency, model, x, None, steps=2)
    assert gradient[-1].value < 0.6 and gradient[-1].name == "cascade, last 4 of 4"


def test_curves_meet_at_both_ends_and_true_terms_gain_the_most():
    weights, x = np.tile([1.0, -1.0], 4) * np.arange(1, 9), np.ones((30, 8))
    with game(lambda rows: rows @ weights, x, None) as played:
        true = deletion_curves(played, [weights] * 30)
        blind = deletion_curves(played, [np.zeros(8)] * 30)
        wrong = deletion_curves(played, [-weights] * 30)
    assert np.allclose(true.deletion[[0, -1]], [weights.sum(), 0]) and np.allclose(true.insertion[[0, -1]], [0, weights.sum()])
    assert true.gains[0].low > 0 and true.gains[1].low > 0 and wrong.gains[0].high < 0
    assert blind.gains[0].low < 0 < blind.gains[0].high
