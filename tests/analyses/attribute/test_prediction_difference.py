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


def test_on_codes_of_a_sequence_it_is_the_exact_conditional_expectation():
    """A Markov chain of three letters and a model of the middle three: enumerated, against what is drawn from counts."""
    dice, change = stream(6, "chain"), np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.3, 0.1, 0.6]])
    codes = np.zeros((20_000, 5), dtype=np.int64)
    for i in range(1, 5):
        codes[:, i] = (dice.random(len(codes))[:, None] > np.cumsum(change[codes[:, i - 1]], axis=1)).sum(axis=1)
    data = codes + 1  # 0 is padding
    table = dice.normal(size=(3, 3, 3))

    def model(x):
        p = 1 / (1 + np.exp(-table[x[:, 1] - 1, x[:, 2] - 1, x[:, 3] - 1]))
        return np.stack([1 - p, p], axis=1)

    x = np.array([[1, 2, 1, 3, 3], [3, 3, 2, 1, 1]])
    found = prediction_difference(model, x, 1, data=data, draws=3, reach=1)
    for row in range(2):
        for k in (1, 2, 3):
            before, after = x[row, k - 1] - 1, x[row, k + 1] - 1
            law = change[before] * change[:, after]
            copies = np.repeat(x[row:row + 1], 3, axis=0)
            copies[:, k] = np.arange(1, 4)
            mean, own = law @ model(copies)[:, 1] / law.sum(), model(x[row:row + 1])[0, 1]
            wanted = np.log(own / (1 - own)) - np.log(mean / (1 - mean))
            assert abs(found[row, k] - wanted) < 0.05
    assert np.allclose(found[:, [0, 4]], 0), "places that the model does not read"
    number = prediction_difference(lambda x: x[:, 2].astype(float), x, None, data=data, draws=3, reach=0)
    assert np.allclose(number[:, 2], x[:, 2] - data.mean(), atol=0.03) and np.allclose(number[:, :2], 0)


def test_runs_of_codes_go_together_padding_stays_and_draws_are_alike_in_probability():
    dice = stream(7, "runs")
    pair = dice.integers(1, 3, (4000, 1)) * np.ones((1, 2), dtype=np.int64)  # both letters always alike
    data = np.concatenate([dice.integers(1, 3, (4000, 1)), pair, np.zeros((4000, 1), dtype=np.int64)], axis=1)
    seen = []

    def model(x):
        seen.append(x)
        return (x[:, 1] != x[:, 2]).astype(float)

    found = prediction_difference(model, data[:3], None, data=data, pieces=np.array([0, 1, 1, 2]), reach=1)
    assert np.allclose(found, 0) and all((x[:, 3] == 0).all() for x in seen)
    many = prediction_difference(lambda x: x[:, 0].astype(float), np.full((1, 1), 9), None, reach=0, draws=400,
                                 data=np.arange(1, 1001)[:, None])
    assert abs(many[0, 0] - (9 - 500.5)) < 60
    with pytest.raises(InputError, match="run of neighbouring"):
        prediction_difference(model, data[:3], None, data=data, pieces=np.array([0, 1, 0, 2]))
