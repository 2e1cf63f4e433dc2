"""Limits that a stated share of the rows of new, like units pass, from the distances of units held out in turn.

Units held out and a new one are exchangeable, so the new one is as likely as any of them to be the oddest of all g + 1
(Vovk et al. 2005): how many may lie beyond a limit is counted among g + 1, and how odd a row is, by the rows of the other
units alone.
"""

from __future__ import annotations

import numpy as np

QUANTILE = 0.95
FEWEST = 19  # units held out, below which no limit is passed by as few as 5 % of the new ones
EPSILON = 1e-9


def beyond(g: int) -> int:
    """How many of g + 1 exchangeable units may lie beyond the limit: 5 %, but at least one."""
    return max(1, int((1 - QUANTILE) * (g + 1) + EPSILON))


def limits(near: np.ndarray, off: np.ndarray, along: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """The limits by name, from distances (n,) of rows of the units codes (n,): each of them passed by the same share of the
    rows, all of them together by 5 %, every unit counting alike. None for a plane that holds every row."""
    flat = off.max() < 1e-6
    kinds = [near, along] if flat else [near, along, off, -off]
    sides = np.array([1, 1, 2, 2][:len(kinds)])  # a row may be too near to the plane or too far from it
    codes = np.unique(codes, return_inverse=True)[1]
    weight, most = 1 / np.bincount(codes)[codes], beyond(int(codes.max()) + 1)
    rank = np.stack([s * _further(v, codes, weight) for s, v in zip(sides, kinds, strict=True)])
    depth = rank.min(axis=0)  # how deep among the other units' rows a row lies by its oddest distance
    allowed = _deepest(depth, weight, most)
    reach = [_limit(v, weight, max(allowed, 0.0) / s) for s, v in zip(sides, kinds, strict=True)]
    if allowed < 0:  # too many lie beyond the rows of all other units: told by how far
        usual = [_usual(v) for v in kinds]
        size = np.stack([(v - m) / spread for v, (m, spread) in zip(kinds, usual, strict=True)])
        outermost = np.where(rank <= EPSILON, size, 0).max(axis=0)
        far = _limit(outermost, weight, max(_deepest(_further(outermost, codes, weight), weight, most), 0.0))
        reach = [max(r, m + far * spread) for r, (m, spread) in zip(reach, usual, strict=True)]
    out = {"threshold": reach[0], "along_limit": max(reach[1], 1e-6)}
    return out if flat else out | {"off_limit": max(reach[2], 1e-6), "off_least": max(-reach[3], 0.0)}


def _deepest(depth: np.ndarray, weight: np.ndarray, most: float) -> float:
    """The largest depth down to which lie rows of no more weight than `most`; -1 where there is none."""
    order = np.argsort(depth, kind="stable")
    level, last = np.unique(depth[order], return_index=True)
    total = np.append(np.cumsum(weight[order])[last[1:] - 1], weight.sum())
    fits = np.flatnonzero(total <= most + EPSILON)
    return float(level[fits[-1]]) if len(fits) else -1.0


def _further(values: np.ndarray, codes: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """(n,) Weight of the rows of other units that lie as far out as each row, or further."""
    level = np.unique(values, return_inverse=True)[1]
    count = int(level.max()) + 1
    at_least = np.cumsum(np.bincount(level, weights=weight, minlength=count)[::-1])[::-1][level]
    key = codes.astype(np.int64) * count + level
    ranked = np.sort(key)
    own = np.searchsorted(ranked, (codes + 1) * count) - np.searchsorted(ranked, key)
    return np.maximum(at_least - own * weight, 0)


def _usual(values: np.ndarray) -> tuple[float, float]:
    """Median, and how far from it lies the value that one row in four passes."""
    middle, upper, most = np.quantile(values, [0.5, 0.75, 1])
    return float(middle), float(upper - middle or most - middle or 1.0)


def _limit(values: np.ndarray, weight: np.ndarray, allowed: float) -> float:
    """The least value beyond which lie rows of no more weight than `allowed`."""
    order = np.argsort(values, kind="stable")
    left = weight.sum() - np.cumsum(weight[order])
    level = np.flatnonzero(left <= allowed + EPSILON)[0]
    return float(values[order][level])
