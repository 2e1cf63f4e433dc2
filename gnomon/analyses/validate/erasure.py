"""Take an attribute out of a representation, as gently as a linear map can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.analyses.validate._units import unit_codes
from gnomon.card import Card
from gnomon.rng import stream

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
LEVEL, FLIPS = 0.05, 199  # of the test of each direction; its sign flips


@dataclass(frozen=True)
class Erased:
    """x -> x - (x - mean) @ removal; removal (d, d) has the rank of what was read off."""

    mean: np.ndarray
    removal: np.ndarray
    directions: int  # that x has; of these `rank` are taken out

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(n, d) without the attribute."""
        return x - (x - self.mean) @ self.removal

    @property
    def rank(self) -> int:
        return int(np.linalg.matrix_rank(self.removal))


def erasure(x: np.ndarray, attribute: np.ndarray, units: np.ndarray | None = None, *, level: float = LEVEL,
            seed: int = 0) -> Erased:
    """The affine map r(x) = x - W+ P W (x - mean), W = cov(x)^(-1/2), P the projection on the columns of W cov(x, z) that
    stand out of the noise.

    x (n, d) numbers; attribute (n,) integer codes of a category (z: one column a value) or (n, k) numbers; units (n,) of
    the rows. A sample shows as many directions as z has columns, however few the attribute lives in: canonical
    directions are kept from the strongest on, as long as each is beyond chance at `level` over units; 1 keeps all.
    With all kept cov(r(x), z) = 0, which for a category means equal class means, so that no linear probe with a convex
    loss beats a constant; of all such affine maps it moves x least, in every inner product. Learn it on training rows,
    apply it to all. Constant directions of x are left as they are.
    """
    x = np.asarray(x, dtype=np.float64)
    z = np.asarray(attribute)
    if z.ndim == 1 and z.dtype.kind in "iub":
        z = (z[:, None] == np.unique(z)).astype(np.float64)
    z = z.reshape(len(z), -1).astype(np.float64)
    varies = z.std(axis=0) > ROUNDING * np.abs(z).max(axis=0, initial=0)
    mean, centred, z = x.mean(axis=0), x - x.mean(axis=0), z - z.mean(axis=0)
    z = z / np.where(varies, z.std(axis=0), np.inf)
    vectors, root = _spread(centred)
    white_x, white_z = centred @ vectors / root, z @ np.divide(*_spread(z))
    left, size, right = np.linalg.svd(white_x.T @ white_z / len(x))
    size = size[size > TINY]
    rank = len(size) if level >= 1 else _beyond_chance(size, white_x @ left, white_z @ right.T, units, level, seed)
    basis = left[:, :rank]
    return Erased(mean, (vectors / root) @ basis @ basis.T @ (vectors * root).T, len(root))


def _spread(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axes (d, r) in which the centred x (n, d) varies, and its spread (r,) along them."""
    values, vectors = np.linalg.eigh(x.T @ x / len(x))
    kept = values > TINY * max(values.max(initial=0), 1e-300)
    return vectors[:, kept], np.sqrt(values[kept])


def _beyond_chance(size: np.ndarray, x: np.ndarray, z: np.ndarray, units: np.ndarray | None, level: float,
                   seed: int) -> int:
    """How many canonical correlations (r,) of the canonical variates x (n, d) and z (n, q) stand, strongest first: each
    against the strongest that what is left of them shows by chance, its rows' signs flipped unit by unit."""
    codes, g = unit_codes(units, len(x))
    signs = stream(seed, "erasure").choice([-1.0, 1.0], size=(FLIPS, g))
    flipped = np.stack([(x * s[codes, None]).T @ z for s in signs]) / len(x)
    for k, own in enumerate(size):
        largest = np.linalg.norm(flipped[:, k:, k:], 2, axis=(1, 2))
        if (1 + (largest >= own - ROUNDING).sum()) / (FLIPS + 1) > level:
            return k
    return len(size)
