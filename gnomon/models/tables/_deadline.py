"""The end of the budget, asked for between the pieces of a fit: one that reaches it is given up whole, never shortened.

So the clock decides whether there is a model, never which numbers it holds. `until` is set once, by the method; estimators
call `in_time` where a loop of theirs begins another inner fit, and hand it to libraries that call back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from gnomon.errors import TrainingError

_end: ContextVar[float | None] = ContextVar("end of the budget", default=None)


@contextmanager
def until(deadline: float | None) -> Iterator[None]:
    """Fits inside end by `deadline` (time.monotonic()) or not at all; None = whenever they are done."""
    before = _end.set(deadline)
    try:
        yield
    finally:
        _end.reset(before)


def in_time() -> None:
    """Raises TrainingError E-DEADLINE past the deadline."""
    end = _end.get()
    if end is not None and time.monotonic() > end:
        raise TrainingError("E-DEADLINE", "the budget ended while it was fitted",
                            do="type the command again with a larger --budget")
