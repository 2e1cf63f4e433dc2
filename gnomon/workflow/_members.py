"""Candidates as they are judged: a run, or an ensemble of runs, with its statistics on the rows scored out of fold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.rng import stream
from gnomon.tasks._task import Prediction, Stats
from gnomon.tasks.logit_adjustment import decided, logit_adjustment
from gnomon.values import Recipe
from gnomon.workflow.caruana import CROSS, caruana, cross_fitted
from gnomon.workflow.run import Bench, Run

ENSEMBLE_NEEDS = 50  # rows predicted out of fold


@dataclass(frozen=True)
class Candidate:
    """recipe, family and the honest out-of-fold prediction; `members` are (weight, run). tilt: weights of the classes
    in the decision, () = none (gnomon.tasks.logit_adjustment)."""

    recipe: Recipe
    oof: Prediction
    stats: Stats
    score: float
    members: tuple[tuple[float, Run], ...]
    tilt: tuple[float, ...] = ()

    @property
    def family(self) -> str:
        return self.recipe.family

    def described(self, base: Path) -> list[dict[str, Any]]:
        """What `deliver` loads again: weights and folders relative to the study."""
        from gnomon.workflow._folder import relative

        return [{"weight": w, "recipe": run.recipe.hash, "folders": [relative(f, base) for f in run.folders],
                 "tilt": list(self.tilt)} for w, run in self.members if run.folders]


def judged(bench: Bench, runs: Sequence[Run]) -> list[Candidate]:
    """Each run with its out-of-fold statistics, and the ensemble when two or more may join it."""
    rows = runs[0].rows
    truth = bench.task.truth(bench.data, rows)
    single = [_candidate(bench, run.recipe, run.oof, truth, ((1.0, run),)) for run in runs]
    able = [c for c in single if c.family != "floor"]
    if len(able) < 2 or len(rows) < ENSEMBLE_NEEDS:
        return single
    good = _near_best(bench.task, able)
    if len(good) < 2:
        return single
    predictions = [c.oof for c in good]
    weights = caruana(bench.task, truth, predictions)
    members = tuple((float(w), c.members[0][1]) for w, c in zip(weights, good, strict=True) if w > 0)
    if len(members) < 2:
        return single
    oof = cross_fitted(bench.task, truth, predictions, bench.parts.units[rows], seed=bench.seed)
    recipe = Recipe(bench.task.name, "ensemble", "caruana",
                    {"weights": {run.recipe.hash: round(w, 3) for w, run in members}},
                    because="the weighted mean of candidates that err differently", family="ensemble")
    return [*single, _candidate(bench, recipe, oof, truth, members)]


def _candidate(bench: Bench, recipe: Recipe, oof: Prediction, truth: np.ndarray, members: Any) -> Candidate:
    tilt = logit_adjustment(bench.task, oof, truth) if recipe.family != "floor" else ()
    if tilt:
        oof = _cross_decided(bench, oof, truth, bench.parts.units[members[0][1].rows])
    stats = bench.task.measure(oof, truth)
    return Candidate(recipe, oof, stats, bench.task.score(stats), members, tilt)


def _cross_decided(bench: Bench, oof: Prediction, truth: np.ndarray, units: np.ndarray) -> Prediction:
    """Each row decided with weights chosen on rows of other units: an honest score of the tilted decision."""
    codes = np.unique(units, return_inverse=True)[1]
    part = stream(bench.seed, "decide").permutation(codes.max() + 1)[codes] % CROSS
    value = np.array(oof.value)
    for k in np.unique(part):
        here, there = np.flatnonzero(part == k), np.flatnonzero(part != k)
        value[here] = decided(oof.take(here), logit_adjustment(bench.task, oof.take(there), truth[there])).value
    return replace(oof, value=value)


def by_seed(bench: Bench, c: Candidate) -> tuple[Prediction, ...]:
    """What a run says with each of its seeds alone, where the candidate tilts its decision tilted in the same way."""
    run = c.members[0][1]
    if not c.tilt:
        return run.by_seed
    truth, units = bench.task.truth(bench.data, run.rows), bench.parts.units[run.rows]
    return tuple(_cross_decided(bench, p, truth, units) for p in run.by_seed)


def seed_scores(bench: Bench, c: Candidate) -> list[float]:
    """The score of each seed alone, out of fold."""
    truth = bench.task.truth(bench.data, c.members[0][1].rows)
    return [bench.task.score(bench.task.measure(p, truth)) for p in by_seed(bench, c)]


def fold_scores(bench: Bench, c: Candidate) -> list[float | None]:
    """The out-of-fold score of each fold's rows, of the first dealing (over further ones predictions are averaged); None
    where it is not defined, as with one class."""
    rows = c.members[0][1].rows
    at = [np.flatnonzero(np.isin(rows, fold.valid)) for fold in bench.parts.folds if fold.repeat == 0]
    scores = [float(bench.task.score(c.stats.take(here))) for here in at]
    return [score if np.isfinite(score) else None for score in scores]


def _near_best(task: Any, able: Sequence[Candidate], most: int = 8) -> list[Candidate]:
    """The best few: the rest would only add noise to the choice of weights."""
    sign = 1 if task.metric.higher_is_better else -1
    return sorted((c for c in able if np.isfinite(c.score)), key=lambda c: -sign * c.score)[:most]
