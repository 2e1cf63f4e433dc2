"""Examine the judged candidates: optimism of a random split, calibration, ranges, sub-groups, shift, seeds, limits."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from gnomon.analyses.validate import _findings as said
from gnomon.analyses.validate._units import NO_P
from gnomon.analyses.validate.calibration import calibration, calibration_finding
from gnomon.analyses.validate.conformal import conformal, coverage, coverage_finding
from gnomon.analyses.validate.ood import detection, ood, too_few
from gnomon.analyses.validate.optimism import optimism
from gnomon.analyses.validate.shift import TOO_FEW, shift, shift_finding
from gnomon.analyses.validate.subgroups import cut_of_target, subgroup_findings, subgroups
from gnomon.data._times import time_places
from gnomon.data.features._view import View
from gnomon.data.table import strings
from gnomon.rng import stream
from gnomon.tasks._task import Stats
from gnomon.values import Check, Finding, plain
from gnomon.workflow._clock import clock_for
from gnomon.workflow._hidden import with_hidden
from gnomon.workflow._matrix import AXES, MATRIX_ROWS, axes_pair, main_axes, matrices, matrix, weight_of
from gnomon.workflow._members import Candidate, seed_scores
from gnomon.workflow._named_groups import named_groups
from gnomon.workflow._notes import Notes
from gnomon.workflow._sources import changed_test, other_sources, unlike_rows, without_copies
from gnomon.workflow._trials import trials
from gnomon.workflow.options import Options
from gnomon.workflow.run import Bench
from gnomon.workflow.verdict import Verdict, predict_rows

OPTIMISM_ROWS, OPTIMISM_TREES = 1000, 30
OPTIMISM_FITS = 50  # five repeats of five folds, twice
GUARANTEED = ("random", "stratified", "group", "cold")  # policies that leave units exchangeable (EVIDENCE 14)
MEANT = {"group": "whole groups", "cluster": "whole clusters", "scaffold": "whole scaffolds", "cold": "whole entities",
         "time": "the later rows"}  # by policy: what is held out because it may differ
NO_MATRIX = "the inputs could not be read as plain numbers"


@dataclass(frozen=True)
class Examined:
    """Findings and checks, and the states that prediction and the page need."""

    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]
    optimism: dict[str, Any] | None = None
    calibration: dict[str, Any] | None = None
    conformal: dict[str, Any] | None = None
    coverage: dict[str, Any] | None = None
    ood: dict[str, Any] | None = None
    subgroups: tuple[dict[str, Any], ...] = ()
    trials: dict[str, Any] = field(default_factory=dict)


def examine(bench: Bench, seen: Any, candidates: Sequence[Candidate], verdict: Verdict, options: Options) -> Examined:
    """All checks of a trained study. Each says what it would have found, or why it did not run."""
    notes = Notes()
    stats, units = verdict.stats[verdict.shown.recipe.hash], bench.parts.units[verdict.rows]
    _claims(bench, notes, verdict, units, candidates, seen)
    table = notes.run("VALID-SHIFT", None, lambda: matrix(bench.data, bench.parts.develop, bench.seed))
    gap = _optimism(bench, notes, table, clock_for(bench, options.budget).limit)
    calibrated = _calibration(bench, notes, stats, units)
    rule, measured = _ranges(bench, notes, candidates, verdict)
    groups = _subgroups(bench, notes, verdict, stats, units, 0 if options.show_rows else said.SMALL_CELL)
    distance = _distances(bench, notes, table, verdict)
    tried = trials(bench, notes, candidates, verdict, table, options.budget)
    tried = with_hidden(tried, bench, notes, candidates, verdict.recommended, clock_for(bench, options.budget).limit)
    return Examined(tuple(notes.findings), tuple(notes.checks), plain(gap) if gap else None,
                    plain(asdict(calibrated)) if calibrated else None, rule, plain(measured) if measured else None,
                    distance, tuple(plain(asdict(g)) for g in groups), tried)


def _claims(bench: Bench, notes: Notes, verdict: Verdict, units: np.ndarray, candidates: Sequence[Candidate],
            seen: Any) -> None:
    """What limits the claims: no signal, too few units, noise, too good a score, seeds, a test opened before."""
    chosen, n = verdict.chosen, len(np.unique(units))
    estimate = verdict.tests[chosen.recipe.hash]
    notes.add(said.no_signal_found(verdict.signal, verdict.folds))
    if not verdict.signal.signal:
        notes.add(said.underpowered(bench.task, verdict.signal))
    if verdict.outcome == "undetermined" and verdict.signal.judged:
        notes.add(said.undetermined(verdict.difference, n, bench.parts.unit))
    notes.add(said.few_groups(bench.task, verdict.stats[chosen.recipe.hash], units, bench.parts.unit))
    told, ceiling = said.against_noise(bench.task, estimate, verdict.floor.score, seen.facts)
    notes.add(*told)
    notes.checks.append(ceiling)
    if verdict.openings > 1:
        from gnomon.values import finding

        notes.add(finding("VALID-TEST-REUSED", "warn", f"The sealed part of these data has been opened "
                          f"{verdict.openings} times for different models: its score is now a little too good.",
                          values={"openings": verdict.openings}))
    notes.add(changed_test(bench), without_copies(bench, verdict, seen.copies))
    signal, defined = verdict.signal, np.isfinite(estimate.value)
    notes.checks += [Check("VALID-NO-SIGNAL", True, "", signal.smallest_effect) if signal.judged else
                     Check("VALID-NO-SIGNAL", False, signal.why_not), Check("VALID-FEW-GROUPS", True),
                     Check("VALID-TOO-GOOD", True) if estimate.n_units >= said.JUDGED and defined else
                     Check("VALID-TOO-GOOD", False, f"fewer than {said.JUDGED} units judge it" if defined else
                           "the score is not defined on these rows"),
                     Check("VALID-TEST-REUSED", True) if len(bench.parts.test) else
                     Check("VALID-TEST-REUSED", False, "no part is sealed")]
    several = [c for c in candidates if c.family == "deep" and len(c.members[0][1].by_seed) > 2]
    if several:
        notes.add(*(said.seeds_unstable(np.array(seed_scores(bench, c)), estimate) for c in several))
    else:
        notes.skip("VALID-SEEDS", "fewer than three seeds of a deep model fitted in the budget")


def _optimism(bench: Bench, notes: Notes, table: Any, limit: float) -> dict[str, Any] | None:
    """How much a random split would have flattered a cheap model; not tried where its fits need more than `limit` seconds,
    by one that is timed."""
    name = bench.parts.fold_policy.split(":")[0]
    mine = bench.parts.units[bench.parts.develop]
    grouped = len(np.unique(mine)) < 0.98 * len(mine)
    why = "several targets" if bench.task.name == "several" else NO_MATRIX if table is None else \
        "" if grouped or name == "time" else "nearly every row is a unit of its own: a random split promises the same"
    if why:
        notes.skip("VALID-OPTIMISM", why)
        return None
    from gnomon.card import load

    _, rows, x = table
    some = np.sort(stream(bench.seed, "optimism rows").permutation(len(rows))[:OPTIMISM_ROWS])
    when = None
    if name == "time":
        when = time_places(bench.data.columns[bench.parts.fold_policy.split(":", 1)[1]], rows[some])
        some, when = some[when >= 0], when[when >= 0]
    make = lambda: load("forest")({}, bench.task.out, trees=OPTIMISM_TREES).set_params(  # noqa: E731
        random_state=bench.seed, n_jobs=1)
    axes, truth = main_axes(x[some], AXES, bench.seed), bench.task.truth(bench.data, rows[some])
    _seconds(lambda: make().fit(axes[:50], truth[:50]))  # loads the library, which the fits to come need not
    needs = OPTIMISM_FITS * _seconds(lambda: make().fit(axes, truth))
    if needs > limit:
        notes.skip("VALID-OPTIMISM", f"needs about {needs:.0f} s, {limit:.0f} s are left for it: --budget")
        return None
    gap = notes.run("VALID-OPTIMISM", "", lambda: optimism(
        bench.task, axes, truth, bench.parts.units[rows[some]], make=make, model="a small forest", seed=bench.seed, time=when))
    if gap is not None and gap.get("gap") is not None:
        unit = bench.parts.unit
        notes.add(said.optimistic(gap, "later rows" if name == "time" else
                                  "rows without a copy in training" if unit == "row" else f"new {unit} units"))
        return gap
    return None


def _seconds(do: Callable[[], Any]) -> float:
    """How long it takes; a failure is left to the check that does it again, and says so."""
    started = time.perf_counter()
    with suppress(Exception):
        do()
    return time.perf_counter() - started


def _calibration(bench: Bench, notes: Notes, stats: Stats, units: np.ndarray) -> Any:
    if bench.task.name != "classify":
        notes.skip("VALID-CALIBRATION", "the prediction is not a single class with a probability")
        return None
    few = len(np.unique(units)) < NO_P
    smallest = None if few else "probabilities off by about 0.05"
    found = notes.run("VALID-CALIBRATION", smallest, lambda: calibration(stats, units),
                      "fewer than 50 rows judge it, or fewer than 10 in which what was foretold came or in which it did not")
    if few:
        notes.skip("VALID-CALIBRATION", f"fewer than {NO_P} units judge it, too few for a test")
    notes.add(calibration_finding(found))
    return found


def _ranges(bench: Bench, notes: Notes, candidates: Sequence[Candidate], verdict: Verdict) -> tuple[Any, Any]:
    """Conformal ranges from out-of-fold rows (CV+), or from validation rows; measured on the sealed part."""
    best = verdict.shown
    rows = best.members[0][1].rows
    truth = bench.task.truth(bench.data, rows)
    rule = notes.run("VALID-COVERAGE", None, lambda: conformal(best.oof, truth, bench.parts.units[rows]))
    if rule is None:
        return None, None
    measured, test = None, bench.parts.test
    guaranteed = bench.parts.policy.split(":")[0] in GUARANTEED
    if len(test):
        measured = notes.run("VALID-COVERAGE", "coverage short by about 5 points", lambda: coverage(
            rule, predict_rows(bench, best, test), bench.task.truth(bench.data, test), bench.parts.units[test]))
        if measured:
            measured = {**measured, "guaranteed": guaranteed}
            notes.add(coverage_finding(measured, guaranteed=guaranteed))
    else:
        notes.skip("VALID-COVERAGE", "no sealed rows to measure it on")
    from dataclasses import replace

    return {**replace(rule, residuals=None, fold=None, weight=None).state(), "guaranteed": guaranteed}, measured


def _subgroups(bench: Bench, notes: Notes, verdict: Verdict, stats: Stats, units: np.ndarray, fewest: int) -> list[Any]:
    groups = named_groups(bench.data, bench.parts.unit)
    left = f"not looked at: {groups.left_out}" if groups.left_out else ""
    columns = {name: strings(bench.data.columns[name]) for name in groups.columns}
    labels = {name: words[verdict.rows] for name, words in columns.items() if not _of_target(bench, name, words)}
    if not labels:
        notes.skip("VALID-SUBGROUP", "; ".join(filter(None, ["no column names sub-groups", left])))
        return []
    table = notes.run("VALID-SUBGROUP", None, lambda: subgroups(bench.task, stats, units, labels, seed=bench.seed,
                                                                fewest=fewest))
    if table is None:
        return []
    notes.run("VALID-SUBGROUP", left, lambda: [g for g in table if g.p is not None] or None,
              "no sub-group has 20 units (and 10 rows of the rarer of two classes) to be set against the other rows")
    notes.add(*subgroup_findings(bench.task, table, verdict.difference.margin))
    return table


def _of_target(bench: Bench, name: str, words: np.ndarray) -> bool:
    """Whether a column that is set aside is but a cut of the target: its groups would be judged by their own answer."""
    if bench.data.roles[name].role != "ignore" or bench.task.name == "several":
        return False
    rows = bench.parts.develop
    truth = np.asarray(bench.task.truth(bench.data, rows), dtype=float)
    return cut_of_target(words[rows], truth, ordered=bench.task.name != "classify")


def _distances(bench: Bench, notes: Notes, table: Any, verdict: Verdict) -> dict[str, Any] | None:
    """The rule that flags rows unlike the training rows; and whether the sealed rows differ as a whole."""
    if table is None:
        notes.skip("VALID-OOD", NO_MATRIX)
        return None
    view, rows, x = table
    _shift(bench, notes, view, rows, x, verdict)
    state, arrays = view.state()
    small = {k: v for k, v in arrays.items() if v.size < 200_000}
    if len(small) < len(arrays):
        notes.skip("VALID-OOD", "the features are too many to keep: rows at prediction are not checked for likeness")
        return None
    rule = notes.run("VALID-OOD", None, lambda: ood(
        x, bench.parts.units[rows], weight=weight_of(view), seed=bench.seed,
        refit=lambda known, held: matrices(bench.data, rows[known], rows[held], bench.seed)))
    if rule is None:
        return None
    few = too_few(rule)
    caught = notes.run("VALID-OOD", None if few else "planted shifts, with their share found",
                       lambda: detection(rule, x, seed=bench.seed))
    if few:
        notes.skip("VALID-OOD", few)
    if bench.parts.test_hash:
        notes.add(notes.run("VALID-OOD", None, lambda: unlike_rows(bench, view, rule)))
    return {"rule": plain(rule.state()), "unit": bench.parts.unit, "view": plain(state),
            "arrays": {k: _packed(v) for k, v in arrays.items()}, "detection": plain(caught)}


def _shift(bench: Bench, notes: Notes, view: View, rows: np.ndarray, x: np.ndarray, verdict: Verdict) -> None:
    """VALID-SHIFT between the training rows and each other part there is: another source, or the sealed rows of this one."""
    before = len(notes.checks)
    other_sources(bench, notes, view, rows, x, verdict)
    if len(bench.parts.test) and not bench.parts.test_hash:
        test = np.sort(stream(bench.seed, "shift test").permutation(bench.parts.test)[:MATRIX_ROWS])
        found = notes.run("VALID-SHIFT", "an area of 0.6 for telling the parts apart", lambda: shift(
            *axes_pair(x, np.asarray(view.transform(bench.data, test), dtype=np.float32), bench.seed),
            bench.parts.units[rows], bench.parts.units[test], seed=bench.seed), TOO_FEW)
        notes.add(shift_finding(found, meant=MEANT.get(bench.parts.policy.split(":")[0], "")))
    if len(notes.checks) == before:
        notes.skip("VALID-SHIFT", "no sealed rows and no other source to set beside the training rows")


def _packed(array: np.ndarray) -> dict[str, Any]:
    """An array as JSON: dtype, shape and values."""
    return {"dtype": str(array.dtype), "shape": list(array.shape), "values": array.ravel().tolist()}


def unpacked(state: dict[str, Any]) -> np.ndarray:
    """What `_packed` wrote."""
    return np.asarray(state["values"], dtype=state["dtype"]).reshape(state["shape"])
