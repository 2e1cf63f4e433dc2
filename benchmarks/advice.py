"""Is the plan's first choice right? What betting on it costs against the best of everything gnomon trains.

    python benchmarks/advice.py [--table] [SET ...]

The plan names one simple and one deep model to bet on. Their test scores, and that of the better of the two on validation,
are held against the best test score of any candidate, ensembles included: regret = shortfall / (best - floor), 0 where the
choice is the best. The sets of the accuracy bench and those READ shaped the rules, the FRESH ones did not. Each of the latter
two is studied once with five minutes, at most 1,200 rows to learn from and 400 that judge; results go to results/advice.json.
`within`: the choice lies inside the best one's own 95 % interval on the test rows (normal approximations). The best of ten on
the same test rows is partly luck: `without luck` holds the better of the two against the model that validation puts first (`or
ensemble`: or the ensemble), below 0 where it did worse than the choice. A bet that the budget left out is counted as `not
trained` and scored as missing.
"""

from __future__ import annotations

import argparse
from typing import Any

import _forecast_sets as tables
import numpy as np
from _kit import DATA, load, measured
from _sets import CACHE, Set, answers, frame, made, sets
from accuracy import study

from gnomon.workflow._facts import REPEATS, Facts
from gnomon.workflow.plan import deep_ladder, first_simple

BUDGET, TRAIN, TEST = 300, 1200, 400
READ = {  # name in the forecast bench's list -> metric
    "steels": "rmse", "band_gap": "rmse", "lipophilicity": "rmse", "solubility": "rmse", "peptides": "roc_auc",
    "motif": "roc_auc", "crispr": "spearman", "comments": "roc_auc", "rosmap_mrna": "roc_auc", "papers_cora": "accuracy",
    "movements": "accuracy", "series_SyntheticControl": "accuracy", "mixtures": "rmse", "barrel": "rmse",
    "buchwald": "rmse", "is_metal": "roc_auc", "temperature": "rmse", "malaria": "rmse"}
FRESH = {
    "residues": "accuracy", "abstracts": "accuracy", "reviews_books": "roc_auc", "reviews_kitchen": "roc_auc",
    "aflow_bulk_modulus_vrh": "rmse", "aflow_debye_temperature": "rmse", "graphs_PROTEINS": "roc_auc",
    "graphs_MUTAG": "roc_auc", "papers_citeseer": "accuracy", "series_GunPoint": "accuracy", "series_ArrowHead": "accuracy",
    "series_JapaneseVowels": "accuracy", "series_ECG200": "accuracy", "series_Plane": "accuracy",
    "rosmap_methylation": "roc_auc", "rosmap_mirna": "roc_auc", "sunspots": "rmse", "pm25": "rmse", "silver": "rmse",
    "solar": "rmse", "chembl_CHEMBL205": "rmse", "chembl_CHEMBL222": "rmse", "garments": "accuracy"}
PICTURES = {"pneumonia": ("images_pneumonia/pneumoniamnist.npz", "train_images", "train_labels"),
            "usps": ("images_digits/mnist_usps.npz", "usps_train_images", "usps_train_labels")}
FRESH_PICTURES = {"mnist": ("images_digits/mnist_usps.npz", "mnist5k_images", "mnist5k_labels")}
KINDS = {"smiles": "molecule", "ligand": "molecule", "sequence": "sequence", "30mer": "sequence", "text": "text",
         "sentence": "text"}


def small(listed: dict[str, str], pictured: dict[str, tuple[str, str, str]]) -> dict[str, Set]:
    """Name -> data set of at most TRAIN + TEST rows."""
    out, known = {}, tables.sets() | tables.class_sets()
    for name, metric in listed.items():
        path = made(f"advice_{name}", lambda name=name: _table(known[name]))
        target = known[name].target
        out[name] = Set(path, target, metric, lambda split, path=path: _split(len(frame_of(path))), (), higher=metric != "rmse")
    for name, (file, images, labels) in pictured.items():
        path = lambda name=name, file=file, images=images, labels=labels: _pictures(name, file, images, labels)  # noqa: E731
        out[name] = Set(path, None, "accuracy", lambda split: _split(TRAIN + TEST), ())
    return out


def frame_of(path: Any) -> Any:
    import pandas as pd

    return pd.read_csv(path())


def _table(one: Any) -> Any:
    t = one.table()
    t = t[t[one.target].notna()].sample(frac=1, random_state=0).head(TRAIN + TEST)
    return t[[*(one.inputs or [c for c in t.columns if c != one.target]), one.target]]


def _pictures(name: str, file: str, images: str, labels: str) -> Any:
    out = CACHE / f"advice_{name}.npz"
    if not out.exists():
        got = np.load(DATA / file)
        kept = np.random.default_rng(0).permutation(len(got[images]))[:TRAIN + TEST]
        np.savez_compressed(out, images=got[images][kept], labels=got[labels].ravel()[kept])
    return out


