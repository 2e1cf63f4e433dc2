"""Deletion and insertion curves of an attribution, against random orders, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.attribute._audits import Audit, audited
from gnomon.analyses.attribute._gates import top_pieces
from gnomon.card import Card
from gnomon.rng import stream

CARD = Card(
    name="Deletion and insertion curves",
    gist="Takes pieces away, or puts them back, in the order of the attribution; areas between the curve and random orders.",
    use_when="Techniques are to be compared on one model, or the whole curve is wanted where the gate gives one number.",
    avoid_when="Rows with most pieces gone look like no data: early parts of a curve mean more than late ones.",
    paper="Petsiuk, Das & Saenko 2018, arXiv:1806.07421; Samek et al. 2017, arXiv:1509.06321",
    survey=("I5",),
    cost="seconds",
)


@dataclass(frozen=True)
class Curves:
    """shares: (s,) of a row's pieces. deletion, insertion, and both at random: (s,) mean outputs. gains: how much lower the
    deletion curve lies than random and how much higher the insertion curve, on average, with intervals over units."""

    shares: np.ndarray
    deletion: np.ndarray
    insertion: np.ndarray
    random_deletion: np.ndarray
    random_insertion: np.ndarray
    gains: tuple[Audit, Audit]


def deletion_curves(played: Any, scores: Sequence[np.ndarray], units: np.ndarray | None = None, *, points: int = 11,
                    draws: int = 8, seed: int = 0) -> Curves:
    """played: a `Ground` of a study or a `_game.Game`. scores: one signed array a row over its pieces; the highest come
    first. units: (n,). points: shares from 0 to 1. draws: random orders. Laws: both curves meet at the whole and the empty
    row; a constant attribution, whose ties fall by lot, gains 0 within error; the true terms of an additive function
    gain the most that any order does.
    """
    shares = np.linspace(0, 1, points)
    own = [_outputs(played, scores, shares, seed, insert) for insert in (False, True)]
    lots = [np.mean([_outputs(played, [np.zeros(len(s)) for s in scores], shares, (seed, draw), insert)
                     for draw in range(draws)], axis=0) for insert in (False, True)]
    gains = (audited("deletion curve", (lots[0] - own[0]).mean(axis=1), units, "{} lower than after random deletions"),
             audited("insertion curve", (own[1] - lots[1]).mean(axis=1), units, "{} higher than after random insertions"))
    means = [each.mean(axis=0) for each in (*own, *lots)]
    return Curves(shares, *means, gains)


def _outputs(played: Any, scores: Sequence[np.ndarray], shares: np.ndarray, seed: Any, insert: bool) -> np.ndarray:
    """(n, points) outputs with that share deleted, or inserted, highest scores first."""
    gone = []
    for row, score in enumerate(scores):
        for share in shares:  # one lot a row, so that a row's sets grow
            top = top_pieces(score, round(share * len(score)), stream(str(seed), "curve", row))
            gone.append(~top if insert else top)
    rows = np.repeat(np.arange(len(scores)), len(shares))
    return played.without(rows, gone).reshape(len(scores), len(shares))
