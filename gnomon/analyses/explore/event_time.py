"""Time-to-event data, where plain regression or classification would be wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._kit import Grouping, Looked, found, ran
from gnomon.analyses.explore._names import EVENT, EVENT_TIME, has
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Time-to-event data",
    gist="Recognises a follow-up time beside an event indicator: those still alive have no time, only a bound.",
    use_when="Survival, relapse, failure: the time alone treats the censored as events.",
    avoid_when="Everyone was followed to the event.",
    paper="Cox 1972, Regression models and life-tables, JRSS B 34(2):187-220",
    survey=("P1",),
    needs=("labels",),
    cost="seconds",
)


def event_time(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
               seconds: float = 15.0) -> Looked:
    """LOOK-EVENT when the target is one half of a pair (follow-up time, event yes/no) and the other half is there."""
    names = [n for n in data.columns if data.roles[n].role in ("input", "target", "ignore")]
    times = [n for n in names if has(n, EVENT_TIME) and _is_time(data, n, rows)]
    events = [n for n in names if has(n, EVENT) and _is_binary(data, n, rows) and n not in times]
    check = ran("LOOK-EVENT", "a positive number named as survival or follow-up beside a yes/no event")
    if not times or not events or target not in (*times, *events):
        return Looked(checks=(check,))
    other = events[0] if target in times else times[0]
    claim = f"'{target}' and '{other}' look like time-to-event data, which plain prediction of either gets wrong"
    return Looked((found(data, "LOOK-EVENT", "warn", claim, columns=(target, other), source="event_time"),), (check,))


def _is_time(data: Data, name: str, rows: np.ndarray) -> bool:
    if data.kind(name) != "number" or data.columns[name].spec.shape:
        return False
    values = data.columns[name].take(rows)
    values = values[~np.isnan(values)]
    return len(np.unique(values)) > 10 and bool(values.min() >= 0)


def _is_binary(data: Data, name: str, rows: np.ndarray) -> bool:
    if data.kind(name) not in ("number", "category") or data.columns[name].spec.shape:
        return False
    values = data.columns[name].take(rows)
    known = values[values >= 0] if values.dtype.kind in "iu" else values[~np.isnan(values)]
    return len(np.unique(known)) == 2
