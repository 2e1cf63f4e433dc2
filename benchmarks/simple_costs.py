"""CPU seconds of single fits of the simple models on tables of several sizes: what the plan's cost laws rest on.

    python benchmarks/simple_costs.py

Writes results/simple_costs.json; prints measured against predicted.
"""

from __future__ import annotations

import os
import time
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from _kit import measured

from gnomon.card import load
from gnomon.data.parts import Rows
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.methods._desk import Desk
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.workflow._cost import simple_seconds

MODELS = {"regress": ("ridge", "lasso", "forest", "boosting", "support_vectors", "gaussian_process", "explainable_boosting"),
          "classify": ("logistic", "forest", "boosting", "support_vectors", "explainable_boosting")}


def table(task: str, n: int, d: int) -> tuple[Data, Any]:
    """Numbers with a bent and an interacting part, so that every model has something to learn."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, d))
    y = x[:, 0] * 2 + np.sin(3 * x[:, 1]) + x[:, 2] * x[:, 3] + rng.normal(size=n) * 0.5
    columns: dict[str, Any] = {f"x{i}": Dense(x[:, i], Spec("number")) for i in range(d)}
    roles = {name: Role("input", "") for name in columns} | {"y": Role("target", "")}
    if task == "regress":
        return Data({**columns, "y": Dense(y, Spec("number"))}, roles, np.arange(n)), regress("y", mean=y.mean(), sd=y.std())
    codes = Dense((y > 0).astype(np.int32), Spec("category", categories=("a", "b")))
    return Data({**columns, "y": codes}, roles, np.arange(n)), classify("y", ("a", "b"))


def fit(model: str, task: str, n: int, d: int) -> dict[str, Any]:
    data, asked = table(task, n, d)
    rows = np.random.default_rng(1).permutation(n)
    started = time.process_time()
    load("own_fit")(asked, load(model), data, Rows(rows[: int(0.9 * n)], rows[int(0.9 * n) :]), 0, Desk(threads=1))
    took = time.process_time() - started
    return {"cpu_s": round(took, 2), "law_s": round(simple_seconds(model, "standard", "number", task, n, d), 2)}


def main() -> None:
    load("own_fit")(table("regress", 100, 5)[1], load("forest"), table("regress", 100, 5)[0],
                    Rows(np.arange(90), np.arange(90, 100)), 0, Desk(threads=1))  # libraries are loaded, untimed
    for task, models in MODELS.items():
        for n, d in ((90, 6000), (300, 8), (1000, 8), (1000, 60), (4000, 8), (4000, 60)):
            for model in models:
                if model != "gaussian_process" or n <= 1000:
                    key = {"task": task, "rows": n, "columns": d, "model": model}
                    row = measured("simple_costs", key, lambda m=model, t=task, n=n, d=d: fit(m, t, n, d))
                    print(task, n, d, model, row["cpu_s"], "law", row["law_s"], flush=True)


if __name__ == "__main__":
    main()
