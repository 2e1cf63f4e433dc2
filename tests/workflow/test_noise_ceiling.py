"""Repeated measurements tell how small an error can be: VALID-CEILING, from the data to the report."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gnomon


def repeated(shape: str, n: int = 120) -> pd.DataFrame:
    """Each of n inputs measured three times, with noise of sd 0.5 about a plane, or about what no line follows."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.uniform(-3, 3, (n, 3)), 3, axis=0)
    truth = x @ [1.0, 2.0, -1.0] if shape == "plane" else 4 * np.sin(3 * x[:, 0]) + x[:, 1]
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": truth + rng.normal(0, 0.5, 3 * n)})


@pytest.mark.parametrize("shape, reached", [("plane", True), ("waves", False)])
def test_an_error_as_small_as_the_spread_of_repeats_is_told(shape, reached, tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    study = gnomon.study(repeated(shape), target="y", out=tmp_path / "s.study", budget="30s", only=("ridge",), examples=False)
    (check,) = [c for c in study.report["checks"] if c["code"] == "VALID-CEILING"]
    told = [f for f in study.report["findings"] if f["code"] == "VALID-CEILING"]
    assert check["ran"] and bool(told) == reached
    if reached:
        assert abs(told[0]["values"]["noise"] - 0.5) < 0.1 and told[0]["grade"] == "note"
