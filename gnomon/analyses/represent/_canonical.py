"""Canonical correlations from second moments: shared by SVCCA and PWCCA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.analyses.represent._moments import Moments

FLAT = 1e-10  # share of the largest variance below which a direction is noise of the arithmetic


@dataclass(frozen=True)
class Canonical:
    """correlations (k,), descending. a (p, k), b (q, k): (x - mean) @ a and (y - mean) @ b are the canonical variates, of
    unit length over the rows. kept: directions of x and of y that took part."""

    correlations: np.ndarray
    a: np.ndarray
    b: np.ndarray
    kept: tuple[int, int]


def canonical(m: Moments, keep: float = 1.0) -> Canonical:
    """Hotelling's canonical correlations of the leading principal directions that hold the share `keep` of variance."""
    white_x, white_y = _whitener(m.xx, keep), _whitener(m.yy, keep)
    if not white_x.shape[1] or not white_y.shape[1]:
        return Canonical(np.zeros(0), white_x[:, :0], white_y[:, :0], (white_x.shape[1], white_y.shape[1]))
    left, values, right = np.linalg.svd(white_x.T @ m.xy @ white_y, full_matrices=False)
    return Canonical(np.clip(values, 0, 1), white_x @ left, white_y @ right.T, (white_x.shape[1], white_y.shape[1]))


def _whitener(scatter: np.ndarray, keep: float) -> np.ndarray:
    """(p, k) W with W' scatter W = 1, over the fewest leading directions that hold `keep` of the variance."""
    values, vectors = np.linalg.eigh(scatter)
    values, vectors = values[::-1], vectors[:, ::-1]
    real = values > FLAT * max(values[0], 0)
    values, vectors = values[real], vectors[:, real]
    if keep < 1 and len(values):
        count = int(np.searchsorted(np.cumsum(values) / values.sum(), keep - 1e-12)) + 1
        values, vectors = values[:count], vectors[:, :count]
    return vectors / np.sqrt(values)
