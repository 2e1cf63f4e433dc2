"""What more data would bring, measured by giving back some of what there is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.validate._cheap import labelled
from gnomon.analyses.validate._power_law import errors_of, forecast
from gnomon.analyses.validate._size_curve import FEWEST_REPEATS, Curve, Learn, curve_of, different, plan_of, scored, steps_of
from gnomon.card import Card
from gnomon.data.parts import Fold
from gnomon.rng import stream
from gnomon.tasks._task import Stats

CARD = Card(
    name="Data-size curve",
    gist="The same recipe trained on five nested samples of units; a power law through the scores looks one doubling ahead.",
    use_when="Deciding whether to measure more: the gain of twice the units, with the range it will probably lie in.",
    avoid_when="Under about 60 units, or to look further than one doubling ahead.",
    paper="Hestness et al. 2017, arXiv:1712.00409; Viering & Loog 2022, arXiv:2103.10948",
    survey=("W10", "P5"),
    tasks=("classify", "regress"),
    needs=("labels", "groups"),
    cost="minutes",
)
FEWEST, SMALLEST = 60, 15  # units to begin with, and units of the smallest sample
SIZES, REPEATS = 5, 4
FROM = 0.15  # the smallest sample's share of the units
FEWEST_OF_CLASS = 30


def data_size_curve(task: Any, learn: Learn, folds: Sequence[Fold], truth: np.ndarray, units: np.ndarray, *,
                    unit: str = "row", model: str = "", seed: int = 0, repeats: int = REPEATS,
                    enough: Callable[[], bool] = lambda: False) -> Curve | None:
    """Train `learn(rows)` on nested samples of whole units of each fold's training part, score its validation part.

    truth, units: (n,) of all rows. Sizes are five, evenly spaced in the logarithm from 15 % of the units (at least 15)
    to all. With error e (the score, or its distance from 1 where higher is better) the laws are e(n) = a + b n^-c, a and b
    not negative, weighed by how they fit (errors of the points from resampling the judged units and the repeats) and by
    how much a doubling usually brings; ranges add the scatter of single trainings, of which the repeats of one fold have
    one in common with all units. Looks ahead to twice the units. None
    under 60 training units, or where `enough()` said to stop before two repeats were whole.

    Differs: Hestness et al. fit one law; few noisy points make a best fit promise too much, so all laws are weighed.
    """
    known = labelled(truth)
    plans = [plan_of(folds[r % len(folds)], known, units, stream(seed, "curve", r)) for r in range(repeats)]
    if min(p.count for p in plans) < FEWEST:
        return None
    steps = steps_of(min(p.count for p in plans), SMALLEST, FROM, SIZES)
    stats = scored(task, learn, plans, steps, truth, enough)
    if len(stats) < FEWEST_REPEATS:
        return None
    groups, fold = [units[p.held] for p in plans[:len(stats)]], [r % len(folds) for r in range(len(stats))]
    whole = different(plans[:len(stats)], steps[-1])
    curve = curve_of(task, stats, groups, fold, steps, whole=whole, unit=unit, model=model, seed=seed)
    return replace(curve, by_class={} if curve.gain is None else _classes(task, stats, groups, fold, steps, whole, seed))


# ---- by class ------------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Miss:
    """The share of a class that is missed, as a metric (1 - recall)."""

    place: int

    @property
    def metric(self) -> Any:
        from gnomon.tasks._task import Metric

        return Metric("missed", False, self.score, lambda s: (s["value"] != self.place).astype(float))

    def score(self, stats: Stats) -> float:
        own = stats["truth"] == self.place
        return float((stats["value"][own] != self.place).mean()) if own.any() else float("nan")


def _classes(task: Any, stats: list[list[Stats]], groups: list[np.ndarray], fold: list[int], steps: list[int],
             whole: int, seed: int) -> dict[str, dict[str, float]]:
    """Recall of each class with at least 30 judged rows: now, and forecast with its range. All classes grow together."""
    if task.name != "classify" or len(task.out.categories) > 10 or sum(len(s[0]) for s in stats) > 4000:
        return {}
    out = {}
    for k, name in enumerate(task.out.categories):
        rows = [np.flatnonzero(row[0]["truth"] == k) for row in stats]
        if min(map(len, rows)) < FEWEST_OF_CLASS:
            continue
        part = [[s.take(at) for s in row] for row, at in zip(stats, rows, strict=True)]
        of = lambda _, k=k: _Miss(k)  # noqa: E731
        errors, drawn = errors_of(part, [g[at] for g, at in zip(groups, rows, strict=True)], fold, seed, of, False)
        found = forecast(np.array(steps, dtype=float), errors, drawn, seed, whole)
        if not isinstance(found, str):
            now = 1 - float(errors.mean(axis=0)[-1])
            gain = found.now - found.then
            out[str(name)] = {"now": now, "forecast": min(1.0, now + gain), "low": max(0.0, now + found.gain_low),
                              "high": min(1.0, now + found.gain_high)}
    return out
