"""The target as look B sees it: classes or numbers of the training rows that have one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gnomon.analyses.explore._kit import Grouping, sample
from gnomon.data.table import Data, missing, strings

BINS = 48


@dataclass(frozen=True)
class Aim:
    """rows (m,): training rows with a target. Classes: codes int64 (m,) and their names; numbers: values float64."""

    name: str
    rows: np.ndarray
    values: np.ndarray
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: np.ndarray) -> Aim:
        return Aim(self.name, self.rows[places], self.values[places], self.classes)

    def sampled(self, most: int, seed: int, *names: object) -> Aim:
        """This aim on at most `most` of its rows."""
        return self.take(sample(np.arange(len(self)), most, seed, self.name, *names))


def aim_of(data: Data, target: str, rows: np.ndarray) -> Aim | None:
    """The target on these rows; None when it is neither a category nor a plain number, or is nowhere known.

    A number with two distinct values counts as two classes.
    """
    column = data.columns[target]
    if column.spec.shape or column.spec.kind not in ("number", "category"):
        return None
    rows = rows[~missing(column, rows)]
    if not len(rows):
        return None
    values = column.take(rows)
    if column.spec.kind == "category" or len(np.unique(values)) <= 2:
        names, codes = np.unique(strings(column, rows).astype(str), return_inverse=True)
        return Aim(target, rows, codes.astype(np.int64), tuple(names.tolist()))
    return Aim(target, rows, values.astype(np.float64))


def binned(values: np.ndarray) -> np.ndarray:
    """A column as at most BINS codes: quantile bins of numbers (missing = its own), the commonest categories."""
    if values.dtype.kind in "iu":
        levels, codes = np.unique(values, return_inverse=True)
        if len(levels) <= BINS:
            return codes
        counts = np.bincount(codes)
        kept = np.argsort(-counts, kind="stable")[:BINS - 1]
        place = np.full(len(levels), BINS - 1)
        place[kept] = np.arange(len(kept))
        return place[codes]
    gone = np.isnan(values)
    known = values[~gone]
    levels = np.unique(known)
    if len(levels) > BINS:
        levels = np.unique(np.quantile(known, np.linspace(0, 1, BINS)[1:-1]))
        codes = np.searchsorted(levels, values, side="right")
    else:
        codes = np.searchsorted(levels, values)
    return np.where(gone, len(levels) + 1, codes)


def one_column_skill(values: np.ndarray, aim: Aim, folds: np.ndarray) -> float:
    """How much of the target one column predicts out of fold: R squared, or 1 - balanced error over its chance level.

    The column is binned; each bin predicts its training mean, or the class with the largest share of its own class. A
    straight line is tried too (two numbers: fitting them needs no fold).
    """
    codes = binned(values)
    size = int(codes.max(initial=0)) + 1
    if not aim.classes:
        guess = np.zeros(len(aim))
        for fold in np.unique(folds):
            fit, held = folds != fold, folds == fold
            mean = aim.values[fit].mean()
            sums = np.bincount(codes[fit], aim.values[fit] - mean, minlength=size)
            guess[held] = mean + (sums / (np.bincount(codes[fit], minlength=size) + 0.5))[codes[held]]
        total = float(((aim.values - aim.values.mean()) ** 2).sum())
        left = float(((aim.values - guess) ** 2).sum())
        if values.dtype.kind == "f" and not np.isnan(values).any() and np.std(values) > 0:
            left = min(left, total * (1 - float(np.corrcoef(values, aim.values)[0, 1]) ** 2))  # a straight line
        return max(0.0, 1 - left / total) if total > 0 else 0.0
    count = len(aim.classes)
    right = np.zeros(len(aim), dtype=bool)
    for fold in np.unique(folds):
        fit, held = folds != fold, folds == fold
        table = np.zeros((size, count))
        np.add.at(table, (codes[fit], aim.values[fit]), 1.0)
        shares = table / np.maximum(np.bincount(aim.values[fit], minlength=count), 1)
        right[held] = shares.argmax(axis=1)[codes[held]] == aim.values[held]
    present = np.unique(aim.values)
    recall = np.mean([right[aim.values == c].mean() for c in present])
    return max(0.0, float((recall - 1 / len(present)) / (1 - 1 / len(present)))) if len(present) > 1 else 0.0


def folds_of(count: int, seed: int, *names: object, ties: np.ndarray | None = None, folds: int = 5) -> np.ndarray:
    """(count,) fold numbers, at random; rows with equal `ties` share a fold."""
    from gnomon.rng import stream

    rng = stream(seed, "look", "folds", *names)
    if ties is None:
        return rng.permutation(count) % folds
    _, codes = np.unique(ties, return_inverse=True)
    return (rng.permutation(codes.max() + 1) % folds)[codes]


def group_of(groups: Mapping[str, Grouping]) -> tuple[str, Grouping] | None:
    """The first grouping that names units (patients, plates), if any."""
    return next(((name, g) for name, g in groups.items() if g.kind == "group"), None)
