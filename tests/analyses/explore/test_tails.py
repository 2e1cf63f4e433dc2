"""Tails: straightened to an exponential, extrapolated, and what lies apart from them; columns that move only together."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from making import make

from gnomon.analyses.explore._aim import Aim
from gnomon.analyses.explore._neighbours import nearest, too_close
from gnomon.analyses.explore._tails import expected_beyond, set_apart, straightened, tail_gap, tail_of, widest_gap
from gnomon.analyses.explore.confounding import tells
from gnomon.analyses.explore.drift import drift, together
from gnomon.analyses.explore.mixed_units import two_scales
from gnomon.analyses.explore.outliers import _gap, outliers


@pytest.mark.parametrize("shape", [0.0, 0.3])
def test_a_generalised_pareto_tail_becomes_exponential(shape):
    """Closed form: log(1 + shape y / s) / shape of generalised Pareto y is exponential, beyond the median too."""
    u = (np.arange(4000) + 0.5) / 4000
    y = -np.log(u) if shape == 0 else (u**-shape - 1) / shape
    straight = straightened(y, most=8)[:2000]
    quantiles = np.quantile(straight, [0.25, 0.5, 0.75])
    assert np.allclose(quantiles, -np.log([0.75, 0.5, 0.25]), atol=0.08)
    assert -1.5 < straight[0] + np.log(u[0] * 2) < 0.2  # a little heavier: shapes are weighed in steps
    assert np.allclose(straightened(9 * y, most=8)[:2000], straight)


@pytest.mark.parametrize("shape", [0.0, 0.4, 0.8])
def test_the_shape_of_a_tail_is_told_by_what_is_not_in_question(shape):
    """Known law: the weighed shape is that of the draw, and the largest values, censored, change nothing."""
    rng = np.random.default_rng(12)
    u = rng.random(4000)
    y = np.sort(-np.log(u) if shape == 0 else (u**-shape - 1) / shape)[::-1]
    tail = tail_of(y, most=20)
    assert tail.weights.sum() == pytest.approx(1.0) and tail.weights @ tail.shapes == pytest.approx(shape, abs=0.15)
    further = tail_of(np.concatenate([100 * y[:20], y[20:]]), most=20)
    assert np.array_equal(further.weights, tail.weights) and np.array_equal(further.scales, tail.scales)


@pytest.mark.parametrize("law", ["normal", "exponential", "pareto", "lognormal"])
def test_gaps_of_tails_of_unknown_shape_keep_their_level(law):
    rng = np.random.default_rng(13)
    draw = {"normal": lambda: np.abs(rng.normal(size=150)), "exponential": lambda: rng.exponential(size=150),
            "pareto": lambda: rng.pareto(3.0, 150), "lognormal": lambda: np.exp(rng.normal(size=150))}[law]
    called = 0
    for _ in range(150):
        far = np.sort(draw())[::-1]
        called += tail_gap(far, tail_of(far, most=3), most=3)[1] < 0.05
    assert called / 150 <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 150)


def test_a_power_law_beforehand_makes_gaps_less_surprising():
    rng = np.random.default_rng(14)
    far = np.sort(np.abs(rng.normal(size=200)))[::-1]
    far[:3] = 2.5 * far[3]
    chances = [tail_gap(far, tail_of(far, most=4, power=p), most=4)[1] for p in (0.0, 0.25, 1.0)]
    assert chances[0] < 1e-4 and np.all(np.diff(chances) > 0)
    logs = 4 * min(widest_gap(np.log(far), most=k, window=20)[1] / k for k in (3, 4))
    assert chances[2] == pytest.approx(logs, rel=1e-3)


def test_few_or_power_law_distances_become_logarithms():
    far = np.sort(np.random.default_rng(0).random(400) ** -3.0)[::-1]  # Pareto of index 1/3: no mean
    straight = straightened(far, most=8)
    assert np.allclose(np.diff(straight) / np.diff(np.log(far)), (straight[0] - straight[9]) / np.log(far[0] / far[9]))
    assert len(straightened(np.zeros(0), most=3)) == 0


def test_what_an_exponential_tail_leaves_beyond_a_distance():
    side = -np.log((np.arange(1000) + 0.5) / 1000)
    assert expected_beyond(side, 6.0) == pytest.approx(1000 * np.exp(-6), rel=0.1)
    assert expected_beyond(side, 2.0) == np.inf == expected_beyond(side[:30], 6.0)


@pytest.mark.parametrize(("window", "most"), [(20, 8), (60, 60)])
def test_the_chance_of_a_gap_is_exact_for_an_exponential_tail(window, most):
    """Each k alone keeps its level exactly, so the Bonferroni level over all of them is kept, and not by far too much."""
    rng = np.random.default_rng(1)
    called = np.mean([set_apart(rng.exponential(size=300), most=most, level=0.2, window=window) > 0 for _ in range(300)])
    assert 0.02 <= called <= 0.2 + 2 * np.sqrt(0.2 * 0.8 / 300)


def test_many_values_set_apart_are_counted_although_they_outnumber_the_spacings():
    rng = np.random.default_rng(2)
    tail = rng.exponential(size=300)
    apart = tail.max() + 1.5 + rng.exponential(size=40)
    assert set_apart(np.concatenate([tail, apart]), most=60, level=1e-3, window=60) == 40


def test_three_values_five_spreads_beyond_a_normal_column_are_named():
    rng = np.random.default_rng(3)
    values = rng.normal(size=400)
    assert not outliers(make({"x": values})).findings
    values[[5, 80, 300]] = values.max() + 5 * rng.uniform(1, 1.2, 3)
    (found,) = outliers(make({"x": values})).findings
    assert set(found.rows) == {5, 80, 300}


def test_slipped_values_of_a_skewed_column_with_a_high_base_are_named():
    """Like strengths of wine: no 1.5 times as strong as any other, yet more than twice as far from the median."""
    rng = np.random.default_rng(11)
    values = 8 + 1.2 * rng.gamma(3.0, 0.4, 400)
    assert not outliers(make({"x": values})).findings
    values[[3, 70, 300]] = values.max() + 5 * values.std() * rng.uniform(1, 1.2, 3)
    assert values.max() < 1.5 * np.sort(values)[-4] and set(outliers(make({"x": values})).findings[0].rows) == {3, 70, 300}


def test_a_gap_is_set_against_those_next_to_it_or_many_and_keeps_its_level():
    """Exact for an exponential tail, whichever window is the more surprised: twice the lesser chance is paid."""
    rng = np.random.default_rng(10)
    chances = np.array([_gap(np.sort(rng.exponential(size=300))[::-1], None, 8, True)[1] for _ in range(400)])
    assert (chances < 0.1).mean() <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 400)
    assert (chances < 0.2).mean() >= 0.02
    few = np.sort(rng.exponential(size=80))[::-1]
    assert _gap(few, None, 3, True) == widest_gap(few, most=3, window=20)  # a fifth of few is no other window


def test_the_most_surprising_row_comes_first_whatever_its_scale():
    rng = np.random.default_rng(4)
    heavy, light = rng.standard_t(2, 400), rng.normal(size=400)
    heavy[10], light[20] = 12 * np.abs(heavy).max(), 30.0  # the heavy column's lies further in its own spreads
    rows = [r for f in outliers(make({"heavy": heavy, "light": light})).findings for r in f.rows]
    assert rows[:2] == [20, 10]


def test_families_in_few_dimensions_are_named_by_their_distances():
    rng = np.random.default_rng(5)
    cloud = rng.normal(size=(400, 4)).astype(np.float32)
    families = np.repeat(cloud[:8], 4, axis=0) + 0.02 * rng.normal(size=(32, 4)).astype(np.float32)
    left, right, _, _ = too_close(*nearest(np.concatenate([cloud, families])), comparable=True)
    assert {*left.tolist(), *right.tolist()} == {*range(8), *range(400, 432)}
    assert not len(too_close(*nearest(cloud), comparable=True)[0])


def related(rng, n=200, d=8, drift=0.0):
    """d columns of one common factor, the first rising by `drift` of its spreads over the time."""
    table = 0.9 * rng.normal(size=(n, 1)) + 0.436 * rng.normal(size=(n, d))
    table[:, 0] += drift * np.arange(n) / n
    return table


def test_all_columns_together_keep_their_level_without_drift():
    """The F test is exact for independent rows; the allowance for dependent ones makes it a little careful."""
    rng = np.random.default_rng(6)
    p = np.array([together(related(rng), np.arange(200.0)) for _ in range(120)])
    assert 0.05 <= (p < 0.2).mean() <= 0.2 + 2 * np.sqrt(0.2 * 0.8 / 120)


def test_a_column_that_moves_against_its_like_is_named_together_with_them():
    """Its own rank correlation with time would not stand (0.005 over eight columns); against the others it does."""
    rng = np.random.default_rng(7)
    days = np.datetime64("2020-01-01", "ns") + np.arange(200) * np.timedelta64(1, "D")
    named = []
    for _ in range(12):
        table = related(rng, drift=0.8)
        columns = {**{f"c{j}": table[:, j] for j in range(8)}, "date": days}
        named.append({c for f in drift(make(columns)).findings for c in f.columns} - {"date"})
    assert np.mean(["c0" in n for n in named]) >= 0.7 and np.mean([bool(n - {"c0"}) for n in named]) <= 0.1


def test_two_units_a_little_apart_are_found_and_one_heavy_tail_is_not():
    rng = np.random.default_rng(8)
    height = rng.normal(1.7, 0.1, 400)
    rows = np.arange(20)
    mixed = height.copy()
    mixed[rows] *= 2.2046
    hit = two_scales(mixed)
    assert hit is not None and set(hit.rows.tolist()) == set(rows.tolist()) and "pounds" in hit.what
    assert not any(two_scales(np.exp(0.5 * rng.standard_t(3, 400))) for _ in range(20))


def test_the_level_of_gaps_that_tell_one_of_many_classes_is_kept():
    rng = np.random.default_rng(9)
    chances = []
    for _ in range(150):
        aim = Aim("y", np.arange(300), rng.integers(0, 8, 300), tuple("abcdefgh"))
        chances.append(tells(rng.integers(0, 2, 300), aim)[1])
    share = np.mean(np.array(chances) < 0.1)
    assert 0.02 <= share <= 0.1 + 2 * np.sqrt(0.1 * 0.9 / 150)
