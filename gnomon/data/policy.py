"""How rows are to be split: inferred from the structure of the data, or stated by the user; what the score is then for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from gnomon.data._times import orders
from gnomon.data.table import Data
from gnomon.errors import InputError

STRUCTURE = {"scaffold": "molecule", "cluster": "sequence"}  # the kind whose families a policy keeps apart
POLICIES = ("random", "stratified", "group", "time", "scaffold", "cluster", "cold", "column", "rows")


class Tied(Protocol):
    """Rows that belong together, as looking found them: codes (n,) by row, equal = together; kind: group, duplicate, ..."""

    @property
    def codes(self) -> np.ndarray: ...

    @property
    def because(self) -> str: ...

    @property
    def kind(self) -> str: ...


@dataclass(frozen=True)
class Policy:
    """How to split: a name of POLICIES, the column it uses ("" = none), why, and whether the user said so."""

    name: str
    column: str = ""
    because: str = ""
    stated: bool = False

    def __str__(self) -> str:
        return f"{self.name}:{self.column}" if self.column else self.name


def parse_policy(text: str, because: str = "") -> Policy:
    """`group:patient` as a Policy; an unknown name is refused with the list."""
    name, _, column = text.partition(":")
    if name not in POLICIES:
        raise InputError("E-SPLIT", f"'{text}' is not a split policy", do=f"use one of {', '.join(POLICIES)}[:COLUMN]")
    if name in ("group", "time", "cold", "column", "rows") and not column:
        raise InputError("E-SPLIT", f"the split policy '{name}' needs a column", do=f"write --split {name}:COLUMN")
    return Policy(name, column, because or "stated by the user; no reason given", stated=True)


def checked_policy(policy: Policy, data: Data) -> Policy:
    """A stated policy against the data: `scaffold:COL` needs molecules and `cluster:COL` sequences; where COL names the
    families itself it is `group:COL`."""
    wanted = STRUCTURE.get(policy.name)
    if wanted is None or (not policy.column and data.of_kind(wanted)):
        return policy
    column = data.columns.get(policy.column)
    if column is None or column.spec.kind not in (wanted, "category"):
        what = f"'{policy.column}' holds {column.spec.kind}s" if column else \
            f"'{policy.column}' is absent" if policy.column else f"no column holds {wanted}s"
        raise InputError("E-SPLIT-COLUMN", f"--split {policy}: {what}, and {policy.name}s are those of {wanted}s",
                         do=f"name a column of {wanted}s, or keep the values of a column apart: --split group:COLUMN")
    return policy if column.spec.kind == wanted else replace(policy, name="group")


def choose_policy(data: Data, groups: Mapping[str, Tied], *, wanted: str | None = None) -> Policy:
    """The honest policy for this structure. groups: what looking found, the likeliest unit first. wanted: the scope the
    user asked for (`--for`)."""
    named = data.named("split")
    own = re.compile("|".join(rf"(?:^|[\W_]){re.escape(t)}(?:$|[\W_])" for t in data.targets) or "(?!)", re.I)
    for name in sorted(named, key=lambda n: own.search(n) is None):  # the target's own first
        more = f"; {len(named) - 1} other columns do too: --split column:NAME" if len(named) > 1 else ""
        return Policy("column", name, f"the column '{name}' already names the parts{more}")
    if wanted != "same-groups":
        why = {n: g.because for n, g in groups.items() if g.kind == "group"}
        why |= {n: f"rows with one '{n}' belong together" for n in data.named("group")}
        if why:
            return Policy("group", next(iter(why)), next(iter(why.values())))
    for name in data.named("time"):
        if wanted in (None, "later") and orders(data.columns[name]):
            return Policy("time", name, f"rows are ordered by '{name}': the future is predicted from the past")
    for kind, policy, why in (("molecule", "scaffold", "new chemical series are harder than relatives of known ones"),
                              ("sequence", "cluster", "near-identical sequences would tell each other's answer")):
        names = data.of_kind(kind)
        if names and wanted != "same-groups" and any(getattr(g, "kind", "") == policy for g in groups.values()):
            return Policy(policy, names[0], why)
    return Policy("stratified" if _has_classes(data) else "random", "", "nothing in the file ties rows together")


def within_one(policy: Policy, unit: str, *, classes: bool) -> Policy:
    """What stands in for a policy whose unit occurs once only: its rows are parted, as any rows are."""
    return Policy("stratified" if classes else "random", "",
                  f"every row is of one {unit}: no other is left to judge by, so by {policy} nothing can be held out")


def _has_classes(data: Data) -> bool:
    return bool(data.targets) and all(data.kind(t) == "category" for t in data.targets)


def scope_words(policy: Policy, unit: str) -> tuple[str, str]:
    """What the score is for, and what it assumes (EVIDENCE 5)."""
    plain = ("each row an independent specimen; nothing in the file says otherwise; "
             "if several rows come from one patient, plate, animal or series: --group COLUMN")
    scopes = {
        "group": (f"new {policy.column}, from the same places and time; new site, later time: not tested",
                  f"each '{policy.column}' is independent of the others"),
        "cold": (f"new {policy.column}; rows that cross the parts are left out", f"'{policy.column}' names the units"),
        "scaffold": ("new chemical series; other assays and laboratories: not tested", "one scaffold, one series"),
        "cluster": ("new families of sequences; other experiments: not tested", "unlike sequences are independent"),
        "time": ("later rows of the same source; another source: not tested", "the order of time is that of the column"),
        "column": ("rows like those named as test in the file", f"the parts in '{policy.column}' are independent"),
        "rows": ("rows like those listed as test", "the listed parts are independent"),
    }
    return scopes.get(policy.name, ("new rows like these, from the same source; new site, later time: not tested", plain))
