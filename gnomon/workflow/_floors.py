"""Floors that fit the design: what knowing only the site, or only the latest value, scores (EVIDENCE 11).

Each is a candidate of the family "floor" whose options name columns: `by` (a site, batch or centre) and `latest` (the time
column). The best floor on validation is the one a model must beat. Values of rows that are to be predicted count as
unknown, as they are to every other candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gnomon.analyses.explore._names import BATCH, GROUP, SITE, has
from gnomon.data.parts import Parts
from gnomon.data.table import Data, codes
from gnomon.tasks._task import Prediction
from gnomon.values import Recipe
from gnomon.workflow._predictions import average

MOST_LEVELS, ROWS_A_LEVEL = 200, 5  # of a column that names sites: values, and training rows each has on average
MOST_SITES = 3  # columns tried


def floor_recipes(data: Data, parts: Parts, task: str) -> list[Recipe]:
    """The floors of this design, the plain one first."""
    def floor(options: dict[str, Any], because: str) -> Recipe:
        return Recipe(task, "floor", "naive", options, because=because, family="floor")

    out = [floor({}, "what knowing nothing scores")]
    out += [floor({"by": name}, f"what knowing only '{name}' scores: its own class shares or mean")
            for name in site_columns(data, parts)]
    if parts.fold_policy.startswith("time:"):
        when = parts.fold_policy.split(":", 1)[1]
        out.append(floor({"latest": when}, "persistence: the most recent known value"))
        out += [floor({"latest": when, "by": name}, f"persistence: the most recent known value of each '{name}'")
                for name in lasting_columns(data, parts)]
    return out


def site_columns(data: Data, parts: Parts) -> list[str]:
    """Columns named like a site, batch, centre or patient that are known at prediction, as inputs are, whose values come
    again and are not the split's unit."""
    able = [n for n in data.inputs if has(n, (*BATCH, *SITE, *GROUP)) and data.kind(n) == "category"]
    return [n for n in able if n != parts.unit and _comes_again(data, parts, n)][:MOST_SITES]


def lasting_columns(data: Data, parts: Parts) -> list[str]:
    """Columns of units that last over time (a station, a patient), for persistence by unit."""
    able = [*data.named("group"), *site_columns(data, parts)]
    return [n for n in able if _comes_again(data, parts, n)][:1]


def _comes_again(data: Data, parts: Parts, name: str) -> bool:
    column = data.columns[name]
    if column.spec.shape or column.spec.kind not in ("category", "number", "text"):
        return False
    group = codes(column, parts.develop)
    count = len(np.unique(group[group >= 0]))
    return 2 <= count <= MOST_LEVELS and len(group) >= ROWS_A_LEVEL * count


def floor_prediction(task: Any, data: Data, options: Mapping[str, Any], train: np.ndarray, rows: np.ndarray) -> Prediction:
    """What the floor with these options, knowing the targets of `train`, says of `rows`.

    by: each level's class shares or mean, drawn to the overall one as far as levels are alike (a random intercept); levels
    not seen get the overall. latest: the naive prediction from each level's rows (or all) at the latest known time.
    """
    if task.name == "several":
        return Prediction(parts=tuple(floor_prediction(one, data, options, train, rows) for one in task.tasks))
    truth = task.truth(data, train)
    known = truth >= 0 if task.name == "classify" else np.isfinite(truth)
    train, truth = train[known], truth[known]
    overall = task.naive(truth).predict(len(rows))
    if not options or not len(train):
        return overall
    mine, theirs = _levels(data, options.get("by"), train), _levels(data, options.get("by"), rows)
    if "latest" in options:
        return _latest(task, truth, mine, theirs, _times(data, options["latest"], train), overall)
    wanted = np.eye(len(task.classes))[truth.astype(int)] if task.name == "classify" else truth[:, None]
    told = pooled_means(wanted, mine, theirs)
    return Prediction(told.argmax(axis=1), told) if task.name == "classify" else Prediction(told[:, 0])


def pooled_means(values: np.ndarray, levels: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Means (m, k) of `values` (n, k) by level, partially pooled: w m_l + (1 - w) m with w = t / (t + s / n_l), s the
    variance within and t between levels by analysis of variance (Henderson 1975; Robinson 1991, Stat. Sci. 6). Levels -1
    and those not in `levels` get the overall mean m."""
    names, place, sizes = np.unique(levels, return_inverse=True, return_counts=True)
    n, count, centre = len(values), len(names), values.mean(axis=0)
    means = np.stack([np.bincount(place, v, count) for v in values.T], axis=1) / sizes[:, None]
    within = ((values - means[place]) ** 2).sum() / max(n - count, 1)
    between = (sizes[:, None] * (means - centre) ** 2).sum() - (count - 1) * within
    between = max(0.0, between / max(n - (sizes**2).sum() / n, 1e-12))
    weight = between / np.maximum(between + within / sizes, 1e-12)
    weight = np.where(names < 0, 0.0, weight)[:, None]
    drawn = np.concatenate([weight * means + (1 - weight) * centre, centre[None]])
    at = np.minimum(np.searchsorted(names, wanted), count - 1)
    return drawn[np.where(names[at] == wanted, at, count)]


def _latest(task: Any, truth: np.ndarray, mine: np.ndarray, theirs: np.ndarray, when: np.ndarray, overall: Prediction
            ) -> Prediction:
    """Persistence by level; a class is drawn to the overall shares as by one more row, for one row is no certainty."""
    proba = None if overall.proba is None else overall.proba.copy()
    value = np.asarray(overall.value, dtype=float).copy()
    for level in np.intersect1d(theirs[theirs >= 0], mine):
        own, here = np.flatnonzero(mine == level), np.flatnonzero(theirs == level)
        own = own[when[own] == when[own].max()]
        one = task.naive(truth[own]).predict(len(here))
        if proba is None:
            value[here] = one.value
        else:
            proba[here] = average([one, overall.take(here)], [len(own), 1]).proba
    return Prediction(value if proba is None else proba.argmax(axis=1), proba)


def same_by_level(prediction: Prediction, data: Data, options: Mapping[str, Any], rows: np.ndarray) -> Prediction:
    """One prediction a level: the mean over folds. Out of fold a level's share is low exactly where its held-out rows are
    high, so that ranked over all folds a floor would do worse than chance."""
    if prediction.parts:
        return Prediction(parts=tuple(same_by_level(p, data, options, rows) for p in prediction.parts))
    place = np.unique(_levels(data, options.get("by"), rows), return_inverse=True)[1]
    table = prediction.proba if prediction.proba is not None else np.asarray(prediction.value, dtype=float)[:, None]
    means = np.stack([np.bincount(place, v) for v in table.T], axis=1) / np.bincount(place)[:, None]
    each = means[place]
    return Prediction(each.argmax(axis=1), each) if prediction.proba is not None else Prediction(each[:, 0])


def _levels(data: Data, by: str | None, rows: np.ndarray) -> np.ndarray:
    return np.zeros(len(rows), dtype=np.int64) if by is None else codes(data.columns[by])[rows]


def _times(data: Data, name: str, rows: np.ndarray) -> np.ndarray:
    column = data.columns[name]
    values = column.take(rows)
    return np.nan_to_num(values, nan=-np.inf) if column.spec.kind == "number" else values.astype("int64")
