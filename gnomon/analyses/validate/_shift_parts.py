"""What differs between training rows and rows of another source, as far as it can be told: inputs, target, relation.

Covariate shift is seen from the inputs alone. That the target is distributed differently is seen once its values are
known, but may follow from the inputs: what a model expects of them is set beside it. A changed relation between inputs
and target (concept shift) is tested where it can be, at test rows that have training rows as near as training rows are
to each other; elsewhere, and without targets, it is not identifiable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import discoveries
from gnomon.analyses.validate._units import NO_P, unit_codes
from gnomon.rng import stream

LEAST_DISTANCE = 0.1  # Kolmogorov-Smirnov distance below which a moved column is not worth a word
MOST_FEATURES = 400  # compared column by column; of more, those whose means differ most
MATCHED_ROWS, MATCHES = 30, 5  # fewest matched rows that test the relation; training neighbours of each
LEVEL = 0.975  # of each of two intervals, for larger errors and for leaning to one side: 95 % together


@dataclass(frozen=True)
class Moved:
    """One input feature distributed differently: its Kolmogorov-Smirnov distance, and its means in training sd's."""

    name: str
    distance: float
    difference: float


@dataclass(frozen=True)
class TargetMoved:
    """How the target differs. what: the target or the class; difference: of its mean (share) test less training; expected:
    how much of that the model expects from the inputs alone; spread: sd in training (1 for shares)."""

    what: str
    difference: float
    expected: float | None
    spread: float
    beyond_chance: bool


@dataclass(frozen=True)
class Relation:
    """Errors at matched inputs. n of of: test rows with training rows as near as those are to each other. more: how much
    larger the test rows' error is, as a share of the training rows', with 95 % limits; lean: their mean residual
    less the training rows', in the target's unit (regression) or as a share (first class). units: independent units on
    the side that has fewer; under 6 nothing is said."""

    n: int
    of: int
    more: tuple[float, float, float] | None
    lean: tuple[float, float, float] | None
    units: int = NO_P

    @property
    def changed(self) -> bool:
        """Whether the model errs more, or to one side, at inputs it was trained at."""
        return bool(self.more and self.more[1] > 0) or bool(self.lean and (self.lean[1] > 0 or self.lean[2] < 0))


def moved_features(train: np.ndarray, test: np.ndarray, names: Sequence[str], units: tuple[int, int]) -> list[Moved]:
    """Features whose distribution differs beyond chance (two-sample Kolmogorov-Smirnov; false discoveries at most 0.5 %),
    farthest first. units: independent units on each side: rows of one unit count once."""
    from scipy.stats import kstwobign

    train, test = np.nan_to_num(train.astype(np.float64)), np.nan_to_num(test.astype(np.float64))
    spread = np.maximum(train.std(axis=0), 1e-12)
    far = (test.mean(axis=0) - train.mean(axis=0)) / spread
    some = np.argsort(-np.abs(far), kind="stable")[:MOST_FEATURES]
    distance = np.array([_distance(train[:, j], test[:, j]) for j in some])
    root = np.sqrt(units[0] * units[1] / sum(units))
    stands = discoveries(kstwobign.sf(distance * root)) & (distance >= LEAST_DISTANCE)
    kept = [Moved(str(names[j]), float(d), float(np.clip(far[j], -99, 99)))
            for j, d, s in zip(some, distance, stands, strict=True) if s]
    return sorted(kept, key=lambda m: -m.distance)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    """Largest distance of the two empirical distribution functions."""
    values = np.unique(np.concatenate([a, b]))
    return float(np.abs(np.searchsorted(np.sort(a), values, "right") / len(a)
                        - np.searchsorted(np.sort(b), values, "right") / len(b)).max())


def target_moved(task: Any, train: np.ndarray, test: np.ndarray, expected: tuple[Any, Any],
                 units: tuple[np.ndarray, np.ndarray]) -> TargetMoved | None:
    """The target of training against test rows; for classes the one whose share moved most.

    expected: the model's predictions of both (out of fold; of the delivered model). units: of the rows of both; under 6
    on a side nothing is beyond chance. None for several targets.
    """
    from scipy.stats import kstwobign

    if task.name == "classify":
        return _share_moved(task, (train, test), expected, units)
    if task.name != "regress":
        return None
    known = np.isfinite(train), np.isfinite(test)
    a, b = train[known[0]], test[known[1]]
    counts = [len(np.unique(u[k])) for u, k in zip(units, known, strict=True)]
    p = kstwobign.sf(_distance(a, b) * np.sqrt(counts[0] * counts[1] / sum(counts)))
    told = float(expected[1].value.mean() - expected[0].value.mean())
    return TargetMoved(task.target, float(b.mean() - a.mean()), told, float(a.std()), bool(min(counts) >= NO_P and p < 0.01))


