"""Pictures of single items, as plain numbers and letters: what a report can draw without knowing the item.

A *picture* is a small JSON-able dict; `k` says which:

    {"k": "i", "src": "data:image/png;base64,..."}                    image (also the one with a heat overlay)
    {"k": "m", "x": left, "box": [w, h], "d": path, "f": path, "t": labels, "g": glow}   molecule
        x, box: the view box (its top is 0); d: bonds as an SVG path of M and L; f: filled wedges (M, L, Z);
        t: [x, y, text, anchor s|m|e, element]; g: [x, y, weight in -1..1] under each weighted atom
    {"k": "s", "text": "ACGT", "start": 0, "length": 200, "w": [...]}  sequence, shortened to a window
    {"k": "t", "words": [...], "more": 12, "w": [...]}                 free text, shortened
    {"k": "r", "cells": [["column", "value"], ...]}                    one row of a table

There is no markup in a picture: the page builds it from these values, so a stranger's study folder cannot slip any in.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

UP, DOWN = np.array([213, 94, 0]), np.array([0, 114, 178])  # Okabe & Ito: safe for colour-blind readers
BOND = 15.0  # px of a single bond
SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
SUPERSCRIPT = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")


def image_picture(pixels: np.ndarray, *, size: int = 48, weights: np.ndarray | None = None) -> dict[str, Any]:
    """An image (C, H, W) of any dtype, at most `size` px wide; `weights` (H, W) in -1..1 are laid over it."""
    from PIL import Image

    colour = to_rgb(pixels)
    if weights is not None:
        colour = overlay(colour, np.asarray(weights, dtype=float))
    grey = bool((colour[..., 0] == colour[..., 1]).all() and (colour[..., 1] == colour[..., 2]).all())
    picture = Image.fromarray(colour[..., 0] if grey else colour)
    if max(picture.size) > size:
        picture.thumbnail((size, size), Image.Resampling.BOX)
    return {"k": "i", "src": encode(picture, exact=weights is not None)}


def encode(picture: Any, *, exact: bool = False) -> str:
    """A data URI, PNG or (unless `exact`) JPEG, whichever is smaller: a photograph of 48 px is 5 kB or 1 kB."""
    best = ""
    for kind, options in (("png", {"optimize": True}), ("jpeg", {"quality": 72}))[:1 if exact else 2]:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        uri = f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
        best = uri if not best or len(uri) < len(best) else best
    return best


def to_rgb(pixels: np.ndarray) -> np.ndarray:
    """(C, H, W) of any dtype to (H, W, 3) uint8. Other dtypes than uint8 are stretched between their 1st and 99th
    percentile; two channels become green and magenta; of more than three the first three are shown."""
    pixels = np.asarray(pixels)
    pixels = pixels[None] if pixels.ndim == 2 else pixels
    if pixels.dtype != np.uint8:
        pixels = np.stack([stretch(channel) for channel in pixels])
    if len(pixels) == 1:
        pixels = np.repeat(pixels, 3, axis=0)
    elif len(pixels) == 2:
        pixels = np.stack([pixels[1], pixels[0], pixels[1]])
    return np.ascontiguousarray(pixels[:3].transpose(1, 2, 0))


def stretch(channel: np.ndarray) -> np.ndarray:
    """One channel to uint8 between its 1st and 99th percentile."""
    channel = np.nan_to_num(channel.astype(np.float32))
    low, high = np.percentile(channel, [1, 99])
    return (255 * np.clip((channel - low) / max(high - low, 1e-9), 0, 1)).astype(np.uint8)


def overlay(colour: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The image in pale grey with positive weights in vermilion and negative ones in blue."""
    from PIL import Image

    if weights.shape != colour.shape[:2]:
        stretched = Image.fromarray(weights.astype(np.float32)).resize(colour.shape[1::-1], Image.Resampling.BILINEAR)
        weights = np.asarray(stretched)
    grey = 70 + 0.6 * colour.mean(axis=2, keepdims=True).repeat(3, axis=2)
    alpha = np.clip(np.abs(weights), 0, 1)[..., None] ** 0.7 * 0.9
    tint = np.where(weights[..., None] > 0, UP, DOWN)
    return (grey * (1 - alpha) + tint * alpha).astype(np.uint8)


