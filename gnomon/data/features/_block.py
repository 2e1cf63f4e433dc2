"""From a raw feature matrix to what a model reads: constants dropped, gaps filled, scales made equal.

Three forms, for three families of models:
  scaled  linear models and kernels: medians in gaps and a column that says so, heavy tails tamed, mean 0 and sd 1
  filled  trees that cannot read NaN: medians in gaps and a column that says so, values as they are
  raw     trees that can: values as they are, NaN where nothing was measured
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

FORMS = ("scaled", "filled", "raw")
HEAVY = 15.0  # a value so many interquartile ranges from the median makes a column heavy-tailed: arcsinh is taken
FARTHEST = 8.0  # no training value lies further from the centre than so many scales, however rare it is
BEYOND = 0.5  # new values count at most so many training ranges beyond the training range
PROJECTED = 128  # principal axes kept of a long block
LONG = 4000  # sparse columns up to which a dense model gets them as they are
MOST = 50_000  # sparse columns kept at most, the most frequent ones
ENERGY = 30.0  # total variance given to a sparse block, as of thirty standardised columns

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Block:
    """Features of one column, or of all scalar numbers together, fitted: what was learned is in settings and arrays."""

    key: str
    columns: tuple[str, ...]
    names: tuple[str, ...]
    source: tuple[str, ...]  # the input column of each feature
    settings: Mapping[str, Any]  # fit for JSON
    arrays: Mapping[str, np.ndarray]

    def scaling(self) -> Arrays:
        return {name[6:]: a for name, a in self.arrays.items() if name.startswith("scale.")}


def fit_scaling(matrix: Any, form: str, *, indicators: bool, project: bool, dense: bool, seed: int) -> Arrays:
    """What `apply_scaling` needs, learned from these rows. `matrix` (n, d): float array or scipy csr.

    project: a long block may be replaced by its principal axes (images, text), where the form is `scaled` or dense.
    """
    if not isinstance(matrix, np.ndarray):
        return _fit_sparse(matrix, form, project=project and dense, seed=seed)
    arrays = _fit_dense(matrix, form, indicators)
    if project and form == "scaled" and len(arrays["keep"]) > 2 * PROJECTED:
        arrays |= _axes(_dense(matrix, arrays, form), seed)
    return arrays


def apply_scaling(matrix: Any, arrays: Arrays, form: str) -> Any:
    """(n, d) raw to (n, d') float32, the columns of `feature_names`; sparse stays sparse unless it is projected."""
    if isinstance(matrix, np.ndarray):
        out = _dense(matrix, arrays, form)
    else:
        out = matrix[:, arrays["keep"]].astype(np.float32)
        out = out * np.float32(arrays["factor"])
    if "axes" in arrays:
        out = (np.asarray(out @ arrays["axes"]) - arrays["origin"]) / arrays["spread"]
    return out.astype(np.float32, copy=False)


def feature_names(names: tuple[str, ...], arrays: Arrays) -> tuple[list[str], list[int]]:
    """Names of the columns that `apply_scaling` gives, and the raw column of each (-1: an axis over many)."""
    if "axes" in arrays:
        count = arrays["axes"].shape[1]
        return [f"axis {i + 1}" for i in range(count)], [-1] * count
    keep, gaps = arrays["keep"].tolist(), arrays.get("gaps", np.empty(0, int)).tolist()
    return [names[i] for i in keep] + [f"{names[i]} missing" for i in gaps], keep + gaps


def _fit_dense(matrix: np.ndarray, form: str, indicators: bool) -> Arrays:
    matrix = _finite(matrix)
    known = ~np.isnan(matrix)
    count = known.sum(axis=0)
    low = np.where(known, matrix, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, matrix, -np.inf).max(axis=0, initial=-np.inf)
    varies = (count > 0) & (high - low > 1e-9 * np.maximum(np.abs(low), np.abs(high)))
    holes = len(matrix) - count
    gaps = np.flatnonzero((holes > 1) & (count > 1)) if indicators and form != "raw" else np.empty(0, int)
    keep = np.flatnonzero(varies)
    arrays = {"keep": keep, "gaps": gaps}
    if form == "raw":
        return arrays
    inner = matrix[:, keep]
    quarter, fill, three = _quartiles(inner)
    arrays["fill"] = fill
    return arrays if form == "filled" else arrays | _fit_scale(inner, fill, three - quarter)


def _quartiles(matrix: np.ndarray) -> np.ndarray:
    """(3, d) quartiles over what is known; without gaps the plain routine, which is many times faster."""
    if not matrix.size:
        return np.zeros((3, matrix.shape[1]))
    quartiles = np.nanpercentile if np.isnan(matrix).any() else np.percentile
    return quartiles(matrix, [25, 50, 75], axis=0)


def _fit_scale(matrix: np.ndarray, fill: np.ndarray, box: np.ndarray) -> Arrays:
    away = np.nanmax(np.abs(matrix - fill), axis=0, initial=0)
    heavy = (box > 0) & (away > HEAVY * box)
    unit = np.where(heavy, np.where(box > 0, box, 1), 1.0)
    values = _tame(np.where(np.isnan(matrix), fill, matrix), fill, unit, heavy)
    centre = values.mean(axis=0)
    scale = np.maximum(values.std(axis=0), np.abs(values - centre).max(axis=0, initial=0) / FARTHEST)
    scale = np.where(scale > 0, scale, 1.0)
    z = (values - centre) / scale
    low, high = (z.min(axis=0), z.max(axis=0)) if len(z) else (np.zeros(z.shape[1]), np.zeros(z.shape[1]))
    room = BEYOND * (high - low)
    return {"heavy": heavy, "unit": unit, "centre": centre, "scale": scale, "low": low - room, "high": high + room}


def _tame(values: np.ndarray, middle: np.ndarray, unit: np.ndarray, heavy: np.ndarray) -> np.ndarray:
    if not heavy.any():
        return values
    return np.where(heavy, np.arcsinh((values - middle) / unit), values)


def _dense(matrix: np.ndarray, arrays: Arrays, form: str) -> np.ndarray:
    matrix = _finite(matrix)
    values = matrix[:, arrays["keep"]]
    if form == "raw":
        return values.astype(np.float32)
    values = np.where(np.isnan(values), arrays["fill"], values)
    if form == "scaled":
        values = _tame(values, arrays["fill"], arrays["unit"], arrays["heavy"])
        values = np.clip((values - arrays["centre"]) / arrays["scale"], arrays["low"], arrays["high"])
    if len(arrays["gaps"]):
        values = np.concatenate([values, np.isnan(matrix[:, arrays["gaps"]])], axis=1)
    return values.astype(np.float32)


def _finite(matrix: np.ndarray) -> np.ndarray:
    """Infinities as gaps, and nothing beyond what float32 holds."""
    matrix = np.where(np.isinf(matrix), np.nan, matrix)
    return np.clip(matrix, -1e30, 1e30)


def _fit_sparse(matrix: Any, form: str, *, project: bool, seed: int) -> Arrays:
    present = np.asarray((matrix != 0).sum(axis=0)).ravel()
    least = 2 if matrix.shape[0] > 20 else 1
    full = np.flatnonzero(present == matrix.shape[0])
    constant = full[[np.ptp(matrix[:, [j]].toarray()) == 0 for j in full]] if len(full) else full
    keep = np.setdiff1d(np.flatnonzero(present >= least), constant)
    if len(keep) > MOST:
        keep = np.sort(keep[np.argsort(-present[keep], kind="stable")[:MOST]])
    inner = matrix[:, keep].astype(np.float64)
    mean = np.asarray(inner.mean(axis=0)).ravel()
    variance = float(np.asarray(inner.multiply(inner).mean(axis=0)).sum() - (mean**2).sum()) if len(keep) else 0.0
    factor = np.sqrt(ENERGY / variance) if form == "scaled" and variance > 0 else 1.0
    arrays = {"keep": keep, "factor": np.array(factor)}
    if project and len(keep) > LONG:
        arrays |= _axes(inner * factor, seed)
    return arrays


def _axes(matrix: Any, seed: int) -> Arrays:
    """The first principal axes (d, k), and what brings the block's coordinates to a sensible scale (whole-block, so
    that directions keep their weight): coordinates = (x @ axes - origin) / spread."""
    from sklearn.utils.extmath import randomized_svd

    rank = int(min(PROJECTED, min(matrix.shape) - 1))
    if isinstance(matrix, np.ndarray):
        mean = matrix.mean(axis=0)
        matrix = matrix - mean
    _, _, axes = randomized_svd(matrix, rank, random_state=seed % 2**32, n_iter=3)
    places = np.asarray(matrix @ axes.T)
    origin = places.mean(axis=0) + (mean @ axes.T if isinstance(matrix, np.ndarray) else 0)
    spread = np.sqrt(max(places.var(axis=0).sum() / ENERGY, 1e-12))
    return {"axes": axes.T.astype(np.float32), "origin": origin, "spread": np.array(spread)}
