"""Broken items, planted before reading: the data come back from gnomon's own reader."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from _data import Truth, values_of

from gnomon.data.read.dispatch import read_data
from gnomon.data.table import Data


def broken(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """`strength` items broken: SMILES cut short at a bond or ring, picture files cut short."""
    count = 60
    rows = np.sort(rng.choice(count, int(strength), replace=False))
    truth = Truth(("LOOK-CORRUPT",), frozenset(rows.tolist()), least="note")
    if data.kind(data.inputs[0]) == "molecule":
        import pandas as pd

        texts = values_of(data, "smiles")[:count]
        texts[rows] = [f"{t}(" for t in texts[rows]]
        frame = pd.DataFrame({"smiles": texts, "target": values_of(data, "target")[:count]})
        return read_data(frame, target="target", kinds={"smiles": "molecule"}), truth
    from PIL import Image

    folder = Path(tempfile.mkdtemp(prefix="trust"))
    for i, pixels in enumerate(values_of(data, "image")[:count]):
        path = folder / f"{i:03d}.png"
        Image.fromarray(pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)).save(path)
        if i in rows:
            path.write_bytes(path.read_bytes()[:40])
    return read_data(folder), truth
