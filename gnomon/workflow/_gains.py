"""Gains that a study measured, for the advice: more data and more of a class from curves, more seeds from those trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gnomon.analyses.validate._bootstrap import jackknife_error, left_out
from gnomon.analyses.validate._scores import weighted
from gnomon.analyses.validate._units import scorable
from gnomon.values import Finding
from gnomon.workflow._effects import CLEANED
from gnomon.workflow._members import Candidate, by_seed
from gnomon.workflow._more_data import is_near
from gnomon.workflow.run import Bench
from gnomon.workflow.verdict import Verdict

FEWEST_SEEDS = 3  # whose scores tell how far seeds scatter


def seed_gain(bench: Bench, best: Candidate) -> dict[str, Any] | None:
    """What twice the seeds would bring a recommended deep model, from what the mean of its s seeds brought over one.

    Averaging s seeds leaves V / s of a single seed's excess error V, so V = (one - together) / (1 - 1 / s) and doubling
    s gains V / 2s. The range is predictive: the units, by a jackknife, and which seeds come next. The mean of s seeds shares
    half its luck with that of 2s, so what is then gained scatters by sd / sqrt(2s) about V / 2s. None under three seeds: the
    sd of two says nothing.
    """
    from scipy.stats import t

    run = best.members[0][1]
    s = len(run.by_seed)
    if best.family != "deep" or s < FEWEST_SEEDS:
        return None
    truth, sign = bench.task.truth(bench.data, run.rows), 1 if bench.task.metric.higher_is_better else -1
    stats = [bench.task.measure(p, truth) for p in (*by_seed(bench, best), best.oof)]
    kept = [scorable(one, bench.parts.units[run.rows]) for one in stats]
    scores = [weighted(bench.task, one, codes, g) for one, codes, g in kept]
    part = sign / (1 - 1 / s) / (2 * s)
    gain = part * (scores[-1].full - float(np.mean([w.full for w in scores[:-1]])))
    without = left_out(scores, kept[0][2])
    units = float(t.ppf(0.95, without.shape[1] - 1)) * abs(part) * jackknife_error(without[-1] - without[:-1].mean(axis=0))
    luck = float(t.ppf(0.95, s - 1)) * float(np.std([w.full for w in scores[:-1]], ddof=1)) / np.sqrt(2 * s)
    half = float(np.hypot(units, luck))
    return {"seeds": s, "gain": gain, "low": gain - half, "high": gain + half, "level": 0.9}


def measured_gains(shown: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Expected gains that this study measured, by kind of step: twice the units, twice those of a class, twice the seeds.
    What was measured on a model that is far from the recommended one says nothing about that."""
    out, seeds = {}, shown.get("seeds") or {}
    curves = {"more data": shown.get("curve") or {}, **{more_of(n): c for n, c in (shown.get("classes") or {}).items()}}
    for step, curve in curves.items():
        if curve.get("gain") is not None and curve["near"]:
            out[step] = {"value": curve["gain"], "low": curve["gain_low"], "high": curve["gain_high"],
                         "level": curve["level"], "metric": shown.get("metric"), "kind": "predictive", "model": curve["model"]}
    if seeds.get("gain") is not None:
        out["more seeds"] = {"value": seeds["gain"], "low": seeds["low"], "high": seeds["high"], "level": seeds["level"],
                             "metric": shown.get("metric"), "kind": "predictive", "model": shown.get("model")}
    return out


def cleaning_gain(f: Finding, bench: Bench, candidates: Sequence[Candidate], best: Candidate | None) -> dict[str, Any] | None:
    """What leaving the suspect labels out of training brought the same model, on the same validation rows, paired over units:
    the measured part of what putting them right would bring. None where the recommended model has left them out already, or
    where that model is far from the recommended one."""
    effect = (f.action.effect if f.action is not None else None) or {}
    cleaned = next((c for c in candidates if c.recipe.method == CLEANED), None)
    if "difference" not in effect or effect["low"] is None or cleaned is None or best is None or \
            any(run.recipe.method == CLEANED for _, run in best.members) or not is_near(bench, candidates, best, cleaned):
        return None
    return {"value": -effect["difference"], "low": -effect["high"], "high": -effect["low"], "level": effect["level"],
            "metric": effect["metric"], "kind": "paired", "model": effect["model"]}


def choice_gain(bench: Bench, verdict: Verdict) -> dict[str, Any] | None:
    """What the model of the best validation score brings over the simpler one that is recommended, on sealed rows, where that
    is not clear. None where they are one or no rows are sealed: those that chose it flatter it."""
    if verdict.recommended is None or verdict.recommended is verdict.chosen or not len(bench.parts.test):
        return None
    d = verdict.difference
    if d.low is None or d.low > 0:  # surely better and not recommended: other findings stand against it
        return None
    return {"value": d.value, "low": d.low, "high": d.high, "level": d.level, "kind": "paired",
            "metric": bench.task.metric.name, "model": verdict.chosen.recipe.label}


def more_of(label: str) -> str:
    """The step of collecting more of one class."""
    return f"more of class {label}"
