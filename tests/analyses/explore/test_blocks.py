"""Columns of blocks (wide tables) are looked at one by one, as those of narrow tables are."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from making import block, make

from gnomon.analyses.explore._look import check

CHECKS = ("missing_values", "censored", "outliers", "kind_doubts")


def wide(columns=600, seed=0):
    return np.random.default_rng(seed).normal(size=(300, columns))


def seen(key, values):
    return check(key)(make({"genes": block(values)})).findings


@pytest.mark.parametrize("key", CHECKS)
def test_clean_blocks_draw_nothing(key):
    assert not seen(key, wide())


def test_a_slipped_value_in_a_block_is_named_by_its_column():
    values = wide()
    values[5, 7] = 4000
    told = seen("outliers", values)[0]
    assert told.grade == "warn" and told.columns == ("g7",) and told.rows == (5,)


def test_like_columns_with_heavy_tails_are_no_warning():
    assert not [f for f in seen("outliers", np.random.default_rng(1).standard_t(4, (300, 2000))) if f.grade != "note"]


def test_codes_and_gaps_in_a_block_are_named_by_their_columns():
    values = wide()
    values[10:20, 9] = values[30:40, 11] = -999
    values[:40, 30] = np.nan
    gaps, code = seen("missing_values", values)
    assert gaps.columns == ("g30",) and gaps.grade == "note"
    assert code.grade == "warn" and code.columns == ("g9", "g11") and code.rows == (*range(10, 20), *range(30, 40))


def test_limits_in_a_block():
    values = wide()
    values[:, 50] = np.maximum(values[:, 50], -1)
    assert [f.columns for f in seen("censored", values)] == [("g50",)]


def test_blocks_are_not_looked_at_for_two_units_and_that_is_said():
    alone, beside = make({"genes": block(wide())}), make({"genes": block(wide()), "x": wide(1)[:, 0]})
    assert not check("mixed_units")(alone).checks[0].ran and "like columns" in check("mixed_units")(alone).checks[0].why_not
    told = check("mixed_units")(beside).checks[0]
    assert told.ran and "not looked at" in told.smallest_effect_it_would_find
    assert check("mixed_units")(make({"x": wide(1)[:, 0]})).checks[0].smallest_effect_it_would_find.endswith("away")


def test_codes_of_categories_in_a_block():
    data = make({"genes": block(np.random.default_rng(0).integers(0, 4, (300, 250)).astype(float))})
    column = data.columns["genes"]
    object.__setattr__(column, "names", ("plate_code", *column.names[1:]))
    assert check("kind_doubts")(data).findings[0].columns == ("plate_code",)


@pytest.mark.parametrize("key", CHECKS)
def test_twenty_thousand_columns_take_seconds(key):
    started = time.perf_counter()
    found = check(key)(make({"genes": block(wide(20000))}))
    assert time.perf_counter() - started < 30 and not [f for f in found.findings if f.grade != "note"]
    if key == "outliers":
        assert "of 20,000 columns" in found.checks[0].smallest_effect_it_would_find
