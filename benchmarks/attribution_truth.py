"""Which attribution finds what is known to decide: a motif, a patch, a functional group, the terms of a formula.

    python benchmarks/attribution_truth.py [--rows 24] [KIND ...]   # minutes; resumable; results/attribution_truth.json

The truth is planted or defined, and only rows count whose prediction flips when the cue is taken away (formulas: those
whose model predicts nothing, R2 below 0.1, once the true columns are shuffled). Each technique's
map is scored against the truth row by row (AUROC and AUPRC; mean with a 95 % interval over plantings: rows, or formulas).
The technique with the highest AUROC on one half of the plantings is scored on the other half; the goal is 0.95 per kind.
  images     fashion images, a 4 x 4 checkerboard somewhere decides; a small convolutional network; truth: its pixels
  motif      shared data dna_motif (50 bases, CGACCGAACTCC in every positive); a small convolutional network; truth: its bases
  molecules  bundled esol, label = holds a hydroxyl group; a forest on Morgan fingerprints; truth: the group's atoms
  tables     ten formulas of four of ten columns, each column with a correlated twin that counts for nothing; boosting;
             a column and its twin are one piece; truth: the pieces in the formula
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from _kit import DATA, load, measured
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import nn

from gnomon.analyses.attribute._intervals import mean_over_units
from gnomon.card import load as technique
from gnomon.data import bundled
from gnomon.rng import stream

GOAL = 0.95
MOTIF = "CGACCGAACTCC"
BACKWARD = {"saliency": {"times_input": True}, "smoothgrad": {"times_input": True, "draws": 16},
            "integrated_gradients": {"steps": 32}, "grad_cam": {}, "deconvolution": {"times_input": True},
            "guided_backprop": {"times_input": True}, "deeplift": {}, "layer_relevance": {}}
PERTURBING = {"feature_ablation": {}, "sampled_shapley": {"draws": 16}, "kernel_shap": {"samples": 512},
              "lime": {"samples": 512}, "sufficient_subsets": {"subsets": 1}}
MASKS = {"optimised_mask": {"steps": 100}, "extremal_perturbation": {"areas": (0.05, 0.1), "steps": 60}}


@dataclass(frozen=True)
class Planted:
    """maps: technique -> function that gives one score array a row. truth: one bool array a row. accuracy: of the model on
    rows it was not trained on. flipped: the share of candidate rows that the cue's removal flips (only these are kept)."""

    maps: dict[str, Callable[[], list[np.ndarray]]]
    truth: list[np.ndarray]
    accuracy: float
    flipped: float


def trained(net: nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int) -> nn.Module:
    torch.manual_seed(0)
    adam = torch.optim.AdamW(net.parameters(), 3e-3)
    for epoch in range(epochs):
        for rows in torch.from_numpy(stream(0, "epoch", epoch).permutation(len(x))).split(64):
            loss = nn.functional.cross_entropy(net(x[rows]), y[rows])
            adam.zero_grad()
            loss.backward()
            adam.step()
    return net.eval()


def of_network(net: nn.Module, x: torch.Tensor, without: torch.Tensor, truth: torch.Tensor, accuracy: float, rows: int,
               more: dict[str, dict[str, Any]], pieces: Any) -> Planted:
    """Every technique on the rows that the cue's removal flips. x, without: (n, C, ...) positives with and without it."""
    with torch.no_grad():
        flips = (net(x).argmax(1) == 1) & (net(without).argmax(1) == 0)
    some = torch.nonzero(flips)[:rows, 0]

    def run(name: str, options: dict[str, Any]) -> Callable[[], list[np.ndarray]]:
        way = technique(name)
        return lambda: [a.sum(0).flatten().double().numpy() for a in way(net, x[some], logit, **options).detach()]

    given = {name: {**options, "pieces": pieces} for name, options in PERTURBING.items()}
    maps = {name: run(name, options) for name, options in {**BACKWARD, **given, **more}.items()}
    return Planted(maps, [t.flatten().numpy() for t in truth[some]], accuracy, float(flips.float().mean()))


def logit(raw: torch.Tensor, rows: Any) -> torch.Tensor:
    return raw[:, 1] - raw[:, 0]


@functools.cache
def images(rows: int) -> Planted:
    with np.load(bundled.__path__[0] + "/fashion.npz") as kept:
        plain = torch.from_numpy(kept["images"][:, None].astype(np.float32) / 255)
    y, dice = torch.arange(len(plain)) % 2, stream(0, "patches")
    x, truth = plain.clone(), torch.zeros(len(plain), 28, 28, dtype=torch.bool)
    board = torch.from_numpy(np.indices((4, 4)).sum(0) % 2).float()
    for i in torch.nonzero(y)[:, 0].tolist():
        top, left = (int(v) for v in dice.integers(0, 25, 2))
        x[i, 0, top:top + 4, left:left + 4] = board
        truth[i, top:top + 4, left:left + 4] = True
    net = trained(nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
                                nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(16, 2)), x[:2000], y[:2000], 4)
    late = torch.arange(2000, 3000)
    with torch.no_grad():
        accuracy = float((net(x[late]).argmax(1) == y[late]).float().mean())
    held = late[y[late] == 1][:4 * rows]
    return of_network(net, x[held], plain[held], truth[held], accuracy, rows, MASKS, None)


