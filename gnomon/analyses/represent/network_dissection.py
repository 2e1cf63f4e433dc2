"""Which hidden units detect which labelled concept: overlap of a unit's strong responses with the concept's mask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gnomon.card import Card
from gnomon.errors import InputError
from gnomon.rng import stream

CARD = Card(
    name="Network dissection",
    gist="Overlap (IoU) of each unit's strongest responses with labelled concepts, against shuffled concepts.",
    use_when="You have masks, columns, motifs or substructures and ask which units stand for them.",
    avoid_when="Concepts cover nearly everything or a handful of rows; rows of one group: permute groups instead.",
    paper="Bau et al. 2017, arXiv:1704.05796; Westfall & Young 1993, Resampling-Based Multiple Testing",
    survey=("I9",),
    cost="seconds",
)
SHARE_OF_POSITIONS, SHARE_OF_ROWS = 0.005, 0.1  # that count as a strong response, of maps and of single numbers
UNITS_AT_ONCE = 100_000_000  # entries of the maps laid out together


@dataclass(frozen=True)
class Detector:
    """A unit that stands for a concept. adjusted: chance, over all pairs at once, of such an overlap by shuffling."""

    unit: int
    concept: str
    iou: float
    adjusted: float


@dataclass(frozen=True)
class Dissection:
    """iou, adjusted: (units, concepts). thresholds: (units,) the activation from which a response counts as strong.
    found: detectors, largest IoU first."""

    concepts: tuple[str, ...]
    iou: np.ndarray
    adjusted: np.ndarray
    thresholds: np.ndarray
    found: tuple[Detector, ...]


def network_dissection(activations: np.ndarray, concepts: Mapping[str, np.ndarray], *, share: float | None = None,
                       level: float = 0.05, repeats: int = 199, seed: int = 0) -> Dissection:
    """IoU(u, c) = |A_u and M_c| / |A_u or M_c| over all rows and positions, A_u = where unit u is in its top `share`.

    activations: (n, units), or maps (n, units, L) or (n, units, H, W). concepts: name -> bool masks of one shape,
    (n,), (n, L) or (n, H, W); maps are brought to the masks' size (linear interpolation), and to their maximum over
    positions where concepts are one bool a row. share: 0.005 of positions, 0.1 of rows when None.
    level: chance of any false detector among all pairs. It bounds the share of false discoveries too.
    repeats: shufflings of the concepts over the rows; masks keep their shape, and concepts and units their
    dependence. Raises E-ACTIVATIONS when rows or shapes do not fit.

    Differs: the paper calls a unit a detector from IoU 0.04 on, whatever the concept's size; here the IoU, standardised
    by its own shuffles, must exceed the largest over all pairs in all but `level` of the shuffles (step "maxT").
    """
    names = tuple(concepts)
    masks = [np.asarray(concepts[c], dtype=bool) for c in names]
    activations = np.asarray(activations, dtype=np.float32)
    if not names or activations.ndim < 2 or {m.shape for m in masks} != {masks[0].shape} or len(masks[0]) != len(activations):
        raise InputError("E-ACTIVATIONS", f"activations (rows, units, ...) and masks of one shape and as many rows were "
                         f"wanted; came {activations.shape} and {sorted({m.shape for m in masks})}",
                         do="give every concept for the same rows, in one form")
    maps = _fitted(activations, masks[0].shape[1:])
    wanted = share if share is not None else SHARE_OF_POSITIONS if maps.shape[2] > 1 else SHARE_OF_ROWS
    strong, thresholds = _strong(maps, wanted)
    found = _overlaps(strong, np.stack([m.reshape(len(m), -1) for m in masks], axis=2), repeats, seed)
    adjusted = _adjusted(found)
    pairs = [Detector(int(u), names[c], float(found[0, u, c]), float(adjusted[u, c]))
             for u, c in np.argwhere((adjusted <= level) & (found[0] > 0))]
    return Dissection(names, found[0], adjusted, thresholds, tuple(sorted(pairs, key=lambda d: -d.iou)))


def _fitted(activations: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """(n, units, positions) at the masks' size."""
    if activations.ndim == 2:
        if size:
            raise InputError("E-ACTIVATIONS", "masks have positions, the activations have none",
                             do="give the layer's maps, or one bool a row")
        return activations[:, :, None]
    if not size:
        return activations.reshape(*activations.shape[:2], -1).max(axis=2, keepdims=True)
    if activations.shape[2:] != size:
        import torch
        from torch.nn.functional import interpolate

        mode = "bilinear" if len(size) == 2 else "linear"
        activations = interpolate(torch.from_numpy(activations), size=size, mode=mode, align_corners=False).numpy()
    return activations.reshape(*activations.shape[:2], -1)


def _strong(maps: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Where each unit is at or above its own quantile; a unit at rest (its minimum) never responds."""
    flat = maps.transpose(1, 0, 2).reshape(maps.shape[1], -1)
    thresholds = np.quantile(flat, 1 - share, axis=1)
    return (maps >= thresholds[None, :, None]) & (maps > flat.min(axis=1)[None, :, None]), thresholds


def _overlaps(strong: np.ndarray, masks: np.ndarray, repeats: int, seed: int) -> np.ndarray:
    """(1 + repeats, units, concepts) IoU: as given, then with the concepts' rows shuffled together."""
    n, units, positions = strong.shape
    orders = [np.arange(n), *(stream(seed, "dissection", r).permutation(n) for r in range(repeats))]
    size, cover = masks.sum(axis=(0, 1)), strong.sum(axis=(0, 2))
    out = np.empty((len(orders), units, masks.shape[2]), dtype=np.float32)
    step = max(1, UNITS_AT_ONCE // (n * positions))
    laid = masks.astype(np.float32)
    for start in range(0, units, step):
        some = strong[:, start:start + step].transpose(1, 0, 2).reshape(-1, n * positions).astype(np.float32)
        for r, order in enumerate(orders):
            both = some @ laid[order].reshape(n * positions, -1)
            out[r, start:start + step] = both / np.maximum(cover[start:start + step, None] + size - both, 1)
    return out


def _adjusted(found: np.ndarray) -> np.ndarray:
    """Share of the arrangements (the given one among them) whose largest standardised IoU reaches each pair's."""
    spread = found.std(axis=0)
    standard = (found - found.mean(axis=0)) / np.where(spread > 1e-12, spread, np.inf)
    largest = np.sort(standard.reshape(len(found), -1).max(axis=1))
    return (len(found) - np.searchsorted(largest, standard[0] - 1e-6)) / len(found)
