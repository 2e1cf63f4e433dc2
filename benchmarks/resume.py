"""kill -9 at random moments of a study, then the same command: same verdict, same scores, no finished run repeated.

    python benchmarks/resume.py [--kills 20] [--budget 40]

Twice: cross-validated, and with a sealed part of 150 rows that must be opened once. Writes results/resume.json.
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


def command(folder: Path, budget: int, rows: Path | None) -> list[str]:
    sealed = [] if rows is None else ["--split", f"rows:{rows}", "--because", "the benchmark's sealed part"]
    return [sys.executable, "-m", "gnomon", "study", str(bundled("concrete.csv")), "--target", "strength_MPa", "--out",
            str(folder), "--budget", f"{budget}s", "--only", "ridge", "forest", "tabm", *sealed]


def sealed_rows(folder: Path) -> Path:
    """A list of rows by which 150 of the 1,030 are sealed."""
    order = np.random.default_rng(0).permutation(1030).tolist()
    path = folder / "rows.json"
    path.write_text(json.dumps({"train": order[250:], "valid": order[150:250], "test": order[:150]}))
    return path


def run(folder: Path, budget: int, rows: Path | None) -> None:
    """The study to its end, with a record of openings of its own."""
    subprocess.run(command(folder, budget, rows), check=True, capture_output=True, env=state_of(folder))


def state_of(folder: Path) -> dict[str, str]:
    return {**os.environ, "GNOMON_STATE": f"{folder}.state"}


def scores(folder: Path) -> dict[str, float]:
    report = json.loads((folder / "report.json").read_text())
    return {f"{c['label']} {part}": c[part]["value"] for c in report["candidates"] for part in ("valid", "test") if c[part]}


def trial(kills: int, budget: int, sealed: bool) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as scratch:
        rows = sealed_rows(Path(scratch)) if sealed else None
        whole, broken = Path(scratch) / "whole.study", Path(scratch) / "broken.study"
        started = time.perf_counter()
        run(whole, budget, rows)
        length = time.perf_counter() - started
        broken.mkdir()
        for name in ("plan.toml", "data.json", "versions.json"):  # the steps as the clock made them
            (broken / name).write_bytes((whole / name).read_bytes())
        rng = np.random.default_rng(0)
        for _ in range(kills):
            process = subprocess.Popen(command(broken, budget, rows), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                       env=state_of(broken))
            time.sleep(rng.uniform(1, 0.8 * length))
            process.send_signal(signal.SIGKILL)
            process.wait()
        stamps = {p: p.stat().st_mtime_ns for p in broken.glob("runs/*/*/*/run.json")}
        run(broken, budget, rows)
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
    for sealed in (False, True):
        key = {"kills": args.kills, "budget": args.budget, "sealed": sealed}
        print(measured("resume", key, lambda sealed=sealed: trial(args.kills, args.budget, sealed)), flush=True)


if __name__ == "__main__":
    main()