def sequence_picture(text: str, *, weights: Sequence[float] | None = None, longest: int = 60) -> dict[str, Any]:
    """A sequence cut to `longest` letters: its start or, given a weight a letter, the window with most weight."""
    start = 0
    if weights is not None and len(text) > longest:
        start = heaviest(weights[:len(text)], longest)
    picture: dict[str, Any] = {"k": "s", "text": text[start:start + longest], "start": start, "length": len(text)}
    if weights is not None:
        picture["w"] = [round(float(w), 2) for w in weights[start:start + longest]]
    return picture


def heaviest(weights: Sequence[float], longest: int) -> int:
    """Where the window of `longest` places with most weight (its size, whatever the sign) begins."""
    heavy = np.cumsum(np.concatenate([[0.0], np.abs(np.asarray(weights, dtype=float))]))
    reach = min(longest, len(heavy) - 1)
    return int(np.argmax(heavy[reach:] - heavy[:len(heavy) - reach]))


def text_picture(words: Sequence[str], *, weights: Sequence[float] | None = None, longest: int = 40) -> dict[str, Any]:
    """Free text cut to its first words or, given a weight in -1..1 a word, to the window with most weight.
    before, more: how many words are left out on either side."""
    words = [str(word)[:40] for word in words]
    start = heaviest(weights[:len(words)], longest) if weights is not None and len(words) > longest else 0
    picture: dict[str, Any] = {"k": "t", "words": words[start:start + longest], "before": start,
                               "more": max(0, len(words) - start - longest)}
    if weights is not None:
        picture["w"] = [round(float(w), 2) for w in weights[start:start + longest]]
    return picture


def row_picture(names: Sequence[str], values: Sequence[str | None], *, longest: int = 12) -> dict[str, Any]:
    """The first cells of one row of a table, values as text."""
    cells = [[str(n), "missing" if v is None else str(v)[:60]] for n, v in zip(names, values, strict=True)]
    return {"k": "r", "cells": cells[:longest]}


def molecule_picture(smiles: str, *, weights: Sequence[float] | None = None) -> dict[str, Any] | None:
    """A structure drawing of about 0.8 kB (RDKit's own SVG takes ten times that); None for what RDKit cannot read.
    `weights`: one number in -1..1 an atom of the SMILES, drawn as a coloured disc under it."""
    from rdkit import Chem, RDLogger
    from rdkit.Chem import rdDepictor
    from rdkit.Chem.Draw import rdMolDraw2D

    RDLogger.DisableLog("rdApp.*")  # the reader has already listed what cannot be read
    mol = Chem.MolFromSmiles(smiles)
    if mol is None or mol.GetNumAtoms() == 0:
        return None
    try:
        mol = rdMolDraw2D.PrepareMolForDrawing(mol, kekulize=True, addChiralHs=False)
    except ValueError:
        mol = rdMolDraw2D.PrepareMolForDrawing(mol, kekulize=False, addChiralHs=False)
    rdDepictor.NormalizeDepiction(mol)
    points = mol.GetConformer().GetPositions()[:, :2] * (BOND / 1.5) * np.array([1, -1])
    points = points - points.min(axis=0) + 14
    labels = [label(atom, points) for atom in mol.GetAtoms()]
    lines, wedges = bonds(mol, points, [entry is not None for entry in labels])
    written = [entry for entry in labels if entry is not None]
    ends = [x + reach * 7 * len(text) for x, _, text, anchor, _ in written
            for reach in ((1,) if anchor == "s" else (-1,) if anchor == "e" else ())]
    left = min([0.0, *(end - 3 for end in ends)])
    right = max([float(points[:, 0].max()) + 14, *(end + 3 for end in ends)])
    bottom = float(points[:, 1].max()) + 14
    picture: dict[str, Any] = {"k": "m", "x": round(left), "box": [round(right - left), round(bottom)], "d": lines,
                               "f": wedges, "t": written}
    if weights is not None:
        picture["g"] = [[round(float(x)), round(float(y)), round(float(w), 2)]
                        for (x, y), w in zip(points, weights, strict=False) if abs(w) >= 0.05]
    return picture


