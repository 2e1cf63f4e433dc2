"""Gate two: deleting what an attribution ranks first must change the prediction more than deleting at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gnomon.analyses.attribute._gates import Gate, top_pieces
from gnomon.analyses.attribute._intervals import mean_over_units
from gnomon.card import Card
from gnomon.rng import stream

CARD = Card(
    name="Deletion against random deletion",
    gist="Takes away the pieces ranked first, and as many at random; the first must lower the explained output more.",
    use_when="Always, before an attribution is shown.",
    avoid_when="Never; it is a gate. Deleted rows may look unlike any data, so it is a comparison, not a measure.",
    paper="Samek et al. 2017, arXiv:1509.06321; Petsiuk et al. 2018, arXiv:1806.07421",
    survey=("I5",),
    cost="seconds",
)
SHARES = (0.05, 0.1, 0.2, 0.3)  # of a row's pieces that are deleted, at least one
DRAWS = 8  # random deletions a row and share


def deletion_against_random(ground: Any, scores: Sequence[np.ndarray], units: np.ndarray, *, seed: int = 0) -> Gate:
    """Passed when the drop of the explained output is larger for the pieces ranked first, lower limit above 0.

    ground: `Ground` (`whole()`, `without(rows, masks, draw)`). scores: one array a row, a number a piece, signed:
    the pieces that raise the output most come first. units: (n,). The difference is paired within rows.
    """
    differences = drops(ground, scores, seed=seed)
    value, low, high = mean_over_units(differences, units)
    name = "deletion against random"
    if low is None:
        return Gate(name, False, value if value == value else None, None, None, "too few units or pieces to tell")
    says = (f"deleting the pieces ranked first lowers the output by {value:.3g} [{low:.3g}, {high:.3g}] more than "
            "deleting as many at random")
    return Gate(name, bool(low > 0), value, low, high, says)


def drops(ground: Any, scores: Sequence[np.ndarray], *, seed: int = 0) -> np.ndarray:
    """(n,) drop of the output for the pieces ranked first less the mean drop for random ones, averaged over shares;
    NaN for rows of fewer than two pieces."""
    rows, masks, place = [], [], []
    for row, score in enumerate(scores):
        for count in _counts(len(score)):
            dice = stream(seed, "deletion", row, count)
            cases = [top_pieces(score, count, dice)] + [_random(len(score), count, dice) for _ in range(DRAWS)]
            rows += [row] * len(cases)
            masks += cases
            place.append(row)
    out = np.full(len(scores), np.nan)
    if not rows:
        return out
    left = ground.without(np.array(rows), masks).reshape(-1, 1 + DRAWS)
    gain = left[:, 1:].mean(axis=1) - left[:, 0]  # the untouched output cancels
    counted = np.bincount(place, minlength=len(scores))
    known = counted > 0
    out[known] = (np.bincount(place, gain, minlength=len(scores))[known] / counted[known])
    return out


def _counts(pieces: int) -> list[int]:
    """How many pieces to delete, for each share, without repeats; none when there is nothing to choose from."""
    return [] if pieces < 2 else sorted({min(max(1, round(share * pieces)), pieces - 1) for share in SHARES})


def _random(pieces: int, count: int, dice: np.random.Generator) -> np.ndarray:
    mask = np.zeros(pieces, dtype=bool)
    mask[dice.permutation(pieces)[:count]] = True
    return mask
