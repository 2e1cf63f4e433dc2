"""What a reader hands over before kinds are known: columns as read, what the format already tells, what was broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gnomon.values import Finding

# What stands for "no value" in any column; "None" and "-" may be meant as categories and only count among numbers.
MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "<NA>", "?")
MISSING_NUMBER = (
    *MISSING,
    "None",
    "none",
    "-",
    "--",
    ".",
    "na",
    "Na",
    "#VALUE!",
    "#DIV/0!",
    "missing",
    "NAN",
    "#NUM!",
    "#REF!",
)


@dataclass(frozen=True)
class Raw:
    """Columns of one length, not yet typed.

    columns: name -> pyarrow string ChunkedArray (null = missing), or a numpy array of numbers, bools or dates, or a
        finished gnomon Column (images, blocks).
    kinds, roles: name -> (kind or role, because) where the format tells, e.g. class folders.
    position: 0-based row in the input. items: the file of each row, or (). bad: row index here -> why it is broken.
    """

    columns: Mapping[str, Any]
    position: np.ndarray
    paths: tuple[str, ...] = ()
    kinds: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    items: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    sampled: str = ""
    bad: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.position)

    def add(self, name: str, values: Any, kind: tuple[str, str] | None, role: tuple[str, str] | None) -> Raw:
        """The same with one more column."""
        kinds = {**self.kinds, name: kind} if kind else self.kinds
        roles = {**self.roles, name: role} if role else self.roles
        return replace(self, columns={**self.columns, name: values}, kinds=kinds, roles=roles)


def strings(values: Sequence[Any]) -> Any:
    """Python values as a pyarrow string ChunkedArray, the missing marks as null."""
    import pyarrow as pa

    texts = [None if v is None or v != v else str(v) for v in values]
    return pa.chunked_array([pa.array([None if t is None or t.strip() in MISSING else t for t in texts], pa.string())])


def is_strings(values: Any) -> bool:
    """Whether a raw column holds text (a pyarrow array) rather than numbers or a finished column."""
    return hasattr(values, "null_count") and hasattr(values, "type")


def take(values: Any, rows: np.ndarray) -> Any:
    """Rows of a raw column, whatever its form."""
    if is_strings(values):
        import pyarrow as pa

        return values.take(pa.array(rows))
    if isinstance(values, np.ndarray):
        return values[rows]
    from gnomon.data.table import take_column

    return take_column(values, rows)


def take_rows(raw: Raw, rows: np.ndarray) -> Raw:
    """A Raw of these rows only."""
    items = tuple(raw.items[i] for i in rows) if raw.items else ()
    place = {int(r): i for i, r in enumerate(rows)}
    bad = {place[r]: why for r, why in raw.bad.items() if r in place}
    return replace(
        raw,
        columns={n: take(c, rows) for n, c in raw.columns.items()},
        position=raw.position[rows],
        items=items,
        bad=bad,
    )
