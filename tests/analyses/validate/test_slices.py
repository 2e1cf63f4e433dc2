"""A planted weak slice is found in most draws; exchangeable errors draw none beyond the stated rate."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.validate.slices import Condition, Judged, added_p, conditions, fallback, gap_t, slice_findings, slices
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress


def judged(rng, n, planted=0.0, columns=6):
    """Errors of a fitted number; where a is in its top quarter and b is 'x' they are (1 + planted) times as large."""
    table = {f"n{i}": rng.normal(size=n) for i in range(columns)}
    words = np.array(["x", "y", "z"], dtype=object)[rng.integers(0, 3, n)]
    table["word"] = words
    weak = (table["n0"] > np.quantile(table["n0"], 0.75)) & (words == "x")
    y = rng.normal(size=n) * 3
    told = y + rng.normal(size=n) * np.where(weak, 1 + planted, 1.0)
    task = regress("y")
    stats = task.measure(Prediction(told), y)
    return task, Judged(stats, task.measure(Prediction(np.zeros(n)), y), np.arange(n), table), weak


def test_planted_slice_is_found_with_power():
    hits = []
    for seed in range(20):
        task, at, _ = judged(np.random.default_rng(seed), 1200, planted=1.5)
        found = [s for s in slices(task, at, seed=seed) if s.confirmed]
        hits.append(any({c.column for c in s.where} & {"n0", "word"} for s in found))
    assert np.mean(hits) >= 0.8


def test_exchangeable_errors_draw_none():
    false = 0
    for seed in range(100):
        task, at, _ = judged(np.random.default_rng(1000 + seed), 500, planted=0.0)
        false += bool(slice_findings(task, slices(task, at, seed=seed), "a held half"))
    assert false <= 9  # 5 % of 100, at most 9 by chance in 97 % of cases


def test_random_labels_in_one_class_slice_are_a_warning():
    rng = np.random.default_rng(3)
    n = 2000
    site = np.array(["a", "b", "c", "d"], dtype=object)[rng.integers(0, 4, n)]
    y = rng.integers(0, 2, n)
    p = np.where(y == 1, 0.9, 0.1)
    shuffled = site == "d"
    p[shuffled] = np.where(rng.integers(0, 2, shuffled.sum()) == 1, 0.9, 0.1)
    task = classify("y", ("no", "yes"), metric="roc_auc")
    stats = task.measure(Prediction((p > 0.5).astype(int), np.stack([1 - p, p], 1)), y)
    floor = task.measure(task.naive(y).predict(n), y)
    found = slice_findings(task, slices(task, Judged(stats, floor, np.arange(n), {"site": site})), "test")
    assert found[0].grade == "warn" and found[0].columns == ("site",) and "'d'" in found[0].claim


def noisier(seed, n=500):
    """The true model of a target that one input and noise make; the noise of one word is larger."""
    rng = np.random.default_rng(seed)
    a, f = rng.normal(size=n), rng.integers(0, 2, n) == 1
    y, task = a + np.where(f, 1.0, 0.3) * rng.normal(size=n), regress("y")
    table = {"a": a, "b": rng.normal(size=n), "c": rng.normal(size=n), "s": np.where(f, "f", "m").astype(object)}
    return task, Judged(task.measure(Prediction(a), y), task.measure(Prediction(np.zeros(n)), y), np.arange(n), table)


def test_parts_of_a_slice_are_not_said_beside_it_and_a_true_model_does_not_fail():
    """Nothing but the word matters: not a band beside it, nor a band of the input in which the floor is right."""
    for seed in range(4):
        task, at = noisier(seed)
        found = slice_findings(task, slices(task, at, seed=seed), "a held half")
        assert [(f.columns, f.grade) for f in found] == [(("s",), "note")]


def test_a_part_that_is_worse_than_the_rest_of_a_slice_adds_to_it():
    rng = np.random.default_rng(8)
    f, late = rng.integers(0, 2, (2, 600)) == 1
    own, each = rng.normal(size=600), np.arange(600)
    even, worse = own + 2 * f, own + 2 * f + 2 * (f & late)
    assert added_p(even, f & late, [f], each, 600) > 0.05 > added_p(worse, f & late, [f], each, 600)
    assert added_p(even, f, [f & late], each, 600) < 0.01  # the whole, found after its part, has other rows that are worse
    assert np.isclose(added_p(worse, f & late, [f], each, 600), ttest(worse[f], late[f]), rtol=0.2)
    assert added_p(even, f, [f | (each < 10)], each, 600) == 1.0  # too few rows tell the two apart


def ttest(losses, mask):
    from scipy.stats import ttest_ind

    return ttest_ind(losses[mask], losses[~mask], equal_var=False, alternative="greater").pvalue


def test_few_rows_of_a_slice_are_not_judged():
    rng = np.random.default_rng(4)
    task, at, _ = judged(rng, 60, planted=3.0)
    assert all(s.few or s.n_units >= 20 for s in slices(task, at, at.take(np.arange(30))))


def test_gap_is_a_t_over_units_not_rows():
    rng = np.random.default_rng(5)
    loss = rng.normal(size=200)
    mask = np.arange(200) < 80
    once = gap_t(loss, mask[None], np.arange(200), 200)[0]
    thrice = gap_t(np.tile(loss, 3), np.tile(mask, 3)[None], np.tile(np.arange(200), 3), 200)[0]
    assert np.isclose(once, thrice)  # copies of the same units add nothing


def test_conditions_cover_a_number_once_and_speak_plainly():
    values = np.random.default_rng(6).normal(size=400)
    made = conditions({"age": values, "sex": np.array(["f", "m"] * 200, dtype=object)})
    numbers = np.stack([c.holds(values) for c in made if c.column == "age"])
    assert numbers.shape[0] == 4 and (numbers.sum(axis=0) == 1).all()
    assert Condition("year", None, 1998.0, 2004.0).said == "'year' is 1998 to 2004"
    assert Condition("age", None, -np.inf, 3.0).said == "'age' is under 3" and made[-1].said == "'sex' is 'm'"


def test_bands_of_numbers_in_steps_are_named_by_the_levels_in_them():
    values = {"stage": np.repeat([1.0, 2, 3], 20), "year": np.repeat(np.arange(2000.0, 2008), 10)}
    assert [c.said for c in conditions({"stage": values["stage"]})] == [f"'stage' is {k}" for k in (1, 2, 3)]
    said = [c.said for c in conditions({"year": values["year"]})]
    assert said == ["'year' is 2001 or less", "'year' is 2002 to 2003", "'year' is 2004 to 2005", "'year' is 2006 or more"]


def test_fallback_hands_its_part_of_the_level_on():
    np.testing.assert_allclose(fallback([0.02, 0.03]), [0.04, 0.04])  # 0.02 / (1/2); then 0.03 / (1/2 + 1/4), or the first's
    np.testing.assert_allclose(fallback([0.9, 0.01]), [1.0, 0.04])  # the first fails: 0.01 / (1/4)
    np.testing.assert_allclose(fallback([0.001, 0.03, 0.03]), [0.002, 0.04, 0.04])  # 0.03 / (7/8) is under what the second has
    rng = np.random.default_rng(7)
    wrong = np.mean([min(fallback(rng.random(5))) < 0.05 for _ in range(4000)])
    assert 0.03 < wrong < 0.06  # the family-wise error of independent true hypotheses
