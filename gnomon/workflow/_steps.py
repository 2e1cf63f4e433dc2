"""Steps made of measurements and of what the debugger found: what to do, where it can be done, and at what price."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.values import Advice, BackTo, Finding, Recipe
from gnomon.workflow._members import Candidate
from gnomon.workflow.plan import Plan, seconds_short
from gnomon.workflow.planning import SIMPLE_SHARE, kept_for_the_end

HELPS = "What helps: "  # begins what a finding says to do
ENDED = "the budget ended"  # stands in the reason why a candidate was cut for lack of time
DEBUGGED: Mapping[str, tuple[BackTo, str]] = {
    "DEBUG-UNDERFIT": ("method", "one more run"), "DEBUG-OVERFIT": ("method", "one more run"),
    "DEBUG-NAN": ("preprocess", "one more run"), "DEBUG-GRADIENT": ("method", "one more run"),
    "DEBUG-RATE": ("method", "one more run"), "DEBUG-LOSS": ("method", "one more run"),
    "DEBUG-SHIFT": ("collect", "new measurements"), "DEBUG-ERRORS": ("collect", "new measurements")}
SLACK = 1.2  # of measured seconds: how much longer work may take the next time


def debug_step(f: Finding, study: str) -> Advice:
    """What the finding itself says helps, for the model that it is about."""
    back_to, cost = DEBUGGED[f.code]
    claim, _, helps = f.claim.partition(HELPS)
    about = claim.partition(": ")
    return Advice(back_to, f"{about[0]}: {helps or about[2]}", (f.code,), None, cost)


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
    """A budget for the candidates that the clock cut, at their planned price, and for those never planned that it buys: twice
    the present one, or what the cheapest of them needs."""
    ended = [r for r in plan.candidates if ENDED in cuts.get(r.hash, "")] if cuts else []
    cut = list(dict.fromkeys(r.label for r in ended))
    short = dict(pair for pair in plan.left_out if "--budget" in pair[1])
    if not cut and not short:
        return None
    costs = {name: cost for name, why in short.items() if (cost := seconds_short(why)) is not None}
    lacks = SLACK * sum(plan.seconds.get(r.hash, 0.0) for r in ended)
    share = SIMPLE_SHARE if any(r.family == "deep" for r in plan.candidates) or len(costs) < len(short) else 1.0
    now = kept_for_the_end(plan.budget)
    room = lambda budget: share * (budget - kept_for_the_end(budget) - plan.budget + now) - lacks  # noqa: E731
    budget = max(2 * plan.budget, plan.budget + lacks)
    bought = _bought(costs, room(budget))
    if not cut and not costs:
        none = f"give it more time: --budget {longer(budget)} or more, there was none for {', '.join(short)}"
        return Advice("model", none, (), None, longer(budget))
    if not cut and not bought:
        bought = [min(costs, key=lambda n: costs[n])]
        while room(budget) < costs[bought[0]]:
            budget *= 1.25
    would = [f"train {', '.join(cut)} (cut by the budget)" if cut else "", f"also try {', '.join(bought)}" if bought else ""]
    return Advice("model", f"give it more time: --budget {longer(budget)} would {' and '.join(filter(None, would))}", (), None,
                  longer(budget))


def _bought(costs: Mapping[str, float], seconds: float) -> list[str]:
    """The cheapest that these seconds buy together."""
    bought, paid = [], 0.0
    for name in sorted(costs, key=lambda n: costs[n]):
        if paid + costs[name] <= seconds:
            bought, paid = [*bought, name], paid + costs[name]
    return bought


def another_model(recipe: Recipe, study: str, gain: Mapping[str, Any]) -> Advice:
    """The model that scored better than the simpler one recommended, yet not surely so."""
    do = (f"{recipe.label} scored better than the simpler model recommended, but not clearly; to use it: gnomon predict "
          f"{shlex.quote(study)} NEW_FILE -o predicted.csv --candidate {recipe.hash}")
    return Advice("model", do, (), gain, "seconds")


def longer(seconds: float) -> str:
    """A budget as the command line takes it, no shorter than this."""
    return f"{math.ceil(seconds / 60)}m" if seconds >= 120 else f"{math.ceil(seconds)}s"
