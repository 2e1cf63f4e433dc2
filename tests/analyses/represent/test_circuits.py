"""Circuits of a linear net are its weights multiplied; a used concept pulls, random ones do not."""

import numpy as np
import pytest
import torch
from scipy.stats import binom
from torch import nn

from gnomon.analyses.represent.circuits import circuits
from gnomon.analyses.represent.concept_vectors import concept_vectors, holm
from gnomon.errors import InputError


def seeded(make, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return make()


def test_two_linear_layers_are_their_product():
    model, x = seeded(lambda: (nn.Sequential(nn.Linear(5, 4), nn.Linear(4, 3)), torch.randn(11, 5)))
    found = circuits(model, x, "", "1", chunk=4)
    product = (model[1].weight @ model[0].weight).detach().numpy()
    assert np.allclose(found.weights, product, atol=1e-6)
    assert np.allclose(found.influence, product * x.mean(0).numpy(), atol=1e-6)
    hidden = circuits(model, x, "0", "1")
    assert np.allclose(hidden.weights, model[1].weight.detach().numpy(), atol=1e-6)
    assert hidden.strongest(2, 1)[0][0] == np.abs(hidden.influence[2]).argmax()


def test_a_relu_counts_only_where_it_is_open_and_in_place_operations_work():
    model, x = seeded(lambda: (nn.Sequential(nn.Linear(3, 6), nn.ReLU(inplace=True), nn.Linear(6, 2)), torch.randn(50, 3)))
    found = circuits(model, x, "0", "2")
    opened = (model[0](x) > 0).float().mean(0).numpy()
    assert np.allclose(found.weights, model[2].weight.detach().numpy() * opened, atol=1e-6)
    assert not model[0]._forward_hooks and model.training


def test_channels_of_maps_are_units():
    model, x = seeded(lambda: (nn.Sequential(nn.Conv2d(2, 3, 1), nn.Conv2d(3, 4, 1)), torch.randn(5, 2, 6, 6)))
    found = circuits(model, x, "0", "1")
    assert np.allclose(found.weights, model[1].weight[:, :, 0, 0].detach().numpy(), atol=1e-6)


def test_an_absent_layer_is_named_with_those_there_are():
    with pytest.raises(InputError, match="E-LAYER-ABSENT"):
        circuits(nn.Sequential(nn.Linear(2, 2)), torch.ones(1, 2), "", "head")


def direction_net():
    """The output depends on the first hidden direction, rising, and on no other."""
    model = nn.Sequential(nn.Linear(12, 12, bias=False), nn.Tanh(), nn.Linear(12, 2, bias=False))
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(12) * 0.3)
        model[2].weight.zero_()
        model[2].weight[1, 0] = 1.0
    return model


def examples(seed, n=30, shift=0.0):
    drawn = seeded(lambda: torch.randn(n, 12), seed)
    drawn[:, 0] += shift
    return drawn


def test_a_planted_concept_scores_one_and_its_opposite_zero():
    up, down = concept_vectors(direction_net(), examples(1), 1, {"up": examples(2, shift=2.5), "down": examples(3, shift=-2.5)},
                               examples(4, 200), layer="0", repeats=5, nulls=99)
    assert up.tcav == 1.0 and up.significant and up.pull > 0 and up.accuracy > 0.7
    assert down.tcav == 0.0 and down.significant and down.pull < 0
    assert up.vector[0] > 0.7


def test_random_concepts_are_not_significant():
    wrong = 0
    for k in range(60):
        found = concept_vectors(direction_net(), examples(1), 1, {"random": examples(100 + k, 15)},
                                examples(1000 + k, 100), layer="0", repeats=3, nulls=39, seed=k)
        wrong += found[0].significant
    assert wrong <= binom.ppf(0.999, 60, 0.05)


def test_holm_is_the_textbooks():
    assert np.allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])


def test_few_examples_are_refused():
    with pytest.raises(InputError, match="E-CONCEPT-FEW"):
        concept_vectors(direction_net(), examples(1), 1, {"few": examples(2, 3)}, examples(4, 50), layer="0")
