"""What can be shuffled or deleted in the data: input columns, the sub-columns of a block, and groups of like ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.data.table import Data, Dense, take_column

ALIKE = 0.8  # inputs associated more strongly than this are shown as one group
MOST_SCALARS = 400  # beyond so many inputs the pairwise association is computed on ranks only, in blocks
CHAIN = 20  # single linkage chains more columns than this through each other: such a group is cut by average linkage
MOST_CUT = 8000  # columns of a chain that are cut: the distances of more do not fit in memory
SAMPLE = 1000  # rows used to measure association
NAMED = 3  # columns of a group that are named


@dataclass(frozen=True)
class Part:
    """One input column as read: `column` of the Data, and its place in it when the column is a block, else -1."""

    what: str
    column: str
    place: int = -1


def parts_of(data: Data, inputs: Sequence[str] | None = None) -> tuple[Part, ...]:
    """Every input column as read, blocks unrolled."""
    out: list[Part] = []
    for name in data.inputs if inputs is None else inputs:
        names = block_names(data.columns[name])
        out += [Part(what, name, j) for j, what in enumerate(names)] if names else [Part(name, name)]
    return tuple(out)


def block_names(column: Any) -> tuple[str, ...]:
    """The names of a block's sub-columns; () for a column that is no block."""
    if column.spec.kind != "number" or not isinstance(column, Dense) or column.values.ndim != 2:
        return ()
    return column.names or tuple(str(j) for j in range(column.values.shape[1]))


