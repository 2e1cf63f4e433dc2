"""What to do next: findings become steps, each naming the stage to go back to and the command (Fig. 1 of the survey)."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gnomon.values import Advice, Finding
from gnomon.workflow._gains import measured_gains, more_of
from gnomon.workflow._looked_at import answered, unanswered
from gnomon.workflow._members import Candidate
from gnomon.workflow.look import KEPT
from gnomon.workflow.plan import Plan, seconds_short
from gnomon.workflow.planning import SIMPLE_SHARE, kept_for_the_end
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
    """Of findings of one code and grade the first, with the columns of all: one step answers them."""
    alike: dict[tuple[str, str], list[Finding]] = {}
    for f in findings:
        alike.setdefault((f.code, f.grade), []).append(f)
    return [replace(same[0], columns=tuple(dict.fromkeys(f.columns[0] for f in same if f.columns)) or same[0].columns)
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
    "VALID-SEEDS": _advice("method", "train more seeds: gnomon study ... --budget twice as long", "twice the time"),
    "WHY-WITHHELD": lambda f, study: _of_explanation(f),
    "DEBUG-UNDERFIT": _advice("method", "train longer: --budget twice as long", "twice the time"),
    "DEBUG-OVERFIT": _advice("collect", "more rows, or a smaller model", "new measurements"),
}
SHOWN = 5  # columns that one step names
ALSO_NOTES = ("VALID-UNDETERMINED", "LOOK-SMALL", "LOOK-IMBALANCE", "WHY-WITHHELD", "VALID-SUBGROUP")  # worth a step
WEIGHT = {"block": 0, "warn": 1, "note": 2, "fine": 3}
MORE_DATA = ("LOOK-SMALL", "DEBUG-OVERFIT")  # one step answers them where its gain was measured
PRICES = (("seconds", 0.1), ("none", 0.1), ("minutes", 0.5), ("one more run", 1.0), ("twice the time", 1.0),
          ("new", 40.0))  # what a cost that begins so weighs against the others, in hours of work, roughly
OTHER_PRICE = 4.0


def advise(bench: Bench, findings: Sequence[Finding], verdict: Verdict, candidates: Sequence[Candidate], plan: Plan, *,
           folder_name: str, tried: Mapping[str, Any] | None = None) -> tuple[Advice, ...]:
    """Steps in order of the gravity of what is behind them, and of equal gravity by measured gain per cost.

    tried: what the trials of the examination measured; a gain is given only where they did.
    """
    steps: list[Advice] = []
    gains, weight = measured_gains(tried or {}), {}
    unsettled = unanswered(findings, bench.folder)
    for f in sorted(_by_code([f for f in unsettled if _asks(f)]), key=lambda f: WEIGHT[f.grade]):
        rule = RULES.get(f.code)
        passed = f.code == "WHY-WITHHELD" and any(g.code == "WHY-USES" for g in findings)  # another explanation holds
        if rule is not None and not passed and not any(f.code in s.because for s in steps):
            if f.code in MORE_DATA and "more data" in gains:
                continue
            gain = gains.get("more seeds") if f.code == "VALID-SEEDS" else None
            steps.append(replace(rule(f, folder_name), gain=gain))
            weight[steps[-1].do] = WEIGHT[f.grade]
    steps += _measured(gains, tried or {}, plan, [f.code for f in unsettled if f.code in MORE_DATA])
    steps += _always(bench, verdict, candidates, plan, folder_name)
    seen: dict[str, Advice] = {}
    for step in [s for s in steps if not answered(s.because, bench.folder)]:
        seen.setdefault(step.do, step)
    return tuple(sorted(seen.values(), key=lambda s: (weight.get(s.do, WEIGHT["note"]), -_per_cost(s))))


def _asks(f: Finding) -> bool:
    """Whether a finding is grave enough for a step, and nothing done about it has settled it."""
    noted = f.grade == "note" and (f.code in ALSO_NOTES or "one_way" in f.values)
    return (f.grade in ("block", "warn") or noted) and not settled(f)


def settled(f: Finding) -> bool:
    """Whether what was done leaves nothing for a person: a claim withheld, a column kept or a label doubted do."""
    return f.action is not None and f.grade != "block" and f.code != "LOOK-LABEL" and f.action.done != KEPT


def _measured(gains: Mapping[str, Any], tried: Mapping[str, Any], plan: Plan, codes: Sequence[str]) -> list[Advice]:
    """Steps whose gain the study measured."""
    out, curve = [], tried.get("curve") or {}
    if "more data" in gains:
        extra = curve["ahead"] - curve["sizes"][-1]
        unit = "rows" if curve["unit"] == "row" else f"units ({curve['unit']})"
        out.append(Advice("collect", f"measure about {extra:,} more {unit}, twice as many to learn from as now",
                          (*dict.fromkeys(codes), "VALID-CURVE"), gains["more data"], "new measurements"))
    for name, one in (tried.get("classes") or {}).items():
        extra = one["ahead"] - one["sizes"][-1]
        unit = "rows" if one["unit"] == "row" else f"units ({one['unit']})"
        out.append(Advice("collect", f"measure about {extra:,} more {unit} of class '{name}', twice as many of it as now; the "
                          "gain is told for data that hold as large a share of it as now", ("VALID-CURVE",),
                          gains[more_of(name)], "new measurements"))
    if gains.get("more seeds", {}).get("low", 0) > 0:
        out.append(Advice("method", f"average twice as many seeds: --budget {_longer(2 * plan.budget)}", (),
                          gains["more seeds"], "twice the time"))
    return out


def _per_cost(step: Advice) -> float:
    """Expected gain over rough cost; 0 where no gain was measured or it may be none."""
    if not step.gain or step.gain["low"] <= 0:
        return 0.0
    return step.gain["value"] / next((p for start, p in PRICES if step.cost.startswith(start)), OTHER_PRICE)


def _always(bench: Bench, verdict: Verdict, candidates: Sequence[Candidate], plan: Plan, study: str) -> list[Advice]:
    """Steps that make sense after any study."""
    out = []
    name = shlex.quote(study)
    out += _more_time(plan)
    if not len(bench.parts.test):
        out.append(Advice("collect", "judge it on rows nobody has seen, from another source: the same command with --test FILE",
                          (), None, "new measurements"))
    if verdict.recommended is not None:
        out.append(Advice("method", f"use it: gnomon predict {name} NEW_FILE -o predicted.csv", (), None, "seconds"))
    return out


def _more_time(plan: Plan) -> list[Advice]:
    """Candidates left out for want of time, with the budget that would do: twice the present one where it buys any of them,
    else what the cheapest needs."""
    short = dict(pair for pair in plan.left_out if "--budget" in pair[1])
    if not short:
        return []
    costs = {name: cost for name, why in short.items() if (cost := seconds_short(why)) is not None}
    share = SIMPLE_SHARE if any(r.family == "deep" for r in plan.candidates) or len(costs) < len(short) else 1.0
    room = lambda budget: share * (budget - kept_for_the_end(budget) - plan.budget + kept_for_the_end(plan.budget))  # noqa: E731
    budget, bought, paid = 2 * plan.budget, [], 0.0
    for name in sorted(costs, key=lambda n: costs[n]):
        if paid + costs[name] <= room(budget):
            bought, paid = [*bought, name], paid + costs[name]
    if not costs:
        return [Advice("model", f"give it more time: --budget {_longer(budget)} or more, there was none for {', '.join(short)}",
                       (), None, _longer(budget))]
    if not bought:
        bought = [min(costs, key=lambda n: costs[n])]
        while room(budget) < costs[bought[0]]:
            budget *= 1.25
    return [Advice("model", f"give it more time: --budget {_longer(budget)} would also try {', '.join(bought)}", (), None,
                   _longer(budget))]


def _longer(budget: float) -> str:
    """A budget as the command line takes it, never less than this."""
    return f"{math.ceil(budget / 60)}m" if budget >= 120 else f"{math.ceil(budget)}s"