def label(atom: Any, points: np.ndarray) -> list[Any] | None:
    """[x, y, text, anchor, element] of an atom that is written out, else None (a carbon inside a chain or ring)."""
    symbol, degree = atom.GetSymbol(), atom.GetDegree()
    if symbol == "C" and degree > 0 and not atom.GetFormalCharge() and not atom.GetIsotope():
        return None
    hydrogens, charge = atom.GetTotalNumHs(), atom.GetFormalCharge()
    tail = "" if not hydrogens else "H" if hydrogens == 1 else "H" + str(hydrogens).translate(SUBSCRIPT)
    sign = "" if not charge else ("" if abs(charge) == 1 else str(abs(charge))) + ("+" if charge > 0 else "-")
    isotope = str(atom.GetIsotope()).translate(SUPERSCRIPT) if atom.GetIsotope() else ""
    x, y = points[atom.GetIdx()]
    around = [points[n.GetIdx()][0] for n in atom.GetNeighbors()]
    leftward = bool(tail) and bool(around) and float(np.mean(around)) > x + 1
    symbol = isotope + symbol
    text = tail + symbol + sign.translate(SUPERSCRIPT) if leftward else symbol + tail + sign.translate(SUPERSCRIPT)
    anchor = "m" if len(text) == 1 else "e" if leftward else "s"
    shift = {"m": 0, "s": -4, "e": 4}[anchor]
    return [round(float(x) + shift, 1), round(float(y), 1), text, anchor, atom.GetSymbol()]


def bonds(mol: Any, points: np.ndarray, labelled: Sequence[bool]) -> tuple[str, str]:
    """All bonds as two SVG paths: strokes, and filled wedges."""
    from rdkit import Chem

    lines: list[str] = []
    wedges: list[str] = []
    for bond in mol.GetBonds():
        i, j = bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()
        along = points[j] - points[i]
        along = along / max(float(np.hypot(*along)), 1e-9)
        a = points[i] + along * (5.5 if labelled[i] else 0)
        b = points[j] - along * (5.5 if labelled[j] else 0)
        aside = np.array([-along[1], along[0]])
        if bond.GetBondDir() == Chem.BondDir.BEGINWEDGE:
            wedges.append(path([a, b + 2.4 * aside, b - 2.4 * aside]) + "Z")
        elif bond.GetBondDir() == Chem.BondDir.BEGINDASH:
            steps = np.linspace(0.1, 1, 6)
            lines += [path([a + (b - a) * t - 2.4 * t * aside, a + (b - a) * t + 2.4 * t * aside]) for t in steps]
        else:
            lines += strokes(bond, a, b, aside, points)
    return "".join(lines), "".join(wedges)


def strokes(bond: Any, a: np.ndarray, b: np.ndarray, aside: np.ndarray, points: np.ndarray) -> list[str]:
    """The strokes of a plain bond: a second line lies inside the ring, or both beside the axis when in none."""
    order = bond.GetBondTypeAsDouble()
    if order == 3:
        return [path([a + s * aside, b + s * aside]) for s in (-2.6, 0, 2.6)]
    if order not in (1.5, 2):
        return [path([a, b])]
    if not bond.IsInRing():
        return [path([a + s * aside, b + s * aside]) for s in (-1.5, 1.5)]
    info = bond.GetOwningMol().GetRingInfo()
    ring = min((r for r in info.BondRings() if bond.GetIdx() in r), key=len)
    members = {atom for other in ring for atom in (bond.GetOwningMol().GetBondWithIdx(other).GetBeginAtomIdx(),
                                                   bond.GetOwningMol().GetBondWithIdx(other).GetEndAtomIdx())}
    inward = points[list(members)].mean(axis=0) - (a + b) / 2
    side = aside * math.copysign(2.9, float(inward @ aside))
    trim = (b - a) * 0.13
    return [path([a, b]), path([a + side + trim, b + side - trim])]


def path(points: Sequence[np.ndarray]) -> str:
    """Points as "M1 2L3 4", one decimal."""
    return "".join(f"{'L' if k else 'M'}{x:.1f} {y:.1f}" for k, (x, y) in enumerate(points)).replace(".0", "")
