"""What was done about a finding, with the score it led to and the one without it: a number on each action.

A column set aside as a leak, or kept in spite of a warning, is put back or taken out and the best simple model trained
again on the same folds. Rows kept together (copies, groups) were compared with a random split already: the optimism gap.
Suspect labels were left out by a candidate whose twin kept them. All scores are of validation rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.analyses.validate.compare import compare
from gnomon.data.blocks import apart, members
from gnomon.data.table import Data
from gnomon.errors import GnomonError
from gnomon.tasks._task import Stats
from gnomon.values import Action, Finding
from gnomon.workflow._clock import Clock, merged
from gnomon.workflow._members import Candidate
from gnomon.workflow._more_data import fold_seconds
from gnomon.workflow._sources import LEAST_NEW
from gnomon.workflow.run import Bench, fit

SPLIT_CODES = ("LOOK-DUPLICATE", "LOOK-NEAR-DUPLICATE", "LOOK-REPLICATE", "LOOK-GROUP")
CLEANED = "confident_learning"
NO_LIMITS = "with too few units for an interval"


def blocking(bench: Bench, seen: Any) -> tuple[str, ...]:
    """Codes of what was found before judging and stands against any claim of superiority."""
    codes = [f.code for f in seen.findings if f.grade == "block"]
    if seen.copies is not None and len(bench.parts.test) and len(np.setdiff1d(bench.parts.test, seen.copies)) < LEAST_NEW:
        codes.append("VALID-TEST-COPIES")
    return tuple(dict.fromkeys(codes))


def with_effects(findings: Sequence[Finding], bench: Bench, candidates: Sequence[Candidate], examined: Any, clock: Clock
                 ) -> list[Finding]:
    """The findings, those that were acted upon with the effect of the action, or why it was not measured."""
    gap = examined.optimism
    why = next((c.why_not for c in examined.checks if c.code == "VALID-OPTIMISM" and not c.ran), "no gap could be told")
    out = []
    for f in findings:
        if f.grade == "block" and f.action is None:
            f = replace(f, action=Action("no claim of superiority is made while this stands"))
        elif f.code == "LOOK-LEAK" and f.action is not None and f.columns:
            f = replace(f, action=replace(f.action, effect=_of_columns(f, bench, candidates, clock)))
        elif f.code == "LOOK-LABEL":
            f = _of_labels(f, bench, candidates)
        elif f.code in SPLIT_CODES and f.action is not None:
            f = replace(f, action=replace(f.action, effect=_of_split(f.code, bench, gap) if gap else unmeasured(why)))
        out.append(f)
    return out


def unmeasured(why: str) -> dict[str, Any]:
    """An effect that says why there is no number."""
    return {"said": f"not measured: {why}"}


def _of_split(code: str, bench: Bench, gap: Mapping[str, Any]) -> dict[str, Any]:
    """The optimism gap, as an effect: what rows dealt at random would have promised, and no model would have kept. Where the
    split keeps more apart than copies, the gap is of all that together and belongs to LOOK-GROUP."""
    if code != "LOOK-GROUP" and bench.parts.policy.split(":")[0] not in ("random", "stratified"):
        return unmeasured("not told apart from the rest of the split, whose optimism gap is under the split")
    effect = told({"metric": bench.task.metric.name, "as_done": gap["honest"], "undone": gap["random"],
                   "difference": gap["gap"], "low": gap["low"], "high": gap["high"], "level": gap["level"],
                   "model": gap["model"]})
    sure = gap["low"] is not None and gap["low"] > 0
    worth = f"{gap['gap']:.2g} [{gap['low']:.2g}, {gap['high']:.2g}] of flattery, not of skill" if sure else \
        NO_LIMITS if gap["low"] is None else "which cannot be told apart"
    scores = f"{effect['metric']} {gap['honest']:.3g} as split, {gap['random']:.3g} with rows dealt at random"
    return {**effect, "said": f"{scores}, {worth} ({gap['model']}, out of fold)"}


def _of_columns(f: Finding, bench: Bench, candidates: Sequence[Candidate], clock: Clock) -> dict[str, Any]:
    """The best simple model that fits in the time left, with the finding's columns and without them."""
    inside = members(bench.data)
    names = [n for n in f.columns if (home := inside.get(n, n)) in bench.data.columns
             and bench.data.roles[home].role in ("input", "ignore")]
    sign = 1 if bench.task.metric.higher_is_better else -1
    folds = merged(bench.parts.folds)
    simple = [c for c in candidates if c.family == "simple" and c.recipe.method != CLEANED and np.isfinite(c.score)]
    if not names or not simple or bench.task.name == "several":
        return unmeasured("no simple model of a single target to try it with")
    able = [c for c in simple if 2 * len(folds) * fold_seconds(c) < clock.left]
    if not able:
        least = min(2 * len(folds) * fold_seconds(c) for c in simple)
        return unmeasured(f"it needs about {least:.0f} s, {max(clock.left, 0):.0f} s are left for it: --budget")
    best = max(able, key=lambda c: sign * c.score)
    flipped = turned(bench.data, names)
    rows = np.concatenate([fold.valid for fold in folds])
    try:
        done, undone = (_stats(bench, best, data, folds) for data in (bench.data, flipped))
    except (GnomonError, ValueError) as error:  # no input is left, say, or none a solver takes; anything else is a fault here
        return unmeasured(getattr(error, "message", str(error)))
    return _effect(bench, done, undone, rows, best.recipe.label)


