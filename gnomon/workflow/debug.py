"""Debug every deep candidate: a tiny subset learned by heart before the long run; layers, curves and errors after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

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
    """All that is measured on a trained deep candidate: layers now and over time, fitting curve, loss shares, how near the
    rate was to the edge, whether validation rows look alike to it (first fold), and patterns in its out-of-fold errors."""
    if not run.folders or ".py:" in run.recipe.model:
        return []
    found = _remembered(bench, run.recipe.hash, "debug", lambda: _of_run(bench, run))
    return [replace(f, claim=f"{run.recipe.label}: {f.claim}") for f in found]


def _of_run(bench: Bench, run: Run) -> list[Finding]:
    from gnomon.analyses.debug.error_patterns import error_patterns
    from gnomon.analyses.debug.norms import norms
    from gnomon.analyses.debug.rate_sensitivity import rate_finding, rate_sensitivity
    from gnomon.analyses.debug.representation_shift import representation_finding, representation_shift
    from gnomon.methods._learned import load_learned
    from gnomon.methods._rate import FILE

    learned, fold, place = load_learned(run.folders[0]), bench.parts.folds[0], run.folders[0]
    found: list[Finding | None] = [*norms(learned, bench.data, fold.train, place)]
    tested = read_json(place / FILE)
    if tested:
        found.append(rate_finding(rate_sensitivity(tested["rates"], tested["losses"], tested["rate"])))
    grouped = len(np.unique(bench.parts.units)) < 0.98 * len(bench.data)
    found.append(representation_finding(representation_shift(learned, bench.data, fold.train, fold.valid, bench.parts.units,
                                                             seed=bench.seed), bench.parts.fold_policy, grouped=grouped))
    if bench.task.name != "several":
        found += error_patterns(bench.task, bench.data, run.rows, run.oof, bench.parts.units[run.rows])
    return [f for f in found if f is not None]


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
