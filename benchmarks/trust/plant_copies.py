"""Copies: the same specimen twice, almost twice, measured again, or with another answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from _data import Truth, fine_columns, is_classes, repeated, specimen, values_of, with_values

from gnomon.data.table import Data

COUNT = 10  # specimens copied
PAIRS = 2000  # the nearest, from which the law of the distances of clean rows is told


def chosen(data: Data, rng: np.random.Generator, count: int = COUNT) -> tuple[np.ndarray, np.ndarray]:
    """(rows copied, places of the copies at the end)."""
    return np.sort(rng.choice(len(data), count, replace=False)), len(data) + np.arange(count)


def exact(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """strength: how many copies."""
    rows, copies = chosen(data, rng, int(strength))
    return repeated(data, rows), Truth(("LOOK-DUPLICATE",), frozenset([*rows.tolist(), *copies.tolist()]))


def rewritten(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A molecule written from another atom: the same structure in another text."""
    from rdkit import Chem

    rows, copies = chosen(data, rng)
    data = repeated(data, rows)
    name, texts = specimen(data), values_of(data, specimen(data))
    for i in copies:
        molecule = Chem.MolFromSmiles(texts[i])
        texts[i] = Chem.MolToSmiles(molecule, rootedAtAtom=int(rng.integers(molecule.GetNumAtoms())), canonical=False)
    return with_values(data, name, texts), Truth(("LOOK-DUPLICATE",), frozenset([*rows.tolist(), *copies.tolist()]))


def near(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """strength 0..1: how far the copy strays. Numbers: noise in that share of a spread. Images: brightness and pixel
    noise. Sequences and texts: that share of letters or words replaced. Molecules: a salt beside (the rest unchanged)."""
    rows = np.sort(rng.choice(long_enough(data), COUNT, replace=False))
    copies = len(data) + np.arange(COUNT)
    data, name = repeated(data, rows), specimen(data)
    truth = Truth(("LOOK-NEAR-DUPLICATE",), frozenset([*rows.tolist(), *copies.tolist()]))
    if not name:
        noise = {n: strength * float(np.nanstd(values_of(data, n))) for n in fine_columns(data)}
        for n, spread in noise.items():
            values = values_of(data, n)
            values[copies] += spread * rng.normal(size=len(copies))
            data = with_values(data, n, values)
        return data, known_pairs(data, noise, truth)
    values = values_of(data, name)
    if data.kind(name) == "image":
        pixels = values[copies].astype(float)
        pixels = pixels * (1 + strength * rng.choice([-1, 1], (len(copies), 1, 1, 1))) + 255 * strength / 4 * rng.normal(
            size=pixels.shape)
        values[copies] = np.clip(np.round(pixels), 0, 255).astype(values.dtype)
        return with_values(data, name, values), truth
    for i in copies:
        values[i] = altered(values[i], data.kind(name), rng, strength)
    return with_values(data, name, values), truth


def known_pairs(data: Data, noise: Mapping[str, float], truth: Truth) -> Truth:
    """The truth with the clean rows that lie as near another as 99 % of such copies do (chi, in spreads of the noise; equal
    where there is none), and with whether the copies can be told by one who knows the law of the noise, how many there are, and
    how many pairs of clean rows lie how close: he names each pair whose distance is likelier that of a copy than that of two
    clean rows (kernel density of the logarithms of the nearest)."""
    from scipy.spatial.distance import pdist
    from scipy.stats import chi, gaussian_kde

    apart = pdist(np.stack([values_of(data, n) / spread for n, spread in noise.items()], axis=1))
    left, right = np.triu_indices(len(data), 1)
    for n in set(data.of_kind("number", "category")) - set(noise):
        apart[values_of(data, n)[left] != values_of(data, n)[right]] = np.inf
    order = np.argsort(apart)[:PAIRS]
    left, right, apart = left[order], right[order], np.maximum(apart[order], 1e-9)
    clean = (right < len(data) - COUNT) & np.isfinite(apart)
    alike = clean & (apart < chi.ppf(0.99, len(noise)))
    law = gaussian_kde(np.log(apart[clean]))
    likelier = COUNT * apart * chi.pdf(apart, len(noise)) > clean.sum() * law(np.log(apart))
    named, beside = (frozenset(left[pick].tolist() + right[pick].tolist()) for pick in (likelier, alike))
    hit, wrong = len(named & truth.rows), len(named - truth.rows - beside)
    return replace(truth, beside=beside, possible=hit >= truth.share * max(len(truth.rows), hit + wrong))


def long_enough(data: Data) -> np.ndarray:
    """Rows in which one changed letter or word is less than a tenth."""
    name = specimen(data)
    if data.kind(name) not in ("text", "sequence") if name else True:
        return np.arange(len(data))
    words = data.kind(name) == "text"
    return np.flatnonzero([len(v.split() if words else v) > 10 for v in values_of(data, name)])


def altered(value: str, kind: str, rng: np.random.Generator, strength: float) -> str:
    if kind == "molecule":
        return value + "." + str(rng.choice(["Cl", "[Na+].[Cl-]", "O", "Br"]))
    parts = value.split() if kind == "text" else list(value)
    letters = parts if kind == "text" else sorted(set(value))
    for place in rng.choice(len(parts), max(1, round(strength * len(parts))), replace=False):
        parts[place] = str(rng.choice([c for c in letters if c != parts[place]] or letters))
    return " ".join(parts) if kind == "text" else "".join(parts)


def again(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Measured again: the target of the copies is drawn anew around the first, `strength` spreads away."""
    rows, copies = chosen(data, rng)
    data = repeated(data, rows)
    if not is_classes(data):
        values = values_of(data, "target")
        values[copies] += strength * values.std() * rng.normal(size=len(copies))
        data = with_values(data, "target", values)
    return data, Truth(("LOOK-REPLICATE",), frozenset([*rows.tolist(), *copies.tolist()]))


def conflict(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Copies of which every second has another answer: another class, or a target `strength` spreads away; the others
    repeat theirs to a fiftieth of a spread."""
    rows, copies = chosen(data, rng)
    data = repeated(data, rows)
    values, wrong = values_of(data, "target"), np.arange(len(copies)) % 2 == 0
    if is_classes(data):
        values[copies[wrong]] = (values[copies[wrong]] + rng.integers(1, values.max() + 1, wrong.sum())) % (
            values.max() + 1)
    else:
        spread = float(np.std(values))
        values[copies] += 0.02 * spread * rng.normal(size=len(copies))
        values[copies[wrong]] += strength * spread * rng.choice([-1, 1], wrong.sum())
    return with_values(data, "target", values), Truth(
        ("LOOK-CONFLICT",), frozenset([*rows[wrong].tolist(), *copies[wrong].tolist()]))


def conflict_few(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Copies that repeat their target to a fiftieth of a spread, but for two that are `strength` spreads away."""
    rows, copies = chosen(data, rng)
    data = repeated(data, rows)
    values, wrong = values_of(data, "target"), np.arange(len(copies)) < 2
    spread = float(np.std(values))
    values[copies] += 0.02 * spread * rng.normal(size=len(copies))
    values[copies[wrong]] += strength * spread * rng.choice([-1, 1], wrong.sum())
    return with_values(data, "target", values), Truth(
        ("LOOK-CONFLICT",), frozenset([*rows[wrong].tolist(), *copies[wrong].tolist()]))
