"""The main job: the stages in order, each a function of what came before, each leaving its files in the study folder."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.errors import GnomonError, TrainingError
from gnomon.methods._desk import Desk, silent
from gnomon.methods._device import threads_that_pay
from gnomon.methods._network import precision_pays
from gnomon.methods._trust import trust
from gnomon.values import Finding, Recipe
from gnomon.workflow._cost import simple_seconds
from gnomon.workflow._folder import FORMAT, Folder, cannot_write, is_disk_full, read_json, write_json, write_text
from gnomon.workflow._plan_file import digest, plan_of, read_plan, roles_of, write_plan
from gnomon.workflow._watch import Watch, last_hope, never
from gnomon.workflow.debug import norms_stage, stops, tiny_stage
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.look import Seen, read_stage, whole_look
from gnomon.workflow.options import Options, device_of, threads_of
from gnomon.workflow.outside import READING, TEST_SOURCE, outside_stage
from gnomon.workflow.plan import FIRST, Plan, draft, facts_of, frozen_steps
from gnomon.workflow.run import Bench, Run, execute, parts_of, peak_mb

END_SHARE, END_SECONDS = 0.18, 12.0  # of the budget, and at least: kept for verdict, explanation and report
SIMPLE_SHARE = 0.45  # of that at most for simple models, where deep ones may follow
NOWHERE: Mapping[str, Any] = {}
PLAN_SHARE = 0.9  # of what is left after looking may be planned; the rest absorbs a slow moment


@dataclass(frozen=True)
class Voice:
    """line: a result for stdout. say: progress for stderr."""

    line: Callable[[str, str], None] = lambda stage, text: None
    say: Callable[[str], None] = silent


def study(source: Any, folder: Folder, options: Options, voice: Voice, origin: Mapping[str, Any] = NOWHERE) -> dict[str, Any]:
    """Run every stage, or what of them is not done yet; returns the report as a dict (report.json).

    origin: what versions.json keeps of the command: its source and words.
    """
    folder.open()
    with folder.busy():
        write_json(folder / "versions.json", {**versions(options), **origin})
        ledger = Ledger(folder / "ledger.jsonl")
        written = read_plan(folder / "plan.toml")
        roles = stated_in_plan(folder, written)
        seen = timed(ledger, "look", lambda: _look(source, folder, options, roles, written, voice))
        if options.explore:
            from gnomon.workflow.explore import explore_report

            return explore_report(folder, seen, options, ledger)
        bench = bench_of(seen, folder, options, voice)
        plan = timed(ledger, "plan", lambda: plan_stage(bench, seen, options, written, ledger, voice))
        bench = replace(bench, desk=replace(bench.desk, threads=plan.threads or bench.desk.threads))
        runs, cuts, found = run_stage(bench, plan, options, ledger, voice)
        from gnomon.workflow._relabel_gain import with_gain
        from gnomon.workflow.conclude import conclude

        seen = replace(seen, findings=(*seen.findings, *found))
        return with_gain(conclude(bench, seen, plan, runs, cuts, options, ledger, voice), bench, seen)


def timed(ledger: Ledger, name: str, do: Callable[[], Any]) -> Any:
    """Run a stage and charge its seconds once: doing it again after an interruption costs the budget nothing."""
    from gnomon.workflow.ledger import entries

    started = time.perf_counter()
    out = do()
    if not any(e.get("event") == "stage" and e.get("name") == name for e in entries(ledger.path)):
        ledger.note("stage", name=name, seconds=round(time.perf_counter() - started, 3))
    return out


def versions(options: Options) -> dict[str, Any]:
    """What made this study: format, gnomon, Python and library versions, seed."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    names = ("gnomon", "torch", "numpy", "scipy", "pandas", "scikit-learn", "rdkit", "lightgbm", "timm")
    return {"format": FORMAT, "python": platform.python_version(), "seed": options.seed,
            "machine": platform.machine(), "libraries": {n: installed(n) for n in names}}


