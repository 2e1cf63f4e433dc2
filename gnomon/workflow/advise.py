"""What to do next: findings become steps, each naming the stage to go back to and the command (Fig. 1 of the survey)."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gnomon.values import Advice, Finding
from gnomon.workflow._gains import FEWEST_SEEDS, choice_gain, cleaning_gain, measured_gains, more_of
from gnomon.workflow._looked_at import answered, unanswered
from gnomon.workflow._members import Candidate
from gnomon.workflow._steps import DEBUGGED, another_model, debug_step, more_seeds, more_time, more_units
from gnomon.workflow.look import KEPT
from gnomon.workflow.plan import Plan
from gnomon.workflow.run import Bench
from gnomon.workflow.verdict import Verdict

Rule = Callable[[Finding, str], Advice]


def _advice(back_to: Any, do: str, cost: str) -> Rule:
    return lambda f, study: Advice(back_to, do.format(study=shlex.quote(study), column=_columns(f, " and "),
                                                            columns=_columns(f, " ")), (f.code,), None, cost)


def _of_explanation(f: Finding) -> Advice:
    """A gate that was failed is about the model; one that could not be judged, for too few units, about the data."""
    missed = [g for g in f.values.values() if isinstance(g, Mapping) and not g["passed"]]
    if missed and all(g["low"] is None for g in missed):
        return Advice("collect", "do not interpret this model yet: there are too few units to judge its explanation", (f.code,),
                      None, "new measurements")
    return Advice("model", "do not interpret this model yet: its explanation failed a gate", (f.code,), None, "none")


def _of_undetermined(f: Finding) -> Advice:
    """Rows that cannot judge are replaced; rows that are too few are added to."""
    do = f"judge it on rows that can tell a model from knowing nothing: here {f.values['why']}" \
        if f.values.get("judged") is False else "measure more units: the report says about how many would settle it"
    return Advice("collect", do, (f.code,), None, "new measurements")


def _of_no_signal(f: Finding) -> Advice:
    """What failed to show: the sealed rows what the folds do, too few rows anything, or these inputs the target."""
    do = "measure other inputs, or more units: with these, no signal shows"
    if f.values.get("folds"):
        do = "find out how the judged rows differ from the training rows: those tell the target, these do not bear it out"
    elif "no score (" in f.claim:
        do = "measure more units: with so few, no score could be told from chance"
    return Advice("collect", do, (f.code,), None, "new measurements")


def _by_code(findings: Sequence[Finding]) -> list[Finding]:
    """Of findings of one code and grade the first, with the columns of all: one step answers them. Of a leak every column
    counts, of other codes the first: what it is about."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for f in findings:
        alike.setdefault((f.code, f.grade), []).append(f)
    most = {"LOOK-LEAK": None}
    return [replace(same[0], columns=tuple(dict.fromkeys(c for f in same for c in f.columns[:most.get(f.code, 1)])))
            for same in alike.values()]


def _columns(f: Finding, between: str) -> str:
    """The first column of each of the findings that a step answers, five at most."""
    return between.join(shlex.quote(c) for c in f.columns[:SHOWN]) if f.columns else "COLUMN"