def turned(data: Data, names: Sequence[str]) -> Data:
    """The data with these columns, or members of blocks, put back among the inputs, or taken out where they are in."""
    data = apart(data, names)
    for name in names:
        role = "ignore" if data.roles[name].role == "input" else "input"
        data = data.with_role(name, role, "to measure what that does", stated=True)
    return data


def _stats(bench: Bench, candidate: Candidate, data: Data, folds: Sequence[Any]) -> Stats:
    """Statistics of the recipe's predictions for each fold's validation rows, trained on these inputs."""
    from gnomon.workflow._predictions import scatter

    here = replace(bench, data=data, mended=None)
    learned = [(fold.valid, fit(here, candidate.recipe, fold.train, 0, f"effect {k}", None, data=data))
               for k, fold in enumerate(folds)]
    rows = np.concatenate([fold.valid for fold in folds])
    told = scatter(len(data), [(valid, one.predict(data, valid)) for valid, one in learned]).take(rows)
    return bench.task.measure(told, bench.task.truth(data, rows))


def _of_labels(f: Finding, bench: Bench, candidates: Sequence[Candidate]) -> Finding:
    """LOOK-LABEL with what its candidate without suspect labels scores, against its twin with all of them."""
    cleaned = next((c for c in candidates if c.recipe.method == CLEANED), None)
    if cleaned is None:
        return f
    view = cleaned.recipe.options.get("view", "standard")
    twin = next((c for c in candidates if c.recipe.model == cleaned.recipe.model and c.recipe.method != CLEANED
                 and c.recipe.options.get("view", "standard") == view), None)
    done = Action(f"a candidate left suspect training labels out ({cleaned.recipe.label}), beside the same model with all",
                  '[[candidate]] method = "confident_learning": delete this candidate')
    if twin is None:
        return replace(f, action=done)
    rows = cleaned.members[0][1].rows
    return replace(f, action=replace(done, effect=_effect(bench, cleaned.stats, twin.stats, rows, cleaned.recipe.model)))


def _effect(bench: Bench, done: Stats, undone: Stats, rows: np.ndarray, model: str) -> dict[str, Any]:
    """difference: how much better the score would be without the action, paired over units."""
    d = compare(bench.task, undone, done, bench.parts.units[rows], margin=None, seed=bench.seed)
    return told({"metric": bench.task.metric.name, "as_done": bench.task.score(done), "undone": bench.task.score(undone),
                 "difference": d.value, "low": d.low, "high": d.high, "level": d.level, "model": model})


def told(effect: Mapping[str, Any]) -> dict[str, Any]:
    """The effect with the sentence that says it."""
    e, gap = effect, abs(effect["difference"])
    if e["low"] is None:
        than = NO_LIMITS
    elif e["low"] <= 0 <= e["high"]:
        than = "which cannot be told apart"
    else:
        ends = sorted((abs(e["low"]), abs(e["high"])))
        than = f"{'better' if e['difference'] > 0 else 'worse'} by {gap:.2g} [{ends[0]:.2g}, {ends[1]:.2g}]"
    return {**e, "said": f"{e['metric']} {e['as_done']:.3g} as done, {e['undone']:.3g} if undone, {than} "
                         f"({e['model']}, validation rows)"}


def action_lines(findings: Sequence[Finding], most: int = 3) -> list[str]:
    """What the terminal says of actions whose effect was measured: the finding's columns, what was done, what it did."""
    return [f"{f.code} {', '.join(f.columns[:3])}".strip() + f": {f.action.done}; {f.action.effect['said']}"
            + (f". To undo: {f.action.plan_line} in plan.toml" if f.action.plan_line else "")
            for f in findings if f.action is not None and "difference" in (f.action.effect or ())][:most]
