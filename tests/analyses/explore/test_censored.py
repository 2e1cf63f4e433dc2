"""Columns that pile up at a limit."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from making import column, make

from gnomon.analyses.explore.censored import censored, piled


def test_a_detection_limit_is_named_with_its_rows():
    values = np.random.default_rng(0).lognormal(size=500)
    assert not censored(make({"dose": values})).findings
    limit = np.quantile(values, 0.1)
    looked = censored(make({"dose": np.maximum(values, limit)}))
    (only,) = looked.findings
    assert (only.code, only.grade, only.columns, only.rows_total) == ("LOOK-CENSORED", "note", ("dose",), 50)
    assert set(only.rows) == set(np.flatnonzero(values <= limit).tolist()[:50])


def test_rounded_counts_and_codes_are_no_limit():
    rng = np.random.default_rng(1)
    assert not piled(rng.poisson(60, 2000).astype(float))
    values = rng.normal(50, 8, 600)
    values[:40] = -999.0
    assert not [f for f in censored(make({"x": values})).findings if f.values["end"] == "smallest"]


def test_bounds_read_from_text():
    data = make({"ic50": column(np.random.default_rng(2).random(60), "number", "censored")})
    assert [f.columns for f in censored(data).findings] == [("ic50",)]


def test_none_of_an_ingredient_is_no_limit():
    rng = np.random.default_rng(4)
    amount = np.where(rng.random(400) < 0.4, 0.0, rng.gamma(3, 20, 400))
    assert not [f for f in censored(make({"slag": amount})).findings if f.code == "LOOK-CENSORED"]
    assert [f for f in censored(make({"slag": amount + 1})).findings if f.code == "LOOK-CENSORED"]
