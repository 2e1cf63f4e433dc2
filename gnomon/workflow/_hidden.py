"""What a hidden layer knows that nobody asked: batch, site or group told from a network's representation.

A column that is neither target nor input is read off the last hidden layer by a linear probe, on rows the network was not
trained on, and off the same network with fresh random weights. Both probes see every pair of column and target alike, so
that a column is not "known" merely because it goes with what the network was asked. Only what the training added is told.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.explore._names import BATCH, has
from gnomon.data.table import Data, strings
from gnomon.rng import stream
from gnomon.values import Finding, finding, plain
from gnomon.workflow._exhibit_map import representing
from gnomon.workflow._members import Candidate
from gnomon.workflow.run import Bench

CODE = "WHY-HIDDEN"
SMALLEST = "a column told 0.15 (of balanced accuracy) better than by the untrained network, from about 300 rows on"
MOST_ROWS, FEWEST_ROWS = 1500, 60
MOST_COLUMNS, MOST_LEVELS, FEWEST_OF_LEVEL = 6, 20, 10
FAR = 0.1  # share of the way from chance to certainty by which training must surely have helped, for a warning
SECONDS = 2.0  # less is not begun


@dataclass(frozen=True)
class Known:
    """One column. score, baseline: accuracy from the trained and the untrained network, balanced over pairs of column and
    target; advantage: their difference with limits corrected for the number of columns. tied: whether the column surely
    helps to tell the target."""

    column: str
    model: str
    score: float
    baseline: float
    chance: float
    advantage: float
    low: float | None
    high: float | None
    level: float
    tied: bool
    nuisance: bool
    recommended: bool
    n_rows: int
    n_units: int

    @property
    def told(self) -> bool:
        """Whether training surely made the column easier to read."""
        return self.low is not None and self.low > 0

    @property
    def far(self) -> bool:
        return self.low is not None and self.low > FAR * (1 - self.chance)


def with_hidden(tried: Mapping[str, Any], bench: Bench, notes: Any, candidates: Sequence[Candidate], best: Candidate | None,
                limit: float) -> dict[str, Any]:
    """What the trials found, with "hidden" beside it and what that took; `limit`: seconds that all of them share."""
    started = time.perf_counter()
    found = hidden(bench, notes, candidates, best, limit - sum(t["seconds"] for t in tried.get("took", ())))
    if not found:
        return dict(tried)
    took = {"what": "hidden layer", "seconds": round(time.perf_counter() - started, 1)}
    return {**tried, "hidden": found, "took": [*tried.get("took", ()), took]}


def hidden(bench: Bench, notes: Any, candidates: Sequence[Candidate], best: Candidate | None, left: float) -> list[Any]:
    """Probe the deep candidate's last hidden layer; findings and the check go to `notes`. left: seconds allowed."""
    columns, why = hidden_columns(bench.data), ""
    deep = _deep(candidates, best, bench.task.metric.higher_is_better)
    if deep is None:
        why = "no deep candidate was trained"
    elif not columns:
        why = "no column outside the inputs names groups of rows (batch, site, donor ...)"
    elif len(bench.parts.folds[0].valid) < FEWEST_ROWS:
        why = f"fewer than {FEWEST_ROWS} rows that the network was not trained on"
    elif left < SECONDS:
        why = f"needs about {SECONDS:.0f} s, {max(left, 0):.0f} s of its share of the budget are left: --budget"
    if why:
        notes.skip(CODE, why)
        return []
    started = time.perf_counter()
    found = notes.run(CODE, SMALLEST, lambda: probed(bench, deep, columns, best, until=started + left))
    if found is not None and not found:
        notes.checks.pop()
        notes.skip(CODE, f"no such column has two values of {FEWEST_OF_LEVEL} rows among those the network was not trained on")
    found = found or []
    notes.add(*(hidden_finding(k, bench.parts.fold_policy) for k in found))
    return [plain(asdict(k)) for k in found]


def hidden_columns(data: Data) -> dict[str, np.ndarray]:
    """Columns of 2 to 20 common values that no model reads: groups, and what was set aside. name -> words or None."""
    out = {}
    for name, column in data.columns.items():
        if column.spec.shape or data.roles[name].role not in ("group", "ignore") or column.spec.kind in ("text", "image"):
            continue
        if column.spec.kind == "number" and data.roles[name].role != "group":
            continue
        words = strings(column)
        values, counts = np.unique([w for w in words if w is not None], return_counts=True)
        if 2 <= len(values) <= MOST_LEVELS and (counts >= FEWEST_OF_LEVEL).sum() >= 2:
            out[name] = words
    order = sorted(out, key=lambda n: (data.roles[n].role != "group", not has(n, BATCH)))
    return {n: out[n] for n in order[:MOST_COLUMNS]}


def _deep(candidates: Sequence[Candidate], best: Candidate | None, higher: bool) -> Candidate | None:
    """The recommended candidate where a network takes part in it, else the best deep one."""
    if best is not None and any(run.recipe.family == "deep" for _, run in best.members):
        return best
    deep = [c for c in candidates if c.family == "deep" and np.isfinite(c.score)]
    return max(deep, key=lambda c: c.score if higher else -c.score, default=None)


