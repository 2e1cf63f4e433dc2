"""Scores at several sizes as a curve with its forecast: shared by the curves of all the data and of one class."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.analyses.validate._power_law import LEVEL, errors_of, forecast
from gnomon.data.parts import Fold
from gnomon.tasks._task import Prediction, Stats

MOST_JUDGED = 2000  # rows scored in a repeat
FEWEST_REPEATS = 2
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


@dataclass(frozen=True)
class Plan:
    """One repeat: training rows with the rank of their unit in a random order (-1: always trained on), and the rows that
    judge. count: units that are ranked."""

    train: np.ndarray
    rank: np.ndarray
    held: np.ndarray
    count: int


def plan_of(fold: Fold, known: np.ndarray, units: np.ndarray, rng: np.random.Generator,
            given_back: np.ndarray | None = None) -> Plan:
    """The order in which units are given back. known, given_back (n,): rows with a target; rows that may be given back
    (None: all)."""
    train, held = fold.train[known[fold.train]], fold.valid[known[fold.valid]]
    free = np.ones(len(train), dtype=bool) if given_back is None else given_back[train]
    names, codes = np.unique(units[train[free]], return_inverse=True)
    rank = np.full(len(train), -1)
    rank[free] = rng.permutation(len(names))[codes]
    held = np.sort(rng.permutation(held)[:MOST_JUDGED]) if len(held) > MOST_JUDGED else held
    return Plan(train, rank, held, len(names))


def steps_of(count: int, smallest: int, share: float, sizes: int) -> list[int]:
    """Sizes evenly spaced in the logarithm, from a share of the units (at least `smallest`) to all."""
    return sorted({round(v) for v in np.geomspace(max(smallest, round(share * count)), count, sizes)})


def scored(task: Any, learn: Learn, plans: Sequence[Plan], steps: Sequence[int], truth: np.ndarray,
           enough: Callable[[], bool]) -> list[list[Stats]]:
    """Statistics of every repeat at every size; `enough` is asked before each training: whole repeats are kept."""
    out: list[list[Stats]] = []
    for plan in plans:
        row = []
        for size in steps:
            if enough():
                return out
            told = _learned(task, learn, plan.train[plan.rank < size], truth)
            row.append(task.measure(told(plan.held), truth[plan.held]))
        out.append(row)
    return out


def _learned(task: Any, learn: Learn, rows: np.ndarray, truth: np.ndarray) -> Callable[[np.ndarray], Prediction]:
    """Of rows of one class no recipe learns more than that class, and many will not try."""
    if task.name == "classify" and len(np.unique(truth[rows])) == 1:
        floor = task.naive(truth[rows])
        return lambda held: floor.predict(len(held))
    return learn(rows)


def different(plans: Sequence[Plan], size: int) -> int:
    """How many different trainings the repeats have at this size: with all units those of one fold are the same."""
    return len({p.train[p.rank < size].tobytes() for p in plans})


def curve_of(task: Any, stats: list[list[Stats]], groups: list[np.ndarray], fold: list[int], steps: list[int], *,
             whole: int, unit: str, model: str, seed: int) -> Curve:
    """The curve through these statistics (repeats, sizes), with its forecast where they support one. whole: different
    trainings with all units."""
    up = task.metric.higher_is_better
    back = (lambda e: 1 - e) if up else (lambda e: e)
    full, drawn = errors_of(stats, groups, fold, seed, lambda s: task, up)
    mean, boot = full.mean(axis=0), drawn.mean(axis=1)
    lows, highs = np.quantile(boot, [0.025, 0.975], axis=0)
    said = {"metric": task.metric.name, "unit": unit, "model": model, "sizes": tuple(steps), "repeats": len(stats),
            "scores": tuple(map(float, back(mean))), "lows": tuple(map(float, back(highs if up else lows))),
            "highs": tuple(map(float, back(lows if up else highs)))}
    found = forecast(np.array(steps, dtype=float), full, drawn, seed, whole)
    if isinstance(found, str):
        return Curve(**said, supported=found)
    at = np.geomspace(steps[0], 2 * steps[-1], 24)
    limits = sorted((float(back(found.now - found.gain_high)), float(back(found.now - found.gain_low))))
    return Curve(**said, ahead=2 * steps[-1], forecast=float(back(found.then)), low=limits[0], high=limits[1],
                 gain=found.now - found.then, gain_low=found.gain_low, gain_high=found.gain_high, noise=found.noise,
                 line=tuple((float(n), float(back(e))) for n, e in zip(at, found.law(at), strict=True)))
