"""Linear probes: what can be read off a representation by a linear rule, beyond what an untrained network gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.validate._bootstrap import mean_test
from gnomon.analyses.validate._units import NO_P, unit_codes
from gnomon.card import Card
from gnomon.errors import InputError
from gnomon.rng import key, stream

CARD = Card(
    name="Linear probe",
    gist="Reads a known column off a representation by a linear rule, against an untrained copy and shuffled labels.",
    use_when="Layer by layer: where is the target, or something nobody asked for (batch, site, organ), easy to read?",
    avoid_when="To say that the network uses it: that it can be read does not mean that the prediction depends on it.",
    paper="Alain & Bengio 2016, arXiv:1610.01644; Hewitt & Liang 2019, arXiv:1909.03368; Ledoit & Wolf 2004, JMVA 88",
    survey=("I12", "W8"),
    needs=("embed", "labels"),
    cost="seconds",
)
AXES = 128  # principal directions a probe sees
FEWEST = 4  # rows of a class, over two groups at least
ALPHAS = tuple(10.0**k for k in range(-2, 6))


@dataclass(frozen=True)
class Probe:
    """score: balanced accuracy (classes) or R squared (numbers) out of fold, with [low, high] over units. baseline: the
    same from the untrained copy (None: not given); advantage: score - baseline with its limits. permuted: mean of the
    score with shuffled labels; beyond: share of shuffles that reached the score, counting itself (a permutation p).
    Limits are None below six units."""

    metric: str
    score: float
    low: float | None
    high: float | None
    baseline: float | None
    advantage: float | None
    advantage_low: float | None
    advantage_high: float | None
    permuted: float
    beyond: float
    n_rows: int
    n_units: int
    level: float


def linear_probe(representation: np.ndarray, target: np.ndarray, *, groups: np.ndarray | None = None,
                 baseline: np.ndarray | None = None, given: np.ndarray | None = None, permutations: int = 20,
                 level: float = 0.95, seed: int = 0) -> Probe:
    """Predict `target` (n,) from the representation (n, d), five folds, whole groups held out.

    target: floats (NaN = missing) or anything else as classes (None or a negative whole number = missing). groups (n,):
    rows that belong together; also what is resampled for the limits. baseline (n, e): the representation of a randomly
    initialised copy, probed on the same folds; the advantage is paired row by row. given (n, k): known numbers that both
    probes see as well (the network's own target, say), so that the advantage is about more than those.
    Rule: linear discriminants (Ledoit-Wolf shrinkage, equal priors) or ridge regression (generalised cross-validation), on
    the leading 128 principal directions, standardised on the training folds. Raises E-PROBE when a class has fewer than four
    rows or one group only, or when nothing varies.
    Differs: closed forms instead of logistic regression by gradient descent.
    """
    representation = np.asarray(representation)
    rows, truth, classes = _truth(np.asarray(target), len(representation))
    codes, n_units = unit_codes(None if groups is None else np.asarray(groups)[rows], len(rows))
    _checked(truth, codes, classes)
    folds = _folds(truth, codes, classes, seed)
    known = None if given is None else np.asarray(given, dtype=float).reshape(len(representation), -1)[rows]
    x = _with(representation[rows], known)
    own = _credit(truth, _out_of_fold(x, truth[:, None], folds, classes, seed)[:, 0], classes)
    by_chance = _by_chance(x, truth, codes, n_units, folds, classes, permutations, seed)
    other = None
    if baseline is not None:
        given_base = _with(np.asarray(baseline)[rows], known)
        other = _credit(truth, _out_of_fold(given_base, truth[:, None], folds, classes, seed)[:, 0], classes)
    low, high = _limits(own, codes, n_units, level, seed)
    gain = (None, None) if other is None else _limits(own - other, codes, n_units, level, seed)
    return Probe("balanced accuracy" if classes else "R squared", float(own.mean()), low, high,
                 None if other is None else float(other.mean()), None if other is None else float((own - other).mean()),
                 *gain, float(by_chance.mean()) if permutations else float("nan"),
                 float((1 + (by_chance >= own.mean()).sum()) / (permutations + 1)), len(rows), n_units, level)


def _by_chance(x: Any, truth: np.ndarray, codes: np.ndarray, n_units: int, folds: list[Any], classes: int,
               permutations: int, seed: int) -> np.ndarray:
    """(permutations,) scores of the same probe with shuffled labels."""
    if not permutations:
        return np.zeros(0)
    shuffles = np.stack([_shuffled(truth, codes, n_units, seed, k) for k in range(permutations)], axis=1)
    told = _out_of_fold(x, shuffles, folds, classes, seed)
    return np.array([_credit(s, t, classes).mean() for s, t in zip(shuffles.T, told.T, strict=True)])


def _truth(target: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, int]:
    """(rows with a value, their values or class codes, number of classes; 0 for numbers)."""
    if target.ndim != 1 or len(target) != n:
        raise InputError("E-PROBE", f"one value a row was wanted; {n} rows came with {target.shape}", do="give (n,) values")
    if target.dtype.kind == "f":
        rows = np.flatnonzero(np.isfinite(target))
        return rows, target[rows].astype(float), 0
    there = target >= 0 if target.dtype.kind in "iu" else np.array([v is not None for v in target], dtype=bool)
    rows = np.flatnonzero(there)
    values, codes = np.unique(target[rows].astype(str), return_inverse=True)
    return rows, codes.reshape(-1), len(values)


def _checked(truth: np.ndarray, codes: np.ndarray, classes: int) -> None:
    few = len(truth) < 2 * FEWEST or len(np.unique(codes)) < 2
    if classes and not few:
        pairs = np.unique(np.stack([truth, codes]), axis=1)[0]
        few = classes < 2 or np.bincount(truth).min() < FEWEST or np.bincount(pairs, minlength=classes).min() < 2
    if few or np.ptp(truth) == 0:
        raise InputError("E-PROBE", "nothing to probe: a class has fewer than four rows or a single group, or nothing varies",
                         do="leave out rare classes; where a group is a class of its own, probe without groups")


def _folds(truth: np.ndarray, codes: np.ndarray, classes: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    state = key(seed, "probe folds") % 2**32
    if not classes:
        count = min(5, len(np.unique(codes)))
        return list(GroupKFold(count, shuffle=True, random_state=state).split(codes, groups=codes))
    pairs = np.unique(np.stack([truth, codes]), axis=1)[0]
    count = int(min(5, np.bincount(pairs, minlength=classes).min(), np.bincount(truth).min()))
    return list(StratifiedGroupKFold(count, shuffle=True, random_state=state).split(codes, truth, codes))


def _with(x: np.ndarray, given: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    return np.asarray(x, dtype=np.float64).reshape(len(x), -1), given


def _out_of_fold(x: tuple[np.ndarray, np.ndarray | None], truths: np.ndarray, folds: list[Any], classes: int, seed: int
                 ) -> np.ndarray:
    """(n, k) predictions of each column of truths (n, k), every row by a probe that did not see its fold."""
    out = np.zeros(truths.shape)
    for train, test in folds:
        seen, new = _prepared(x, train, test, seed)
        if classes:
            for j, column in enumerate(truths.T):
                out[test, j] = _discriminants(seen, column[train], new)
        else:
            from sklearn.linear_model import RidgeCV

            model = RidgeCV(ALPHAS, alpha_per_target=truths.shape[1] > 1).fit(seen, truths[train])
            out[test] = model.predict(new).reshape(len(test), -1)
    return out


def _discriminants(seen: np.ndarray, codes: np.ndarray, new: np.ndarray) -> np.ndarray:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    present = len(np.unique(codes))
    if present < 2:
        return np.full(len(new), codes[0])
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=np.full(present, 1 / present)).fit(
        seen, codes).predict(new)


def _prepared(x: tuple[np.ndarray, np.ndarray | None], train: np.ndarray, test: np.ndarray, seed: int
              ) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows: standardised, on the training rows' principal directions, with what is given beside."""
    values, given = x
    seen, new = _standard(values[train], values[test])
    if seen.shape[1] > AXES:
        from sklearn.decomposition import PCA

        turn = PCA(min(AXES, len(seen) - 1), svd_solver="randomized", random_state=seed).fit(seen)
        seen, new = turn.transform(seen), turn.transform(new)
    if given is not None:
        more, other = _standard(given[train], given[test])
        seen, new = np.hstack([seen, more]), np.hstack([new, other])
    return seen, new


def _standard(seen: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, sd = seen.mean(axis=0), seen.std(axis=0)
    kept = sd > 1e-9 * max(float(sd.max(initial=0)), 1e-300)
    if not kept.any():
        return np.zeros((len(seen), 1)), np.zeros((len(new), 1))
    return (seen[:, kept] - mean[kept]) / sd[kept], (new[:, kept] - mean[kept]) / sd[kept]


def _credit(truth: np.ndarray, told: np.ndarray, classes: int) -> np.ndarray:
    """(n,) whose mean is the score."""
    if classes:
        counts = np.bincount(truth.astype(int), minlength=classes)
        return (told == truth) * (len(truth) / (classes * counts[truth.astype(int)]))
    return 1 - (truth - told) ** 2 / max(float(truth.var()), 1e-300)


def _shuffled(truth: np.ndarray, codes: np.ndarray, n_units: int, seed: int, k: int) -> np.ndarray:
    """Labels dealt anew: over groups where each has one label throughout, else over rows."""
    dice = stream(seed, "probe shuffle", k)
    first = np.zeros(n_units, dtype=truth.dtype)
    first[codes] = truth
    return dice.permutation(first)[codes] if (first[codes] == truth).all() else dice.permutation(truth)


def _limits(values: np.ndarray, codes: np.ndarray, n_units: int, level: float, seed: int
            ) -> tuple[float | None, float | None]:
    """Limits of the mean over units; the number of rows is taken as given."""
    if n_units < NO_P:
        return None, None
    sums = np.bincount(codes, weights=values, minlength=n_units) * (n_units / len(values))
    low, high, _ = mean_test(sums, level, stream(seed, "probe limits"))
    return low, high
