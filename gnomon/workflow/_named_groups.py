"""Columns that name groups of people or specimens, as words or as codes: sex, site, batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.analyses.explore._kit import join
from gnomon.analyses.explore._names import BATCH, has, names_one
from gnomon.data.table import Data, missing

SENSITIVE = ("sex", "gender", "race", "ethnicity", "ethnic", "religion", "nationality", "marital", "language", "insurance")
MOST_GROUPS = 20  # values up to which a column is one of groups
MOST_SWITCHES = 10  # numbers of two values, named nothing in particular, that are looked at: a table may hold hundreds


@dataclass(frozen=True)
class NamedGroups:
    """columns: those of groups; known: of these, whose name or role says a batch, a site or a sensitive attribute;
    left_out: why others of such names, or of two values, are not among them, "" where none is left out."""

    columns: tuple[str, ...]
    known: tuple[str, ...]
    left_out: str


def named_groups(data: Data, unit: str = "") -> NamedGroups:
    """Categories of few values; numbers of two whole values, or of few where the name or the role says what they are; never
    the split's `unit` nor what names single beings or rows (EVIDENCE 24)."""
    able = [n for n in data.columns if data.roles[n].role in ("input", "group", "ignore")
            and n != unit and not names_one(n.removeprefix("file:"))
            and data.columns[n].spec.kind in ("category", "number") and not data.columns[n].spec.shape]
    known = {n for n in able if has(n, BATCH) or has(n, SENSITIVE) or data.roles[n].role == "group"}
    counts = {n: _values(data, n) for n in able}
    fits = [n for n in able if 2 <= counts[n] <= (MOST_GROUPS if n in known or data.kind(n) == "category" else 2)]
    switches = [n for n in fits if n not in known and data.kind(n) == "number"]
    many = [n for n in able if n in known and counts[n] > MOST_GROUPS and data.roles[n].role != "group"]
    left = [f"{join(many)} (more than {MOST_GROUPS} values)"] if many else []
    if len(switches) > MOST_SWITCHES:
        left.append(f"{join(switches[MOST_SWITCHES:])} (the first {MOST_SWITCHES} numbers of two values are)")
    kept = tuple(n for n in fits if n not in switches[MOST_SWITCHES:])
    return NamedGroups(kept, tuple(n for n in kept if n in known), "; ".join(left))


def _values(data: Data, name: str) -> int:
    """How many values a column has; of a number that is not whole, 0."""
    column = data.columns[name]
    if column.spec.kind == "category":
        return len(column.spec.categories)
    values = column.take(np.flatnonzero(~missing(column)))
    if not np.isfinite(values).all() or (np.mod(values, 1) != 0).any():
        return 0
    return len(np.unique(values))
