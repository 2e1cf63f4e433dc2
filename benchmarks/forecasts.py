"""Do forecasts of what twice the data would bring come true?

    python benchmarks/forecasts.py [SET ...]

Half of the training units play "all there is": the data-size curve looks ahead to twice as many, and the other half then
tells what it would have been, on the same judged rows. Scored by the interval score at 90 % (Gneiting & Raftery 2007),
in shares of the present error, against "no gain": an interval about 0 as wide as a repeated training scatters. Tables
and features of molecules, sequences and texts; two models each. Writes results/forecasts.json and prints the summary.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _kit import DATA, load, measured

from gnomon.analyses.validate._cheap import fit_predict
from gnomon.analyses.validate.data_size_curve import data_size_curve
from gnomon.card import load as technique
from gnomon.data.features._view import fit_view
from gnomon.data.parts import Fold
from gnomon.data.read.dispatch import read_data
from gnomon.data.table import Spec
from gnomon.rng import stream
from gnomon.workflow.ask import ask_task

MOST, FOLDS, LEVEL = 800, 4, 0.9
CHEMBL = "molecules_chembl_multitask"


@dataclass(frozen=True)
class Set:
    """A table, its target and its inputs; rows without a target are dropped, at most 800 are drawn."""

    table: Callable[[], pd.DataFrame]
    target: str
    inputs: tuple[str, ...] = ()  # () = all others
    view: str = "standard"


def csv(name: str) -> Callable[[], pd.DataFrame]:
    return lambda: pd.read_csv(DATA / name)


def sklearn_table(name: str) -> Callable[[], pd.DataFrame]:
    def table() -> pd.DataFrame:
        import sklearn.datasets

        got = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
        named = name != "diabetes"
        return got.data.assign(answer=[f"class {t}" for t in got.target] if named else got.target)

    return table


def rosmap(part: str) -> Callable[[], pd.DataFrame]:
    def table() -> pd.DataFrame:
        read = lambda name: pd.read_csv(next((DATA / "omics_rosmap").glob(f"{name}.csv*")))  # noqa: E731
        x, y = (pd.concat([read(f"{name}_{p}") for p in ("train", "test")]) for name in (part, "labels"))
        return x.assign(answer=[f"class {v}" for v in y["label"]])

    return table


def series(name: str) -> Callable[[], pd.DataFrame]:
    """Series of one length: each moment a column."""
    def table() -> pd.DataFrame:
        paths = sorted(p for p in (DATA / "timeseries_ucr").rglob(f"{name}*") if p.is_file())
        x = pd.concat([pd.read_csv(p, sep=r"\s+", header=None) for p in paths])
        out = x.iloc[:, 1:].rename(columns=lambda c: f"t{c}")
        return out.assign(answer=[f"class {int(v)}" for v in x[0]])

    return table


def sets() -> dict[str, Set]:
    """Name -> data set."""
    from _sets import _abstracts, _enhancers, _intents

    out = {name: Set(csv(f"tables_uci/{name}.csv"), target) for name, target in (
        ("concrete", "strength_MPa"), ("energy", "heating_load"), ("yacht", ""), ("wine_quality_red", ""))}
    out = {n: s if s.target else Set(s.table, pd.read_csv(DATA / f"tables_uci/{n}.csv", nrows=1).columns[-1])
           for n, s in out.items()}
    out |= {f"sklearn_{n}": Set(sklearn_table(n), "answer") for n in ("diabetes", "breast_cancer", "wine")}
    out |= {f"rosmap_{part}": Set(rosmap(part), "answer") for part in ("mrna", "methylation", "mirna")}
    out |= {f"series_{n}": Set(series(n), "answer") for n in ("ECG200", "Plane", "SyntheticControl")}
    out["telescope"] = Set(csv("tables_magic_telescope/train.csv.gz"), "class")
    out["pm25"] = Set(csv("timeseries_beijing_pm25/beijing_pm25.csv.gz"), "pm2.5", ("month", "hour", "DEWP", "TEMP", "PRES",
                                                                                   "cbwd", "Iws"))
    out["silver"] = Set(csv("bayesopt_pools/silver_nanoparticles.csv"), "loss")
    out["barrel"] = Set(csv("bayesopt_pools/crossed_barrel.csv"), "toughness")
    out["buchwald"] = Set(csv("reactions_buchwald/buchwald_hartwig.csv.gz"), "yield_percent",
                          ("ligand", "additive", "base", "aryl_halide"), "descriptors")
    for name, file, target in (("esol", "molecules_esol/esol.csv", "measured log solubility in mols per litre"),
                               ("lipophilicity", "molecules_lipophilicity/lipophilicity.csv", "exp"),
                               ("bace", "molecules_bace/bace.csv", "Class"), ("bace_pic50", "molecules_bace/bace.csv", "pIC50"),
                               ("malaria", "molecules_malaria/malaria.csv.gz", "activity"),
                               ("solar", "molecules_solar_cells/cep.csv.gz", "PCE")):
        file = file if (DATA / file).exists() else next(str(p.relative_to(DATA)) for p in sorted(
            (DATA / file).parent.glob("*.csv*")))
        out[name] = Set(csv(file), target, ("smiles",), "descriptors")
    chembl = next((DATA / CHEMBL).glob("*.csv*"))
    table = pd.read_csv(chembl)
    for target in [c for c in table.columns if c not in ("smiles", "split", "year") and table[c].dtype.kind == "f"][:8]:
        out[f"chembl_{target}"] = Set(csv(f"{CHEMBL}/{chembl.name}"), target, ("smiles",), "descriptors")
    out["gb1"] = Set(csv("protein_gb1/gb1.csv.gz"), "target", ("sequence",), "onehot")
    out["peptides"] = Set(csv("peptides_antimicrobial/peptides.csv"), "antimicrobial", ("sequence",), "kmers+composition")
    out["enhancers"] = Set(_enhancers, "label", ("sequence",), "kmers")
    out["motif"] = Set(csv("dna_motif/dna_motif.csv"), "label", ("sequence",), "kmers")
    out["crispr"] = Set(csv("crispr_azimuth/azimuth.csv"), "score_drug_gene_rank", ("30mer",), "onehot")
    out["avgfp"] = Set(csv("protein_dms/avgfp.csv.gz"), "score", ("variant",))
    out["pab1"] = Set(csv("protein_dms/pab1.csv.gz"), "score", ("variant",))
    out["intents"] = Set(_intents, "label", ("text",), "tfidf")
    out["abstracts"] = Set(_abstracts, "label", ("sentence",), "tfidf")
    out["digits"] = Set(sklearn_table("digits"), "answer")
    return out


def forecasts(one: Set, name: str) -> dict[str, Any]:
    """One forecast and its outcome for a linear model and for a forest."""
    task, x, truth, units = prepared(one, name)
    linear = "logistic" if task.name == "classify" else "ridge"
    out = {}
    for model in (linear, "forest"):
        def learn(rows: np.ndarray, model: str = model) -> Any:
            options = {"trees": 40} if model == "forest" else {}
            made = technique(model)({"numbers": Spec("numbers", shape=(x.shape[1],))}, task.out, **options)
            return lambda held: fit_predict(task, made, x, truth, rows, held)

        out[model] = outcome(task, learn, truth, units, name)
    return {"task": task.name, "metric": task.metric.name, "rows": len(truth), "columns": x.shape[1], **out}


def prepared(one: Set, name: str) -> Any:
    frame = one.table()
    frame = frame[frame[one.target].notna()]
    keep = stream(0, "forecast rows", name).permutation(len(frame))[:MOST]
    frame = frame.iloc[np.sort(keep)].reset_index(drop=True)
    inputs = one.inputs or tuple(c for c in frame.columns if c != one.target)
    data = read_data(frame[[*inputs, one.target]], target=(one.target,), roles={c: "input" for c in inputs})
    rows = np.arange(len(data))
    task = ask_task(data, rows)
    view = fit_view(data, rows, data.inputs, one.view, dense=True, seed=0)  # scales and axes; the target takes no part
    keys = pd.util.hash_pandas_object(frame[list(inputs)].astype(str), index=False).to_numpy()  # repeats stay together
    return task, np.asarray(view.transform(data, rows)), task.truth(data, rows), np.unique(keys, return_inverse=True)[1]


def outcome(task: Any, learn: Any, truth: np.ndarray, units: np.ndarray, name: str) -> dict[str, Any]:
    """The forecast from half of the units, and what all of them then gave."""
    rng = stream(0, "forecast halves", name)
    place = rng.permutation(units.max() + 1) % FOLDS
    half = rng.random(units.max() + 1) < 0.5
    whole = [(np.flatnonzero(place[units] != k), np.flatnonzero(place[units] == k)) for k in range(FOLDS)]
    curve = data_size_curve(task, learn, tuple(Fold(t[half[units[t]]], v) for t, v in whole), truth, units, repeats=FOLDS)
    if curve is None or curve.gain is None:
        return {"unsupported": curve.supported if curve else "few units"}
    then = np.mean([task.score(task.measure(learn(t)(v), truth[v])) for t, v in whole])
    sign = 1 if task.metric.higher_is_better else -1
    now = curve.scores[-1]
    return {"now": now, "then": float(then), "gain": sign * (float(then) - now), "error": 1 - now if sign > 0 else now,
            "told": curve.gain, "low": curve.gain_low, "high": curve.gain_high, "noise": curve.noise,
            "sizes": list(curve.sizes)}


def interval_score(low: float, high: float, value: float) -> float:
    return (high - low) + 2 / (1 - LEVEL) * (max(0.0, low - value) + max(0.0, value - high))


def summary() -> dict[str, Any]:
    """Over all forecasts: coverage, interval scores of both, and the difference with a limit over data sets."""
    from scipy.stats import t

    rows, ours, theirs, inside = [], [], [], []
    quantile = float(t.ppf((1 + LEVEL) / 2, 6))
    for row in load("forecasts")["rows"]:
        for model in ("ridge", "logistic", "forest"):
            one = row.get(model)
            if one and "gain" in one:
                value, low, high, noise = (one[k] / one["error"] for k in ("gain", "low", "high", "noise"))
                rows.append(row["set"])
                ours.append(interval_score(low, high, value))
                theirs.append(interval_score(-quantile * noise, quantile * noise, value))
                inside.append(low <= value <= high)
    gap = pd.Series(np.array(ours) - theirs).groupby(rows).mean()
    half = t.ppf(0.95, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap))
    return {"forecasts": len(ours), "sets": len(gap), "coverage": float(np.mean(inside)), "ours": float(np.mean(ours)),
            "no_gain": float(np.mean(theirs)), "difference": float(gap.mean()), "upper": float(gap.mean() + half)}


def main() -> None:
    wanted = sys.argv[1:]
    for name, one in sets().items():
        if not wanted or name in wanted:
            row = measured("forecasts", {"set": name}, lambda one=one, name=name: forecasts(one, name))
            for model in ("ridge", "logistic", "forest"):
                if model in row and "gain" in row[model]:
                    r = row[model]
                    print(f"{name:24} {model:9} {row['metric']:9} now {r['now']:.3f} gain {r['gain']:+.4f} "
                          f"told {r['told']:+.4f} [{r['low']:+.4f}, {r['high']:+.4f}]", flush=True)
    print(summary())


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    main()
