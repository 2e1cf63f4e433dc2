"""Whether early rows differ from late ones, or one site, batch or folder from another."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import group_of
from gnomon.analyses.explore._clusters import FEWEST, design_effect
from gnomon.analyses.explore._kit import (
    FDR,
    Grouping,
    Looked,
    discoveries,
    found,
    join,
    not_run,
    number_columns,
    ran,
    sample,
    sampled_note,
)
from gnomon.analyses.explore._names import BATCH, has
from gnomon.analyses.explore.groups import groups as groups_in
from gnomon.analyses.explore.time_order import time_order
from gnomon.card import Card
from gnomon.data._times import time_places
from gnomon.data.table import Data, codes

CARD = Card(
    name="Drift over time, site or batch",
    gist="Compares each input early against late by date, and each batch or site against the rest.",
    use_when="Dates or batch-like columns exist: a model trained on the early rows meets other rows later.",
    avoid_when="No date and no batch column: row order alone is not time.",
    paper="Rabanser, Guennemann & Lipton 2019, Failing loudly, arXiv:1810.11953",
    survey=("P1", "P7"),
    cost="seconds",
)
PER_COLUMN, TOGETHER = 5, 100  # rows a column from which, and columns up to which, all are tested together
WITHIN = 0.05  # share of false names among columns once all of them together move with time
ROWS = 20  # a side below which nothing is compared
LARGE, SMALL = 0.3, 0.15  # largest gap between two distribution functions: warned of, noted


def drift(data: Data, *, groups: Mapping[str, Grouping] | None = None, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Number and category inputs whose distribution moves with time or differs between batches, beyond what as many units
    would differ by chance. groups: what `groups` found; None = it is run here."""
    axes = _axes(data)
    if not axes:
        return Looked(checks=(not_run("LOOK-DRIFT", "no date, site or batch column among the data"),))
    named = group_of(groups_in(data, seed=seed, seconds=seconds).groups if groups is None else groups)
    rows = sample(np.arange(len(data)), int(2000 * seconds), seed, "drift")
    findings, unchecked = [], []
    for axis, (sides, time) in axes.items():
        correlated = time is not None
        units = None if named is None or named[0] == axis else named[1].codes[rows]
        moved, few = _moved(data, rows, sides[rows], axis, time[rows] if correlated else None, units, seed)
        if few:
            why = f"fewer than {FEWEST} units on a side of '{axis}' to compare {join(few)} by"
            unchecked.append(not_run("LOOK-DRIFT", why))
        for grade, least, most in (("warn", LARGE, np.inf), ("note", SMALL, LARGE)):
            names = [n for n, gap in moved.items() if least <= gap < most]
            if names:
                how = "change with time along" if correlated else "differ between the levels of"
                verb = how if len(names) > 1 else how.replace("change", "changes").replace("differ", "differs")
                findings.append(found(data, "LOOK-DRIFT", grade, f"{join(names)} {verb} '{axis}'"
                                      + sampled_note(len(rows), len(data)), columns=(*names[:20], axis),
                                      values={n: moved[n] for n in names[:20]}, source="KS, rank correlation, FDR"))
    return Looked(tuple(findings), (ran("LOOK-DRIFT", f"two distribution functions {SMALL} apart somewhere"), *unchecked))


def _axes(data: Data) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """What rows may drift along: name -> (side of each row, -1 = none; of a time the place in its order, NaN = none). A time
    is halved between two distinct times; it is no axis where that leaves a side too few rows."""
    from scipy.stats import rankdata

    out: dict[str, tuple[np.ndarray, np.ndarray | None]] = {}
    looked = time_order(data)
    for name in looked.findings[0].columns[:3] if looked.findings else ():
        times = time_places(data.columns[name])
        known = times >= 0
        earlier = np.cumsum(np.bincount(times[known]))[:-1]  # rows up to each time but the last
        half = int(np.abs(earlier - known.sum() / 2).argmin())
        if known.sum() < 60 or min(earlier[half], known.sum() - earlier[half]) < ROWS:
            continue
        side, place = np.where(known, times > half, -1), np.full(len(times), np.nan)
        place[known] = (rankdata(times[known]) - 1) / known.sum()
        out[name] = (side, place)
    for name in (*data.of_kind("category"), *data.of_kind("category", role="group")):
        levels = codes(data.columns[name])
        sizes = np.bincount(levels[levels >= 0], minlength=1)
        if has(name, BATCH) and (sizes >= 30).sum() >= 2 and len(sizes) <= 30:
            out[name] = (np.where(np.isin(levels, np.flatnonzero(sizes >= 30)), levels, -1), None)
    return out


def _moved(data: Data, rows: np.ndarray, sides: np.ndarray, axis: str, time: np.ndarray | None,
           units: np.ndarray | None, seed: int) -> tuple[dict[str, float], list[str]]:
    """Input -> largest gap between one side and the rest, where it stands against chance over all inputs; and the inputs
    that too few units have to tell anything."""
    matrix, labels, sources = number_columns(data, rows, seed=seed, most=300)
    columns = {label: matrix[:, j] for j, (label, s) in enumerate(zip(labels, sources, strict=True)) if s != axis}
    for name in data.of_kind("category"):
        if name != axis:
            columns[name] = data.columns[name].take(rows)
    gaps, chances, shares, few = {}, {}, [1.0], []
    for name, values in columns.items():
        known = (sides >= 0) & (~np.isnan(values) if values.dtype.kind == "f" else values >= 0)
        along = (sides if time is None else time)[known]
        share = 1.0 if units is None or not known.any() else 1 / design_effect(values[known], along, units[known])
        if share < 1 and share * min(np.unique(sides[known], return_counts=True)[1]) < FEWEST:
            few.append(name)
            continue
        gaps[name], chances[name] = _gap(values[known], sides[known], time[known] if time is not None else None, share)
        shares += [share] if values.dtype.kind == "f" else []
    stand = discoveries(np.array(list(chances.values())))
    if time is not None and together(matrix[:, [s != axis for s in sources]], time, min(shares)) < FDR:
        stand |= discoveries(np.array(list(chances.values())), WITHIN)
    return {name: gaps[name] for name, keep in zip(gaps, stand, strict=True) if keep}, few


