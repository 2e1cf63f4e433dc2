"""kill -9 at random moments of a study, then the same command: same verdict, same scores, no finished run repeated.

    python benchmarks/resume.py [--kills 20] [--budget 40]

Writes results/resume.json.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from _kit import measured

from gnomon.data.bundle import bundled


def command(folder: Path, budget: int) -> list[str]:
    return [sys.executable, "-m", "gnomon", "study", str(bundled("concrete.csv")), "--target", "strength_MPa", "--out",
            str(folder), "--budget", f"{budget}s", "--only", "ridge", "forest", "tabm"]


def scores(folder: Path) -> dict[str, float]:
    report = json.loads((folder / "report.json").read_text())
    return {c["label"]: c["valid"]["value"] for c in report["candidates"] if c["valid"]}


def trial(kills: int, budget: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["GNOMON_STATE"] = f"{scratch}/state"
        whole, broken = Path(scratch) / "whole.study", Path(scratch) / "broken.study"
        started = time.perf_counter()
        subprocess.run(command(whole, budget), check=True, capture_output=True)
        length = time.perf_counter() - started
        broken.mkdir()
        for name in ("plan.toml", "data.json", "versions.json"):  # the steps as the clock made them
            (broken / name).write_bytes((whole / name).read_bytes())
        rng = np.random.default_rng(0)
        for _ in range(kills):
            process = subprocess.Popen(command(broken, budget), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(rng.uniform(1, 0.8 * length))
            process.send_signal(signal.SIGKILL)
            process.wait()
        stamps = {p: p.stat().st_mtime_ns for p in broken.glob("runs/*/*/*/run.json")}
        subprocess.run(command(broken, budget), check=True, capture_output=True)
        kept = all(p.stat().st_mtime_ns == t for p, t in stamps.items())
        a, b = (json.loads((f / "report.json").read_text()) for f in (whole, broken))
        return {"kills_done": kills, "study_seconds": round(length, 1), "finished_runs_kept": kept,
                "same_scores": scores(whole) == scores(broken), "same_verdict": a["verdict"] == b["verdict"],
                "differing": {n: [scores(whole).get(n), scores(broken).get(n)] for n in {*scores(whole), *scores(broken)}
                              if scores(whole).get(n) != scores(broken).get(n)},
                "openings": [a["ledger"]["test_openings"], b["ledger"]["test_openings"]]}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--kills", type=int, default=20)
    words.add_argument("--budget", type=int, default=40)
    args = words.parse_args()
    print(measured("resume", {"kills": args.kills, "budget": args.budget}, lambda: trial(args.kills, args.budget)))


if __name__ == "__main__":
    main()
