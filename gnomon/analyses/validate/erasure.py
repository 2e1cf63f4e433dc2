"""Take an attribute out of a representation, as gently as a linear map can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.card import Card

CARD = Card(
    name="Linear concept erasure (LEACE)",
    gist="The smallest linear change of a representation after which no linear model can read an attribute from it.",
    use_when="A batch, site, scanner or sensitive attribute can be read from the features and should not be used.",
    avoid_when="The attribute must be hidden from nonlinear models too: those may still read it.",
    paper="Belrose et al. 2023, arXiv:2306.03819",
    survey=("P9", "P8", "I9"),
    needs=("embed",),
    gives=("embed",),
    cost="seconds",
)
ROUNDING = 1e-12  # share of its size under which the spread of an attribute counts as none
TINY = 1e-6  # share of the largest eigenvalue under which a direction counts as empty


@dataclass(frozen=True)
class Erased:
    """x -> x - (x - mean) @ removal; removal (d, d) has the rank of what was read off."""

    mean: np.ndarray
    removal: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(n, d) without the attribute."""
        return x - (x - self.mean) @ self.removal

    @property
    def rank(self) -> int:
        return int(np.linalg.matrix_rank(self.removal))


def erasure(x: np.ndarray, attribute: np.ndarray) -> Erased:
    """The affine map r(x) = x - W+ P W (x - mean), W = cov(x)^(-1/2), P the projection on the columns of W cov(x, z).

    x (n, d) numbers; attribute (n,) integer codes of a category (z: one column a value) or (n, k) numbers. After it
    cov(r(x), z) = 0, which for a category means equal class means, so that no linear probe with a convex loss beats a
    constant; of all such affine maps it moves x least, in every inner product. Learn it on training rows, apply it
    to all. Constant directions of x are left as they are.
    """
    x = np.asarray(x, dtype=np.float64)
    z = np.asarray(attribute)
    if z.ndim == 1 and z.dtype.kind in "iub":
        z = (z[:, None] == np.unique(z)).astype(np.float64)
    z = z.reshape(len(z), -1).astype(np.float64)
    varies = z.std(axis=0) > ROUNDING * np.abs(z).max(axis=0, initial=0)
    mean, centred, z = x.mean(axis=0), x - x.mean(axis=0), z - z.mean(axis=0)
    z = z / np.where(varies, z.std(axis=0), np.inf)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(x))
    kept = values > TINY * max(values.max(initial=0), 1e-300)
    root = np.sqrt(np.where(kept, values, 1.0))
    white = (vectors * np.where(kept, 1 / root, 0)) @ vectors.T
    colour = (vectors * np.where(kept, root, 0)) @ vectors.T
    left, size, _ = np.linalg.svd(white @ (centred.T @ z / len(x)), full_matrices=False)
    basis = left[:, size > TINY]
    return Erased(mean, (colour @ basis @ basis.T @ white).T)