@functools.cache
def motif(rows: int) -> Planted:
    import pandas as pd

    table = pd.read_csv(DATA / "dna_motif" / "dna_motif.csv")
    codes = np.array([["ACGT".index(c) for c in s] for s in table["sequence"]])
    starts = table["sequence"].str.find(MOTIF).to_numpy()
    truth = (np.arange(50) >= starts[:, None]) & (np.arange(50) < starts[:, None] + len(MOTIF)) & (starts[:, None] >= 0)
    redrawn = np.where(truth, stream(0, "redrawn").integers(0, 4, codes.shape), codes)
    coded = [torch.from_numpy(np.eye(4, dtype=np.float32)[c]).transpose(1, 2).contiguous() for c in (codes, redrawn)]
    x, without = (c - 0.25 for c in coded)
    y = torch.from_numpy(table["label"].to_numpy())
    net = trained(nn.Sequential(nn.Conv1d(4, 24, 12), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(24, 2)),
                  x[:1500], y[:1500], 15)
    late = torch.arange(1500, len(x))
    with torch.no_grad():
        accuracy = float((net(x[late]).argmax(1) == y[late]).float().mean())
    held = late[y[late] == 1][:4 * rows]
    return of_network(net, x[held], without[held], torch.from_numpy(truth)[held], accuracy, rows, {},
                      np.broadcast_to(np.arange(50), (4, 50)))


@functools.cache
def molecules(rows: int) -> Planted:
    """Atoms masked in the SMILES itself; techniques that need no gradient, as for any predictor."""
    import pandas as pd
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator
    from sklearn.ensemble import RandomForestClassifier

    from gnomon.analyses.attribute import feature_ablation, kernel_shap, lime, sampled_shapley, sufficient_subsets
    from gnomon.analyses.attribute._ground import ground_of
    from gnomon.analyses.attribute._question import Question
    from gnomon.data.table import Data, Dense, Role, Spec
    from gnomon.tasks._task import Prediction

    smiles = pd.read_csv(bundled.__path__[0] + "/esol.csv")["smiles"].astype(str)
    made = rdFingerprintGenerator.GetMorganGenerator(radius=1, fpSize=1024)
    hydroxyl = Chem.MolFromSmarts("[OX2H]")

    def bits(texts: Any) -> np.ndarray:
        return np.stack([made.GetFingerprintAsNumPy(Chem.MolFromSmiles(t)) for t in texts])

    parsed = [Chem.MolFromSmiles(s) for s in smiles]
    atoms = [sorted({m[0] for m in p.GetSubstructMatches(hydroxyl)}) for p in parsed]
    y, order = np.array([bool(a) for a in atoms]), stream(0, "molecules").permutation(len(smiles))
    train, late = order[:800], order[800:]
    forest = RandomForestClassifier(100, random_state=0).fit(bits(smiles[train]), y[train])
    accuracy = float((forest.predict(bits(smiles[late])) == y[late]).mean())
    data = Data({"smiles": Dense(smiles.to_numpy(dtype=object), Spec("molecule"))}, {"smiles": Role("input", "planted")},
                np.arange(len(smiles)))
    held = np.array([i for i in late if y[i] and 5 <= parsed[i].GetNumAtoms() <= 30])[:3 * rows]

    def predict(data: Any, which: np.ndarray) -> Prediction:
        proba = forest.predict_proba(bits(data.columns["smiles"].take(which)))
        return Prediction(value=proba.argmax(axis=1), proba=proba)

    def ground(which: np.ndarray) -> Any:
        question = Question("hydroxyl", -1, 0, 2, np.ones(len(which), dtype=np.int64), ("no", "yes"))
        return ground_of(data, which, train, question, predict)

    whole = ground(held)
    gone = [np.isin(np.arange(len(p)), atoms[i]) for i, p in zip(held, whole.pieces, strict=True)]
    flips = (whole.whole() > 0) & (whole.without(np.arange(len(held)), gone) < 0)
    some = held[flips][:rows]
    asked = ground(some)
    ways = {"feature_ablation": feature_ablation.of_pieces, "sampled_shapley": lambda g: sampled_shapley.of_pieces(g, draws=16),
            "kernel_shap": lambda g: kernel_shap.of_pieces(g, samples=256), "lime": lambda g: lime.of_pieces(g, samples=256),
            "sufficient_subsets": lambda g: sufficient_subsets.of_pieces(g, subsets=1)}
    maps = {name: (lambda way=way: way(asked)) for name, way in ways.items()}
    truth = [np.isin(np.arange(len(p)), atoms[i]) for i, p in zip(some, asked.pieces, strict=True)]
    return Planted(maps, truth, accuracy, float(flips.mean()))


