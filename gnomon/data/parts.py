"""Parts of a data set: which rows train, choose, calibrate and judge. Index arrays over one Data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Fold:
    """Rows to fit on and rows to score on. Methods that stop early carve their stopping rows out of `train`."""

    train: np.ndarray
    valid: np.ndarray
    repeat: int = 0


@dataclass(frozen=True)
class Parts:
    """How the rows are used, and why.

    folds: one Fold (holdout) or K (cross-validation over everything outside `test`).
    test: sealed rows, empty under cross-validation without a sealed part.
    units: (n,) int64, the independent unit of each row (patient, plate, scaffold family, duplicate cluster ...).
    estimator: "holdout" when `test` judges, else "repeated_cv" (headline BBC-corrected).
    """

    folds: tuple[Fold, ...]
    test: np.ndarray
    units: np.ndarray
    unit: str
    policy: str  # "group:patient"
    because: str
    scope: str  # "new patients from the same hospitals; new site, later time: not tested"
    assumes: str
    estimator: str

    @property
    def develop(self) -> np.ndarray:
        """Every row that may be looked at with its target: all but the sealed ones."""
        rows = np.concatenate([np.concatenate([f.train, f.valid]) for f in self.folds])
        return np.unique(rows)


@dataclass(frozen=True)
class Rows:
    """What a method may see: rows to fit on, and rows (of other units) to decide when to stop."""

    fit: np.ndarray
    stop: np.ndarray

    @property
    def all(self) -> np.ndarray:
        return np.concatenate([self.fit, self.stop])
