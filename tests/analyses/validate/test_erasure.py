"""After erasure the cross-covariance is zero, so no linear probe beats a constant; one dimension has a closed form."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from gnomon.analyses.validate.erasure import erasure
from gnomon.analyses.validate.reweighing import reweighing


def world(seed=0, n=600, d=8, classes=3):
    rng = np.random.default_rng(seed)
    z = rng.integers(0, classes, n)
    x = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 2 * rng.normal(size=(classes, d))[z]
    return x, z


def test_class_means_are_equal_and_no_probe_beats_the_prior():
    x, z = world()
    out = erasure(x, z)(x)
    means = np.stack([out[z == k].mean(axis=0) for k in range(3)])
    assert np.allclose(means, means[0], atol=1e-8)
    probe = LogisticRegression(C=1e4, max_iter=5000, tol=1e-8).fit(out, z)
    prior = np.tile(np.bincount(z) / len(z), (len(z), 1))
    assert log_loss(z, probe.predict_proba(out)) > log_loss(z, prior) - 1e-4
    assert log_loss(z, LogisticRegression(max_iter=5000).fit(x, z).predict_proba(x)) < 0.6 * log_loss(z, prior)


def test_rank_is_classes_less_one_and_erasing_twice_changes_nothing():
    x, z = world(1)
    first = erasure(x, z)
    assert first.rank == 2
    again = erasure(first(x), z)
    assert again.rank == 0 and np.allclose(again(first(x)), first(x))


def test_in_one_dimension_nothing_but_the_mean_is_left():
    rng = np.random.default_rng(2)
    z = rng.integers(0, 2, 300)
    x = (z + rng.normal(size=300))[:, None]
    assert np.allclose(erasure(x, z)(x), x.mean())


def test_white_data_lose_exactly_the_direction_of_the_difference():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 4))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T, bias=True))).T  # covariance exactly the identity
    z = rng.normal(size=500) + x[:, 1]
    way = x.T @ (z - z.mean())
    way /= np.linalg.norm(way)
    assert np.allclose(erasure(x, z)(x), x - np.outer(x @ way, way), atol=1e-8)


def test_it_moves_less_than_dropping_the_probe_s_direction():
    x, z = world(4, classes=2)
    x = x * np.geomspace(1, 30, x.shape[1])
    leace = erasure(x, z)(x)
    gap = x[z == 1].mean(axis=0) - x[z == 0].mean(axis=0)
    sxx = np.cov(x.T, bias=True)
    for probe in (np.linalg.solve(sxx, gap), gap):  # other maps that also null the covariance: x - u (v x), v.gap = 0 out
        map_ = np.eye(len(gap)) - np.outer(gap, probe) / (probe @ gap)
        other = x.mean(axis=0) + (x - x.mean(axis=0)) @ map_.T
        assert np.allclose(other[z == 1].mean(axis=0), other[z == 0].mean(axis=0), atol=1e-6)
        assert ((leace - x) ** 2).sum() <= ((other - x) ** 2).sum() * (1 + 1e-9)


def test_empty_directions_and_a_constant_attribute_are_left_alone():
    x, z = world(5)
    x = np.column_stack([x, np.ones(len(x)), x[:, 0]])
    out = erasure(x, z)(x)
    assert np.allclose(out[:, -2], 1) and np.allclose(out[:, -1], out[:, 0], atol=1e-6)
    assert np.allclose(erasure(x, np.zeros(len(x), dtype=int))(x), x)


def test_reweighing_makes_group_and_label_independent():
    rng = np.random.default_rng(6)
    group = rng.integers(0, 3, 900)
    label = (rng.random(900) < np.array([0.2, 0.5, 0.9])[group]).astype(int)
    w = reweighing(group, label)
    joint = np.zeros((3, 2))
    np.add.at(joint, (group, label), w)
    assert np.allclose(joint, joint.sum(1, keepdims=True) * joint.sum(0) / joint.sum()) and np.isclose(w.mean(), 1)
    cell = (group == 0) & (label == 1)
    assert np.allclose(w[cell], (group == 0).mean() * label.mean() / cell.mean())


def test_the_unit_of_a_numeric_attribute_does_not_matter():
    rng = np.random.default_rng(8)
    z = rng.normal(size=500)
    x = rng.normal(size=(500, 6)) + z[:, None] * rng.normal(size=6)
    once = erasure(x, z)
    for unit in (1e-9, 1e9):
        other = erasure(x, unit * (z + 3))
        assert other.rank == 1
        np.testing.assert_allclose(other(x), once(x), atol=1e-8)


def test_only_directions_beyond_chance_are_taken_out_and_units_count_once():
    """Six values in one direction of four; an attribute of units, which share their place, is chance over units."""
    taken = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        z, unit = rng.integers(0, 6, 400), np.repeat(np.arange(20), 20)
        x = rng.normal(size=(400, 4))
        place = x + 2 * rng.normal(size=(20, 4))[unit]
        x[:, 3] += z
        taken.append((erasure(x, z).rank, erasure(x, z, level=1).rank, erasure(place, unit % 2, unit).rank,
                      erasure(place, unit % 2).rank))
    one, every, none, wrong = np.array(taken).T
    assert np.median(one) == 1 and one.min() == 1 and (every == 4).all()
    assert (none > 0).sum() <= 4 and (wrong > 0).mean() > 0.8  # 5 %: more than four of 20 once in 400
