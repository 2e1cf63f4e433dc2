"""Features that need no fitting are worked out once for a column and remembered while the process lives."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import numpy as np

REMEMBERED = 24  # matrices
LARGEST = 200_000  # rows up to which a whole column is worked out at once
PIECE = 2_000  # rows worked out together
OFTEN = 0.7  # share of different values up to which each is worked out once
_kept: OrderedDict[tuple[str, ...], Any] = OrderedDict()


def remembered(column: Any, key: str, rows: np.ndarray, work: Callable[[Any], Any]) -> Any:
    """`work(values)` of these rows, (n, d) dense or csr, from the memory of this column where it fits into one.

    `key` names the feature and its settings; columns are told apart by the hash of their content.
    """
    few = 4 * len(rows) < len(column) and len(column) > PIECE * 10
    if len(column) > LARGEST or few:
        return _in_pieces(column, rows, work)
    name = (column.hash, key)
    if name not in _kept:
        _kept[name] = _each_once(column, work)
        while len(_kept) > REMEMBERED:
            _kept.popitem(last=False)
    _kept.move_to_end(name)
    return _kept[name][rows]


def different(column: Any) -> tuple[np.ndarray, np.ndarray] | None:
    """(rows of the first of each value, place of every row among them) of a column of texts that repeats itself: the same
    ligand in a thousand reactions is looked at once. None where most values differ, and for pictures."""
    if column.spec.kind == "image" or column.spec.shape:
        return None
    import pandas as pd

    place, values = pd.factorize(pd.Series(column.take(np.arange(len(column))), dtype=object), use_na_sentinel=False)
    if len(values) > OFTEN * len(column):
        return None
    return np.unique(place, return_index=True)[1], place


def _each_once(column: Any, work: Callable[[Any], Any]) -> Any:
    once = different(column)
    if once is None:
        return _in_pieces(column, np.arange(len(column)), work)
    return _in_pieces(column, once[0], work)[once[1]]


def _in_pieces(column: Any, rows: np.ndarray, work: Callable[[Any], Any]) -> Any:
    if len(rows) <= PIECE or column.spec.kind != "image":
        return work(column.take(rows))
    return np.concatenate([work(column.take(rows[i:i + PIECE])) for i in range(0, len(rows), PIECE)])
