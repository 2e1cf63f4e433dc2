"""Curves of known functions, interaction of sums and products, removal of true and false cues."""

import numpy as np
import pytest
from attribution_fakes import Formula, table, values

from gnomon.analyses.attribute._ground import ground_of
from gnomon.analyses.attribute._question import ask
from gnomon.analyses.attribute.counterfactual_removal import counterfactual_removal, moved
from gnomon.analyses.attribute.dependence import dependence
from gnomon.analyses.attribute.h_statistic import h_statistic
from gnomon.errors import InputError
from gnomon.rng import stream
from gnomon.tasks.regress import regress


def made(n=300, correlated=0.0, seed=0):
    dice = stream(seed, "rows")
    a, b = dice.normal(size=(2, n))
    return table({"a": a, "b": correlated * a + np.sqrt(1 - correlated**2) * b,
                  "category:site": np.array(["x", "y", "z"])[dice.integers(0, 3, n)], "y": np.zeros(n)})


def answer_of(value):
    return lambda data: np.asarray(value(data, np.arange(len(data))), dtype=float)


def test_ale_of_an_additive_function_is_its_centred_component_even_with_correlated_inputs():
    data = made(correlated=0.9)
    additive = answer_of(lambda d, r: np.sin(values(d, r, "a")[0]) + values(d, r, "b")[0] ** 2)
    found = dependence(additive, data, "a", bins=15)
    offset = found.local - np.sin(np.array(found.at))
    assert np.ptp(offset) < 1e-12
    inner = values(data, np.arange(300), "a")[0]
    inner = inner[(inner >= found.at[0]) & (inner <= found.at[-1])]
    assert abs(np.interp(inner, found.at, found.local).mean()) < 0.02


def test_pd_of_a_linear_model_is_a_line_with_its_slope_and_no_interval_around_it():
    found = dependence(answer_of(lambda d, r: 3 * values(d, r, "a")[0] - values(d, r, "b")[0]), made(), "a")
    assert np.allclose(np.diff(found.partial) / np.diff(found.at), 3)
    assert np.allclose(found.partial.mean(), 0) and np.allclose(found.local - found.local[0], found.partial - found.partial[0])
    assert (found.high - found.low).max() < 1e-9


def test_local_effects_of_a_product_use_only_rows_nearby_where_partial_dependence_goes_astray():
    """f = a b with b = a: the local slope is b near a, so ALE is a^2 / 2; PD, which tears them apart, is flat."""
    data = made(n=2000, correlated=1.0)
    found = dependence(answer_of(lambda d, r: np.prod(values(d, r, "a", "b"), axis=0)), data, "a", bins=40)
    half = np.array(found.at) ** 2 / 2
    assert np.abs((found.local - found.local.mean()) - (half - half.mean())).max() < 0.1
    assert np.abs(found.partial).max() < 0.1


def test_categories_and_block_columns_and_refusals():
    data = made()
    found = dependence(answer_of(lambda d, r: 2.0 * (values(d, r, "site")[0] == 1)), data, "site")
    assert found.at == ("x", "y", "z") and found.local is None
    assert np.allclose(found.partial, [-2 / 3, 4 / 3, -2 / 3]) and np.allclose(found.low, found.partial)
    block = table({"gene": stream(1, "block").normal(size=(50, 3)), "y": np.zeros(50)})
    slope = dependence(answer_of(lambda d, r: d.columns["gene"].take(r)[:, 2] * 5), block, "gene", place=2, bins=5)
    assert np.allclose(np.diff(slope.local) / np.diff(slope.at), 5, atol=1e-3)
    with pytest.raises(InputError, match="E-COLUMN-KIND"):
        dependence(answer_of(lambda d, r: np.zeros(len(r))), table({"text:t": np.array(["a"] * 9), "y": np.zeros(9)}), "t")


