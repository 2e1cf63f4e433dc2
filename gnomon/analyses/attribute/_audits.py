"""What an audit that withholds nothing says, and the kit that audits of attribution functions share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.attribute._gates import rank_correlation
from gnomon.analyses.attribute._intervals import mean_over_units

GIVEN = "holds by construction"  # how an audit that theory answers begins what it says


@dataclass(frozen=True)
class Audit:
    """A measured value with its 95 % interval over units; None where too few tell. each: (n,) a row."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    says: str
    each: np.ndarray

    @property
    def entry(self) -> dict[str, Any]:
        """As `other_checks` of report.json wants it: printed by name, never counted."""
        return {"name": self.name, "value": self.value, "low": self.low, "high": self.high, "says": self.says}


def audited(name: str, each: np.ndarray, units: np.ndarray | None, what: str) -> Audit:
    """The mean over rows with its interval over units. what: a sentence with {} where the numbers go."""
    each = np.asarray(each, dtype=float)
    value, low, high = mean_over_units(each, np.arange(len(each)) if units is None else units)
    known = value == value
    number = f"{value:.2f}" + (f" [{low:.2f}, {high:.2f}]" if low is not None else " (too few units for an interval)")
    return Audit(name, value if known else None, low, high, what.format(number) if known else "could not be measured", each)


def rows_as_lists(attribution: Any) -> list[np.ndarray]:
    """One flat array a row, from a tensor, an array, or a list of arrays a row."""
    import torch

    if isinstance(attribution, torch.Tensor):
        attribution = attribution.detach().float().cpu().numpy()
    if isinstance(attribution, np.ndarray):
        return list(attribution.reshape(len(attribution), -1))
    return [np.asarray(a, dtype=float).reshape(-1) for a in attribution]


def correlations(first: Any, second: Any) -> np.ndarray:
    """(n,) rank correlation row by row."""
    pairs: Sequence[tuple[np.ndarray, np.ndarray]] = list(zip(rows_as_lists(first), rows_as_lists(second), strict=True))
    return np.array([rank_correlation(a, b) for a, b in pairs])
