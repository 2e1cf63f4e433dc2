"""SVCCA: how much of what matters in two layers is the same up to an invertible linear map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.represent._canonical import canonical
from gnomon.analyses.represent._moments import moments, pair
from gnomon.card import Card

CARD = Card(
    name="SVCCA",
    gist="Mean canonical correlation of the leading principal directions of two representations.",
    use_when="Do two layers, seeds or training times span the same directions, however they are mixed and scaled?",
    avoid_when="Rows are fewer than about ten times the directions kept: CCA then finds likeness in noise; use CKA.",
    paper="Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017, arXiv:1706.05806; Hotelling 1936, Biometrika 28",
    survey=("I13", "W8"),
    tune={"keep": (0.9, 0.99)},
    cost="seconds",
)


@dataclass(frozen=True)
class Svcca:
    """value: mean of `correlations` (descending). kept: directions of x and of y. chance: what the mean would be for
    unrelated noise of these sizes (exactly, for Gaussian noise the mean of squares is max(kept) / (n - 1); its root)."""

    value: float
    correlations: np.ndarray
    kept: tuple[int, int]
    chance: float


def svcca(x: Any, y: Any, *, keep: float = 0.99) -> Svcca:
    """Mean canonical correlation between the principal subspaces of x (n, p) and y (n, q) holding `keep` of their variance.

    Equation: x' = X V_x, y' = Y V_y (principal directions); rho = singular values of
    (x'x')^-1/2 x'y' (y'y')^-1/2; value = mean of the min(k_x, k_y) rho. Invariant to orthogonal maps and isotropic scaling,
    and with keep=1 to any invertible map. Streams: memory-mapped arrays are read in pieces. Raises E-ACTIVATIONS.
    Differs: a direction needs more than 1e-10 of the largest variance to count even with keep=1.
    """
    x, y = pair(x, y)
    found = canonical(moments(x, y), keep)
    size = max(found.kept)
    chance = min(1.0, float(np.sqrt(size / max(len(x) - 1, 1)))) if min(found.kept) else 0.0
    value = float(found.correlations.mean()) if len(found.correlations) else 0.0
    return Svcca(value, found.correlations, found.kept, chance)
