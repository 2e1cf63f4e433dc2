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


def binned(values: np.ndarray, most: int = BINS) -> np.ndarray:
    """A column as at most `most` codes: numbers of more levels in quantile bins (missing = its own), the commonest of other
    codes. Bins hold ten rows or more where there are more than BINS of them."""
    if values.dtype.kind in "iu":
        levels, codes = np.unique(values, return_inverse=True)
        if len(levels) <= most:
            return codes
        counts = np.bincount(codes)
        kept = np.argsort(-counts, kind="stable")[:most - 1]
        place = np.full(len(levels), most - 1)
        place[kept] = np.arange(len(kept))
        return place[codes]
    gone = np.isnan(values)
    known = values[~gone]
    levels = np.unique(known)
    if len(levels) > most:
        cuts = min(most, max(BINS, len(known) // 10))
        levels = np.unique(np.quantile(known, np.linspace(0, 1, cuts)[1:-1]))
        codes = np.searchsorted(levels, values, side="right")
    else:
        codes = np.searchsorted(levels, values)
    return np.where(gone, len(levels) + 1, codes)


@dataclass(frozen=True)
class Alone:
    """What one column predicts out of fold. guess: (m,) class codes or numbers. skill: R squared, or 1 - balanced error over
    its chance level."""

    guess: np.ndarray
    skill: float


def alone(values: np.ndarray, aim: Aim, folds: np.ndarray) -> Alone:
    """The target out of fold from one column by itself.

    The column is binned, finely enough to tell every class; each bin predicts its training mean, or the class with the
    largest share of its own class. A straight line is tried too (two numbers: fitting them needs no fold).
    """
    codes = binned(values, max(BINS, 4 * len(aim.classes)))
    size = int(codes.max(initial=0)) + 1
    guess = np.zeros(len(aim), dtype=aim.values.dtype)
    for fold in np.unique(folds):
        fit, held = folds != fold, folds == fold
        if not fit.any():
            continue
        if aim.classes:
            guess[held] = _likeliest(codes[fit], aim.values[fit], size, len(aim.classes))[codes[held]]
        else:
            mean = aim.values[fit].mean()
            sums = np.bincount(codes[fit], aim.values[fit] - mean, minlength=size)
            guess[held] = mean + (sums / (np.bincount(codes[fit], minlength=size) + 0.5))[codes[held]]
    skill = skill_of(guess, aim)
    if not aim.classes and values.dtype.kind == "f" and not np.isnan(values).any() and np.std(values) > 0 < np.std(aim.values):
        line = float(np.corrcoef(values, aim.values)[0, 1]) ** 2
        return Alone(values, line) if line > skill else Alone(guess, skill)
    return Alone(guess, skill)


def _likeliest(codes: np.ndarray, classes: np.ndarray, size: int, count: int) -> np.ndarray:
    """(size,) for each code the class of which it holds the largest share; class 0 for codes that do not occur."""
    pairs, times = np.unique(codes.astype(np.int64) * count + classes, return_counts=True)
    code, label = pairs // count, pairs % count
    order = np.lexsort((label, -times / np.bincount(classes, minlength=count)[label], code))
    first = order[np.unique(code[order], return_index=True)[1]]
    out = np.zeros(size, dtype=np.int64)
    out[code[first]] = label[first]
    return out


def skill_of(guess: np.ndarray, aim: Aim) -> float:
    """R squared of guesses, at least 0; of classes, 1 - balanced error over its chance level."""
    if not aim.classes:
        total = float(((aim.values - aim.values.mean()) ** 2).sum())
        return max(0.0, 1 - float(((aim.values - guess) ** 2).sum()) / total) if total > 0 else 0.0
    present = np.unique(aim.values)
    if len(present) < 2:
        return 0.0
    right = np.bincount(aim.values, guess == aim.values)[present] / np.bincount(aim.values)[present]
    return max(0.0, float((right.mean() - 1 / len(present)) / (1 - 1 / len(present))))


def folds_of(count: int, seed: int, *names: object, ties: np.ndarray | None = None, folds: int = 5) -> np.ndarray:
    """(count,) fold numbers, at random; rows with equal `ties` share a fold."""
    from gnomon.rng import stream

    rng = stream(seed, "look", "folds", *names)
    if ties is None:
        return rng.permutation(count) % folds
    _, codes = np.unique(ties, return_inverse=True)
    return (rng.permutation(codes.max() + 1) % folds)[codes]


def units_of(groups: Mapping[str, Grouping], aim: Aim) -> np.ndarray | None:
    """(m,) the unit of each of the aim's rows, or None where nothing names units."""
    named = group_of(groups)
    return None if named is None else named[1].codes[aim.rows]


def group_of(groups: Mapping[str, Grouping]) -> tuple[str, Grouping] | None:
    """The first grouping that names units (patients, plates), if any."""
    return next(((name, g) for name, g in groups.items() if g.kind == "group"), None)
