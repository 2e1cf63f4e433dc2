"""Random forests whose time is bounded, grown between looks at the clock and saved as a few arrays.

Imported only inside the builder.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from gnomon.models.tables._deadline import in_time
from gnomon.models.tables._packed import pack, unpack

TREES = 20  # are grown between two looks at the clock


class _SampledForest:
    """Each tree of a large forest sees a sample: most_rows bounds the time of a fit, whatever the number of rows.
    n_estimators 0: 300 trees up to 3,000 rows, then fewer, 100 from 9,000 on, for each is better there."""

    def fit(self, x: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Any:
        count = self.n_estimators or int(np.clip(900_000 // x.shape[0], 100, 300))
        self.max_samples = self.most_rows if x.shape[0] > self.most_rows else None
        self.warm_start = True  # a few trees at a time, the same trees as all at once
        for self.n_estimators in (*range(TREES, count, TREES), count):
            in_time()
            super().fit(x, y, sample_weight=sample_weight)
        self.warm_start = False
        self.n_jobs = 1  # predicting threads add the trees' votes in the order they finish: not the same twice
        return self

    def __getstate__(self) -> dict[str, Any]:
        """What is saved: the trees packed into a few arrays, and one tree's common attributes."""
        state = dict(super().__getstate__())  # type: ignore[misc]
        trees = state.pop("estimators_", None)
        if trees:
            first = {k: v for k, v in vars(trees[0]).items() if k not in ("tree_", "random_state")}
            state["packed_"] = {"kind": type(trees[0]), "shared": first, "trees": pack(trees)}
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        packed = state.pop("packed_", None)
        super().__setstate__(state)  # type: ignore[misc]
        if packed:
            self.estimators_ = unpack(packed["trees"], packed["kind"], packed["shared"])


class ForestNumbers(_SampledForest, RandomForestRegressor):
    trees = True

    def __init__(self, n_estimators: int = 0, min_samples_leaf: int = 1, max_features: Any = 1.0,
                 most_rows: int = 50_000, random_state: int = 0, n_jobs: int = 1):
        super().__init__(n_estimators=n_estimators, min_samples_leaf=min_samples_leaf, max_features=max_features,
                         random_state=random_state, n_jobs=n_jobs)
        self.most_rows = most_rows


class ForestClasses(_SampledForest, RandomForestClassifier):
    trees = True

    def __init__(self, n_estimators: int = 0, min_samples_leaf: int = 1, max_features: Any = "sqrt",
                 most_rows: int = 50_000, random_state: int = 0, n_jobs: int = 1):
        super().__init__(n_estimators=n_estimators, min_samples_leaf=min_samples_leaf, max_features=max_features,
                         random_state=random_state, n_jobs=n_jobs)
        self.most_rows = most_rows
