"""The stages after training: judge, examine, explain, advise, and write what a report needs."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.validate.seeds import seeds as seed_spread
from gnomon.methods._network import task_state
from gnomon.rng import stream
from gnomon.values import Advice, Check, Finding, plain, turned
from gnomon.workflow._cells import shown_counts
from gnomon.workflow._clock import clock_for
from gnomon.workflow._effects import action_lines, blocking, with_effects
from gnomon.workflow._folder import FORMAT, write_json, write_text
from gnomon.workflow._members import Candidate, fold_scores, judged, seed_scores
from gnomon.workflow._watch import ending
from gnomon.workflow.advise import advise
from gnomon.workflow.after import with_accepted
from gnomon.workflow.examine import Examined, examine
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.look import Seen
from gnomon.workflow.options import Options
from gnomon.workflow.plan import Plan
from gnomon.workflow.run import Bench, Run, fit, peak_mb
from gnomon.workflow.verdict import Verdict, delivered, judge, of_fold

EXPLAIN_SHARE = 0.08  # of the budget
GRADES = ("block", "warn", "note", "fine")


@dataclass(frozen=True)
class Concluded:
    """All that the report is made from."""

    verdict: Verdict
    candidates: tuple[Candidate, ...]
    examined: Examined
    explanations: tuple[dict[str, Any], ...]
    pictures: tuple[dict[str, Any], ...]
    findings: tuple[Finding, ...]
    checks: tuple[Check, ...]
    advice: tuple[Advice, ...]


def conclude(bench: Bench, seen: Seen, plan: Plan, runs: Sequence[Run], cuts: Mapping[str, str], options: Options,
             ledger: Ledger, voice: Any) -> dict[str, Any]:
    """Verdict, examination, explanation, advice; writes report.json, exhibits.json, delivered.json, findings.jsonl."""
    voice.say("judging")
    started, due = time.perf_counter(), ending(ledger, plan.budget)
    candidates = judged(bench, runs)
    verdict = judge(bench, candidates, ledger, blocking(bench, seen))
    _say_verdict(bench, verdict, voice)
    ends = replace(bench, desk=replace(bench.desk, deadline=due))
    examined = examine(ends, seen, candidates, verdict, options)
    acted = with_effects([*_still_news(seen.findings, examined), *examined.findings], ends, candidates, examined,
                         clock_for(ends, options.budget))
    for number, line in enumerate(action_lines(acted)):
        voice.line("" if number else "DONE", line)
    voice.say("explaining")
    explained = _explained(bench, seen, verdict, plan, options.show_rows)
    findings = _ordered([*acted, *explained.findings])
    for text in [f.claim for f in explained.findings if f.code == "WHY-USES"][:1]:
        voice.line("USES", text)
    withheld = [f for f in explained.findings if f.code == "WHY-WITHHELD"]
    if withheld and len(withheld) == len([f for f in explained.findings if f.code.startswith("WHY-")]):
        voice.line("USES", withheld[0].claim)
    advice = advise(bench, findings, verdict, candidates, plan, folder_name=bench.folder.path.name,
                    tried=examined.trials, cuts=cuts)
    for number, step in enumerate(advice[:3], 1):
        voice.line("NEXT" if number == 1 else "", f"{number} {step.do}")
    whole = Concluded(verdict, tuple(candidates), examined, explained.explanations, explained.pictures, findings,
                      (*_still_open(seen.checks, examined), *examined.checks, *explained.checks), advice)
    _say_once(ledger, time.perf_counter() - started)
    report = report_of(bench, seen, plan, cuts, whole, options, ledger)
    save(bench, seen, whole, report, options, voice)
    return report


def _say_once(ledger: Ledger, seconds: float) -> None:
    if not any(e.get("name") == "conclude" for e in ledger.lines()):
        ledger.note("stage", name="conclude", seconds=round(seconds, 3))


def _say_verdict(bench: Bench, verdict: Verdict, voice: Any) -> None:
    head = verdict.headline
    where = "test, opened once" if len(bench.parts.test) and verdict.openings <= 1 else \
        f"reused test ({verdict.openings})" if len(bench.parts.test) else \
        "cross-validated, corrected for choosing" if head and head.estimator == "bbc_cv" else "cross-validated"
    shown = verdict.shown
    if head is not None:
        why = head.method.removeprefix("none: ") if head.method.startswith("none: ") else "too few units"
        limits = f" [{head.low:.3g}, {head.high:.3g}]" if head.low is not None else f" (no interval: {why})"
        score = f"{head.value:.3g}{limits}" if np.isfinite(head.value) else f"not defined ({why})"
        voice.line("VERDICT", f"{where}: {shown.recipe.label} {head.metric} {score}, n {head.n_units}. {verdict.claim}")


@dataclass(frozen=True)
class Nothing:
    explanations: tuple[dict[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()
    pictures: tuple[dict[str, Any], ...] = ()
    checks: tuple[Check, ...] = ()


def _explained(bench: Bench, seen: Seen, verdict: Verdict, plan: Plan, show_rows: bool) -> Any:
    """Explain what is recommended, on rows it was not trained on (test rows that can judge; else a fold's validation rows)."""
    from gnomon.analyses.attribute._explain import explain

    best = verdict.recommended
    if best is None or best.family == "floor" or not best.members:
        return Nothing(checks=(Check("WHY-WITHHELD", False, "no model is recommended: there is nothing to explain"),))
    if len(bench.parts.test) and verdict.signal.judged:
        learned, rows = delivered(best), bench.parts.test
    else:  # one fold's models on that fold's rows, the fold with the most units
        k = int(np.argmax([len(np.unique(bench.parts.units[f.valid])) for f in bench.parts.folds]))
        learned, rows = of_fold(best, k), bench.parts.folds[k].valid
    strongest = max(best.members, key=lambda m: m[0])[1]
    seconds = max(4.0, EXPLAIN_SHARE * plan.budget)
    try:
        return explain(learned, bench.task, bench.data, rows, bench.parts.units, seconds=seconds, seed=bench.seed,
                       fit_again=_refit(bench, strongest), recipe=best.recipe.hash, show_rows=show_rows)
    except Exception as error:  # a model without its explanation is still a model; the report says what is missing
        if os.environ.get("GNOMON_DEBUG"):
            raise
        return Nothing(checks=(Check("WHY-WITHHELD", False, f"could not be run: {type(error).__name__}: {error}"),))


def _refit(bench: Bench, run: Run) -> Callable[[int], Any]:
    """The same recipe on permuted labels: what an explanation looks like when there is nothing to explain."""
    def again(seed: int) -> Any:
        train = bench.parts.folds[0].train
        shuffled = stream(seed, "permuted labels").permutation(train)
        columns = dict(bench.data.columns)
        for name in bench.data.targets:
            column = columns[name]
            values = column.values.copy()  # type: ignore[attr-defined]
            values[train] = values[shuffled]
            columns[name] = replace(column, values=values)  # type: ignore[type-var]
        return fit(bench, run.recipe, train, 0, "permuted", None, data=replace(bench.data, columns=columns))

    return again


def _still_news(findings: Sequence[Finding], examined: Examined) -> list[Finding]:
    """What looking found, less the shortcut cues that were since tried against the trained model."""
    return [f for f in findings if not (examined.trials.get("shortcuts") and f.code == "VALID-SHORTCUT")]


def _still_open(checks: Sequence[Check], examined: Examined) -> list[Check]:
    """The checks of looking, less the search for cues where these were tried against the trained model."""
    return [c for c in checks if not (examined.trials.get("shortcuts") and c.code == "VALID-SHORTCUT")]


def _ordered(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    """Gravest first, each once; of like gravity those that an action settled without a loss (copies) last."""
    unique = {(f.code, f.claim): f for f in findings}
    return tuple(sorted(unique.values(), key=lambda f: (GRADES.index(f.grade), f.code.endswith("-DUPLICATE"))))


def report_of(bench: Bench, seen: Seen, plan: Plan, cuts: Mapping[str, str], done: Concluded, options: Options,
              ledger: Ledger) -> dict[str, Any]:
    """report.json, as the contract has it."""
    from gnomon import __version__

    data, parts, v = bench.data, bench.parts, done.verdict
    tasks = bench.task.tasks if bench.task.name == "several" else (bench.task,)
    other, difference = seen_from_recommended(v)
    cross = not len(parts.test)
    return plain({
        "format": FORMAT, "version": __version__, "status": "partial" if cuts else "complete",
        "data": {"paths": list(data.paths), "rows": len(data), "hash": data.read_hash, "sampled": data.sampled,
                 "columns": [{"name": n, "kind": data.kind(n), "role": data.roles[n].role,
                              "because": data.roles[n].because} for n in data.columns]},
        "task": {"name": bench.task.name, "targets": [
            {"column": t.target, "task": t.name, "metric": t.metric.name,
             "higher_is_better": t.metric.higher_is_better, "unit": t.metric.unit, "classes": _classes(bench, t)}
            for t in tasks]},
        "split": {"policy": parts.policy, "because": parts.because, "for": parts.scope, "assumes": parts.assumes,
                  "sizes": {"train": len(parts.folds[0].train), "valid": len(parts.folds[0].valid),
                            "test": len(parts.test)}, "folds": len(parts.folds), "repeats": parts.repeats,
                  "valid_over_train": float(np.mean([len(f.valid) / len(f.train) for f in parts.folds])), "unit": parts.unit,
                  "folds_by": parts.fold_policy, "one_only": parts.one_only, "unlabelled": len(parts.unlabelled),
                  "optimism": done.examined.optimism},
        "checks": [asdict(c) for c in done.checks],
        "findings": with_accepted([asdict(f) for f in done.findings], bench.folder),
        "candidates": [_candidate(bench, c, v, cuts, cross) for c in done.candidates] + _cut(plan, done, cuts),
        "left_out": [{"model": m, "because": w} for m, w in plan.left_out],
        "verdict": {"recommended": v.recommended.recipe.hash if v.recommended else None, "kind": v.kind,
                    "outcome": v.outcome, "judged": v.signal.judged, "claim": v.claim, "scope": parts.scope,
                    "against": other.recipe.hash,
                    "floor": v.floor.recipe.hash,
                    "chosen_on_validation": v.chosen.recipe.hash, "headline": asdict(v.headline) if v.headline else None,
                    "pilot": v.pilot, "blocked": list(v.blocked), "difference": difference},
        "explanations": list(done.explanations),
        "advice": [asdict(a) for a in done.advice],
        "cost": {"seconds": round(ledger.spent(), 1), "budget_seconds": plan.budget, "peak_mb": peak_mb()},
        "ledger": {"test_openings": 0 if cross else v.openings},
    })


def _classes(bench: Bench, task: Any) -> dict[str, int]:
    """Rows of each class of a classified target; classes of few are not told (EVIDENCE 24)."""
    if task.name != "classify":
        return {}
    truth = task.truth(bench.data, np.arange(len(bench.data)))
    counts = np.bincount(truth[truth >= 0].astype(int), minlength=len(task.classes))
    return {str(c): k for c, k in zip(task.classes, shown_counts(counts), strict=True) if k}


def seen_from_recommended(v: Verdict) -> tuple[Candidate, dict[str, Any]]:
    """What the recommended model was compared with, and the difference with its sign: positive means it is better."""
    d = asdict(v.difference)
    if v.recommended is None or v.recommended is v.chosen:
        return v.against, d
    return v.chosen, {**d, **dict(zip(("value", "low", "high"), turned(d["value"], d["low"], d["high"]), strict=True))}


def _candidate(bench: Bench, c: Candidate, v: Verdict, cuts: Mapping[str, str], cross: bool) -> dict[str, Any]:
    from gnomon.analyses.validate.interval import interval

    rows = c.members[0][1].rows
    valid = interval(bench.task, c.stats, bench.parts.units[rows], unit=bench.parts.unit, seed=bench.seed,
                     estimator=bench.parts.estimator if cross else "repeated_cv" if len(bench.parts.folds) > 1 else "holdout",
                     repeats=500)
    run = c.members[0][1]
    scores = seed_scores(bench, c) if c.family == "deep" else []
    recipe = {k: getattr(c.recipe, k) for k in ("hash", "task", "model", "method", "options", "steps", "because")}
    test = v.tests.get(c.recipe.hash) if not cross else None
    return {"recipe": recipe, "label": c.recipe.label, "family": c.family, "valid": asdict(valid),
            "fold_scores": fold_scores(bench, c), "test": asdict(test) if test else None,
            "seeds": len(run.by_seed) if c.family == "deep" else 1,
            "class_weights": list(c.tilt), "seed_scores": scores, "seed_sd": seed_spread(scores), "cut": run.cut or None,
            "seconds": round(sum(r.seconds for _, r in c.members), 2), "peak_mb": max(r.peak_mb for _, r in c.members)}


def _cut(plan: Plan, done: Concluded, cuts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Planned candidates that never finished."""
    out = []
    for recipe in plan.candidates:
        if recipe.hash in cuts:
            written = {k: getattr(recipe, k) for k in ("hash", "task", "model", "method", "options", "steps", "because")}
            out.append({"recipe": written, "label": recipe.label, "family": recipe.family, "valid": None, "test": None,
                        "seeds": 0, "seed_scores": [], "seed_sd": None, "seconds": 0.0, "peak_mb": 0.0,
                        "cut": cuts[recipe.hash]})
    return out


def save(bench: Bench, seen: Seen, done: Concluded, report: Mapping[str, Any], options: Options, voice: Any) -> None:
    """delivered.json (what predict loads), findings.jsonl, exhibits.json and report.json, the last one last."""
    from gnomon.workflow.exhibits import build_exhibits

    folder = bench.folder
    best = done.verdict.recommended or (done.verdict.chosen if done.verdict.chosen.family != "floor" else None)
    write_json(folder / "delivered.json", {
        "format": FORMAT, "recommended": done.verdict.recommended is not None,
        "members": best.described(folder.path) if best else [],
        "candidates": {c.recipe.hash: c.described(folder.path) for c in done.candidates},
        "task": task_state(bench.task), "conformal": done.examined.conformal, "ood": done.examined.ood,
        "scope": bench.parts.scope})
    lines = (json.dumps(plain(asdict(f)), ensure_ascii=False) + "\n" for f in done.findings)
    write_text(folder / "findings.jsonl", "".join(lines))
    _save_judged(bench, done.verdict)
    voice.say("drawing")
    exhibits = build_exhibits(bench.data, bench.task, bench.parts, done.verdict.rows, done.verdict.prediction,
                              pictures=done.pictures, map_points=_map(bench, done, options), runs=[f for c in done.candidates
                              for _, r in c.members if c.family == "deep" for f in r.folders],
                              folder=folder.path, calibration=done.examined.calibration, coverage=done.examined.coverage,
                              subgroups=done.examined.subgroups, show_rows=options.show_rows,
                              examples=options.examples, seed=bench.seed)
    write_json(folder / "exhibits.json", {**exhibits, "trials": done.examined.trials})
    write_json(folder / "report.json", report)


def _save_judged(bench: Bench, verdict: Verdict) -> None:
    """The delivered model's predictions of the rows that judged, with truth and units: what `compare` pairs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from gnomon.workflow._predictions import save_prediction

    save_prediction(bench.folder / "judged.parquet", verdict.rows, verdict.prediction)
    truth = bench.task.truth(bench.data, verdict.rows).reshape(len(verdict.rows), -1)
    columns = {f"truth{i}": truth[:, i] for i in range(truth.shape[1])} | {"unit": bench.parts.units[verdict.rows]}
    pq.write_table(pa.table(columns), bench.folder / "judged_truth.parquet")


def _map(bench: Bench, done: Concluded, options: Options) -> list[dict[str, Any]]:
    from gnomon.workflow._exhibit_map import map_layouts

    left = options.budget - Ledger(bench.folder / "ledger.jsonl").spent()
    return map_layouts(bench.data, seed=bench.seed, budget=options.budget, left=left, best=done.verdict.recommended)
