"""Scenarios on real data: two models learn from a few hundred rows, and the thousands of rows left are the truth.

Their scores on all rows left count as exact. Each draw takes a small test set from these (whole groups where rows come in
groups) and asks whether the interval holds the exact score, whether the interval of the difference holds the exact
difference, and, with the two models' predictions exchanged at random by row or group (so that neither is better), how
often a difference is claimed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from _kit import DATA

from gnomon.analyses.validate.compare import compare
from gnomon.analyses.validate.conformal import conformal, covered
from gnomon.analyses.validate.interval import interval
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress

Sim = Callable[[int], dict[str, float]]
TAUGHT = 600  # rows the two models learn from; in groups, those of a tenth of the groups
PER_GROUP = 12  # rows of a group that are kept, drawn once
SIZES, GROUPS = (30, 100, 300), (8, 20, 40)


@dataclass(frozen=True)
class Judged:
    """Rows no model saw: the truth (n,), the two models' predictions, and the group of each row or None."""

    task: Any
    truth: np.ndarray
    made: tuple[Prediction, Prediction]
    units: np.ndarray | None

    def stats(self, which: int, rows: np.ndarray | None = None) -> Any:
        rows = np.arange(len(self.truth)) if rows is None else rows
        return self.task.measure(self.made[which].take(rows), self.truth[rows])

    @functools.cached_property
    def exact(self) -> tuple[float, float]:
        return self.task.score(self.stats(0)), self.task.score(self.stats(1))

    def drawn(self, rng: np.random.Generator, size: int) -> np.ndarray:
        """Places of `size` rows, or of the rows of `size` groups."""
        if self.units is None:
            return rng.choice(len(self.truth), size, replace=False)
        return np.flatnonzero(np.isin(self.units, rng.choice(np.unique(self.units), size, replace=False)))


# ---- the data: inputs (n, d), answers (n,), groups (n,) or None --------------------------------------------------------
def _table(name: str, **options: Any) -> Any:
    import pandas as pd

    return pd.read_csv(DATA / name, **options)


def telescope() -> tuple[np.ndarray, np.ndarray, None]:
    import pandas as pd

    t = pd.concat([_table(f"tables_magic_telescope/{p}.csv.gz") for p in ("train", "test")])
    return t.drop(columns="class").to_numpy(float), (t["class"] == "g").to_numpy(int), None


def clothes() -> tuple[np.ndarray, np.ndarray, None]:
    import gzip

    def read(name: str, head: int) -> np.ndarray:
        return np.frombuffer(gzip.decompress((DATA / "images_fashion_mnist" / name).read_bytes()), np.uint8)[head:]

    pixels, classes = read("t10k-images-idx3-ubyte.gz", 16), read("t10k-labels-idx1-ubyte.gz", 8)
    return pixels.reshape(-1, 784) / 255.0, classes.astype(int), None


def variants() -> tuple[np.ndarray, np.ndarray, None]:
    t = _table("protein_gb1/gb1.csv.gz")
    letters = np.array([list(s) for s in t["sequence"]])
    letters = letters[:, (letters != letters[0]).any(axis=0)]
    x = np.concatenate([letters == a for a in np.unique(letters)], axis=1).astype(float)
    return x[:, x.std(axis=0) > 0], t["target" if "target" in t else "fitness"].to_numpy(float), None


def air() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Hours in days: the group is the day."""
    t = _table("timeseries_beijing_pm25/beijing_pm25.csv.gz").dropna().reset_index(drop=True)
    x = t[["month", "hour", "DEWP", "TEMP", "PRES", "Iws"]].assign(**{w: t["cbwd"] == w for w in t["cbwd"].unique()})
    return x.to_numpy(float), t["pm2.5"].to_numpy(float), t.groupby(["year", "month", "day"]).ngroup().to_numpy()


def smog() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x, y, day = air()
    return x, (y > 75).astype(int), day


def affinities() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of drug and protein: the group is the protein; drugs by number, proteins by their letters' shares."""
    t = _table("pairs_davis/affinities.csv.gz")
    records = (DATA / "pairs_davis/proteins.fasta").read_text().split(">")[1:]
    shares = {r.split("\n", 1)[0].split()[0]: _shares("".join(r.split("\n")[1:])) for r in records}
    drugs, proteins = t["drug"].astype(str), t["protein"].astype(str)
    known = proteins.isin(list(shares)).to_numpy()
    x = np.concatenate([(drugs.to_numpy()[:, None] == drugs.unique()[None, :]), np.stack(
        [shares.get(p, np.zeros(20)) for p in proteins])], axis=1).astype(float)
    return x[known], t["pkd"].to_numpy(float)[known], np.unique(proteins, return_inverse=True)[1][known]


def _shares(letters: str) -> np.ndarray:
    return np.array([letters.count(a) for a in "ACDEFGHIKLMNPQRSTVWY"]) / len(letters)


SETS: dict[str, tuple[Callable[[], tuple], tuple[str, ...]]] = {
    "telescope": (telescope, ("accuracy", "roc_auc", "log_loss")), "clothes": (clothes, ("accuracy", "log_loss")),
    "variants": (variants, ("mae", "rmse")), "air, by day": (air, ("mae", "rmse")),
    "smog, by day": (smog, ("accuracy", "roc_auc")), "affinities, by protein": (affinities, ("mae", "rmse"))}