def groups_of(data: Data, parts: Sequence[Part], rows: np.ndarray) -> list[tuple[Part, ...]]:
    """Parts joined where they are associated (|rho| > .8, Cramer's V or correlation ratio for categories).

    Single linkage: no two inputs in different groups are associated more strongly than that. Among thousands of columns it
    chains what has little in common, so a group of more than CHAIN is cut where columns are alike on average.
    Text, images, sequences and molecules stay alone.
    """
    rows = np.sort(rows)[:: max(1, len(rows) // SAMPLE)]
    scalar = [i for i, p in enumerate(parts) if data.kind(p.column) in ("number", "category")]
    root = list(range(len(parts)))
    for a, b in _alike(data, [parts[i] for i in scalar], rows):
        _join(root, scalar[a], scalar[b])
    groups: dict[int, list[Part]] = {}
    for i, part in enumerate(parts):
        groups.setdefault(_top(root, i), []).append(part)
    return [tuple(cut) for g in groups.values() for cut in _unchained(data, g, rows)]


def named(names: Sequence[str]) -> str:
    """A group in words: a long one by its first columns and how many more."""
    if len(names) <= NAMED + 1:
        return " + ".join(names)
    return f"{' + '.join(names[:NAMED])} and {len(names) - NAMED:,} more alike"


def _unchained(data: Data, group: list[Part], rows: np.ndarray) -> list[list[Part]]:
    """A chain of number columns cut into groups that are alike on average (average linkage); any other group as it is."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if not CHAIN < len(group) <= MOST_CUT or any(data.kind(p.column) != "number" for p in group):
        return [group]
    ranks = ranked(matrix_of(data, group, rows))
    apart = np.clip(1 - np.abs(ranks.T @ ranks), 0, None)
    np.fill_diagonal(apart, 0)
    marks = fcluster(linkage(squareform(apart, checks=False), "average"), 1 - ALIKE, "distance")
    return [[group[i] for i in np.flatnonzero(marks == mark)] for mark in dict.fromkeys(marks)]


def _top(root: list[int], i: int) -> int:
    while root[i] != i:
        root[i] = root[root[i]]
        i = root[i]
    return i


def _join(root: list[int], a: int, b: int) -> None:
    a, b = _top(root, a), _top(root, b)
    root[max(a, b)] = min(a, b)


def _alike(data: Data, parts: Sequence[Part], rows: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of places in `parts` that are associated more strongly than ALIKE."""
    numbers = [i for i, p in enumerate(parts) if data.kind(p.column) == "number"]
    categories = [i for i, p in enumerate(parts) if data.kind(p.column) == "category"]
    pairs: list[tuple[int, int]] = []
    if len(numbers) > 1:
        ranks = ranked(matrix_of(data, [parts[i] for i in numbers], rows))
        for start in range(0, len(numbers), MOST_SCALARS):
            near = np.abs(ranks[:, start:start + MOST_SCALARS].T @ ranks) > ALIKE
            pairs += [(numbers[start + a], numbers[b]) for a, b in np.argwhere(near) if start + a < b]
    codes = {i: data.columns[parts[i].column].take(rows) for i in categories}
    for k, i in enumerate(categories):
        pairs += [(i, j) for j in categories[k + 1:] if _cramer(codes[i], codes[j]) > ALIKE]
        pairs += [(i, j) for j in numbers[:MOST_SCALARS]
                  if _ratio(codes[i], data_values(data, parts[j], rows)) > ALIKE]
    return pairs


def matrix_of(data: Data, parts: Sequence[Part], rows: np.ndarray) -> np.ndarray:
    """Number parts as (rows, parts) float32, a block's array taken once."""
    taken = {name: data.columns[name].take(rows).reshape(len(rows), -1) for name in {p.column for p in parts}}
    return np.stack([taken[p.column][:, max(p.place, 0)] for p in parts], axis=1).astype(np.float32)


def data_values(data: Data, part: Part, rows: np.ndarray) -> np.ndarray:
    """The values of one number part."""
    return data.columns[part.column].take(rows).reshape(len(rows), -1)[:, max(part.place, 0)]


def ranked(matrix: np.ndarray) -> np.ndarray:
    """Columns as centred ranks of unit length (missing at the middle): a product of two is Spearman's rho."""
    from scipy.stats import rankdata

    ranks = rankdata(np.where(np.isnan(matrix), medians(matrix), matrix), axis=0)
    ranks = (ranks - ranks.mean(axis=0)).astype(np.float32)
    length = np.sqrt((ranks**2).sum(axis=0))
    return ranks / np.where(length > 0, length, 1)


def medians(matrix: np.ndarray) -> np.ndarray:
    """(d,) medians of what is known; 0 where nothing is."""
    empty = np.isnan(matrix).all(axis=0)
    return np.nanmedian(np.where(empty, 0.0, matrix), axis=0) if len(matrix) else np.zeros(matrix.shape[1])


def _cramer(a: np.ndarray, b: np.ndarray) -> float:
    """Cramer's V with Bergsma's correction, over rows where both are known."""
    known = (a >= 0) & (b >= 0)
    a, b = np.unique(a[known], return_inverse=True)[1], np.unique(b[known], return_inverse=True)[1]
    n = len(a)
    if n < 2 or a.max() == 0 or b.max() == 0:
        return 0.0
    table = np.zeros((a.max() + 1, b.max() + 1))
    np.add.at(table, (a, b), 1)
    wanted = table.sum(1, keepdims=True) * table.sum(0, keepdims=True) / n
    r, k = table.shape
    phi = max(0.0, ((table - wanted) ** 2 / wanted).sum() / n - (r - 1) * (k - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(np.sqrt(phi / least)) if least > 0 else 0.0


def _ratio(codes: np.ndarray, values: np.ndarray) -> float:
    """Correlation ratio: the root of the adjusted share of a number's variance between categories."""
    known = (codes >= 0) & np.isfinite(values)
    place, values = np.unique(codes[known], return_inverse=True)[1], values[known]
    n = len(values)
    levels = int(place.max()) + 1 if n else 0
    if n <= levels + 1 or levels < 2 or np.ptp(values) == 0:
        return 0.0
    count = np.bincount(place)
    within = ((values - (np.bincount(place, values) / count)[place]) ** 2).sum()
    share = 1 - (within / (n - levels)) / (((values - values.mean()) ** 2).sum() / (n - 1))
    return float(np.sqrt(max(share, 0.0)))


def moved(data: Data, parts: Sequence[Part], order: np.ndarray) -> Data:
    """A copy of `data` in which these parts come from other rows: row i gets the values of row order[i]."""
    columns = dict(data.columns)
    for name in dict.fromkeys(p.column for p in parts):
        column, places = columns[name], [p.place for p in parts if p.column == name]
        if -1 in places or len(places) == len(block_names(column)):
            columns[name] = take_column(column, order)
        else:
            values = column.values.copy()  # type: ignore[attr-defined]
            values[:, places] = values[order[:, None], places]
            columns[name] = replace(column, values=values)  # type: ignore[type-var]
    return replace(data, columns=columns)
