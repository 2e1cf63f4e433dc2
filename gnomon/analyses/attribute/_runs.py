"""What stands between the same neighbours in other rows: the law of a run of letters or words given its surroundings.

    P(run | l before, r after) = how often the run stands there / how often those neighbours do,
from the widest surroundings that were met often enough: `reach` on either side, then one fewer, at last one before, none.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

ENOUGH = 20  # times that surroundings are met before they are used
MIX = np.uint64(0x9E3779B97F4A7C15)  # odd: codes are mixed to keys of 64 bits, whose collisions do not matter


@dataclass(frozen=True)
class Runs:
    """codes: (R, L) of other rows, 0 where a row has ended. aligned: position i means the same in every row, so runs are
    taken from the same place only. Asked of one length of run at a time."""

    codes: np.ndarray
    reach: int
    aligned: bool = False
    made: dict = field(default_factory=dict, compare=False, repr=False)

    def drawn(self, own: np.ndarray, rows: np.ndarray, starts: np.ndarray, length: int, most: int,
              dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """For the runs own[rows, starts:starts + length]: (which of them, row, start of a run met between the same
        neighbours, its probability). All different runs where they are at most `most`, else so many draws."""
        left, out = np.arange(len(rows)), []
        for before, after in ladder(self.reach):
            law = self._law(length, before, after)
            asked = _key(own, before, length, after, self.aligned)[0][rows[left], starts[left]]
            low, high = (np.searchsorted(law.given, asked, side) for side in ("left", "right"))
            count = law.until[high] - law.until[low]
            ready = (count >= ENOUGH) | (before + after == 0)
            out.append(_chosen(law, left[ready], low[ready], high[ready], most, dice))
            left = left[~ready]
            if not len(left):
                break
        which, window, share = (np.concatenate(part) for part in zip(*out, strict=True))
        return which, window // self.codes.shape[1], window % self.codes.shape[1], share

    def _law(self, length: int, before: int, after: int) -> Law:
        key = length, before, after
        if key not in self.made:
            self.made[key] = _law(self.codes, before, length, after, self.aligned)
        return self.made[key]


@dataclass(frozen=True)
class Law:
    """Different (surroundings, run) pairs, sorted by surroundings. given: key of the surroundings; window: where the pair
    stands (row * L + start); until: (pairs + 1,) how many occurrences before each."""

    given: np.ndarray
    window: np.ndarray
    until: np.ndarray


def ladder(reach: int) -> Iterator[tuple[int, int]]:
    """(before, after), from the widest surroundings to none."""
    yield from ((k, k) for k in range(reach, 0, -1))
    yield from ((1, 0), (0, 0)) if reach else ((0, 0),)


def _law(codes: np.ndarray, before: int, length: int, after: int, aligned: bool) -> Law:
    given, run = _key(codes, before, length, after, aligned)
    whole = np.zeros(codes.shape, dtype=bool)
    stop = codes.shape[1] - length + 1
    if stop > 0:
        whole[:, :stop] = np.lib.stride_tricks.sliding_window_view(codes != 0, length, axis=1).all(axis=2)
    windows = np.flatnonzero(whole)
    given, run = given.reshape(-1)[windows], run.reshape(-1)[windows]
    order = np.lexsort((run, given))
    given, run = given[order], run[order]
    first = np.flatnonzero(np.r_[True, (given[1:] != given[:-1]) | (run[1:] != run[:-1])][:len(given)])
    return Law(given[first], windows[order][first], np.r_[first, len(given)])


def _key(codes: np.ndarray, before: int, length: int, after: int, aligned: bool) -> tuple[np.ndarray, np.ndarray]:
    """(R, L) keys of what surrounds the run that starts there, and of the run itself; beyond a row's ends stand zeros."""
    count = codes.shape[1]
    padded = np.pad(codes.astype(np.uint64), ((0, 0), (before, length + after)))

    def mixed(places: list[int]) -> np.ndarray:
        key = np.zeros(codes.shape, dtype=np.uint64)
        for place in places:  # codes at `place` from the start of each run
            key = (key ^ (padded[:, before + place:before + place + count] + np.uint64(1))) * MIX
            key ^= key >> np.uint64(29)
        return key

    given = mixed([*range(-before, 0), *range(length, length + after)])
    if aligned:
        given = given ^ (np.arange(1, count + 1, dtype=np.uint64) * MIX)
    return given, mixed(list(range(length)))


def _chosen(law: Law, asked: np.ndarray, low: np.ndarray, high: np.ndarray, most: int,
            dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(asked, window, probability): of few runs every one, of many so many draws, alike in probability."""
    different, count = high - low, law.until[high] - law.until[low]
    few = different <= most
    each = np.repeat(np.flatnonzero(few), different[few])
    pair = low[each] + np.arange(len(each)) - np.repeat(np.cumsum(different[few]) - different[few], different[few])
    share = (law.until[pair + 1] - law.until[pair]) / count[each]
    many = np.repeat(np.flatnonzero(~few), most)
    occurrence = law.until[low[many]] + (dice.random(len(many)) * count[many]).astype(np.int64)
    drawn = np.searchsorted(law.until, occurrence, "right") - 1
    return (asked[np.r_[each, many]], law.window[np.r_[pair, drawn]],
            np.r_[share, np.full(len(many), 1 / most)])
