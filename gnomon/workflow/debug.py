"""Debug every deep candidate: a tiny subset learned by heart before the long run; layers, curves and errors after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.rng import key
from gnomon.tasks._task import Prediction
from gnomon.values import Action, Check, Finding
from gnomon.workflow._folder import read_json, write_json
from gnomon.workflow._notes import Notes
from gnomon.workflow.run import Bench, Run, parts_of

SELECTS = ("co_teaching",)  # methods whose training loss is of rows that they choose
SMALLEST = {  # the smallest effect that each check would have found
    "DEBUG-TINY": "more than a tenth of the loss of knowing nothing left on 32 rows",
    "DEBUG-NAN": "one loss, weight or output that is no number",
    "DEBUG-GRADIENT": "gradients below a millionth of their weights in a third of the layers; a layer nine tenths of it dead",
    "DEBUG-UNDERFIT": "a training loss above 70 % of that of knowing nothing",
    "DEBUG-OVERFIT": "a held-out loss 10 % above its least, or half of what training gained lost on held-out rows",
    "DEBUG-LOSS": "a term below 1 % or above 90 % of the loss",
    "DEBUG-RATE": "a rate above half of where training breaks, or below half of where the loss begins to fall",
    "DEBUG-SHIFT": "an area under the curve whose lower limit passes 0.6",
    "DEBUG-ERRORS": "an error 1.3 times as large in a slice of 20 units; a tenth of a class taken for one other",
}
NETWORKS = ("DEBUG-NAN", "DEBUG-GRADIENT", "DEBUG-UNDERFIT", "DEBUG-OVERFIT", "DEBUG-LOSS", "DEBUG-RATE", "DEBUG-SHIFT")


def tiny_stage(bench: Bench, recipe: Any) -> Notes:
    """DEBUG-TINY of a deep candidate; remembered in its run folder."""
    from gnomon.analyses.debug.tiny_subset import tiny_subset

    _, options, build = parts_of(recipe, bench.trusted)
    molecules = {"molecules": options["molecules"]} if "molecules" in options else {}
    rows = bench.parts.folds[0].train
    desk = replace(bench.desk, folder=None, deadline=None)
    told = _remembered(bench, recipe.hash, "tiny", lambda notes: _run(notes, "DEBUG-TINY", lambda: tiny_subset(
        bench.task, build, bench.data, rows, key(bench.seed, "tiny", recipe.hash) % 2**31, desk, **molecules)))
    return Notes(told.findings, _named(told.checks, recipe.label))


def norms_stage(bench: Bench, run: Run) -> Notes:
    """All that is measured on a trained deep candidate: layers now and over time, fitting curve, loss shares, how near the
    rate was to the edge, whether validation rows look alike to it (first fold), and patterns in its out-of-fold errors."""
    if not run.folders:
        return Notes()
    told = _remembered(bench, run.recipe.hash, "debug", lambda notes: _of_run(bench, run, notes))
    return Notes([replace(f, claim=f"{run.recipe.label}: {f.claim}") for f in told.findings],
                 _named(told.checks, run.recipe.label))


def together(checks: Sequence[Check]) -> list[Check]:
    """Each check once, however many candidates it ran on."""
    return list(dict.fromkeys(checks))


def stops(found: Sequence[Finding]) -> str:
    """Why the long run is not worth starting; "" when it is."""
    return next((f.claim for f in found if f.code == "DEBUG-TINY" and f.grade in ("warn", "block")), "")


def _of_run(bench: Bench, run: Run, notes: Notes) -> None:
    from gnomon.methods._learned import load_learned

    try:
        learned = load_learned(run.folders[0])
    except Exception as error:  # a user's own code may not be at hand any more
        learned, why = None, f"could not be run: {type(error).__name__}: {error}"
    if learned is not None:
        why = "" if hasattr(learned, "module") else "the model fits itself: there is no network to look at"
    for code in NETWORKS if why else ():
        notes.skip(code, why)
    if not why:
        _of_network(bench, run, learned, notes)
    _run(notes, "DEBUG-ERRORS", lambda: _of_errors(bench, run), "fewer than 40 scored rows have this target")


def _of_network(bench: Bench, run: Run, learned: Any, notes: Notes) -> None:
    from gnomon.analyses.debug.layer_history import history_finding, layer_history
    from gnomon.analyses.debug.loss_shares import loss_shares, shares_finding
    from gnomon.analyses.debug.norms import layer_norms, of_layers, troubles
    from gnomon.analyses.debug.representation_shift import representation_finding, representation_shift
    from gnomon.methods._log import read_log

    data, fold, lines = bench.data, bench.parts.folds[0], read_log(run.folders[0])
    _run(notes, "DEBUG-GRADIENT", lambda: [*of_layers(layer_norms(learned, data, fold.train)),
                                           history_finding(layer_history(lines))])
    _run(notes, "DEBUG-NAN", lambda: troubles(lines))
    _of_curve(bench, run, lines, notes)
    _run(notes, "DEBUG-LOSS", lambda: shares_finding(loss_shares(lines)), "the loss has one term, or terms below zero")
    _of_rate(run, notes)
    if not hasattr(learned.module, "embed"):
        notes.skip("DEBUG-SHIFT", "the network has no `embed`: its hidden representation is not at hand")
        return
    grouped = len(np.unique(bench.parts.units)) < 0.98 * len(data)
    _run(notes, "DEBUG-SHIFT", lambda: representation_finding(
        representation_shift(learned, data, fold.train, fold.valid, bench.parts.units, seed=bench.seed),
        bench.parts.fold_policy, grouped=grouped), "too few training or validation units")


def _of_curve(bench: Bench, run: Run, lines: Sequence[Any], notes: Notes) -> None:
    """DEBUG-UNDERFIT and DEBUG-OVERFIT, each a check of its own."""
    from gnomon.analyses.debug.norms import naive_on
    from gnomon.analyses.debug.over_under import Fitting, fitting_finding, over_under

    method = run.recipe.method.rpartition(".")[2]
    if method in SELECTS:
        for code in ("DEBUG-UNDERFIT", "DEBUG-OVERFIT"):
            notes.skip(code, f"{method} chooses the rows it learns from: its training loss is of the easy ones")
        return
    task, data, train = bench.task, bench.data, bench.parts.folds[0].train
    found = notes.run("DEBUG-UNDERFIT", None, lambda: over_under(lines, naive_on(task, data, train))) or Fitting("failed")
    told = fitting_finding(found)
    notes.findings += [told] if told else []
    few, held = found.kind == "unknown", found.least_stop_loss is not None
    if found.kind != "failed":
        _run(notes, "DEBUG-UNDERFIT", lambda: None if few else [], "fewer than four readings of the training loss")
    _run(notes, "DEBUG-OVERFIT", lambda: [] if held else None, "fewer than four looks at rows held back while training")


def _of_rate(run: Run, notes: Notes) -> None:
    from gnomon.analyses.debug.rate_sensitivity import rate_finding, rate_sensitivity
    from gnomon.methods._rate import FILE

    tested = read_json(run.folders[0] / FILE)
    if not tested:
        notes.skip("DEBUG-RATE", "the rate was given: no range test was made")
        return
    _run(notes, "DEBUG-RATE", lambda: rate_finding(rate_sensitivity(tested["rates"], tested["losses"], tested["rate"])),
         "the loss fell nowhere in the range test")


def _of_errors(bench: Bench, run: Run) -> list[Finding] | None:
    """Patterns in the out-of-fold errors, of several targets each; None where no target has rows enough."""
    from gnomon.analyses.debug.error_patterns import FEWEST_UNITS, error_patterns, scored
    from gnomon.workflow._input_clusters import input_clusters

    data, task, units = bench.data, bench.task, bench.parts.units[run.rows]
    several = [*zip(task.tasks, run.oof.parts, strict=True)] if task.name == "several" else [(task, run.oof)]
    judged: list[tuple[Any, Prediction]] = [(t, p) for t, p in several
                                            if scored(t, np.asarray(t.truth(data, run.rows)), p).sum() >= 2 * FEWEST_UNITS]
    if not judged:
        return None
    clusters = input_clusters(data, run.rows, bench.seed)
    found = [(t, f) for t, p in judged for f in error_patterns(t, data, run.rows, p, units, clusters)]
    return [replace(f, claim=f"'{t.target}': {f.claim}") if len(several) > 1 else f for t, f in found]


def _run(notes: Notes, code: str, do: Callable[[], Any], nothing: str = "nothing could be examined") -> None:
    """One check; what it returns (findings, or one) is noted."""
    out = notes.run(code, SMALLEST[code], do, nothing)
    notes.findings += [f for f in (out if isinstance(out, list) else [out]) if f is not None]


def _named(checks: Sequence[Check], label: str) -> list[Check]:
    """Whose check it is that did not run."""
    return [c if c.ran else replace(c, why_not=f"{c.why_not} ({label})") for c in checks]


def _remembered(bench: Bench, recipe: str, name: str, do: Callable[[Notes], None]) -> Notes:
    """What `do` notes, or noted for the same data and split; where something failed it is tried again the next time."""
    path = Path(bench.folder.path) / "runs" / recipe / f"{name}.json"
    kept = read_json(path)
    if kept is None or kept.get("key") != bench.key or "checks" not in kept:
        notes = Notes()
        do(notes)
        if any(c.why_not.startswith("could not be run") for c in notes.checks):
            return notes
        kept = {"key": bench.key, "findings": [asdict(f) for f in notes.findings], "checks": [asdict(c) for c in notes.checks]}
        write_json(path, kept)
    return Notes([_finding(f) for f in kept["findings"]], [Check(**c) for c in kept["checks"]])


def _finding(state: dict[str, Any]) -> Finding:
    action = Action(**state["action"]) if state.get("action") else None
    lists = {k: tuple(state[k]) for k in ("columns", "rows", "items")}
    return Finding(**{**state, **lists, "action": action})