@functools.cache
def tables(rows: int, formulas: int = 10) -> Planted:
    """One planting a formula: the mean size of each piece's contribution over its rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    made, passed = [], []
    for number in range(formulas):
        dice = stream(0, "formula", number)
        own = dice.normal(size=(1500, 10))
        x = np.concatenate([own, 0.9 * own + 0.44 * dice.normal(size=own.shape)], axis=1)
        a, b, c, d = dice.permutation(10)[:4]
        y = own[:, a] + np.abs(own[:, b]) + own[:, c] * own[:, d] + 0.1 * dice.normal(size=1500)
        model = HistGradientBoostingRegressor(random_state=0).fit(x[:1200], y[:1200])
        used, mixed = np.isin(np.arange(10), [a, b, c, d]), x[1200:].copy()
        mixed[:, np.tile(used, 2)] = mixed[dice.permutation(300)][:, np.tile(used, 2)]  # the cue away: other rows' values
        fit, without = (1 - np.mean((model.predict(m) - y[1200:]) ** 2) / np.var(y[1200:]) for m in (x[1200:], mixed))
        passed.append(without < 0.1 < fit)
        made.append((model, x, used, fit))
    made = [m for m, held in zip(made, passed, strict=True) if held]
    pieces = np.tile(np.arange(10), 2)

    def of_one(name: str, options: dict[str, Any], model: Any, x: np.ndarray) -> np.ndarray:
        usual = x[:1200].mean(axis=0)
        found = technique(name)(model.predict, x[1200:1200 + rows], None, pieces=pieces, baseline=usual, **options)
        return np.abs(found[:, :10] + found[:, 10:]).mean(axis=0)

    def walked(model: Any, x: np.ndarray) -> np.ndarray:
        found = technique("tree_shap")(model, x[1200:1200 + rows])
        return np.abs(found[:, :10] + found[:, 10:]).mean(axis=0)

    maps: dict[str, Callable[[], list[np.ndarray]]] = {
        name: (lambda name=name, options=options: [of_one(name, options, m, x) for m, x, _, _ in made])
        for name, options in PERTURBING.items()}
    maps["tree_shap"] = lambda: [walked(m, x) for m, x, _, _ in made]
    return Planted(maps, [t for _, _, t, _ in made], float(np.mean([f for *_, f in made])), float(np.mean(passed)))


def scored(planted: Planted, name: str) -> dict[str, Any]:
    maps = planted.maps[name]()
    auroc = np.array([roc_auc_score(t, m) for t, m in zip(planted.truth, maps, strict=True)])
    auprc = np.array([average_precision_score(t, m) for t, m in zip(planted.truth, maps, strict=True)])
    units = np.arange(len(auroc))
    rounded = [[None if v is None else round(float(v), 4) for v in mean_over_units(a, units)] for a in (auroc, auprc)]
    return {"plantings": len(auroc), "auroc": rounded[0], "auprc": rounded[1], "each": [round(float(a), 4) for a in auroc],
            "model": round(planted.accuracy, 3), "cue_removal_flips": round(planted.flipped, 3)}


def chosen(kind: str, rows: int) -> Iterator[str]:
    """The technique best on one half of the plantings, and what it reaches on the other."""
    found = {r["technique"]: np.array(r["each"]) for r in load("attribution_truth")["rows"]
             if r["kind"] == kind and r["rows"] == rows and "each" in r}
    best = max(found, key=lambda n: found[n][::2].mean())
    value, low, high = mean_over_units(found[best][1::2], np.arange(len(found[best][1::2])))
    yield f"{kind}: {best} chosen on half the plantings reaches AUROC {value:.3f} [{low:.3f}, {high:.3f}] on the other"
    yield f"  goal {GOAL}: {'reached' if value >= GOAL else 'missed'}"


KINDS = {"images": images, "motif": motif, "molecules": molecules, "tables": tables}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=list(KINDS), metavar="KIND", help="images motif molecules tables")
    parser.add_argument("--rows", type=int, default=24, help="rows explained a kind (tables: a formula)")
    args = parser.parse_args()
    torch.set_num_threads(1)
    for kind in args.kinds:
        made = KINDS[kind]
        names = {"tables": [*PERTURBING, "tree_shap"], "molecules": [*PERTURBING], "motif": [*BACKWARD, *PERTURBING],
                 "images": [*BACKWARD, *PERTURBING, *MASKS]}[kind]
        for name in names:
            row = measured("attribution_truth", {"kind": kind, "technique": name, "rows": args.rows},
                           lambda made=made, name=name: scored(made(args.rows), name))
            print(f"{kind:<10} {name:<22} AUROC {row['auroc'][0]:.3f} {row['auroc'][1:]} AUPRC {row['auprc'][0]:.3f}",
                  flush=True)
        print("\n".join(chosen(kind, args.rows)), flush=True)


if __name__ == "__main__":
    main()
