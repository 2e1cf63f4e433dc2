"""Data: columns of one length, each with a kind (what its values are) and a role (what it is for).

A column lives in memory (Dense, Ragged) or on disk and is decoded when asked for (Mapped). All three offer the same:
`spec`, `take(rows)`, `nbytes`, `hash`, `len()`. Parts of a data set are index arrays over one Data, never copies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from gnomon.values import Finding

KINDS = ("number", "category", "text", "image", "sequence", "molecule", "date")
ROLES = ("input", "target", "group", "time", "identifier", "weight", "split", "ignore")


@dataclass(frozen=True)
class Spec:
    """What the values of a column, or of a tensor made from columns, are.

    kind: one of KINDS for columns; for tensors "numbers", "categories", "tokens", "graph", "image", "out".
    shape: of one row: () for a scalar, (C, H, W) for an image, (d,) for a block of d like columns or d features;
        for "graph" (node features, edge features); for "tokens" (longest length,).
    categories: the values a category code stands for; the alphabet of a sequence.
    sizes: how many codes each column of a "categories" tensor has.
    detail: "DNA", "RNA", "protein"; "integer", "censored"; "uint8", "uint16" ...
    unit: as written in the data, e.g. "mm"; "" when unknown.
    """

    kind: str
    shape: tuple[int, ...] = ()
    categories: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    detail: str = ""
    unit: str = ""


class Column(Protocol):
    spec: Spec

    def __len__(self) -> int: ...
    def take(self, rows: np.ndarray) -> np.ndarray: ...
    @property
    def nbytes(self) -> int: ...
    @property
    def hash(self) -> str: ...


@dataclass(frozen=True)
class Dense:
    """An array with one entry a row. What `values` holds, by kind:

    number: float64 (n,), NaN = missing; or float32 (n, d), a block of like columns named in `names`
    category: int32 codes (n,) into spec.categories, -1 = missing
    text, sequence, molecule: object (n,) of str, None = missing
    date: datetime64[ns] (n,), NaT = missing
    image: (n, C, H, W) uint8, uint16 or float32
    """

    values: np.ndarray
    spec: Spec
    names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: np.ndarray) -> np.ndarray:
        return self.values[rows]

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes)

    @cached_property
    def hash(self) -> str:
        digest = hashlib.sha256(repr((self.spec.kind, self.values.shape, self.spec.categories)).encode())
        if self.values.dtype == object:
            digest.update("\x1f".join("\x00" if v is None else str(v) for v in self.values).encode())
        else:
            digest.update(np.ascontiguousarray(self.values).view(np.uint8).data)
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal length: row i is values[offsets[i]:offsets[i + 1]]."""

    values: np.ndarray
    offsets: np.ndarray
    spec: Spec

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def take(self, rows: np.ndarray) -> np.ndarray:
        parts = [self.values[a:b] for a, b in zip(self.offsets[rows], self.offsets[np.asarray(rows) + 1], strict=True)]
        out = np.empty(len(parts), dtype=object)
        out[:] = parts
        return out

    def gather(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows' values end to end and their offsets, without a Python loop."""
        return gather(self.values, self.offsets, rows)

    @property
    def nbytes(self) -> int:
        return int(self.values.nbytes + self.offsets.nbytes)

    @cached_property
    def hash(self) -> str:
        digest = hashlib.sha256(np.ascontiguousarray(self.values).view(np.uint8).data)
        digest.update(np.ascontiguousarray(self.offsets).view(np.uint8).data)
        return digest.hexdigest()[:16]


@dataclass(frozen=True)
class Mapped:
    """Rows that stay on disk: `load(rows)` returns what Dense.take would (images as (n, C, H, W)); `stamp` is their hash."""

    load: Callable[[np.ndarray], np.ndarray]
    count: int
    spec: Spec
    stamp: str

    def __len__(self) -> int:
        return self.count

    def take(self, rows: np.ndarray) -> np.ndarray:
        return self.load(np.asarray(rows))

    @property
    def nbytes(self) -> int:
        return 0

    @property
    def hash(self) -> str:
        return self.stamp


@dataclass(frozen=True)
class Role:
    """What a column is for, and why gnomon thinks so; `stated` when the user said so."""

    role: str
    because: str
    stated: bool = False


@dataclass(frozen=True)
class Data:
    """Columns of one length with their roles, and where each row came from.

    position: (n,) int64, the 0-based row in the input as read, before bad rows were dropped.
    items: the file of each row, relative to the input folder in sorted POSIX order, when rows are files; else ().
    findings: what reading found (LOOK-CORRUPT, LOOK-KIND).
    sampled: "" or a sentence stating which sample of a larger input this is.
    source_rows: rows of the input as read, before any was dropped; 0 when unknown.
    origin: column -> the name as read, when it had to be changed.
    as_read: `hash` of the data as read, where a block of columns was parted since; else "".
    """

    columns: Mapping[str, Column]
    roles: Mapping[str, Role]
    position: np.ndarray
    paths: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    sampled: str = ""
    kinds_because: Mapping[str, str] = field(default_factory=dict)
    source_rows: int = 0
    as_read: str = ""

    def __len__(self) -> int:
        return len(self.position)

    @cached_property
    def hash(self) -> str:
        """Hash of the content (columns in name order), not of roles, paths or file dates."""
        digest = hashlib.sha256()
        for name in sorted(self.columns):
            digest.update(f"{name}={self.columns[name].hash};".encode())
        return digest.hexdigest()[:16]

    @property
    def read_hash(self) -> str:
        """Hash of the content as read: the same however looking parts its blocks, so that openings of a test stay counted."""
        return self.as_read or self.hash

    def named(self, role: str) -> tuple[str, ...]:
        """The columns that have this role."""
        return tuple(name for name in self.columns if self.roles[name].role == role)

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.named("input")

    @property
    def targets(self) -> tuple[str, ...]:
        return self.named("target")

    def kind(self, name: str) -> str:
        return self.columns[name].spec.kind

    def of_kind(self, *kinds: str, role: str = "input") -> tuple[str, ...]:
        """The columns of these kinds with this role."""
        return tuple(name for name in self.named(role) if self.kind(name) in kinds)

    def numbers(self, names: Sequence[str] | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
        """All number columns (blocks unrolled) as one float matrix (n, d), and the d names."""
        names = self.of_kind("number") if names is None else names
        parts, labels = [], []
        for name in names:
            column = self.columns[name]
            values = column.take(np.arange(len(self)))
            parts.append(values.reshape(len(self), -1))
            labels += member_names(column) or [name]
        matrix = np.concatenate(parts, axis=1) if parts else np.empty((len(self), 0))
        return matrix, tuple(labels)

    def with_role(self, name: str, role: str, because: str, *, stated: bool = False) -> Data:
        """The same data with one column's role changed."""
        return replace(self, roles={**self.roles, name: Role(role, because, stated)})

    def take(self, rows: np.ndarray) -> Data:
        """A Data of these rows only (columns in memory are copied; mapped ones stay mapped)."""
        rows = np.asarray(rows)
        columns = {name: take_column(column, rows) for name, column in self.columns.items()}
        items = tuple(self.items[i] for i in rows) if self.items else ()
        return replace(self, columns=columns, position=self.position[rows], items=items, as_read="")


def member_names(column: Any) -> tuple[str, ...]:
    """Names of the columns in a block of numbers; () of any other column."""
    return column.names if isinstance(column, Dense) else ()


def take_column(column: Any, rows: np.ndarray) -> Any:
    """A column of these rows only, in the same storage."""
    if isinstance(column, Dense):
        return replace(column, values=column.values[rows])
    if isinstance(column, Ragged):
        values, offsets = column.gather(rows)
        return replace(column, values=values, offsets=offsets)
    stamp = hashlib.sha256(column.stamp.encode() + rows.tobytes()).hexdigest()[:16]
    return replace(column, load=lambda wanted: column.load(rows[np.asarray(wanted)]), count=len(rows), stamp=stamp)


def gather(values: np.ndarray, offsets: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a ragged array end to end: (values, offsets), vectorised."""
    rows = np.asarray(rows)
    lengths = offsets[rows + 1] - offsets[rows]
    out = np.concatenate([[0], np.cumsum(lengths)])
    index = np.arange(out[-1]) + np.repeat(offsets[rows] - out[:-1], lengths)
    return values[index], out


def missing(column: Any, rows: np.ndarray | None = None) -> np.ndarray:
    """Which rows of a scalar column hold no value: bool (n,); for a block, rows with nothing at all."""
    rows = np.arange(len(column)) if rows is None else rows
    kind = column.spec.kind
    if kind == "image":
        return np.zeros(len(rows), dtype=bool)
    values = column.take(rows)
    if kind == "category":
        return values < 0
    if kind == "number":
        gone = np.isnan(values)
        return gone.all(axis=1) if gone.ndim == 2 else gone
    if kind == "date":
        return np.isnat(values)
    return np.array([v is None for v in values], dtype=bool)


def strings(column: Any, rows: np.ndarray | None = None) -> np.ndarray:
    """A scalar column's values as text, object (n,), None where missing: for keys, display and comparison."""
    rows = np.arange(len(column)) if rows is None else np.asarray(rows)
    values, kind = column.take(rows), column.spec.kind
    out = np.empty(len(rows), dtype=object)
    if kind == "category":
        lookup = np.array([*column.spec.categories, None], dtype=object)
        out[:] = lookup[values]
    elif kind == "number":
        out[:] = [None if v != v else f"{v:.12g}" for v in values]
    elif kind == "date":
        out[:] = [None if np.isnat(v) else str(v) for v in values]
    else:
        out[:] = values
    return out


def codes(column: Any, rows: np.ndarray | None = None) -> np.ndarray:
    """Any scalar column as integer codes, int64 (n,), equal values equal codes, -1 = missing."""
    if column.spec.kind == "category":
        return column.take(np.arange(len(column)) if rows is None else rows).astype(np.int64)
    import pandas as pd

    return pd.factorize(strings(column, rows))[0].astype(np.int64)
