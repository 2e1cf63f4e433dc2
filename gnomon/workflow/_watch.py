"""How much of the budget training may still use: asked between folds, and handed to fits as their deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gnomon.values import Recipe
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.plan import Plan


@dataclass
class Watch:
    """limit: seconds of the whole study's by which training ends; the rest is kept for judging and the report."""

    ledger: Ledger
    limit: float
    started: float = field(default_factory=time.perf_counter)
    before: float = -1.0

    def __post_init__(self) -> None:
        self.before = self.ledger.spent()

    def left(self) -> float:
        """Seconds until the limit: by the ledger, or by the clock where what was begun is not yet in it."""
        return self.limit - max(self.ledger.spent(), self.before + time.perf_counter() - self.started)

    def enough(self, seconds: float = 0.0) -> bool:
        """Whether work that needs so many seconds would end too late."""
        return self.left() < seconds

    def deadline(self) -> float:
        """The limit by time.monotonic(); at least a second away, so that a resumed run says what it lacks."""
        return time.monotonic() + max(1.0, self.left())


def ending(ledger: Ledger, budget: float, least: float = 4.0) -> float:
    """When the examination should be over, by time.monotonic(): at the end of the budget, at least some seconds from now.
    An earlier conclusion of the same study does not count, so that typing the command again examines as much."""
    spent = sum(e.get("seconds", 0.0) for e in ledger.lines() if e.get("name") != "conclude")
    return time.monotonic() + max(least, budget - spent)


def never(seconds: float = 0.0) -> bool:
    return False


def last_hope(plan: Plan, trained: Sequence[Recipe], tried: Sequence[str]) -> Callable[[Recipe], bool]:
    """Whether a candidate must be trained however long it takes: nothing else is, and it is the cheapest simple one left.

    trained: recipes that were. tried: hashes of those that were not, and will not be. A budget too small for any model
    still ends in a model.
    """
    simple = [r for r in plan.candidates if r.family == "simple" and r.hash not in tried]
    cheapest = min(simple, key=lambda r: plan.seconds.get(r.hash, 0.0), default=None)
    some = any(r.family != "floor" for r in trained)
    return lambda recipe: not some and cheapest is not None and recipe.hash == cheapest.hash
