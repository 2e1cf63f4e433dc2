"""The columns inside a block: a wide table's like number columns are read as one, but each can be named and taken out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from gnomon.data.table import Data, Dense, Spec


def members(data: Data) -> dict[str, str]:
    """Name of each column that stands in a block -> the block's name."""
    return {name: block for block, column in data.columns.items() if isinstance(column, Dense) and column.values.ndim == 2
            for name in column.names}


def apart(data: Data, names: Iterable[str]) -> Data:
    """The data with these members of blocks as columns of their own behind what is left of their block, their roles its own.
    Names that are no members are passed over."""
    names, home = set(names), members(data)
    for block in dict.fromkeys(home[n] for n in names if n in home):
        data = _without(data, block, names)
    return data


def _without(data: Data, block: str, names: set[str]) -> Data:
    whole = data.columns[block]
    assert isinstance(whole, Dense)
    kept = [j for j, name in enumerate(whole.names) if name not in names]
    parts = {}
    if kept:
        left = tuple(whole.names[j] for j in kept)
        parts[f"{left[0]} ... ({len(left)} columns)"] = Dense(np.ascontiguousarray(whole.values[:, kept]),
                                                              replace(whole.spec, shape=(len(left),)), left)
    for j, name in enumerate(whole.names):
        if name in names:
            parts[name] = Dense(whole.values[:, j].astype(np.float64), Spec("number"))
    columns = {k: c for n, own in data.columns.items() for k, c in (parts if n == block else {n: own}).items()}
    roles = {k: data.roles[n] for n in data.columns for k in (parts if n == block else (n,))}
    because = {k: data.kinds_because.get(n, "") for n in data.columns for k in (parts if n == block else (n,))}
    return replace(data, columns=columns, roles=roles, kinds_because=because)
