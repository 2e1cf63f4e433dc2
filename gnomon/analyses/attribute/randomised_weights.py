"""Gate one: an attribution of a trained model must differ from that of the same model with nothing learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gnomon.analyses.attribute._gates import Gate, mean_correlations
from gnomon.analyses.attribute._intervals import mean_over_units
from gnomon.card import Card

CARD = Card(
    name="Randomised weights or labels",
    gist="Explains a randomised copy of the model as well; an attribution that stays the same explains the input only.",
    use_when="Always, before an attribution is shown.",
    avoid_when="Never; it is a gate. It says nothing about whether the attribution is complete.",
    paper="Adebayo et al. 2018, arXiv:1810.03292",
    survey=("I5",),
    cost="seconds",
)
LARGEST = 0.5  # the mean rank correlation must lie below this with its whole interval


def randomised_weights(scores: Sequence[np.ndarray], again: Sequence[Sequence[np.ndarray]], units: np.ndarray, *,
                       of: str = "weights") -> Gate:
    """Passed when the signed attributions differ: mean Spearman over rows below .5, upper limit included.

    scores: one array a row (a number a piece). again: the same from randomised models, one list a randomisation.
    units: (n,) the independent unit of each row. of: what was randomised, "weights" or "labels".
    A constant attribution counts as unchanged, and so fails.
    """
    name = f"randomised {of}"
    if not again:
        return Gate(name, False, None, None, None, f"not checked: no copy with randomised {of} could be made")
    value, low, high = mean_over_units(mean_correlations(scores, again), units)
    if high is None:
        return Gate(name, False, _known(value), None, None, "too few units or pieces to tell")
    passed = high < LARGEST
    says = (f"rank correlation {value:.2f} [{low:.2f}, {high:.2f}] with the explanations of {len(again)} models with "
            f"randomised {of}; must stay below {LARGEST}")
    return Gate(name, bool(passed), value, low, high, says)


def _known(value: float) -> float | None:
    return value if value == value else None
