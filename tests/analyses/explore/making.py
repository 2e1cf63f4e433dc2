"""Data by hand, for the tests of looking: a plain rule a column, no inference."""

from __future__ import annotations

import numpy as np
import pandas as pd

from gnomon.data.table import Data, Dense, Role, Spec


def column(values: object, kind: str = "", detail: str = "") -> Dense:
    """A Dense column; the kind follows from the dtype unless stated."""
    if isinstance(values, np.ndarray) and values.ndim == 4:
        return Dense(values, Spec("image", values.shape[1:], detail=str(values.dtype)))
    series = pd.Series(values)
    if not kind:
        kind = ("date" if series.dtype.kind == "M" else "number" if series.dtype.kind in "iuf"
                else "number" if series.dtype.kind == "b" else "category")
    if kind == "number":
        return Dense(series.to_numpy(dtype=np.float64), Spec("number", detail=detail))
    if kind == "date":
        return Dense(series.to_numpy(dtype="datetime64[ns]"), Spec("date"))
    if kind == "category":
        codes, levels = pd.factorize(series, sort=True)
        return Dense(codes.astype(np.int32), Spec("category", categories=tuple(map(str, levels))))
    values = series.astype(object).where(series.notna(), None).to_numpy(dtype=object)
    return Dense(values, Spec(kind, detail=detail))


def block(values: np.ndarray) -> Dense:
    return Dense(values.astype(np.float32), Spec("number", (values.shape[1],)),
                 tuple(f"g{i}" for i in range(values.shape[1])))


def make(columns: dict, *, roles: dict | None = None, kinds: dict | None = None, items: tuple = (),
         details: dict | None = None, position: np.ndarray | None = None) -> Data:
    """Data from a dict of arrays or a DataFrame; a column called "target" or "y" is the target unless roles say."""
    roles, kinds, details = roles or {}, kinds or {}, details or {}
    built = {}
    for name in columns:
        values = columns[name]
        built[str(name)] = values if isinstance(values, Dense) else column(
            values.to_numpy() if hasattr(values, "to_numpy") else values, kinds.get(name, ""), details.get(name, ""))
    named = {name: roles.get(name, "target" if name in ("target", "y") else "input") for name in built}
    n = len(next(iter(built.values())))
    return Data(built, {k: Role(v, "made for a test") for k, v in named.items()},
                np.arange(n) if position is None else position, items=items)


def codes_of(looked: object, grades: tuple = ("warn", "block", "note")) -> set:
    return {f.code for f in looked.findings if f.grade in grades}


def clean_table(n: int = 600, seed: int = 0) -> pd.DataFrame:
    """Independent columns of ordinary shapes and a target that depends on several of them with noise."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "height": rng.normal(170, 9, n), "mass": rng.lognormal(4.2, 0.25, n), "count": rng.poisson(4, n),
        "share": rng.beta(2, 3, n), "score": rng.normal(0.3, 1.1, n), "dose": rng.gamma(2, 3, n),
        "colour": rng.choice(["red", "green", "blue"], n), "kind": rng.choice(list("abcde"), n)})
    frame["y"] = (0.08 * (frame.height - 170) + 0.5 * frame.score + 0.1 * frame.dose
                  + 0.4 * (frame.colour == "red") + rng.normal(0, 0.7, n))
    return frame
