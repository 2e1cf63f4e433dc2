"""Do forecasts of what twice the data would bring come true?

    python benchmarks/forecasts.py [--classes] [SET ...]

Half of the training units play "all there is": the data-size curve looks ahead to twice as many, and the other half then
tells what it would have been, on the same judged rows. Scored by the interval score at 90 % (Gneiting & Raftery 2007),
in shares of the present error, against "no gain": an interval about 0 as wide as a repeated training scatters. Two models
on each set. The sets that shaped the method (its prior, its covariance) and the fresh ones, on which its claim rests, are
told apart. Writes results/forecasts.json and prints the summaries.

--classes: the same for one class alone. Half of its training units are all there is of it, beside all rows of the others;
its curve looks ahead to twice as many, what the other half then brings to the headline score is the outcome. At most four
classes of a set, drawn at random from those with units enough. Measured first with plain decisions, too few came true in
accuracy and macro-F1 (30 of 48): with half of a class its share in training was halved too, and decisions moved for that
alone. The curve now decides at the class's share among all rows. That was tried on residues, lungs, JapaneseVowels and
citeseer, whose forecasts had been seen, and frozen; in accuracy and macro-F1 fresh sets are those on which no such forecast
had been made (`_decided`: two classes scored by accuracy, tables of several classes, numbers as grades). The order of rows
by two classes' probabilities is what it was, and so is AUC.
Writes results/class_forecasts.json.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from _forecast_sets import Set, class_sets, sets
from _kit import load, measured

from gnomon.analyses.validate._cheap import fit_predict
from gnomon.analyses.validate.class_size_curve import FEWEST, class_size_curve
from gnomon.analyses.validate.data_size_curve import data_size_curve
from gnomon.card import load as technique
from gnomon.data.features._view import fit_view
from gnomon.data.parts import Fold
from gnomon.data.read.dispatch import read_data
from gnomon.data.table import Spec
from gnomon.rng import stream
from gnomon.workflow.ask import ask_task

MOST, FOLDS, LEVEL = 800, 4, 0.9
CLASSES = 4


def forecasts(one: Set, name: str) -> dict[str, Any]:
    """One forecast and its outcome for a linear model and for a forest."""
    task, x, truth, units = prepared(one, name)
    out = {model: outcome(task, learn, truth, units, name) for model, learn in learners(task, x, truth)}
    return {"fresh": one.fresh, "task": task.name, "metric": task.metric.name, "rows": len(truth), "columns": x.shape[1], **out}


def learners(task: Any, x: np.ndarray, truth: np.ndarray) -> Iterable[tuple[str, Any]]:
    """(name, rows -> what predicts) of a linear model and of a forest; the same rows are trained on once."""
    for model in ("logistic" if task.name == "classify" else "ridge", "forest"):
        known: dict[bytes, Any] = {}

        def learn(rows: np.ndarray, model: str = model, known: dict[bytes, Any] = known) -> Any:
            def told(held: np.ndarray) -> Any:
                key = rows.tobytes() + held.tobytes()
                if key not in known:
                    options = {"trees": 40} if model == "forest" else {}
                    made = technique(model)({"numbers": Spec("numbers", shape=(x.shape[1],))}, task.out, **options)
                    known[key] = fit_predict(task, made, x, truth, rows, held)
                return known[key]

            return told

        yield model, learn


def prepared(one: Set, name: str) -> Any:
    """(task, features of all rows, truth, unit of each row)."""
    data, task, units = asked(one, name)
    rows = np.arange(len(data))
    view = fit_view(data, rows, data.inputs, one.view, dense=True, seed=0)  # scales and axes; the target takes no part
    return task, np.asarray(view.transform(data, rows)), task.truth(data, rows), units


def asked(one: Set, name: str) -> Any:
    """(data, task, unit of each row): rows of equal inputs are one unit."""
    frame = one.table()
    frame = frame[frame[one.target].notna()]
    keep = stream(0, "forecast rows", name).permutation(len(frame))[:MOST]
    frame = frame.iloc[np.sort(keep)].reset_index(drop=True)
    inputs = one.inputs or tuple(c for c in frame.columns if c != one.target)
    data = read_data(frame[[*inputs, one.target]], target=(one.target,), roles={c: "input" for c in inputs})
    keys = pd.util.hash_pandas_object(frame[list(inputs)].astype(str), index=False).to_numpy()  # repeats stay together
    return data, ask_task(data, np.arange(len(data)), metric=one.metric), np.unique(keys, return_inverse=True)[1]


def outcome(task: Any, learn: Any, truth: np.ndarray, units: np.ndarray, name: str) -> dict[str, Any]:
    """The forecast from half of the units, and what all of them then gave."""
    rng = stream(0, "forecast halves", name)
    place = rng.permutation(units.max() + 1) % FOLDS
    half = rng.random(units.max() + 1) < 0.5
    whole = [(np.flatnonzero(place[units] != k), np.flatnonzero(place[units] == k)) for k in range(FOLDS)]
    curve = data_size_curve(task, learn, tuple(Fold(t[half[units[t]]], v) for t, v in whole), truth, units, repeats=FOLDS)
    return told_and_then(task, learn, truth, whole, curve)


def told_and_then(task: Any, learn: Any, truth: np.ndarray, whole: list[tuple[np.ndarray, np.ndarray]], curve: Any
                  ) -> dict[str, Any]:
    """What a curve told, and what training on the whole of each fold then gave."""
    if curve is None or curve.gain is None:
        return {"unsupported": curve.supported if curve else "few units"}
    then = np.mean([task.score(task.measure(learn(t)(v), truth[v])) for t, v in whole])
    sign = 1 if task.metric.higher_is_better else -1
    now = curve.scores[-1]
    return {"now": now, "then": float(then), "gain": sign * (float(then) - now), "error": 1 - now if sign > 0 else now,
            "told": curve.gain, "low": curve.gain_low, "high": curve.gain_high, "noise": curve.noise,
            "sizes": list(curve.sizes)}


def class_forecasts(one: Set, name: str) -> dict[str, Any]:
    """A forecast and its outcome for each drawn class and model; of sets without classes nothing."""
    task = asked(one, name)[1]
    if task.name != "classify":
        return {"task": task.name}
    task, x, truth, units = prepared(one, name)
    able = [k for k in range(len(task.out.categories))
            if len(np.unique(units[truth == k])) * (1 - 1 / FOLDS) / 2 >= FEWEST * 1.2]  # some luck of the draw allowed for
    drawn = stream(0, "forecast classes", name).permutation(able)[:CLASSES]
    out = {f"{model}, class {k}": class_outcome(task, learn, truth, units, name, int(k))
           for model, learn in learners(task, x, truth) for k in sorted(drawn)}
    return {"fresh": one.fresh, "task": task.name, "metric": task.metric.name, "rows": len(truth), "columns": x.shape[1], **out}


def class_outcome(task: Any, learn: Any, truth: np.ndarray, units: np.ndarray, name: str, k: int) -> dict[str, Any]:
    """The forecast from half of a class's units and all other rows, and what all of its units then gave."""
    rng = stream(0, "class forecast halves", name, k)
    place = stream(0, "forecast halves", name).permutation(units.max() + 1) % FOLDS
    kept = (truth != k) | (rng.random(units.max() + 1) < 0.5)[units]
    whole = [(np.flatnonzero(place[units] != f), np.flatnonzero(place[units] == f)) for f in range(FOLDS)]
    curve = class_size_curve(task, learn, tuple(Fold(t[kept[t]], v) for t, v in whole), truth, units,
                             str(task.out.categories[k]), repeats=FOLDS)
    return told_and_then(task, learn, truth, whole, curve)