RULES: Mapping[str, Rule] = {
    "LOOK-LABEL": _advice("label", "check the suspect labels by eye and put them right: gnomon relabel {study}",
                          "minutes of a person"),
    "LOOK-CONFLICT": _advice("label", "look at the rows with equal inputs and different targets: gnomon report {study}",
                             "minutes of a person"),
    "LOOK-CORRUPT": _advice("collect", "repair or replace the broken items listed in the report", "depends on the source"),
    "LOOK-LEAK": _advice("preprocess", "if {column} is not known at prediction, leave it out: --exclude {columns}",
                         "one more run"),
    "LOOK-CONFOUND": _advice("collect", "collect rows in which {column} and the target vary apart", "new measurements"),
    "LOOK-EVENT": _advice("label", "predict the event by a fixed time: make a column 'event within T', leave out rows followed "
                          "for less than T without it, and use that as --target; or fit a survival model elsewhere",
                          "minutes of a person"),
    "LOOK-UNITS": _advice("preprocess", "bring {column} to one unit and type the command again", "minutes of a person"),
    "LOOK-MISSING": _advice("collect", "fill the gaps in {column}, or leave it out: --exclude {columns}", "depends"),
    "LOOK-SMALL": _advice("collect", "measure more independent units: every interval here is wide for lack of them",
                          "new measurements"),
    "LOOK-IMBALANCE": _advice("collect", "add rows of the rarest class: it limits the score most", "new measurements"),
    "LOOK-DRIFT": _advice("collect", "test on later rows: gnomon study ... --for later --time COLUMN", "one more run"),
    "VALID-SHIFT": _advice("collect", "add training rows like those predicted, or use domain adaptation", "new rows"),
    "VALID-UNDETERMINED": lambda f, study: _of_undetermined(f),
    "VALID-FEW-GROUPS": lambda f, study: Advice("collect", "judge it on more rows" if f.values.get("unit") == "row" else
                                                "collect more of the units that are held out (here few or one): more rows of "
                                                "the same ones do not help", (f.code,), None, "new measurements"),
    "VALID-NO-SIGNAL": lambda f, study: _of_no_signal(f),
    "VALID-SUBGROUP": _advice("collect", "add rows of the sub-group that does worse (column {column})", "new measurements"),
    "VALID-SHORTCUT": _advice("collect", "collect rows in which the shortcut and the target vary apart, or take it out of the "
                              "inputs and train again", "new measurements"),
    "VALID-STRATUM": _advice("collect", "add rows of the slice in which the model fails, or do not use it there",
                             "new measurements"),
    "VALID-CORRUPTION": _advice("preprocess", "train with such changes, or bring new inputs to one standard form",
                                "one more run"),
    "VALID-CALIBRATION": _advice("method", "read the probabilities as ranks only, or calibrate them on new rows", "minutes"),
    "VALID-TOO-GOOD": _advice("preprocess", "look for an input that would not be known at prediction", "minutes"),
    "WHY-WITHHELD": lambda f, study: _of_explanation(f),
    **dict.fromkeys(DEBUGGED, debug_step),
}
SHOWN = 5  # columns that one step names
ALSO_NOTES = ("VALID-UNDETERMINED", "LOOK-SMALL", "LOOK-IMBALANCE", "WHY-WITHHELD", "VALID-SUBGROUP", *DEBUGGED)  # worth a step
WEIGHT = {"block": 0, "warn": 1, "note": 2, "fine": 3}
MORE_DATA = ("LOOK-SMALL",)  # one step answers it where twice the units were measured to pay
PRICES = (("seconds", 0.1), ("none", 0.1), ("minutes", 0.5), ("one more run", 1.0), ("twice the time", 1.0),
          ("new", 40.0))  # what a cost that begins so weighs against the others, in hours of work, roughly
OTHER_PRICE = 4.0


def advise(bench: Bench, findings: Sequence[Finding], verdict: Verdict, candidates: Sequence[Candidate], plan: Plan, *,
           folder_name: str, tried: Mapping[str, Any] | None = None, cuts: Mapping[str, str] | None = None
           ) -> tuple[Advice, ...]:
    """Steps in order of the gravity of what is behind them, and of equal gravity by measured gain per cost.

    tried: what the trials of the examination measured; a gain is given only where they did. cuts: recipe -> why it was not
    trained.
    """
    steps: list[Advice] = []
    gains, weight = measured_gains(tried or {}), {}
    unsettled = unanswered(findings, bench.folder)
    for f in sorted(_by_code([f for f in unsettled if _asks(f)]), key=lambda f: WEIGHT[f.grade]):
        rule = RULES.get(f.code)
        passed = f.code == "WHY-WITHHELD" and any(g.code == "WHY-USES" for g in findings)  # another explanation holds
        if rule is not None and not passed and not any(f.code in s.because for s in steps):
            if f.code in MORE_DATA and gains.get("more data", {}).get("low", 0) > 0:
                continue
            gain = cleaning_gain(f, bench, candidates, verdict.recommended) if f.code == "LOOK-LABEL" else None
            steps.append(replace(rule(f, folder_name), gain=gain))
            weight[steps[-1].do] = WEIGHT[f.grade] + _of_another(f, verdict) / 2
    steps += _measured(gains, tried or {}, [f.code for f in unsettled if f.code in MORE_DATA])
    for step in _seeds(unsettled, verdict, candidates, plan, folder_name, gains.get("more seeds")):
        steps.append(step)
        weight[step.do] = WEIGHT["warn" if any(f.code in step.because and f.grade == "warn" for f in unsettled) else "note"]
    steps += _always(bench, verdict, plan, folder_name, cuts or {})
    seen: dict[str, Advice] = {}
    for step in [s for s in steps if not answered(s.because, bench.folder)]:
        seen.setdefault(step.do, step)
    return tuple(sorted(seen.values(), key=lambda s: (weight.get(s.do, WEIGHT["note"]), -_per_cost(s))))


