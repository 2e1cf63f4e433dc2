"""What a representation tells of a column beyond the target: a linear rule that sees every pair of column and target alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.analyses.validate._bootstrap import mean_test
from gnomon.analyses.validate._units import NO_P, unit_codes
from gnomon.rng import key, stream

ALPHAS = tuple(10.0**k for k in range(-2, 6))
FEWEST, FOLDS = 5, 5  # rows of a pair of column and target; folds


@dataclass(frozen=True)
class Told:
    """score, baseline: mean over pairs of column and target of the share told rightly, by the trained and the untrained
    representation; advantage: their difference with limits over units. levels: values of the column that took part."""

    score: float
    baseline: float
    advantage: float
    low: float | None
    high: float | None
    levels: int
    n_rows: int
    n_units: int


def balanced_probe(held: np.ndarray, bare: np.ndarray, values: np.ndarray, target: np.ndarray, groups: np.ndarray | None, *,
                   level: float = 0.95, seed: int = 0, fewest: int = 60) -> Told | None:
    """Read `values` (n,) words off `held` (n, d) and off `bare` (n, d') by ridge regression of their indicators.

    target (n,): strata, such as classes. Rows are weighted, in fitting and in scoring, so that every pair of value and
    stratum counts the same: then the target by itself tells nothing of the column, however much the two go together, and
    an additive rule need not outvote it first (compare "fair" reweighing, Kamiran & Calders 2012). Strata in which fewer
    than two values have five rows are left out; None when less than `fewest` rows or two values remain. groups: whole
    units are held out (None: rows).
    """
    kept = _known_pairs(values, target)
    if kept.sum() < fewest or len(np.unique(values[kept].astype(str))) < 2:
        return None
    values, strata = (np.unique(v[kept].astype(str), return_inverse=True)[1] for v in (values, target))
    codes, n_units = unit_codes(None if groups is None else np.asarray(groups)[kept], len(values))
    pairs = np.unique(np.stack([values, strata]), axis=1, return_inverse=True)[1].reshape(-1)
    counts = np.bincount(pairs)
    weight = len(pairs) / (len(counts) * counts[pairs])
    own, other = (weight * (_told(np.asarray(x, dtype=float)[kept], values, pairs, weight, codes, seed) == values)
                  for x in (held, bare))
    low = high = None
    if n_units >= NO_P:
        sums = np.bincount(codes, weights=own - other, minlength=n_units) * (n_units / len(values))
        low, high, _ = mean_test(sums, level, stream(seed, "balanced probe limits"))
    return Told(float(own.mean()), float(other.mean()), float((own - other).mean()), low, high, int(values.max()) + 1,
                len(values), n_units)


def _known_pairs(values: np.ndarray, target: np.ndarray) -> np.ndarray:
    """bool (n,): rows whose value has five rows in their stratum, beside another that has."""
    kept = np.zeros(len(values), dtype=bool)
    known = np.array([v is not None for v in values], dtype=bool)
    for stratum in np.unique(target):
        here = np.flatnonzero((target == stratum) & known)
        words, counts = np.unique(values[here].astype(str), return_counts=True)
        able = words[counts >= FEWEST]
        if len(able) > 1:
            kept[here[np.isin(values[here].astype(str), able)]] = True
    return kept


def _told(x: np.ndarray, values: np.ndarray, pairs: np.ndarray, weight: np.ndarray, codes: np.ndarray, seed: int
          ) -> np.ndarray:
    """(n,) the value told for every row by a rule fitted without its unit."""
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import StratifiedGroupKFold

    out = np.zeros(len(values), dtype=int)
    indicators = np.eye(int(values.max()) + 1)[values]
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=key(seed, "balanced probe") % 2**32)
    for train, test in folds.split(x, pairs, codes):
        mean, sd = x[train].mean(axis=0), x[train].std(axis=0)
        scale = np.where(sd > 1e-9 * max(float(sd.max()), 1e-300), sd, np.inf)
        rule = RidgeCV(ALPHAS).fit((x[train] - mean) / scale, indicators[train], sample_weight=weight[train])
        out[test] = rule.predict((x[test] - mean) / scale).argmax(axis=1)
    return out
