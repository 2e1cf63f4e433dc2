"""Bipartite matching: which unit of one representation is which unit of another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.represent._moments import moments, pair
from gnomon.card import Card

CARD = Card(
    name="Matching of units",
    gist="Pairs the units of two representations one to one so that the pairs correlate most in total.",
    use_when="Two seeds or models: do single units recur, or only the space they span?",
    avoid_when="The representation may be rotated freely (most hidden layers without ReLU): use CKA or subspace matching.",
    paper="Li, Yosinski, Clune, Lipson & Hopcroft 2016, arXiv:1511.07543; Kuhn 1955, Naval Research Logistics 2",
    survey=("I13", "W8"),
    cost="seconds",
)


@dataclass(frozen=True)
class Matched:
    """pairs (k, 2): unit of x, unit of y, best pair first; correlations (k,) of the pairs; value: their mean.
    nearest (p,): for each unit of x the highest correlation with any unit of y, used by others or not."""

    pairs: np.ndarray
    correlations: np.ndarray
    value: float
    nearest: np.ndarray


def matching(x: Any, y: Any, *, signed: bool = True) -> Matched:
    """The one-to-one pairing of units of x (n, p) and y (n, q) with the largest sum of Pearson correlations.

    signed: False pairs by the size of the correlation (for layers without a preferred sign). k = min(p, q). Streams over
    rows. Invariant to reordering units and to scaling each. Raises E-ACTIVATIONS.
    """
    from scipy.optimize import linear_sum_assignment

    r = moments(*pair(x, y)).correlations()
    r = r if signed else np.abs(r)
    left, right = linear_sum_assignment(-r)
    order = np.argsort(-r[left, right], kind="stable")
    values = r[left, right][order]
    return Matched(np.column_stack([left, right])[order], values, float(values.mean()) if len(values) else 0.0, r.max(axis=1))
