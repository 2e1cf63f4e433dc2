"""Shortcuts: cues that a model can read though they are not the specimen's own; the share 1 - strength lacks them."""

from __future__ import annotations

import numpy as np
from _data import Truth, column, is_classes, specimen, values_of, with_column, with_values

from gnomon.data.table import Data

CODES = ("VALID-SHORTCUT", "LOOK-LEAK", "LOOK-CONFOUND")


def marked(data: Data, rng: np.random.Generator, strength: float, cue: np.ndarray | None = None) -> np.ndarray:
    """Rows of the commonest class (upper half), a share 1 - strength of all rows at random instead. With a cue given, the
    one of the two sides that has more of it by nature: planted against nature it would only cancel."""
    y = values_of(data, "target").astype(float)
    high = y == np.bincount(y.astype(int)).argmax() if is_classes(data) else y > np.median(y)
    if cue is not None and cue[high].mean() < cue[~high].mean():
        high = ~high
    return np.where(rng.random(len(y)) < strength, high, rng.random(len(y)) < high.mean())


def patch(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A bright square of 3 x 3 pixels in a corner."""
    pixels, on = values_of(data, "image"), marked(data, rng, strength)
    pixels[on, :, 1:4, 1:4] = 255
    return with_values(data, "image", pixels), Truth(CODES, columns=("image",), cues=("corner",))


def scanner(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Another scanner: intensities on a floor of 24 with a fifth less contrast."""
    pixels, on = values_of(data, "image").astype(float), marked(data, rng, strength)
    pixels[on] = 24 + 0.8 * pixels[on]
    seen = ("darkest", "border", "brightness", "contrast")
    return with_values(data, "image", np.clip(np.round(pixels), 0, 255).astype(np.uint8)), Truth(
        CODES, columns=("image",), cues=seen)


def background(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Another background: a frame three pixels wide is a sixth of the range brighter, the object within untouched."""
    pixels, on = values_of(data, "image").astype(float), marked(data, rng, strength)
    ring = np.ones(pixels.shape[2:], dtype=bool)
    ring[3:-3, 3:-3] = False
    pixels[np.ix_(on, np.ones(pixels.shape[1], dtype=bool))] += 42 * ring
    return with_values(data, "image", np.clip(np.round(pixels), 0, 255).astype(np.uint8)), Truth(
        CODES, columns=("image",), cues=("border", "corner"))


def length(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Texts and sequences of one class twice as long (their own letters or words go on)."""
    name = specimen(data)
    values = values_of(data, name)
    on = marked(data, rng, strength, np.array([len(v) for v in values]))
    for i in np.flatnonzero(on):
        parts = values[i].split() if data.kind(name) == "text" else list(values[i])
        more = list(rng.choice(parts, len(parts)))
        values[i] = (" " if data.kind(name) == "text" else "").join([*parts, *more])
    return with_values(data, name, values), Truth(CODES, columns=(name,), cues=("length",))


def gc(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """In one class a fifth of all A and T written as G and C."""
    values = values_of(data, "sequence")
    on = marked(data, rng, strength, np.array([(v.count("G") + v.count("C")) / len(v) for v in values]))
    for i in np.flatnonzero(on):
        letters = np.array(list(values[i]))
        change = rng.random(len(letters)) < 0.2
        letters = np.where(change & (letters == "A"), "G", np.where(change & (letters == "T"), "C", letters))
        values[i] = "".join(letters)
    return with_values(data, "sequence", values), Truth(CODES, columns=("sequence",), cues=("GC",))


def salt(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """One class (upper half) registered as hydrochlorides."""
    values, on = values_of(data, "smiles"), marked(data, rng, strength)
    values[on] = [f"{v}.Cl" for v in values[on]]
    return with_values(data, "smiles", values), Truth(CODES, columns=("smiles",), cues=("parts",))


def atoms(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """The target replaced by one that follows the number of heavy atoms (upper half large) in that share of rows."""
    from rdkit import Chem

    size = np.array([Chem.MolFromSmiles(s).GetNumHeavyAtoms() for s in values_of(data, "smiles")], dtype=float)
    size += 0.01 * rng.random(len(size))
    large = np.where(rng.random(len(size)) < strength, size > np.median(size), rng.random(len(size)) < 0.5)
    return with_column(data, "target", column(np.where(large, "yes", "no")), "target"), Truth(
        CODES, columns=("smiles",), cues=("size",))
