"""What a simple candidate will cost, in seconds on this machine: a law by model, times a measured speed.

The laws were fitted to CPU seconds of single fits on an AMD EPYC (`benchmarks/simple_costs.py` repeats them); the speed is
how long one standard fit takes here and now against there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from gnomon.data.features._view import seconds_of, worked_out_once
from gnomon.values import Recipe

STANDARD_SECONDS = 0.16  # the standard fit on the machine of the laws
# model: (CPU seconds at 1,000 rows x 10 features, power of rows, power of features, least), by task where it matters
LAWS = {
    "ridge": (0.01, 1.0, 0.9, 0.02), "logistic": (0.012, 1.0, 0.9, 0.03), "lasso": (0.05, 1.0, 0.9, 0.05),
    "forest": (1.0, 1.05, 0.9, 0.1), "forest classify": (0.55, 1.05, 0.4, 0.1), "boosting": (1.3, 0.5, 0.6, 0.1),
    "boosting classify": (0.85, 0.5, 0.6, 0.1),
    "support_vectors": (1.5, 1.6, 0.3, 0.1), "support_vectors classify": (0.25, 1.0, 0.3, 0.1),
    "gaussian_process": (12.0, 2.6, 0.0, 0.1),
    "explainable_boosting": (0.7, 0.5, 1.0, 0.3),
}
WIDTHS = {"morgan": 1200, "descriptors": 200, "kmers": 1600, "strands": 450, "onehot": 300, "composition": 30, "words": 1200,
          "tfidf": 4000, "hog": 300, "pixels": 400, "texture": 60}
STANDARD = {"molecule": 1400, "sequence": 900, "text": 4000, "image": 1000, "number": 0}  # the same for "standard"
BOOSTING_READS = 8  # features for each row beyond which boosting hardly slows: a tree may choose from so few
FOREST_READS = 80  # features beyond which a forest hardly slows: fingerprints are mostly zeros
OTHER = (1.0, 1.0, 0.5, 0.2)  # a user's own estimator: unknown, so guessed
PARALLEL = ("forest", "boosting")
READ_RAW = ("boosting", "forest", "explainable_boosting")  # trees: they ask for other standard features of a sequence


@dataclass(frozen=True)
class Features:
    """Seconds of the features a recipe needs that are worked out once for all: (feature, column) -> seconds, measured here."""

    data: Any
    rows: np.ndarray
    known: dict[tuple[str, str], float] = field(default_factory=dict)

    def of(self, recipe: Recipe) -> Mapping[tuple[str, str], float]:
        if recipe.family == "floor" or not self.data.of_kind("molecule", "sequence", "image"):
            return {}
        form = "raw" if recipe.model in READ_RAW else "scaled"
        parts = worked_out_once(self.data, self.rows, self.data.inputs, recipe.options.get("view", "standard"), form)
        for part in parts:
            if part not in self.known:
                self.known[part] = seconds_of(self.data, self.rows, *part)
        return {part: self.known[part] for part in parts}


@cache
def speed() -> float:
    """How many times slower than the reference this machine is now, from one standard fit (about 0.2 s)."""
    from sklearn.ensemble import ExtraTreesRegressor

    rng = np.random.default_rng(0)
    x = rng.normal(size=(600, 10))
    model = ExtraTreesRegressor(100, random_state=0, n_jobs=1)
    model.fit(x[:50], x[:50, 0])  # the library is loaded and warm
    started = time.perf_counter()
    model.fit(x, x[:, 0] * x[:, 1])
    return max(0.5, (time.perf_counter() - started) / STANDARD_SECONDS)


def simple_seconds(model: str, view: str, main: str, task: str, rows: int, columns: int, *, outputs: float = 1,
                   threads: int = 1) -> float:
    """Predicted seconds of fitting one simple model once. main: the data's main kind. outputs: classes - 1, or
    targets, each counted by the share of rows that have it."""
    at, by_rows, by_columns, least = LAWS.get(f"{model} {task}", LAWS.get(model, OTHER))
    width = STANDARD[main] if view == "standard" else sum(WIDTHS.get(key, 0) for key in view.split("+"))
    width += max(1, columns)
    width = min(width, {"forest": FOREST_READS, "boosting": max(BOOSTING_READS * rows, 40)}.get(model, width))
    each = at * (rows / 1000) ** by_rows * (width / 10) ** by_columns
    more = 1.0 if task == "several" else {"logistic": 0.1, "forest": 0.0}.get(model, 0.5)
    each *= 1 + more * (outputs - 1)
    return float((least + each / (threads**0.8 if model in PARALLEL else 1)) * speed())
