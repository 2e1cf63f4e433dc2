"""Counts that may be shown: small ones are not, nor what a sum and the others would give away (EVIDENCE 24)."""

from __future__ import annotations

import numpy as np

FEWEST = 5  # smaller counts are suppressed


def suppressed(counts: np.ndarray) -> np.ndarray:
    """(n,) whether each of these counts, whose sum is known, is hidden: those of 1 to 4, and the next smallest beside a single
    one, which the sum would tell."""
    counts = np.asarray(counts)
    hide = (counts > 0) & (counts < FEWEST)
    if hide.sum() == 1 and len(counts) > 1:
        hide[np.argmin(np.where(hide, np.inf, counts))] = True
    return hide


def shown_counts(counts: np.ndarray, show_rows: bool = False) -> list[int | None]:
    """The counts, None where they are hidden."""
    return [None if h and not show_rows else int(c) for c, h in zip(counts, suppressed(counts), strict=True)]
