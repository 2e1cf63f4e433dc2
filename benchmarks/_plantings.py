"""Planted rules whose true cue is known, each with a model that learned it, in the pieces that a study explains.

A planting is a rule and its own trained model. Rules: "one" (a cue decides), "either" (of two cues), "both" (class 1 holds
both cues, class 0 one of them or none: the cues act together only); decoys stand in half the rows of both classes. Three
rules in three strengths make the nine plantings of a kind; the even ones choose a technique, the odd ones score it.
Only rows whose prediction flips when the cue is taken away are explained.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.attribute._case import Case
from gnomon.analyses.attribute._question import ask
from gnomon.card import load
from gnomon.data import bundled
from gnomon.data.features._view import fit_view
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.methods._desk import Desk
from gnomon.methods._fitted import Fitted, matrix_of
from gnomon.rng import stream
from gnomon.tasks.classify import classify

RULES = ("one", "either", "both")
PLANTINGS = 9
BUNDLED = bundled.__path__[0]


@dataclass(frozen=True)
class Plain(Case):
    """A case whose techniques are run once, without the randomised copies that only the gates need."""

    def randomised(self) -> tuple[list[Any], str]:
        return [], "labels"


@dataclass(frozen=True)
class Planting:
    """truth: for each row of the case, 1 for a piece that is cue, 0 for one that is not, NaN for one left out.
    accuracy: of the model on rows it never saw. flipped: the share of candidate rows that pass the removal check."""

    case: Plain
    truth: list[np.ndarray]
    accuracy: float
    flipped: float


def column_data(kind: str, values: Any, y: np.ndarray, detail: str = "") -> Data:
    """One input and its class or number."""
    spec = Spec(kind, shape=values.shape[1:], detail=detail) if kind == "image" else Spec(kind, detail=detail)
    target = Dense(y.astype(np.int32), Spec("category", categories=("0", "1")))
    return Data({"x": Dense(values, spec), "y": target}, {"x": Role("input", "planted"), "y": Role("target", "planted")},
                np.arange(len(y)))


def network(task: Any, data: Data, rows: np.ndarray, builder: Callable[..., Any], steps: int, rate: float = 3e-3) -> Any:
    """The study's own training, of a small one of its own models."""
    from gnomon.data.parts import Rows
    from gnomon.methods.labelled.supervised import supervised

    order = stream(0, "planted rows").permutation(rows)
    cut = len(order) * 9 // 10
    desk = Desk(steps=steps, threads=1)
    return supervised(task, builder, data, Rows(np.sort(order[:cut]), np.sort(order[cut:])), 0, desk, rate=rate, batch=64,
                      augment="none")


def forest(data: Data, task: Any, rows: np.ndarray, view_name: str) -> Fitted:
    """A forest on one view, as own_fit makes it."""
    view = fit_view(data, rows, data.inputs, view_name, dense=False, seed=0, form="filled")
    estimator = load("forest")({}, task.out, trees=100).set_params(random_state=0, n_jobs=1)
    return Fitted(view, (estimator.fit(matrix_of(view, data, rows), task.truth(data, rows)),), (task.out,))


def flipping(learned: Any, task: Any, data: Data, without: Data, train: np.ndarray, held: np.ndarray, truths: list[np.ndarray],
             rows: int) -> Planting:
    """The planting of a class: positives in `held` whose prediction is 1 with the cue and 0 without."""
    y = task.truth(data, held)
    told = learned.predict(data, held).value
    candidates = held[(y == 1)]
    gone = learned.predict(without, candidates).value
    flips = (told[y == 1] == 1) & (gone == 0)
    some = candidates[flips][:rows]
    question = ask(task, learned.predict(data, some)) if len(some) else None
    case = Plain(learned, task, data, some, train, question, 0, None, float("inf"))
    place = {int(r): i for i, r in enumerate(held)}
    return Planting(case, [truths[place[int(r)]] for r in some], float((told == y).mean()), float(flips.mean()))


def held_cues(number: int, y: np.ndarray, dice: np.random.Generator) -> list[tuple[str, ...]]:
    """The cues a row holds: "A" and "B" decide, "C" (and under "one" also "B") stands in half the rows of either class."""
    rule = RULES[number % 3]
    out: list[tuple[str, ...]] = []
    for label in y:
        ab = ("A", "B")[int(dice.integers(2))]
        decoys = tuple(c for c in (("B", "C") if rule == "one" else ("C",)) if dice.random() < 0.5)
        some = {"one": ("A",) if label else (), "either": (ab,) if label else (),
                "both": ("A", "B") if label else ((ab,) if dice.random() < 2 / 3 else ())}[rule]
        out.append(some + decoys)
    return out


def deciding(number: int) -> tuple[str, ...]:
    return ("A",) if RULES[number % 3] == "one" else ("A", "B")


