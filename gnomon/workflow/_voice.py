"""How a study speaks while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gnomon.methods._desk import silent


@dataclass(frozen=True)
class Voice:
    """line: a result for stdout. say: progress for stderr."""

    line: Callable[[str, str], None] = lambda stage, text: None
    say: Callable[[str], None] = silent
