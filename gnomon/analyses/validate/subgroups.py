"""How well each named sub-group fares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.validate._units import known, unit_codes
from gnomon.analyses.validate.interval import interval
from gnomon.card import Card
from gnomon.tasks._task import Stats
from gnomon.values import Finding, finding

CARD = Card(
    name="Scores by sub-group",
    gist="The score of every named sub-group with its interval, and which do worse than the rest beyond chance.",
    use_when="Sites, sexes, batches, scaffolds or species are named in a column.",
    avoid_when="The groups were searched for on these same rows: confirm them on others.",
    paper="Van Calster et al. 2019, BMC Medicine 17; Benjamini & Hochberg 1995, JRSS B 57",
    survey=("P9", "P7", "P8"),
    needs=("labels", "groups"),
    cost="seconds",
)
FEWEST_UNITS, FEWEST_EVENTS, MOST_GROUPS = 20, 10, 20
MANY = 2000  # other rows from which on the jackknife serves for them: twenty groups are each set against nearly all rows
OUT_OF_PLACE = 0.1  # of the rows out of place by chance that may be so where a column is a cut of the target
FALSE_SHARE = 0.02  # expected share of false ones among the sub-groups named


@dataclass(frozen=True)
class Subgroup:
    """One sub-group; value, low, high are None where there are too few rows, which `few` says. gap: how much worse than
    the other rows of its column (positive: worse), with the p of that. bias: how far predictions lie above the truth on
    average (numbers: in the target's unit; two classes: probability of the second less its share), with 95 % limits."""

    column: str
    group: str
    n_units: int
    n_rows: int
    n_events: int | None
    few: bool
    value: float | None = None
    low: float | None = None
    high: float | None = None
    gap: float | None = None
    p: float | None = None
    bias: float | None = None
    bias_low: float | None = None
    bias_high: float | None = None


def subgroups(task: Any, stats: Stats, units: np.ndarray | None, labels: Mapping[str, np.ndarray], *,
              seed: int = 0, fewest: int = 0) -> list[Subgroup]:
    """Scores of the commonest 20 groups of every column in `labels` (each (n,), None or "" = unknown).

    Under 20 units or 10 rows of the rarer class: "too few", and no score is given. Groups under `fewest` rows stand together
    without their names.
    """
    rows = np.flatnonzero(known(stats))
    stats, codes = stats.take(rows), unit_codes(units, len(units) if units is not None else len(stats))[0]
    codes = codes[rows] if units is not None else np.arange(len(rows))
    table = []
    for column, values in labels.items():
        words = np.array(["" if v is None else str(v) for v in np.asarray(values, dtype=object)[rows]], dtype=object)
        words = without_rare(words, fewest)
        names, counts = np.unique(words[words != ""].astype(str), return_counts=True)
        for name in names[np.argsort(-counts, kind="stable")][:MOST_GROUPS] if len(names) > 1 else ():
            table.append(_one(task, stats, codes, words, column, str(name), seed))
    return table


def without_rare(words: np.ndarray, fewest: int) -> np.ndarray:
    """The words with those in under `fewest` rows called "others", and the next rarest with them as long as what is left over
    from the whole would still tell so small a count ("" = unknown)."""
    names, counts = np.unique(words[words != ""].astype(str), return_counts=True)
    order = np.argsort(counts, kind="stable")
    rare = int((counts < fewest).sum())
    if not rare:
        return words
    while rare < len(names) and (rare < 2 or counts[order[:rare]].sum() < fewest):
        rare += 1
    out = words.copy()
    out[np.isin(words.astype(str), names[order[:rare]])] = "others" if "others" not in names else "all others"
    return out


def cut_of_target(values: np.ndarray, truth: np.ndarray, *, ordered: bool) -> bool:
    """Whether the groups are but a cut of the target, up to a tenth of the rows that would be out of place by chance: of
    numbers (ordered) each group is one stretch, of classes each class lies in one group. values: (n,) words, None or "" =
    unknown."""
    words = np.array(["" if v is None else str(v) for v in values])
    known = (words != "") & np.isfinite(truth) & (ordered | (truth >= 0))
    truth = truth[known]
    codes, counts = np.unique(words[known], return_inverse=True, return_counts=True)[1:]
    if len(counts) < 2:
        return False
    if ordered:
        rank = np.argsort(np.argsort(np.bincount(codes, weights=truth) / counts, kind="stable"), kind="stable")[codes]
        there = rank[np.lexsort((rank, truth))] == np.sort(rank)
    else:
        table = np.zeros((len(counts), int(truth.max()) + 1))
        np.add.at(table, (codes, truth.astype(int)), 1)
        there = table.argmax(axis=0)[truth.astype(int)] == codes
    return bool(1 - there.mean() <= OUT_OF_PLACE * (1 - ((counts / counts.sum()) ** 2).sum()))


def _one(task: Any, stats: Stats, codes: np.ndarray, words: np.ndarray, column: str, name: str, seed: int) -> Subgroup:
    inside, outside = np.flatnonzero(words == name), np.flatnonzero((words != name) & (words != ""))
    part = stats.take(inside)
    n_units, rarest = len(np.unique(codes[inside])), _rarest(part)
    few = n_units < FEWEST_UNITS or (rarest is not None and rarest < FEWEST_EVENTS)
    if few:
        return Subgroup(column, name, n_units, len(inside), rarest, True)
    own = interval(task, part, codes[inside], seed=seed, repeats=1000)
    rest = interval(task, stats.take(outside), codes[outside], seed=seed, repeats=1000 if len(outside) < MANY else 0)
    gap, p = _gap(task, own.value, own.low, own.high, rest.value, rest.low, rest.high)
    return Subgroup(column, name, n_units, len(inside), rarest, False, own.value, own.low, own.high, gap, p,
                    *_bias(part, codes[inside]))


def _bias(stats: Stats, codes: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Calibration in the large: mean of predicted less observed, and its t limits over units."""
    from scipy.stats import t

    if "truth" not in stats.arrays or ("proba" in stats.arrays and stats["proba"].shape[1] != 2):
        return None, None, None
    off = (stats["proba"][:, 1] if "proba" in stats.arrays else stats["value"]) - stats["truth"]
    each = np.bincount(np.unique(codes, return_inverse=True)[1], weights=off - off.mean()) / len(off)
    g = len(each)
    half = float(t.ppf(0.975, g - 1) * np.sqrt((each**2).sum() * g / (g - 1)))
    return float(off.mean()), float(off.mean() - half), float(off.mean() + half)


def _rarest(stats: Stats) -> int | None:
    """Rows of the rarer of two classes; None for numbers and for more classes."""
    if "proba" not in stats.arrays or stats["proba"].shape[1] != 2:
        return None
    return int(np.bincount(stats["truth"].astype(int), minlength=2).min())


def _gap(task: Any, value: float, low: float | None, high: float | None, rest: float, rest_low: float | None,
         rest_high: float | None) -> tuple[float | None, float | None]:
    """How much worse the group is, and its two-sided p, from the halves of the intervals that face each other."""
    from scipy.stats import norm

    if low is None or high is None or rest_low is None or rest_high is None:
        return None, None
    below = value < rest
    facing = np.hypot((high - value) if below else (value - low), (rest - rest_low) if below else (rest_high - rest))
    gap = (rest - value) * (1 if task.metric.higher_is_better else -1)
    return float(gap), float(2 * norm.sf(abs(gap) / (facing / 1.96))) if facing > 0 else 1.0


def subgroup_findings(task: Any, table: list[Subgroup], margin: float | None = None) -> list[Finding]:
    """VALID-SUBGROUP for every group that does worse than the rest by more than `margin` (one-sided), with at most 2 % false
    ones expected among those named (Benjamini-Hochberg)."""
    tested = sorted((s for s in table if s.p is not None), key=_of_worse)
    passed = [i for i, s in enumerate(tested) if _of_worse(s) <= FALSE_SHARE * (i + 1) / len(tested)]
    worse = [s for s in tested[:max(passed, default=-1) + 1] if s.gap is not None and s.gap > (margin or 0.0)]
    name = task.metric.name.replace("_", " ")
    return [finding("VALID-SUBGROUP", "warn",
                    f"'{s.group}' in '{s.column}' does worse: {name} {s.value:.3g} [{s.low:.3g}, {s.high:.3g}], "
                    f"{s.gap:.2g} worse than the other rows.", columns=(s.column,),
                    values={"group": s.group, "value": s.value, "low": s.low, "high": s.high, "gap": s.gap,
                            "n_units": s.n_units, "n_rows": s.n_rows}, source="Benjamini & Hochberg 1995")
            for s in worse]


def _of_worse(group: Subgroup) -> float:
    """One-sided p that the group does worse than the rest."""
    assert group.p is not None and group.gap is not None
    return group.p / 2 if group.gap > 0 else 1 - group.p / 2
