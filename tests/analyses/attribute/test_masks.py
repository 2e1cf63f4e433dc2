"""Masks and sufficient subsets: a planted patch is found, areas are held, subsets suffice and cannot be shortened."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnomon.analyses.attribute.extremal_perturbation import extremal_perturbation
from gnomon.analyses.attribute.optimised_mask import optimised_mask
from gnomon.analyses.attribute.sufficient_subsets import sufficient_subsets
from gnomon.errors import InputError
from gnomon.rng import stream

PATCHES = ((2, 9), (8, 3))  # the corner of the cue in each image; 4 x 4 of 16 x 16


class Cue(torch.nn.Module):
    """Sees how much of the image's own cue, of brightness 2, is there; nothing else."""

    def forward(self, x):
        bright = torch.relu(x - 0.6).mean(1, keepdim=True)
        return torch.stack([torch.zeros(len(x)), torch.nn.functional.avg_pool2d(bright, 4, 1).flatten(1).amax(1)], 1)


def planted():
    x = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 0.5
    truth = torch.zeros(2, 16, 16, dtype=torch.bool)
    for i, (top, left) in enumerate(PATCHES):
        x[i, :, top:top + 4, left:left + 4] = 2
        truth[i, top:top + 4, left:left + 4] = True
    return x, truth


def auroc(found, truth):
    from sklearn.metrics import roc_auc_score

    return [roc_auc_score(t.flatten(), f.flatten()) for f, t in zip(found, truth, strict=True)]


@pytest.mark.parametrize("technique", [optimised_mask, extremal_perturbation])
def test_a_planted_patch_is_found(technique):
    x, truth = planted()
    options = {"areas": (16 / 256,)} if technique is extremal_perturbation else {}
    found = technique(Cue(), x, 1, baseline=0, **options)
    assert found.shape == x.shape and float(found.min()) >= 0 and float(found.max()) <= 1
    assert min(auroc(found[:, 0], truth)) > 0.95


def test_the_mask_has_the_area_asked_for():
    x, _ = planted()
    for area in (0.08, 0.2):
        mask = extremal_perturbation(Cue(), x, 1, areas=(area,), steps=150)
        assert np.allclose(mask[:, 0].mean((1, 2)), area, atol=0.03)


def test_unseen_columns_are_not_masked_and_seen_ones_are():
    x = torch.ones(3, 6)
    found = optimised_mask(torch.nn.Sequential(only_two()), x, None, sparsity=0.2)
    assert float(found[:, :2].min()) > 0.9 and float(found[:, 2:].max()) < 0.1


def only_two():
    layer = torch.nn.Linear(6, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, 1, 0, 0, 0, 0]])
    return layer


def test_masks_are_each_row_s_own_and_gradients_of_weights_are_given_back():
    x, _ = planted()
    model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.Flatten(), torch.nn.Linear(2 * 14 * 14, 2))
    both = optimised_mask(model, x, 1, steps=20)
    one = optimised_mask(model, x[1:], 1, steps=20)
    assert torch.allclose(both[1:], one, atol=1e-3)
    assert all(p.requires_grad and p.grad is None for p in model.parameters())


def test_masks_refuse_codes_without_embedding_and_tables_without_area_in_words():
    with pytest.raises(InputError, match="no gradient"):
        optimised_mask(Floats(), torch.ones(2, 6, dtype=torch.long), None)
    with pytest.raises(InputError, match="gradient"):
        optimised_mask(only_two(), np.ones((2, 6)), None)
    with pytest.raises(InputError, match="area"):
        extremal_perturbation(only_two(), torch.ones(2, 6), None)


class Floats(torch.nn.Module):
    def forward(self, codes):
        return codes.float().sum(dim=1, keepdim=True)


def both_or_third(x):
    """Large when columns 0 and 1 are there, or when 2 is."""
    return np.maximum(np.minimum(x[:, 0], x[:, 1]), 0.95 * x[:, 2])


def test_sufficient_subsets_are_the_known_ones_in_order():
    found = sufficient_subsets(both_or_third, np.ones((2, 6)), None, share=0.9, at_once=1)
    assert np.allclose(found, [[0.5, 0.5, 1, 0, 0, 0]] * 2) or np.allclose(found, [[1, 1, 0.5, 0, 0, 0]] * 2)


@pytest.mark.parametrize("at_once", [1, 0])
def test_every_subset_suffices_and_no_piece_can_be_spared(at_once):
    dice = stream(3, "subsets")
    weights = dice.normal(size=(24, 8))
    x = dice.normal(size=(4, 24))

    def predict(rows):
        return np.tanh(rows @ weights).sum(axis=1)

    found = sufficient_subsets(predict, x, None, share=0.7, subsets=2, at_once=at_once)
    full, none = predict(x), predict(np.zeros_like(x))
    way = np.sign(full - none)
    bar = none + 0.7 * (full - none)
    assert (found == 1).any(axis=1).all()
    for number in (1, 0.5):
        for row in np.flatnonzero((found == number).any(axis=1)):
            kept = np.where(found[row] == number, x[row], 0)
            assert way[row] * (predict(kept[None])[0] - bar[row]) >= -1e-4
            for k in np.flatnonzero(kept):
                less = kept.copy()
                less[k] = 0
                assert way[row] * (predict(less[None])[0] - bar[row]) < 1e-4


def test_a_constant_needs_one_piece_and_a_share_of_nothing_is_refused():
    assert np.allclose(sufficient_subsets(lambda x: 0 * x[:, 0], np.ones((2, 3)), None, subsets=1).sum(axis=1), 1)
    with pytest.raises(InputError, match="share"):
        sufficient_subsets(both_or_third, np.ones((1, 3)), None, share=0)


def test_a_study_s_way_through_a_network_gives_the_same_mask_and_refuses_what_has_no_graph():
    from gnomon.analyses.attribute._techniques import WAYS

    class Named(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.cue = Cue()

        def forward(self, inputs):
            return self.cue(inputs["image"])

    x, truth = planted()
    network = Named().train()
    found = WAYS["optimised_mask"](network, {"image": x}, 1, {})["image"]
    assert network.training and min(auroc(found[:, 0], truth)) > 0.95
    with pytest.raises(InputError, match="reads none"):
        WAYS["gnn_explainer"](network, {"image": x}, 1, {})