def together(matrix: np.ndarray, time: np.ndarray, share: float = 1.0) -> float:
    """p-value that no column moves steadily with time: the F test of the regression of time on the ranks of all columns,
    rows counted as independent as the least independent column's are. share: of the rows, those that are not of one unit.

    One column that drifts among correlated ones hardly moves its own rank, but moves against what the others lead one to
    expect. The test opens the columns' own tests at a wider level: no name is given by chance more often than it rejects.
    """
    from scipy.stats import f, rankdata

    known = np.flatnonzero(~np.isnan(time))
    table = matrix[known[np.argsort(time[known], kind="stable")]]
    table = table[:, (np.isnan(table).mean(axis=0) <= 0.5) & (np.nanmax(table, axis=0, initial=-np.inf)
                                                            > np.nanmin(table, axis=0, initial=np.inf))]
    d = table.shape[1]
    if not 2 <= d <= TOGETHER or len(table) < PER_COLUMN * d:
        return 1.0
    table = np.where(np.isnan(table), np.nanmedian(table, axis=0), table)
    ranks = rankdata(table, axis=0)
    ranks -= ranks.mean(axis=0)
    aim = np.arange(len(table)) - (len(table) - 1) / 2
    left = aim - ranks @ np.linalg.lstsq(ranks, aim, rcond=1e-8)[0]
    count = len(table) * min(share, *(_independent(column) for column in table.T))
    told = 1 - float((left**2).sum() / (aim**2).sum())
    return float(f.sf(told / max(1 - told, 1e-12) * max(count - d - 1, 0) / d, d, max(count - d - 1, 1)))


def _gap(values: np.ndarray, sides: np.ndarray, time: np.ndarray | None, share: float) -> tuple[float, float]:
    """(largest difference of shares or distribution functions between a level and the rest, its p-value). share: of the
    rows, those that count as independent."""
    if time is not None:
        return _over_time(values, sides, time, share)
    levels = np.unique(sides)
    best, chance = 0.0, 1.0
    for level in levels[1:] if len(levels) == 2 else levels:
        gap, p = _two(values[sides == level], values[sides != level], share, values.dtype.kind == "f")
        best, chance = max(best, gap), min(chance, p * len(levels))
    return best, chance


def _over_time(values: np.ndarray, sides: np.ndarray, time: np.ndarray, share: float) -> tuple[float, float]:
    """The gap between the halves or the outer thirds, and twice the smaller p of the halves and of a steady trend
    (Spearman's rank correlation), for a slow drift is spread over the whole time."""
    from scipy.stats import norm, rankdata

    if len(values) < 40:
        return 0.0, 1.0
    ordered = values.dtype.kind == "f"
    scale = min(share, _independent(values[np.argsort(time, kind="stable")]))
    early, late = np.quantile(time, [1 / 3, 2 / 3])
    gap, p = _two(values[sides == 0], values[sides == 1], scale, ordered)
    outer, _ = _two(values[time < early], values[time >= late], scale, ordered)
    trend = 1.0
    if ordered and np.ptp(values) > 0:
        r = float(np.corrcoef(rankdata(values), time)[0, 1])
        trend = 2 * float(norm.sf(abs(r) * np.sqrt(max(len(values) * scale - 1, 0.0))))
    return max(gap, outer), min(1.0, 2 * min(p, trend))


def _two(here: np.ndarray, there: np.ndarray, scale: float, ordered: bool) -> tuple[float, float]:
    """(distance, p) of two samples of which a share `scale` counts as independent."""
    if min(len(here), len(there)) < ROWS:
        return 0.0, 1.0
    gap = _distance(here, there, ordered=ordered)
    m = len(here) * len(there) / (len(here) + len(there)) * scale
    return gap, min(1.0, 2 * float(np.exp(-2 * m * gap**2)))


def _distance(here: np.ndarray, there: np.ndarray, *, ordered: bool) -> float:
    if not ordered:
        size = int(max(here.max(), there.max())) + 1
        return float(np.abs(np.bincount(here, minlength=size) / len(here)
                            - np.bincount(there, minlength=size) / len(there)).max())
    grid = np.sort(np.concatenate([here, there]))
    return float(np.abs(np.searchsorted(np.sort(here), grid, "right") / len(here)
                        - np.searchsorted(np.sort(there), grid, "right") / len(there)).max())


def _independent(values: np.ndarray) -> float:
    """Share of the rows that count as independent, from the correlation of neighbours (as in a first-order series)."""
    values = values.astype(float)
    spread = values.std()
    if spread == 0 or len(values) < 10:
        return 1.0
    r = float(np.corrcoef(values[1:], values[:-1])[0, 1]) if np.std(values[1:]) and np.std(values[:-1]) else 0.0
    return (1 - max(r, 0.0)) / (1 + max(r, 0.0))
