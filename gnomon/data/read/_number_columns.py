"""Number columns: values as float64 with their unit, and what was odd about how they are written."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np

from gnomon.data.infer import Guess
from gnomon.data.read import _numbers
from gnomon.data.read._built import Built, none_reads
from gnomon.data.read.roles import Facts
from gnomon.data.table import Dense, Spec
from gnomon.values import Finding, finding

NAME_UNIT = re.compile(r"[(\[]([^()\[\]]{1,15})[)\]]\s*$")
FIRST = 1000  # values looked at before all are: most columns fail there


def number_column(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    """Numbers, bounds taken as they stand; text that is no number counts as missing and is listed."""
    typed = isinstance(values, np.ndarray)
    numbers = guess.read or (_numbers.plain(values) if typed else _numbers.parse(values, at_least=0.0))
    if numbers is None or (not typed and np.isnan(numbers.values).all() and values.null_count < len(values)):
        raise none_reads(name, "number", values)
    bound = len(numbers.below) + len(numbers.above)
    detail = "censored" if bound else "integer" if numbers.integer else ""
    in_name = NAME_UNIT.search(name)
    unit = numbers.unit or (in_name[1].strip() if in_name else "")
    column = Dense(numbers.values, Spec("number", detail=detail, unit=unit))
    return Built(column, number_facts(numbers.values, detail), _oddities(name, numbers, position))


def number_facts(values: np.ndarray, detail: str) -> Facts:
    """Facts of a number column; distinct values are counted exactly."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Facts("number", detail, 0, 0)
    integer = bool((known[:FIRST] == np.rint(known[:FIRST])).all()) and bool((known == np.rint(known)).all())
    rising = len(known) > 2 and _all_pairs(known, lambda one, following: following > one)
    if not integer:  # nothing asks how many fractions differ
        return Facts("number", detail, len(known), min(len(known), 1000), rising=rising)
    counter = _all_pairs(known, lambda one, following: following - one == 1)
    years = known.min() >= 1500 and known.max() <= 2200
    return Facts("number", detail, len(known), _distinct(known), integer, counter, rising, years=years)


def _all_pairs(known: np.ndarray, holds: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> bool:
    """Whether something holds of every value and the one that follows it."""
    first = known[:FIRST]
    return bool(holds(first[:-1], first[1:]).all()) and bool(holds(known[:-1], known[1:]).all())


def _distinct(known: np.ndarray) -> int:
    """How many different whole numbers, by a table when they span little, else by sorting."""
    low, high = known.min(), known.max()
    if high - low <= 4 * len(known):
        seen = np.zeros(int(high - low) + 1, dtype=bool)
        seen[(known - low).astype(np.int64)] = True
        return int(seen.sum())
    return len(np.unique(known))


def _oddities(name: str, numbers: _numbers.Numbers, position: np.ndarray) -> tuple[Finding, ...]:
    """What is written otherwise than as a plain number, one finding a sort, with its rows."""
    bounds = np.sort(np.concatenate([numbers.below, numbers.above]))
    shares = {"below": len(numbers.below), "above": len(numbers.above), "share": len(bounds) / max(len(position), 1)}
    sorts: tuple[tuple[str, np.ndarray, str, dict[str, Any]], ...] = (
        (
            "LOOK-KIND",
            numbers.unread,
            f"'{name}' reads as numbers, but {len(numbers.unread)} values are none and count as missing",
            {},
        ),
        (
            "LOOK-CENSORED",
            bounds,
            f"{len(bounds)} values of '{name}' are bounds such as '>10'; the bound itself is used",
            shares,
        ),
        (
            "LOOK-KIND",
            numbers.comma,
            f"'{name}' mixes decimal commas and decimal points; both are read as decimal marks",
            {},
        ),
        (
            "LOOK-UNITS",
            numbers.odd_unit,
            f"'{name}' is written in several units ({', '.join(numbers.units)}); the numbers are taken as they stand",
            {"units": numbers.units},
        ),
    )
    return tuple(
        finding(code, "warn", claim, rows=position[rows], columns=(name,), source="reading", values=values)
        for code, rows, claim, values in sorts
        if len(rows)
    )
