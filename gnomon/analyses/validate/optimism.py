"""How much a random split would have flattered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gnomon.analyses.validate._bootstrap import jackknife_error, left_out
from gnomon.analyses.validate._cheap import fit_predict
from gnomon.analyses.validate._scores import Weighted, weighted
from gnomon.analyses.validate._units import NO_INTERVAL, unit_codes
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._task import Stats

CARD = Card(
    name="Optimism of a random split",
    gist="The same cheap model and rows, predicted with and without relatives (or the future) in the training part.",
    use_when="Rows belong to groups, families or times, and a random split would be the habit of the field.",
    avoid_when="Fewer than three groups; or as a correction of another model's score.",
    paper="Roberts et al. 2017, Ecography 40; Kapoor & Narayanan 2023, Patterns 4",
    survey=("W7", "P7", "P8"),
    tasks=("classify", "regress"),
    needs=("labels", "groups"),
    cost="seconds",
)
FOLDS = 5
LEVEL = 0.95
LATE = 0.3  # share of the rows that count as late
Folds = Iterator[tuple[np.ndarray, np.ndarray]]


def optimism(task: Any, x: Any, truth: np.ndarray, units: np.ndarray, *, make: Callable[[], Any], model: str = "",
             seed: int = 0, repeats: int = 5, time: np.ndarray | None = None) -> dict[str, Any]:
    """Score `make()`, a scikit-learn-like estimator, on every row of matrix `x` (n, d) under random folds and under
    folds of whole units, with training parts of one size, `repeats` times over.

    Returns model, random, honest (mean scores), gap (positive: random flatters, whatever the metric), low, high (t over
    units, on the jackknife of the paired difference; None under 3 units), level, repeats. With `time` (n,), the late
    rows are predicted from early rows, and from as many rows of any time. With one unit or one time all are None.
    """
    rows = np.flatnonzero(truth >= 0 if truth.dtype.kind in "iu" else np.isfinite(truth))
    truth, x = truth[rows], x[rows]
    codes, g = unit_codes(np.asarray(units)[rows], len(rows))
    late = None if time is None else _late(np.asarray(time)[rows])
    if (late is None and g < 2) or (late is not None and not late.any()):
        nothing = dict.fromkeys(("random", "honest", "gap", "low", "high"))
        return {"model": model, **nothing, "level": LEVEL, "repeats": 0}
    pairs: list[tuple[Stats, Stats]] = []
    for repeat in range(repeats):
        rng = stream(seed, "optimism", repeat)
        loose, strict = _late_folds(late, rng) if late is not None else (_folds(np.arange(len(rows)), rng),
                                                                          _folds(codes, rng))
        pairs.append(_both(task, x, truth, list(loose), list(strict), make, rng))
    if late is not None:
        codes, g = unit_codes(codes[late], int(late.sum()))
    return {"model": model or type(make()).__name__, **_gap(task, pairs, codes, g), "repeats": repeats}


def _folds(codes: np.ndarray, rng: np.random.Generator) -> Folds:
    """(training, held-out) rows of FOLDS folds of whole units, large units placed first so that folds are even."""
    g = int(codes.max()) + 1
    sizes = np.bincount(codes, minlength=g)
    load, place = np.zeros(min(FOLDS, g)), np.empty(g, dtype=np.int64)
    order = rng.permutation(g)
    for unit in order[np.argsort(-sizes[order], kind="stable")]:
        place[unit] = int(load.argmin())
        load[place[unit]] += sizes[unit]
    for k in range(len(load)):
        held = place[codes] == k
        yield np.flatnonzero(~held), np.flatnonzero(held)


def _late(time: np.ndarray) -> np.ndarray:
    """The last rows in time, rows of one time kept together: bool (n,)."""
    ranks = np.unique(time, return_inverse=True)[1]
    return ranks >= max(1, int(np.quantile(ranks, 1 - LATE, method="higher")))


def _late_folds(late: np.ndarray, rng: np.random.Generator) -> tuple[Folds, Folds]:
    """Late rows held out in folds: trained on any other rows, and on early rows only."""
    after, before = np.flatnonzero(late), np.flatnonzero(~late)
    held = np.array_split(rng.permutation(after), FOLDS)
    loose = ((np.setdiff1d(np.arange(len(late)), h), h) for h in held)
    return loose, ((before, h) for h in held)


def _both(task: Any, x: Any, truth: np.ndarray, loose: list, strict: list, make: Callable[[], Any],
          rng: np.random.Generator) -> tuple[Stats, Stats]:
    """Out-of-fold statistics of the same rows both ways, every training part cut to the smallest."""
    size = min(len(train) for train, _ in [*loose, *strict])
    found = []
    for folds in (loose, strict):
        rows, parts = [], []
        for train, held in folds:
            if len(held):
                picked = rng.permutation(train)[:size]
                parts.append(task.measure(fit_predict(task, make(), x, truth, picked, held), truth[held]))
                rows.append(held)
        order = np.argsort(np.concatenate(rows), kind="stable")
        found.append(Stats({k: np.concatenate([p[k] for p in parts])[order] for k in parts[0].arrays}))
    return found[0], found[1]


def _gap(task: Any, pairs: list[tuple[Stats, Stats]], codes: np.ndarray, g: int) -> dict[str, Any]:
    from scipy.stats import t

    sign = 1.0 if task.metric.higher_is_better else -1.0
    scores: list[list[Weighted]] = [[weighted(task, s, codes, g) for s in pair] for pair in pairs]
    random, honest = (float(np.mean([pair[i].full for pair in scores])) for i in (0, 1))
    gap, low, high = sign * (random - honest), None, None
    if g >= NO_INTERVAL:
        without = np.mean([np.subtract(*left_out(pair, g)) for pair in scores], axis=0)
        without = without[np.isfinite(without)]
        half = float(t.ppf((1 + LEVEL) / 2, max(1, len(without) - 1))) * jackknife_error(without)
        low, high = gap - half, gap + half
    return {"random": random, "honest": honest, "gap": gap, "low": low, "high": high, "level": LEVEL}
