"""Probes, neighbours across parts and maps: known answers, honest nulls, one seed one picture."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gnomon.analyses.represent._random_copy import random_copy
from gnomon.analyses.represent.embedding_map import embedding_map
from gnomon.analyses.represent.linear_probe import linear_probe
from gnomon.analyses.represent.nearest_neighbours import nearest_neighbours
from gnomon.errors import InputError


def test_a_probe_reads_what_is_there_and_beats_a_copy_that_lacks_it():
    rng = np.random.default_rng(0)
    site = rng.integers(0, 3, 400)
    knows = rng.normal(size=(400, 20))
    knows[:, :3] += 2 * np.eye(3)[site]
    lacks = rng.normal(size=(400, 20))
    found = linear_probe(knows, np.array(list("abc"))[site], baseline=lacks)
    assert found.score > 0.75 and found.low < found.score < found.high
    assert abs(found.permuted - 1 / 3) < 0.05 and found.beyond == pytest.approx(1 / 21)
    assert abs(found.baseline - 1 / 3) < 0.1 and found.advantage_low > 0.3
    assert found.advantage == pytest.approx(found.score - found.baseline)


def test_a_probe_scores_as_the_best_possible_rule_does():
    # two normals at distance 2 sd: the best balanced accuracy is Phi(1) = 0.841
    rng = np.random.default_rng(1)
    code = np.repeat([0, 1], [2400, 600])  # uneven: priors are equal all the same
    x = rng.normal(size=(3000, 5))
    x[:, 2] += 2 * code
    assert linear_probe(x, code, permutations=2).score == pytest.approx(0.8413, abs=0.03)
    # y = x + noise of the same variance: R squared 1 / 2
    y = x[:, 0] + rng.normal(size=3000)
    found = linear_probe(x, y, permutations=5)
    assert found.metric == "R squared" and found.score == pytest.approx(0.5, abs=0.05)
    assert found.low < 0.5 < found.high and abs(found.permuted) < 0.02


def test_the_advantage_of_nothing_covers_zero():
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        code = rng.integers(0, 2, 120)
        a = rng.normal(size=(120, 10)) + 0.5 * code[:, None]
        b = rng.normal(size=(120, 10)) + 0.5 * code[:, None]
        found = linear_probe(a, code, baseline=b, permutations=0)
        wrong += not found.advantage_low <= 0 <= found.advantage_high
    assert wrong <= 6  # 40 x 5 % = 2; more than 6 has a chance below 1 in 100


def test_whole_groups_are_held_out():
    # every group has a mark of its own; it tells the class only to who has seen the group
    rng = np.random.default_rng(2)
    group = np.repeat(np.arange(24), 10)
    code = rng.permutation(np.repeat([0, 1], 12))[group]
    x = 3 * rng.normal(size=(24, 30))[group] + rng.normal(size=(240, 30))
    assert linear_probe(x, code, permutations=0).score > 0.95
    held = linear_probe(x, code, groups=group, permutations=0)
    assert held.score < 0.8 and held.n_units == 24 and held.high - held.low > 0.2


def test_what_is_given_to_both_is_no_advantage():
    rng = np.random.default_rng(3)
    target = rng.integers(0, 2, 500)
    batch = np.where(rng.random(500) < 0.8, target, 1 - target)
    trained = np.column_stack([3 * target + rng.normal(size=500), rng.normal(size=500)])  # knows the target, no more
    untrained = rng.normal(size=(500, 2))
    assert linear_probe(trained, batch, baseline=untrained, permutations=0).advantage_low > 0.15
    fair = linear_probe(trained, batch, baseline=untrained, given=np.eye(2)[target], permutations=0)
    assert abs(fair.advantage) < 0.03 and fair.advantage_low <= 0 <= fair.advantage_high


def test_classes_of_one_group_cannot_be_probed():
    x = np.random.default_rng(4).normal(size=(40, 3))
    with pytest.raises(InputError, match="single group"):
        linear_probe(x, np.arange(40) // 20, groups=np.arange(40) // 20)
    with pytest.raises(InputError, match="one value a row"):
        linear_probe(x, np.arange(39))


def test_a_random_copy_has_learned_nothing_and_leaves_the_original():
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.token = nn.BatchNorm1d(4), nn.Parameter(torch.full((1, 4), 7.0) + torch.randn(1, 4))
            self.out = nn.Linear(4, 2)

        def forward(self, x):
            return self.out(self.norm(x) + self.token)

    torch.manual_seed(0)
    model = Own()
    model(torch.randn(50, 4) + 3)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    one, same, other = random_copy(model, 1), random_copy(model, 1), random_copy(model, 2)
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert torch.equal(one.out.weight, same.out.weight) and not torch.equal(one.out.weight, other.out.weight)
    assert not torch.equal(one.out.weight, model.out.weight) and not torch.equal(one.token, model.token)
    assert torch.equal(one.norm.running_mean, torch.zeros(4)) and abs(float(one.token.detach().mean()) - 7) < 3


def test_near_copies_across_parts_are_named_and_others_are_not():
    rng = np.random.default_rng(5)
    train, test = rng.normal(size=(1500, 12)), rng.normal(size=(300, 12))
    test[7] = train[40]
    test[[50, 60]] = train[[41, 42]] + 0.02 * rng.normal(size=(2, 12))
    found = nearest_neighbours(train, test)
    assert set(found.close) == {7, 50, 60} and found.close[0] == 7
    assert found.index[[7, 50, 60], 0].tolist() == [40, 41, 42]
    from scipy.spatial.distance import cdist

    assert np.allclose(found.distance, np.sort(cdist(test, train), axis=1)[:, :10])
    with pytest.raises(InputError, match="one width"):
        nearest_neighbours(train, test[:, :5])


@pytest.mark.parametrize("technique", ["PCA", "t-SNE"])
def test_maps_keep_clusters_apart_and_repeat(technique):
    rng = np.random.default_rng(6)
    code = np.repeat(np.arange(3), 60)
    x = rng.normal(size=(180, 20)) + 12 * rng.normal(size=(3, 20))[code]
    found, again = (embedding_map(x, {"kind": code}, technique=technique) for _ in range(2))
    assert np.array_equal(found.x, again.x) and found.technique == technique
    assert np.array_equal(found.colours["kind"], code[found.rows]) and found.trust > 0.7
    from sklearn.metrics import silhouette_score

    assert silhouette_score(np.column_stack([found.x, found.y]), code) > 0.7
    assert bool(found.explained) == (technique == "PCA")
    assert len(embedding_map(x, most=50).rows) == 50


def test_a_map_of_too_little_is_pca_and_says_so():
    assert embedding_map(np.eye(5), technique="UMAP").technique == "PCA"
    one = embedding_map(np.arange(40.0)[:, None], technique="t-SNE")
    assert one.technique == "PCA" and np.allclose(one.y, 0) and one.explained[0] == pytest.approx(1)


@pytest.mark.slow  # compiling UMAP takes 10 to 20 s
def test_umap_is_quiet_seeded_and_lays_copies_on_one_point():
    rng = np.random.default_rng(7)
    code = np.repeat(np.arange(3), 60)
    x = rng.normal(size=(180, 20)) + 12 * rng.normal(size=(3, 20))[code]
    x[1] = x[0]
    found, again = (embedding_map(x, technique="UMAP", seed=3) for _ in range(2))
    assert np.array_equal(found.x, again.x) and found.technique == "UMAP" and found.trust > 0.8
    assert (found.x[0], found.y[0]) == (found.x[1], found.y[1])
