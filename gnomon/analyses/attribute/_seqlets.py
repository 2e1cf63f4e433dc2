"""Seqlets: short stretches of sequences that carry much of an attribution, and how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gnomon.rng import stream

FALSE_SHARE = 0.05  # of the seqlets that shuffled weights would give too
SHUFFLES = 5


@dataclass(frozen=True)
class Seqlets:
    """values: (s, w, letters) weight times letter, times the sign searched for; zeros beyond a sequence's ends.
    row, start: where each stretch with its flanks begins (start may be below 0). weights: (n, L) of all rows, signed."""

    values: np.ndarray
    row: np.ndarray
    start: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.row)


def one_hot(sequences: Sequence[str], letters: str) -> np.ndarray:
    """(n, longest, letters) float32; other letters and the space after a sequence's end are zeros."""
    longest = max(map(len, sequences), default=0)
    table = np.full(0x110000, -1, dtype=np.int32)
    table[[ord(c) for c in letters]] = np.arange(len(letters))
    points = np.frombuffer("".join(s.ljust(longest, "\0") for s in sequences).encode("utf-32-le"), dtype=np.uint32)
    codes = table[points].reshape(len(sequences), longest)
    return (codes[..., None] == np.arange(len(letters))).astype(np.float32)


def found_seqlets(hot: np.ndarray, weights: Sequence[np.ndarray], sign: float, width: int, flank: int, seed: int, *,
                  most: int) -> Seqlets:
    """The non-overlapping windows whose summed weight (times sign) stands out against weights shuffled within rows. Each row
    is measured by its own mean size: else the largest rows' shuffled weights would hide what stands out in the others."""
    n, longest, letters = hot.shape
    laid = np.full((n, longest), np.nan)
    for row, w in enumerate(weights):
        laid[row, :len(w)] = w
    none = Seqlets(np.zeros((0, width + 2 * flank, letters)), *np.zeros((2, 0), dtype=int), np.nan_to_num(laid))
    if longest < width:
        return none
    size = np.nansum(np.abs(laid), axis=1, keepdims=True) / np.maximum(np.isfinite(laid).sum(axis=1, keepdims=True), 1)
    even = sign * laid / np.where(size > 0, size, 1.0)
    sums = _sums(even, width)
    null = np.concatenate([_sums(_shuffled(even, seed, r), width).ravel() for r in range(SHUFFLES)])
    least = _threshold(sums.ravel(), null)
    row, start, height = _peaks(sums, least, width)
    order = np.argsort(-height, kind="stable")[:most]
    row, start = row[order], start[order] - flank
    places = start[:, None] + np.arange(width + 2 * flank)
    inside = (places >= 0) & (places < longest)
    at = places.clip(0, longest - 1)
    values = hot[row[:, None], at] * (inside * sign * np.nan_to_num(laid)[row[:, None], at])[..., None]
    return replace(none, values=values, row=row, start=start)


def _sums(laid: np.ndarray, width: int) -> np.ndarray:
    """(n, L - width + 1) sums of windows; NaN where a window leaves its sequence."""
    whole = np.cumsum(np.pad(np.nan_to_num(laid), ((0, 0), (1, 0))), axis=1)
    gone = np.cumsum(np.pad(np.isnan(laid), ((0, 0), (1, 0))), axis=1)
    return np.where(gone[:, width:] > gone[:, :-width], np.nan, whole[:, width:] - whole[:, :-width])


def _shuffled(laid: np.ndarray, seed: int, *names: object) -> np.ndarray:
    """Each row's weights in a new order, its empty end kept."""
    key = np.where(np.isnan(laid), np.inf, stream(seed, "shuffled weights", *names).random(laid.shape))
    return np.take_along_axis(laid, np.argsort(key, axis=1), axis=1)


def _threshold(sums: np.ndarray, null: np.ndarray) -> float:
    """The lowest height at which windows of shuffled weights are at most FALSE_SHARE as frequent as the real ones."""
    real, null = (np.sort(v[np.isfinite(v) & (v > 0)]) for v in (sums, null))
    if not len(real):
        return np.inf
    above = len(real) - np.arange(len(real))
    false = (len(null) - np.searchsorted(null, real)) / SHUFFLES
    fine = false <= FALSE_SHARE * above
    return float(real[fine.argmax()]) if fine.any() else np.inf


def _peaks(sums: np.ndarray, least: float, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(row, start, height) of windows above `least`, each row's highest first, none overlapping; all rows at once."""
    left = np.where(np.isfinite(sums), sums, -np.inf)
    found, everyone, places = [], np.arange(len(left)), np.arange(left.shape[1])
    while True:
        best = left.argmax(axis=1)
        height = left[everyone, best]
        if not (some := height >= least).any():
            break
        found.append(np.stack([everyone[some], best[some], height[some]]))
        left[some[:, None] & (np.abs(places - best[:, None]) < width)] = -np.inf
    whole = np.concatenate([np.zeros((3, 0)), *found], axis=1)
    return whole[0].astype(int), whole[1].astype(int), whole[2]


def likeness(seqlets: Seqlets, both_strands: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(s, s) largest cosine over shifts (and strands), the shift that gives it, and whether the second is turned round.
    shift k of [i, j]: place p of j lies over place p + k of i."""
    values = seqlets.values.astype(np.float32)
    length = np.sqrt((values**2).sum(axis=(1, 2)))
    flat = values.reshape(len(values), -1) / np.maximum(length, 1e-12)[:, None]
    width = values.shape[1]
    best = np.full((len(values),) * 2, -1.0, dtype=np.float32)
    shift, turned = np.zeros(best.shape, dtype=int), np.zeros(best.shape, dtype=bool)
    for turn in (False, True)[:1 + both_strands]:
        other = values[:, ::-1, ::-1] if turn else values
        for k in range(-(width // 3), width // 3 + 1):
            moved = np.zeros_like(other)
            moved[:, max(k, 0):width + min(k, 0)] = other[:, max(-k, 0):width - max(k, 0)]
            cosine = flat @ (moved.reshape(len(values), -1) / np.maximum(length, 1e-12)[:, None]).T
            better = cosine > best + 1e-6
            best[better], shift[better], turned[better] = cosine[better], k, turn
    alike = np.maximum(best, best.T)
    np.fill_diagonal(alike, 1.0)
    return alike, shift, turned


def shuffled_likeness(seqlets: Seqlets, both_strands: bool, seed: int, most: int = 200) -> np.ndarray:
    """The likeness of pairs of seqlets whose places were put in a new order: what chance gives."""
    dice = stream(seed, "shuffled seqlets")
    some = dice.permutation(len(seqlets))[:most]
    values = np.stack([v[dice.permutation(len(v))] for v in seqlets.values[some]])
    alike = likeness(replace(seqlets, values=values), both_strands)[0]
    return alike[np.triu_indices(len(some), 1)]
