"""How much the score moves when only the seed of training changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gnomon.card import Card

CARD = Card(
    name="Spread over seeds",
    gist="Standard deviation of the score over trainings that differ in nothing but the seed.",
    use_when="A model with random initial weights or batches; at least three seeds.",
    avoid_when="The question is what new data would change: that is the interval's part.",
    paper="Bouthillier et al. 2021, arXiv:2103.03098",
    survey=("P5", "P7"),
    cost="minutes",
)


def seeds(scores: Sequence[float]) -> float | None:
    """Standard deviation (n - 1) of the scores, one a seed; None for fewer than two. It never enters an interval."""
    kept = [s for s in scores if np.isfinite(s)]
    return float(np.std(kept, ddof=1)) if len(kept) > 1 else None
