"""Sufficient input subsets: the few pieces that alone make the predictor say what it says."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.attribute._game import game
from gnomon.card import Card
from gnomon.errors import InputError

CARD = Card(
    name="Sufficient input subsets",
    gist="Drops pieces, least missed first, then keeps the last ones that alone hold the output; repeats on the rest.",
    use_when="A decision is to be justified by a short list of pieces (words, letters, patches) that suffices for it.",
    avoid_when="Many pieces and a dear model (the work grows with their square), or rows with most pieces gone mean nothing.",
    paper="Carter, Mueller, Jain & Gifford 2019 (2018), arXiv:1810.03805",
    survey=("I4", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("number", "category", "image", "sequence", "molecule", "text", "date"),
    tune={"share": (0.7, 0.8, 0.9)},
    cost="minutes",
)


def sufficient_subsets(model: Any, x: Any, target: Any, *, share: float = 0.9, subsets: int = 3, at_once: int = 0,
                       pieces: Any = None, baseline: Any = None, chunk: int = 0) -> Any:
    """1 on the elements of a row's first sufficient subset, 1/2 on its second, 1/3 ...; 0 on none; x's shape.

    A subset is sufficient when the output with all else taken away is at least `share` of the way from the empty row's
    output to the whole row's. Each is minimal: none of its pieces can be spared. subsets: disjoint ones at most, found
    until what is left no longer suffices. at_once: pieces dropped together at each step (0: a sixteenth of those left,
    at least 1; 1 is the paper's, K^2 / 2 runs a row and subset). model, x, target, pieces, baseline, chunk: as
    `_game.game`. Differs: the threshold is relative to the row, and several pieces may be dropped at a step.
    """
    with game(model, x, target, pieces=pieces, baseline=baseline, chunk=chunk) as played:
        return played.spread(of_pieces(played, share=share, subsets=subsets, at_once=at_once))


def of_pieces(played: Any, *, share: float = 0.9, subsets: int = 3, at_once: int = 0) -> list[np.ndarray]:
    """The same of a Game or a Ground: one array a row, 1 / (number of its subset), 0 in none."""
    if not 0 < share <= 1:
        raise InputError("E-ATTRIBUTION", f"share is {share}; it lies above 0 and at most at 1", do="0.9 is usual")
    counts = [len(p) for p in played.pieces]
    level = _levels(played, counts, share)
    out = [np.zeros(n) for n in counts]
    going = [i for i, n in enumerate(counts) if n]
    for number in range(1, subsets + 1):
        left = {i: out[i] == 0 for i in going}
        held = level(going, [left[i] for i in going]) if going else np.empty(0)
        going = [i for i, h in zip(going, held, strict=True) if h >= 0 and left[i].any()]
        if not going:
            break
        order = _dropped(level, {i: left[i] for i in going}, at_once)
        found = _pruned(level, _shortest(level, order, counts))
        for i, mask in found.items():
            out[i][mask] = 1 / number
    return out


def _levels(played: Any, counts: list[int], share: float) -> Any:
    """f(rows, there) -> by how much the output with only these pieces passes the row's threshold, in the row's direction."""
    everyone = np.arange(len(played))
    full = played.without(everyone, [np.zeros(n, dtype=bool) for n in counts])
    none = played.without(everyone, [np.ones(n, dtype=bool) for n in counts])
    way = np.where(full >= none, 1.0, -1.0)
    bar = none + share * (full - none)

    def level(rows: Any, there: list[np.ndarray]) -> np.ndarray:
        rows = np.asarray(rows, dtype=int)
        slack = 1e-6 * np.maximum(np.abs(full[rows]), np.abs(none[rows]))  # of rounding
        return way[rows] * (played.without(rows, [~t for t in there]) - bar[rows]) + slack

    return level


def _dropped(level: Any, left: dict[int, np.ndarray], at_once: int) -> dict[int, list[int]]:
    """Every row's pieces in the order in which they are dropped, the least missed first."""
    there, order = {i: mask.copy() for i, mask in left.items()}, {i: [] for i in left}
    while any(mask.any() for mask in there.values()):
        rows, trials, which = [], [], []
        for i, mask in there.items():
            for k in np.flatnonzero(mask):
                trial = mask.copy()
                trial[k] = False
                rows.append(i)
                trials.append(trial)
                which.append(k)
        told, rows, which = level(rows, trials), np.array(rows), np.array(which)
        for i, mask in there.items():
            own = np.flatnonzero(rows == i)
            go = which[own[np.argsort(-told[own], kind="stable")]][: at_once or max(1, len(own) // 16)]
            mask[go] = False
            order[i] += list(go)
    return order


def _shortest(level: Any, order: dict[int, list[int]], width: list[int]) -> dict[int, np.ndarray]:
    """The mask of the shortest tail of every order that suffices: pieces come back, the last dropped first."""
    sizes = [len(dropped) for dropped in order.values()]
    rows = np.repeat(list(order), sizes)
    tails = [_mask(dropped[-many:], width[i]) for i, dropped in order.items() for many in range(1, len(dropped) + 1)]
    told = np.split(level(rows, tails), np.cumsum(sizes)[:-1])
    ends = [int(np.argmax(t >= 0)) if (t >= 0).any() else len(t) - 1 for t in told]
    return {i: _mask(dropped[-(end + 1):], width[i]) for (i, dropped), end in zip(order.items(), ends, strict=True)}


def _mask(places: list[int], width: int) -> np.ndarray:
    mask = np.zeros(width, dtype=bool)
    mask[places] = True
    return mask


def _pruned(level: Any, found: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """Leave out, one at a time, the piece that is missed least, while what stays still suffices."""
    going = {i: mask.copy() for i, mask in found.items()}
    done = {}
    while going:
        rows = [i for i, mask in going.items() for _ in range(int(mask.sum()))]
        which = [k for mask in going.values() for k in np.flatnonzero(mask)]
        trials = [going[i] & (np.arange(len(going[i])) != k) for i, k in zip(rows, which, strict=True)]
        told = level(rows, trials)
        for i in list(going):
            own = [j for j, row in enumerate(rows) if row == i]
            best = max(own, key=lambda j: told[j]) if own else None
            if best is None or told[best] < 0 or len(own) == 1:
                done[i] = going.pop(i)
            else:
                going[i] = trials[best]
    return done
