"""Occlusion of any model: w x on a linear one, captum's sliding windows, feature ablation where windows do not overlap."""

import numpy as np
import pytest
import torch
from backward_nets import convolutional, images, seeded

from gnomon.analyses.attribute.feature_ablation import feature_ablation
from gnomon.analyses.attribute.occlusion import _grids, occlusion


def test_windows_of_one_element_give_the_weights_of_a_linear_model():
    dice = np.random.default_rng(0)
    x, w = dice.normal(size=(5, 7)), dice.normal(size=7)
    assert occlusion(lambda rows: rows @ w, x, None, baseline=x.mean(axis=0)) == pytest.approx(w * (x - x.mean(axis=0)))


def test_sliding_windows_are_captums_dealt_evenly_over_the_window():
    from captum.attr import Occlusion

    model, x = seeded(convolutional), images(3)
    found = occlusion(model, x, 2, window=4, stride=2)
    theirs = Occlusion(model).attribute(x, target=2, sliding_window_shapes=(3, 4, 4), strides=(3, 2, 2)) / (3 * 4 * 4)
    inside = np.s_[:, :, 2:10, 2:10]  # captum does not let windows hang over the edges
    assert found.shape == x.shape and torch.allclose(found[inside], theirs[inside], atol=1e-5)


def test_windows_side_by_side_are_feature_ablation_and_signals_have_windows_too():
    model, x = seeded(convolutional), images(3)
    labels = (np.arange(12)[:, None] // 4) * 3 + np.arange(12)[None] // 4
    assert torch.equal(occlusion(model, x, 1, window=4), feature_ablation(model, x, 1, pieces=labels))
    signal = torch.randn(2, 3, 20, generator=torch.Generator().manual_seed(0))
    found = occlusion(lambda rows: rows[:, 1, 8:12].sum(dim=1), signal, None, window=4)
    assert torch.allclose(found[:, :, 8:12].sum((1, 2)), signal[:, 1, 8:12].sum(1), atol=1e-5)
    assert not found[:, :, :8].any() and not found[:, :, 12:].any()


def test_every_shift_covers_every_element_once():
    for shape, window, stride in (((7,), 3, 1), ((2, 10), 4, 3), ((1, 9, 5), 4, 2), ((3, 8, 8), 0, 0), ((5,), 9, 4)):
        grids = _grids(shape, window, stride)
        side = window or 1
        for labels in grids:
            assert labels.shape == (shape if len(shape) == 1 else shape[1:])
            assert np.array_equal(np.unique(labels), np.arange(labels.max() + 1))
            assert np.bincount(labels.ravel()).max() <= side ** labels.ndim
        assert len({g.tobytes() for g in grids}) == len(grids)
