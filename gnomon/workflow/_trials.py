"""Trials of a trained study: shortcuts, slices, more data, corruptions, attributes; within their share of the budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import join
from gnomon.analyses.validate._attribute import attribute_finding, attribute_price
from gnomon.analyses.validate._cues import shown_features
from gnomon.analyses.validate._units import scorable
from gnomon.analyses.validate.corruptions import MOST_ROWS as MOST_CORRUPTED
from gnomon.analyses.validate.corruptions import changes, corruption_findings, corruptions
from gnomon.analyses.validate.shortcut_trials import shortcut_findings, shortcut_trials
from gnomon.analyses.validate.slices import FEWEST_EVENTS, FEWEST_UNITS, Judged, slice_findings, slices
from gnomon.data.parts import Fold
from gnomon.data.table import Data, strings
from gnomon.rng import stream
from gnomon.tasks._task import Stats
from gnomon.values import plain
from gnomon.workflow._clock import NAMES, Clock, clock_for, merged, run_trial
from gnomon.workflow._gains import seed_gain
from gnomon.workflow._members import Candidate
from gnomon.workflow._more_data import more_data
from gnomon.workflow._named_groups import named_groups
from gnomon.workflow.run import Bench
from gnomon.workflow.verdict import Verdict, delivered, of_fold

MOST_ROWS = 3000  # rows in which slices are searched, and confirmed
CLUSTERS, NAMED = 8, 2
RESERVED = 10.0  # seconds for the probes of the hidden layer, which come after
ATTRIBUTES, ATTRIBUTE_ROWS = 2, 1500


def trials(bench: Bench, notes: Any, candidates: Sequence[Candidate], verdict: Verdict, table: Any, budget: float
           ) -> dict[str, Any]:
    """All trials that fit in, cheapest news first; what the report shows of them. notes: gathers findings and checks."""
    best = verdict.recommended
    why = "several targets" if bench.task.name == "several" else \
        "no model is recommended" if best is None or best.family == "floor" else ""
    if why or best is None:
        for code in NAMES:
            notes.skip(code, why)
        return {}
    clock = clock_for(bench, budget)
    if any(c.family == "deep" for c in candidates):  # the data-size curve, last and dearest, must not starve the hidden layer
        clock.limit -= min(RESERVED, clock.limit / 3)
    out = {"shortcuts": _shortcuts(bench, notes, clock, verdict, best),
           "slices": _slices(bench, notes, clock, verdict, table),
           "attributes": _attributes(bench, notes, clock, table),
           "corruptions": _corruptions(bench, notes, clock, verdict),
           **more_data(bench, notes, clock, candidates, best),
           "seeds": seed_gain(bench, best)}
    return plain({**{k: v for k, v in out.items() if v}, "took": clock.took, "metric": bench.task.metric.name,
                  "higher_is_better": bench.task.metric.higher_is_better, "model": best.recipe.label})


# ---- shortcuts and slices ------------------------------------------------------------------------------------------
def _shortcuts(bench: Bench, notes: Any, clock: Clock, verdict: Verdict, best: Candidate) -> Any:
    floor = verdict.floor
    rows = best.members[0][1].rows
    found = run_trial(notes, clock, "VALID-SHORTCUT", "a cue that reaches a quarter of the gain", 1.0, lambda: shortcut_trials(
        bench.task, bench.data, merged(bench.parts.folds), bench.parts.units, rows, best.oof, floor.oof, seed=bench.seed,
        enough=clock.over) or None, "no cue among these columns that could be tried")
    notes.add(*shortcut_findings(found or ()))
    return [asdict(t) for t in found or ()]


def _slices(bench: Bench, notes: Any, clock: Clock, verdict: Verdict, table: Any) -> Any:
    """Searched on out-of-fold rows; confirmed on the sealed rows, or on a held half of the units."""
    best, floor = verdict.recommended, verdict.floor
    assert best is not None
    seconds = 0.5 if all(bench.data.kind(n) in ("number", "category", "date") for n in bench.data.inputs) else 3.0

    def do() -> Any:
        groups, rows = clusters(bench, table), best.members[0][1].rows
        names = slice_columns(bench.data, min(len(rows), MOST_ROWS))
        search, confirm = _judged(bench, rows, best.stats, floor.stats, groups, names), None
        if len(bench.parts.test):
            confirm = _judged(bench, verdict.rows, verdict.stats[best.recipe.hash], verdict.stats[floor.recipe.hash], groups,
                              names)
        return slices(bench.task, search, confirm, seed=bench.seed) if _enough(search, confirm) else None

    found = run_trial(notes, clock, "VALID-STRATUM", "a slice of 20 units with errors half as large again, if marked",
                      seconds, do, f"too few units judge: a slice needs {FEWEST_UNITS} (and {FEWEST_EVENTS} rows of the rarer "
                      "of two classes) beside the others, both to be found and to be confirmed")
    on = "the sealed rows" if len(bench.parts.test) else "units held back from the search"
    notes.add(*slice_findings(bench.task, found or (), on))
    return [{**asdict(s), "said": s.said, "confirmed": s.confirmed, "where": None} for s in found or ()]


def _judged(bench: Bench, rows: np.ndarray, stats: Stats, floor: Stats, groups: Callable[[np.ndarray], np.ndarray],
            names: Sequence[str]) -> Judged:
    kept = np.sort(stream(bench.seed, "slice rows", len(rows)).permutation(len(rows))[:MOST_ROWS])
    rows = rows[kept]
    columns = {**scalars(bench.data, names, rows), **shown_features(bench.data, rows)}
    alike = groups(rows)
    if len(alike):
        columns["kind of row"] = alike
    return Judged(stats.take(kept), floor.take(kept), bench.parts.units[rows], columns)


def _enough(search: Judged, confirm: Judged | None) -> bool:
    """Whether some slice could be found, and then confirmed: by rows that were not searched, or by one half of the units what
    the other half found."""
    stats, _, units = scorable(search.stats, search.units)
    if units < (4 if confirm is None else 2) * FEWEST_UNITS:
        return False
    if confirm is not None:
        stats, _, units = scorable(confirm.stats, confirm.units)
    two = "proba" in stats.arrays and stats["proba"].shape[1] == 2
    rarer = np.bincount(stats["truth"].astype(int), minlength=2).min() if two else FEWEST_EVENTS
    return units >= FEWEST_UNITS and len(stats) >= 2 * FEWEST_UNITS and rarer >= FEWEST_EVENTS


def slice_columns(data: Data, count: int) -> list[str]:
    """Plain columns that may name a slice of `count` searched rows: numbers, and categories with 20 rows a value or more on
    average; neither targets nor identifiers."""
    return [n for n, c in data.columns.items() if data.roles[n].role in ("input", "group", "ignore") and not c.spec.shape
            and (c.spec.kind == "number" or (c.spec.kind == "category" and len(c.spec.categories) <= count / 20))]


def scalars(data: Data, names: Sequence[str], rows: np.ndarray) -> dict[str, np.ndarray]:
    """Those columns of these rows: numbers as float, categories as words."""
    return {n: data.columns[n].take(rows).astype(float) if data.columns[n].spec.kind == "number" else
            strings(data.columns[n], rows) for n in names}


def clusters(bench: Bench, table: Any) -> Callable[[np.ndarray], np.ndarray]:
    """rows -> words: which of eight kinds of row (k-means on the narrow features) each is, told by what marks it."""
    if table is None or table[2].shape[1] < 3:
        return lambda rows: np.zeros(0, dtype=object)
    from sklearn.cluster import MiniBatchKMeans

    view, _, x = table
    mean, sd = x.mean(axis=0), np.where(x.std(axis=0) > 0, x.std(axis=0), 1)
    scaled = np.clip((x - mean) / sd, -5, 5)
    model = MiniBatchKMeans(CLUSTERS, random_state=bench.seed, n_init=1, batch_size=1024).fit(scaled)
    words = np.array([f"{k + 1}: {_marks(centre, view.names)}" for k, centre in enumerate(model.cluster_centers_)],
                     dtype=object)

    def told(rows: np.ndarray) -> np.ndarray:
        other = np.asarray(view.transform(bench.data, rows), dtype=np.float32)
        return words[model.predict(np.clip((other - mean) / sd, -5, 5).astype(scaled.dtype))]

    return told


def _marks(centre: np.ndarray, names: Sequence[str]) -> str:
    top = np.argsort(-np.abs(centre), kind="stable")[:NAMED]
    return ", ".join(f"{'high' if centre[i] > 0 else 'low'} {names[i]}" for i in top)


# ---- corruptions --------------------------------------------------------------------------------------------------
def held_out(bench: Bench, best: Candidate) -> tuple[Any, np.ndarray]:
    """What is recommended, and rows it was not trained on: the sealed ones, else one fold's models on its own rows."""
    if len(bench.parts.test):
        return delivered(best), bench.parts.test
    k = int(np.argmax([len(np.unique(bench.parts.units[f.valid])) for f in bench.parts.folds]))
    return of_fold(best, k), bench.parts.folds[k].valid


