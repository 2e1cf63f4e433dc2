"""Is there anything to learn here at all?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import numpy as np

from gnomon.analyses.validate._auc import is_binary_auc
from gnomon.analyses.validate._bootstrap import left_out, pseudo_values, sign_flips
from gnomon.analyses.validate._scores import mean_loss, weighted
from gnomon.analyses.validate._units import NO_P, scorable, undefined_because
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._task import Stats

CARD = Card(
    name="Test for any signal",
    gist="Whether the chosen model beats the floor by more than chance would let it, and what could have been found.",
    use_when="Before any claim that something was learned; above all with few rows or many candidates.",
    avoid_when="Two real models are compared: use the paired comparison.",
    paper="Ojala & Garriga 2010, JMLR 11; Mann & Whitney 1947, Ann. Math. Stat. 18; Hartigan 1969, JASA 64",
    survey=("P7", "W7", "P2"),
    needs=("labels",),
    cost="seconds",
)
LEVEL = 0.025  # one-sided: as strict as a 95 % interval that must exclude the floor
POWER = 0.84  # normal quantile of 80 % power
FEWEST_HITS = 6  # rows right in favour of one of two, and none of the other, that signs by chance give in under LEVEL
SHUFFLES, FLIPS = 499, 1999
CHUNK = 1 << 20  # truths held at once
BOTH_WAYS = 2.0  # variance of an out-of-fold score under the null over that of truth shuffled against fixed predictions


@dataclass(frozen=True)
class NoSignal:
    """p: one-sided, None where there are too few groups to print one. signal: the model beats the floor beyond chance.
    judged: some test could be made; where none could, smallest_effect is "not checked: " and why.
    detectable: the score that would have been found with 80 % power (beyond the best there is: none would). smallest_effect:
    the same as a sentence."""

    p: float | None
    signal: bool
    test: str
    detectable: float | None
    smallest_effect: str

    @property
    def judged(self) -> bool:
        return not self.test.startswith("none")

    @property
    def why_not(self) -> str:
        return "" if self.judged else self.smallest_effect.removeprefix("not checked: ")


def no_signal(task: Any, stats: Stats | Sequence[Stats], floor_stats: Stats, units: np.ndarray | None, *,
              informed: bool = False, seed: int = 0) -> NoSignal:
    """Test the model's `stats` against the floor's on the same n rows, one-sided at 2.5 %.

    informed: the floor knows something (a site's prevalence, the latest value): shuffled truth would take that from it and
    leave the model's lead over it untested, so candidates and floor are compared by sign flips of their differences, the
    same for every candidate and the best taken each time, so that selection is repeated.

    One Stats: a sealed part; Mann-Whitney for a two-class AUC, otherwise sign flips, of groups where rows have them.
    A list of Stats: out-of-fold statistics of every candidate that selection could have chosen; the best score is
    compared with the best after shuffling the truth among exchangeable units, so that selection is repeated each time.
    Under 6 groups the truth is shuffled within groups, and no p is given.

    Shuffling against fixed predictions repeats selection, not training, and is too narrow across folds: two units of
    different folds learn from one another, so the product of their truths enters the score twice (w_ij + w_ji)
    where the shuffle has it once each. (w_ij + w_ji)^2 <= 2 (w_ij^2 + w_ji^2), with equality for a symmetric smoother, so
    the variance is at most BOTH_WAYS times as large for any predictor linear in its training truths; the null's spread is
    widened by the root of it. Training again on every shuffle (Ojala & Garriga's first test) would cost 499 studies.
    """
    candidates = [stats] if isinstance(stats, Stats) else list(stats)
    held_out = isinstance(stats, Stats)
    joint = {f"{i}|{k}": v for i, s in enumerate([*candidates, floor_stats]) for k, v in s.arrays.items()}
    joint, codes, g = scorable(Stats({**joint, **_truths(candidates[0])}), units)
    *candidates, floor = [_one(joint, i) for i in range(len(candidates) + 1)]
    rng = stream(seed, "no_signal")
    if len(joint) < 3:
        return _unjudged(joint, f"only {len(joint)} {'row has' if len(joint) == 1 else 'rows have'} a label")
    if informed and g >= NO_P:
        return _flipped_best(task, candidates, floor, codes, g, rng, spread=1.0 if held_out else BOTH_WAYS**0.5)
    if not held_out or g < NO_P:
        return _shuffled(task, candidates, floor, codes, g, rng, spread=1.0 if held_out else BOTH_WAYS**0.5)
    if g == len(joint) and is_binary_auc(task, candidates[0]):
        return _mann_whitney(task, candidates[0])
    return _flipped(task, candidates[0], floor, codes, g, rng)


def _truths(stats: Stats) -> dict[str, np.ndarray]:
    return {k: v for k, v in stats.arrays.items() if k == "truth" or k.endswith(".truth")}


def _one(joint: Stats, i: int) -> Stats:
    start = f"{i}|"
    return Stats({k[len(start):]: v for k, v in joint.arrays.items() if k.startswith(start)})


def _unjudged(stats: Stats, why: str = "") -> NoSignal:
    why = why or undefined_because(stats)
    return NoSignal(None, False, f"none: {why}", None, f"not checked: {why}")


def _sign(task: Any) -> float:
    return 1.0 if task.metric.higher_is_better else -1.0


def _best(task: Any) -> float:
    """The best score there is."""
    return 1.0 if task.metric.higher_is_better else 0.0


def _hit(task: Any, stats: Stats) -> float:
    """What one more right row adds to a score that is a share of rows; 0 for other scores."""
    losses = mean_loss(task, stats) if task.metric.higher_is_better else None
    return 1 / len(stats) if losses is not None and np.isin(losses, (0.0, 1.0)).all() else 0.0


def _mann_whitney(task: Any, stats: Stats) -> NoSignal:
    """Normal approximation with the variance under the null and its correction for ties."""
    from scipy.stats import norm

    positive, score = stats["truth"] == 1, stats["proba"][:, 1]
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        return _unjudged(stats)
    n = n1 + n0
    runs = np.unique(score, return_counts=True)[1].astype(float)
    ties = ((runs**3 - runs).sum()) / (n * (n - 1))
    error, widest = (np.sqrt(max(0.0, n + 1 - t) / (12 * n1 * n0)) for t in (ties, 0.0))
    area = float(task.score(stats))
    p = float(norm.sf((area - 0.5) / error)) if error > 0 else 1.0
    found = float(min(1.0, 0.5 + (norm.isf(LEVEL) + POWER) * widest))
    return NoSignal(p, p < LEVEL, "Mann-Whitney", found, _sentence(task, n, n, found))


def _flipped(task: Any, stats: Stats, floor: Stats, codes: np.ndarray, g: int, rng: np.random.Generator) -> NoSignal:
    from scipy.stats import norm

    ours, naive = (weighted(task, s, codes, g) for s in (stats, floor))
    without = left_out([ours, naive], g, blocks=1000)
    gaps = _sign(task) * (without[0] - without[1])
    gap, gaps = _sign(task) * (ours.full - naive.full), gaps[np.isfinite(gaps)]
    if not np.isfinite(gap) or len(gaps) < NO_P:
        return _unjudged(stats)
    each = pseudo_values(gap, gaps)
    means = sign_flips(each, rng).means
    p = float((1 + (means <= 0).sum()) / (len(means) + 1))
    error = each.std(ddof=1) / np.sqrt(len(each))
    found = _sign(task) * naive.full + max(float(norm.isf(LEVEL) + POWER) * error, FEWEST_HITS * _hit(task, stats))
    found = float(_sign(task) * found)
    name = "group sign-flip" if g < len(codes) else "sign-flip"
    if not each.any() and not _hit(task, stats):
        return NoSignal(p, False, name, None, "the model says what the floor says of every row: what could have been found is "
                        "not known")
    return NoSignal(p, p < LEVEL, name, found, _sentence(task, len(codes), g, found))


def _flipped_best(task: Any, candidates: list[Stats], floor: Stats, codes: np.ndarray, g: int, rng: np.random.Generator,
                  *, spread: float) -> NoSignal:
    """The best candidate's lead over the floor against the best lead when units' leads change sign by chance, the chance
    leads `spread` times as wide."""
    scores = [weighted(task, s, codes, g) for s in (*candidates, floor)]
    without = left_out(scores, g, blocks=1000)
    sign = _sign(task)
    each = []
    for score, less in zip(scores[:-1], without[:-1], strict=True):
        lead, leads = sign * (score.full - scores[-1].full), sign * (less - without[-1])
        if np.isfinite(lead) and np.isfinite(leads).all() and len(leads) >= NO_P:
            each.append(pseudo_values(lead, leads))
    if not each:
        return _unjudged(candidates[0])
    leads = np.stack(each)
    flips = rng.choice([-1.0, 1.0], size=(FLIPS, leads.shape[1]))
    null = spread * (flips @ leads.T / leads.shape[1]).max(axis=1)
    best = float(leads.mean(axis=1).max())
    p = float((1 + (null >= best - 1e-12).sum()) / (FLIPS + 1))
    found = float(scores[-1].full + sign * (np.quantile(null, 1 - LEVEL) + POWER * null.std() / spread))
    name = "sign-flip of the best lead" if g == len(codes) else "group sign-flip of the best lead"
    return NoSignal(p, bool(p < LEVEL and best > 0), name, found, _sentence(task, len(codes), g, found))


def _shuffled(task: Any, candidates: list[Stats], floor: Stats, codes: np.ndarray, g: int, rng: np.random.Generator,
              *, spread: float) -> NoSignal:
    """The best score against the best after each shuffle, every candidate's shuffled scores `spread` times as wide."""
    sign = _sign(task)
    if g < NO_P and _arrangements(_truths(candidates[0]), codes, g) * LEVEL < 1:
        return _unjudged(candidates[0], f"the target is the same throughout each of only {g} groups")
    best = max((sign * task.score(s) for s in candidates), default=float("nan"))
    each = sign * _scores_of_shuffles(task, candidates, _truths(candidates[0]), codes, g, rng)
    null = np.max([_widened(scores, spread) for scores in each], axis=0)
    null = null[np.isfinite(null)]
    floor_score = float(task.score(floor))
    if not len(null) or not np.isfinite(best):
        return _unjudged(candidates[0])
    p = float((1 + (null >= best - 1e-12).sum()) / (len(null) + 1))
    found = max(float(np.quantile(null, 1 - LEVEL)) + POWER * float(null.std()) / spread,
                sign * floor_score + _hit(task, candidates[0]))
    signal = bool(p < LEVEL and best > sign * floor_score)
    test = "permutation within groups" if g < NO_P else "permutation" if g == len(codes) else "permutation of groups"
    return NoSignal(None if g < NO_P else p, signal, test, sign * found, _sentence(task, len(codes), g, sign * found))


def _widened(scores: np.ndarray, spread: float) -> np.ndarray:
    middle = scores[np.isfinite(scores)].mean() if np.isfinite(scores).any() else 0.0
    return middle + spread * (scores - middle)


def _scores_of_shuffles(task: Any, candidates: list[Stats], truths: dict[str, np.ndarray], codes: np.ndarray, g: int,
                        rng: np.random.Generator) -> np.ndarray:
    """The scores of all candidates after each shuffle of the truth, (candidates, SHUFFLES), a few shuffles at a time."""
    scorers = [_scorer(task, s) for s in candidates]
    shuffles, out = _shuffles(truths, codes, g, rng), []
    while indices := list(islice(shuffles, max(1, CHUNK // len(codes)))):
        moved = [{k: v[index] for k, v in truths.items()} for index in indices]
        out.append(np.stack([score(moved) for score in scorers]))
    return np.concatenate(out, axis=1)


def _scorer(task: Any, stats: Stats) -> Callable[[list[dict[str, np.ndarray]]], np.ndarray]:
    """The scores of predictions against other truths; a two-class AUC needs its ranks only once."""
    if not is_binary_auc(task, stats):
        return lambda moved: np.array([task.score(Stats({**stats.arrays, **m})) for m in moved])
    from scipy.stats import rankdata

    ranks = rankdata(stats["proba"][:, 1])

    def of(moved: list[dict[str, np.ndarray]]) -> np.ndarray:
        positive = np.stack([m["truth"] == 1 for m in moved]).astype(float)
        n1 = positive.sum(1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return (positive @ ranks - n1 * (n1 + 1) / 2) / (n1 * (len(stats) - n1))

    return of


def _whole(truths: dict[str, np.ndarray], codes: np.ndarray) -> bool:
    """Whether the truth is equal within every unit."""
    first = np.unique(codes, return_index=True)[1]
    return all(np.array_equal(v, v[first][codes], equal_nan=v.dtype.kind == "f") for v in truths.values())


def _arrangements(truths: dict[str, np.ndarray], codes: np.ndarray, g: int) -> float:
    """In how many ways few units can swap their truth; endless where it moves within them."""
    if not _whole(truths, codes):
        return math.inf
    first = np.unique(codes, return_index=True)[1]
    alike = np.unique(np.stack([v[first] for v in truths.values()], axis=1), axis=0, return_counts=True)[1]
    return math.factorial(g) / math.prod(math.factorial(k) for k in alike)


def _shuffles(truths: dict[str, np.ndarray], codes: np.ndarray, g: int,
              rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Row indices that move the truth among exchangeable units.

    Rows that are units: any order. Truth equal within every unit: units swap their truth. Otherwise units swap their
    rows whole, end to end, so that what neighbours share stays together. Under 6 units: within units.
    """
    n, first = len(codes), np.unique(codes, return_index=True)[1]
    order = np.argsort(codes, kind="stable")
    start = np.searchsorted(codes[order], np.arange(g + 1))
    whole = _whole(truths, codes)
    for _ in range(SHUFFLES):
        index = np.empty(n, dtype=np.int64)
        if g == n:
            yield rng.permutation(n)
        elif g < NO_P and not whole:
            for a, b in pairwise(start):
                index[order[a:b]] = rng.permutation(order[a:b])
            yield index
        elif whole:
            yield first[rng.permutation(g)][codes]
        else:
            index[order] = np.concatenate([order[start[u]:start[u + 1]] for u in rng.permutation(g)])
            yield index


def _sentence(task: Any, n: int, g: int, found: float) -> str:
    size = f"n = {n}" if g == n else f"n = {n} in {g} groups"
    side = "above" if task.metric.higher_is_better else "below"
    name = {"roc_auc": "AUC", "rmse": "RMSE", "mae": "MAE", "r2": "R2"}.get(task.metric.name,
                                                                         task.metric.name.replace("_", " "))
    if _sign(task) * found >= _sign(task) * _best(task):
        return f"with {size}, no score ({name}) would have been found with 80 % power"
    unit = f" {task.metric.unit}" if getattr(task.metric, "unit", "") else ""
    return f"with {size}, a score ({name}) {side} {found:.3g}{unit} would have been found with 80 % power"
