"""What the best of several cross-validated candidates is worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from gnomon.analyses.validate._bootstrap import affordable, draws, in_blocks
from gnomon.analyses.validate._scores import Weighted, weighted
from gnomon.analyses.validate._units import NO_INTERVAL, known, unit_codes
from gnomon.analyses.validate.interval import INCLUDES, by_target, events, interval
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.values import Estimate

CARD = Card(
    name="Bootstrap bias corrected cross-validation",
    gist="The score of 'pick the best of these candidates', without the winner's luck.",
    use_when="Several candidates were cross-validated on the same rows and the best one is reported; no sealed part.",
    avoid_when="A sealed test part exists: the winner's score there needs no correction.",
    paper="Tsamardinos, Greasidou & Borboudakis 2018, Machine Learning 107",
    survey=("P7", "W7", "P6"),
    needs=("labels",),
    cost="seconds",
)
Candidate = Prediction | Sequence[Prediction]


def bbc_cv(task: Any, truth: np.ndarray, predictions: Sequence[Candidate], units: np.ndarray | None, *,
           level: float = 0.95, unit: str = "row", seed: int = 0, repeats: int = 2000) -> Estimate:
    """The expected score of choosing the best of k candidates by cross-validation.

    `predictions`: for each candidate its out-of-fold predictions of all n rows, or a list of them, one a repeat of the
    cross-validation (scores are averaged over repeats). Units are drawn with replacement; the candidate that is best on
    the drawn ones is scored on those left out; the value is the mean of these scores and the limits are their
    percentiles, as published: rather wide, as only a third of the units are left out, but near 1, where hardly a unit is
    wrong, far too short: they reach at least as far as the winner's own limits. Under 3 units: no interval.
    `by_target` holds the winner's scores, uncorrected.
    """
    stats = [[task.measure(p, truth) for p in ([c] if isinstance(c, Prediction) else c)] for c in predictions]
    rows = np.flatnonzero(known(stats[0][0]))
    stats = [[s.take(rows) for s in each] for each in stats]
    codes, g = unit_codes(None if units is None else np.asarray(units)[rows], len(rows))
    own, n_units, rng = codes if g < len(rows) else None, g, stream(seed, "bbc_cv")
    codes, g = in_blocks(codes, g, rng)
    candidates = [[weighted(task, s, codes, g) for s in each] for each in stats]
    sign = 1.0 if task.metric.higher_is_better else -1.0
    best = int(np.nanargmax([sign * np.mean([r.full for r in each]) for each in candidates]))
    outside = _left_out_scores(candidates, sign, g, repeats, rng)
    value = float(outside.mean()) if len(outside) else float("nan")
    low = high = None
    method = "BBC, percentiles, or the winner's own limits, whichever is wider"
    if g < NO_INTERVAL or not len(outside):
        method = "none: " + (f"fewer than {NO_INTERVAL} units" if g < NO_INTERVAL else "not defined on units left out")
    if g >= NO_INTERVAL and len(outside):
        low, high = (float(x) for x in np.quantile(outside, [(1 - level) / 2, (1 + level) / 2]))
        winner = interval(task, stats[best][0], own, level=level, seed=seed, repeats=repeats)
        if winner.low is not None and winner.high is not None:
            low, high = min(low, winner.low), max(high, winner.high)
    return Estimate(task.metric.name, value, low, high, level, "bbc_cv", unit, n_units, len(rows),
                    n_events=events(stats[best][0]), includes=INCLUDES["bbc_cv"],
                    method=method,
                    by_target=by_target(task, stats[best][0]))


def _left_out_scores(candidates: list[list[Weighted]], sign: float, g: int, repeats: int,
                     rng: np.random.Generator) -> np.ndarray:
    """Per draw, the score of the draw's own best candidate on the units left out; draws without one are dropped."""
    outside = []
    for w in draws(rng, g, affordable([r for each in candidates for r in each], repeats)):
        on, off = (np.stack([np.mean([r.of(x) for r in each], axis=0) for each in candidates])
                   for x in (w, (w == 0).astype(float)))
        chosen = np.where(np.isfinite(on), sign * on, -np.inf).argmax(axis=0)
        outside.append(np.take_along_axis(off, chosen[None], axis=0)[0])
    scores = np.concatenate(outside)
    return scores[np.isfinite(scores)]
