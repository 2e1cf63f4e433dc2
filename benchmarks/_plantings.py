"""Planted rules whose true cue is known, each with a model that learned it, in the pieces that a study explains.

A planting is a rule and its own trained model (_planting.py). Three rules in three strengths make the nine plantings of a
kind, of networks on molecules eighteen groups of atoms; the even ones choose a technique, the odd ones score it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from _planting import (
    PLANTINGS,
    RULES,
    Plain,
    Planting,
    column_data,
    deciding,
    flipping,
    forest,
    held_cues,
    network,
    removals,
)

from gnomon.analyses.attribute._question import ask
from gnomon.card import load
from gnomon.data import bundled
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.rng import stream
from gnomon.tasks.classify import classify

__all__ = ["GROUPS", "PLANTINGS", "Plain", "Planting", "column_data", "image", "molecule", "network", "sequence", "table"]
BUNDLED = bundled.__path__[0]
SIDE, TEXTURES = 8, {"A": lambda r, c: (r // 2 + c // 2) % 2, "B": lambda r, c: r // 2 % 2, "C": lambda r, c: (r + c) // 3 % 2}


def image(number: int, rows: int) -> Planting:
    """Fashion images with textured squares of 8 x 8, blended in at 0.9, 0.6 or 0.4; a patch counts as cue from half its
    pixels on, one that is touched less is left out."""
    strength = (0.9, 0.6, 0.4)[number // 3]
    with np.load(f"{BUNDLED}/fashion.npz") as kept:
        plain = kept["images"][:, None].astype(float)
    dice, count = stream(1, "planted images", number), len(plain)
    y = dice.permutation(count) % 2
    made, cover = plain.copy(), np.zeros((count, 28, 28))
    bare = {gone: plain.copy() for gone in removals(number)}
    grid = np.indices((SIDE, SIDE))
    for i, cues in enumerate(held_cues(number, y, dice)):
        corners = [(int(r), int(c)) for r, c in dice.permutation([(r, c) for r in (0, 10, 20) for c in (0, 10, 20)])[:3]]
        for cue, (top, left) in zip(cues, corners, strict=False):
            top, left = top + int(dice.integers(0, 2)) * (top < 20), left + int(dice.integers(0, 2)) * (left < 20)
            cut = np.s_[top:top + SIDE, left:left + SIDE]
            square = (1 - strength) * plain[i, 0][cut] + strength * 255 * TEXTURES[cue](*grid)
            for x in (made, *(b for gone, b in bare.items() if not (y[i] and cue in gone))):
                x[i, 0][cut] = square
            cover[i][cut] = bool(y[i] and cue in deciding(number))
    data, task = column_data("image", made.astype(np.uint8), y), classify("y", ("0", "1"))
    without = [column_data("image", b.astype(np.uint8), y) for b in bare.values()]
    train, held = np.arange(count - 400), np.arange(count - 400, count)
    learned = network(task, data, train, partial(load("resnet"), width=16), 400)
    share = cover[held].reshape(len(held), 7, 4, 7, 4).mean(axis=(2, 4)).reshape(len(held), 49)
    truths = list(np.where(share >= 0.5, 1.0, np.where(share > 0, np.nan, 0.0)))
    return flipping(learned, task, data, without, train, held, truths, rows)


MOTIFS = {"A": "TGACGTTCACTA", "B": "CCAAGGTATGGC", "C": "GATTACAGCAAT"}


def sequence(number: int, rows: int, *, count: int = 4000, steps: int = 800) -> Planting:
    """Random DNA of 80 bases with motifs of 12, of which none, one or two letters are changed at random a site; a changed
    letter is left out."""
    wrong, length = number // 3, 80
    dice = stream(1, "planted motifs", number)
    y = dice.permutation(count) % 2
    letters = dice.integers(0, 4, (count, length))
    made, truth = letters.copy(), np.zeros((count, length))
    bare = {gone: letters.copy() for gone in removals(number)}
    for i, cues in enumerate(held_cues(number, y, dice)):
        starts = [int(dice.integers(0, 16)) + 26 * k for k in dice.permutation(3)]
        for cue, start in zip(cues, starts, strict=False):
            motif = np.array(["ACGT".index(c) for c in MOTIFS[cue]])
            changed = dice.permutation(len(motif))[:wrong]
            motif[changed] = (motif[changed] + dice.integers(1, 4, wrong)) % 4
            site = slice(start, start + len(motif))
            for x in (made, *(b for gone, b in bare.items() if not (y[i] and cue in gone))):
                x[i, site] = motif
            if y[i] and cue in deciding(number):
                truth[i, site] = 1
                truth[i, start + changed] = np.nan
    data, *without = (column_data("sequence", _text(x), y, "DNA") for x in (made, *bare.values()))
    task, train, held = classify("y", ("0", "1")), np.arange(count - 300), np.arange(count - 300, count)
    learned = network(task, data, train, partial(load("convolution_attention"), hidden=48, depth=1), steps)
    return flipping(learned, task, data, without, train, held, list(truth[held]), rows)


def _text(letters: np.ndarray) -> np.ndarray:
    return np.array(["".join("ACGT"[k] for k in row) for row in letters], dtype=object)


GROUPS = ("[OX2H]", "[Cl,Br,F,I]", "C(=O)O", "[NX3;H2,H1;!$(NC=O)]", "[#6][OX2][#6]", "C(=O)N", "[N+](=O)[O-]",
          "[OX2H]&c1ccccc1", "[Cl,Br,F,I]&c1ccccc1", "C=C", "[#16]", "[#6]C(=O)[#6]", "[nX2]", "c1ccc2ccccc2c1", "[CX4H0]",
          "C1CCCCC1", "[#6][OX2][#6]&c1ccccc1", "C(=O)N&c1ccccc1")


def molecule(number: int, rows: int, *, graph: bool) -> Planting:
    """Bundled esol, class = holds a group of atoms (four of the plantings: a group and a benzene ring); truth: its atoms."""
    import pandas as pd
    from rdkit import Chem

    smiles = pd.read_csv(f"{BUNDLED}/esol.csv")["smiles"].astype(str).str.strip().to_numpy(dtype=object)
    wanted = [Chem.MolFromSmarts(s) for s in GROUPS[number].split("&")]
    parsed = [Chem.MolFromSmiles(s) for s in smiles]
    atoms = [[sorted({a for m in p.GetSubstructMatches(w) for a in m}) for w in wanted] for p in parsed]
    y = np.array([all(parts) for parts in atoms]).astype(int)
    order, task = stream(1, "molecules", number).permutation(len(smiles)), classify("y", ("0", "1"))
    train = order[:850]
    data = column_data("molecule", smiles, y)
    learned = (network(task, data, train, partial(load("message_passing"), hidden=64, depth=3), 250, 2e-3) if graph else
               forest(data, task, train, "morgan"))
    held = np.array([i for i in order[850:] if 5 <= parsed[i].GetNumAtoms() <= 30])
    cue = [sorted({a for part in parts for a in part}) for parts in atoms]
    truths = [np.isin(np.arange(parsed[i].GetNumAtoms()), cue[i]).astype(float) for i in held]
    from gnomon.analyses.attribute._ground import _atoms_masked

    without = []
    for k in range(len(wanted)):
        gone = [[(a, a + 1) for a in (parts[k] if label else ())] for parts, label in zip(atoms, y, strict=True)]
        bare = np.array([_atoms_masked(s, spans, None, None) for s, spans in zip(smiles, gone, strict=True)], dtype=object)
        without.append(replace(data, columns={**data.columns, "x": Dense(bare, Spec("molecule"))}))
    found = flipping(learned, task, data, without, train, held, truths, 3 * rows)
    mixed = [k for k, t in enumerate(found.truth) if 0 < t.mean() < 1][:rows]
    return replace(found, case=found.case.only(np.array(mixed, dtype=int)) if mixed else found.case,
                   truth=[found.truth[k] for k in mixed])


COLUMNS, KINDRED = 12, (("t", 0.93), ("k", 0.7))  # what goes with a column: its twin, one piece with it, and a kinsman, not
EDGE = {"one": 0.8, "either": 1.1, "both": 0.5}


def table(number: int, rows: int, *, net: bool) -> Planting:
    """Twelve columns, each with two that go with it and count for nothing: a twin (r 0.93, one piece with it) and a kinsman
    (r 0.7, a piece of its own). A cue is a column further than an edge from 0, on either side, and none, 5 or 10 % of the
    labels are wrong. True in a row: the deciding columns that are beyond the edge there."""
    dice, count, rule = stream(1, "planted columns", number), 4000, RULES[number % 3]
    own = dice.normal(size=(count, COLUMNS))
    kin = [r * own + np.sqrt(1 - r**2) * dice.normal(size=own.shape) for _, r in KINDRED]
    cues = dice.permutation(COLUMNS)[:len(deciding(number))]
    beyond = np.abs(own[:, cues]) > EDGE[rule]
    y = (beyond.all(axis=1) if rule == "both" else beyond.any(axis=1)).astype(int)
    shown = np.where(wrong := dice.random(count) < 0.05 * (number // 3), 1 - y, y)
    data = _columns_data((own, *kin), shown)
    without = []
    for gone in removals(number):
        bare = [x.copy() for x in (own, kin[0])]
        for x in bare:
            x[:, cues[["AB".index(c) for c in gone]]] = 0.0  # as if it were not there
        without.append(_columns_data((*bare, *kin[1:]), shown))
    task, train, held = classify("y", ("0", "1")), np.arange(3500), np.flatnonzero((np.arange(count) >= 3500) & ~wrong)
    learned = (network(task, data, train, partial(load("mlp"), hidden=96), 800) if net else
               forest(data, task, train, "standard"))
    pieces = Plain(learned, task, data, held[:2], train, ask(task, learned.predict(data, held[:2])), 0, None,
                   float("inf")).ground().pieces[0]
    names = [{p.what for p in piece.parts} for piece in pieces]
    truths = [np.array([any(f"x{c}" in n and up for c, up in zip(cues, beyond[i], strict=True)) for n in names], dtype=float)
              for i in held]
    return flipping(learned, task, data, without, train, held, truths, 2 * rows)


def _columns_data(families: tuple[np.ndarray, ...], y: np.ndarray) -> Data:
    columns = {f"{letter}{j}": Dense(values[:, j], Spec("number"))
               for letter, values in zip(("x", *(k for k, _ in KINDRED)), families, strict=True) for j in range(COLUMNS)}
    roles = {n: Role("input", "planted") for n in columns} | {"y": Role("target", "planted")}
    target = Dense(y.astype(np.int32), Spec("category", categories=("0", "1")))
    return Data({**columns, "y": target}, roles, np.arange(len(y)))
