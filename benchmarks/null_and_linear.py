"""Shuffled labels must give no recommendation; a linear truth must recommend a linear model.

    python benchmarks/null_and_linear.py [--shuffles 200] [--lines 100]

Every draw goes through a study's own stages up to the verdict (look, split, plan, train, judge) with the simple models and
their ensemble; what follows a verdict is left out for speed. Bars: no recommendation in at least 94 % of at least 200 shuffles
(EVIDENCE 11), a linear model in at least 95 of 100 lines. Writes results/null_and_linear.json.
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

from gnomon.data.bundle import bundled
from gnomon.workflow._folder import Folder
from gnomon.workflow._members import judged
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.look import read_stage, whole_look
from gnomon.workflow.options import Options
from gnomon.workflow._voice import Voice
from gnomon.workflow.planning import make_plan
from gnomon.workflow.study import bench_of
from gnomon.workflow.training import run_stage
from gnomon.workflow.verdict import judge

MODELS = ("ridge", "logistic", "forest", "support_vectors")


def verdict(table: pd.DataFrame, target: str) -> dict[str, Any]:
    """The verdict of a study of this table."""
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["GNOMON_STATE"] = f"{scratch}/state"
        folder, options = Folder(Path(scratch) / "s.study").open(), Options(target=(target,), budget=900.0, only=MODELS)
        seen = whole_look(read_stage(table, options, {}, None), options)
        bench, ledger, voice = bench_of(seen, folder, options, Voice()), Ledger(folder / "ledger.jsonl"), Voice()
        runs, _, _ = run_stage(bench, make_plan(bench, options, ledger), options, ledger, voice)
        told = judge(bench, judged(bench, runs), ledger)
        return {"outcome": told.outcome, "recommended": told.recommended.recipe.model if told.recommended else None,
                "p": told.signal.p}


def shuffled(seed: int) -> dict[str, Any]:
    """300 real mixtures of concrete with their strengths dealt out anew; odd draws ask for strong or weak."""
    rng = np.random.default_rng(seed)
    table = pd.read_csv(bundled("concrete.csv")).sample(300, random_state=seed).reset_index(drop=True)
    table["strength_MPa"] = rng.permutation(table["strength_MPa"])
    if seed % 2:
        table["strength_MPa"] = np.where(table["strength_MPa"] > table["strength_MPa"].median(), "strong", "weak")
    return verdict(table, "strength_MPa")


def linear(seed: int) -> dict[str, Any]:
    """300 rows, 6 numbers, a straight line with noise of the same size."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(300, 6))
    y = x @ rng.normal(size=6) + rng.normal(size=300)
    return verdict(pd.DataFrame(x, columns=[f"x{i}" for i in range(6)]).assign(y=y), "y")


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--shuffles", type=int, default=200)
    words.add_argument("--lines", type=int, default=100)
    args = words.parse_args()
    for name, draw, count in (("shuffled", shuffled, args.shuffles), ("linear", linear, args.lines)):
        for seed in range(count):
            measured("null_and_linear", {"case": name, "seed": seed}, lambda draw=draw, seed=seed: draw(seed))
    rows = load("null_and_linear")["rows"]
    none = [r["recommended"] is None for r in rows if r["case"] == "shuffled"]
    line = [r["recommended"] == "ridge" for r in rows if r["case"] == "linear"]
    print(f"shuffled labels: no recommendation in {sum(none)} of {len(none)}; "
          f"linear truth: ridge in {sum(line)} of {len(line)}")


if __name__ == "__main__":
    main()
