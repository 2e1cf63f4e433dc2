"""The frozen values that travel between stages; each can be written as JSON and read by a person."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Grade = Literal["fine", "note", "warn", "block"]
BackTo = Literal["collect", "label", "preprocess", "model", "method"]
PLAIN = ("naive", "own_fit", "supervised", "caruana", "")  # methods that a label need not name
ROWS_SHOWN = 50  # a finding lists at most so many rows; `rows_total` tells how many there are


@dataclass(frozen=True)
class Action:
    """What was done about a finding, the line of plan.toml that undoes it, and its measured effect (None: not measured)."""

    done: str
    plan_line: str = ""
    effect: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Finding:
    """One thing found out about the data, a model or a claim. `rows` are 0-based positions in the input as read."""

    code: str
    grade: Grade
    claim: str  # one plain sentence; column names may appear, row values may not
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()  # capped at ROWS_SHOWN
    rows_total: int = 0
    items: tuple[str, ...] = ()  # the file paths of those rows, where rows are files
    values: Mapping[str, Any] = field(default_factory=dict)  # the numbers behind the claim
    action: Action | None = None
    source: str = ""  # the check or paper behind it
    figure: str = ""  # name of a figure in the report


@dataclass(frozen=True)
class Check:
    """That a check ran, or why it did not, and the smallest effect it would have found."""

    code: str
    ran: bool
    why_not: str = ""
    smallest_effect_it_would_find: str = ""


@dataclass(frozen=True)
class Recipe:
    """One candidate: task x model x method with its options. The hash ignores the reason."""

    task: str
    model: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict)
    steps: int = 0  # optimiser steps a fold; 0 for models that fit themselves
    because: str = ""
    family: Literal["floor", "simple", "deep", "ensemble"] = "simple"
    beside: str = field(default="", compare=False)  # what a view that names some inputs reads too: "numbers"

    @property
    def hash(self) -> str:
        body = {"task": self.task, "model": self.model, "method": self.method,
                "options": dict(self.options), "steps": self.steps}
        return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()[:10]

    @property
    def label(self) -> str:
        view = self.options.get("view")
        if self.family == "floor" and self.options:
            return " ".join(["floor", *(("latest value",) if "latest" in self.options else ()),
                             *((f"by {self.options['by']}",) if "by" in self.options else ())])
        read = f"{view} and {self.beside}" if self.beside else view
        name = f"{self.model} on {read}" if view and view != "standard" else self.model
        if self.method == "confident_learning":
            weighed = self.options.get("action") == "weigh"
            return f"{name}, suspect labels {'weighing less' if weighed else 'left out'}"
        return name if self.method in PLAIN else f"{name} by {self.method.replace('_', '-')}"


@dataclass(frozen=True)
class Estimate:
    """A score with its interval and what it is a score of (EVIDENCE 4)."""

    metric: str
    value: float
    low: float | None
    high: float | None
    level: float = 0.95
    estimator: Literal["holdout", "repeated_cv", "nested_cv", "bbc_cv"] = "holdout"
    unit: str = "row"
    n_units: int = 0
    n_rows: int = 0
    n_events: int | None = None
    method: str = ""  # how the interval was made: "logit-DeLong", "BCa", "cluster t" ...
    includes: str = "test sampling"
    by_target: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """A paired comparison; positive means the recommended one is better. Interval and p come from one procedure."""

    value: float
    low: float | None
    high: float | None
    level: float
    p: float | None
    test: str
    margin: float | None
    positive_means: str = "recommended better"


@dataclass(frozen=True)
class Advice:
    """A next step: the stage to go back to (Fig. 1 of the survey), the command, and the finding codes behind it."""

    back_to: BackTo
    do: str
    because: tuple[str, ...]
    gain: Mapping[str, Any] | None = None
    cost: str = ""


def floor_label(options: Mapping[str, Any]) -> str:
    """What the floor knows, in words."""
    if "latest" in options:
        return f"the latest known value of each '{options['by']}'" if "by" in options else "the latest known value"
    return f"knowing only '{options['by']}'" if "by" in options else "knowing nothing"


def finding(code: str, grade: Grade, claim: str, *, rows: Any = (), items: Any = (), **rest: Any) -> Finding:
    """A Finding whose `rows` (any integer sequence) are counted and capped, and whose numbers are plain Python."""
    rows = [int(r) for r in rows]
    return Finding(code, grade, claim, rows=tuple(rows[:ROWS_SHOWN]), rows_total=rest.pop("rows_total", len(rows)),
                   items=tuple(map(str, items))[:ROWS_SHOWN], columns=tuple(map(str, rest.pop("columns", ()))),
                   values=plain(rest.pop("values", {})), **rest)


def turned(value: float, low: float | None, high: float | None) -> tuple[float, float | None, float | None]:
    """A difference seen from the other side: its sign turned, its limits turned and swapped."""
    return -value, None if high is None else -high, None if low is None else -low


def plain(value: Any) -> Any:
    """`value` with numpy scalars, arrays and tuples as plain Python, and NaN or infinity as None: fit for JSON."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return value
