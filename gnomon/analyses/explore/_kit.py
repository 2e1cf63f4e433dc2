"""What every check of the data shares: its outcome, samples of a stated size, false discoveries, and naming rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from gnomon.data.table import Data, member_names
from gnomon.rng import stream
from gnomon.values import Check, Finding, finding

GroupKind = Literal["group", "time", "duplicate", "scaffold", "cluster"]
RICH = ("image", "sequence", "molecule", "text")  # kinds where one value alone is the specimen
FDR = 0.005  # share of false discoveries allowed over the columns of one check; low because many checks run at once
ORDER = {"block": 0, "warn": 1, "note": 2, "fine": 3}


@dataclass(frozen=True)
class Grouping:
    """Which rows belong together. codes: (n,) int64 over all rows of the data, equal code = same unit."""

    codes: np.ndarray
    because: str
    kind: GroupKind

    @property
    def count(self) -> int:
        return len(np.unique(self.codes))


@dataclass(frozen=True)
class Looked:
    """What looking found: one check's outcome, and all of them together.

    groups: column name, "duplicates", "near-duplicates", "scaffold", "family", "file name" -> rows to keep together.
    exclude: column -> reason, only on structural evidence (EVIDENCE 19).
    facts: numbers the plan may use.
    """

    findings: tuple[Finding, ...] = ()
    checks: tuple[Check, ...] = ()
    groups: Mapping[str, Grouping] = field(default_factory=dict)
    exclude: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def gathered(parts: Iterable[Looked]) -> Looked:
    """Several outcomes as one: gravest findings first, the first reason for excluding a column stays."""
    parts = tuple(parts)
    groups: dict[str, Grouping] = {}
    exclude: dict[str, str] = {}
    facts: dict[str, Any] = {}
    for one in parts:
        groups.update({k: v for k, v in one.groups.items() if k not in groups})
        exclude.update({k: v for k, v in one.exclude.items() if k not in exclude})
        facts.update(one.facts)
    findings = sorted((f for one in parts for f in one.findings), key=lambda f: ORDER[f.grade])
    return Looked(tuple(findings), tuple(c for one in parts for c in one.checks), groups, exclude, facts)


def ran(code: str, smallest: str) -> Check:
    return Check(code, True, "", smallest)


def not_run(code: str, why: str, smallest: str = "") -> Check:
    return Check(code, False, why, smallest)


def found(data: Data, code: str, grade: Any, claim: str, *, rows: Any = (), **rest: Any) -> Finding:
    """A Finding whose `rows`, given as rows of `data`, are written as positions in the input, with their files."""
    rows = np.asarray(rows, dtype=np.int64)
    items = [data.items[i] for i in rows[:50]] if data.items else ()
    return finding(code, grade, claim, rows=data.position[rows], items=items, **rest)


def sample(rows: np.ndarray, most: int, seed: int, *names: object) -> np.ndarray:
    """At most `most` of these rows, drawn evenly by the seed, in their order."""
    rows = np.asarray(rows)
    if len(rows) <= most:
        return rows
    return np.sort(stream(seed, "look", *names).choice(rows, most, replace=False))


def sampled_note(count: int, total: int) -> str:
    """", on a seeded sample of 5,000 of 1,000,000 rows" or nothing."""
    return f", on a seeded sample of {count:,} of {total:,} rows" if count < total else ""


def discoveries(p: np.ndarray, share: float = FDR) -> np.ndarray:
    """Which p-values stand when at most `share` of the discoveries may be false (Benjamini & Hochberg 1995): bool."""
    p = np.asarray(p, dtype=float)
    p = np.where(np.isfinite(p), p, 1.0)
    if not len(p):
        return np.zeros(0, dtype=bool)
    order = np.argsort(p)
    below = p[order] <= share * np.arange(1, len(p) + 1) / len(p)
    out = np.zeros(len(p), dtype=bool)
    if below.any():
        out[order[: np.flatnonzero(below)[-1] + 1]] = True
    return out


def join(names: Iterable[str], most: int = 3) -> str:
    """'a', 'b' and 2 more."""
    names = [f"'{n}'" for n in names]
    if len(names) > most:
        return ", ".join(names[:most]) + f" and {len(names) - most} more"
    return " and ".join(names) if len(names) < 3 else ", ".join(names[:-1]) + " and " + names[-1]


def many(count: int, thing: str) -> str:
    """"1 row", "2,000 rows"."""
    return f"{count:,} {thing}" if count == 1 else f"{count:,} {thing}s"


def words(name: str) -> tuple[str, ...]:
    """The words of a column name, in lower case: camelCase, snake_case and letters next to digits are parted; pH and mRNA are
    words."""
    name = re.sub(r"(?<![A-Za-z])([a-z])([A-Z]+)(?![a-z])", lambda m: m.group().lower(), name)
    name = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return tuple(w.lower() for w in re.findall(r"[A-Za-z]+|\d+", name))


def number_columns(data: Data, rows: np.ndarray, *, role: str = "input", most: int = 2000, seed: int = 0
                   ) -> tuple[np.ndarray, tuple[str, ...], tuple[str, ...]]:
    """Number columns with blocks unrolled, for these rows: (values (n, d) float64, the d names, the d input columns).

    Of more than `most` columns a seeded sample is taken.
    """
    parts, labels, sources = [], [], []
    for name in data.of_kind("number", role=role):
        column = data.columns[name]
        values = column.take(rows).reshape(len(rows), -1)
        names = member_names(column) or (name,)
        if values.shape[1] > most:
            keep = sample(np.arange(values.shape[1]), most, seed, "columns", name)
            values, names = values[:, keep], tuple(names[i] for i in keep)
        parts.append(values.astype(np.float64, copy=False))
        labels += list(names)
        sources += [name] * len(names)
    matrix = np.concatenate(parts, axis=1) if parts else np.empty((len(rows), 0))
    return matrix, tuple(labels), tuple(sources)


def blocks(data: Data, rows: np.ndarray) -> Iterator[tuple[str, tuple[str, ...], np.ndarray]]:
    """(its name, the names of its d columns, their values (m, d) float32 on these rows) of each input block of like numbers."""
    for name in data.of_kind("number"):
        column = data.columns[name]
        if column.spec.shape:
            values = column.take(rows).reshape(len(rows), -1)
            yield name, member_names(column) or tuple(f"{name} {j}" for j in range(values.shape[1])), values


def ends(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(smallest, largest) of each column of (m, d) values, inf and -inf where a column holds none."""
    gone = np.isnan(values)
    least, largest = np.where(gone, np.inf, values), np.where(gone, -np.inf, values)
    return least.min(axis=0, initial=np.inf), largest.max(axis=0, initial=-np.inf)


def relabel(codes: np.ndarray) -> np.ndarray:
    """Codes numbered 0.. in order of first appearance; each -1 becomes a unit of its own."""
    codes = np.asarray(codes, dtype=np.int64).copy()
    alone = codes < 0
    codes[alone] = codes.max(initial=-1) + 1 + np.arange(int(alone.sum()))
    _, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def components(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """(count,) int64: connected components of the graph with these links."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)
