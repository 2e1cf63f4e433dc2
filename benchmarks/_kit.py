"""Shared by all benchmarks: where data and results are, and a resumable list of measurements.

A result file is JSON: {"about": machine and versions, "rows": [measurement, ...]}. A measurement already there (same
`key`) is not made again, so a benchmark can be stopped and typed again.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"
DATA = Path(os.environ.get("GNOMON_DATA", Path(__file__).parents[2] / "shared" / "data"))


def about() -> dict[str, Any]:
    """The machine and the versions a figure belongs to."""
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    model = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.processor())
    names = ("gnomon", "torch", "numpy", "scikit-learn", "lightgbm", "rdkit")
    return {"machine": model, "cores": len(os.sched_getaffinity(0)), "python": platform.python_version(),
            "versions": {n: installed(n) for n in names}, "day": time.strftime("%Y-%m-%d")}


def load(name: str) -> dict[str, Any]:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else {"about": about(), "rows": []}


def measured(name: str, key: dict[str, Any], do: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The measurement with this key: from the file, or made now and written there at once."""
    whole = load(name)
    for row in whole["rows"]:
        if all(row.get(k) == v for k, v in key.items()):
            return row
    started = time.perf_counter()
    row = {**key, **do(), "took_s": round(time.perf_counter() - started, 1), "load": round(os.getloadavg()[0], 1)}
    whole = load(name)
    whole["rows"].append(row)
    save(name, whole)
    return row


def save(name: str, whole: dict[str, Any]) -> None:
    """Write a result file at once, or not at all."""
    RESULTS.mkdir(exist_ok=True)
    draft = RESULTS / f".{name}.json"
    draft.write_text(json.dumps(whole, indent=1) + "\n")
    draft.replace(RESULTS / f"{name}.json")


def paired_upper(ours: list[float], theirs: list[float], higher_is_better: bool) -> tuple[float, float]:
    """(mean shortfall, its upper one-sided 95 % limit) over splits: positive = we are worse (t, n - 1 degrees)."""
    import numpy as np
    from scipy.stats import t

    gap = (np.array(theirs) - np.array(ours)) * (1 if higher_is_better else -1)
    if len(gap) < 2:
        return float(gap.mean()), float("nan")
    return float(gap.mean()), float(gap.mean() + t.ppf(0.95, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap)))