def _split(n: int) -> dict[str, list[int]]:
    """The last quarter of the shuffled rows tests, at most 400."""
    cut = n - min(TEST, n // 4)
    return {"train": list(range(cut)), "test": list(range(cut, n))}


def bets(one: Set, row: dict[str, Any]) -> dict[str, str]:
    """Labels of the plan's first choices for a set, from what the rules look at."""
    images = one.target is None
    table = None if images else frame(one)
    inputs = [] if images else [c for c in table.columns if c not in (one.target, *one.drop)]
    rich = [KINDS[c] for c in inputs if c in KINDS and one.inputs in ("", c)]
    kind = "image" if images else (*rich, "number")[0]
    task = "regress" if one.metric in ("rmse", "spearman") else "classify"
    n = len(one.splits(row["split"])["train"])
    classes = len(np.unique(answers(one))) if task == "classify" else 0
    few = kind == "molecule" and all(table[c].nunique() <= len(table) / REPEATS for c in inputs if c in KINDS)
    facts = Facts(n, len(inputs) if kind == "number" else 0, (kind,), 1, n, task, classes,
                  row["set"] in ("enhancers", "motif"), designed=few)
    model, view = first_simple(facts)
    return {"simple": model if view == "standard" else f"{model} on {view}", "deep": deep_ladder(facts)[0][0]}


def regrets(one: Set, row: dict[str, Any]) -> dict[str, Any]:
    """Regret of each choice; half: the half-width of the best one's interval, in the same shares."""
    sign = 1 if one.higher else -1
    every = [c for c in row["candidates"].values() if c["test"] is not None]
    floor = next(c["test"] for c in every if c["family"] == "floor")
    able = {c["label"]: c for c in every if c["family"] != "floor"}
    best = max(able.values(), key=lambda c: sign * c["test"])["test"]
    room = sign * (best - floor)
    if room <= 0:
        return {}
    named = {k: able[label] for k, label in bets(one, row).items() if label in able}
    known = [c for c in named.values() if c["valid"] is not None]
    if known:
        named["pair"] = max(known, key=lambda c: sign * c["valid"])
    out = {k: sign * (best - c["test"]) / room for k, c in named.items()}
    fair = {"without luck": ("simple", "deep"), "or ensemble": ("simple", "deep", "ensemble")}
    for what, families in fair.items() if known else ():
        judged = [c for c in able.values() if c["valid"] is not None and c["family"] in families]
        first = max(judged, key=lambda c: sign * c["valid"])
        out[what] = sign * (first["test"] - named["pair"]["test"]) / room
    if row.get("score") is not None:
        out["recommended"] = sign * (best - row["score"]) / room
    return out | {"half": 1.96 * spread(one, best, len(one.splits(row["split"])["test"]), row["split"]) / room}


def spread(one: Set, best: float, n: int, split: int) -> float:
    """Standard error of a test score: binomial, Hanley & McNeil 1982, Fisher's z, or normal errors."""
    if one.metric == "rmse":
        return best / np.sqrt(2 * n)
    if one.metric == "spearman":
        return (1 - best**2) / np.sqrt(n - 3)
    if one.metric == "roc_auc":
        y = answers(one)[one.splits(split)["test"]]
        few = np.unique(y, return_counts=True)[1].min()
        q1, q2 = best / (2 - best), 2 * best**2 / (1 + best)
        many = n - few
        return float(np.sqrt((best * (1 - best) + (few - 1) * (q1 - best**2) + (many - 1) * (q2 - best**2)) / (few * many)))
    return float(np.sqrt(max(best * (1 - best), 0.5 / n) / n))


def table(title: str, found: dict[str, list[dict[str, Any]]]) -> None:
    """Per set the mean regrets over splits, and over sets median, 90th percentile and the share within the best's interval."""
    keys = ("simple", "deep", "pair", "without luck", "or ensemble", "recommended")
    print(f"{title:<26}" + "".join(f"{k:>13}" for k in (*keys, "half width")))
    means: dict[str, list[float]] = {k: [] for k in keys}
    inside: dict[str, list[bool]] = {k: [] for k in keys}
    missing = dict.fromkeys(keys, 0)
    for name, rows in found.items():
        half, cells = float(np.mean([r["half"] for r in rows])), []
        for k in keys:
            own = [r[k] for r in rows if k in r]
            missing[k] += not own
            cells.append(f"{np.mean(own):>13.3f}" if own else f"{'not trained':>13}")
            if own:
                means[k].append(float(np.mean(own)))
                inside[k].append(means[k][-1] <= half)
        print(f"{name:<26}" + "".join(cells) + f"{half:>13.3f}")
    for what, of in (("median", np.median), ("90th percentile", lambda v: np.quantile(v, 0.9))):
        print(f"{what:<26}" + "".join(f"{of(means[k]) if means[k] else np.nan:>13.3f}" for k in keys))
    print(f"{'within, not trained':<26}" + "".join(f"{f'{sum(inside[k])}/{len(inside[k])}, {missing[k]}':>13}" for k in keys))


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("sets", nargs="*")
    words.add_argument("--table", action="store_true", help="print the tables only")
    args = words.parse_args()
    behind, read, fresh = sets(), small(READ, PICTURES), small(FRESH, FRESH_PICTURES)
    every = behind | read | fresh
    for name in [] if args.table else args.sets or [*read, *fresh]:
        row = measured("advice", {"set": name, "split": 0, "budget": BUDGET}, lambda name=name: study(every[name], 0, BUDGET))
        print(name, row.get("score"), row.get("failed", "")[-300:], flush=True)
    rows = load("advice")["rows"]
    longer = {row["set"] for row in rows if "candidates" in row}  # what has five minutes is told by these
    rows += [row for row in load("accuracy")["rows"] if row["set"] not in longer]
    for title, named in (("sets behind the rules", behind), ("sets read since", read), ("fresh sets", fresh)):
        found: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            told = regrets(named[row["set"]], row) if row["set"] in named and "candidates" in row else {}
            if told:
                found.setdefault(row["set"], []).append(told)
        if found:
            table(title, found)


if __name__ == "__main__":
    main()