def _asks(f: Finding) -> bool:
    """Whether a finding is grave enough for a step, and nothing done about it has settled it."""
    noted = f.grade == "note" and (f.code in ALSO_NOTES or "one_way" in f.values)
    return (f.grade in ("block", "warn") or noted) and not settled(f)


def _of_another(f: Finding, verdict: Verdict) -> bool:
    """Whether the debugger speaks of another model than the recommended one: that can wait."""
    best = verdict.recommended
    return f.code in DEBUGGED and f.grade == "note" and best is not None and not f.claim.startswith(f"{best.recipe.label}: ")


def settled(f: Finding) -> bool:
    """Whether what was done leaves nothing for a person: a claim withheld, a column kept or a label doubted do."""
    return f.action is not None and f.grade != "block" and f.code != "LOOK-LABEL" and f.action.done != KEPT


def _measured(gains: Mapping[str, Any], tried: Mapping[str, Any], codes: Sequence[str]) -> list[Advice]:
    """Steps whose gain the study measured; those that may not pay answer no finding."""
    kinds = [("", "more data", tried.get("curve") or {}),
             *((name, more_of(name), one) for name, one in (tried.get("classes") or {}).items())]
    return [more_units(one, gains[kind], codes if not name and gains[kind]["low"] > 0 else (), name)
            for name, kind, one in kinds if kind in gains]


def _seeds(findings: Sequence[Finding], verdict: Verdict, candidates: Sequence[Candidate], plan: Plan, study: str,
           gain: Mapping[str, Any] | None) -> list[Advice]:
    """More seeds where they were seen to matter, or measured to pay: of the recommended model, or of the best deep one."""
    codes = tuple(dict.fromkeys(f.code for f in findings if f.code == "VALID-SEEDS" and _asks(f)))
    several = [c for c in (verdict.recommended, *candidates) if c is not None and c.family == "deep"
               and len(c.members[0][1].by_seed) >= FEWEST_SEEDS]
    if not several or not (codes or (gain and gain["low"] > 0)):
        return []
    return [more_seeds(several[0], plan, study, codes, gain)]


def _per_cost(step: Advice) -> float:
    """Expected gain over rough cost; 0 where no gain was measured or it may be none."""
    if not step.gain or step.gain["low"] <= 0:
        return 0.0
    return step.gain["value"] / next((p for start, p in PRICES if step.cost.startswith(start)), OTHER_PRICE)


def _always(bench: Bench, verdict: Verdict, plan: Plan, study: str, cuts: Mapping[str, str]) -> list[Advice]:
    """Steps that make sense after any study."""
    time, other = more_time(plan, cuts), choice_gain(bench, verdict)
    out = [time] if time is not None else []
    if other is not None and other["value"] > 0:
        out.append(another_model(verdict.chosen.recipe, study, other))
    if not len(bench.parts.test):
        out.append(Advice("collect", "judge it on rows nobody has seen, from another source: the same command with --test FILE",
                          (), None, "new measurements"))
    if verdict.recommended is not None:
        out.append(Advice("method", f"use it: gnomon predict {shlex.quote(study)} NEW_FILE -o predicted.csv", (), None,
                          "seconds"))
    return out