@functools.cache
def judged(name: str, metric: str) -> Judged:
    """Both models fitted once, and their predictions of all other rows."""
    x, y, units = _read(name)
    rng = stream(0, "real", name)
    if units is None:
        order = rng.permutation(len(y))
        fit, rest = order[:TAUGHT], order[TAUGHT:]
    else:
        taught = rng.choice(np.unique(units), len(np.unique(units)) // 10, replace=False)
        order = rng.permutation(len(y))
        order = order[_place_in_group(units[order]) < PER_GROUP]
        fit, rest = order[np.isin(units[order], taught)], order[~np.isin(units[order], taught)]
    classes = metric in ("accuracy", "roc_auc", "log_loss")
    made = tuple(_made(m.fit(x[fit], y[fit]), x[rest]) for m in _models(classes))
    task = classify("y", tuple(map(str, np.unique(y))), metric=metric) if classes else regress("y", metric=metric)
    return Judged(task, y[rest], made, None if units is None else units[rest])


@functools.cache
def _read(name: str) -> tuple:
    return SETS[name][0]()


def _place_in_group(units: np.ndarray) -> np.ndarray:
    """How many rows of the same group come before each row."""
    order = np.argsort(units, kind="stable")
    first = np.searchsorted(units[order], units[order], side="left")
    out = np.empty(len(units), dtype=int)
    out[order] = np.arange(len(units)) - first
    return out


def _models(classes: bool) -> tuple[Any, Any]:
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    linear = LogisticRegression(max_iter=500) if classes else Ridge(1.0)
    forest = RandomForestClassifier if classes else RandomForestRegressor
    return make_pipeline(StandardScaler(), linear), forest(200, min_samples_leaf=2, random_state=0)


def _made(model: Any, x: np.ndarray) -> Prediction:
    if not hasattr(model, "predict_proba"):
        return Prediction(value=model.predict(x))
    proba = np.clip(model.predict_proba(x), 1e-3, None)
    proba /= proba.sum(axis=1, keepdims=True)
    return Prediction(proba.argmax(axis=1), proba)


# ---- the scenarios -----------------------------------------------------------------------------------------------------
def held(name: str, metric: str, size: int) -> Sim:
    """Does the interval hold the exact score, and that of the difference the exact difference? warned: of heavy tails."""

    def sim(seed: int) -> dict[str, float]:
        one = judged(name, metric)
        rows = one.drawn(stream(seed, "real rows", name, size), size)
        units = None if one.units is None else one.units[rows]
        e = interval(one.task, one.stats(0, rows), units, seed=seed, repeats=1000)
        d = compare(one.task, one.stats(0, rows), one.stats(1, rows), units, margin=None, seed=seed)
        true = one.exact[0] - one.exact[1]
        true = true if one.task.metric.higher_is_better else -true
        warned = {"warned": float("too short" in e.method)} if metric in ("mae", "rmse") else {}
        return {"covers": _inside(e, one.exact[0]), "difference_covers": _inside(d, true), **warned}

    return sim


def _inside(got: Any, true: float) -> float:
    return float(got.low is not None and got.low <= true <= got.high)


def exchanged(name: str, metric: str, size: int) -> Sim:
    """How often is a difference claimed between two models whose predictions were exchanged at random?"""

    def sim(seed: int) -> dict[str, float]:
        one, rng = judged(name, metric), stream(seed, "real null", name, size)
        rows = one.drawn(rng, size)
        units = None if one.units is None else one.units[rows]
        group = np.unique(rows if units is None else units, return_inverse=True)[1]
        swap = (rng.random(group.max() + 1) < 0.5)[group]
        pair = [_joined(one.made[0].take(rows), one.made[1].take(rows), s) for s in (swap, ~swap)]
        ours, theirs = (one.task.measure(p, one.truth[rows]) for p in pair)
        d = compare(one.task, ours, theirs, units, margin=None, seed=seed)
        return {"rejects": float(d.p is not None and d.p < 0.05)}

    return sim


def _joined(a: Prediction, b: Prediction, swap: np.ndarray) -> Prediction:
    if a.proba is None:
        return Prediction(value=np.where(swap, b.value, a.value))
    proba = np.where(swap[:, None], b.proba, a.proba)
    return Prediction(proba.argmax(axis=1), proba)


def ranges(name: str, metric: str, size: int) -> Sim:
    """The share of rows (of groups not drawn) whose 95 % range, calibrated on the drawn ones, holds their value."""

    def sim(seed: int) -> dict[str, float]:
        one = judged(name, metric)
        rng = stream(seed, "real ranges", name, size)
        rows = one.drawn(rng, size)
        others = np.setdiff1d(np.arange(len(one.truth)), rows)
        if one.units is not None:
            others = others[~np.isin(one.units[others], one.units[rows])]
        others = rng.choice(others, 2000, replace=False)
        rule = conformal(one.made[0].take(rows), one.truth[rows], None if one.units is None else one.units[rows])
        return {"covers": float(np.mean(covered(rule, one.made[0].take(others), one.truth[others])))}

    return sim


def scenarios(sims: int = 1000) -> dict[str, tuple[int, Sim]]:
    out: dict[str, tuple[int, Sim]] = {}
    for name, (_, metrics) in SETS.items():
        grouped = "," in name
        for size in GROUPS if grouped else SIZES:
            where = f"{name} | {size} groups" if grouped else f"{name} | n {size}"
            for metric in metrics:
                out[f"real coverage | {metric} | {where}"] = sims, held(name, metric, size)
                discrete = 4 if metric == "accuracy" else 1  # McNemar's levels: more draws to see 5 from 6 %
                out[f"real false positives | {metric} | {where}"] = discrete * sims, exchanged(name, metric, size)
            if size > 20:
                out[f"real ranges 95 % | {where}"] = sims, ranges(name, metrics[0], size)
    return out
