"""Patterns in the errors: which classes are taken for which, and which sizes and sub-groups fare worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import many
from gnomon.card import Card
from gnomon.data.table import Data, missing
from gnomon.data.tokens import SMILES
from gnomon.tasks._task import Prediction
from gnomon.values import Finding, finding

CARD = Card(
    name="Patterns in the errors",
    gist="Classes that are mistaken for one another beyond chance, and slices (sizes, thirds of numbers, categories, missing "
         "values, thirds of the prediction, clusters of the inputs) whose error is larger, false discoveries held down.",
    use_when="After a first model: what it gets wrong says which rows, labels or features to look at.",
    avoid_when="Fewer than about 100 scored rows; or as proof: slices are searched here and need fresh rows to be confirmed.",
    paper="Chung et al. 2019, Slice Finder, IEEE TKDE, arXiv:1807.06068; Benjamini & Hochberg 1995",
    survey=("P5", "P9"),
    tasks=("classify", "regress"),
    needs=("labels",),
    cost="seconds",
)
FEWEST_UNITS = 20  # a slice of fewer is not judged
MOST_VALUES, MOST_COLUMNS = 20, 40
FEW_VALUES = 5  # of a number: a slice each
FDR = 0.01
TIMES = 1.3  # a slice's error over that of all other rows, below which it is not worth a word
SHARE, TWINS = 0.1, 5  # of a class's rows that go to one other class; and of at least so many units
Candidate = tuple[str, str, np.ndarray]  # what a slice is, its column, bool (n,)


@dataclass(frozen=True)
class Slice:
    """Rows with something in common. times: their error over that of the other rows; p: of no difference, by unit."""

    what: str
    column: str
    rows: np.ndarray
    error: float
    others: float
    p: float

    @property
    def times(self) -> float:
        return self.error / max(self.others, 1e-12)


def error_patterns(task: Any, data: Data, rows: np.ndarray, prediction: Prediction, units: np.ndarray,
                   more: Sequence[Candidate] = ()) -> list[Finding]:
    """DEBUG-ERRORS ("note"): one finding for mistaken classes, one for slices, each absent when there is no pattern.

    rows (n,): scored out of fold; prediction: of these rows; units (n,): their independent units. The error of a row is
    1 - p(truth) for classes and the absolute error for numbers. Slices are compared with all other rows by Welch's t over
    unit means, at a false discovery rate of 1 %. more: slices of these rows to try besides those of the columns.
    """
    truth = np.asarray(task.truth(data, rows))
    known = scored(task, truth, prediction)
    if known.sum() < 2 * FEWEST_UNITS:
        return []
    rows, units, truth, prediction = rows[known], units[known], truth[known], prediction.take(np.flatnonzero(known))
    out = []
    if task.name == "classify":
        error = 1 - prediction.proba[np.arange(len(rows)), truth.astype(int)]
        out += _classes(task, data, rows, truth.astype(int), prediction.value.astype(int), units)
    else:
        error = np.abs(truth - prediction.value)
    more = [(what, column, inside[known]) for what, column, inside in more]
    found = slices(data, rows, error, units, prediction.value if task.name == "regress" else None, more)
    return [*out, *_told(data, rows, found)]


def scored(task: Any, truth: np.ndarray, prediction: Prediction) -> np.ndarray:
    """bool (n,): rows that have a target and a prediction."""
    return truth >= 0 if task.name == "classify" else np.isfinite(truth) & np.isfinite(prediction.value)


def mistaken(truth: np.ndarray, value: np.ndarray, count: int, units: np.ndarray | None = None
             ) -> list[tuple[int, int, int, float]]:
    """(true class, class it is taken for, rows, share of the true class): pairs more frequent than if a class's errors
    were spread over the other classes as all other errors are (Poisson tail, Bonferroni over pairs at 1 %). Rows of one
    unit and class weigh as one: their errors may be the same. units: (n,), None = each row its own."""
    from scipy.stats import poisson

    _, own = np.unique(np.arange(len(truth)) if units is None else units, return_inverse=True)
    _, alike, sizes = np.unique(own * count + truth, return_inverse=True, return_counts=True)
    table, met = np.zeros((count, count)), np.unique(np.stack([own, truth, value], axis=1), axis=0)
    np.add.at(table, (truth, value), 1 / sizes[alike])
    wrong = table - np.diag(np.diag(table))
    out = []
    for i in range(count):
        rest = wrong.sum(axis=0) - wrong[i] + 0.5  # where the other classes' errors go, the pair itself left out
        rest[i] = 0
        expected = wrong[i].sum() * rest / max(rest.sum(), 1e-12)
        for j in np.flatnonzero(wrong[i]):
            n, rows = table[i].sum(), int(((truth == i) & (value == j)).sum())
            share, in_units = rows / (truth == i).sum(), int(((met[:, 1] == i) & (met[:, 2] == j)).sum())
            beyond = count == 2 or poisson.sf(np.floor(wrong[i, j] + 1e-9) - 1, expected[j]) < 0.01 / (count * (count - 1))
            if count > 2 and in_units >= TWINS and share >= SHARE and n > FEWEST_UNITS - 0.5 and beyond:
                out.append((i, int(j), rows, float(share)))
    return sorted(out, key=lambda hit: -hit[3])


def _classes(task: Any, data: Data, rows: np.ndarray, truth: np.ndarray, value: np.ndarray, units: np.ndarray
             ) -> list[Finding]:
    hits = mistaken(truth, value, len(task.classes), units)
    if not hits:
        return []
    i, j, n, share = hits[0]
    more = f"; {len(hits) - 1} other pairs likewise" if len(hits) > 1 else ""
    claim = (f"class '{task.classes[i]}' is taken for '{task.classes[j]}' in {share:.0%} of its rows ({n}), more than errors "
             f"at large go there{more}. What helps: look at these rows' labels (gnomon relabel), or add rows of both")
    values = {f"{task.classes[a]} taken for {task.classes[b]}": s for a, b, _, s in hits[:12]}
    bad = np.flatnonzero((truth == i) & (value == j))
    return [finding("DEBUG-ERRORS", "note", claim, rows=data.position[rows[bad]], values=values, source="confusion counts",
                    columns=(task.target,))]


def slices(data: Data, rows: np.ndarray, error: np.ndarray, units: np.ndarray, value: np.ndarray | None = None,
           more: Sequence[Candidate] = ()) -> list[Slice]:
    """Slices whose error is TIMES that of the other rows and stands at the false discovery rate, worst first. value: the
    predicted numbers, which are sliced too; the true ones are not, as at both ends of these every sound prediction errs
    more (regression to the mean)."""
    every = [_compared(*candidate, error, units) for candidate in (*candidates(data, rows, value), *more)]
    tried = [s for s in every if s is not None]
    if not tried:
        return []
    p = np.array([s.p for s in tried])
    order = np.argsort(p)
    below = np.flatnonzero(p[order] <= FDR * np.arange(1, len(p) + 1) / len(p))
    kept = [tried[k] for k in order[:below[-1] + 1]] if len(below) else []
    return sorted((s for s in kept if s.times >= TIMES), key=lambda s: -s.times)


def candidates(data: Data, rows: np.ndarray, value: np.ndarray | None) -> list[Candidate]:
    """Every slice of a column, or of the predicted numbers, that is tried."""
    out: list[Candidate] = []
    names = [n for n in data.columns if data.roles[n].role in ("input", "group", "time", "ignore")][:MOST_COLUMNS]
    for name in names:
        column = data.columns[name]
        kind, block = column.spec.kind, bool(column.spec.shape)
        if kind == "category":
            codes = column.take(rows)
            if len(np.unique(codes)) <= MOST_VALUES:
                out += [(f"'{name}' is '{column.spec.categories[k]}'", name, codes == k) for k in np.unique(codes) if k >= 0]
        elif kind in ("number", "date") and not block:
            values = column.take(rows)
            out += _thirds(f"'{name}'", name, np.where(missing(column, rows), np.nan, values.astype("float64")))
        elif kind == "molecule":
            out += _thirds(f"the number of atoms of '{name}'", name, np.array([atoms(v or "") for v in column.take(rows)]))
        elif kind in ("text", "sequence"):
            out += _thirds(f"the length of '{name}'", name, np.array([len(v or "") for v in column.take(rows)], dtype=float))
        elif kind == "image":
            out += _pictures(name, column, rows)
        if kind != "image" and not block:
            out.append((f"'{name}' is missing", name, missing(column, rows)))
    if value is not None:
        out += _thirds("the prediction", "", value)
    return out


def atoms(smiles: str) -> float:
    """Atoms but hydrogens of a SMILES."""
    return float(sum(t[0] == "[" or t.isalpha() for t in SMILES.findall(smiles) if t != "[H]"))


def _thirds(what: str, name: str, values: np.ndarray) -> list[Candidate]:
    """Both ends of a number; each of its values where these are FEW_VALUES or fewer. Where ties leave nothing above the
    upper limit, or below the lower one, the tied rows are the end."""
    values = np.where(np.isfinite(values), values, np.nan)
    levels = np.unique(values[~np.isnan(values)])
    if len(levels) < 2:
        return []
    if len(levels) <= FEW_VALUES:
        return [(f"{what} is {level:.6g}", name, values == level) for level in levels]
    low, high = np.nanquantile(values, [1 / 3, 2 / 3])
    lowest = values < low if low == high > levels[0] else values <= low
    highest = values > high if high < levels[-1] else values >= high
    return [(f"{what} is in its lowest third", name, lowest), (f"{what} is in its highest third", name, highest)]


def _pictures(name: str, column: Any, rows: np.ndarray) -> list[Candidate]:
    """Brightness and contrast of images; their files' width and height are columns of their own."""
    means, spreads = [], []
    for i in range(0, len(rows), 512):
        pixels = np.asarray(column.take(rows[i:i + 512]), dtype=np.float32).reshape(len(rows[i:i + 512]), -1)
        means.append(pixels.mean(axis=1))
        spreads.append(pixels.std(axis=1))
    return [*_thirds(f"the brightness of '{name}'", name, np.concatenate(means)),
            *_thirds(f"the contrast of '{name}'", name, np.concatenate(spreads))]


