"""The rows whose class is to be doubted, the likeliest wrong first: for the look, and for a person who labels anew."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.analyses.explore._aim import Aim, folds_of
from gnomon.analyses.explore._lapses import CLAIMED, TWICE, confident_joint, each_out_of_fold
from gnomon.analyses.explore._renamed import Renamed, renamed


@dataclass(frozen=True)
class Doubts:
    """own (m,): how likely each row's own class is; order: places of the rows that another class wins, those whose own class is
    least likely first, before them the rows of a class that goes by another's name, where one does (pair); like (m,): the other
    class."""

    own: np.ndarray
    order: np.ndarray
    like: np.ndarray
    pair: Renamed | None


def doubts(view: np.ndarray, aim: Aim, each: np.ndarray, seed: int) -> Doubts:
    """each (3, m, K): what `each_out_of_fold` says. A second round in other folds is taught without the rows that another class
    claims, lest wrong labels teach that they are right. How many of the rows are listed is for the confident joint to say,
    which of them for this order (pruning, Northcutt et al. 2021, section 3.2)."""
    if len(aim) <= TWICE:
        folds, taught = folds_of(len(aim), seed, "labels again"), _taught(aim, each[:2].mean(axis=0))
        each = (each + each_out_of_fold(view, aim, folds, seed, taught=taught)) / 2
    proba, pair = each[:2].mean(axis=0), renamed(each, aim.values)
    like, own = proba.argmax(axis=1), proba[np.arange(len(aim)), aim.values]
    order = np.argsort(own, kind="stable")
    order = order[(like != aim.values)[order]]
    if pair is not None:
        like[pair.rows] = pair.like
        order = np.concatenate([pair.rows, order[~np.isin(order, pair.rows)]])
    return Doubts(own, order, like, pair)


def _taught(aim: Aim, proba: np.ndarray) -> np.ndarray:
    """(m,) bool: all rows but those that another class claims, except where these are most of a class or classes overlap."""
    claimed = confident_joint(proba, aim.values)
    emptied = np.array([claimed[aim.values == k].mean() > 0.5 if (aim.values == k).any() else False
                        for k in range(proba.shape[1])])
    return ~claimed | emptied[aim.values] | (claimed.mean() > CLAIMED)
