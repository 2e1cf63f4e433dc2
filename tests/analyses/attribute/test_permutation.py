"""Permutation importance: nothing for what is not used, the closed form for a linear truth, groups as one."""

import numpy as np
import pytest
from attribution_fakes import Formula, table, values

from gnomon.analyses.attribute._inputs import groups_of, named, parts_of
from gnomon.analyses.attribute._inside import mover
from gnomon.analyses.attribute._intervals import jackknife, left_out, mean_over_units
from gnomon.analyses.attribute.permutation_importance import permutation_importance
from gnomon.tasks.regress import regress


def linear(n=800, seed=0):
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, n))
    data = table({"a": a, "b": b, "unused": c, "category:kind": rng.choice(list("xyz"), n),
                  "y": 2 * a + b + rng.normal(size=n) * 0.1})
    return data, Formula(lambda d, r: 2 * values(d, r, "a")[0] + values(d, r, "b")[0])


def run(learned, data, units=None, **options):
    n = len(data)
    task = options.pop("task", regress("y"))
    units = np.arange(n) if units is None else units
    return permutation_importance(learned, task, data, np.arange(n), units, **options)


def test_unused_inputs_have_importance_zero_and_used_ones_their_closed_form():
    data, learned = linear()
    found = {i.what: i for i in run(learned, data).found}
    assert found[("unused",)].value == found[("unused",)].low == found[("unused",)].high == 0
    assert found[("kind",)].value == 0
    # shuffling a standard normal with weight w adds 2 w^2 to the mean squared error
    for name, weight in (("a", 2), ("b", 1)):
        expected = np.sqrt(2 * weight**2 + 0.01) - 0.1
        assert found[(name,)].value == pytest.approx(expected, rel=0.1)
        assert found[(name,)].low < expected < found[(name,)].high


def test_the_interval_widens_when_rows_come_in_units():
    data, learned = linear(400)
    single = run(learned, data).found[0]
    grouped = run(learned, data, units=np.arange(400) // 40).found[0]
    assert grouped.what == single.what and grouped.value == pytest.approx(single.value, rel=0.3)
    assert grouped.high - grouped.low > 0


def test_correlated_inputs_are_shuffled_together():
    rng = np.random.default_rng(1)
    a = rng.normal(size=500)
    data = table({"a": a, "copy": a + rng.normal(size=500) * 0.01, "b": rng.normal(size=500), "y": a})
    learned = Formula(lambda d, r: (values(d, r, "a")[0] + values(d, r, "copy")[0]) / 2)
    found = {i.what: i for i in run(learned, data).found}
    assert set(found) == {("a", "copy"), ("b",)}
    assert found[("a", "copy")].value == pytest.approx(np.sqrt(2), rel=0.1)


def test_blocks_are_shuffled_whole_and_by_column():
    rng = np.random.default_rng(2)
    block = rng.normal(size=(300, 12))
    data = table({"g": block, "z": rng.normal(size=300), "y": block[:, 3]})
    found = run(Formula(lambda d, r: values(d, r, "g")[0][:, 3]), data, seconds=60).found
    by_name = {i.what: i.value for i in found}
    assert by_name[("g3",)] == pytest.approx(by_name[("g",)], rel=0.15) and by_name[("g3",)] > 1
    assert all(v == 0 for k, v in by_name.items() if k not in {("g3",), ("g",)})


def test_what_the_clock_leaves_out_is_named():
    data, learned = linear(200)
    result = run(learned, data, seconds=0.0)
    assert len(result.found) == 1 and len(result.unchecked) == 3


def test_same_seed_same_numbers():
    data, learned = linear(200)
    assert run(learned, data, seed=3).found == run(learned, data, seed=3).found


def test_categories_and_numbers_that_say_the_same_are_one_group():
    rng = np.random.default_rng(3)
    kind = rng.choice(list("abc"), 400)
    data = table({"category:kind": kind, "category:other": rng.choice(list("uv"), 400),
                  "code": np.array([{"a": 0.0, "b": 5.0, "c": 9.0}[k] for k in kind]) + rng.normal(size=400) * 0.1,
                  "category:twin": np.char.upper(kind), "y": np.zeros(400)})
    groups = groups_of(data, parts_of(data), np.arange(400))
    assert sorted(sorted(p.what for p in g) for g in groups) == [["code", "kind", "twin"], ["other"]]


def test_a_chain_of_columns_is_cut_and_named_shortly():
    """60 columns, each like the next, the first nothing like the last: not one group, and never 60 names in a sentence."""
    rng, n = np.random.default_rng(5), 500
    walk = rng.normal(size=(n, 60)).cumsum(axis=1) + 2 * rng.normal(size=(n, 1))
    data = table({**{f"x{i}": walk[:, i] for i in range(60)}, "y": np.zeros(n)})
    groups = [[p.what for p in g] for g in groups_of(data, parts_of(data), np.arange(n))]
    assert sorted(what for g in groups for what in g) == sorted(data.inputs)
    home = {what: k for k, g in enumerate(groups) for what in g}
    assert home["x0"] != home["x59"] and home["x58"] == home["x59"] and max(map(len, groups)) < 60
    assert named(list("abcd")) == "a + b + c + d" and named([f"x{i}" for i in range(60)]) == "x0 + x1 + x2 and 57 more alike"


def test_intervals_over_units_cover():
    """Nominal 95 % for the mean of clustered rows: at least 91 % of 400 draws with 20 units (binomial noise 1.1 %)."""
    rng, hits = np.random.default_rng(4), 0
    for _ in range(400):
        units = np.repeat(np.arange(20), 5)
        sample = rng.normal(size=20)[units] + rng.normal(size=100)
        _, low, high = mean_over_units(sample, units)
        hits += low <= 0 <= high
    assert 0.91 <= hits / 400 <= 0.985


def test_the_jackknife_of_a_mean_is_the_t_interval_and_few_units_get_none():
    sample = np.random.default_rng(5).normal(size=30)
    units = np.arange(30)
    value, low, high = jackknife(lambda rows: sample[rows].mean(), units, left_out(units, 0))
    assert (value, low, high) == pytest.approx(mean_over_units(sample, units))
    assert mean_over_units(sample, np.arange(30) % 2)[1] is None


def test_a_structured_column_is_shuffled_by_moving_the_others_the_opposite_way():
    rng = np.random.default_rng(6)
    texts = np.array([str(k) for k in range(40)])
    data = table({"text:t": texts, "a": rng.normal(size=40), "category:k": rng.choice(list("ab"), 40),
                  "y": np.zeros(40)})
    learned = Formula(lambda d, r: values(d, r, "t")[0].astype(float) + values(d, r, "a")[0])
    order = rng.permutation(40)
    move = mover(learned, data, np.arange(40))
    assert np.allclose(move(parts_of(data, ("t",)), order).value, order + data.columns["a"].values)
    alone = table({"text:t": texts, "y": np.zeros(40)})
    single = mover(Formula(lambda d, r: values(d, r, "t")[0].astype(float)), alone, np.arange(40))
    assert (single(parts_of(alone), order).value == order).all()
