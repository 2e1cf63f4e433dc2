"""A finished study taken up again: the same data, split and bench as when it ran, without training or judging anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gnomon.errors import InputError
from gnomon.values import Recipe
from gnomon.workflow._folder import Folder, read_json
from gnomon.workflow._plan_file import plan_of, read_plan
from gnomon.workflow.look import Seen, read_stage, whole_look
from gnomon.workflow.options import Options
from gnomon.workflow.plan import Plan
from gnomon.workflow.run import Bench, Run, execute


@dataclass(frozen=True)
class Reopened:
    """What a study knew when it was concluded."""

    seen: Seen
    bench: Bench
    plan: Plan
    report: dict[str, Any]

    def recipe(self, wanted: str | None = None) -> Recipe:
        """The recommended candidate (or the one chosen on validation), or the one whose hash begins so.

        Raises E-CANDIDATE, E-NO-MODEL.
        """
        judged = [c for c in self.report["candidates"] if c.get("valid")]
        if wanted is not None:
            near = [c for c in judged if c["recipe"]["hash"].startswith(wanted)]
            if len(near) != 1:
                raise InputError("E-CANDIDATE", f"no candidate '{wanted}' in {self.bench.folder.path}",
                                 do="one of " + ", ".join(f"{c['recipe']['hash']} ({c['label']})" for c in judged))
            found = near[0]
        else:
            verdict = self.report["verdict"]
            key = verdict["recommended"] or verdict["chosen_on_validation"]
            found = next(c for c in judged if c["recipe"]["hash"] == key)
        if found["family"] == "floor":
            raise InputError("E-NO-MODEL", f"{self.bench.folder.path} recommends no model", do="name one with --candidate HASH")
        written = {k: v for k, v in found["recipe"].items() if k != "hash"}
        return Recipe(**written, family=found["family"])

    def run(self, recipe: Recipe) -> Run:
        """This candidate's out-of-fold predictions on record; folds that were cleaned away are trained again."""
        run = execute(self.bench, recipe, max(1, self.seeds(recipe)))
        assert run is not None
        return run

    def seeds(self, recipe: Recipe) -> int:
        """How many seeds were finished."""
        return next((int(c["seeds"]) for c in self.report["candidates"] if c["recipe"]["hash"] == recipe.hash), 1)


def reopened(folder: Folder, source: Any, options: Options, voice: Any) -> Reopened:
    """The study's data, split and bench again. Raises E-STUDY-UNFINISHED without a verdict, E-STUDY-FILE when the data
    or the plan changed since."""
    from gnomon.workflow.study import bench_of, stated_in_plan

    report = read_json(folder / "report.json")
    written = read_plan(folder / "plan.toml")
    if not report or written is None or not report.get("verdict"):
        raise InputError("E-STUDY-UNFINISHED", f"{folder.path} has no verdict yet", do=f"gnomon run {folder.path}")
    voice.say("reading and looking again")
    seen = whole_look(read_stage(source, options, stated_in_plan(folder, written), folder.path / "cache"), options, written)
    bench = bench_of(seen, folder, options, voice)
    plan = plan_of(written, folder / "plan.toml", bench.task.name)
    if plan.made_for.get("key") != bench.key:
        raise InputError("E-STUDY-FILE", f"the data, the labels or the plan of {folder.path} changed since its verdict",
                         do=f"gnomon run {folder.path}, then this command again")
    desk = replace(bench.desk, threads=plan.threads or bench.desk.threads)
    return Reopened(seen, replace(bench, desk=desk), plan, report)

