"""Whether the target goes with a batch, a site or a group."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import Aim, aim_of, units_of
from gnomon.analyses.explore._clusters import FEWEST, design_effect
from gnomon.analyses.explore._kit import Grouping, Looked, discoveries, found, join, not_run, ran
from gnomon.analyses.explore._leaks import association
from gnomon.analyses.explore._names import BATCH, GROUP, has
from gnomon.card import Card
from gnomon.data.table import Data, codes

CARD = Card(
    name="Confounding with batch, site or group",
    gist="Measures how far the target follows a batch-like column (Cramer's V or the share of variance).",
    use_when="Samples came from several sites, scanners or batches: a model may read the site, not the disease.",
    avoid_when="The column is a cause under study and will be known at prediction time.",
    paper="Leek et al. 2010, Tackling the widespread impact of batch effects, Nature Reviews Genetics 11:733-739",
    survey=("P1", "P8"),
    needs=("labels",),
    cost="seconds",
)
LEVELS, EACH = 30, 5  # a batch column has at most so many levels, each with so many rows on average
LARGE = 0.3  # strength warned of; below it, at 0.15, noted


def confounding(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
                seconds: float = 15.0) -> Looked:
    """LOOK-CONFOUND for columns named as batches or with the role group, of few levels, that go with the target. A level
    must hold FEWEST units, where the target hardly varies within them: the fewer could not be told from chance."""
    aim = aim_of(data, target, rows)
    columns = {} if aim is None else _batches(data, aim)
    if aim is None or not columns:
        return Looked(checks=(not_run("LOOK-CONFOUND", "no column names a batch, a site or a group of few levels"),))
    aim = aim.sampled(int(20000 * seconds), seed, "confounding")
    ties, own = units_of(groups, aim), {name: levels[aim.rows] for name, levels in columns.items()}
    own = {name: (levels, None if ties is None or _same(levels, ties) else ties) for name, levels in own.items()}
    few = [n for n, (levels, units) in own.items() if _few(levels, aim, units)]
    strengths = {n: strength(levels, aim, units) for n, (levels, units) in own.items() if n not in few}
    unchecked = (not_run("LOOK-CONFOUND", f"{join(few)}: fewer than {FEWEST} independent units a level"),) if few else ()
    if not strengths:
        return Looked(checks=unchecked)
    stand = discoveries(np.array([p for _, p in strengths.values()]))
    hits = {n: s for (n, (s, _)), keep in zip(strengths.items(), stand, strict=True) if keep and s >= LARGE / 2}
    findings = []
    graded = {"warn": [n for n in hits if hits[n] >= LARGE], "note": [n for n in hits if hits[n] < LARGE]}
    for grade, names in graded.items():
        if names:
            verb = "go" if len(names) > 1 else "goes"
            claim = f"{join(names)} {verb} with '{target}': a model may learn the batch instead of the specimen"
            findings.append(found(data, "LOOK-CONFOUND", grade, claim,
                                  columns=tuple(n for n in names if n in data.columns),
                                  values={n: hits[n] for n in names}, source="Cramer's V, correlation ratio; FDR"))
    return Looked(tuple(findings), (ran("LOOK-CONFOUND", f"a strength of {LARGE / 2} on a scale of 0 to 1"), *unchecked))


def _same(levels: np.ndarray, ties: np.ndarray) -> bool:
    """Whether the levels are the units themselves: then rows are what may follow them."""
    pairs = len(np.unique(np.stack([levels, ties]), axis=1).T)
    return pairs == len(np.unique(levels)) == len(np.unique(ties))


def _few(levels: np.ndarray, aim: Aim, ties: np.ndarray | None) -> bool:
    """Whether the rows, counted by the design effect, are fewer than FEWEST a level."""
    known = levels >= 0
    if ties is None or not known.any():
        return False
    inflation = design_effect(levels[known], aim.values[known], ties[known])
    return inflation > 1 and known.sum() / inflation < FEWEST * len(np.unique(levels[known]))


def strength(levels: np.ndarray, aim: Aim, ties: np.ndarray | None = None) -> tuple[float, float]:
    """(bias-corrected Cramer's V or the root of epsilon squared, p-value) of a column's levels and the target. ties: (m,) the
    unit of each row; rows of one unit count for less, by the design effect."""
    known = levels >= 0
    inflation = design_effect(levels[known], aim.values[known], None if ties is None else ties[known])
    if aim.classes:
        return association(levels[known], aim.values[known], inflation)
    from scipy.stats import f as fisher

    _, place = np.unique(levels[known], return_inverse=True)
    values = aim.values[known]
    count, n = int(place.max(initial=0)) + 1, len(values) / inflation
    if count < 2 or n <= count + 2 or values.std() == 0:
        return 0.0, 1.0
    values = np.argsort(np.argsort(values)).astype(float)  # ranks: no tail decides
    mean = np.bincount(place, values) / np.bincount(place)
    within = float(((values - mean[place]) ** 2).sum())
    between = float(((mean[place] - values.mean()) ** 2).sum())
    ratio = (between / (count - 1)) / max(within / (n - count), 1e-12)
    corrected = max(0.0, (between - (count - 1) * within / (n - count)) / (between + within))
    return float(np.sqrt(corrected)), float(fisher.sf(ratio, count - 1, n - count))


def tells(levels: np.ndarray, aim: Aim, ties: np.ndarray | None = None) -> tuple[float, float]:
    """As `strength`, where one class against all others, or the upper half of a number, may be what the column tells: the
    largest strength, and the smallest p times the number of tests (Bonferroni)."""
    overall = strength(levels, aim, ties)
    if len(aim.classes) == 2:
        return overall
    known = levels >= 0
    sides = [aim.values == c for c in np.unique(aim.values)] if aim.classes else [aim.values > np.median(aim.values)]
    parts = [association(levels[known], side[known], design_effect(levels[known], side[known], None if ties is None else
                                                                   ties[known])) for side in sides]
    size, p = max(part[0] for part in parts), min(part[1] for part in parts)
    return max(size, overall[0]), min(1.0, min(overall[1], p) * (len(sides) + 1))


def _batches(data: Data, aim: Aim) -> dict[str, np.ndarray]:
    """Batch-like columns, and groups that are no patients or the like, of few well filled levels."""
    out = {}
    for name, column in data.columns.items():
        role = data.roles[name].role
        if name == aim.name or column.spec.shape or role not in ("input", "group", "identifier", "ignore"):
            continue
        plain = role == "group" and not has(name, GROUP)  # a patient is a unit, not a batch
        if not plain and not (has(name, BATCH) and column.spec.kind in ("category", "number")):
            continue
        levels = codes(column)
        if _fits(levels[aim.rows]):
            out[name] = levels
    return out


def _fits(levels: np.ndarray) -> bool:
    count = len(np.unique(levels[levels >= 0]))
    return 2 <= count <= LEVELS and len(levels) >= EACH * count
