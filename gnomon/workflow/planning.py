"""The plan stage: measured speed turns what is left of the budget into candidates, steps and seeds, kept in plan.toml."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.methods._device import threads_that_pay
from gnomon.values import Recipe
from gnomon.workflow._cost import READ_RAW, Features, simple_seconds, speed
from gnomon.workflow._facts import facts_of
from gnomon.workflow._plan_file import plan_of, write_plan
from gnomon.workflow._plan_kept import kept_plan, made_for
from gnomon.workflow._voice import Voice
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.look import Seen
from gnomon.workflow.options import Options
from gnomon.workflow.plan import FIRST, Plan, draft, frozen_steps
from gnomon.workflow.run import Bench, parts_of, peak_mb

END_SHARE, END_SECONDS = 0.18, 12.0  # of the budget, and at least: kept for verdict, explanation and report
TRAININGS = 6  # of a candidate that cross-examines its labels first
SIMPLE_SHARE = 0.45  # of that at most for simple models, where deep ones may follow
CHANGED = "the data, labels, columns or split changed: the candidates of plan.toml are kept and trained anew"
ANEW = "plan.toml was made for another task, kind of data or choice of models, or by an earlier gnomon: planned anew"
PLAN_SHARE = 0.9  # of what is left after looking may be planned; the rest absorbs a slow moment


def plan_stage(bench: Bench, seen: Seen, options: Options, written: Mapping[str, Any] | None, ledger: Ledger,
               voice: Voice) -> Plan:
    """The plan in plan.toml when it was made for this data and split; else what of it still fits them, or a new one, written
    there."""
    path = bench.folder / "plan.toml"
    before = plan_of(written, path, bench.task.name) if written else None
    if before is not None and all(r.family == "floor" for r in before.candidates):
        before = None  # nothing to train stands in it, as after a misspelt --only
    same = before is not None and before.made_for.get("key") == bench.key
    enough = before is not None and options.budget <= before.budget * 1.001
    if same and enough:
        _say_plan(before, voice)
        return before
    if not same:
        ledger.begin(bench.key)
    keep = before if same or before is None else kept_plan(before, bench, options)
    if before is not None and not same:
        voice.line("NOTE", CHANGED if keep else ANEW)
    elif before is not None:
        voice.say(f"the budget grows from {before.budget:.0f} to {options.budget:.0f} s: planning what to add")
    plan = keep if keep is not None and enough else make_plan(bench, options, ledger, keep, doubted=any(
        f.code == "LOOK-LABEL" and f.grade == "warn" for f in seen.findings))
    plan = replace(plan, made_for={"key": bench.key, "split_by": seen.own_policy, **made_for(bench, options)})
    write_plan(path, plan, bench.data, {"policy": str(seen.policy), "because": seen.policy.because}, seen.actions)
    _say_plan(plan, voice)
    return plan


def make_plan(bench: Bench, options: Options, ledger: Ledger, keep: Plan | None = None, *, doubted: bool = False) -> Plan:
    """Measure speed, and turn what is left of the budget into candidates, steps and seeds. doubted: some labels are."""
    started = time.perf_counter()
    recipes, left = draft(bench.data, bench.parts, bench.task, only=options.only, skip=options.skip)
    recipes += without_suspects(recipes) if doubted and bench.task.name == "classify" else []
    recipes += users_recipes(bench)
    simple, seconds = [r for r in recipes if r.family != "deep"], {}
    facts = facts_of(bench.data, bench.parts, bench.task)
    threads = keep.threads if keep is not None else threads_that_pay(bench.desk.threads)
    bench = replace(bench, desk=replace(bench.desk, threads=threads))
    outputs = max(1.0, facts.classes - 1)
    if bench.task.name == "several":
        outputs = max(1.0, float(np.isfinite(bench.task.truth(bench.data, bench.parts.develop)).mean(axis=0).sum()))
    for recipe in simple:
        seconds[recipe.hash] = 0.1 if recipe.family == "floor" else facts.folds * simple_seconds(
            recipe.model, recipe.options.get("view", "standard"), facts.main, facts.task, facts.rows,
            facts.columns if recipe.model in READ_RAW else max(facts.width, facts.columns),
            outputs=outputs, threads=threads) * (TRAININGS if recipe.method == "confident_learning" else 1)
    features = Features(bench.data, bench.parts.develop)
    needed = {r.hash: features.of(r) for r in simple}
    spent = ledger.spent() + time.perf_counter() - started
    end = kept_for_the_end(options.budget)
    share = SIMPLE_SHARE if any(r.family == "deep" for r in recipes) else 1.0
    simple, dropped = _affordable(simple, seconds, (options.budget - spent - end) * share, options.only, needed)
    seconds |= _with_features(simple, seconds, needed)
    rest = (options.budget - spent - end - sum(seconds[r.hash] for r in simple)) * PLAN_SHARE
    deep, seeds, cost, cut = frozen_steps(recipes, facts, rest, lambda r: deep_speed(bench, r)) \
        if rest > 0 else ([], {}, {}, [(r.model, "no budget left: --budget") for r in recipes if r.family == "deep"])
    candidates, all_seeds = [*simple, *deep], {**{r.hash: 1 for r in simple}, **seeds}
    if keep is not None:
        known = {r.hash for r in keep.candidates}
        candidates = [*keep.candidates, *(r for r in candidates if r.hash not in known)]
        all_seeds = {**all_seeds, **{h: max(s, all_seeds.get(h, 1)) for h, s in keep.seeds.items()}}
    return Plan(tuple(candidates), all_seeds, {**seconds, **cost}, tuple([*left, *dropped, *cut]), peak_mb(),
                options.budget, threads, snapshots=keep.snapshots if keep is not None else 0)


def without_suspects(recipes: Sequence[Recipe]) -> list[Recipe]:
    """The simple model to bet on once more, trained without the labels that its own out-of-fold probabilities deny."""
    simple = [r for r in recipes if r.family == "simple" and r.method == "own_fit"]
    first = next((r for r in simple if r.because.startswith(FIRST)), simple[0] if simple else None)
    return [] if first is None else [replace(first, method="confident_learning", because="some labels are suspect: the same "
                                             "model without them in training (LOOK-LABEL); validation rows keep theirs")]


def kept_for_the_end(budget: float) -> float:
    """Seconds of the budget for verdict, explanation and report: more where the machine is slow, at most twice as many."""
    return max(END_SECONDS * float(np.clip(speed(), 1, 2)), END_SHARE * budget)


def _affordable(simple: Sequence[Recipe], seconds: Mapping[str, float], limit: float, only: Sequence[str],
                needed: Mapping[str, Mapping[Any, float]] | None = None) -> tuple[list[Recipe], list[tuple[str, str]]]:
    """The first choice, then the others in order of cost, until the limit; the floors, the cheapest model and those asked
    for by name are always planned. needed: recipe -> feature -> seconds, paid by the first that needs the feature."""
    kept, left, total, paid, needed = [], [], 0.0, set(), needed or {}
    alone = {r.hash: _owed(r, seconds, needed, ())[0] for r in simple}
    models = [r for r in simple if r.family != "floor"]
    cheapest = sorted(models, key=lambda r: alone[r.hash])[:1]
    must = {r.hash for r in simple if r.family == "floor" or r in cheapest or (r.model in only and r.method == "own_fit")}
    for recipe in sorted(simple, key=lambda r: (not r.because.startswith(FIRST), alone[r.hash])):
        cost, new = _owed(recipe, seconds, needed, paid)
        if total + cost <= limit or recipe.hash in must:
            kept.append(recipe)
            paid |= new
            total += cost
        else:
            name = recipe.label if recipe.method == "confident_learning" else recipe.model  # its plain twin may be kept
            left.append((name, f"about {cost:.0f} s, more than the budget leaves: --budget"))
    return [r for r in simple if r in kept], left


def _with_features(kept: Sequence[Recipe], seconds: Mapping[str, float], needed: Mapping[str, Mapping[Any, float]]
                   ) -> dict[str, float]:
    """Seconds of each of these in order: who needs a feature first also waits for it."""
    paid, out = set(), {}
    for recipe in kept:
        out[recipe.hash], new = _owed(recipe, seconds, needed, paid)
        paid |= new
    return out


def _owed(recipe: Recipe, seconds: Mapping[str, float], needed: Mapping[str, Mapping[Any, float]], paid: Container[Any]
          ) -> tuple[float, set[Any]]:
    """(seconds of a recipe beside features that are there already, the features it is the first to need)."""
    new = {what: s for what, s in needed.get(recipe.hash, {}).items() if what not in paid}
    return seconds[recipe.hash] + sum(new.values()), set(new)


def deep_speed(bench: Bench, recipe: Recipe) -> tuple[float, int]:
    """(optimiser steps a second, rows a step) on this machine, measured on real rows."""
    from gnomon.methods.labelled.supervised import batch_rows, steps_per_second

    _, options, build = parts_of(recipe, bench.trusted)
    rows = bench.parts.folds[0].train
    batch = int(options.get("batch") or batch_rows(len(rows)))
    return steps_per_second(bench.task, build, bench.data, rows, bench.desk, batch=batch), batch


def users_recipes(bench: Bench) -> list[Recipe]:
    """One candidate for each builder in the user's trusted files: `def my_model(inputs, out): ...`. One that names torch's
    modules is trained by gnomon's loop, any other returns an estimator with a fit of its own."""
    import ast

    found = []
    for path in bench.trusted:
        for node in ast.parse(Path(path).read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef) or node.name.startswith("_") or \
                    [a.arg for a in node.args.args][:2] != ["inputs", "out"]:
                continue
            text = ast.unparse(node)
            method, family = ("supervised", "deep") if "Module" in text or "nn." in text else ("own_fit", "simple")
            found.append(Recipe(bench.task.name, f"{Path(path).name}:{node.name}", method, {}, because="your own",
                                family=family))  # type: ignore[arg-type]
    return found


def _say_plan(plan: Plan, voice: Voice) -> None:
    total = sum(plan.seconds.get(r.hash, 0.0) for r in plan.candidates)
    minutes = f"{total / 60:.1f} min" if total >= 60 else f"{total:.0f} s"
    voice.line("PLAN", f"{len(plan.candidates)} candidates, about {minutes} (measured on this machine), "
                       f"{plan.memory_mb / 1000:.1f} GB so far. plan.toml says why; edit it and run again")