def probed(bench: Bench, deep: Candidate, columns: dict[str, np.ndarray], best: Candidate | None, *, until: float
           ) -> list[Known]:
    """Every column that the validation rows of the first fold can answer for, until the clock says so."""
    from gnomon.analyses.represent._random_copy import random_copy

    found = representing(deep)
    if found is None:
        return []
    label, network = found
    rows = bench.parts.folds[0].valid
    rows = rows[np.sort(stream(bench.seed, "hidden rows").permutation(len(rows))[:MOST_ROWS])]
    held = network.embed(bench.data, rows)
    bare = replace(network, module=random_copy(network.module, bench.seed)).embed(bench.data, rows)
    strata, out = _strata(bench.task, bench.data, rows), []
    for name, words in columns.items():
        if time.perf_counter() < until:
            known = _known(bench, name, words, rows, held, bare, strata, len(columns))
            out += [] if known is None else [replace(known, model=label, recommended=deep is best)]
    return out


def _known(bench: Bench, name: str, words: np.ndarray, rows: np.ndarray, held: np.ndarray, bare: np.ndarray,
           strata: np.ndarray, count: int) -> Known | None:
    """One column probed; None where its values are too rare among these rows."""
    from gnomon.analyses.represent._balanced_probe import balanced_probe

    values, level = _common(words[rows]), 1 - 0.05 / count
    kept = np.array([v is not None for v in values], dtype=bool)
    if kept.sum() < FEWEST_ROWS:
        return None
    groups = _groups(values[kept], bench.parts.units[rows][kept])
    p = balanced_probe(held[kept], bare[kept], values[kept], strata[kept], groups, level=level, seed=bench.seed,
                       fewest=FEWEST_ROWS)
    if p is None:
        return None
    return Known(name, "", p.score, p.baseline, 1 / p.levels, p.advantage, p.low, p.high, level, _tied(bench, name, words),
                 bool(has(name, BATCH)) or bench.data.roles[name].role == "group", False, p.n_rows, p.n_units)


def _common(words: np.ndarray) -> np.ndarray:
    """Words, None where the value is rare."""
    known = [w for w in words if w is not None]
    values, counts = np.unique(known, return_counts=True) if known else ((), ())
    common = {v for v, c in zip(values, counts, strict=True) if c >= FEWEST_OF_LEVEL}
    return np.array([w if w in common else None for w in words], dtype=object)


def _groups(values: np.ndarray, units: np.ndarray) -> np.ndarray | None:
    """The units to hold out; None (rows) where the column names the units themselves, or is coarser than too few."""
    pairs = np.unique(np.stack([np.unique(values.astype(str), return_inverse=True)[1], np.unique(
        units, return_inverse=True)[1]]), axis=1)[0]
    return None if np.bincount(pairs).max() == 1 else units


def _strata(task: Any, data: Data, rows: np.ndarray) -> np.ndarray:
    """(n,) the class of the (first) target, or the fifth of its range a number lies in; -1 where not known."""
    one = task.tasks[0] if task.name == "several" else task
    truth = np.asarray(one.truth(data, rows), dtype=float)
    known = np.isfinite(truth)
    if one.name == "classify":
        return np.where(known, truth, -1).astype(int)
    edges = np.quantile(truth[known], [0.2, 0.4, 0.6, 0.8]) if known.any() else np.zeros(0)
    return np.where(known, np.searchsorted(np.unique(edges), np.where(known, truth, 0.0)), -1)


def _tied(bench: Bench, name: str, words: np.ndarray) -> bool:
    """Whether the column alone surely tells the (first) target better than chance, on rows that are not sealed."""
    from gnomon.analyses.represent.linear_probe import linear_probe
    from gnomon.errors import InputError

    task = bench.task.tasks[0] if bench.task.name == "several" else bench.task
    rows = stream(bench.seed, "tied rows", name).permutation(bench.parts.develop)[:2 * MOST_ROWS]
    values = _common(words[rows])
    kept = np.array([v is not None for v in values], dtype=bool)
    rows, values = rows[kept], values[kept].astype(str)
    truth = np.asarray(task.truth(bench.data, rows))
    units = bench.parts.units[rows]
    try:
        p = linear_probe((values[:, None] == np.unique(values)[None]).astype(float), truth, groups=_groups(values, units),
                         permutations=0, seed=bench.seed)
    except InputError:
        return False
    chance = 1 / len(np.unique(truth[truth >= 0])) if task.name == "classify" else 0.0
    return p.low is not None and p.low > chance


def hidden_finding(k: Known, policy: str) -> Finding | None:
    """A warning where the recommended network surely tells a nuisance far better than before training, the nuisance goes with
    the target, and the rows that judge do not come from other values of it; else a note, where training helped at all."""
    if not k.told:
        return None
    apart = policy.partition(":")[2] == k.column
    warn = k.far and k.nuisance and k.tied and k.recommended and not apart
    claim = (f"The last hidden layer of {k.model} tells '{k.column}' (balanced accuracy {k.score:.2f} within what the target "
             f"tells; untrained {k.baseline:.2f}, chance {k.chance:.2f}): {k.advantage:.2f} [{k.low:.2f}, {k.high:.2f}] more "
             "than before training. Nobody asked it to.")
    claim += f" As '{k.column}' goes with the target, part of the score may rest on it." if warn else \
        " The rows that judge come from other values of it, so the score cannot rest on knowing them." if apart else \
        "" if k.tied else f" '{k.column}' alone does not tell the target, so the score hardly rests on it."
    return finding("VALID-SHORTCUT" if warn else CODE, "warn" if warn else "note", claim, columns=(k.column,),
                   values={"cue": "hidden layer", **asdict(k)}, source="Alain & Bengio 2016; Geirhos et al. 2020")
