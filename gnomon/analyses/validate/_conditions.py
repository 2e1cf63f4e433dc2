"""Conditions by which rows are told apart: a word of a column, a band of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

BANDS = 4  # of a number's values
MOST_VALUES, MOST_COLUMNS = 12, 40


@dataclass(frozen=True)
class Condition:
    """One condition on one column: equal to a word, or from low (inclusive) up to high (exclusive). span: of numbers in steps
    the lowest and the highest level inside."""

    column: str
    word: str | None = None
    low: float = -np.inf
    high: float = np.inf
    span: tuple[float, float] | None = None

    def holds(self, values: np.ndarray) -> np.ndarray:
        """bool (n,)."""
        if self.word is not None:
            return np.array([str(v) == self.word if v is not None else False for v in values], dtype=bool)
        with np.errstate(invalid="ignore"):
            return (values >= self.low) & (values < self.high)

    @property
    def said(self) -> str:
        if self.word is not None:
            return f"'{self.column}' is '{self.word}'" if self.column else self.word
        if self.span is not None and self.span[0] == self.span[1]:
            return f"'{self.column}' is {self.span[0]:.6g}"
        low, high = self.span or (self.low, self.high)
        if np.isinf(self.low):
            return f"'{self.column}' is {high:.6g} or less" if self.span else f"'{self.column}' is under {high:.6g}"
        return f"'{self.column}' is {low:.6g} or more" if np.isinf(self.high) else f"'{self.column}' is {low:.6g} to {high:.6g}"


def conditions(columns: Mapping[str, np.ndarray]) -> list[Condition]:
    """Every single condition: the commonest 12 words of a column, quarters of a number."""
    out: list[Condition] = []
    for name, values in list(columns.items())[:MOST_COLUMNS]:
        if values.dtype.kind == "f":
            seen = values[np.isfinite(values)]
            levels = np.unique(seen)
            if len(levels) < 2:
                continue
            cuts = levels[1:] if len(levels) <= BANDS else np.unique(np.quantile(seen, np.arange(1, BANDS) / BANDS))
            cuts = cuts[cuts > levels[0]]
            edges = [-np.inf, *cuts.tolist(), np.inf]
            steps = len(levels) <= BANDS or 2 * len(levels) <= len(seen)
            for a, b in pairwise(edges) if len(edges) > 2 else ():
                inside = levels[(levels >= a) & (levels < b)]
                out.append(Condition(name, None, a, b, (float(inside[0]), float(inside[-1])) if steps else None))
        else:
            words, counts = np.unique([str(v) for v in values if v is not None and v != ""], return_counts=True)
            kept = words[np.argsort(-counts, kind="stable")][:MOST_VALUES] if len(words) > 1 else ()
            out += [Condition(name, str(w)) for w in kept]
    return out
