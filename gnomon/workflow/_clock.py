"""The trials' share of the budget: what does not fit in is not begun, what was begun stops between its own pieces."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gnomon.data.parts import Fold
from gnomon.values import Check
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.run import Bench

SHARE = 0.15  # of the budget; with the other checks of the examination this stays within a fifth
KEPT = 0.10  # of the budget: for the explanation and the report that follow
LEAST = 4.0  # seconds they get in any case
MOST_FOLDS = 5
NAMES = {"VALID-SHORTCUT": "shortcut trials", "VALID-STRATUM": "slices", "VALID-CURVE": "data-size curve",
         "VALID-CORRUPTION": "corruptions", "VALID-ATTRIBUTE": "attributes"}


@dataclass
class Clock:
    """Seconds left for the trials, and what each took."""

    limit: float
    started: float = field(default_factory=time.perf_counter)
    took: list[dict[str, Any]] = field(default_factory=list)

    @property
    def left(self) -> float:
        return self.limit - (time.perf_counter() - self.started)

    def over(self) -> bool:
        """Asked between the pieces of a trial that has begun."""
        return self.left <= 0


def clock_for(bench: Bench, budget: float) -> Clock:
    """Their share of the budget, but no more than what is left of it once explanation and report are set aside."""
    due = bench.desk.deadline  # where judging had its share already
    left = budget - Ledger(bench.folder / "ledger.jsonl").spent() if due is None else due - time.monotonic()
    return Clock(max(LEAST, min(SHARE * budget, left - max(LEAST, KEPT * budget))))


def run_trial(notes: Any, clock: Clock, code: str, smallest: str, needs: float, do: Callable[[], Any],
              nothing: str = "nothing could be examined") -> Any:
    """Run one trial if its expected seconds fit in; log what it took, and say where its time ended before it did. nothing: why
    it came to None in time."""
    if clock.left < needs:
        notes.skip(code, f"needs about {needs:.0f} s, {max(clock.left, 0):.0f} s of its share of the budget are left: --budget")
        return None
    started = time.perf_counter()
    out = notes.run(code, smallest, do, nothing)
    clock.took.append({"what": NAMES[code], "seconds": round(time.perf_counter() - started, 1)})
    if clock.over() and (notes.checks[-1].ran or notes.checks[-1].why_not == nothing):
        notes.checks[-1] = _ended(notes.checks[-1], out)
    return out


def _ended(check: Check, out: Any) -> Check:
    """The check of a trial whose time is over: it may have left pieces out, or come to nothing."""
    if out is None or (isinstance(out, Sequence) and not len(out)):
        return Check(check.code, False, "its share of the budget ended before it came to a result: --budget")
    return replace(check, smallest_effect_it_would_find=f"{check.smallest_effect_it_would_find}; its share of the budget "
                   "ended: what it had not reached was not tried")


def merged(folds: Sequence[Fold]) -> tuple[Fold, ...]:
    """At most five folds of one round over the rows: one fold a group would train a trial's models dozens of times."""
    once = [f for f in folds if f.repeat == folds[0].repeat]
    if len(once) <= MOST_FOLDS:
        return tuple(once)
    parts = [once[k::MOST_FOLDS] for k in range(MOST_FOLDS)]
    whole = np.arange(max(int(f.train.max()) for f in once) + 1)
    common = [np.bincount(np.concatenate([f.train for f in p]), minlength=len(whole)) == len(p) for p in parts]
    return tuple(Fold(whole[c], np.sort(np.concatenate([f.valid for f in p])), once[0].repeat)
                 for c, p in zip(common, parts, strict=True))
