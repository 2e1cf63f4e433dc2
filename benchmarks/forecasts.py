"""Do forecasts of what twice the data would bring come true?

    python benchmarks/forecasts.py [SET ...]

Half of the training units play "all there is": the data-size curve looks ahead to twice as many, and the other half then
tells what it would have been, on the same judged rows. Scored by the interval score at 90 % (Gneiting & Raftery 2007),
in shares of the present error, against "no gain": an interval about 0 as wide as a repeated training scatters. Two models
on each set. The sets that shaped the method (its prior, its covariance) and the fresh ones, on which its claim rests, are
told apart. Writes results/forecasts.json and prints the summaries.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pandas as pd
from _forecast_sets import Set, sets
from _kit import load, measured

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
MODELS = ("ridge", "logistic", "forest")


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
    return {"fresh": one.fresh, "task": task.name, "metric": task.metric.name, "rows": len(truth), "columns": x.shape[1], **out}


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


def summary(fresh: bool | None) -> dict[str, Any]:
    """Over all forecasts (of fresh sets, or of the others): coverage, interval scores of both, and the difference with a
    limit over data sets."""
    from scipy.stats import t

    rows, ours, theirs, inside = [], [], [], []
    quantile = float(t.ppf((1 + LEVEL) / 2, 6))
    for row in load("forecasts")["rows"]:
        for one in (row[m] for m in MODELS if "gain" in row.get(m, ()) and fresh in (None, row["fresh"])):
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
            for model in MODELS:
                if "gain" in row.get(model, ()):
                    r = row[model]
                    print(f"{name:24} {model:9} {row['metric']:9} now {r['now']:.3f} gain {r['gain']:+.4f} "
                          f"told {r['told']:+.4f} [{r['low']:+.4f}, {r['high']:+.4f}]", flush=True)
    for which, fresh in (("fresh sets", True), ("sets seen before", False), ("all", None)):
        told = {k: round(v, 3) if isinstance(v, float) else v for k, v in summary(fresh).items()}
        print(which, *(f"{k} {v}" for k, v in told.items()))


if __name__ == "__main__":
    main()
