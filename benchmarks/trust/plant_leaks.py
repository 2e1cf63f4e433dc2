"""Leaks: columns, files and orders that hold the answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from _data import Truth, column, is_classes, taken, values_of, with_column

from gnomon.analyses.explore._views import quick_view
from gnomon.data.table import Data

LEAK = ("LOOK-LEAK",)


def answer(data: Data) -> np.ndarray:
    return values_of(data, "target").astype(float)


def direct(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """The target, rescaled; classes as their numbers."""
    y = answer(data)
    y = rng.permutation(int(y.max()) + 1)[y.astype(int)] if is_classes(data) else 3.2 * y - 7
    return with_column(data, "x17", y.astype(float)), Truth(LEAK, columns=("x17",))


def text(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Classes as letters; numbers as one of eight grades (strength 0: none wrong; else that share is random)."""
    y = answer(data)
    codes = y.astype(int) if is_classes(data) else np.searchsorted(np.quantile(y, np.arange(1, 8) / 8), y)
    names = np.array(list("QWERTZUIOPAS"))[rng.permutation(12)][codes]
    mixed = rng.random(len(y)) < strength
    names[mixed] = rng.choice(names, mixed.sum())
    return with_column(data, "x17", column(names, "category")), Truth(LEAK, columns=("x17",))


def noisy(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """The target plus noise of `strength` of its spread; of classes, the share that is wrong. Of numbers it can be told from a
    good measurement only where the other columns tell less than it does (explained variance, trees out of fold)."""
    y, possible = answer(data), None
    if is_classes(data):
        wrong = rng.random(len(y)) < strength
        y[wrong] = rng.choice(y, wrong.sum())
    else:
        possible = told_by_others(data, y) < 1 / (1 + strength**2)
        y = y + strength * y.std() * rng.normal(size=len(y))
    return with_column(data, "x17", y), Truth(LEAK, columns=("x17",), possible=possible)


def told_by_others(data: Data, y: np.ndarray) -> float:
    """Explained variance of the target out of five folds, by extremely randomised trees on all inputs."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.model_selection import cross_val_predict

    view = quick_view(data, np.arange(len(data)), inputs=data.inputs)
    guess = cross_val_predict(ExtraTreesRegressor(100, random_state=0), view, y, cv=5)
    return 1 - float(np.mean((y - guess) ** 2) / np.var(y))


def named(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A weak model's prediction kept in the file, by name: correlation about 0.7."""
    y = answer(data)
    y = (y - y.mean()) / y.std() + rng.normal(size=len(y))
    return with_column(data, "predicted target", y), Truth(LEAK, columns=("predicted target",))


def gaps(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A column recorded only for one class (or the upper half): its gaps are the answer."""
    y = answer(data)
    high = y == np.bincount(y.astype(int)).argmax() if is_classes(data) else y > np.median(y)
    values = np.where(high, rng.normal(size=len(y)), np.nan)
    return with_column(data, "x17", values), Truth((*LEAK, "LOOK-MISSING-INFORMATIVE"), columns=("x17",), least="warn")


def file_name(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Two series of file names, one a class; a share `strength` is in the other series. The pixels do not change."""
    y = answer(data)
    series = (y == np.bincount(y.astype(int)).argmax()).astype(int)
    series = np.where(rng.random(len(y)) < strength, 1 - series, series)
    items = tuple(f"scan/{('img', 'case')[s]}-{i:05d}.png" for i, s in zip(rng.permutation(len(y)), series, strict=True))
    return replace(data, items=items), Truth(LEAK)


def file_type(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """One class saved as jpg, the others as png, a share `strength` the other way."""
    y = answer(data)
    kind = (y == np.bincount(y.astype(int)).argmax()) ^ (rng.random(len(y)) < strength)
    items = tuple(f"scan/{i:05d}.{'jpg' if k else 'png'}" for i, k in zip(rng.permutation(len(y)), kind, strict=True))
    data = with_column(data, "file:type", column(np.where(kind, "jpg", "png")), "ignore")
    return replace(data, items=items), Truth(LEAK, least="warn")


def file_size(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """One class came from a scanner with other picture sizes (kept aside as `file:width`), a share `strength` not."""
    y = answer(data)
    large = (y == np.bincount(y.astype(int)).argmax()) ^ (rng.random(len(y)) < strength)
    width = np.where(large, rng.integers(900, 1100, len(y)), rng.integers(500, 700, len(y))).astype(float)
    return with_column(data, "file:width", width, "ignore"), Truth(LEAK, columns=("file:width",), least="warn")


def bit_depth(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """One class saved with another mode (kept aside as `file:mode`), a share `strength` not."""
    y = answer(data)
    deep = (y == np.bincount(y.astype(int)).argmax()) ^ (rng.random(len(y)) < strength)
    return with_column(data, "file:mode", column(np.where(deep, "I;16", "L")), "ignore"), Truth(
        LEAK, columns=("file:mode",), least="warn")


def row_order(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Rows sorted by the target, and a running number kept as a column that looks like a measurement."""
    y = answer(data)
    data = taken(data, np.argsort(y, kind="stable"))
    steps = np.cumsum(rng.integers(1, 4, len(y))).astype(float)
    return with_column(data, "x17", steps), Truth(LEAK, columns=("x17",))
