"""Maximum match of two sets of units by the subspaces they span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.represent._moments import Moments, moments, pair
from gnomon.card import Card

CARD = Card(
    name="Subspace matching",
    gist="The largest sets of units of two networks that span each other up to a tolerance.",
    use_when="Two seeds: groups of units may stand for the same even where no single unit has a partner.",
    avoid_when="Rows are fewer than units: anything then spans anything. The tolerance is a choice: show several.",
    paper="Wang, Hu, Gu, Wu, Hu, He & Hopcroft 2018, arXiv:1810.11750",
    survey=("I13", "W8"),
    tune={"tolerance": (0.15, 0.3, 0.5)},
    cost="seconds",
)
FLAT = 1e-10  # share of the largest eigenvalue below which a direction of a span is noise


@dataclass(frozen=True)
class SubspaceMatch:
    """x, y: the units of the maximum match. value: (len(x) + len(y)) / (p + q), the maximum matching similarity."""

    x: np.ndarray
    y: np.ndarray
    value: float


def subspace_matching(x: Any, y: Any, *, tolerance: float = 0.3) -> SubspaceMatch:
    """The maximum match of the units of x (n, p) and y (n, q).

    A unit z (its activations over the rows, a vector) is matched by a set when its distance from the set's span is at most
    tolerance * |z|. Sets of units of x and y match when each unit of one is matched by the other set; unions of matches
    are matches, so there is a largest one: units not matched by what is left of the other side are removed until none is.
    All from second moments, streamed over rows. tolerance: 0 = the same span, 1 = anything. A unit that is always zero is
    matched by any set. Raises E-ACTIVATIONS.
    Differs: the paper's simple matches (its smallest building blocks) are not listed.
    """
    m = moments(*pair(x, y)).raw
    left, right = np.arange(len(m.xx)), np.arange(len(m.yy))
    while len(left) and len(right):
        keep_x = _spanned(m.xx, m.yy, m.xy, left, right, tolerance)
        left = left[keep_x]
        keep_y = _spanned(*_turned(m), right, left, tolerance)
        right = right[keep_y]
        if keep_x.all() and keep_y.all():
            break
    if not len(left) or not len(right):
        left, right = left[:0], right[:0]
    return SubspaceMatch(left, right, (len(left) + len(right)) / (len(m.xx) + len(m.yy)))


def _turned(m: Moments) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return m.yy, m.xx, m.xy.T


def _spanned(own: np.ndarray, other: np.ndarray, cross: np.ndarray, units: np.ndarray, by: np.ndarray, tolerance: float
             ) -> np.ndarray:
    """bool (len(units),): |z - projection of z on the span of `by`|^2 <= tolerance^2 |z|^2."""
    size = np.diag(own)[units]
    if not len(by):
        return size <= 0
    values, vectors = np.linalg.eigh(other[np.ix_(by, by)])
    real = values > FLAT * max(values[-1], 0)
    inside = (((cross[np.ix_(units, by)] @ vectors[:, real]) ** 2) / values[real]).sum(axis=1)
    return size - inside <= (tolerance**2 + 1e-9) * size