def interval_score(low: float, high: float, value: float) -> float:
    return (high - low) + 2 / (1 - LEVEL) * (max(0.0, low - value) + max(0.0, value - high))


def summary(rows: list[dict[str, Any]], fresh: bool | None) -> dict[str, Any]:
    """Over all forecasts (of fresh sets, or of the others): coverage, interval scores of both, the difference with a limit
    over data sets, and how often the sign of a forecast that is sure of itself came true."""
    from scipy.stats import t

    names, ours, theirs, inside, sure = [], [], [], [], []
    quantile = float(t.ppf((1 + LEVEL) / 2, 6))
    for row in rows:
        for one in (r for r in row.values() if isinstance(r, dict) and "gain" in r and fresh in (None, row["fresh"])):
            value, low, high, noise = (one[k] / one["error"] for k in ("gain", "low", "high", "noise"))
            names.append(row["set"])
            ours.append(interval_score(low, high, value))
            theirs.append(interval_score(-quantile * noise, quantile * noise, value))
            inside.append(low <= value <= high)
            sure += [value > 0] if low > 0 else []
    if not ours:
        return {"forecasts": 0}
    gap = pd.Series(np.array(ours) - theirs).groupby(names).mean()
    half = t.ppf(0.95, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap))
    return {"forecasts": len(ours), "sets": len(gap), "coverage": float(np.mean(inside)), "ours": float(np.mean(ours)),
            "no_gain": float(np.mean(theirs)), "difference": float(gap.mean()), "upper": float(gap.mean() + half),
            "sure": len(sure), "came_true": int(np.sum(sure))}


def main() -> None:
    wanted = [w for w in sys.argv[1:] if w != "--classes"]
    name_of, measure = ("class_forecasts", class_forecasts) if "--classes" in sys.argv else ("forecasts", forecasts)
    for name, one in (class_sets() if measure is class_forecasts else sets()).items():
        if not wanted or name in wanted:
            row = measured(name_of, {"set": name}, lambda one=one, name=name: measure(one, name))
            for what, r in row.items():
                if isinstance(r, dict) and "gain" in r:
                    print(f"{name:24} {what:19} {row['metric']:9} now {r['now']:.3f} gain {r['gain']:+.4f} "
                          f"told {r['told']:+.4f} [{r['low']:+.4f}, {r['high']:+.4f}]", flush=True)
    rows = load(name_of)["rows"]
    cases = [("fresh sets", rows, True), ("sets seen before", rows, False), ("all", rows, None)]
    if measure is class_forecasts:
        cases += [(f"fresh sets, {what}", [r for r in rows if (r.get("metric") == "roc_auc") == (what == "AUC")], True)
                  for what in ("AUC", "accuracy and macro-F1")]
    for which, some, fresh in cases:
        told = {k: round(v, 3) if isinstance(v, float) else v for k, v in summary(some, fresh).items()}
        print(which, *(f"{k} {v}" for k, v in told.items()))


if __name__ == "__main__":
    main()
