"""Parts of a data set: which rows train, choose, calibrate and judge. Index arrays over one Data."""

from __future__ import annotations

from dataclasses import dataclass, field

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
    unlabelled: rows whose target is not known: for methods that learn from inputs alone, never for supervised ones.
    folds_by: the policy the folds follow where it is another than `policy`, as beside an external test set or where only
    training and test rows are given.
    test_hash: content of the external test set, by which its openings are counted; "" without one.
    one_only: the unit to be held out of which the data hold but one ("patient"): its rows were parted instead, and nothing
    can be claimed of another one; "" as a rule.
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
    unlabelled: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    folds_by: str = ""
    test_hash: str = ""
    one_only: str = ""

    @property
    def fold_policy(self) -> str:
        """The policy that parted training from validation rows."""
        return self.folds_by or self.policy

    @property
    def repeats(self) -> int:
        """How often the rows were dealt into folds anew."""
        return 1 + max(fold.repeat for fold in self.folds)

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


def folds_words(folds: int, repeats: int | None) -> str:
    """"5-fold cross-validation, repeated 3 times"; where it is not on record how often rows were dealt, the count of folds."""
    if folds <= 1:
        return "one validation part"
    if not repeats:
        return f"cross-validation in {folds} folds"
    return f"{folds // repeats}-fold cross-validation" + (f", repeated {repeats} times" if repeats > 1 else "")
