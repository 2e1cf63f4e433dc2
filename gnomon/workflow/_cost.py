"""What a simple candidate will cost, in seconds on this machine: a law by model, times a measured speed.

The laws were fitted to runs on two cores of an AMD EPYC (benchmarks/simple_costs.py repeats them); the speed is how long
one standard fit takes here and now against there.
"""

from __future__ import annotations

import time
from functools import cache

import numpy as np

STANDARD_SECONDS = 0.16  # the standard fit on the machine of the laws
# model: (seconds at 1,000 rows x 10 features, power of rows, power of features, seconds a fit costs at least)
LAWS = {
    "ridge": (0.01, 1.0, 0.9, 0.02), "logistic": (0.05, 1.0, 0.7, 0.05), "lasso": (0.05, 1.0, 1.0, 0.05),
    "forest": (0.35, 1.05, 0.45, 0.2), "boosting": (1.2, 0.6, 0.45, 0.4), "support_vectors": (0.25, 1.9, 0.3, 0.1),
    "gaussian_process": (14.0, 2.0, 0.15, 1.0), "explainable_boosting": (1.5, 0.7, 1.0, 0.5),
}
WIDTHS = {"morgan": 1200, "descriptors": 200, "morgan+descriptors": 1400, "kmers": 600, "onehot": 400,
          "onehot+composition": 420, "tfidf": 400, "hog": 300, "pixels": 400, "texture": 60}
OTHER = (1.0, 1.0, 0.5, 0.2)  # a user's own estimator: unknown, so guessed


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
    return (time.perf_counter() - started) / STANDARD_SECONDS


def simple_seconds(model: str, view: str, rows: int, columns: int, folds: int, outputs: int = 1) -> float:
    """Predicted seconds of fitting one simple model on all folds. outputs: targets, or classes beyond two."""
    at, by_rows, by_columns, least = LAWS.get(model, OTHER)
    width = WIDTHS.get(view, 0) + max(1, columns)
    each = at * (rows / 1000) ** by_rows * (width / 10) ** by_columns
    return float(folds * (least + each * (1 + 0.3 * (outputs - 1))) * speed())
