"""Images as pixels, edge directions, texture and colour. All take (n, C, H, W) and give (n, d) float32."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

SIDE = 28  # pixels are averaged down to at most so many a side
EDGE_SIDE = 64  # and for edge directions to at most so many
DIRECTIONS = 9
LEVELS = 16  # bins of an intensity histogram


def pixels(images: np.ndarray, *, side: int = SIDE) -> np.ndarray:
    """(n, C h w) intensities between 0 and 1, averaged over areas where the image is larger than `side`."""
    small = shrink(_unit(images), side)
    return small.reshape(len(small), -1)


def hog(images: np.ndarray, *, side: int = EDGE_SIDE) -> np.ndarray:
    """Histograms of edge directions over about 8 x 8 cells, normalised over blocks of 2 x 2 (Dalal & Triggs 2005).

    Unsigned directions in nine bins, votes shared between neighbouring bins, strongest channel at each pixel;
    L2-Hys normalisation with clipping at 0.2.
    """
    small = shrink(_unit(images), side)
    across, down = np.gradient(small, axis=3), np.gradient(small, axis=2)
    strength = np.hypot(across, down)
    best = strength.argmax(axis=1)[:, None]
    across, down, strength = (np.take_along_axis(a, best, axis=1)[:, 0] for a in (across, down, strength))
    place = (np.arctan2(down, across) % np.pi) / np.pi * DIRECTIONS
    low = np.floor(place).astype(int)
    share = place - low
    cells = np.stack([_cell_sums(strength * (np.where(low % DIRECTIONS == b, 1 - share, 0)
                                             + np.where((low + 1) % DIRECTIONS == b, share, 0)))
                      for b in range(DIRECTIONS)], axis=-1)
    blocks = np.concatenate([cells[:, :-1, :-1], cells[:, 1:, :-1], cells[:, :-1, 1:], cells[:, 1:, 1:]], axis=-1)
    for _ in range(2):
        blocks = np.minimum(blocks / np.sqrt((blocks**2).sum(axis=-1, keepdims=True) + 1e-4), 0.2)
    return (blocks / 0.2).reshape(len(images), -1).astype(np.float32)


def _cell_sums(votes: np.ndarray) -> np.ndarray:
    """(n, H, W) to (n, about 8, about 8) sums; cells of at least 4 pixels a side."""
    return _areas(votes, _cell(votes.shape[1]), _cell(votes.shape[2]))


def _cell(length: int) -> int:
    return int(np.clip(length // 4, 2, 8))


def texture(images: np.ndarray) -> np.ndarray:
    """What does not depend on where: per channel an intensity histogram with mean, sd and quantiles, correlations
    of channels, and of the grey image rotation-invariant local binary patterns (Ojala 2002) at two scales."""
    unit = _unit(images)
    n, channels = unit.shape[:2]
    flat = unit.reshape(n, channels, -1)
    bins = np.minimum((flat * LEVELS).astype(int), LEVELS - 1)
    histogram = np.stack([(bins == b).mean(axis=2) for b in range(LEVELS)], axis=2).reshape(n, -1)
    spots = np.quantile(flat, [0.01, 0.25, 0.5, 0.75, 0.99], axis=2).transpose(1, 2, 0).reshape(n, -1)
    parts = [histogram, spots, flat.mean(axis=2), flat.std(axis=2)]
    if channels > 1:
        centred = (flat - flat.mean(axis=2, keepdims=True)) / (flat.std(axis=2, keepdims=True) + 1e-6)
        pairs = [(centred[:, i] * centred[:, j]).mean(axis=1) for i in range(channels) for j in range(i)]
        parts.append(np.stack(pairs, axis=1))
    grey = unit.mean(axis=1)
    parts += [_binary_patterns(grey), _binary_patterns(shrink(unit, max(grey.shape[1:]) // 2 or 1).mean(axis=1))]
    return np.concatenate(parts, axis=1).astype(np.float32)


def pixel_names(channels: int, height: int, width: int) -> tuple[str, ...]:
    """What each column of `pixels` is: the middle of its area in pixels of the image, rows from the top."""
    places = [[(a + b) // 2 for a, b in pairwise(_edges(length, min(length, SIDE)))] for length in (height, width)]
    return tuple(f"brightness{c} at row {y}, column {x}" for c in _of(channels) for y in places[0] for x in places[1])


def _of(channels: int) -> tuple[str, ...]:
    return {1: ("",), 3: (" of red", " of green", " of blue")}.get(
        channels, tuple(f" of channel {c}" for c in range(channels)))


def texture_names(channels: int) -> tuple[str, ...]:
    """What each column of `texture` is, in words."""
    of = _of(channels)
    names = [f"share of intensity{c} {b / LEVELS:.2f} to {(b + 1) / LEVELS:.2f}" for c in of for b in range(LEVELS)]
    names += [f"{q} % quantile of intensity{c}" for c in of for q in (1, 25, 50, 75, 99)]
    names += [f"{what} of intensity{c}" for what in ("mean", "spread") for c in of]
    if channels > 1:
        names += [f"correlation{of[i]} with{of[j].removeprefix(' of')}" for i in range(channels) for j in range(i)]
    for scale in ("", ", half size"):
        names += [f"pixels with {b} brighter neighbours in a row{scale}" for b in range(9)]
        names += [f"pixels of irregular surroundings{scale}"]
    return tuple(names)


def _binary_patterns(grey: np.ndarray) -> np.ndarray:
    """(n, 10): shares of pixels whose eight neighbours form a uniform pattern with 0 to 8 brighter ones, or none."""
    if min(grey.shape[1:]) < 3:
        return np.zeros((len(grey), 10), np.float32)
    around = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    h, w = grey.shape[1] - 2, grey.shape[2] - 2
    inner = grey[:, 1:-1, 1:-1]
    bits = np.stack([grey[:, y:y + h, x:x + w] >= inner for y, x in around])
    changes = (bits != np.roll(bits, 1, axis=0)).sum(axis=0)
    pattern = np.where(changes <= 2, bits.sum(axis=0), 9)
    return np.stack([(pattern == b).mean(axis=(1, 2)) for b in range(10)], axis=1)


def _unit(images: np.ndarray) -> np.ndarray:
    """Intensities as float32, the whole range of the integer type as 0 to 1; floats as they are."""
    if np.issubdtype(images.dtype, np.integer):
        return images.astype(np.float32) / np.iinfo(images.dtype).max
    return np.nan_to_num(images.astype(np.float32))


def shrink(images: np.ndarray, side: int) -> np.ndarray:
    """(n, C, H, W) averaged over areas to at most `side` x `side`; smaller images stay as they are."""
    n, channels, h, w = images.shape
    rows, columns = min(h, side), min(w, side)
    if (rows, columns) == (h, w):
        return images
    sums = _areas(images.reshape(n * channels, h, w), rows, columns)
    counts = np.outer(np.diff(_edges(h, rows)), np.diff(_edges(w, columns)))
    return (sums / counts).reshape(n, channels, rows, columns).astype(np.float32)


def _edges(length: int, pieces: int) -> np.ndarray:
    return np.floor(np.arange(pieces + 1) * length / pieces).astype(int)


def _areas(images: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """(n, H, W) to (n, rows, columns) sums over areas that tile the image."""
    down = np.add.reduceat(images, _edges(images.shape[1], rows)[:-1], axis=1)
    return np.add.reduceat(down, _edges(images.shape[2], columns)[:-1], axis=2)
