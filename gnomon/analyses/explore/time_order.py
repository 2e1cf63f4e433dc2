"""An order in time."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, found, join, not_run, ran
from gnomon.analyses.explore._names import TIME, words
from gnomon.card import Card
from gnomon.data._times import TIMES, orders
from gnomon.data.table import Data

CARD = Card(
    name="Order in time",
    gist="Finds dates, and columns named as times that only rise from row to row.",
    use_when="Always: when the future is to be predicted, the test must lie after the training.",
    avoid_when="Time of collection has nothing to do with use; state --for same-groups or another split.",
    paper="Sheridan 2013, Time-split cross-validation, J. Chem. Inf. Model. 53(4):783-790",
    survey=("P1", "W7"),
    cost="seconds",
)


def time_order(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Columns that order the rows in time. Row order alone never counts as time."""
    named = dict.fromkeys([*data.named("time"), *data.of_kind("date"), *_rising(data)])
    names = [name for name in named if orders(data.columns[name])]
    check = ran("LOOK-TIME", f"a date column, or a column named as a time that rises with the rows, of {TIMES} times or more")
    if not names:
        return Looked(checks=(check, not_run("LOOK-TIME", "row order alone is not taken for time: no column of dates")))
    claim = f"{join(names)} order{'s' if len(names) == 1 else ''} the rows in time"
    finding = found(data, "LOOK-TIME", "note", claim, columns=tuple(names), source="time_order")
    return Looked((finding,), (check,), facts={"time": names[0]})


def _rising(data: Data) -> list[str]:
    out = []
    for name in data.of_kind("number"):
        if data.columns[name].spec.shape or words(name)[:1] not in [(w,) for w in TIME]:
            continue
        values = data.columns[name].take(np.arange(len(data)))
        if len(values) > 20 and not np.isnan(values).any() and (np.diff(values) >= 0).all() and values[-1] > values[0]:
            out.append(name)
    return out
