"""Simple quantities of a specimen that a model could read instead of the specimen, and whether they go with the target."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._aim import Aim
from gnomon.analyses.explore._views import thumbnails
from gnomon.analyses.explore.confounding import strength
from gnomon.data.table import Data

PARTS = 8  # a number is read in so many parts of equal count


def goes_with(values: np.ndarray, aim: Aim) -> tuple[float, float]:
    """(strength 0 to 1, p) of a column and the target. A number is cut at each eighth; the strongest cut counts, its p
    times the number of cuts (Bonferroni). One class told from all others is enough for a high strength."""
    if values.dtype.kind != "f":
        return strength(values, aim)
    known = values[~np.isnan(values)]
    levels = np.unique(known)
    cuts = levels[1:] if len(levels) <= PARTS else np.unique(np.quantile(known, np.arange(1, PARTS) / PARTS))
    sides = [np.where(np.isnan(values), -1, values >= cut) for cut in cuts]
    tried = [strength(side, aim) for side in sides if len(np.unique(side[side >= 0])) == 2]
    size, p = max(tried, default=(0.0, 1.0))
    return size, min(1.0, p * len(tried))


def cues(data: Data, name: str, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Cue -> (m,) float64. Images: brightness, darkest level, contrast, each corner, the border. Sequences and texts:
    length; nucleotides also the GC share. Molecules: length of the SMILES, number of parts (salts, solvents)."""
    if data.kind(name) == "image":
        return _of_images(thumbnails(data, name, rows).mean(axis=1))
    values = ["" if v is None else str(v) for v in data.columns[name].take(rows)]
    length = np.array([len(v.split()) if data.kind(name) == "text" else len(v) for v in values], dtype=float)
    out = {"length": length}
    if data.columns[name].spec.detail in ("DNA", "RNA"):
        both = np.array([v.count("G") + v.count("C") + v.count("g") + v.count("c") for v in values], dtype=float)
        out["GC share"] = both / np.maximum(length, 1)
    if data.kind(name) == "molecule":
        main = [max(v.split("."), key=len) for v in values]
        out = {"size": np.array([sum(c.isalpha() for c in v) for v in main], dtype=float),
               "number of parts": np.array([float(v.count(".")) for v in values])}
    return out


def _of_images(small: np.ndarray) -> dict[str, np.ndarray]:
    """small (m, h, w): grey thumbnails."""
    edge = max(2, small.shape[1] // 6)
    ring = np.ones(small.shape[1:], dtype=bool)
    ring[2:-2, 2:-2] = False
    flat = small.reshape(len(small), -1)
    out = {"brightness": flat.mean(axis=1), "darkest level": np.quantile(flat, 0.02, axis=1), "contrast": flat.std(axis=1),
           "border": small[:, ring].mean(axis=1)}
    places = {"top left": (slice(edge), slice(edge)), "top right": (slice(edge), slice(-edge, None)),
              "bottom left": (slice(-edge, None), slice(edge)), "bottom right": (slice(-edge, None), slice(-edge, None))}
    out |= {f"corner {where}": small[:, a, b].max(axis=(1, 2)) for where, (a, b) in places.items()}
    return {cue: values.astype(np.float64) for cue, values in out.items()}
