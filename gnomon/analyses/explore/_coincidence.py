"""Whether rows are equal as chance makes rows of few distinct values equal, or because they are copies or a design."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from gnomon.analyses.explore._hashes import equal_pairs
from gnomon.analyses.explore._kit import FDR, components
from gnomon.data.table import Data

WORK = 5e7  # keys sorted at most
COLUMNS = 60  # columns beyond which rows hardly are equal by chance: copies are what is left
PAIRS = 12  # columns, those in which alone rows differ most often, of which pairs are looked at
SHARE = 0.5  # chance must make at least this share of the equal pairs, and these be this share of what it makes


def by_chance(data: Data, rows: np.ndarray, keys: np.ndarray, parts: Mapping[str, np.ndarray]) -> bool:
    """Whether the columns' own values explain that rows are equal. keys, parts: what `row_keys` gives for these rows.

    Of a single number or date, rows one step of its scale apart must be as many as equal ones. Where keys occur more evenly
    than chance would have it, or all a multiple of times, a design repeats or the file stands in itself again.
    """
    if len(parts) > COLUMNS or len(keys) * len(parts) > WORK or _even(keys):
        return False
    if len(parts) == 1:
        return _of_one(data, next(iter(parts)), rows)
    columns = _dummies_joined(keys, list(parts.values()))
    equal = equal_pairs(keys)
    return any(_explains(guess, equal) for guess in (_unrelated(columns), _given_rest(keys, columns, equal)))


def _explains(expected: float, equal: int) -> bool:
    """Whether so many pairs expected by chance explain the equal ones; far fewer than expected are no chance either."""
    from scipy.stats import poisson

    return bool(expected >= SHARE * equal and (equal >= SHARE * expected or poisson.cdf(equal, expected) > FDR))


def _unrelated(columns: list[np.ndarray]) -> float:
    """Pairs of rows equal by chance where the columns do not go with each other."""
    pairs = len(columns[0]) * (len(columns[0]) - 1) / 2
    return float(pairs * np.prod([equal_pairs(column) / pairs for column in columns]))


def _dummies_joined(keys: np.ndarray, parts: list[np.ndarray]) -> list[np.ndarray]:
    """The parts with those of one category, written as a column a level, as one: they never differ alone, only in twos."""
    half, equal = len(keys) * (len(keys) - 1) // 4, equal_pairs(keys)
    with np.errstate(over="ignore"):
        able = [j for j, part in enumerate(parts) if equal_pairs(part) >= half and equal_pairs(keys - part) == equal]
        if len(able) ** 2 * len(keys) > WORK:
            return parts
        ties = [(j, k) for j, k in combinations(able, 2) if equal_pairs(keys - parts[j] - parts[k]) > equal]
        if not ties:
            return parts
        home = components(len(parts), *np.array(ties).T)
        return [sum((parts[j] for j in np.flatnonzero(home == one)), np.zeros_like(keys)) for one in np.unique(home)]


def _given_rest(keys: np.ndarray, columns: list[np.ndarray], equal: int) -> float:
    """Pairs of rows equal by chance where two columns do not go with each other in rows that are equal in all others.

    Of these pairs let e, a, b and c be those that agree in both columns, only in the one, only in the other, and in neither:
    then e = a b / c. The median over pairs of columns; a column that never differs alone can tell nothing.
    """
    with np.errstate(over="ignore"):
        alone = [equal_pairs(keys - column) - equal for column in columns]
        most = max(3, min(PAIRS, int(np.sqrt(WORK / len(keys)))))
        varied = [j for j in np.argsort([-a for a in alone], kind="stable")[:most].tolist() if alone[j]]
        guesses = []
        for j, k in combinations(varied, 2):
            neither = equal_pairs(keys - columns[j] - columns[k]) - equal - alone[j] - alone[k]
            guesses.append(alone[j] * alone[k] / max(neither, 1))
    return float(np.median(guesses)) if guesses else 0.0


def _even(keys: np.ndarray) -> bool:
    """Whether the keys that occur do so more evenly than rows drawn at random from as many equally likely ones.

    Counts of such draws follow Poisson's law without its zeros; unequal chances only make them more uneven. Counts that
    share a divisor g have it by chance once in g^kinds or more rarely.
    """
    from scipy.optimize import brentq
    from scipy.special import gammaln
    from scipy.stats import chi2

    _, counts = np.unique(keys, return_counts=True)
    mean, kinds = float(counts.mean()), len(counts)
    if mean == 1 or kinds == 1:
        return False
    if float(np.gcd.reduce(counts)) ** -kinds < FDR:
        return True
    law = brentq(lambda rate: rate / -np.expm1(-rate) - mean, 1e-9, mean)
    uneven = float(((counts - mean) ** 2).sum()) / (mean * (1 + law - mean))
    exactly = gammaln(len(keys) + 1) - gammaln(counts + 1).sum() - len(keys) * np.log(kinds)  # of so few, chance may do it
    return bool(max(chi2.cdf(uneven, kinds - 1), np.exp(exactly)) < FDR)


def _of_one(data: Data, name: str, rows: np.ndarray) -> bool:
    """Whether a single column is coarse: a category, or a number of which as many pairs lie one step apart as are equal."""
    column = data.columns[name]
    if column.spec.kind not in ("number", "date"):
        return column.spec.kind == "category"
    values = column.take(rows)
    if values.ndim > 1:
        return False
    levels, counts = np.unique(values.astype(np.int64) if values.dtype.kind == "M" else values, return_counts=True)
    steps = np.diff(levels)
    if not len(steps):
        return False
    near = steps < 1.5 * steps.min()
    return bool((counts[1:] * counts[:-1])[near].sum() >= (counts * (counts - 1) // 2).sum())
