"""Rows of another source beside the training rows: read in their form, and put behind them in one Data.

The training rows keep their columns, codes and order to the last bit, so that whatever is learned from them is the same
with and without the rows behind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.read.saved import read_like, schema
from gnomon.data.table import Data, Dense, Mapped, member_names, missing
from gnomon.errors import InputError
from gnomon.values import Finding, finding


def read_beside(base: Data, source: Any, word: str, *, cache: Path | None = None, seed: int = 0
                ) -> tuple[Data, list[Finding]]:
    """Another source in the form of `base` (columns, kinds, categories), and what differs there as findings.

    word: the option that named it, for messages. Raises InputError as `read_like` does, its message naming the option.
    """
    try:
        data, messages = read_like(schema(base), source, cache=cache, seed=seed)
    except InputError as error:
        raise InputError(error.code, f"{word}: {error.message}", do=error.do) from None
    name = source_name(data)
    messages = [m.replace(f" in {data.paths[0]}", "") if data.paths else m for m in messages]
    findings = [finding("LOOK-KIND", "warn" if _lacks(m) else "note", f"{name} ({word}): {m}", source="reading another source")
                for m in messages]
    return data, findings


def _lacks(message: str) -> bool:
    """Whether a message says that something the model needs is absent, rather than that something is not used."""
    return any(words in message for words in (" missing", "without a target"))


def source_name(data: Data) -> str:
    """The file or files of a Data, in words."""
    names = [Path(p).name for p in data.paths]
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "") or "the table given"


def target_known(data: Data) -> np.ndarray:
    """Rows that have at least one target."""
    known = np.zeros(len(data), dtype=bool)
    for name in data.targets:
        known |= ~missing(data.columns[name])
    return np.flatnonzero(known)


def blank_targets(data: Data) -> Data:
    """The same rows with every target unknown."""
    gone = {"category": -1, "number": np.nan, "date": np.datetime64("NaT")}
    columns = dict(data.columns)
    for name in data.targets:
        column = columns[name]
        values = np.full_like(column.take(np.arange(len(data))), gone.get(column.spec.kind))
        columns[name] = Dense(values, column.spec, member_names(column))
    return replace(data, columns=columns)


def behind(base: Data, others: Sequence[Data]) -> Data:
    """`base` with the rows of the others behind it. Positions go on after those of the base as read, paths are listed
    one after another; roles, kinds and codes of inputs and targets stay those of the base."""
    everything = [base, *others]
    starts = np.cumsum([0, *[d.source_rows or len(d) for d in everything]])[:-1]
    learned = (*base.inputs, *base.targets)
    columns = {name: _end_to_end([d.columns[name] for d in everything], name in learned) for name in base.columns}
    items: tuple[str, ...] = ()
    if any(d.items for d in everything):
        items = tuple(i for d in everything for i in (d.items or ("",) * len(d)))
    moved = [replace(f, rows=tuple(r + int(s) for r in f.rows))
             for d, s in zip(others, starts[1:], strict=True) for f in d.findings]
    return replace(base, columns=columns, position=np.concatenate([d.position + s for d, s in
                                                                   zip(everything, starts, strict=True)]),
                   paths=tuple(p for d in everything for p in d.paths), items=items, findings=(*base.findings, *moved),
                   source_rows=int(starts[-1]) + (everything[-1].source_rows or len(everything[-1])), as_read="")


def _end_to_end(columns: Sequence[Any], learned: bool) -> Any:
    """One column of several of one kind. Categories of the first keep their codes; others follow, or count as missing in
    columns that models learn from."""
    first = columns[0]
    if first.spec.kind == "category":
        return _categories(columns, learned)
    if all(isinstance(c, Dense) for c in columns):
        return replace(first, values=np.concatenate([c.values for c in columns]))
    return _mapped(columns)


def _categories(columns: Sequence[Any], learned: bool) -> Any:
    words = list(columns[0].spec.categories)
    place = {w: i for i, w in enumerate(words)}
    parts = []
    for column in columns:
        for word in column.spec.categories:
            if word not in place and not learned:
                place[word] = len(words)
                words.append(word)
        lookup = np.array([*(place.get(w, -1) for w in column.spec.categories), -1], dtype=np.int32)
        parts.append(lookup[column.take(np.arange(len(column)))])
    return replace(columns[0], values=np.concatenate(parts), spec=replace(columns[0].spec, categories=tuple(words)))


def _mapped(columns: Sequence[Any]) -> Mapped:
    """Columns of which some stay on disk: rows are fetched from whichever holds them."""
    import hashlib

    ends = np.cumsum([len(c) for c in columns])

    def load(rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows)
        owner = np.searchsorted(ends, rows, side="right")
        out: np.ndarray | None = None
        for k in np.unique(owner):
            mine = np.flatnonzero(owner == k)
            values = columns[k].take(rows[mine] - (ends[k - 1] if k else 0))
            out = np.empty((len(rows), *values.shape[1:]), dtype=values.dtype) if out is None else out
            out[mine] = values
        return columns[0].take(rows) if out is None else out

    stamp = hashlib.sha256("".join(c.hash for c in columns).encode()).hexdigest()[:16]
    return Mapped(load, int(ends[-1]), columns[0].spec, stamp)
