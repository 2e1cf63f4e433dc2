"""Shapley values, LIME and ablation of any predictor against enumeration and closed forms."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pytest
import torch

from gnomon.analyses.attribute.feature_ablation import feature_ablation
from gnomon.analyses.attribute.kernel_shap import kernel_shap
from gnomon.analyses.attribute.lime import lime
from gnomon.analyses.attribute.sampled_shapley import sampled_shapley
from gnomon.errors import InputError
from gnomon.rng import stream

EVERY = (feature_ablation, sampled_shapley, kernel_shap, lime)


def net(width, seed=0):
    torch.manual_seed(seed)
    return torch.nn.Sequential(torch.nn.Linear(width, 16), torch.nn.Tanh(), torch.nn.Dropout(0.5), torch.nn.Linear(16, 3))


def enumerated(value, count):
    """The mean over all orders, from 2^count outputs."""
    masks = (np.arange(2**count)[:, None] >> np.arange(count)) & 1 == 1
    told, size = value(masks), masks.sum(axis=1)
    phi = np.zeros(count)
    for k in range(count):
        out = np.flatnonzero(~masks[:, k])
        weight = [factorial(s) * factorial(count - s - 1) / factorial(count) for s in size[out]]
        phi[k] = np.dot(weight, told[out + 2**k] - told[out])
    return phi


def exact(model, row, target):
    model.eval()

    def value(masks):
        with torch.no_grad():
            return model(torch.from_numpy(masks) * row)[:, target].double().numpy()

    return enumerated(value, len(row))


def test_enumeration_itself_is_the_mean_over_orders():
    told = stream(1, "game").random(16)
    steps = np.zeros(4)
    for order in permutations(range(4)):
        have = 0
        for k in order:
            steps[k] += told[have | 1 << k] - told[have]
            have |= 1 << k
    phi = enumerated(lambda masks: told[masks @ 2 ** np.arange(4)], 4)
    assert np.allclose(phi, steps / 24)


def test_sampled_and_kernel_equal_exact_on_eight_features():
    model, x = net(8), torch.randn(3, 8, generator=torch.Generator().manual_seed(2))
    truth = np.stack([exact(model, row, 1) for row in x])
    assert np.allclose(kernel_shap(model, x, 1, samples=254), truth, atol=1e-5)
    few, many = (np.abs(sampled_shapley(model, x, 1, draws=d).numpy() - truth).max() for d in (8, 512))
    assert many < 0.02 < np.abs(truth).max() and many < few


def test_kernel_shap_by_draws_comes_close_and_adds_up():
    model, x = net(12), torch.randn(2, 12, generator=torch.Generator().manual_seed(3))
    found = kernel_shap(model, x, 0, samples=1500).numpy()
    truth = np.stack([exact(model, row, 0) for row in x])
    assert np.abs(found - truth).max() < 0.15 * np.abs(truth).max()
    with torch.no_grad():
        assert np.allclose(found.sum(axis=1), (model(x) - model(0 * x))[:, 0], atol=1e-5)


def test_efficiency_for_any_number_of_draws_and_training_mode_is_given_back():
    model, x = net(7).train(), torch.randn(4, 7, generator=torch.Generator().manual_seed(4))
    found = sampled_shapley(model, x, 2, draws=2)
    assert model.training
    model.eval()
    with torch.no_grad():
        assert torch.allclose(found.sum(1), (model(x) - model(0 * x))[:, 2], atol=1e-5)


@pytest.mark.parametrize("technique", EVERY)
def test_unused_pieces_get_nothing_and_twins_the_same(technique):
    def predict(x):
        return x[:, 0] * x[:, 1] + 2 * x[:, 3]

    x = np.array([[1.5, 1.5, 9.0, 1.0], [-1.0, -1.0, 5.0, 2.0]])
    found = technique(predict, x, None)
    assert np.allclose(found[:, 0], found[:, 1])
    assert np.allclose(found[:, 2], 0, atol=1e-8 if technique is not lime else 0.1)  # LIME's kernel is no product


@pytest.mark.parametrize("technique", EVERY)
def test_linear_model_closed_form_with_background_rows(technique):
    dice = stream(5, "linear")
    weights, x, background = dice.normal(size=6), dice.normal(size=(4, 6)), dice.normal(size=(9, 6))
    found = technique(lambda rows: rows @ weights + 3, x, None, baseline=background)
    assert np.allclose(found, weights * (x - background.mean(axis=0)), atol=1e-8)


@pytest.mark.parametrize("technique", EVERY)
def test_groups_move_together_and_minus_one_stays(technique):
    x = stream(6, "groups").normal(size=(3, 5)) + 2
    found = technique(lambda rows: rows @ np.arange(1.0, 6.0), x, None, pieces=np.array([0, 0, 1, 1, -1]))
    terms = x * np.arange(1.0, 6.0)
    assert np.allclose(found[:, :2], terms[:, :2].mean(axis=1, keepdims=True))
    assert np.allclose(found[:, 2:4], terms[:, 2:4].mean(axis=1, keepdims=True)) and not found[:, 4].any()


def test_forest_agrees_with_tree_shap_on_the_same_background():
    pytest.importorskip("shap")
    from sklearn.ensemble import RandomForestRegressor

    from gnomon.analyses.attribute.tree_shap import tree_shap

    dice = stream(7, "forest")
    x = dice.normal(size=(200, 5))
    forest = RandomForestRegressor(20, max_depth=5, random_state=0).fit(x, x[:, 0] * x[:, 1] + x[:, 2])
    background = x[:30]
    ours = kernel_shap(forest.predict, x[100:106], None, baseline=background)
    assert np.allclose(ours, tree_shap(forest, x[100:106], background=background), atol=1e-4)


def test_images_default_to_patches_and_keep_the_shape():
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(8))
    found = feature_ablation(lambda images: images[:, :, 4:6, 8:10].sum((1, 2, 3)), x, None)
    assert found.shape == x.shape and torch.allclose(found.sum((1, 2, 3)), x[:, :, 4:6, 8:10].sum((1, 2, 3)), atol=1e-4)
    assert not found[:, :, :4].any()


def test_same_seed_same_result_and_wrong_input_is_refused_in_words():
    model, x = net(40), torch.randn(2, 40, generator=torch.Generator().manual_seed(9))
    once, again = (sampled_shapley(model, x, 0, draws=4, chunk=c) for c in (0, 7))
    assert torch.allclose(once, again, atol=1e-6) and torch.equal(once, sampled_shapley(model, x, 0, draws=4))
    with pytest.raises(InputError, match="rows"):
        lime(model, ["text"], 0)
    with pytest.raises(InputError, match="pieces"):
        lime(model, x, 0, pieces=np.zeros(3, dtype=int))
