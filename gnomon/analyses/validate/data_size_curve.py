"""What more data would bring, measured by giving back some of what there is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.analyses.validate._cheap import labelled
from gnomon.analyses.validate._power_law import LEVEL, errors_of, forecast
from gnomon.card import Card
from gnomon.data.parts import Fold
from gnomon.rng import stream
from gnomon.tasks._task import Prediction, Stats

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
MOST_JUDGED = 2000  # rows scored in a repeat
FEWEST_OF_CLASS = 30
Learn = Callable[[np.ndarray], Callable[[np.ndarray], Prediction]]


@dataclass(frozen=True)
class Curve:
    """sizes: training units. scores and limits at each size; forecast: the score with `ahead` units and its predictive
    range; gain: how much better than now (positive: better), with its range. by_class: recall of each class now and
    forecast. supported says why there is no forecast, "" when there is one."""

    metric: str
    unit: str
    model: str
    sizes: tuple[int, ...]
    scores: tuple[float, ...]
    lows: tuple[float, ...]
    highs: tuple[float, ...]
    repeats: int
    ahead: int = 0
    forecast: float | None = None
    low: float | None = None
    high: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    level: float = LEVEL
    noise: float = float("nan")  # sd of the gain measured again, were there none
    line: tuple[tuple[float, float], ...] = ()  # (units, fitted score), for drawing
    by_class: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    supported: str = ""


def data_size_curve(task: Any, learn: Learn, folds: Sequence[Fold], truth: np.ndarray, units: np.ndarray, *,
                    unit: str = "row", model: str = "", seed: int = 0, repeats: int = REPEATS) -> Curve | None:
    """Train `learn(rows)` on nested samples of whole units of each fold's training part, score its validation part.

    truth, units: (n,) of all rows. Sizes are five, evenly spaced in the logarithm from 15 % of the units (at least 15)
    to all. With error e (the score, or its distance from 1 where higher is better) the law is e(n) = a + b n^-c, a and b
    not negative. Ranges come from resampling the judged units and the repeats, from whether a is 0 or not (Akaike weights), and
    from the scatter of single trainings. Looks ahead to twice the units. None under 60 training units.
    """
    known = labelled(truth)
    plans = [_plan(folds[r % len(folds)], known, units, stream(seed, "curve", r)) for r in range(repeats)]
    if min(p.count for p in plans) < FEWEST:
        return None
    steps = _steps(min(p.count for p in plans))
    stats = [[_score_of(task, learn, p, k, truth) for k in steps] for p in plans]
    groups = [units[p.held] for p in plans]
    return _curve(task, stats, groups, [r % len(folds) for r in range(repeats)], steps, unit, model, seed)


@dataclass(frozen=True)
class _Plan:
    """One repeat: training rows with the rank of their unit in a random order, and the rows that judge."""

    train: np.ndarray
    rank: np.ndarray
    held: np.ndarray
    count: int


def _plan(fold: Fold, known: np.ndarray, units: np.ndarray, rng: np.random.Generator) -> _Plan:
    train, held = fold.train[known[fold.train]], fold.valid[known[fold.valid]]
    names, codes = np.unique(units[train], return_inverse=True)
    held = np.sort(rng.permutation(held)[:MOST_JUDGED]) if len(held) > MOST_JUDGED else held
    return _Plan(train, rng.permutation(len(names))[codes], held, len(names))


def _steps(count: int) -> list[int]:
    low = max(SMALLEST, round(FROM * count))
    return sorted({round(v) for v in np.geomspace(low, count, SIZES)})


def _score_of(task: Any, learn: Learn, plan: _Plan, units: int, truth: np.ndarray) -> Stats:
    rows = plan.train[plan.rank < units]
    return task.measure(learn(rows)(plan.held), truth[plan.held])


# ---- from statistics to the curve ----------------------------------------------------------------------------------
def _curve(task: Any, stats: list[list[Stats]], groups: list[np.ndarray], fold: list[int], steps: list[int], unit: str,
           model: str, seed: int) -> Curve:
    up = task.metric.higher_is_better
    back = (lambda e: 1 - e) if up else (lambda e: e)
    full, drawn = errors_of(stats, groups, fold, seed, lambda s: task, up)
    mean, boot = full.mean(axis=0), drawn.mean(axis=1)
    lows, highs = np.quantile(boot, [0.025, 0.975], axis=0)
    said = {"metric": task.metric.name, "unit": unit, "model": model, "sizes": tuple(steps), "repeats": len(stats),
            "scores": tuple(map(float, back(mean))), "lows": tuple(map(float, back(highs if up else lows))),
            "highs": tuple(map(float, back(lows if up else highs)))}
    found = forecast(np.array(steps, dtype=float), full, drawn, seed)
    if isinstance(found, str):
        return Curve(**said, supported=found)
    at = np.geomspace(steps[0], 2 * steps[-1], 24)
    now, then = found.now, found.then
    limits = sorted((float(back(mean[-1] - found.gain_high)), float(back(mean[-1] - found.gain_low))))
    return Curve(**said, ahead=2 * steps[-1], forecast=float(back(mean[-1] - (now - then))), low=limits[0], high=limits[1],
                 gain=now - then, gain_low=found.gain_low, gain_high=found.gain_high, noise=found.noise,
                 line=tuple((float(n), float(back(e))) for n, e in zip(at, found.law(at), strict=True)),
                 by_class=_classes(task, stats, groups, fold, steps, seed))


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
             seed: int) -> dict[str, dict[str, float]]:
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
        found = forecast(np.array(steps, dtype=float), errors, drawn, seed)
        if not isinstance(found, str):
            now = 1 - float(errors.mean(axis=0)[-1])
            gain = found.now - found.then
            out[str(name)] = {"now": now, "forecast": min(1.0, now + gain), "low": now + found.gain_low,
                              "high": min(1.0, now + found.gain_high)}
    return out
