"""What validation has to say, as findings: each function returns a Finding, or None where there is nothing to say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gnomon.analyses.validate._units import NO_INTERVAL, NO_P, unit_codes
from gnomon.analyses.validate.compare import outcome, units_needed
from gnomon.analyses.validate.no_signal import NoSignal
from gnomon.tasks._task import Stats
from gnomon.values import Check, Difference, Estimate, Finding, finding

NEAR_PERFECT = 0.001  # share of the floor's error left over below which a score is called too good
JUDGED = 30  # units that must judge before a score is called so
FEWEST_REPEATS, SURE_REPEATS = 10, 30  # repeated inputs whose spread tells a ceiling; and a score too good to be true
SMALL_CELL = 5  # groups with fewer rows are not shown


def no_signal_found(result: NoSignal, folds: NoSignal | None = None) -> Finding | None:
    """VALID-NO-SIGNAL: the chosen model does not beat the floor beyond chance; VALID-UNDETERMINED: no test could be made.
    folds: what the training rows' folds tell, where others judge."""
    if result.signal:
        return None
    if not result.judged and folds is not None and folds.judged and not folds.signal:
        return no_signal_found(folds)
    if not result.judged:
        return finding("VALID-UNDETERMINED", "warn", f"Nothing tells a model from knowing nothing here: {result.why_not}.",
                       values={"judged": False, "why": result.why_not})
    return finding("VALID-NO-SIGNAL", "block", f"No signal detectable; {result.smallest_effect}.",
                   values={"p": result.p, "detectable": result.detectable, "test": result.test}
                   | ({"folds": folds.signal} if folds and folds.judged else {}),
                   source="Ojala & Garriga 2010, JMLR 11")


def underpowered(task: Any, result: NoSignal, best_possible: float | None = None) -> Finding | None:
    """VALID-UNDERPOWERED: even a large effect could have been missed: the score that would have been found lies at or
    beyond `best_possible` (None: the metric's own best; for an AUC, correlation or R2 0.8)."""
    detectable = result.detectable
    sign = 1 if task.metric.higher_is_better else -1
    limit = best_possible if best_possible is not None else \
        0.8 if task.metric.name in ("roc_auc", "r2", "pearson", "spearman") else float(sign > 0)
    if detectable is None or sign * detectable < sign * limit:
        return None
    return finding("VALID-UNDERPOWERED", "note", f"Too few units to find a moderate effect: {result.smallest_effect}.",
                   values={"detectable": detectable, "limit": limit})


def undetermined(difference: Difference, n_units: int, unit: str = "row") -> Finding | None:
    """VALID-UNDETERMINED: the comparison cannot be settled with these units."""
    if outcome(difference) != "undetermined":
        return None
    needed = units_needed(difference, n_units)
    values = {"low": difference.low, "high": difference.high, "margin": difference.margin, "n_units": n_units,
              "units_needed": needed}
    if difference.high is not None and difference.high < 0:
        return finding("VALID-UNDETERMINED", "note",
                       "On the test rows the simpler model did better, contrary to validation.", values=values)
    more = f"; about {needed:,} would" if needed else ""
    claim = f"{n_units} units (each a {unit}) are too few to tell which of the two is better{more}."
    return finding("VALID-UNDETERMINED", "note", claim, values=values)


def few_groups(task: Any, stats: Stats, units: np.ndarray, unit: str) -> Finding | None:
    """VALID-FEW-GROUPS: too few independent units for a p, or for any interval; the groups' own scores instead."""
    codes, g = unit_codes(units, len(stats))
    if g >= NO_P:
        return None
    scores, sizes = [], np.bincount(codes, minlength=g)
    for i in range(g):
        score = float(task.score(stats.take(np.flatnonzero(codes == i)))) if sizes[i] >= SMALL_CELL else float("nan")
        scores.append(score)
    what = "no interval is given" if g < NO_INTERVAL else "no p is given"
    return finding("VALID-FEW-GROUPS", "warn", f"Only {g} independent {'units' if g > 1 else 'unit'} ({unit}) "
                   f"{'judge' if g > 1 else 'judges'} the score: {what}.",
                   values={"groups": g, "unit": unit, "scores": scores, "rows": sizes}, source="Cameron, Gelbach & Miller 2008")


def one_unit(unit: str) -> Finding | None:
    """VALID-FEW-GROUPS: the data hold one `unit` only, so its rows judge each other ("" = more than one)."""
    if not unit:
        return None
    return finding("VALID-FEW-GROUPS", "block", f"Every row is of one {unit}: the score is for other rows of it, and nothing "
                   f"here tells how well a model does on another {unit}.", columns=(unit,), values={"groups": 1})


def unnamed_units(unit: str, unnamed: int, rows: int) -> Finding | None:
    """LOOK-GROUP: `unnamed` of so many rows say nothing in the column by which rows are kept together."""
    if not unnamed:
        return None
    if unnamed == rows:
        return finding("LOOK-GROUP", "warn", f"The column '{unit}' is empty: each row counts as a unit of its own. If rows "
                       "belong together, the score flatters and its interval is too short.", columns=(unit,),
                       values={"unnamed": unnamed, "share": 1.0})
    return finding("LOOK-GROUP", "warn",
                   f"{unnamed:,} of {rows:,} rows name no '{unit}': each counts as one of its own. If they share one, among "
                   "them or with others, the score flatters and its interval is too short.", columns=(unit,),
                   values={"unnamed": unnamed, "share": unnamed / rows})


