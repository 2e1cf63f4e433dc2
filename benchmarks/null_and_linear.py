"""Shuffled labels must give no recommendation; a linear truth must recommend a linear model.

    python benchmarks/null_and_linear.py [--draws 100]

Whole studies on small tables, the simple models and their ensemble only. Writes results/null_and_linear.json.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _kit import load, measured

import gnomon
from gnomon.data.bundle import bundled

MODELS = ("ridge", "logistic", "forest", "support_vectors")


def study(table: pd.DataFrame, target: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["GNOMON_STATE"] = f"{scratch}/state"
        verdict = gnomon.study(table, target=target, out=Path(scratch) / "s.study", budget="60s", only=MODELS,
                               examples=False).report["verdict"]
        return {"outcome": verdict["outcome"], "claim": verdict["claim"], "recommended": verdict["recommended"],
                "p": verdict["difference"]["p"]}


def shuffled(seed: int) -> dict[str, Any]:
    """200 real mixtures of concrete with their strengths dealt out anew."""
    rng = np.random.default_rng(seed)
    table = pd.read_csv(bundled("concrete.csv")).sample(200, random_state=seed).reset_index(drop=True)
    table["strength_MPa"] = rng.permutation(table["strength_MPa"])
    return study(table, "strength_MPa")


def linear(seed: int) -> dict[str, Any]:
    """300 rows, 6 numbers, a straight line with noise of the same size."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 6))
    y = x @ rng.normal(size=6) + rng.normal(size=300)
    told = study(pd.DataFrame(x, columns=[f"x{i}" for i in range(6)]).assign(y=y), "y")
    return told


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--draws", type=int, default=100)
    args = words.parse_args()
    for seed in range(args.draws):
        for name, draw in (("shuffled", shuffled), ("linear", linear)):
            measured("null_and_linear", {"case": name, "seed": seed}, lambda draw=draw, seed=seed: draw(seed))
    rows = load("null_and_linear")["rows"]
    none = [r["outcome"] == "no-signal" for r in rows if r["case"] == "shuffled"]
    line = [r["claim"].startswith("ridge is recommended") for r in rows if r["case"] == "linear"]
    print(f"shuffled labels: no signal in {sum(none)} of {len(none)}; linear truth: ridge in {sum(line)} of {len(line)}")


if __name__ == "__main__":
    main()
