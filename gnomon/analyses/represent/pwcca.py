"""PWCCA: canonical correlations weighted by how much of the first representation each explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.represent._canonical import canonical
from gnomon.analyses.represent._moments import moments, pair
from gnomon.card import Card

CARD = Card(
    name="PWCCA",
    gist="Mean canonical correlation, each direction weighted by its share of the first representation.",
    use_when="SVCCA's question without a cut at a share of variance: noise directions count little.",
    avoid_when="Rows are few against units (below ten to one); or a symmetric number is needed: it follows the first one.",
    paper="Morcos, Raghu & Bengio 2018, arXiv:1806.05759",
    survey=("I13", "W8"),
    cost="seconds",
)


@dataclass(frozen=True)
class Pwcca:
    """value: weighted mean of `correlations` (descending) by `weights` (which add up to 1)."""

    value: float
    correlations: np.ndarray
    weights: np.ndarray


def pwcca(x: Any, y: Any) -> Pwcca:
    """Projection-weighted CCA of x (n, p) with y (n, q).

    Equation: rho_i, h_i = canonical correlations and variates of x; alpha_i = sum_j |<h_i, x_j>| over the units j;
    value = sum alpha_i rho_i / sum alpha_i. As h_i = X a_i, the products are a_i' X'X: no n x n matrix, and memory-mapped
    arrays are read in pieces. Not symmetric. Invariant to invertible maps of y. Raises E-ACTIVATIONS.
    """
    x, y = pair(x, y)
    m = moments(x, y)
    found = canonical(m)
    weights = np.abs(m.xx @ found.a).sum(axis=0)
    if not len(weights) or weights.sum() == 0:
        return Pwcca(0.0, found.correlations, weights)
    weights = weights / weights.sum()
    return Pwcca(float(weights @ found.correlations), found.correlations, weights)
