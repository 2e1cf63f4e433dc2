"""Laws over all techniques a study can be asked for: odd networks work or are refused in words, errors leave nothing."""

import pickle
from contextlib import suppress
from functools import partial

import numpy as np
import pytest
import torch
from backward_nets import Odd, Pooled, convolutional, hooks, images, kept, leaves_nothing_after_an_error, seeded
from torch import nn
from torch.nn import functional

from gnomon.analyses.attribute._techniques import TECHNIQUES
from gnomon.card import load
from gnomon.errors import InputError

SMALL = {"smoothgrad": {"draws": 3}, "integrated_gradients": {"steps": 4}, "sampled_shapley": {"draws": 2},
         "kernel_shap": {"samples": 40}, "lime": {"samples": 40}, "sufficient_subsets": {"subsets": 1},
         "aggregated": {"members": (load("saliency"), load("occlusion"))}, "optimised_mask": {"steps": 3},
         "extremal_perturbation": {"areas": (0.2,), "steps": 3}, "gnn_explainer": {"steps": 3},
         "prediction_difference": {"draws": 2, "pieces": np.arange(144).reshape(12, 12) // 48}}
OF_ESTIMATORS = ("tree_shap", "linear_attribution", "additive_terms")
OF_MODULES = [n for n in TECHNIQUES if n not in OF_ESTIMATORS]
OF_IMAGES = [n for n in OF_MODULES if n != "gnn_explainer"]  # which wants a graph


def call(name):
    """f(model, x, target), the technique's own function at little cost."""
    if name == "prediction_difference":  # of probabilities
        return lambda model, x, target: load(name)(nn.Sequential(model, nn.Softmax(1)), x, target, data=images(40, seed=2),
                                                   **SMALL[name])
    fitted = {"data": images(8, seed=2)} if name == "pattern_attribution" else {}
    return partial(load(name), **SMALL.get(name, {}), **fitted)


class Shared(nn.Module):
    """One convolution used three times, functions for activations and pooling, operations in place, on the input too."""

    def __init__(self):
        super().__init__()
        self.first, self.again, self.head = nn.Conv2d(3, 6, 3, padding=1), nn.Conv2d(6, 6, 3, padding=1), nn.Linear(6, 4)

    def forward(self, x):
        x *= 1.5
        h = functional.relu(self.first(x), inplace=True)
        for _ in range(3):
            h = functional.relu_(self.again(h)) + h
        h = functional.max_pool2d(h, 2)
        h += 0.1
        return functional.log_softmax(self.head(functional.adaptive_avg_pool2d(h, 1).flatten(1)), dim=1)


def test_the_laws_are_over_all_of_them():
    assert len(TECHNIQUES) == 24 and set(OF_ESTIMATORS) | set(OF_MODULES) == set(TECHNIQUES)


@pytest.mark.parametrize("network", [Shared, Odd])
@pytest.mark.parametrize("name", OF_MODULES)
def test_a_users_own_module_works_or_is_refused_in_words(name, network):
    """Shared weights, functional activations, in-place operations: an attribution of x's shape, the same twice, x untouched,
    modes and flags as they were; or an error that says what to do."""
    model, x = seeded(network), images(3)
    model.train()
    model.first.weight.requires_grad_(False)
    whole, state, flags = x.clone(), pickle.dumps(model.state_dict()), [p.requires_grad for p in model.parameters()]
    try:
        one, two = (call(name)(model, x, 1) for _ in range(2))
        assert tuple(one.shape) == tuple(x.shape) and torch.isfinite(torch.as_tensor(one)).all()
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(two))
    except InputError as error:
        assert error.code == "E-ATTRIBUTION" and len(error.do) > 10
    assert torch.equal(x, whole) and hooks(model) == 0 and model.training
    assert [p.requires_grad for p in model.parameters()] == flags and pickle.dumps(model.state_dict()) == state


@pytest.mark.parametrize("name", OF_IMAGES)
def test_plain_networks_are_never_refused(name):
    """Flat heads and pooled ones, modules only."""
    for make in (convolutional, Pooled):
        found = torch.as_tensor(call(name)(seeded(make).eval(), images(3), 1))
        assert found.shape == (3, 3, 12, 12) and torch.isfinite(found).all()


@pytest.mark.parametrize("name", OF_MODULES)
def test_an_error_in_the_model_leaves_no_hook_no_mode_and_no_memory(name):
    assert leaves_nothing_after_an_error(call(name), images(3))


class Later(nn.Module):
    """Works for a while, then fails in the middle of its forward, with hooks in place."""

    def __init__(self, after):
        super().__init__()
        self.inner, self.left = convolutional(), after

    def forward(self, x):
        self.left -= 1
        h = self.inner[:3](x)
        if self.left < 0:
            raise ArithmeticError("too late")
        return self.inner[3:](h)


@pytest.mark.parametrize("name", OF_IMAGES)
def test_an_error_in_a_later_run_leaves_nothing_either(name):
    for after in (1, 2):
        model = seeded(partial(Later, after))
        model.train()
        with kept() as left, suppress(ArithmeticError):
            call(name)(model, images(3), 1)
        assert not left and hooks(model) == 0 and model.training and all(p.requires_grad for p in model.parameters())


def test_estimators_are_left_as_they_were_also_after_an_error():
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.linear_model import LinearRegression

    dice = np.random.default_rng(0)
    x = dice.normal(size=(80, 4))
    y = x[:, 0] - x[:, 1] * x[:, 2]
    forest, line = RandomForestRegressor(5, random_state=0).fit(x, y), LinearRegression().fit(x, y)
    before = pickle.dumps(forest)
    tree = load("tree_shap")(forest, x[:5])
    assert np.allclose(tree.sum(axis=1) + forest.predict(x[:5])[0] - tree[0].sum(), forest.predict(x[:5]), atol=1e-6)
    with pytest.raises(InputError, match="grown on 4 features"):
        load("tree_shap")(forest, x[:5, :2])
    assert pickle.dumps(forest) == before
    given, mean = line.coef_.copy(), x.mean(axis=0)
    found = load("linear_attribution")(line.coef_, x[:5], mean)
    assert np.allclose(found.sum(axis=1), line.predict(x[:5]) - line.predict(mean[None])) and np.array_equal(line.coef_, given)
    with pytest.raises((InputError, ValueError)):
        load("linear_attribution")(line.coef_, x[:5, :2], mean)