def _compared(what: str, column: str, inside: np.ndarray, error: np.ndarray, units: np.ndarray) -> Slice | None:
    """The slice against all other rows, by unit; None when either side has too few units."""
    from scipy.stats import ttest_ind

    both = [_unit_means(error[side], units[side]) for side in (inside, ~inside)]
    if min(len(b) for b in both) < FEWEST_UNITS:
        return None
    if both[0].std() == 0 and both[1].std() == 0:
        return None
    p = float(ttest_ind(*both, equal_var=False, alternative="greater").pvalue)
    return Slice(what, column, np.flatnonzero(inside), float(error[inside].mean()), float(error[~inside].mean()), p)


def _unit_means(error: np.ndarray, units: np.ndarray) -> np.ndarray:
    _, codes = np.unique(units, return_inverse=True)
    return np.bincount(codes, error) / np.maximum(np.bincount(codes), 1)


def _told(data: Data, rows: np.ndarray, found: Sequence[Slice]) -> list[Finding]:
    """One finding for all slices; which value of a column it is stands in the values, not in the claim. Rows are listed of a
    cluster, which has no other name."""
    if not found:
        return []
    worst = found[0]
    where = worst.what.split(" is ", 1)[0]
    cluster = worst.what.startswith("the inputs are in ")
    plain = cluster or " is in its " in worst.what or worst.what.endswith("missing")
    named = worst.what if plain else f"one value of {where}"
    others = len(found) - 1
    more = f"; {many(others, 'other slice')} likewise" if others else ""
    claim = (f"errors are {worst.times:.1f} times as large where {named} ({len(worst.rows)} rows){more}. Searched on rows out "
             "of fold: confirm it on new ones. What helps: more rows like these, or a feature that tells them apart")
    values = {s.what: round(s.times, 3) for s in found[:12]}
    columns = tuple(dict.fromkeys(s.column for s in found if s.column))[:12]
    return [finding("DEBUG-ERRORS", "note", claim, rows=data.position[rows[worst.rows]] if cluster else (), values=values,
                    columns=columns, source="slices, false discovery rate 1 %")]