@pytest.mark.filterwarnings("error")
def test_rows_of_one_unit_give_curves_without_an_interval():
    data, one = made(), np.zeros(300)
    answer = answer_of(lambda d, r: values(d, r, "a")[0] * values(d, r, "b")[0])
    for column in ("a", "site"):
        found = dependence(answer, data, column, units=one)
        assert found.low is None and found.high is None and np.isfinite(found.partial).all()
    joint = h_statistic(answer, data, "a", "b", units=one)
    assert joint.low is None and joint.value > 0.5


def test_h_is_zero_for_a_sum_and_large_for_a_product():
    data = made()
    added = h_statistic(answer_of(lambda d, r: values(d, r, "a")[0] ** 3 + np.cos(values(d, r, "b")[0])), data, "a", "b")
    assert added.value < 1e-20 and added.size < 1e-10
    times = h_statistic(answer_of(lambda d, r: np.prod(values(d, r, "a", "b"), axis=0)), data, "a", "b")
    assert times.value > 0.8 and times.low > 0 and times.size > 0.3
    site = h_statistic(answer_of(lambda d, r: values(d, r, "a")[0] * (values(d, r, "site")[0] == 2)), data, "a", "site")
    assert 0.05 < site.value < 1


def ground_with(value, data):
    task = regress("y", mean=0.0, sd=1.0)
    learned, rows = Formula(value), np.arange(len(data))
    return task, ground_of(data, rows, rows, ask(task, learned.predict(data, rows)), learned.predict)


def test_removing_the_column_that_is_used_costs_and_removing_another_does_not():
    dice = stream(2, "rows")
    a, b, c, d = dice.normal(size=(4, 200))
    data = table({"a": a + 2, "b": b, "c": c, "d": d, "y": 3 * (a + 2)})
    task, ground = ground_with(lambda t, r: 3 * values(t, r, "a")[0], data)
    truth, units = task.truth(data, np.arange(200)), np.arange(200)
    cue = lambda name: [np.array([p.column == name for p in pieces]) for pieces in ground.pieces]  # noqa: E731
    used = counterfactual_removal(ground, cue("a"), task, truth, units)
    centred = 3 * (a + 2) - 3 * np.median(a + 2)
    assert used.rows == 200 and used.pieces == 1
    assert used.output.value == pytest.approx(centred.mean()) and used.random.value == 0
    assert used.score.value > 1 and used.score_beyond.low > 0
    idle = counterfactual_removal(ground, cue("b"), task, truth, units)
    assert idle.output.value == 0 and not idle.holds and idle.score.value == 0
    assert idle.entry["output"]["value"] == 0


def test_a_motif_that_is_read_holds_and_one_that_is_not_does_not():
    dice = stream(3, "texts")
    texts = np.array(["".join(dice.choice(list("ACGT"), 30)) for _ in range(60)], dtype=object)
    texts = np.array([t[:8] + "GGATCC" + t[14:20] + "TTTTT" + t[25:] for t in texts], dtype=object)
    data = table({"sequence:s": texts, "y": np.ones(60)})
    task, ground = ground_with(lambda t, r: np.array(["GGATCC" in s for s in t.columns["s"].take(r)]), data)
    cue = lambda a, b: [np.array([a <= p.span[0] < b for p in pieces]) for pieces in ground.pieces]  # noqa: E731
    read = counterfactual_removal(ground, cue(8, 14), task, np.ones(60), np.arange(60))
    assert read.holds and read.output.value > 0.95 and read.random.value < 0.7
    idle = counterfactual_removal(ground, cue(20, 25), task, np.ones(60), np.arange(60))
    assert not idle.holds and idle.output.value == 0


def test_the_random_cue_keeps_the_pattern_and_keeps_off_the_real_one():
    mask = np.zeros(20, bool)
    mask[[2, 3, 4]] = True
    for k in range(20):
        other = moved(mask, stream(k, "roll"))
        assert other.sum() == 3 and not (other & mask).any()
