"""Which inputs a learned thing leans on: shuffle one, see how much worse the predictions get."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.attribute._inputs import Part, block_names, groups_of, matrix_of, parts_of, ranked
from gnomon.analyses.attribute._inside import STRUCTURED, mover, one_number
from gnomon.analyses.attribute._intervals import jackknife_limits, left_out
from gnomon.card import Card
from gnomon.data.table import Data
from gnomon.rng import stream

CARD = Card(
    name="Permutation importance",
    gist="Shuffle one input over held-out rows; the fall of the score is what the predictor gets from that input.",
    use_when="Any predictor: which of its inputs matter to it, on rows it has not seen.",
    avoid_when="You ask about nature rather than the predictor: an input it does not use can still matter.",
    paper="Breiman 2001, Machine Learning 45; Fisher, Rudin & Dominici 2019, arXiv:1801.01489",
    survey=("T2", "I8"),
    tasks=("classify", "regress", "several"),
    cost="seconds",
)
MOST_ROWS = 3000  # held-out rows used; whole units are kept
TOGETHER_BYTES = 64_000_000  # repeats are predicted in one batch while the inputs copied for it stay below this


@dataclass(frozen=True)
class Importance:
    """How much worse the headline metric gets (in its own unit, positive = worse) without these inputs.

    what: the inputs' names as read, shuffled together because they are associated; block: the block column when it
    was shuffled whole, else "".
    """

    what: tuple[str, ...]
    value: float
    low: float | None
    high: float | None
    block: str = ""


@dataclass(frozen=True)
class Importances:
    """Most important first; `unchecked` groups of inputs did not fit into the seconds given."""

    metric: str
    found: tuple[Importance, ...]
    unchecked: tuple[tuple[str, ...], ...]
    rows: int
    repeats: int


def permutation_importance(learned: Any, task: Any, data: Data, rows: np.ndarray, units: np.ndarray, *,
                           inputs: Sequence[str] | None = None, repeats: int = 5, seconds: float = 30.0,
                           seed: int = 0) -> Importances:
    """Shuffle each group of associated inputs over `rows` (held out) and measure the loss of score.

    units: the independent unit of every row of `data`; intervals leave whole units out, and so cover the sampling of
    held-out units, not of training sets. seconds: groups not reached by then are listed as unchecked (whole columns
    first, then the parts of blocks by how closely they follow the prediction); nothing else depends on the clock.
    """
    end = time.monotonic() + seconds
    rows, units = labelled_sample(task, data, rows, units, seed)
    stays, truth, predict = left_out(units, seed), task.truth(data, rows), mover(learned, data, rows)
    everyone, sign = np.arange(len(rows)), 1.0 if task.metric.higher_is_better else -1.0

    def scores(prediction: Any, truth: np.ndarray) -> np.ndarray:
        """The score of all rows, then with each block of units left out."""
        stats = task.measure(prediction, truth)
        return np.array([task.score(stats), *(task.score(stats.take(s)) for s in stays)])

    start = predict((), everyone)
    base = scores(start, truth)
    found, unchecked = [], []
    for parts, block in _agenda(data, rows, inputs, start):
        names = tuple(p.what for p in parts)
        if found and time.monotonic() > end:
            unchecked.append(names)
            continue
        orders = [stream(seed, "shuffle", *names, r).permutation(len(rows)) for r in range(repeats)]
        shuffled = [scores(p, truth) for p in _predictions(predict, parts, orders, data)]
        fall = sign * np.mean([base - s for s in shuffled], axis=0)
        low, high = jackknife_limits(float(fall[0]), fall[1:])
        found.append(Importance((block,) if block else names, float(fall[0]), low, high, block))
    found.sort(key=lambda i: -i.value)
    return Importances(task.metric.name, tuple(found), tuple(unchecked), len(rows), repeats)


def labelled_sample(task: Any, data: Data, rows: np.ndarray, units: np.ndarray,
                    seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that have a target, at most MOST_ROWS of them by whole units, and the unit of each."""
    rows = np.asarray(rows)
    truth = np.asarray(task.truth(data, rows), dtype=float).reshape(len(rows), -1)
    known = (np.isfinite(truth) & ((truth >= 0) | (task.name != "classify"))).any(axis=1)
    rows = rows[known]
    units = np.asarray(units)[rows]
    if len(rows) <= MOST_ROWS:
        return rows, units
    names, place = np.unique(units, return_inverse=True)
    rank = stream(seed, "importance rows").permutation(len(names))[place]
    order = np.argsort(rank, kind="stable")
    last = rank[order[MOST_ROWS - 1]]
    keep = rank < last if (rank < last).sum() >= MOST_ROWS // 2 else rank <= last
    return rows[keep], units[keep]


def _agenda(data: Data, rows: np.ndarray, inputs: Sequence[str] | None,
            start: Any) -> list[tuple[tuple[Part, ...], str]]:
    """(parts, name of the block when whole): columns and whole blocks, then groups inside blocks, likeliest first."""
    inputs = tuple(data.inputs if inputs is None else inputs)
    blocks = [name for name in inputs if block_names(data.columns[name])]
    parts = parts_of(data, inputs)
    groups = groups_of(data, parts, rows)
    first = [(g, "") for g in groups if any(p.place < 0 for p in g)]
    if len(inputs) > 1:
        first += [(tuple(p for p in parts if p.column == name), name) for name in blocks]
    inner = [g for g in groups if all(p.place >= 0 for p in g)]
    if inner:
        flat = [p for g in inner for p in g]
        follow = ranked(matrix_of(data, flat, rows)).T @ ranked(one_number(start).reshape(-1, 1))
        near = dict(zip(flat, np.abs(follow[:, 0]), strict=True))
        inner.sort(key=lambda g: -max(near[p] for p in g))
    return first + [(g, "") for g in inner]


def _predictions(predict: Any, parts: tuple[Part, ...], orders: list[np.ndarray], data: Data) -> list[Any]:
    """One Prediction a repeat; all repeats in one batch while that is small and no features would be computed anew."""
    n = len(orders[0])
    a_row = sum(data.columns[name].nbytes for name in data.inputs) / max(len(data), 1)
    if a_row * n * len(orders) > TOGETHER_BYTES or data.of_kind(*STRUCTURED):
        return [predict(parts, order) for order in orders]
    whole = predict(parts, np.concatenate(orders))
    return [whole.take(np.arange(r * n, (r + 1) * n)) for r in range(len(orders))]
