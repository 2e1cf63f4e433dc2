"""Small data sets with a known rule, for tests of networks."""

from __future__ import annotations

import numpy as np

from gnomon.data.parts import Rows
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress


def data_of(columns: dict, target: str) -> Data:
    roles = {name: Role("target" if name == target else "input", "test") for name in columns}
    return Data(columns, roles, np.arange(len(next(iter(columns.values())))))


def table(n: int = 240, seed: int = 0) -> Data:
    """y = 2 a + sin(3 b) + an effect of the category c; b misses values now and then."""
    dice = np.random.default_rng(seed)
    a, b, c = dice.normal(size=n) * 50 + 1000, dice.uniform(-2, 2, n), dice.integers(0, 3, n)
    y = 100 + 5 * (2 * (a - 1000) / 50 + np.sin(3 * b) + np.array([0.0, 1.0, -1.0])[c] + 0.05 * dice.normal(size=n))
    b[::17] = np.nan
    categories = ("red", "green", "blue")
    return data_of({"a": Dense(a, Spec("number")), "b": Dense(b, Spec("number")),
                    "c": Dense(c.astype(np.int32), Spec("category", categories=categories)),
                    "y": Dense(y, Spec("number")),
                    }, "y")


def labelled_table(n: int = 240, seed: int = 0) -> Data:
    """Two classes by the sign of the number above."""
    data = table(n, seed)
    y = data.columns["y"].values
    high = (y > np.median(y)).astype(np.int32)
    columns = {**data.columns, "y": Dense(high, Spec("category", categories=("no", "yes")))}
    return data_of(columns, "y")


def images(n: int = 192, seed: int = 0, side: int = 12, dtype: type = np.uint8, channels: int = 1) -> Data:
    """A bright bar, lying or standing, anywhere."""
    dice = np.random.default_rng(seed)
    pixels = dice.integers(0, 60, (n, channels, side, side))
    standing = dice.integers(0, 2, n)
    for i in range(n):
        at = dice.integers(1, side - 2)
        where = (slice(None), slice(None), slice(at, at + 2)) if standing[i] else (slice(None), slice(at, at + 2))
        pixels[i][where] += 150
    scale = {np.uint8: 1, np.uint16: 200, np.float32: 0.001}[dtype]
    pixels = (pixels * scale).astype(dtype)
    return data_of({"picture": Dense(pixels, Spec("image", shape=pixels.shape[1:])),
                    "bar": Dense(standing.astype(np.int32), Spec("category", categories=("lying", "standing")))}, "bar")


def rows_of(data: Data, stop: float = 0.2, test: float = 0.25) -> tuple[Rows, np.ndarray]:
    """(rows to fit and stop, rows to test)."""
    n = len(data)
    a, b = round(n * (1 - stop - test)), round(n * (1 - test))
    return Rows(np.arange(a), np.arange(a, b)), np.arange(b, n)


def task_of(data: Data):
    target = data.targets[0]
    column = data.columns[target]
    if column.spec.kind == "category":
        return classify(target, column.spec.categories)
    return regress(target, mean=float(np.nanmean(column.values)), sd=float(np.nanstd(column.values)))
