"""Time-to-event data, where plain regression or classification would be wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from gnomon.analyses.explore._kit import Grouping, Looked, found, ran, words
from gnomon.analyses.explore._names import EVENT, EVENT_TIME, has
from gnomon.card import Card
from gnomon.data.table import Data, missing, strings
from gnomon.values import Finding

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
WEAK_TIME, WEAK_EVENT = "duration", "status"  # calls last and loans have a status, too
HAPPENED = ("dead", "died", "death", "deceased", "expired", "event", "relapse", "relapsed", "progression", "progressed",
            "failure", "failed", "recurrence", "recurred", "uncensored")
YET = ("alive", "living", "survived", "surviving", "censored", "censor", "free")
NEGATED = ("no", "not", "non", "without", "never", "free")  # no event, event-free
CODED = (("0", "1"), ("1", "2"), ("false", "true"), ("no", "yes"), ("n", "y"))  # the later one is the event
TURNED = ("censored", "censor", "cens", "alive")  # names of columns in which the earlier one is
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

    The other half is set aside: it is recorded together with the target, when the follow-up ends. A note that sets nothing
    aside: a target named as a survival time with no event column beside it; names of a pair where the event's values are no
    known words or codes, or where neither name says more than 'duration' and 'status'.
    """
    names = [n for n in data.columns if data.roles[n].role in ("input", "target", "ignore", "time")]
    check = ran("LOOK-EVENT", "a positive number named as survival or follow-up beside an event of two known values")
    events = [n for n in names if has(n, EVENT) and _is_binary(data, n, rows) and _named_event(data, n, rows)]
    events.sort(key=lambda n: _event_value(data, n, rows) == "")  # those that can be read first
    times = [n for n in names if n not in events and _named_time(n, bool(events)) and _is_time(data, n, rows)]
    times.sort(key=lambda n: WEAK_TIME in words(n) or not _named_time(n, False))  # the plainly named last
    if target in times and events:
        time, event = target, _partner(target, events)
    elif target in events and times:
        time, event = _partner(target, times), target
    elif target in times and has(target, SURE):
        claim = (f"'{target}' is named as a time to an event, and no column says who had not had it when the follow-up ended: "
                 "if some had not, their times are lower bounds, which gnomon takes as times")
        return Looked((found(data, "LOOK-EVENT", "note", claim, columns=(target,), source="event_time"),), (check,))
    else:
        return Looked(checks=(check,))
    means = _event_value(data, event, rows)
    doubtful = WEAK_TIME in words(time) and words(event) == (WEAK_EVENT,) and not _spoken(means)
    if doubtful and not means:
        return Looked(checks=(check,))
    if doubtful or not means:
        return Looked((_unread(data, target, time, event),), (check,))
    pair = _pair(data, time, event, means, rows)
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
    claim = (f"'{pair.time}' is a time to an event, and by '{pair.event}' ({pair.means} taken as: it happened) {k:,} of {n:,} "
             f"training rows ({k / n:.0%}) had not had it: their times are lower bounds. Not done: survival models (Cox, "
             "Kaplan-Meier). Done: the number as written is predicted, so those rows count as if the event had come then, and "
             "long times come out too short in training and score alike")
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


def _unread(data: Data, target: str, time: str, event: str) -> Finding:
    """The note on a pair by name of which it is not sure that it is one, or not told which value is the event."""
    claim = (f"'{time}' may be a time to an event, and '{event}' may say who had it, but names and values do not tell: if so, "
             f"the times of rows without the event are lower bounds, which gnomon takes as times, and "
             f"'{event if target == time else time}' is known only when the follow-up ends")
    return found(data, "LOOK-EVENT", "note", claim, columns=(target, event if target == time else time), source="event_time")


def _pair(data: Data, time: str, event: str, means: str, rows: np.ndarray) -> Pair | None:
    """The rows known in both, and which had the event."""
    rows = rows[~missing(data.columns[time], rows) & ~missing(data.columns[event], rows)]
    if len(rows) < 10:
        return None
    return Pair(time, event, _told(data, event, rows) == means, data.columns[time].take(rows), f"'{means}'")


def _told(data: Data, event: str, rows: np.ndarray) -> np.ndarray:
    """(m,) str: the values without a number in front of the word (1:DECEASED)."""
    return np.array([re.sub(r"^\d+\s*[:=-]\s*", "", str(v).strip()) for v in strings(data.columns[event], rows)])


def _event_value(data: Data, event: str, rows: np.ndarray) -> str:
    """The value of a binary column that stands for the event, or "" where neither words nor codes tell: words for it or
    for its absence, whatever the column's name, else one of the CODED pairs, turned where the column is named after those
    who had not had it."""
    levels = sorted(set(_told(data, event, rows[~missing(data.columns[event], rows)])), key=str.lower)
    if len(levels) != 2:
        return ""
    said = [_spoken(v) for v in levels]
    if said[0] != said[1]:
        return levels[said.index(True)] if True in said else levels[1 - said.index(False)]
    if said[0] is None and tuple(v.lower() for v in levels) in CODED:
        return levels[0 if has(event, TURNED) else 1]
    return ""


def _spoken(value: str) -> bool | None:
    """Whether a value says in words that the event came; None where it does not say."""
    said = set(words(value))
    if said & set(HAPPENED):
        return not said & set(NEGATED)
    return False if said & set(YET) else None


def _named_event(data: Data, name: str, rows: np.ndarray) -> bool:
    """Whether a column is named as an event: `status` with another word (marital, loan) only beside a word of survival, or
    with values that say who lives."""
    parts = set(words(name))
    more = parts - {WEAK_EVENT}
    return bool(not more or more & {*EVENT, *SURE} or any(
        _spoken(v) is not None for v in set(_told(data, name, rows[~missing(data.columns[name], rows)]))))


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
