"""Splits: units never straddle parts, sealed rows follow from the data, classes stay in proportion."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.data.policy import Policy, checked_policy, choose_policy, parse_policy
from gnomon.data.split import carve_stop, join_units, split_rows
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError


@dataclass(frozen=True)
class Tie:
    codes: np.ndarray
    kind: str
    because: str = "planted"


def table(n: int, seed: int = 0, **more) -> Data:
    rng = np.random.default_rng(seed)
    columns = {"x": Dense(rng.normal(size=n), Spec("number")),
               "y": Dense(rng.integers(0, 2, n).astype(np.int32), Spec("category", categories=("a", "b")))}
    roles = {"x": Role("input", ""), "y": Role("target", "")}
    for name, (column, role) in more.items():
        columns[name], roles[name] = column, Role(role, "")
    return Data(columns, roles, np.arange(n))


def labels(data: Data) -> np.ndarray:
    return data.columns["y"].values.astype(int)


def sides(parts):
    return [fold.train for fold in parts.folds] + [parts.test]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.integers(3, 400), st.integers(60, 1500))
def test_no_unit_is_on_two_sides(seed, groups, n):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, groups, n)
    if len(np.unique(codes)) < 2:
        return
    data = table(n, seed, g=(Dense(codes.astype(float), Spec("number")), "group"))
    parts = split_rows(data, Policy("group", "g"), {}, labels(data), np.arange(n))
    for fold in parts.folds:
        assert not set(codes[fold.train]) & set(codes[fold.valid])
        assert not set(codes[fold.train]) & set(codes[parts.test])
        assert not len(np.intersect1d(fold.train, fold.valid))
    assert sorted(np.concatenate([parts.develop, parts.test])) == list(range(n))


def test_sealed_rows_do_not_depend_on_the_seed():
    data = table(1500)
    one, two = (split_rows(data, Policy("random"), {}, None, np.arange(1500), seed=s) for s in (0, 7))
    assert np.array_equal(one.test, two.test) and len(one.test) >= 150
    assert not np.array_equal(one.folds[0].valid, two.folds[0].valid)


def test_under_a_thousand_units_cross_validates_without_a_sealed_part():
    data = table(999)
    parts = split_rows(data, Policy("stratified"), {}, labels(data), np.arange(999), repeats=3)
    assert len(parts.test) == 0 and len(parts.folds) == 15 and parts.estimator == "repeated_cv"
    for repeat in range(3):
        seen = np.concatenate([f.valid for f in parts.folds if f.repeat == repeat])
        assert sorted(seen) == list(range(999))


def test_classes_stay_in_proportion():
    data = table(600)
    y = (np.arange(600) % 10 == 0).astype(int)
    parts = split_rows(data, Policy("stratified"), {}, y, np.arange(600))
    assert all(y[fold.valid].sum() == 12 for fold in parts.folds)


def test_copies_stay_together_under_every_policy():
    data = table(1200)
    copies = np.arange(1200)
    copies[600:610] = copies[:10]
    parts = split_rows(data, Policy("random"), {"duplicates": Tie(copies, "duplicate")}, None, np.arange(1200))
    for fold in parts.folds:
        for part in (fold.valid, parts.test):
            assert {i for i in range(10) if i in part} == {i - 600 for i in range(600, 610) if i in part}


def test_units_are_connected_components():
    assert join_units(np.array([0, 0, 1, 2, 3]), np.array([5, -1, 5, -1, 6])).tolist() == [0, 0, 0, 1, 2]


def test_time_judges_on_the_future():
    data = table(2000, t=(Dense(np.random.default_rng(1).permutation(2000).astype(float), Spec("number")), "time"))
    parts = split_rows(data, choose_policy(data, {}), {}, None, np.arange(2000))
    t = data.columns["t"].values
    assert parts.policy == "time:t"
    assert t[parts.folds[0].train].max() < t[parts.folds[0].valid].min() < t[parts.test].min()


def by_time(values, seal=True):
    n = len(values)
    data = table(n, t=(Dense(np.asarray(values, dtype=float), Spec("number")), "time"))
    return split_rows(data, Policy("time", "t"), {}, None, np.arange(n), seal=seal)


@pytest.mark.parametrize("n", [600, 1500])
def test_rows_without_a_time_train_only(n):
    values = np.arange(n, dtype=float)
    gone = np.random.default_rng(0).choice(n, n // 3, replace=False)
    values[gone] = np.nan
    parts = by_time(values)
    assert all(np.isin(gone, fold.train).all() for fold in parts.folds)
    assert not len(np.intersect1d(gone, np.concatenate([parts.test, *(fold.valid for fold in parts.folds)])))
    assert all(np.nanmax(values[fold.train]) < values[fold.valid].min() for fold in parts.folds)


def test_rows_without_a_date_train_only():
    day = np.datetime64("2020-01-01", "ns") + np.arange(1500).astype("timedelta64[D]")
    day[::3] = np.datetime64("NaT")
    parts = split_rows(table(1500, t=(Dense(day, Spec("date")), "time")), Policy("time", "t"), {}, None, np.arange(1500))
    assert not np.isnat(day[np.concatenate([parts.test, parts.folds[0].valid])]).any() and len(parts.test) == 100


def test_one_time_is_in_one_part():
    year = np.repeat(np.arange(2000, 2005), 240)
    parts = by_time(year)
    assert set(year[parts.test]) == {2004} and set(year[parts.folds[0].valid]) == {2003}
    assert set(year[parts.folds[0].train]) == {2000, 2001, 2002}
    few = by_time(np.repeat(np.arange(4), 60))
    assert len(few.folds) > 1 and all(len(fold.valid) % 60 == 0 and len(fold.valid) for fold in few.folds)
    two = by_time(np.repeat([0, 1], 600))  # nothing is left to seal
    assert not len(two.test) and len(two.folds) == 1 and len(two.folds[0].valid) == 600


def test_a_part_is_no_handful_of_rows_where_the_times_allow_more():
    time = np.concatenate([[0], np.full(800, 1), np.full(300, 2), np.full(98, 3), [4]])
    parts = by_time(time)
    assert min(map(len, (parts.folds[0].train, parts.folds[0].valid, parts.test))) >= 30


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000), st.integers(2, 40), st.sampled_from([60, 300, 1200]), st.booleans())
def test_a_split_by_time_has_no_empty_part_and_no_time_on_two_sides(seed, times, n, seal):
    rng = np.random.default_rng(seed)
    values = rng.choice(times, n, p=rng.dirichlet(np.full(times, 0.3)))
    if len(np.unique(values)) < 2:
        return
    parts = by_time(values, seal)
    for fold in parts.folds:
        assert len(fold.train) and len(fold.valid) and values[fold.train].max() < values[fold.valid].min()
    assert not len(parts.test) or values[parts.develop].max() < values[parts.test].min()


def test_one_time_is_no_time():
    data = table(300, t=(Dense(np.full(300, 7.0), Spec("number")), "time"))
    assert str(choose_policy(data, {})) == "stratified"
    with pytest.raises(InputError, match=r"E-SPLIT-TIME.*no two different times"):
        split_rows(data, Policy("time", "t"), {}, None, np.arange(300))


def test_the_likeliest_unit_that_looking_found_is_held_out():
    unit = Dense(np.arange(60.0) // 5, Spec("number"))
    data = table(60, batch=(unit, "group"), patient=(unit, "group"))
    found = {name: Tie(np.arange(60) // 5, "group") for name in ("patient", "batch")}
    assert str(choose_policy(data, found)) == "group:patient"


def test_policy_follows_the_structure():
    group = table(50, g=(Dense(np.arange(50.0) // 5, Spec("number")), "group"))
    assert str(choose_policy(group, {})) == "group:g"
    assert str(choose_policy(group, {}, wanted="same-groups")) == "stratified"
    smiles = table(4, m=(Dense(np.array(["C", "CC", "CCC", "CCCC"], dtype=object), Spec("molecule")), "input"))
    assert choose_policy(smiles, {"scaffold": Tie(np.zeros(4, int), "scaffold")}).name == "scaffold"


def test_stated_rows_are_taken_as_positions_in_the_input(tmp_path):
    data = table(10)
    dropped = Data(data.columns, data.roles, np.array([0, 1, 2, 4, 5, 6, 7, 8, 9, 10]))
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"train": [0, 1, 2, 3, 4, 5], "valid": [6, 7], "test": [8, 9, 10]}))
    parts = split_rows(dropped, Policy("rows", str(path)), {}, None, np.arange(10))
    assert parts.test.tolist() == [7, 8, 9] and parts.folds[0].train.tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("text, words", [("sideways", "not a split policy"), ("group", "needs a column")])
def test_bad_policies_are_refused_in_words(text, words):
    with pytest.raises(InputError, match=words):
        parse_policy(text)


@pytest.mark.parametrize("seal", [True, False])
def test_rows_of_the_only_unit_judge_each_other_and_say_so(seal):
    """The split is that of plain rows, named as such; the unit that could not be held out is remembered."""
    data = table(1200, g=(Dense(np.zeros(1200), Spec("number")), "group"))
    y = labels(data)
    one, plain = (split_rows(data, p, {}, y, np.arange(1200), seal=seal) for p in (Policy("group", "g"), Policy("stratified")))
    assert one.one_only == "g" and not plain.one_only and one.policy == plain.policy == "stratified"
    assert one.unit == "row" and "another g: not tested" in one.scope and "every row is of one g" in one.because
    np.testing.assert_array_equal(one.test, plain.test)
    for a, b in zip(one.folds, plain.folds, strict=True):
        np.testing.assert_array_equal(a.train, b.train)


def test_copies_of_one_row_are_refused():
    with pytest.raises(InputError, match=r"E-SPLIT-ONE-UNIT.*copy of every other"):
        split_rows(table(30), Policy("random"), {"duplicates": Tie(np.zeros(30, dtype=int), "duplicate")}, None, np.arange(30))


def test_families_are_those_of_molecules_and_sequences_or_a_column_that_names_them():
    named = Dense(np.arange(30, dtype=np.int32) % 3, Spec("category", categories=("A", "B", "C")))
    data = table(30, series=(named, "group"))
    assert str(checked_policy(Policy("scaffold", "series"), data)) == "group:series"
    assert checked_policy(Policy("group", "x"), data) == Policy("group", "x")
    for wrong, words in (("x", "holds numbers"), ("z", "absent"), ("", "no column")):
        with pytest.raises(InputError, match=words):
            checked_policy(Policy("cluster", wrong), data)


def test_units_that_all_hold_the_same_inputs_are_still_kept_apart():
    """12 workers answer the same 10 questions: copies would tie every row to every other, and the workers are what counts."""
    worker, question = np.repeat(np.arange(12), 10), np.tile(np.arange(10), 12)
    column = Dense(worker.astype(np.int32), Spec("category", categories=tuple(f"w{i}" for i in range(12))))
    copies = {"copies": Tie(question, "duplicate")}
    parts = split_rows(table(120, worker=(column, "group")), Policy("group", "worker"), copies, None, np.arange(120))
    assert len(np.unique(parts.units)) == 12 and not parts.one_only and "both sides" in parts.assumes
    assert all(not set(worker[f.train]) & set(worker[f.valid]) for f in parts.folds)


def test_of_several_split_columns_the_one_named_for_the_target_counts():
    """One table of many properties, each with parts of its own: split_y belongs to y."""
    column = Dense(np.arange(40, dtype=np.int32) % 2, Spec("category", categories=("train", "test")))
    data = table(40, split_of_any=(column, "split"), split_y=(column, "split"))
    assert str(choose_policy(data, {})) == "column:split_y"
    assert str(choose_policy(table(40, first=(column, "split"), second=(column, "split")), {})) == "column:first"


def test_numbered_training_parts_are_the_folds():
    words = ("train0", "train1", "train2", "test")
    column = Dense(np.arange(40, dtype=np.int32) % 4, Spec("category", categories=words))
    parts = split_rows(table(40, fold=(column, "split")), Policy("column", "fold"), {}, None, np.arange(40))
    assert parts.test.tolist() == list(range(3, 40, 4)) and len(parts.folds) == 3
    for k, fold in enumerate(parts.folds):
        assert fold.valid.tolist() == list(range(k, 40, 4))
        assert np.array_equal(np.sort(np.concatenate([fold.train, fold.valid, parts.test])), np.arange(40))


def test_overlapping_row_lists_are_refused(tmp_path):
    path = tmp_path / "rows.json"
    path.write_text(json.dumps({"train": [0, 1], "test": [1]}))
    with pytest.raises(InputError, match="two parts"):
        split_rows(table(5), Policy("rows", str(path)), {}, None, np.arange(5))


def test_stopping_rows_are_of_other_units():
    units = np.arange(200) // 4
    fit, stop = carve_stop(units, np.arange(200), None, 0, "x")
    assert not set(units[fit]) & set(units[stop]) and 10 <= len(stop) <= 30