SIDE, TEXTURES = 8, {"A": lambda r, c: (r // 2 + c // 2) % 2, "B": lambda r, c: r // 2 % 2, "C": lambda r, c: (r + c) // 3 % 2}


def image(number: int, rows: int) -> Planting:
    """Fashion images with textured squares of 8 x 8, blended in at 0.9, 0.6 or 0.4; a patch counts as cue from half its
    pixels on, one that is touched less is left out."""
    strength = (0.9, 0.6, 0.4)[number // 3]
    with np.load(f"{BUNDLED}/fashion.npz") as kept:
        plain = kept["images"][:, None].astype(float)
    dice, count = stream(1, "planted images", number), len(plain)
    y = dice.permutation(count) % 2
    made, bare, cover = plain.copy(), plain.copy(), np.zeros((count, 28, 28))
    grid = np.indices((SIDE, SIDE))
    for i, cues in enumerate(held_cues(number, y, dice)):
        corners = [(int(r), int(c)) for r, c in dice.permutation([(r, c) for r in (0, 10, 20) for c in (0, 10, 20)])[:3]]
        for cue, (top, left) in zip(cues, corners, strict=False):
            top, left = top + int(dice.integers(0, 2)) * (top < 20), left + int(dice.integers(0, 2)) * (left < 20)
            cut = np.s_[top:top + SIDE, left:left + SIDE]
            square = (1 - strength) * plain[i, 0][cut] + strength * 255 * TEXTURES[cue](*grid)
            made[i, 0][cut] = square
            if cue in deciding(number) and y[i]:
                cover[i][cut] = 1
            else:
                bare[i, 0][cut] = square
    data = column_data("image", made.astype(np.uint8), y)
    without, task = column_data("image", bare.astype(np.uint8), y), classify("y", ("0", "1"))
    train, held = np.arange(count - 400), np.arange(count - 400, count)
    from functools import partial

    learned = network(task, data, train, partial(load("resnet"), width=16), 400)
    share = cover[held].reshape(len(held), 7, 4, 7, 4).mean(axis=(2, 4)).reshape(len(held), 49)
    truths = list(np.where(share >= 0.5, 1.0, np.where(share > 0, np.nan, 0.0)))
    return flipping(learned, task, data, without, train, held, truths, rows)


MOTIFS = {"A": "TGACGTCA", "B": "CCAAGGTA", "C": "GATTACAG"}


def sequence(number: int, rows: int) -> Planting:
    """Random DNA of 80 bases with motifs of 8, of which none, one or two letters are changed at random a site; a changed
    letter is left out."""
    wrong = number // 3
    dice, count, length = stream(1, "planted motifs", number), 2000, 80
    y = dice.permutation(count) % 2
    letters = dice.integers(0, 4, (count, length))
    made, bare, truth = letters.copy(), letters.copy(), np.zeros((count, length))
    for i, cues in enumerate(held_cues(number, y, dice)):
        starts = [int(dice.integers(0, 16)) + 26 * k for k in dice.permutation(3)]
        for cue, start in zip(cues, starts, strict=False):
            motif = np.array(["ACGT".index(c) for c in MOTIFS[cue]])
            changed = dice.permutation(8)[:wrong]
            motif[changed] = (motif[changed] + dice.integers(1, 4, wrong)) % 4
            made[i, start:start + 8] = motif
            if cue in deciding(number) and y[i]:
                truth[i, start:start + 8] = 1
                truth[i, start + changed] = np.nan
            else:
                bare[i, start:start + 8] = motif
    text = [np.array(["".join("ACGT"[k] for k in row) for row in x], dtype=object) for x in (made, bare)]
    data, without = (column_data("sequence", t, y, "DNA") for t in text)
    task, train, held = classify("y", ("0", "1")), np.arange(count - 300), np.arange(count - 300, count)
    from functools import partial

    learned = network(task, data, train, partial(load("convolution_attention"), hidden=48, depth=1), 500)
    return flipping(learned, task, data, without, train, held, list(truth[held]), rows)


SAYINGS = {"A": ("ligand", "inhibitor", "agonist"), "B": ("membrane", "cortex", "plasma"), "C": ("assay", "buffer", "pipette")}


def text(number: int, rows: int) -> Planting:
    """Citation sentences, cut to 24 words, with words put in at random places; a cue is one, two or three synonyms."""
    import json

    from _kit import DATA

    lines = (DATA / "text_citation_intent" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    said = [json.loads(line)["text"].split()[:24] for line in lines]
    said = [s for s in said if len(s) >= 8]
    dice, synonyms = stream(1, "planted words", number), 1 + number // 3
    y = dice.permutation(len(said)) % 2
    made, bare, truths = [], [], []
    for words, label, cues in zip(said, y, held_cues(number, y, dice), strict=True):
        own, left, truth = list(words), list(words), [0.0] * len(words)
        for cue in cues:
            word, at = SAYINGS[cue][int(dice.integers(synonyms))], int(dice.integers(len(own) + 1))
            counts = bool(cue in deciding(number) and label)
            own.insert(at, word)
            truth.insert(at, float(counts))
            if not counts:
                left.insert(min(at, len(left)), word)
        made.append(" ".join(own))
        bare.append(" ".join(left))
        truths.append(_by_piece(own, truth))
    data, without = (column_data("text", np.array(t, dtype=object), y) for t in (made, bare))
    task, cut = classify("y", ("0", "1")), len(said) - 300
    learned = network(task, data, np.arange(cut), load("convolution_attention"), 500)
    return flipping(learned, task, data, without, np.arange(cut), np.arange(cut, len(said)), truths[cut:], rows)


def _by_piece(words: list[str], truth: list[float]) -> np.ndarray:
    """Truth of words split at blanks, for the pieces a text is cut into (letters and signs apart)."""
    from gnomon.data.tokens import WORDS

    return np.array([t for w, t in zip(words, truth, strict=True) for _ in WORDS.findall(w)])


GROUPS = ("[OX2H]", "[Cl,Br,F,I]", "C(=O)O", "[NX3;H2,H1;!$(NC=O)]", "[#6][OX2][#6]", "C(=O)N", "[N+](=O)[O-]",
          "[OX2H]&c1ccccc1", "[Cl,Br,F,I]&c1ccccc1")


def molecule(number: int, rows: int, *, graph: bool) -> Planting:
    """Bundled esol, class = holds a functional group (the last two: a group and a benzene ring); truth: its atoms."""
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
    from functools import partial

    learned = (network(task, data, train, partial(load("message_passing"), hidden=64, depth=3), 250, 2e-3) if graph else
               forest(data, task, train, "morgan"))
    held = np.array([i for i in order[850:] if 5 <= parsed[i].GetNumAtoms() <= 30])
    cue = [sorted({a for part in parts for a in part}) for parts in atoms]
    truths = [np.isin(np.arange(parsed[i].GetNumAtoms()), cue[i]).astype(float) for i in held]
    from gnomon.analyses.attribute._ground import _atoms_masked

    gone = [[(a, a + 1) for a in (own if label else ())] for own, label in zip(cue, y, strict=True)]
    bare = np.array([_atoms_masked(s, spans, None, None) for s, spans in zip(smiles, gone, strict=True)], dtype=object)
    found = flipping(learned, task, data, replace(data, columns={**data.columns, "x": Dense(bare, Spec("molecule"))}), train,
                     held, truths, 3 * rows)
    mixed = [k for k, t in enumerate(found.truth) if 0 < t.mean() < 1][:rows]
    return replace(found, case=found.case.only(np.array(mixed, dtype=int)) if mixed else found.case,
                   truth=[found.truth[k] for k in mixed])


COLUMNS, EDGE = 12, {"one": 0.8, "either": 0.8, "both": 0.0}


def table(number: int, rows: int, *, net: bool) -> Planting:
    """Twelve columns, each with a twin that counts for nothing (r 0.93: one piece together); a cue is a column above an
    edge, and none, 5 or 10 % of the labels are wrong. True in a row: the deciding columns that are above the edge there."""
    from functools import partial

    dice, count, rule = stream(1, "planted columns", number), 2400, RULES[number % 3]
    own = dice.normal(size=(count, COLUMNS))
    twin = 0.93 * own + 0.37 * dice.normal(size=own.shape)
    cues = dice.permutation(COLUMNS)[:len(deciding(number))]
    above = own[:, cues] > EDGE[rule]
    y = (above.all(axis=1) if rule == "both" else above.any(axis=1)).astype(int)
    wrong = dice.random(count) < 0.05 * (number // 3)
    bare = [x.copy() for x in (own, twin)]
    for x in bare:
        x[:, cues] = np.median(x[:, cues], axis=0) - 0.5  # as if it were not there: below every edge
    shown = np.where(wrong, 1 - y, y)
    data, without = (_columns_data(*x, shown) for x in ((own, twin), bare))
    task, train, held = classify("y", ("0", "1")), np.arange(2000), np.flatnonzero((np.arange(count) >= 2000) & ~wrong)
    learned = (network(task, data, train, partial(load("mlp"), hidden=96), 600) if net else
               forest(data, task, train, "standard"))
    pieces = Plain(learned, task, data, held[:2], train, ask(task, learned.predict(data, held[:2])), 0, None,
                   float("inf")).ground().pieces[0]
    names = [{p.what for p in piece.parts} for piece in pieces]
    truths = [np.array([any(f"x{c}" in n and up for c, up in zip(cues, above[i], strict=True)) for n in names], dtype=float)
              for i in held]
    return flipping(learned, task, data, without, train, held, truths, 2 * rows)


def _columns_data(own: np.ndarray, twin: np.ndarray, y: np.ndarray) -> Data:
    columns = {f"x{j}": Dense(own[:, j], Spec("number")) for j in range(COLUMNS)}
    columns |= {f"t{j}": Dense(twin[:, j], Spec("number")) for j in range(COLUMNS)}
    roles = {n: Role("input", "planted") for n in columns} | {"y": Role("target", "planted")}
    target = Dense(y.astype(np.int32), Spec("category", categories=("0", "1")))
    return Data({**columns, "y": target}, roles, np.arange(len(y)))
