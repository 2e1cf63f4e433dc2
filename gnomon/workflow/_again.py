"""A finished study taken up again: the same data, split and bench as when it ran, without training or judging anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from gnomon.errors import InputError
from gnomon.values import Recipe
from gnomon.workflow._folder import Folder, read_json
from gnomon.workflow._plan_file import plan_of, read_plan
from gnomon.workflow._unfinished import unfinished
from gnomon.workflow.look import Seen, read_stage, whole_look
from gnomon.workflow.options import Options
from gnomon.workflow.plan import Plan, named
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
        found = self._chosen() if wanted is None else self._named(wanted)
        written = {k: v for k, v in found["recipe"].items() if k != "hash"}
        return named(Recipe(**written, family=found["family"]), self.bench.data)

    def _chosen(self) -> dict[str, Any]:
        verdict = self.report["verdict"]
        key = verdict["recommended"] or verdict["chosen_on_validation"]
        found = next(c for c in self._judged() if c["recipe"]["hash"] == key)
        if found["family"] == "floor":
            raise InputError("E-NO-MODEL", f"{self.bench.folder.path} recommends no model", do="name one with --candidate HASH")
        return found

    def _named(self, wanted: str) -> dict[str, Any]:
        able = ", ".join(f"{c['recipe']['hash']} ({c['label']})" for c in self._judged() if c["family"] != "floor")
        near = [c for c in self._judged() if c["recipe"]["hash"].startswith(wanted)]
        if len(near) != 1:
            raise InputError("E-CANDIDATE", f"{'several candidates begin' if near else 'no candidate begins'} with '{wanted}' "
                             f"in {self.bench.folder.path}", do=f"one of {able or 'none: only floors were judged'}")
        if near[0]["family"] == "floor":
            raise InputError("E-NO-MODEL", f"candidate {near[0]['recipe']['hash']} of {self.bench.folder.path} is a floor: "
                             "it is no model", do=f"name another with --candidate: {able or 'none: only floors were judged'}")
        return near[0]

    def _judged(self) -> list[dict[str, Any]]:
        return [c for c in self.report["candidates"] if c.get("valid")]

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
        raise unfinished(folder, "no verdict")
    voice.say("reading and looking again")
    seen = whole_look(read_stage(source, options, stated_in_plan(folder, written), folder.path / "cache"), options, written)
    bench = bench_of(seen, folder, options, voice)
    plan = plan_of(written, folder / "plan.toml", bench.task.name)
    if plan.made_for.get("key") != bench.key:
        raise InputError("E-STUDY-FILE", f"the data, the labels or the plan of {folder.path} changed since its verdict",
                         do=f"gnomon run {folder.path}, then this command again")
    desk = replace(bench.desk, threads=plan.threads or bench.desk.threads)
    return Reopened(seen, replace(bench, desk=desk), plan, report)

