"""Real images with real masks, explained like the planted ones: nothing is planted there, so nothing is promised."""

from __future__ import annotations

from functools import partial

import numpy as np
from _kit import DATA
from _planting import Plain, Planting, column_data, network

from gnomon.analyses.attribute._question import ask
from gnomon.card import load
from gnomon.rng import stream
from gnomon.tasks.classify import classify


def masks(which: str, number: int, rows: int) -> Planting:
    """Tiles of 64 x 64 of real micrographs, class = more of the structure than the median tile; truth: its own mask (a
    patch counts from half its pixels on). Nothing is planted, so nothing is promised: a model may rightly look elsewhere."""
    tiles, covers, owner = _tiles(which)
    share = covers.mean(axis=(1, 2))
    y = (share > np.median(share)).astype(int)
    data, task = column_data("image", tiles, y), classify("y", ("0", "1"))
    late = owner % 4 == number
    train, held = np.flatnonzero(~late), np.flatnonzero(late)
    learned = network(task, data, train, partial(load("resnet"), width=16), 200)
    patch = covers.reshape(len(tiles), 8, 8, 8, 8).mean(axis=(2, 4)).reshape(len(tiles), 64)
    told = learned.predict(data, held)
    right = np.flatnonzero((y[held] == 1) & (told.value == 1))
    varied = [k for k in right if 0.1 < (patch[held[k]] >= 0.5).mean() < 0.9][:rows]
    some = held[varied]
    case = Plain(learned, task, data, some, train, ask(task, learned.predict(data, some)), 0, None, float("inf"))
    return Planting(case, [np.where(p >= 0.5, 1.0, np.where(p > 0.1, np.nan, 0.0)) for p in patch[some]],
                    float((told.value == y[held]).mean()), float("nan"))


def _tiles(which: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n, C, 64, 64) uint8, (n, 64, 64) masks, (n,) the image each is from."""
    from PIL import Image

    if which == "nuclei":
        folder = DATA / "images_nuclei"
        pairs = [(p, folder / "labels" / p.name) for p in sorted((folder / "images").iterdir())]
    else:
        folder = DATA / "images_vessels" / "training"
        pairs = list(zip(sorted((folder / "images").iterdir()), sorted((folder / "manual1").iterdir()), strict=True))
    tiles, covers, owner = [], [], []
    for k, (picture, mask) in enumerate(pairs):
        pixels = np.asarray(Image.open(picture).convert("L" if which == "nuclei" else "RGB"))
        pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)[1:2]  # of a fundus the green channel
        cover = np.asarray(Image.open(mask)) > 0
        dice = stream(1, "tiles", which, k)
        for _ in range(6 if which == "nuclei" else 24):
            top, left = (int(dice.integers(0, n - 63)) for n in cover.shape[:2])
            tiles.append(pixels[:, top:top + 64, left:left + 64])
            covers.append(cover[top:top + 64, left:left + 64])
            owner.append(k)
    return np.stack(tiles).astype(np.uint8), np.stack(covers).astype(float), np.array(owner)
