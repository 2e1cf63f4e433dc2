"""What every method needs and none should invent: where it runs, how long, and where it writes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def silent(_: str) -> None:
    """The default `say`: no progress."""


@dataclass(frozen=True)
class Desk:
    """device: "cpu", "cuda", "cuda:1". precision: "float32" or "bfloat16" (autocast).
    steps: optimiser steps to take. folder: where checkpoints, log.csv and TensorBoard events go; None = nowhere.
    threads: CPU threads to use. deadline: by time.monotonic(); past it a run is given up whole, never shortened: its
    checkpoint stays, so that a larger budget goes on from there. checkpoint_seconds: at most so long between checkpoints.
    snapshots: states of the weights kept in the folder over the run, at steps in equal ratios, at most 6 (see _snapshots).
    say: shows progress."""

    device: str = "cpu"
    precision: str = "float32"
    steps: int = 0
    folder: Path | None = None
    threads: int = 2
    checkpoint_seconds: float = 20.0
    deadline: float | None = None
    snapshots: int = 0
    say: Callable[[str], None] = silent