def _corruptions(bench: Bench, notes: Any, clock: Clock, verdict: Verdict) -> Any:
    many = len(changes(bench.data))
    if not many:
        notes.skip("VALID-CORRUPTION", "no input of a kind that has common corruptions")
        return None
    assert verdict.recommended is not None
    learned, rows = held_out(bench, verdict.recommended)
    started = time.perf_counter()
    learned.predict(bench.data, rows[:MOST_CORRUPTED])
    each = time.perf_counter() - started
    found = run_trial(notes, clock, "VALID-CORRUPTION", "a loss beyond the margin under the mildest change", (many + 1) * each,
                 lambda: corruptions(bench.task, learned.predict, bench.data, rows, bench.parts.units, seed=bench.seed,
                                          enough=clock.over))
    notes.add(*corruption_findings(bench.task, found or [], verdict.difference.margin))
    return [asdict(c) for c in found or ()]


# ---- attributes ---------------------------------------------------------------------------------------------------
def _attributes(bench: Bench, notes: Any, clock: Clock, table: Any) -> Any:
    groups = named_groups(bench.data)
    names, rest = groups.known[:ATTRIBUTES], groups.known[ATTRIBUTES:]
    if not names or table is None:
        notes.skip("VALID-ATTRIBUTE", "no column names a batch, a site or a sensitive attribute" if not names else
                   "the inputs could not be read as plain numbers")
        return None
    view, rows, x = table

    def do() -> Any:
        kept = np.sort(stream(bench.seed, "attribute rows").permutation(len(rows))[:ATTRIBUTE_ROWS])
        some = rows[kept]
        place = np.full(len(bench.data), -1)
        place[some] = np.arange(len(some))
        folds = [Fold(*(place[p][place[p] >= 0] for p in (f.train, f.valid))) for f in merged(bench.parts.folds)]
        truth, units = bench.task.truth(bench.data, some), bench.parts.units[some]
        out = []
        for name in names:
            if out and clock.over():
                break
            own = np.array([s != name for s in view.source])
            out.append(attribute_price(bench.task, name, np.nan_to_num(x[kept][:, own]), truth, strings(
                bench.data.columns[name], some), folds, units, seed=bench.seed) if own.any() else None)
        return [p for p in out if p is not None] or None

    found = run_trial(notes, clock, "VALID-ATTRIBUTE", "a probe 0.1 above chance" + (f"; not tried: {join(rest)}" if rest
                      else ""), 1.0, do,
                      "fewer than two of its values have 20 rows, or the split holds out whole values of it")
    notes.add(*(attribute_finding(p) for p in found or ()))
    return [asdict(p) for p in found or ()]