def _share_moved(task: Any, truths: tuple[np.ndarray, np.ndarray], expected: tuple[Any, Any],
                 units: tuple[np.ndarray, np.ndarray]) -> TargetMoved:
    """The class whose share moved most, by a score test: errors over units about the share that both have together."""
    from scipy.stats import t

    sides = [(v[v >= 0].astype(int), *unit_codes(u[v >= 0], int((v >= 0).sum()))) for v, u in zip(truths, units, strict=True)]
    shares = [np.bincount(v, minlength=len(task.classes)) / max(len(v), 1) for v, _, _ in sides]
    k, total = int(np.abs(shares[1] - shares[0]).argmax()), sum(g for _, _, g in sides)
    pooled = sum(s[k] * g for s, (_, _, g) in zip(shares, sides, strict=True)) / max(total, 1)
    error = np.sqrt(sum((np.bincount(codes, weights=(v == k) - pooled) ** 2).sum() / max(len(v), 1) ** 2
                        for v, codes, _ in sides))
    difference = float(shares[1][k] - shares[0][k])
    p = 2 * t.sf(abs(difference) / max(error, 1e-12), max(total - 2, 1))
    p *= len(task.classes) / (2 if len(task.classes) == 2 else 1)
    told = float(expected[1].proba[:, k].mean() - expected[0].proba[:, k].mean())
    return TargetMoved(f"{task.target} = {task.classes[k]}", difference, told, 1.0,
                       bool(min(g for _, _, g in sides) >= NO_P and p < 0.01))


def relation(task: Any, inputs: tuple[np.ndarray, np.ndarray], truths: tuple[np.ndarray, np.ndarray],
             predictions: tuple[Any, Any], units: tuple[np.ndarray, np.ndarray], *, seed: int = 0) -> Relation | None:
    """Errors of the same model at matched inputs: test rows against their nearest training rows.

    inputs: (training (n, d), test (m, d)) in one scaling. predictions: out of fold for training rows, of the delivered
    model for test rows. units: of both; limits come from resampling them. None for several targets.
    """
    from sklearn.neighbors import NearestNeighbors

    if task.name not in ("regress", "classify"):
        return None
    errors, leans = zip(*(_errors(task, t, p) for t, p in zip(truths, predictions, strict=True)), strict=True)
    known = [np.isfinite(e) for e in errors]
    a, b = (np.nan_to_num(x)[k] for x, k in zip(inputs, known, strict=True))
    if len(a) < MATCHED_ROWS or len(b) < MATCHED_ROWS:
        return Relation(0, len(b), None, None)
    tree = NearestNeighbors(n_neighbors=MATCHES + 1).fit(a)
    usual = np.median(tree.kneighbors(a)[0][:, MATCHES])
    distance, index = tree.kneighbors(b, n_neighbors=MATCHES)
    close = np.flatnonzero(distance[:, -1] <= usual)
    if len(close) < MATCHED_ROWS:
        return Relation(len(close), len(b), None, None)
    codes = [unit_codes(u, len(u))[0] for u in (units[0][known[0]], units[1][known[1]][close])]
    fewest = min(int(c.max()) + 1 for c in codes)
    if fewest < NO_P:
        return Relation(len(close), len(b), None, None, fewest)
    scale = max(float(errors[0][known[0]].mean()), 1e-12)
    more = _limits(errors[1][known[1]][close] / scale, errors[0][known[0]] / scale, index[close], codes, seed)
    lean = _limits(leans[1][known[1]][close], leans[0][known[0]], index[close], codes, seed)
    return Relation(len(close), len(b), more, lean, fewest)


def _errors(task: Any, truth: np.ndarray, prediction: Any) -> tuple[np.ndarray, np.ndarray]:
    """(loss, signed residual) of each row: squared error and truth less prediction; Brier score and, of the last class,
    what happened less its probability."""
    if task.name == "regress":
        residual = truth - prediction.value
        return residual**2, residual
    wanted = np.eye(len(task.classes))[np.maximum(truth.astype(int), 0)]
    gone = truth < 0
    loss = ((wanted - prediction.proba) ** 2).sum(axis=1)
    lean = wanted[:, -1] - prediction.proba[:, -1]
    return np.where(gone, np.nan, loss), np.where(gone, np.nan, lean)


def _limits(test: np.ndarray, train: np.ndarray, index: np.ndarray, codes: list[np.ndarray], seed: int, draws: int = 500
            ) -> tuple[float, float, float]:
    """Mean of `test` (c,) less the mean of its matches `train[index]` (c, k), and limits at LEVEL: units (codes) of the
    training and of the test rows are both resampled, for several test rows share a match (whose errors count about their
    common mean: about that of one row's few matches they vary too little), and the draws spread out by the t quantile of
    the side with fewer units (Hesterberg 2015)."""
    from scipy.stats import norm, t

    mine, new = (int(c.max()) + 1 for c in codes)
    rng = stream(seed, "shift relation")
    usual = train[index].mean(axis=1)
    value, away = float((test - usual).mean()), train[index] - usual.mean()
    means = np.empty(draws)
    for i in range(draws):
        weight = rng.multinomial(mine, np.full(mine, 1 / mine))[codes[0]][index]
        base = usual + ((weight - 1) * away).mean(axis=1)
        times = np.bincount(rng.integers(0, new, new), minlength=new)[codes[1]]
        means[i] = ((test - base) * times).sum() / max(times.sum(), 1)
    tail, g = (1 - LEVEL) / 2, min(mine, new)
    wide = np.sqrt(g / (g - 1)) * float(t.ppf(tail, g - 1) / norm.ppf(tail))
    low, high = value + wide * (np.quantile(means, [tail, 1 - tail]) - value)
    return value, float(low), float(high)
