"""Laws over every technique that looks inside a user's own network: odd networks work or are refused in words."""

import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from gnomon.analyses.represent.activation_atlas import activation_atlas
from gnomon.analyses.represent.circuits import circuits
from gnomon.analyses.represent.concept_vectors import concept_vectors
from gnomon.analyses.represent.feature_visualisation import feature_visualisation
from gnomon.analyses.represent.layers import layers
from gnomon.analyses.represent.optimal_sequence import optimal_sequence
from gnomon.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[1] / "attribute"))
from backward_nets import Breaks, convolutional, hooks, images, kept, seeded


class Reused(nn.Module):
    """One ReLU module called three times, one convolution twice, functions, operations in place (on the input too), a layer
    that is never called and one that gives a dict."""

    def __init__(self):
        super().__init__()
        self.first, self.again, self.relu = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.ReLU(inplace=True)
        self.unused, self.named, self.head = nn.Linear(2, 2), Named(), nn.Linear(6, 4)

    def forward(self, x):
        x *= 1.5
        h = self.relu(self.first(x))
        for _ in range(2):
            h = self.relu(self.again(h)) + h
        h += 0.1
        return self.head(self.named(functional.adaptive_avg_pool2d(h, 1).flatten(1))["h"])


class Named(nn.Module):
    def forward(self, h):
        return {"h": h * 1.0}


class Rounded(nn.Module):
    """No gradient reaches its layers."""

    def __init__(self):
        super().__init__()
        self.first, self.head = nn.Conv2d(3, 6, 3), nn.Linear(6, 4)

    def forward(self, x):
        with torch.no_grad():
            return self.head(self.first(x).mean(dim=(2, 3))).round()


def vectors(model, x, layer):
    pool = images(16, seed=5)
    return concept_vectors(model, x, 1, {"c": images(6, seed=4)}, pool, layer=layer, repeats=2, nulls=5)[0].vector


LOOKS = {
    "layers": lambda model, x, layer: layers(model, x, (layer,))[layer],
    "circuits": lambda model, x, layer: circuits(model, x, "", layer).weights,
    "concept_vectors": vectors,
    "feature_visualisation": lambda model, x, layer: feature_visualisation(model, layer, (0, 1), like=x, steps=2).images,
    "activation_atlas": lambda model, x, layer: activation_atlas(
        model, x, layer, grid=1, fewest=1, layout=np.zeros((len(x), 2)), steps=2)[0].image,
    "optimal_sequence": lambda model, x, layer: optimal_sequence(
        lambda hot: model(hot.transpose(1, 2)[..., None].repeat(1, 1, 1, 12))[:, 1], 12, 3, model=model, count=2,
        steps=2).value,
}
OF_LAYERS = [n for n in LOOKS if n != "optimal_sequence"]


def state(model):
    return hooks(model), model.training, [p.requires_grad for p in model.parameters()], pickle.dumps(model.state_dict())


@pytest.mark.parametrize("name", LOOKS)
def test_shared_modules_functions_and_in_place_operations_work(name):
    """The same twice, the rows untouched, the model as it was."""
    model, x = seeded(Reused), images(8)
    model.train()
    whole, before = x.clone(), state(model)
    one, two = (np.asarray(LOOKS[name](model, x, "relu:1")) for _ in range(2))
    assert np.isfinite(one).all() and np.array_equal(one, two) and one.any()
    assert torch.equal(x, whole) and state(model) == before


@pytest.mark.parametrize("name", OF_LAYERS)
def test_a_layer_called_several_times_or_never_is_refused_in_words(name):
    model, x = seeded(Reused), images(8)
    before = state(model)
    with pytest.raises(InputError, match="called 3 times") as many:
        LOOKS[name](model, x, "relu")
    assert many.value.code == "E-ACTIVATIONS" and "'relu:0' to ':2'" in many.value.do
    with pytest.raises(InputError, match="never called"):
        LOOKS[name](model, x, "unused")
    with pytest.raises(InputError, match="no layer called"):
        LOOKS[name](model, x, "relus:0")
    assert state(model) == before


def test_each_call_of_a_shared_module_has_its_own_slopes():
    """relu(w relu(x w)): by hand, the later call's unit is worth w where it is open, the earlier call's w times that."""
    shared = nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        shared.weight.fill_(2.0)
    model, x = nn.Sequential(shared, shared, nn.Linear(1, 1, bias=False)), torch.ones(4, 1)
    with torch.no_grad():
        model[2].weight.fill_(3.0)
    assert circuits(model, x, "0:0", "2").weights == pytest.approx(6.0)
    assert circuits(model, x, "0:1", "2").weights == pytest.approx(3.0)


def test_a_layer_that_gives_a_mapping_is_read_but_not_cut():
    model, x = seeded(Reused), images(8)
    assert LOOKS["layers"](model, x, "named").shape == (8, 6) and LOOKS["circuits"](model, x, "named").any()
    with pytest.raises(InputError, match="in which slopes cannot be taken"):
        vectors(model, x, "named")
    assert hooks(model) == 0


@pytest.mark.parametrize("name", [n for n in LOOKS if n != "layers"])
def test_no_gradient_is_said_in_words(name):
    model = seeded(Rounded)
    with pytest.raises(InputError, match="no gradient") as none:
        LOOKS[name](model, images(8), "first")
    assert none.value.code == "E-ATTRIBUTION" and hooks(model) == 0 and all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("name", LOOKS)
def test_an_error_in_the_model_leaves_no_hook_and_no_memory(name):
    model, raised = seeded(Breaks), False
    LOOKS[name](seeded(convolutional), images(8), "0")  # what is cached by a first call
    with kept() as left:
        try:
            LOOKS[name](model, images(8), "first.0")
        except ArithmeticError:
            raised = True
    assert raised and not left and hooks(model) == 0 and model.training and all(p.requires_grad for p in model.parameters())