def _look(source: Any, folder: Folder, options: Options, roles: Mapping[str, str], written: Any, voice: Voice) -> Seen:
    voice.say("reading")
    data = read_stage(source, options, roles, folder.path / "cache")
    voice.say("looking")
    outside = outside_stage(data, options, folder.path / "cache")
    seen = whole_look(data, options, written, outside)
    before = read_json(folder / "data.json", {}).get("test")
    save_look(folder, seen, roles)
    _say_seen(seen, before, read_json(folder / "data.json")["test"], voice)
    return seen


def _say_seen(seen: Seen, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None, voice: Voice) -> None:
    """The LOOK and SPLIT lines, and what the other sources lack or share."""
    n = len(seen.training)
    kinds = ", ".join(dict.fromkeys(seen.data.kind(c) for c in seen.data.inputs))
    hot = [f for f in seen.findings if f.grade in ("warn", "block")]
    first = f"; first: {hot[0].claim}" if hot else ""
    voice.line("LOOK", f"{n:,} rows, {kinds} -> {seen.task.target}. {len(hot)} finding{'s' * (len(hot) != 1)}{first}")
    if before and now and before["hash"] != now["hash"]:
        voice.line("NOTE", f"the test set changed since this study last ran ({before['rows']:,} rows then, {now['rows']:,} "
                           "now): what was scored on the old one stays in the ledger")
    told = [f for f in seen.findings if f.source == TEST_SOURCE or (f.source == READING and f in hot)]
    for f in [f for f in told if f not in hot[:1]][:3]:
        voice.line("NOTE", f.claim)
    p = seen.parts
    if p.policy == "external":
        voice.line("SPLIT", f"test sealed: {len(p.test):,} rows of another source; "
                            f"{'one validation part' if len(p.folds) == 1 else f'{len(p.folds)} folds'} by {p.fold_policy} "
                            f"within training: for {p.scope}")
        return
    sealed = f"test sealed ({len(p.test):,} rows)" if len(p.test) else f"{len(p.folds)} folds, no sealed part at this size"
    voice.line("SPLIT", f"by {p.policy}, {sealed}: for {p.scope}. Because {p.because}")


def stated_in_plan(folder: Folder, written: Mapping[str, Any] | None) -> dict[str, str]:
    """Roles a person wrote into plan.toml: those that differ from what the last look decided, now or earlier."""
    before = read_json(folder / "data.json", {})
    if not written or "roles" not in before:
        return {}
    now = roles_of(written, folder / "plan.toml")
    changed = {name: role for name, role in now.items() if before["roles"].get(name, role) != role}
    return {**{n: r for n, r in before.get("stated", {}).items() if now.get(n) == r}, **changed}


def save_look(folder: Folder, seen: Seen, stated: Mapping[str, str]) -> None:
    """data.json, split.parquet and findings.jsonl."""
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    from gnomon.data.read.dispatch import schema
    from gnomon.values import plain

    data, parts = seen.data, seen.parts
    test = {"rows": len(parts.test), "hash": parts.test_hash} if parts.test_hash else None
    write_json(folder / "data.json", {"format": FORMAT, "hash": data.hash, "rows": len(data), "sampled": data.sampled,
                                      "training": {"rows": len(seen.training), "hash": seen.training.hash}, "test": test,
                                      "paths": data.paths, "schema": schema(data), "stated": dict(stated),
                                      "roles": {n: r.role for n, r in data.roles.items()}})
    columns = {"row": np.arange(len(data)), "position": data.position, "unit": parts.units,
               "test": np.isin(np.arange(len(data)), parts.test),
               "unlabelled": np.isin(np.arange(len(data)), parts.unlabelled)}
    for k, fold in enumerate(parts.folds):
        part = np.full(len(data), "", dtype=object)
        part[fold.train], part[fold.valid] = "train", "valid"
        columns[f"fold{k}"] = part
    pq.write_table(pa.table(columns), folder / "split.parquet")
    write_text(folder / "findings.jsonl", "".join(json.dumps(plain(asdict(f)), ensure_ascii=False) + "\n"
                                                  for f in seen.findings))


