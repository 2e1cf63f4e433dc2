"""Some values follow the law of the others a known distance away: found, measured, and not seen where it is not so."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from scipy.stats import chi2, gennorm

sys.path.insert(0, str(Path(__file__).parent))
from making import make

from gnomon.analyses.explore._mixture import _main, _moved, _parts, _stray, moved, surprising
from gnomon.analyses.explore.mixed_units import SHIFTS, mixed_units

LAW = np.array([0.1, -0.1, 0.2, 0.4, 2.1, 0.2, -3.0, -2.5])


def test_the_main_law_is_the_exponential_power_law_of_another_library():
    u = np.linspace(-3, 3, 13)
    even = np.array([0.0, np.log(1.3), np.log(1.3), np.log(1.7), 0.0, 0.0, -3.0, -3.0])
    assert np.allclose(_main(even, u)[0], gennorm.logpdf(u, 1.7, scale=1.3))


@pytest.mark.parametrize("law", [_main, _stray, _moved])
def test_each_law_has_mass_one(law):
    u = np.sinh(np.linspace(-12, 12, 40001))
    assert np.trapezoid(np.exp(law(LAW, u)[0]), u) == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("law", [_main, _stray, _moved])
def test_slopes_are_those_of_finite_differences(law):
    u = np.linspace(-2.03, 3.07, 9)
    for i, point in enumerate(u):
        wanted = approx_fprime(LAW, lambda x, p=point: float(law(x, np.array([p]))[0][0]), 1e-6)[:6]
        assert np.allclose(law(LAW, u)[1][:, i], wanted, atol=1e-4)


def test_shares_of_the_three_laws_add_up_to_one():
    assert np.allclose(_parts(LAW, np.linspace(-5, 8, 30))[1].sum(axis=0), 1.0)


def test_values_moved_within_reach_of_the_others_are_named_with_their_distance():
    """Four and a half spreads, where the two laws touch."""
    rng = np.random.default_rng(0)
    u = rng.normal(size=400)
    u[:20] += np.log(10) / 0.5
    hit = moved(u, SHIFTS / 0.5, least=10.0)
    assert hit is not None and SHIFTS[hit.place] == pytest.approx(np.log(10), abs=0.2)
    assert (hit.posterior[:20] > 0.5).mean() >= 0.8 and (hit.posterior[20:] > 0.5).sum() <= 2


@pytest.mark.parametrize("draw", ["normal", "skewed", "even", "heavy", "a mode elsewhere", "a narrower mode"])
def test_other_shapes_are_no_second_unit(draw):
    rng = np.random.default_rng(1)
    for _ in range(6):
        u = {"normal": rng.normal, "skewed": lambda size: rng.gamma(2.0, size=size), "even": rng.random,
             "heavy": lambda size: rng.standard_t(2.5, size)}.get(draw, rng.normal)(size=1000)
        if draw == "a mode elsewhere":
            u[:60] += 6.0  # in the middle between two of the distances
        if draw == "a narrower mode":
            u[:60] = np.log(1000) + 0.1 * u[:60]
        distances = np.array([4.6, 7.4, np.log(1000), -4.6])[[0, 1, 3] if draw == "a mode elsewhere" else slice(None)]
        assert moved(u, distances, least=8.0) is None


def test_the_least_gain_follows_the_law_of_the_null():
    """Chernoff: twice the gain is chi-squared with one degree in half of all cases, else nothing."""
    for chance in (0.05, 1e-6):
        assert chi2.sf(2 * surprising(chance), 1) / 2 == pytest.approx(chance)


def test_a_few_equal_values_hide_no_second_law():
    rng = np.random.default_rng(5)
    u = rng.exponential(1.2, 400)
    u[:16] += np.log(1000)
    u[16:24] = -0.9  # a limit next to the sharp end gains more than the moved values do
    assert SHIFTS[moved(u, SHIFTS, least=10.0).place] < 0
    hit = moved(u, SHIFTS, least=10.0, stands=lambda one: len(np.unique(u[one.posterior > 0.5])) >= 3)
    assert SHIFTS[hit.place] == pytest.approx(np.log(1000)) and set(np.flatnonzero(hit.posterior > 0.5)) == set(range(16))


def test_too_few_values_or_mostly_one_have_no_law():
    rng = np.random.default_rng(3)
    assert moved(rng.normal(size=20), SHIFTS) is None
    assert moved(np.where(rng.random(400) < 0.9, 1.0, rng.normal(size=400)), SHIFTS) is None


def test_a_unit_that_only_the_other_columns_tell():
    rng = np.random.default_rng(2)
    size = rng.normal(size=400)
    frame = pd.DataFrame({"length": np.exp(0.6 * size + 0.2 * rng.normal(size=400)), "width": np.exp(
        0.5 * size + 0.2 * rng.normal(size=400)), "weight": np.exp(1.5 * size + 0.3 * rng.normal(size=400))})
    assert not mixed_units(make(frame)).findings
    rows = np.sort(rng.choice(400, 20, replace=False))
    frame.loc[rows, "length"] *= 3.2808
    (found,) = mixed_units(make(frame)).findings
    assert found.columns == ("length",) and "feet" in found.claim
    assert len(set(found.rows) & set(rows.tolist())) >= 18 and len(found.rows) <= 21


def test_the_column_in_two_units_is_named_and_not_the_one_that_it_predicts():
    """Two columns that tell each other: a wrong value pulls the other's residual too, by fewer of its spreads."""
    for column in ("first", "second"):
        rng = np.random.default_rng(6)
        size = 0.5 * rng.normal(size=400)
        frame = pd.DataFrame({"first": np.exp(size + 0.04 * rng.normal(size=400)), "third": np.exp(rng.normal(size=400)),
                              "second": np.exp(0.9 * size + 0.05 * rng.normal(size=400))})
        rows = np.sort(rng.choice(400, 20, replace=False))
        frame.loc[rows, column] *= 2.54
        (found,) = mixed_units(make(frame)).findings
        assert found.columns == (column,)
        assert len(set(found.rows) & set(rows.tolist())) >= 18 and len(found.rows) <= 22


def test_the_likeliest_rows_come_first():
    rng = np.random.default_rng(7)
    values = np.exp(0.5 * rng.normal(size=400))
    values[:20] *= 12.0
    (found,) = mixed_units(make({"x": values})).findings
    assert len(set(found.rows[:10]) & set(range(20))) == 10
    assert np.isin(found.rows, range(20)).mean() <= np.isin(found.rows[:10], range(20)).mean()


def test_one_value_repeated_is_no_second_unit():
    values = np.exp(0.1 * np.random.default_rng(4).normal(size=300))
    values[:4] = 10.0
    assert moved(np.log(values), SHIFTS, least=15.0) is not None and not mixed_units(make({"x": values})).findings
    values[:4] = [9.0, 10.0, 10.5, 11.0]
    assert set(mixed_units(make({"x": values})).findings[0].rows) == {0, 1, 2, 3}
