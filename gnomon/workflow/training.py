"""The run stage: the candidates of a plan in order; one that fails is named, and the study goes on."""

from __future__ import annotations

import os
from dataclasses import replace

from gnomon.errors import GnomonError, TrainingError
from gnomon.values import Recipe
from gnomon.workflow._folder import cannot_write, is_disk_full
from gnomon.workflow._notes import Notes
from gnomon.workflow._steps import ENDED
from gnomon.workflow._voice import Voice
from gnomon.workflow._watch import Watch, last_hope, never
from gnomon.workflow.debug import norms_stage, stops, tiny_stage, together
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.options import Options
from gnomon.workflow.plan import Plan
from gnomon.workflow.planning import kept_for_the_end
from gnomon.workflow.run import Bench, Run, execute


def run_stage(bench: Bench, plan: Plan, options: Options, ledger: Ledger, voice: Voice
              ) -> tuple[list[Run], dict[str, str], Notes]:
    """Run the candidates in order; one that fails is named and left out, and the study goes on. Last what debugging noted."""
    watch = Watch(ledger, plan.budget - kept_for_the_end(plan.budget))
    bench = replace(bench, desk=replace(bench.desk, deadline=watch.deadline()))
    runs, cuts, found = [], {}, Notes()
    for i, recipe in enumerate(plan.candidates):
        voice.say(f"{recipe.label} ({i + 1} of {len(plan.candidates)})")
        must = last_hope(plan, [r.recipe for r in runs], list(cuts))(recipe)
        try:
            run, why = _train(bench, recipe, plan.seeds.get(recipe.hash, 1), watch, ledger, found, must=must)
        except Exception as error:
            run, why = None, _why_left_out(error, bench, recipe)
        if run is None:
            cuts[recipe.hash] = why
            voice.line("NOTE", f"{recipe.label} was not trained: {why}")
            continue
        runs.append(run)
        if recipe.family == "deep":
            found.join(norms_stage(bench, run))
        _say_run(bench, run, recipe, voice)
    if not any(run.recipe.family != "floor" for run in runs):
        reasons = "; ".join(dict.fromkeys(cuts.values())) or "no candidate was planned"
        raise TrainingError("E-NOTHING-TRAINED", f"no model could be trained: {reasons}",
                            do="see plan.toml for what was left out and why; a larger --budget may help")
    return runs, cuts, Notes(found.findings, together(found.checks))


def _train(bench: Bench, recipe: Recipe, seeds: int, watch: Watch, ledger: Ledger, found: Notes, *,
           must: bool) -> tuple[Run | None, str]:
    """The run of one candidate, or None and why there is none; what its trial on a few rows showed is added to `found`.

    must: it is trained even past the deadline.
    """
    tiny = tiny_stage(bench, recipe) if recipe.family == "deep" else Notes()
    found.join(Notes([f for f in tiny.findings if f.grade != "fine"], tiny.checks))
    if stops(tiny.findings):
        return None, stops(tiny.findings)
    own = replace(bench, desk=replace(bench.desk, deadline=None)) if must else bench
    run = execute(own, recipe, seeds, enough=never if must else watch.enough, ledger=ledger)
    return run, "" if run is not None else f"{ENDED} before it was trained"


def _why_left_out(error: Exception, bench: Bench, recipe: Recipe) -> str:
    """Why a candidate that failed is left out; an error that every later one would meet too is raised instead."""
    if isinstance(error, GnomonError):
        if error.code.startswith(("E-PLAN", "E-DISK-FULL", "E-OUT-UNWRITABLE", "E-TRUST")):
            raise error
        return error.message if error.code == "E-DEADLINE" else str(error)
    if isinstance(error, MemoryError):
        return "out of memory"
    if is_disk_full(error):  # stop here, so that the same command goes on from here
        raise cannot_write(bench.folder / "runs" / recipe.hash, error) from None
    if os.environ.get("GNOMON_DEBUG"):
        raise error
    return f"failed: {type(error).__name__}: {error}"


def _say_run(bench: Bench, run: Run, recipe: Recipe, voice: Voice) -> None:
    score = bench.task.score(bench.task.measure(run.oof, bench.task.truth(bench.data, run.rows)))
    seeds = f", {len(run.by_seed)} seeds" if len(run.by_seed) > 1 else ""
    stage = {"floor": "FLOOR", "simple": "SIMPLE", "deep": "DEEP"}[recipe.family]
    voice.line(stage, f"(valid) {recipe.label} {bench.task.metric.name} {score:.3f}{seeds}, {run.seconds:.1f} s")
