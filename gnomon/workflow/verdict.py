"""The verdict: which model is recommended, against what, and what the sealed part says, opened once.

Order matters (EVIDENCE 1): the recommended model and its comparator are fixed on validation; only then are sealed
rows predicted, and only for these two and the floor.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.analyses.validate.bbc_cv import bbc_cv
from gnomon.analyses.validate.compare import compare, outcome, units_needed
from gnomon.analyses.validate.interval import interval
from gnomon.analyses.validate.margin import margin
from gnomon.analyses.validate.no_signal import NoSignal, no_signal
from gnomon.data.split import PILOT_BELOW
from gnomon.rng import stream
from gnomon.tasks._task import Prediction, Stats
from gnomon.values import Difference, Estimate, floor_label
from gnomon.workflow._floors import floor_prediction
from gnomon.workflow._members import Candidate
from gnomon.workflow.ledger import Ledger, record_opening
from gnomon.workflow.run import Bench, Delivered, Run, weighed

EVENTS_PER_CLASS = 10
FOLD_ROWS = 3000  # rows of the folds that are asked for signal where sealed rows show none


@dataclass(frozen=True)
class Verdict:
    """What is claimed. recommended is None when no model beats the floor. tests: estimate by recipe hash."""

    recommended: Candidate | None
    against: Candidate
    outcome: str  # better | equivalent | undetermined | no-signal
    claim: str
    difference: Difference
    signal: NoSignal
    rows: np.ndarray  # the rows that judged: sealed, or all out-of-fold rows
    stats: Mapping[str, Stats]  # of recommended, comparator and floor, by recipe hash
    prediction: Prediction  # for `rows`, of the model that is delivered: see `shown`
    chosen: Candidate  # the model fixed on validation, before the outcome
    floor: Candidate  # the best floor on validation
    tests: Mapping[str, Estimate] = field(default_factory=dict)
    headline: Estimate | None = None
    openings: int = 0
    pilot: bool = False
    needed: int | None = None
    blocked: tuple[str, ...] = ()  # codes of the findings that stand against any claim
    folds: NoSignal | None = None  # what the folds tell where the sealed rows show or can judge nothing

    @property
    def shown(self) -> Candidate:
        """The model that a person gets and the report examines: the recommended one, or where none is, the one chosen."""
        return self.recommended or self.chosen

    @property
    def kind(self) -> str:
        return self.recommended.family if self.recommended else "none"


def fixed_on_validation(bench: Bench, candidates: Sequence[Candidate]) -> tuple[Candidate, Candidate, Candidate]:
    """(chosen, comparator, floor): the best on validation; the best simple model, or the floor where that is chosen; the
    best of the floors."""
    sign = 1 if bench.task.metric.higher_is_better else -1
    ranked = sorted((c for c in candidates if np.isfinite(c.score)), key=lambda c: -sign * c.score)
    floor = next((c for c in ranked if c.family == "floor"), None) or next(c for c in candidates if c.family == "floor")
    able = [c for c in ranked if c.family != "floor"] or [floor]
    simple = [c for c in able if c.family == "simple"]
    chosen = able[0]
    return chosen, (simple[0] if simple and simple[0] is not chosen else floor), floor


def judge(bench: Bench, candidates: Sequence[Candidate], ledger: Ledger, blocked: Sequence[str] = ()) -> Verdict:
    """Fix the two, open the sealed part once (or use the out-of-fold rows), compare, and say what follows.

    blocked: codes of findings while which stand no model is said to be superior.
    """
    chosen, against, floor = fixed_on_validation(bench, candidates)
    simple = [c.score for c in candidates if c.family == "simple"]
    best_simple = (max if bench.task.metric.higher_is_better else min)(simple) if simple else chosen.score
    apart = margin(floor.score, best_simple)
    sealed = len(bench.parts.test) > 0
    three = {c.recipe.hash: c for c in (chosen, against, floor)}
    openings = 0
    if sealed:
        rows = bench.parts.test
        openings = record_opening(ledger, *sealed_key(bench), (chosen.recipe.hash, against.recipe.hash),
                                  bench.key if bench.parts.test_hash else "", made_of(bench.seed, (chosen, against)))
        predictions = {h: predict_rows(bench, c, rows) for h, c in three.items()}
    else:
        rows = chosen.members[0][1].rows
        predictions = {h: c.oof for h, c in three.items()}
    truth = bench.task.truth(bench.data, rows)
    stats = {h: bench.task.measure(p, truth) for h, p in predictions.items()}
    return _weighed(bench, candidates, (chosen, against, floor), stats, predictions, rows, apart, openings, sealed,
                    tuple(blocked))


def sealed_key(bench: Bench) -> tuple[str, str]:
    """What openings of these sealed rows are counted by: the data and the split, or the external rows alone."""
    return bench.parts.test_hash or bench.data.read_hash, bench.parts.policy


def made_of(seed: int, candidates: Sequence[Candidate]) -> str:
    """Key of what makes these predictors beside their recipes: the seed, and the weights, folds and seeds averaged in each."""
    body = sorted([[run.recipe.hash, round(weight, 3), sorted(Path(*f.parts[-2:]).as_posix() for f in run.folders)]
                   for weight, run in c.members] for c in candidates)
    return hashlib.sha256(json.dumps([seed, body], sort_keys=True).encode()).hexdigest()[:10]


def _weighed(bench: Bench, candidates: Sequence[Candidate], three: tuple[Candidate, Candidate, Candidate],
             stats: Mapping[str, Stats], predictions: Mapping[str, Prediction], rows: np.ndarray, apart: float,
             openings: int, sealed: bool, blocked: tuple[str, ...]) -> Verdict:
    chosen, against, _ = three
    units = bench.parts.units[rows]
    ours, theirs, lowest = (stats[c.recipe.hash] for c in three)
    every = [c.stats for c in candidates if c.family != "floor"]
    signal = no_signal(bench.task, ours if sealed else every, lowest, units,
                       informed=bool(three[2].recipe.options), seed=bench.seed)
    found = compare(bench.task, ours, theirs, units, margin=apart, seed=bench.seed)
    folds = _of_folds(bench, candidates, three) if sealed and not signal.signal else None
    what = outcome(found)
    pilot = len(np.unique(units)) < PILOT_BELOW or _few_events(bench, rows)
    held = pilot or bool(blocked)  # no claim of superiority
    simpler = chosen if against.family == "floor" else against
    if not signal.judged and not (folds and folds.judged and not folds.signal) and chosen.family != "floor":
        what, best = "undetermined", simpler if folds and folds.signal else None
    elif not signal.signal or chosen.family == "floor":
        what, best = "no-signal", None
    elif against.family == "floor":
        best = chosen
        what = "undetermined" if held and what == "better" else what
    elif what == "better" and not held:
        best = chosen
    else:
        what, best = ("undetermined" if what == "better" else what), against
    kind = "holdout" if sealed else bench.parts.estimator
    tests = {h: interval(bench.task, s, units, estimator=kind, unit=bench.parts.unit, seed=bench.seed)
             for h, s in stats.items()}
    settled = signal.judged and what == outcome(found) == "undetermined"
    needed = units_needed(found, len(np.unique(units))) if settled else None
    verdict = Verdict(best, against, what, "", found, signal, rows, stats,
                      predictions[(best or chosen).recipe.hash], chosen, three[2], tests,
                      _headline(bench, candidates, best or chosen, tests, sealed), openings, pilot, needed, blocked, folds)
    from dataclasses import replace

    return replace(verdict, claim=claim_of(bench, verdict))


def _of_folds(bench: Bench, candidates: Sequence[Candidate], three: tuple[Candidate, Candidate, Candidate]) -> NoSignal:
    """Whether the folds of the training rows, at most FOLD_ROWS of them, tell any candidate from the floor."""
    rows = three[0].members[0][1].rows
    some = np.sort(stream(bench.seed, "folds", len(rows)).permutation(len(rows))[:FOLD_ROWS])
    every = [c.stats.take(some) for c in candidates if c.family != "floor"]
    return no_signal(bench.task, every or [three[2].stats.take(some)], three[2].stats.take(some), bench.parts.units[rows[some]],
                     informed=bool(three[2].recipe.options), seed=bench.seed)


def _headline(bench: Bench, candidates: Sequence[Candidate], best: Candidate, tests: Mapping[str, Estimate],
              sealed: bool) -> Estimate:
    """The score on page 1: of the recommended model on sealed rows, or corrected for having picked it."""
    if sealed or best is not fixed_on_validation(bench, candidates)[0]:
        return tests[best.recipe.hash]
    rows = best.members[0][1].rows
    able = [c.oof for c in candidates if c.family != "floor"]
    return bbc_cv(bench.task, bench.task.truth(bench.data, rows), able or [best.oof], bench.parts.units[rows],
                  unit=bench.parts.unit, seed=bench.seed, repeats=500)


def _few_events(bench: Bench, rows: np.ndarray) -> bool:
    if bench.task.name != "classify":
        return False
    truth = bench.task.truth(bench.data, np.concatenate([rows, bench.parts.develop]))
    return bool(np.bincount(truth[truth >= 0].astype(int), minlength=len(bench.task.classes)).min() < EVENTS_PER_CLASS)


def predict_rows(bench: Bench, candidate: Candidate, rows: np.ndarray) -> Prediction:
    """What the candidate as delivered says about these rows."""
    if candidate.family == "floor":
        return floor_prediction(bench.task, bench.data, candidate.recipe.options, bench.parts.develop, rows)
    return delivered(candidate).predict(bench.data, rows)


def delivered(candidate: Candidate) -> Delivered:
    """The object `predict` uses: every fold's and seed's model of every member."""
    return weighed([(w, _learned(run)) for w, run in candidate.members if run.folders], candidate.tilt)


def of_fold(candidate: Candidate, k: int) -> Delivered:
    """The candidate's models that never saw fold k's validation rows: what may be asked about these rows."""
    from gnomon.methods._learned import load_learned

    groups = [(w, [load_learned(p) for p in run.folders if p.name == f"fold{k}"]) for w, run in candidate.members]
    return weighed(groups, candidate.tilt)


def _learned(run: Run) -> list[Any]:
    from gnomon.methods._learned import load_learned

    return [load_learned(folder) for folder in run.folders]


def claim_of(bench: Bench, v: Verdict) -> str:
    """One sentence, no more than the evidence allows."""
    name, other, metric = v.chosen.recipe.label, v.against.recipe.label, bench.task.metric.name
    count = len(np.unique(bench.parts.units[v.rows]))
    where = f"{count:,} {'distinct ' if bench.parts.unit == 'row' and count < len(v.rows) else ''}" + \
        _plural(bench.parts.unit, count)
    if not v.signal.judged:
        return _unjudged(bench, v, where)
    if v.outcome == "no-signal":
        beyond = f" beyond {floor_label(v.floor.recipe.options)}" if v.floor.recipe.options else ""
        return f"No signal detectable{beyond} on {where}. {v.signal.smallest_effect}{_but_folds(bench, v)}"
    d = v.difference
    gap = f"{d.value:.3g}" + (f" [{d.low:.3g}, {d.high:.3g}]" if d.low is not None else "")
    pilot = f"Within one {bench.parts.one_only} (nothing is claimed for another): " if bench.parts.one_only else \
        f"No claim of superiority ({', '.join(v.blocked)}): " if v.blocked else \
        "Pilot (few units, no claim of superiority): " if v.pilot else ""
    simple = v.recommended.recipe.label if v.recommended else other
    if v.outcome == "better":
        return (f"{pilot}{name} is recommended: it beats {_floor_words(v.against)} on {where}, "
                f"{metric} better by {gap}.")
    if v.outcome == "equivalent":
        return (f"{pilot}{simple} is recommended, as the simpler: {name} scores {gap} {metric} better on {where}, "
                f"which is less than the {d.margin:.3g} that would matter.")
    more = f"; about {v.needed:,} {_plural(bench.parts.unit)} would settle it" if v.needed else ""
    small = "" if d.low is not None and d.low > 0 else f", n too small to be sure{more}"  # a pilot may see it and not claim it
    if v.against.family == "floor":
        return (f"{pilot}{name} is recommended: it scores better than {_floor_words(v.against)} by {gap} {metric} on "
                f"{where}{small}.")
    if d.value <= 0:
        return (f"{pilot}{simple} is recommended: {name}, chosen on validation, scores no better on {where} "
                f"({metric} worse by {-d.value:.3g}).")
    return (f"{pilot}{simple} is recommended, as the simpler: {name} scores better by {gap} {metric} on {where}"
            f"{small.replace('be sure', 'tell')}.")


def _unjudged(bench: Bench, v: Verdict, where: str) -> str:
    """Of rows that cannot judge: why, and what the folds of the training rows say."""
    start = f"Not judged on {where}: {v.signal.why_not}."
    if v.recommended is not None:
        return (f"{start} {v.recommended.recipe.label} is recommended by the folds within the training rows "
                f"({_valid(bench, v.recommended, v)}).")
    if v.folds and v.folds.judged:
        return f"{start} The folds within the training rows show no signal: {v.folds.smallest_effect}"
    return f"{start} No model is recommended: nothing here tells one from knowing nothing."


def _but_folds(bench: Bench, v: Verdict) -> str:
    """Said behind a sealed part that shows nothing where the folds do."""
    if v.folds is None or not v.folds.signal:
        return ""
    return f"; within the training rows there is signal ({_valid(bench, v.chosen, v)}), which these rows do not bear out"


def _valid(bench: Bench, candidate: Candidate, v: Verdict) -> str:
    """A candidate's score on validation, the floor's beside it."""
    return f"{candidate.recipe.label} {bench.task.metric.name} {candidate.score:.3g} (valid), floor {v.floor.score:.3g}"


def _plural(unit: str, count: int = 2) -> str:
    s = "" if count == 1 else "s"
    return f"row{s}" if unit == "row" else f"unit{s} ({unit})"


def _floor_words(candidate: Candidate) -> str:
    """The comparator by name; a floor by what it knows."""
    return f"the floor ({floor_label(candidate.recipe.options)})" if candidate.family == "floor" else candidate.recipe.label