def bench_of(seen: Seen, folder: Folder, options: Options, voice: Voice) -> Bench:
    """What all runs share; heavy settings are made here, once."""
    import torch

    from gnomon.workflow.relabel import mended

    threads = threads_of(options.jobs)
    torch.set_num_threads(threads)
    device = device_of(options.device)
    precision = "bfloat16" if precision_pays(device) else "float32"
    trusted = {str(Path(p).resolve()): trust(p) for p in options.trust_code}
    data, mending = mended(seen, folder)
    # of the training rows alone: a test set that is named later must not make what was learned worthless
    key = digest([seen.training.hash, {n: [r.role, seen.data.kind(n)] for n, r in seen.data.roles.items()},
                  seen.parts.fold_policy, [[len(f.train), int(f.train.sum()), int(f.valid.sum())] for f in seen.parts.folds],
                  seen.task.metric.name, seen.task.target, options.seed, *([mending] if mending else [])])
    return Bench(seen.data, seen.task, seen.parts, seen.labels, folder,
                 Desk(device=device, precision=precision, threads=threads, say=voice.say), options.seed, key, trusted, data)


def plan_stage(bench: Bench, seen: Seen, options: Options, written: Mapping[str, Any] | None, ledger: Ledger,
               voice: Voice) -> Plan:
    """The plan in plan.toml when it was made for this data and split; else a new one, written there."""
    path = bench.folder / "plan.toml"
    if written and written.get("made_for", {}).get("key") == bench.key:
        plan = plan_of(written, path, bench.task.name)
        if options.budget <= plan.budget * 1.001:
            _say_plan(plan, voice)
            return plan
        voice.say(f"the budget grows from {plan.budget:.0f} to {options.budget:.0f} s: planning what to add")
    plan = make_plan(bench, options, ledger, keep=plan_of(written, path, bench.task.name) if written and written.get(
        "made_for", {}).get("key") == bench.key else None)
    write_plan(path, plan, bench.data, {"policy": bench.parts.fold_policy, "because": seen.policy.because}, seen.actions)
    _say_plan(plan, voice)
    return plan


def make_plan(bench: Bench, options: Options, ledger: Ledger, keep: Plan | None = None) -> Plan:
    """Measure speed, and turn what is left of the budget into candidates, steps and seeds."""
    started = time.perf_counter()
    recipes, left = draft(bench.data, bench.parts, bench.task, only=options.only, skip=options.skip)
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
            recipe.model, recipe.options.get("view", "standard"), facts.main, facts.task, facts.rows, facts.columns,
            outputs=outputs, threads=threads)
    spent = ledger.spent() + time.perf_counter() - started
    end = max(END_SECONDS, END_SHARE * options.budget)
    share = SIMPLE_SHARE if any(r.family == "deep" for r in recipes) else 1.0
    simple, dropped = _affordable(simple, seconds, (options.budget - spent - end) * share, options.only)
    rest = (options.budget - spent - end - sum(seconds[r.hash] for r in simple)) * PLAN_SHARE
    deep, seeds, cost, cut = frozen_steps(recipes, facts, rest, lambda r: deep_speed(bench, r)) \
        if rest > 0 else ([], {}, {}, [(r.model, "no budget left: --budget") for r in recipes if r.family == "deep"])
    candidates, all_seeds = [*simple, *deep], {**{r.hash: 1 for r in simple}, **seeds}
    if keep is not None:
        known = {r.hash for r in keep.candidates}
        candidates = [*keep.candidates, *(r for r in candidates if r.hash not in known)]
        all_seeds = {**all_seeds, **{h: max(s, all_seeds.get(h, 1)) for h, s in keep.seeds.items()}}
    made_for = {"key": bench.key, "metric": bench.task.metric.name}
    return Plan(tuple(candidates), all_seeds, {**seconds, **cost}, tuple([*left, *dropped, *cut]), peak_mb(),
                options.budget, threads, made_for)


def _affordable(simple: Sequence[Recipe], seconds: Mapping[str, float], limit: float, only: Sequence[str]
                ) -> tuple[list[Recipe], list[tuple[str, str]]]:
    """The first choice, then the others in order of cost, until the limit; the floors, the cheapest model and those asked
    for by name are always planned."""
    kept, left, total = [], [], 0.0
    models = [r for r in simple if r.family != "floor"]
    cheapest = sorted(models, key=lambda r: seconds[r.hash])[:1]
    must = {r.hash for r in simple if r.family == "floor" or r in cheapest or r.model in only}
    for recipe in sorted(simple, key=lambda r: (not r.because.startswith(FIRST), seconds[r.hash])):
        total += seconds[recipe.hash]
        if total <= limit or recipe.hash in must:
            kept.append(recipe)
        else:
            total -= seconds[recipe.hash]
            left.append((recipe.model, f"about {seconds[recipe.hash]:.0f} s, more than the budget leaves: --budget"))
    return [r for r in simple if r in kept], left


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


