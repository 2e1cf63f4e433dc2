"""Shift between sources, taken apart: inputs, target, and their relation where it can be tested at all."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression

from gnomon.analyses.validate._shift_parts import moved_features, relation, target_moved
from gnomon.analyses.validate.shift import shift, sources_finding
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress

TASK = regress("y")
OWN = np.arange(300), np.arange(150)  # every row its own unit


def sources(seed, *, inputs=0.0, meaning=0.0, n=300, m=150):
    """Training and test rows; `inputs`: how far the first input moves; `meaning`: how the second one's effect changes."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + m, 3))
    x[n:, 0] += inputs
    y = x @ [1.0, 0.5, 0.0] + rng.normal(size=n + m)
    y[n:] += meaning * x[n:, 1]
    oof, test = np.zeros(n), np.zeros(m)
    for k in range(5):
        held = np.arange(n) % 5 == k
        model = LinearRegression().fit(x[:n][~held], y[:n][~held])
        oof[held], test = model.predict(x[:n][held]), test + model.predict(x[n:]) / 5
    return (x[:n], x[n:]), (y[:n], y[n:]), (Prediction(oof), Prediction(test))


def related(seed, **how):
    x, y, told = sources(seed, **how)
    return relation(TASK, x, y, told, OWN, seed=seed)


def test_concept_shift_is_seen_at_matched_inputs_and_not_taken_for_covariate_shift():
    still = [related(seed).changed for seed in range(40)]
    moved = [related(seed, inputs=1.0).changed for seed in range(40)]
    changed = [related(seed, meaning=-2.0).changed for seed in range(20)]
    assert np.mean(still) <= 0.125 and np.mean(moved) <= 0.125  # 5 %: more than five of 40 once in 70
    assert np.mean(changed) >= 0.7


def test_where_no_training_row_is_near_the_relation_is_not_identifiable():
    found = related(0, inputs=9.0)
    assert found.more is None and not found.changed
    x, y, told = sources(0, inputs=9.0)
    claim = sources_finding(shift(*x), moved_features(*x, "abc", (300, 150)), target_moved(TASK, *y, told, OWN), found)
    assert "not identifiable" in claim.claim and claim.grade == "warn" and claim.columns[0] == "a"
    assert "covariate shift explains it" in claim.claim, "the target moved as the model expects from the inputs"


def in_units(seed, g, m=25, alike=0.2):
    """Two sides of g units of m rows, their errors correlated in a unit, the true function as prediction; and the units."""
    rng = np.random.default_rng(seed)
    unit = np.repeat(np.arange(g), m)
    x = [rng.normal(size=(g * m, 3)) for _ in (0, 1)]
    y = [v[:, 0] + np.sqrt(alike) * rng.normal(size=g)[unit] + np.sqrt(1 - alike) * rng.normal(size=g * m) for v in x]
    return x, y, [Prediction(v[:, 0]) for v in x], (unit, unit)


def test_luck_of_units_is_no_concept_shift():
    """Training rows drawn one by one, as if independent, claim it three times as often as stated."""
    changed = [relation(TASK, *in_units(seed, 8), seed=seed).changed for seed in range(40)]
    assert np.mean(changed) <= 0.125
    five = relation(TASK, *in_units(0, 5))
    x, *_ = in_units(0, 5)
    assert five.more is None and five.units == 5 and not five.changed
    assert "not tested: there are only 5 independent units" in sources_finding(shift(*x), (), None, five).claim


def test_a_share_is_as_sure_as_its_units():
    """Units of 1 to 200 rows mostly of one class: their number alone says too much, that of their rows far more."""
    task, moved = classify("y", ("a", "b")), []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        size = np.geomspace(1, 200, 30).astype(int)
        units = [np.repeat(np.arange(30), rng.permutation(size)) for _ in (0, 1)]
        y = [(np.sqrt(0.8) * rng.normal(size=30)[u] + np.sqrt(0.2) * rng.normal(size=len(u)) > 0).astype(int) for u in units]
        told = [Prediction(v, np.full((len(v), 2), 0.5)) for v in y]
        moved.append(target_moved(task, *y, told, units).beyond_chance)
    assert sum(moved) <= 5  # 1 %; more than five of 200 once in 60
    ones = [Prediction(np.zeros(300), np.full((300, 2), 0.5))] * 2
    y = np.arange(300) % 2
    assert target_moved(task, y, np.maximum(y, np.arange(300) % 4 == 0), ones, (np.arange(300),) * 2).beyond_chance
    assert not target_moved(task, y, np.ones(300, dtype=int), ones, (np.arange(300) % 5,) * 2).beyond_chance


def test_the_same_source_draws_no_warning():
    grades = []
    for seed in range(12):
        x, y, told = sources(seed)
        grades.append(sources_finding(shift(*x, seed=seed), moved_features(*x, "abc", (300, 150)),
                                      target_moved(TASK, *y, told, OWN), related(seed)).grade)
    assert grades.count("warn") <= 2


def test_several_known_targets_are_not_said_to_be_unknown():
    x, _, _ = sources(0)
    claims = [sources_finding(shift(*x), (), None, None, several=several).claim for several in (False, True)]
    assert "not known" in claims[0] and "not known" not in claims[1] and "was not checked: there are several" in claims[1]


@pytest.mark.parametrize("units", [(300, 150), (6, 6)])
def test_rows_of_one_unit_count_once(units):
    x, _, _ = sources(3, inputs=0.8)
    assert bool(moved_features(*x, "abc", units)) == (units == (300, 150))


def test_distance_of_distributions_against_scipy():
    from scipy.stats import ks_2samp

    x, _, _ = sources(4, inputs=2.0)
    found = moved_features(*x, ["a", "b", "c"], (300, 150))
    assert found[0].name == "a" and found[0].distance == pytest.approx(ks_2samp(x[0][:, 0], x[1][:, 0]).statistic)


def test_units_on_both_sides_keep_one_fold():
    """Rows of the same units on both sides: told apart only by memory, which shared folds take away."""
    rng = np.random.default_rng(0)
    centre = rng.normal(size=(40, 6)) * 4
    unit = np.repeat(np.arange(40), 10)
    side = np.arange(400) % 2 == 0
    x = centre[unit] + 0.1 * rng.normal(size=(400, 6))
    found = shift(x[side], x[~side], unit[side], unit[~side], shared=True)
    assert found.low < 0.5 < found.high


def test_three_units_on_both_sides_that_fall_into_one_fold_are_no_error():
    """The fold's training side then holds one side only: its rows stay undecided."""
    rng = np.random.default_rng(0)
    x, units = rng.normal(size=(90, 3)), np.repeat(np.arange(30), 3)
    for seed in range(40):
        found = shift(x, x[:30] + 0.1 * rng.normal(size=(30, 3)), units, np.repeat(np.arange(3), 10), shared=True, seed=seed)
        assert found is not None and 0 <= found.auc <= 1
