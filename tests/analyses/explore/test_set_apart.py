"""Values set apart by a gap, and what the other columns lead one to expect: planted and absent."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from making import make

from gnomon.analyses.explore._expected import residuals
from gnomon.analyses.explore._tails import set_apart
from gnomon.analyses.explore.drift import drift
from gnomon.analyses.explore.leaks import leaks
from gnomon.analyses.explore.missing_informative import missing_informative
from gnomon.analyses.explore.mixed_units import mixed_units
from gnomon.analyses.explore.near_duplicates import near_duplicates
from gnomon.analyses.explore.outliers import outliers


def seen(check, data):
    return check(data, "target", np.arange(len(data)), groups={}).findings


@pytest.mark.parametrize("law", ["exponential", "pareto", "normal"])
def test_gaps_of_smooth_tails_are_as_rare_as_said(law):
    """Known law: spacings of an exponential tail are independent (Renyi), so that a level of 5 % is kept."""
    rng = np.random.default_rng(1)
    draw = {"exponential": lambda: rng.exponential(size=300), "pareto": lambda: np.log(rng.pareto(1.5, 300) + 1),
            "normal": lambda: np.log(np.abs(rng.normal(size=300)))}[law]
    called = np.mean([set_apart(draw(), most=8, level=0.05) > 0 for _ in range(600)])
    assert called <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / 600)


def test_values_behind_a_gap_are_counted_and_rounding_makes_none():
    rng = np.random.default_rng(2)
    u = rng.exponential(size=300)
    assert set_apart(np.concatenate([u, u.max() + np.array([8.0, 8.2, 8.3])]), most=8, level=1e-3) == 3
    assert set_apart(np.round(u), most=8, level=1e-4) == 0


def related(rng, n=400):
    base = rng.normal(size=n)
    return pd.DataFrame({"mass": np.exp(1 + 0.6 * base + 0.05 * rng.normal(size=n)),
                         "length": np.exp(3 + 0.3 * base + 0.05 * rng.normal(size=n)),
                         "width": np.exp(2 + 0.3 * base + 0.05 * rng.normal(size=n)), "other": rng.normal(size=n)})


def test_the_residual_is_what_the_other_columns_leave():
    rng = np.random.default_rng(3)
    frame = related(rng)
    left = residuals({n: frame[n].to_numpy() for n in frame}, logs=True)
    assert "other" not in left and 0.04 < np.std(left["length"]) < 0.08
    assert not residuals({n: rng.normal(size=400) for n in "abc"})


def test_the_residual_is_that_of_least_squares():
    """Another library's fit of all rows: nothing here lies far enough out to be left out or drawn in."""
    rng = np.random.default_rng(11)
    x = rng.uniform(-1, 1, (300, 2))
    y = x @ [1.0, -0.5] + 0.1 * rng.uniform(-1, 1, 300)
    told = residuals({"a": x[:, 0], "b": x[:, 1], "y": y})["y"]
    exact = y - np.column_stack([x, np.ones(300)]) @ np.linalg.lstsq(np.column_stack([x, np.ones(300)]), y, rcond=None)[0]
    assert np.corrcoef(told, exact)[0, 1] == pytest.approx(1.0, abs=1e-9)


def test_inches_inside_the_range_of_centimetres_are_found_by_the_other_columns():
    rng = np.random.default_rng(4)
    frame = related(rng)
    assert not mixed_units(make(frame)).findings
    rows = np.sort(rng.choice(400, 20, replace=False))
    frame.loc[rows, "length"] /= 2.54
    (found,) = mixed_units(make(frame)).findings
    assert found.columns == ("length",) and set(found.rows) == set(rows.tolist()) and "inches" in found.claim


def test_three_slipped_values_of_a_heavy_column_and_rows_unlike_their_others():
    rng = np.random.default_rng(5)
    heavy = rng.standard_t(3, 400)
    assert not outliers(make({"x": heavy})).findings
    rows = [7, 90, 200]
    heavy[rows] = heavy.max() + 20 * heavy.std() * rng.uniform(1, 1.2, 3)
    assert set(outliers(make({"x": heavy})).findings[0].rows) == set(rows)
    frame = related(rng)
    assert not outliers(make(frame)).findings
    large = frame.nlargest(3, "length").index
    frame.loc[large, "mass"] = np.exp([0.0, 0.1, 0.2])  # small, yet within the column; their length and width say large
    assert set(large) <= {r for f in outliers(make(frame)).findings for r in f.rows}


def test_a_slow_drift_is_found_and_chance_is_not():
    rng = np.random.default_rng(6)
    day = np.datetime64("2020-01-01", "ns") + rng.integers(0, 900, 400).astype("timedelta64[D]")
    x = rng.normal(size=400)
    assert not [f for f in drift(make({"x": x, "day": day})).findings if f.code == "LOOK-DRIFT"]
    moved = x + 1.0 * np.argsort(np.argsort(day)) / 400
    assert any("x" in f.columns for f in drift(make({"x": moved, "day": day})).findings)


def test_gaps_in_one_of_ten_classes():
    rng = np.random.default_rng(7)
    y = rng.integers(0, 10, 800)
    for lean in (0.0, 0.5):
        gone = rng.random(800) < np.where(y == 3, 0.2 + lean, 0.2)
        data = make({"x": np.where(gone, np.nan, rng.normal(size=800)), "target": np.array(list("abcdefghij"))[y]})
        assert bool(seen(missing_informative, data)) == (lean > 0)


def test_a_named_prediction_of_one_of_many_classes():
    rng = np.random.default_rng(8)
    y = rng.integers(0, 10, 400)
    names = np.array([f"class {v}" for v in y])
    for told, wanted in ((y + 3 * rng.normal(size=400), True), (rng.normal(size=400), False)):
        found = [f for f in seen(leaks, make({"predicted target": told, "x": rng.normal(size=400), "target": names}))
                 if "predicted target" in f.columns]
        assert bool(found) == wanted


def test_images_shifted_by_a_pixel_are_one_family():
    rng = np.random.default_rng(9)
    grid = np.stack(np.meshgrid(np.arange(28), np.arange(28)), axis=-1)
    spots = rng.uniform(4, 24, (200, 6, 1, 1, 2))
    pixels = np.exp(-((grid - spots) ** 2).sum(-1) / 8).sum(axis=1)
    pixels = (200 * pixels / pixels.max(axis=(1, 2), keepdims=True)).astype(np.uint8)[:, None]
    assert not near_duplicates(make({"image": pixels})).findings
    rows = np.arange(0, 40, 5)
    moved = np.clip(np.roll(pixels[rows].astype(float), 1, axis=3) * 1.1, 0, 255).astype(np.uint8)
    looked = near_duplicates(make({"image": np.concatenate([pixels, moved])}))
    assert set(looked.findings[0].rows) == {*rows.tolist(), *range(200, 208)}
