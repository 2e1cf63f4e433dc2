"""What the user may say about a study, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gnomon.errors import InputError

SCOPES = ("new-groups", "same-groups", "later", "new-site")


@dataclass(frozen=True)
class Options:
    """The words after `gnomon study`, with their defaults."""

    target: tuple[str, ...] = ()
    budget: float = 600.0  # seconds
    test: Any = ()  # paths, or in Python a table: an external test set
    group: str | None = None
    time: str | None = None
    id: str | None = None
    weight: str | None = None
    exclude: tuple[str, ...] = ()
    predict_at: str | None = None
    split: str | None = None
    because: str = ""
    scope: str | None = None
    unlabelled: Any = ()  # paths, or in Python a table: rows without a target
    kinds: Mapping[str, str] = field(default_factory=dict)
    metric: str | None = None
    positive: str | None = None
    only: tuple[str, ...] = ()
    skip: tuple[str, ...] = ()
    explore: bool = False
    examples: bool = True
    show_rows: bool = False
    trust_code: tuple[str, ...] = ()
    seed: int = 0
    jobs: int = 0  # 0 = every core this process may use
    device: str = "auto"

    def stated_roles(self) -> dict[str, str]:
        """Roles the user stated, by column."""
        named = {self.group: "group", self.time: "time", self.id: "identifier", self.weight: "weight"}
        return {**{c: r for c, r in named.items() if c}, **{c: "ignore" for c in self.exclude}}


def seconds_of(text: Any) -> float:
    """`90`, `90s`, `10m`, `1.5h` as seconds."""
    try:
        text = str(text).strip().lower()
        unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
        value = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise InputError("E-BUDGET", f"'{text}' is not a length of time", do="write for instance --budget 90s, 10m or 2h")
    return value


def device_of(wanted: str) -> str:
    """auto = a GPU when there is one."""
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise InputError("E-DEVICE", "no CUDA device is available here", do="use --device cpu or auto")
    return wanted


def threads_of(jobs: int) -> int:
    """Cores this process may use, or as many as asked for."""
    import os

    able = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(jobs, able) if jobs > 0 else able
