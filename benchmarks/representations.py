"""What it costs to compare two representations of 100,000 rows and 512 units each, streamed from files.

    python benchmarks/representations.py          # some minutes; resumable; writes benchmarks/results/representations.json

Two .npy files of float32 (205 MB each) are written once to a temporary folder and read memory-mapped. Each measure runs in a
process of its own with two threads; wall seconds, CPU seconds of both threads together, and by how much its resident memory
outside file mappings grew. On an idle machine the wall is at most the CPU time; on a shared one it says how busy others were,
so the bar is on CPU time: linear CKA (biased, unbiased, minibatch), SVCCA, PWCCA and both matchings each under 30 s, and below
the size of one of the files (195 MiB) in memory.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from _kit import measured

ROWS, UNITS = 100_000, 512
BAR_SECONDS, BAR_MIB = 30.0, 195.0
MEASURES = ("cka", "cka unbiased", "cka minibatch 256", "svcca", "pwcca", "matching", "subspace_matching")


def written(folder: Path) -> None:
    """Two representations that share half their directions, in pieces."""
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(UNITS // 2, UNITS)).astype(np.float32) / 16
    files = [np.lib.format.open_memmap(folder / f"{n}.npy", "w+", np.float32, (ROWS, UNITS)) for n in "xy"]
    for start in range(0, ROWS, 10_000):
        x = rng.normal(size=(10_000, UNITS)).astype(np.float32)
        files[0][start:start + 10_000] = x
        files[1][start:start + 10_000] = x[:, :UNITS // 2] @ mix + rng.normal(size=x.shape).astype(np.float32)
    for file in files:
        file.flush()


def one(measure: str, folder: Path) -> dict[str, Any]:
    """Run one measure here; what it cost."""
    from gnomon.card import load

    function = load(measure.split()[0])
    options: dict[str, Any] = {"cka unbiased": {"unbiased": True}, "cka minibatch 256": {"batch": 256}}.get(measure, {})
    small = np.random.default_rng(1).normal(size=(64, 4))
    function(small, small, **options)  # libraries are loaded
    x, y = (np.load(folder / f"{n}.npy", mmap_mode="r") for n in "xy")
    before, most, done = anonymous_mib(), [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            most[0] = max(most[0], anonymous_mib())

    watcher = threading.Thread(target=watch)
    watcher.start()
    wall, cpu = time.perf_counter(), time.process_time()
    found = function(x, y, **options)
    cost = {"wall_s": round(time.perf_counter() - wall, 2), "cpu_s": round(time.process_time() - cpu, 2)}
    done.set()
    watcher.join()
    return {**cost, "grew_mib": round(most[0] - before, 1), "value": round(float(getattr(found, "value", found)), 4)}


def anonymous_mib() -> float:
    """Resident memory of this process that is not a mapped file."""
    line = next(s for s in Path("/proc/self/status").read_text().splitlines() if s.startswith("RssAnon"))
    return int(line.split()[1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        print(json.dumps(one(told.one[0], Path(told.one[1]))))
        return 0
    missed = 0
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)

        def do(measure: str) -> dict[str, Any]:
            if not (folder / "y.npy").exists():
                written(folder)
            command = [sys.executable, __file__, "--one", measure, str(folder)]
            return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

        for measure in MEASURES:
            row = measured("representations", {"measure": measure, "rows": ROWS, "units": UNITS}, lambda m=measure: do(m))
            bad = row["cpu_s"] > BAR_SECONDS or row["grew_mib"] > BAR_MIB
            missed += bad
            print(f"{measure:<20} {row['wall_s']:7.2f} s wall {row['cpu_s']:7.2f} s CPU {row['grew_mib']:7.1f} MiB  "
                  f"value {row['value']:.4f}{'  MISSED' if bad else ''}")
    print("all within the bar" if not missed else f"{missed} beyond the bar")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
