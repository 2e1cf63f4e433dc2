"""A column once it is read: what every maker of columns hands over, and what it says when no value can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gnomon.data.read.roles import Facts
from gnomon.errors import InputError
from gnomon.values import Finding


@dataclass(frozen=True)
class Built:
    """A finished column, what was found while building it, and the rows whose value is broken (row -> why)."""

    column: Any
    facts: Facts
    findings: tuple[Finding, ...] = ()
    bad: tuple[tuple[int, str], ...] = ()


def none_reads(name: str, kind: str, values: Any) -> InputError:
    """The error for a column of which no value is of the kind it was to be read as."""
    return InputError(
        "E-KIND-UNREADABLE",
        f"column '{name}' was to be read as {kind}; of its {len(values)} rows none can be (row 0 is the first tried)",
        do=f"check the column, or state another kind: --kinds '{name}=text'",
    )
