"""Clusters of explanations: found where planted, none in one cloud whatever its shape, and told with their accuracy."""

import numpy as np
import pytest
from attribution_fakes import Odds, table, values

from gnomon.analyses.attribute.explanation_clusters import explanation_clusters, modes_by_chance
from gnomon.rng import stream


def two_ways(n, seed, share=0.3):
    """Attributions on six things: most rows lean on the first, a share on the second."""
    dice = stream(seed, "two ways", n)
    other = dice.random(n) < share
    return 0.3 * dice.normal(size=(n, 6)) + np.where(other[:, None], np.eye(6)[1], np.eye(6)[0]) * 2, other


def test_two_ways_of_deciding_are_two_clusters():
    x, other = two_ways(160, 3)
    large, small = explanation_clusters(x, seed=3)
    assert set(small.rows) == set(np.flatnonzero(other)) and set(large.rows) == set(np.flatnonzero(~other))
    assert large.typical in large.rows and small.typical in small.rows and small.chance < 0.05
    assert np.isclose(large.share + small.share, 1)


def test_groups_are_never_mixed_and_small_ones_stay_whole():
    x, other = two_ways(160, 4)
    by_class = explanation_clusters(x, groups=np.where(other, "b", "a"), seed=0)
    assert sorted((c.group, len(c.rows)) for c in by_class) == [("a", int((~other).sum())), ("b", int(other.sum()))]
    assert len(explanation_clusters(x[:15])) == 1
    assert len(explanation_clusters(np.zeros((60, 4)))) == 1


@pytest.mark.parametrize("shape", ["normal", "exponential", "heavy"])
def test_one_cloud_is_one_cluster_whatever_its_shape(shape):
    """Of 25 clouds 5 % may be split; six or more would happen by chance in less than 0.2 % of trials."""
    splits = 0
    for seed in range(25):
        dice = stream(seed, "cloud", shape)
        x = {"normal": lambda d=dice: d.normal(size=(100, 6)) * [3, 1, 1, 1, 1, 1], "exponential": lambda d=dice: d.exponential(
            size=(100, 6)), "heavy": lambda d=dice: d.standard_t(3, size=(100, 6))}[shape]()
        splits += len(explanation_clusters(x, seed=seed)) > 1
    assert splits <= 5


def test_the_test_of_modes_knows_one_from_two():
    dice = stream(0, "modes")
    assert modes_by_chance(dice.normal(size=120)) > 0.05
    assert modes_by_chance(np.concatenate([dice.normal(-3, 1, 60), dice.normal(3, 1, 60)])) < 0.02
    assert modes_by_chance(np.ones(50)) == 1.0


def test_a_table_decided_in_two_ways_is_told_so():
    """Rows with flag 1 are decided by b, the others by a: two clusters within a predicted class, each with its accuracy."""
    from gnomon.analyses.attribute._attempts import by_occlusion
    from gnomon.analyses.attribute._case import Case
    from gnomon.analyses.attribute._question import ask
    from gnomon.analyses.attribute._statements import Held
    from gnomon.analyses.attribute._together import clusters_of
    from gnomon.tasks.classify import classify

    dice, n = stream(1, "table"), 300
    flag, size = dice.random(n) < 0.35, dice.uniform(2.5, 3.5, n)
    a, b = np.where(flag, 0.0, size), np.where(flag, size, 0.0)
    low = dice.random(n) < 0.4
    data = table({"a": np.where(low, 0.0, a), "b": np.where(low, 0.0, b), "c": dice.normal(size=n),
                  "category:y": np.where(low | (flag & (dice.random(n) < 0.3)), "no", "yes")})
    model = Odds(lambda d, r: sum(values(d, r, "a", "b")) - 1.5 + 0.1 * values(d, r, "c")[0])
    task, rows = classify("y", ("no", "yes")), np.arange(n)
    case = Case(model, task, data, rows, rows, ask(task, model.predict(data, rows)), 0,
                lambda s: Odds(lambda d, r: stream(s, "blind").normal(size=len(r))), float("inf"))
    attempt = by_occlusion(case, technique="occlusion")
    held = Held(model, task, data, rows, rows, rows, 0, float("inf"))
    told = clusters_of(attempt, held, rows)["clusters"]
    ways = {c["leans_on"][0]: c for c in told["found"] if c["group"] == "yes"}
    assert set(ways) == {"a", "b"} and told["measured"] == "accuracy"
    assert ways["a"]["score"]["value"] == 1.0 and ways["b"]["score"]["high"] < 0.9 and ways["b"]["others"]["value"] == 1.0
    assert ways["b"]["size"] == int((flag & ~low).sum())
