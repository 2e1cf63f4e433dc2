"""How long `gnomon look` takes, and how much memory, from 10,000 rows to 1,000,000 x 30.

    python benchmarks/look_speed.py

The rows are MAGIC's (real telescope events), drawn with replacement and jittered by a thousandth of each column's spread; its
ten columns are repeated three times with a jitter of their own. Bars on two quiet cores: 10,000 rows in 15 s, 1,000,000 rows
in 90 s and 4 GB. Writes results/look_speed.json.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _kit import DATA, measured


def table(rows: int) -> pd.DataFrame:
    """`rows` events of 30 columns, class last."""
    rng = np.random.default_rng(0)
    events = pd.read_csv(DATA / "tables_magic_telescope/train.csv.gz")
    numbers = events.drop(columns="class")
    drawn = rng.integers(len(events), size=rows)
    spread = numbers.std().to_numpy()
    parts = [numbers.to_numpy()[drawn] + 1e-3 * spread * rng.normal(size=(rows, numbers.shape[1])) for _ in range(3)]
    names = [f"{name} {k}" for k in range(3) for name in numbers.columns]
    out = pd.DataFrame(np.concatenate(parts, axis=1), columns=names).round(4).iloc[:, :29]
    out["class"] = events["class"].to_numpy()[drawn]
    return out


def timed(rows: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "events.csv"
        table(rows).to_csv(path, index=False)
        size = path.stat().st_size
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, "-m", "gnomon", "look", str(path), "--target", "class", "--json"],
                                   stdout=subprocess.PIPE)
        told = process.stdout.read()  # type: ignore[union-attr]
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = status
        data = json.loads(told)["data"]
        return {"seconds": round(time.perf_counter() - started, 1), "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
                "peak_mb": round(used.ru_maxrss / 1024), "csv_mb": round(size / 1e6), "rows_seen": data["rows"],
                "sampled": data["sampled"]}


def main() -> None:
    for rows in (10_000, 100_000, 1_000_000):
        print(measured("look_speed", {"rows": rows, "columns": 30}, lambda rows=rows: timed(rows)))


if __name__ == "__main__":
    main()
