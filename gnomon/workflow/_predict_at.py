"""`--predict-at COLUMN`: what is recorded after it is not known when a prediction is made, so it cannot be an input.

After means: to the right in the table, or a date that is later in most rows where the column is itself a date. What stands
to the left but is named like something recorded later is pointed at, not removed: the order of columns is a custom.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import join
from gnomon.analyses.explore._names import EVENT_TIME, has, says_after
from gnomon.data.table import Data, Dense, member_names
from gnomon.values import Action, finding

MOSTLY = 0.5  # share of rows in which a date is later than the prediction's


def known_at(data: Data, column: str) -> Data:
    """The data with later inputs set aside, and findings that say which, and which others look late.

    Raises E-COLUMN-ABSENT, with the closest names, when there is no such column.
    """
    from gnomon.data.read.dispatch import closest

    data = _parted(data, column)
    names = list(data.columns)
    column = closest(column, [*names, *(n for c in data.columns.values() for n in member_names(c))],
                     "E-COLUMN-ABSENT", "column of --predict-at", data.paths)
    here = next(i for i, n in enumerate(names) if n == column or column in member_names(data.columns[n]))
    later = {n: f"stands after '{column}': not known at prediction" for n in names[here + 1:]}
    later |= {n: f"is later than '{column}' in most rows: not known at prediction" for n in _later_dates(data, column)}
    out = [n for n in later if data.roles[n].role == "input"]
    for name in out:
        data = data.with_role(name, "ignore", later[name], stated=True)
    found = [*data.findings]
    if out:
        found.append(finding("LOOK-LEAK", "note", f"{join(out, 5)} {'is' if len(out) == 1 else 'are'} recorded after '{column}'"
                             " and not used as input", columns=out, source="--predict-at",
                             action=Action("set aside: not known at prediction", f'[columns] "{out[0]}" = "input"')))
    found += _pointed_at(data, column, names[:here], later)
    return replace(data, findings=tuple(found))


def _later_dates(data: Data, column: str) -> list[str]:
    """Date columns, wherever they stand, that are mostly later than a date to predict at."""
    if column not in data.columns or data.kind(column) != "date":
        return []
    rows = np.arange(len(data))
    at = data.columns[column].take(rows)
    out = []
    for name in data.columns:
        if name == column or data.kind(name) != "date":
            continue
        when = data.columns[name].take(rows)
        both = ~np.isnat(when) & ~np.isnat(at)
        if both.any() and (when[both] > at[both]).mean() > MOSTLY:
            out.append(name)
    return out


def _pointed_at(data: Data, column: str, before: list[str], later: dict[str, str]) -> list[Any]:
    """Inputs to the left that are named like something recorded later, and a time column that is itself later."""
    out = []
    late = [n for n in before if data.roles[n].role == "input" and (says_after(n) or has(n, EVENT_TIME))]
    if late:
        out.append(finding("LOOK-LEAK", "warn", f"{join(late, 5)} {'stands' if len(late) == 1 else 'stand'} before '{column}' "
                           "but by name would be recorded after it; used as input until you say otherwise: --exclude",
                           columns=late, source="--predict-at"))
    times = [n for n in data.named("time") if n in later]
    if times:
        out.append(finding("LOOK-LEAK", "warn", f"'{times[0]}', by which rows are put in order of time, is recorded after "
                           f"'{column}': name a time known at prediction with --time", columns=times, source="--predict-at"))
    targets = [n for n in data.targets if n in before]
    if targets:
        out.append(finding("LOOK-KIND", "note", f"the target {join(targets)} stands before '{column}': if the columns are not "
                           "in the order they were recorded in, name late ones with --exclude", columns=targets,
                           source="--predict-at"))
    return out


def _parted(data: Data, column: str) -> Data:
    """A block of like columns that holds `column` ends with it: the rest of the block is later."""
    for name, block in data.columns.items():
        names = member_names(block)
        if column not in names or not isinstance(block, Dense) or names[-1] == column:
            continue
        keep = names.index(column) + 1
        parts = {}
        for label, some in ((f"{names[0]} ... ({keep} columns)", slice(0, keep)),
                            (f"{names[keep]} ... ({len(names) - keep} columns)", slice(keep, None))):
            kept = names[some]
            parts[label] = Dense(np.ascontiguousarray(block.values[:, some]), replace(block.spec, shape=(len(kept),)), kept)
        columns = {k: c for n, own in data.columns.items() for k, c in (parts.items() if n == name else ((n, own),))}
        roles = {k: data.roles[n] for n in data.columns for k in (parts if n == name else (n,))}
        because = {k: data.kinds_because.get(n, "") for n in data.columns for k in (parts if n == name else (n,))}
        return replace(data, columns=columns, roles=roles, kinds_because=because)
    return data
