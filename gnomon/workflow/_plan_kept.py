"""A plan carried over to changed labels, columns or another split: what a person made of it is not thrown away."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gnomon.values import Recipe
from gnomon.workflow._facts import facts_of
from gnomon.workflow._floors import floor_recipes
from gnomon.workflow.options import Options
from gnomon.workflow.plan import Plan, draft, too_much
from gnomon.workflow.run import Bench


def made_for(bench: Bench, options: Options) -> dict[str, Any]:
    """What a plan depends on beside the key: metric, tasks, the kind of data that carries most, training rows of a fold, and
    the command's budget (seconds) and choice of models."""
    facts = facts_of(bench.data, bench.parts, bench.task)
    tasks = bench.task.tasks if bench.task.name == "several" else (bench.task,)
    return {"metric": bench.task.metric.name, "tasks": [t.name for t in tasks], "kind": facts.main, "rows": facts.rows,
            "budget": options.budget, "only": list(options.only), "skip": list(options.skip)}


def kept_plan(plan: Plan, bench: Bench, options: Options) -> Plan | None:
    """The plan with the models that still fit, their steps and seeds, beside the floors of the design as it is now.

    None where the task, the main kind of data or the choice of models asked for is another, or no model is left. What suits
    data of another size only is left out with the reason. A budget that the command made smaller holds.
    """
    before, now = plan.made_for, made_for(bench, options)
    if any(before.get(what) != now[what] for what in ("tasks", "kind", "only", "skip")):
        return None
    facts = facts_of(bench.data, bench.parts, bench.task)
    why = {r.hash: too_much(r.model, facts) if before.get("rows") != now["rows"] else "" for r in plan.candidates}
    models = [r for r in plan.candidates if r.family != "floor" and not why[r.hash]]
    if not models:
        return None
    reasons = {_same(r): r.because for r in draft(bench.data, bench.parts, bench.task)[0]}
    models = [replace(r, because=reasons.get(_same(r), r.because)) for r in models]
    dropped = [(r.model, why[r.hash]) for r in plan.candidates if r.family != "floor" and why[r.hash]]
    budget = min(plan.budget, options.budget) if options.budget < before["budget"] else plan.budget
    return replace(plan, budget=budget, candidates=(*floor_recipes(bench.data, bench.parts, bench.task.name), *models),
                   left_out=(*plan.left_out, *dropped))


def _same(recipe: Recipe) -> str:
    """Of a drafted recipe and that of plan.toml, whose steps are settled, the hash that they share."""
    return replace(recipe, steps=0).hash
