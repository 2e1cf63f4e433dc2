"""What the split did, once it is made: units kept in one part or on both sides of it, rows that no time places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from gnomon.analyses.explore._kit import Grouping
from gnomon.analyses.explore._names import unit_rank
from gnomon.analyses.explore.groups import FILE
from gnomon.data._times import time_places
from gnomon.data.parts import Parts
from gnomon.data.policy import Policy
from gnomon.data.table import Data
from gnomon.values import Action, Finding, finding

FEW = 0.05  # share of rows without a time up to which they are noted, not warned of


def units_kept(findings: Sequence[Finding], groups: Mapping[str, Grouping], parts: Parts, policy: Policy, *,
               known: bool) -> list[Finding]:
    """LOOK-GROUP of each column of units with what the split did to it. A unit that a new row more surely belongs to than to
    the one held out must not cross, and is warned of if it does; known: the user said that the next rows have the same."""
    held = unit_rank(policy.column) if policy.name in ("group", "cold") else unit_rank("batch")
    out = []
    for f in findings:
        name = f.columns[0] if f.columns else FILE
        if f.code == "LOOK-GROUP" and name in groups and groups[name].kind == "group" and f.action is None:
            both, judged = crossing(groups[name].codes, parts)
            f = _kept(f, policy) if not both else replace(
                f, claim=f"{f.claim}; {both:,} of {judged:,} that are judged have rows in training too: the score is not for a "
                "new one", values={**f.values, "crossing": both},
                grade="warn" if (unit_rank(name) == 0 or unit_rank(name) < held) and not known else f.grade)
        out.append(f)
    return out


def _kept(f: Finding, policy: Policy) -> Finding:
    f = replace(f, claim=f"{f.claim}; each is kept in one part")
    return replace(f, action=Action(f"split by {policy}", '[split] policy = "random"')) if policy.name == "group" else f


def crossing(codes: np.ndarray, parts: Parts) -> tuple[int, int]:
    """(units with judged rows, sealed or of a fold's validation, and rows training beside them; units with judged rows)."""
    sides = [(f.train, f.valid) for f in parts.folds] + ([(parts.develop, parts.test)] if len(parts.test) else [])
    judged = [np.unique(codes[rows]) for _, rows in sides]
    both = [np.intersect1d(units, codes[train]) for units, (train, _) in zip(judged, sides, strict=True)]
    return len(np.unique(np.concatenate(both))), len(np.unique(np.concatenate(judged)))


def undated(data: Data, policy: Policy) -> Finding | None:
    """LOOK-TIME: rows without a time under a split by time; they train and never judge."""
    column = data.columns.get(policy.column) if policy.name == "time" else None
    gone = np.flatnonzero(time_places(column) < 0) if column is not None else np.empty(0, dtype=np.int64)
    if not len(gone):
        return None
    share = len(gone) / len(data)
    return finding("LOOK-TIME", "note" if share <= FEW else "warn",
                   f"{len(gone):,} of {len(data):,} rows have no '{policy.column}': they train only, and the score is not for "
                   "such rows. If some are later than the judged ones, the score flatters.", columns=(policy.column,),
                   rows=data.position[gone], values={"undated": len(gone), "share": share})
