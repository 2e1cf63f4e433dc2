"""Steps made of measurements and of what the debugger found: what to do, where it can be done, and at what price."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.values import Advice, Finding, Recipe
from gnomon.workflow._members import Candidate
from gnomon.workflow.plan import Plan

HELPS = "What helps: "  # begins what a finding says to do
ENDED = "the budget ended"  # stands in the reason why a candidate was cut for lack of time
DEBUGGED = {"DEBUG-UNDERFIT": ("method", "one more run"), "DEBUG-OVERFIT": ("method", "one more run"),
            "DEBUG-NAN": ("preprocess", "one more run"), "DEBUG-GRADIENT": ("method", "one more run"),
            "DEBUG-RATE": ("method", "one more run"), "DEBUG-LOSS": ("method", "one more run"),
            "DEBUG-SHIFT": ("collect", "new measurements"), "DEBUG-ERRORS": ("collect", "new measurements")}
SLACK = 1.2  # of measured seconds: how much longer work may take the next time


def debug_step(f: Finding, study: str) -> Advice:
    """What the finding itself says helps, for the model that it is about."""
    back_to, cost = DEBUGGED[f.code]
    claim, _, helps = f.claim.partition(HELPS)
    about = claim.partition(": ")
    return Advice(back_to, f"{about[0]}: {helps or about[2]}", (f.code,), None, cost)  # type: ignore[arg-type]


def more_units(one: Mapping[str, Any], gain: Mapping[str, Any], codes: Sequence[str], label: str = "") -> Advice:
    """Twice the units there are, or twice those of a class; where the gain may be none, that this may not pay."""
    unit = "rows" if one["unit"] == "row" else f"units ({one['unit']})"
    what = f"about {one['units']:,} more {unit}" + (f" of class '{label}'" if label else "")
    twice = f"twice as many{' of it' if label else ''} as now"
    tried = f"tried with {gain['model']}" + (", and told for data that hold as large a share of it as now" if label else "")
    do = f"measure {what}, {twice}; {tried}" if gain["low"] > 0 else f"{what}, {twice}, may not pay; {tried}"
    return Advice("collect", do, (*dict.fromkeys(codes), "VALID-CURVE"), gain, "new measurements")


def more_seeds(deep: Candidate, plan: Plan, study: str, codes: Sequence[str], gain: Mapping[str, Any] | None) -> Advice:
    """Twice the seeds of a deep candidate: plan.toml can ask for them, a budget buys MOST_SEEDS and no more."""
    run, name = deep.members[0][1], shlex.quote(study)
    seconds = 10 * math.ceil((plan.budget + SLACK * run.seconds) / 10)
    do = (f"average twice as many seeds: in plan.toml of {name} write seeds = {2 * len(run.by_seed)} for {deep.recipe.model} "
          f"and budget_seconds = {seconds}, then: gnomon run {name}")
    return Advice("method", do, tuple(codes), gain, "twice the time")


def more_time(plan: Plan, cuts: Mapping[str, str]) -> Advice | None:
    """A budget for the candidates that the clock cut, at their planned price, and for those that were never planned."""
    ended = [r for r in plan.candidates if ENDED in cuts.get(r.hash, "")] if cuts else []
    cut = list(dict.fromkeys(r.label for r in ended))
    short = list(dict.fromkeys(m for m, why in plan.left_out if "--budget" in why))  # a model with two views is named once
    if not cut and not short:
        return None
    lacks = SLACK * sum(plan.seconds.get(r.hash, 0.0) for r in ended)
    budget = longer(max(2 * plan.budget, plan.budget + lacks))
    would = [f"train {', '.join(cut)} (cut by the budget)" if cut else "", f"also try {', '.join(short)}" if short else ""]
    return Advice("model", f"give it more time: --budget {budget} would {' and '.join(filter(None, would))}", (), None, budget)


def another_model(recipe: Recipe, study: str, gain: Mapping[str, Any]) -> Advice:
    """The model that scored better than the simpler one recommended, yet not surely so."""
    do = (f"{recipe.label} scored better than the simpler model recommended, but not clearly; to use it: gnomon predict "
          f"{shlex.quote(study)} NEW_FILE -o predicted.csv --candidate {recipe.hash}")
    return Advice("model", do, (), gain, "seconds")


def longer(seconds: float) -> str:
    """A budget as the command line takes it, no shorter than this."""
    return f"{math.ceil(seconds / 60)}m" if seconds >= 60 else f"{math.ceil(seconds)}s"