def seeds_unstable(scores: np.ndarray, estimate: Estimate) -> Finding | None:
    """VALID-SEEDS: training again with another seed moves the score by more than half its sampling interval."""
    scores = np.asarray(scores, dtype=float)
    if len(scores) < 3 or estimate.low is None or estimate.high is None:
        return None
    spread, half = float(scores.std(ddof=1)), (estimate.high - estimate.low) / 2
    if spread <= half / 2:
        return None
    return finding("VALID-SEEDS", "warn" if spread > half else "note",
                   f"Training with another seed moves the score by {spread:.2g} (sd of {len(scores)} seeds), "
                   f"against a sampling error of about {half / 2:.2g}.",
                   values={"sd": spread, "seeds": len(scores), "half_width": half}, source="Bouthillier et al. 2021")


def against_noise(task: Any, estimate: Estimate, floor: float, facts: Mapping[str, Any]) -> tuple[list[Finding], Check]:
    """Whether the error stands at, or implausibly below, the noise of repeated measurements; and the check of VALID-CEILING.

    facts: of look B: repeats (inputs measured more than once among the training rows), replicate_sd of one measurement.
    """
    repeats, sd = int(facts.get("repeats", 0)), facts.get("replicate_sd") if task.name == "regress" else None
    told = [too_good(task, estimate, floor, replicate_sd=sd if repeats >= SURE_REPEATS else None)]
    if task.name != "regress" or estimate.metric not in ("rmse", "mae"):
        check = Check("VALID-CEILING", False, "the score is no error in the target's unit, to set beside the spread of repeats")
    elif repeats < FEWEST_REPEATS:
        check = Check("VALID-CEILING", False, f"{FEWEST_REPEATS} inputs measured more than once tell the noise, not {repeats}")
    elif sd is None:
        check = Check("VALID-CEILING", False, "the spread of repeated measurements was not measured")
    elif sd == 0:
        check = Check("VALID-CEILING", False, "most repeats have equal targets: they are copies and tell no noise")
    else:
        told.append(ceiling(estimate, sd, repeats) if told[0] is None or told[0].grade == "note" else None)
        check = Check("VALID-CEILING", True, "", "an error whose interval reaches down to the spread of repeated measurements")
    return [f for f in told if f is not None], check


def ceiling(estimate: Estimate, replicate_sd: float, repeats: int) -> Finding | None:
    """VALID-CEILING: the error is no larger than repeated measurements differ among themselves (`replicate_sd`, the sd
    of one measurement, from `repeats` inputs measured more than once). An error well below it is too good: see `too_good`."""
    noise = _noise(estimate, replicate_sd)
    if noise is None or repeats < FEWEST_REPEATS or estimate.low is None or noise < estimate.low:
        return None
    return finding("VALID-CEILING", "note",
                   f"The error ({estimate.value:.3g}) is, within its interval, no larger than the measurement's own noise "
                   f"({noise:.3g}, from {repeats:,} inputs measured more than once): a better model could not show it here.",
                   values={"noise": noise, "value": estimate.value, "repeats": repeats},
                   source="Brown, Muchmore & Hajduk 2009, Drug Discovery Today 14")


def _noise(estimate: Estimate, replicate_sd: float | None) -> float | None:
    """The error, in the estimate's metric, of the best prediction under normal noise of this sd."""
    return None if not replicate_sd else {"rmse": replicate_sd, "mae": replicate_sd * float(np.sqrt(2 / np.pi))}.get(
        estimate.metric)


def too_good(task: Any, estimate: Estimate, floor: float, *, replicate_sd: float | None = None) -> Finding | None:
    """VALID-TOO-GOOD: the score leaves almost none of the floor's error (a note: easy problems exist), or its whole
    interval lies below the noise of repeated measurements, which only a leak explains (a warning)."""
    noise = _noise(estimate, replicate_sd)
    if noise is not None and estimate.high is not None and estimate.high < 0.8 * noise:
        return finding("VALID-TOO-GOOD", "warn",
                       f"The error ({estimate.value:.3g}) is smaller than that of measuring again ({noise:.3g}): "
                       "look for a leak.", values={"noise": noise, "value": estimate.value})
    if not np.isfinite([floor, estimate.value]).all() or estimate.n_units < JUDGED:
        return None
    best = 1.0 if task.metric.higher_is_better else 0.0
    gap, left = abs(best - floor), abs(best - estimate.value)
    if gap == 0 or left / gap > NEAR_PERFECT:
        return None
    return finding("VALID-TOO-GOOD", "note", f"Almost nothing is left to improve (score {estimate.value:.4g}, floor "
                   f"{floor:.3g}): make sure no input contains the answer.",
                   values={"value": estimate.value, "floor": floor, "left": left / gap})


def optimistic(measured: Mapping[str, Any], units: str = "new groups") -> Finding | None:
    """VALID-OPTIMISM: a random split would have promised more; only if the lower limit of the gap is above 0."""
    if measured.get("low") is None or measured["low"] <= 0:
        return None
    return finding("VALID-OPTIMISM", "note",
                   f"A random split would flatter: {measured['model']} scores {measured['random']:.3g} on it and "
                   f"{measured['honest']:.3g} on {units}, {measured['gap']:.2g} "
                   f"[{measured['low']:.2g}, {measured['high']:.2g}] worse.", values=dict(measured))
