"""Prediction difference: closed form of naive Bayes, conditional Gaussians, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gnomon.analyses.attribute.prediction_difference import _gaussian, prediction_difference
from gnomon.errors import InputError
from gnomon.rng import stream

RISKS = np.array([[0.2, 0.7], [0.5, 0.4], [0.6, 0.6]])  # P(x_k = 1 | class)


def bayes(x):
    """(n, 2) posteriors of naive Bayes with even priors."""
    logs = (x[:, :, None] * np.log(RISKS) + (1 - x[:, :, None]) * np.log(1 - RISKS)).sum(axis=1)
    shares = np.exp(logs)
    return shares / shares.sum(axis=1, keepdims=True)


def test_naive_bayes_closed_form():
    dice = stream(1, "bayes")
    y = dice.integers(0, 2, 40_000)
    data = (dice.random((40_000, 3)) < RISKS[:, y].T).astype(float)
    x = (np.arange(8)[:, None] >> np.arange(3) & 1).astype(float)
    found = prediction_difference(bayes, x, 1, data=data, draws=4000, neighbours=2000)
    term = np.where(x == 1, np.log(RISKS[:, 1] / RISKS[:, 0]), np.log((1 - RISKS[:, 1]) / (1 - RISKS[:, 0])))
    assert np.abs(found - term).max() < 0.12 < np.abs(term).max()
    assert np.abs(found[:, 2]).max() < 0.02, "a feature that tells nothing"


def test_gaussian_given_the_rest_has_the_closed_form_moments():
    dice = stream(2, "gauss")
    mix = dice.normal(size=(4, 4))
    data = dice.normal(size=(30_000, 4)) @ mix.T
    whole, row = mix @ mix.T, np.array([[0.5, -1.0, 0.3, 0.8]])
    inside, rest = np.array([0, 1]), np.array([2, 3])
    drawn = _gaussian(row, data, inside, rest, 20_000, 0, dice)[0]
    slope = whole[:2, 2:] @ np.linalg.inv(whole[2:, 2:])
    assert np.allclose(drawn.mean(axis=0), slope @ row[0, 2:], atol=0.1)
    assert np.allclose(np.cov(drawn.T), whole[:2, :2] - slope @ whole[2:, :2], atol=0.15)


def test_a_copy_of_another_column_tells_nothing_new():
    dice = stream(3, "copy")
    first = dice.normal(size=(4000, 1))
    data = np.concatenate([first, first, dice.normal(size=(4000, 1))], axis=1)

    def model(x):
        p = 1 / (1 + np.exp(-x[:, 0] - x[:, 2]))
        return np.stack([1 - p, p], axis=1)

    found = prediction_difference(model, data[:20], 1, data=data)
    assert np.abs(found[:, 0]).mean() < 0.1 < 0.4 < np.abs(found[:, 2]).mean()


def test_images_by_patches_find_the_bright_one_and_logits_are_refused():
    generator = torch.Generator().manual_seed(4)
    data = torch.randn(300, 1, 16, 16, generator=generator)
    x = data[:2].clone()
    x[:, :, 4:6, 8:10] += 3

    def logits(images):
        return torch.stack([torch.zeros(len(images)), images[:, 0, 4:6, 8:10].sum((1, 2))], dim=1)

    found = prediction_difference(lambda images: logits(images / 8).softmax(1), x, 1, data=data, draws=8)
    assert found.shape == x.shape and bool((found.sum(1).flatten(1).argmax(1) == 4 * 16 + 8).all())
    with pytest.raises(InputError, match="probabilities"):
        prediction_difference(logits, x, 1, data=data)
