"""Time-to-event data, where plain regression or classification would be wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gnomon.analyses.explore._kit import Grouping, Looked, found, ran, words
from gnomon.analyses.explore._names import EVENT, EVENT_TIME, has
from gnomon.card import Card
from gnomon.data.table import Data, missing, strings

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
SURE = ("survival", "tte", "os", "dfs", "pfs", "rfs", "followup")  # a time to an event, whatever stands beside it
PLAIN = ("time", "days", "months", "weeks", "years", "futime", "stime", "ftime", "survtime")  # so only beside an event
YES = ("1", "2", "true", "yes", "y", "dead", "died", "death", "deceased", "event", "relapse", "relapsed", "progression",
       "progressed", "failure", "failed", "recurrence", "recurred")
FEW = 0.05  # censored share below which the target is only warned of


@dataclass(frozen=True)
class Pair:
    """A follow-up time and its event indicator; had (m,): whether each row known in both had the event."""

    time: str
    event: str
    had: np.ndarray
    followed: np.ndarray
    means: str  # the value that stands for the event

    @property
    def censored(self) -> int:
        return int((~self.had).sum())


def event_time(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
               seconds: float = 15.0) -> Looked:
    """LOOK-EVENT when the target is one half of a pair (follow-up time, event yes/no): what is ignored, and what to do.

    The other half is set aside: it is recorded together with the target, when the follow-up ends. A target named as a
    survival time with no event column beside it is a note.
    """
    names = [n for n in data.columns if data.roles[n].role in ("input", "target", "ignore", "time")]
    check = ran("LOOK-EVENT", "a positive number named as survival or follow-up beside a yes/no event")
    events = [n for n in names if has(n, EVENT) and _is_binary(data, n, rows)]
    times = [n for n in names if n not in events and _named_time(n, bool(events)) and _is_time(data, n, rows)]
    times.sort(key=lambda n: not _named_time(n, False))  # the plainly named last
    if target in times and events:
        pair = _pair(data, target, _partner(target, events), rows)
    elif target in events and times:
        pair = _pair(data, _partner(target, times), target, rows)
    elif target in times and has(target, SURE):
        claim = (f"'{target}' is named as a time to an event, and no column says who had not had it when the follow-up ended: "
                 "if some had not, their times are lower bounds, which gnomon takes as times")
        return Looked((found(data, "LOOK-EVENT", "note", claim, columns=(target,), source="event_time"),), (check,))
    else:
        return Looked(checks=(check,))
    if pair is None:
        return Looked(checks=(check,))
    other = pair.event if target == pair.time else pair.time
    claim, grade = _of_time(pair) if target == pair.time else _of_event(pair)
    values = {"rows": len(pair.had), "censored": pair.censored, "share_censored": pair.censored / len(pair.had),
              "median_follow_up": float(np.median(pair.followed))}
    finding = found(data, "LOOK-EVENT", grade, claim, columns=(target, other), values=values, source="event_time")
    return Looked((finding,), (check,), exclude={other: f"is known only when the follow-up ends, as '{target}' is"})


def _of_time(pair: Pair) -> tuple[str, str]:
    n, k = len(pair.had), pair.censored
    if not k:
        return (f"'{pair.time}' is a time to an event; '{pair.event}' says that all {n:,} training rows had it, so the "
                "times are complete and are predicted as numbers"), "note"
    claim = (f"'{pair.time}' is a time to an event, and by '{pair.event}' ({pair.means} = it happened) {k:,} of {n:,} training "
             f"rows ({k / n:.0%}) had not had it: their times are lower bounds. Not done: survival models (Cox, Kaplan-Meier). "
             "Done: the number as written is predicted, so those rows count as if the event had come then, and long times "
             "come out too short in training and score alike")
    return claim, "block" if k / n >= FEW else "warn"


def _of_event(pair: Pair) -> tuple[str, str]:
    early = float(np.median(pair.followed[~pair.had])) if pair.censored else 0.0
    claim = (f"'{pair.event}' says whether an event came within each row's own follow-up, '{pair.time}', which differs from "
             f"row to row: {pair.censored:,} of {len(pair.had):,} training rows had not had it (half of them followed for less "
             f"than {early:.3g}). Not done: survival models, or weighing by follow-up. Done: a yes/no is predicted, so a short "
             "and a long follow-up without the event count the same")
    return claim, "warn"


def _partner(name: str, others: list[str]) -> str:
    """The other half: the one that shares most words with this one (os_days, os_status), else the first."""
    mine = set(words(name))
    return max(others, key=lambda o: (len(mine & set(words(o))), -others.index(o)))


def _pair(data: Data, time: str, event: str, rows: np.ndarray) -> Pair | None:
    """The rows known in both, and which had the event: a word for it, else the larger code; turned where the column is
    named after censoring."""
    rows = rows[~missing(data.columns[time], rows) & ~missing(data.columns[event], rows)]
    if len(rows) < 10:
        return None
    told = np.array([str(v).strip().lower() for v in strings(data.columns[event], rows)])
    levels = sorted(set(told), key=lambda v: (v in YES, _number(v), v))
    means = levels[0] if has(event, ("censored", "censor", "cens", "alive")) else levels[-1]
    return Pair(time, event, told == means, data.columns[time].take(rows), f"'{means}'")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _named_time(name: str, beside_event: bool) -> bool:
    """Whether a column is named as a time to an event; plain words such as `time` only count beside an event."""
    parts = words(name)
    pairs = set(pairwise(parts))
    if has(name, EVENT_TIME) or ("follow", "up") in pairs or any(a in PLAIN and b in ("to", "until") for a, b in pairs):
        return True
    return beside_event and len(parts) == 1 and parts[0] in PLAIN


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