def run_stage(bench: Bench, plan: Plan, options: Options, ledger: Ledger, voice: Voice
              ) -> tuple[list[Run], dict[str, str], list[Finding]]:
    """Run the candidates in order; one that fails is named and left out, and the study goes on."""
    end = max(END_SECONDS, END_SHARE * plan.budget) * 0.8
    watch = Watch(ledger, plan.budget - end)
    bench = replace(bench, desk=replace(bench.desk, deadline=watch.deadline()))
    runs, cuts, found = [], {}, []
    for i, recipe in enumerate(plan.candidates):
        voice.say(f"{recipe.label} ({i + 1} of {len(plan.candidates)})")
        try:
            tiny = tiny_stage(bench, recipe) if recipe.family == "deep" else []
            found += [f for f in tiny if f.grade != "fine"]
            if stops(tiny):
                cuts[recipe.hash] = stops(tiny)
                continue
            must = last_hope(plan, [r.recipe for r in runs], list(cuts))(recipe)
            own = replace(bench, desk=replace(bench.desk, deadline=None)) if must else bench
            run = execute(own, recipe, plan.seeds.get(recipe.hash, 1), enough=never if must else watch.enough, ledger=ledger)
        except GnomonError as error:
            if error.code.startswith(("E-PLAN", "E-DISK-FULL", "E-OUT-UNWRITABLE", "E-TRUST")):
                raise
            cuts[recipe.hash] = str(error)
            continue
        except MemoryError:
            cuts[recipe.hash] = "out of memory"
            continue
        except Exception as error:
            if is_disk_full(error):  # every later candidate would fail too: stop, so that the same command goes on from here
                raise cannot_write(bench.folder / "runs" / recipe.hash, error) from None
            if os.environ.get("GNOMON_DEBUG"):
                raise
            cuts[recipe.hash] = f"failed: {type(error).__name__}: {error}"
            voice.say(f"{recipe.label} left out: {type(error).__name__}: {error}")
            continue
        if run is None:
            cuts[recipe.hash] = "the budget ended before it was trained"
            continue
        runs.append(run)
        found += norms_stage(bench, run) if recipe.family == "deep" else []
        _say_run(bench, run, recipe, voice)
    if not any(run.recipe.family != "floor" for run in runs):
        reasons = "; ".join(dict.fromkeys(cuts.values())) or "no candidate was planned"
        raise TrainingError("E-NOTHING-TRAINED", f"no model could be trained: {reasons}",
                            do="see plan.toml for what was left out and why; a larger --budget may help")
    return runs, cuts, found


def _say_run(bench: Bench, run: Run, recipe: Recipe, voice: Voice) -> None:
    score = bench.task.score(bench.task.measure(run.oof, bench.task.truth(bench.data, run.rows)))
    seeds = f", {len(run.by_seed)} seeds" if len(run.by_seed) > 1 else ""
    stage = {"floor": "FLOOR", "simple": "SIMPLE", "deep": "DEEP"}[recipe.family]
    voice.line(stage, f"(valid) {recipe.label} {bench.task.metric.name} {score:.3f}{seeds}, {run.seconds:.1f} s")




def plan_only(source: Any, folder: Folder, options: Options, voice: Voice, origin: Mapping[str, Any] = NOWHERE) -> Plan:
    """Read, look, split and plan; nothing is trained."""
    folder.open()
    with folder.busy():
        write_json(folder / "versions.json", {**versions(options), **origin})
        ledger = Ledger(folder / "ledger.jsonl")
        written = read_plan(folder / "plan.toml")
        roles = stated_in_plan(folder, written)
        seen = timed(ledger, "look", lambda: _look(source, folder, options, roles, written, voice))
        bench = bench_of(seen, folder, options, voice)
        return timed(ledger, "plan", lambda: plan_stage(bench, seen, options, written, ledger, voice))
