"""Every planted fault of the bench can be planted, looked for and judged by the checks as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def trust():
    before = list(sys.path)
    sys.path[:0] = [str(BENCHMARKS / "trust"), str(BENCHMARKS)]
    import bench
    from _kit import DATA

    if not DATA.exists():
        pytest.skip("the data sets of the bench are not here")
    yield bench
    sys.path[:] = before


@pytest.mark.slow
def test_every_fault_is_planted_and_looked_for(trust, monkeypatch):
    monkeypatch.setattr(trust.suspect_labels, "each_out_of_fold", trust.remembering)
    for fault in trust.FAULTS:
        kind = next(iter(fault.sets))
        row = trust.planted(fault, kind, fault.strengths[-1], 1, 400)
        assert set(row) >= {"plantings", "found", "lower", "recall", "by_set"}, fault.name
