"""Debug every deep candidate: a tiny subset learned by heart before the long run; its norms and curves after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from gnomon.errors import GnomonError
from gnomon.rng import key
from gnomon.values import Action, Finding
from gnomon.workflow._folder import read_json, write_json
from gnomon.workflow.run import Bench, Run, parts_of


def tiny_stage(bench: Bench, recipe: Any) -> list[Finding]:
    """DEBUG-TINY of a deep candidate; remembered in its run folder."""
    from gnomon.analyses.debug.tiny_subset import tiny_subset

    _, options, build = parts_of(recipe, bench.trusted)
    molecules = {"molecules": options["molecules"]} if "molecules" in options else {}
    rows = bench.parts.folds[0].train
    desk = replace(bench.desk, folder=None, deadline=None)
    return _remembered(bench, recipe.hash, "tiny", lambda: tiny_subset(
        bench.task, build, bench.data, rows, key(bench.seed, "tiny", recipe.hash) % 2**31, desk, **molecules))


def norms_stage(bench: Bench, run: Run) -> list[Finding]:
    """DEBUG-NAN, DEBUG-GRADIENT, DEBUG-OVERFIT and DEBUG-UNDERFIT of a trained candidate's first fold."""
    from gnomon.analyses.debug.norms import norms
    from gnomon.methods._learned import load_learned

    if not run.folders or ".py:" in run.recipe.model:
        return []
    found = _remembered(bench, run.recipe.hash, "norms", lambda: norms(
        load_learned(run.folders[0]), bench.data, bench.parts.folds[0].train, run.folders[0]))
    return [replace(f, claim=f"{run.recipe.label}: {f.claim}") for f in found]


def stops(found: Sequence[Finding]) -> str:
    """Why the long run is not worth starting; "" when it is."""
    return next((f.claim for f in found if f.code == "DEBUG-TINY" and f.grade in ("warn", "block")), "")


def _remembered(bench: Bench, recipe: str, name: str, do: Callable[[], list[Finding]]) -> list[Finding]:
    path = Path(bench.folder.path) / "runs" / recipe / f"{name}.json"
    kept = read_json(path)
    if kept is None or kept.get("key") != bench.key:
        try:
            found = do()
        except (GnomonError, RuntimeError, ValueError, ArithmeticError):
            return []  # what cannot be debugged may still train; its own errors will tell
        kept = {"key": bench.key, "findings": [asdict(f) for f in found]}
        write_json(path, kept)
    return [_finding(f) for f in kept["findings"]]


def _finding(state: dict[str, Any]) -> Finding:
    action = Action(**state["action"]) if state.get("action") else None
    lists = {k: tuple(state[k]) for k in ("columns", "rows", "items")}
    return Finding(**{**state, **lists, "action": action})
