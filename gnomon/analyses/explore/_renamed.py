"""Rows of one class that go by another's name, told from two classes that overlap."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import permutations

import numpy as np

SURE = 0.01  # one-sided p of the binomial law below which what goes one way is no overlap
WAYS = 3  # times as many that way as back: with thousands of rows no overlap is quite even
LEAST = 3  # rows that must go that way more than back
INSIDE = 0.15  # share of them beyond the other class's median: near half of renamed rows (less what their name taught), of an
# edge few


@dataclass(frozen=True)
class Renamed:
    """named, like: the class the labels say and the one these rows look like; rows: their places, the likeliest first."""

    named: int
    like: int
    rows: np.ndarray


def renamed(each: np.ndarray, labels: np.ndarray, fewest: int = 10) -> Renamed | None:
    """The pair of classes of which rows of one are named as the other, if two of the models name the same; else None.

    Of two classes, each row has its log ratio of the two probabilities, each class its median. Where the classes overlap, about
    as many rows of one lie beyond the midpoint of the medians as of the other. Rows that were given the other name lie there
    one way only (binomial; McNemar 1947, doi:10.1007/BF02295996), and as the rows that kept theirs: up to half of them beyond
    those rows' median. Renaming half of a class or more cannot be told (Northcutt, Jiang & Chuang 2021, diagonal dominance).
    each (models, m, K): out of fold; labels (m,); fewest: rows a class must have.
    """
    members = [np.flatnonzero(labels == k) for k in range(each.shape[2])]
    able = [k for k, rows in enumerate(members) if len(rows) >= fewest]
    said = Counter(pair for pair in (_least_even(proba, members, able) for proba in each) if pair is not None)
    if not said or said.most_common(1)[0][1] < 2:
        return None
    named, like = said.most_common(1)[0][0]
    rows = _sides(each.mean(axis=0), members, named, like).beyond
    return Renamed(named, like, rows) if len(rows) >= LEAST else None


def _least_even(proba: np.ndarray, members: list[np.ndarray], able: list[int]) -> tuple[int, int] | None:
    """(named, like) of the pair that least looks like overlap, below SURE."""
    chances = {pair: _sides(proba, members, *pair).chance for pair in permutations(able, 2)}
    best = min(chances, key=chances.__getitem__, default=None)
    return best if best is not None and chances[best] < SURE else None


@dataclass(frozen=True)
class _Sides:
    """beyond: the rows with this name beyond the midpoint, the furthest first; chance: p of so many more than come back, 1
    where they cannot be renamed rows."""

    beyond: np.ndarray
    chance: float


def _sides(proba: np.ndarray, members: list[np.ndarray], named: int, like: int) -> _Sides:
    from scipy.stats import binom

    here, there = (_of_the_two(proba, members[k], named, like) for k in (named, like))
    if min(len(here), len(there)) < LEAST:
        return _Sides(here[:0], 1.0)
    log = np.log(np.clip(proba[:, [named, like]], 1e-6, None))
    ratio, own = (log[rows, 1] - log[rows, 0] for rows in (here, there))
    middle = float(np.median(own))
    half = (middle + float(np.median(ratio))) / 2
    over, back, inside = int((ratio > half).sum()), int((own < half).sum()), int((ratio >= middle).sum())
    one_way = middle > half and over >= max(back + LEAST, WAYS * back)
    alike = inside >= INSIDE * over and over <= len(members[like])
    chance = float(binom.sf(over - 1, over + back, 0.5)) if one_way and alike else 1.0
    return _Sides(here[np.argsort(-ratio, kind="stable")][:over], chance)


def _of_the_two(proba: np.ndarray, rows: np.ndarray, one: int, other: int) -> np.ndarray:
    """The rows that one of the two classes wins."""
    return rows[np.maximum(proba[rows, one], proba[rows, other]) >= proba[rows].max(axis=1) - 1e-9]
