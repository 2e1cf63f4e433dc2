"""Layers compared, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

END = "end"  # the state the study keeps: the best by the stopping rows
STEADY = 0.9  # likeness of a layer with random weights to its end, from which on it is not said to have converged


def sentences(told: Mapping[str, Any]) -> list[str]:
    """What was found, in words."""
    out = []
    if told.get("matrix"):
        names, values = told["matrix"]["names"], np.array(told["matrix"]["values"])
        steps = values[np.arange(len(names) - 1), np.arange(1, len(names))]
        k = int(steps.argmin())
        whole = len(names) == len(told.get("layers") or names)
        of = "layers that follow each other in a pass" if whole else f"the {len(names)} layers that give one answer a row"
        out.append(f"Of {of}, the representation changes most from {names[k]} to {names[k + 1]} (likeness {steps[k]:.2f}).")
    if told.get("course"):
        out.append(_course_told(told["layers"], told["course"]))
    if told.get("seeds"):
        first, *_, final = np.array(told["seeds"]["values"]).mean(axis=1)
        out.append(f"Between seeds, {told['layers'][0]} is alike by {first:.2f} and {told['layers'][-1]} by {final:.2f}.")
    return out


def _course_told(layers: Sequence[str], course: Mapping[str, Any]) -> str:
    """Which layers training changed, and when the first and the last of them had come half of the way."""
    start, half = [row[0] for row in course["final"]], course["half_way"]
    moved = [n for n, likeness in zip(layers, start, strict=True) if likeness < STEADY]
    steady = f"{len(layers) - len(moved)} of {len(layers)} layers hold from the start what they hold at the end (likeness " \
             f"above {STEADY})"
    if not moved:
        return f"{steady}: nothing can be seen to converge."
    when = [f"{n} by {_when(half[n])}" for n in dict.fromkeys((moved[0], moved[-1]))]
    came = f"of those that training changed, {' and '.join(when)} had come half of the way to the end."
    return f"{steady}; {came}" if len(moved) < len(layers) else f"O{came[1:]}"


def _when(time_: Any) -> str:
    return "the end" if time_ == END else f"step {int(time_):,}"
