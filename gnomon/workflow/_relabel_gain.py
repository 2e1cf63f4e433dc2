"""What correcting labels was worth: the delivered predictor before and after, on the same rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import many
from gnomon.analyses.validate.compare import compare, outcome
from gnomon.values import Difference, Finding, finding
from gnomon.workflow._folder import Folder, read_json
from gnomon.workflow._predictions import load_prediction
from gnomon.workflow.relabel import BEFORE, JUDGED, TRAINED, corrected, corrections, places_of
from gnomon.workflow.run import Bench


def relabel_gain(bench: Bench, seen: Any, folder: Folder) -> Finding | None:
    """VALID-RELABELLED: paired difference of the delivered predictor after all corrections and before the first of them.

    The difference is taken on judged rows whose label nobody touched, so that both are scored by the same truth; the
    scores by the labels as they came and by the corrected ones stand beside. None without a correction or without
    predictions from before it, when other rows judged then, or when the untouched rows cannot be scored. No number where
    other runs were trained than before: it would measure these, not the labels.
    """
    lines = [c for c in corrections(folder) if c["old"] != c["new"]]
    before, after = folder.path / BEFORE / JUDGED[0], folder / JUDGED[0]
    if not lines or not before.exists() or not after.exists():
        return None
    (old_rows, old), (rows, new) = load_prediction(before), load_prediction(after)
    if not np.array_equal(old_rows, rows):
        return None
    if other := _trained_otherwise(folder):
        return _untold(lines, other)
    task, places = bench.task, places_of(seen.training)
    came = task.truth(bench.data, rows)
    put_right = task.truth(corrected(bench.data, places, lines), rows)
    touched = {places[int(c["row"])] for c in lines if int(c["row"]) in places}
    same = np.flatnonzero(~np.isin(rows, list(touched)))
    if len(same) < 3:
        return None
    d = compare(task, task.measure(new.take(same), came[same]), task.measure(old.take(same), came[same]),
                bench.parts.units[rows[same]], margin=None, seed=bench.seed)
    if not np.isfinite(d.value):
        return None
    score = lambda p, truth: task.score(task.measure(p, truth))  # noqa: E731
    beside = {"as_they_came": {"before": score(old, came), "after": score(new, came)},
              "corrected": {"before": score(old, put_right), "after": score(new, put_right)}}
    claim = _claim(task.metric.name, len(lines), len(same), d, beside)
    sealed = sum(c["part"] == "test" for c in lines)
    values = {"corrected": len(lines), "corrected_sealed": sealed, "gain": d.value, "low": d.low, "high": d.high, "p": d.p,
              "level": d.level, "untouched_rows": len(same), "score_before": beside["as_they_came"]["before"],
              "score_after": beside["as_they_came"]["after"], "corrected_score_before": beside["corrected"]["before"],
              "corrected_score_after": beside["corrected"]["after"]}
    return finding("VALID-RELABELLED", "note", claim, columns=sorted({c["column"] for c in lines}),
                   rows=[int(c["row"]) for c in lines], values=values, source="relabelled.csv, paired comparison")


def _trained_otherwise(folder: Folder) -> str:
    """Which runs were trained only before the first correction or only now; "" where they are the same, or unknown."""
    before, now = read_json(folder.path / BEFORE / TRAINED), read_json(folder / TRAINED)
    if before is None or now is None:
        return ""
    sides = [{f: member["recipe"] for c in made["candidates"].values() for member in c for f in member["folders"]}
             for made in (before, now)]
    only = [sorted({_model(folder, a[f]) for f in a.keys() - b.keys()}) for a, b in (sides, sides[::-1])]
    return "; ".join(f"{when} only: {', '.join(names)}" for when, names in zip(("before", "now"), only, strict=True) if names)


def _model(folder: Folder, recipe: str) -> str:
    return read_json(folder.path / "runs" / recipe / "recipe.json", {}).get("model", recipe)


def _untold(lines: Sequence[Mapping[str, str]], other: str) -> Finding:
    """That the gain cannot be told, and why."""
    count = len(lines)
    return finding("VALID-RELABELLED", "note", f"{many(count, 'label')} {'was' if count == 1 else 'were'} corrected by a "
                   f"person; what that was worth is not told, for other candidates or seeds were trained than before ({other})",
                   columns=sorted({c["column"] for c in lines}), rows=[int(c["row"]) for c in lines],
                   values={"corrected": count, "corrected_sealed": sum(c["part"] == "test" for c in lines)},
                   source="relabelled.csv")


def _claim(metric: str, count: int, same: int, d: Difference, beside: Mapping[str, Mapping[str, float]]) -> str:
    """The gain on untouched rows first, then both scores beside it."""
    came, right = beside["as_they_came"], beside["corrected"]
    return (f"{many(count, 'label')} {'was' if count == 1 else 'were'} corrected by a person. On the {same:,} judged rows "
            f"whose label was not touched the delivered predictor is {_compared(metric, d)}. By the labels as they came "
            f"{came['before']:.3g} became {came['after']:.3g}; beside that, by the corrected ones {right['before']:.3g} became "
            f"{right['after']:.3g}")


def _compared(metric: str, d: Difference) -> str:
    """"better than before: accuracy better by 0.02 [0.01, 0.03]"; a loss is told as one, its interval too."""
    if d.value == 0 and not d.low and not d.high:
        return f"as good as before: {metric} the same"
    way = "better" if d.value >= 0 else "worse"
    if d.value < 0:
        d = replace(d, value=-d.value, low=None if d.high is None else -d.high, high=None if d.low is None else -d.low)
    verdict = f"{way} than" if outcome(d) == "better" else "not clearly different from"
    limits = f" [{d.low:.3g}, {d.high:.3g}]" if d.low is not None else ""
    return f"{verdict} before: {metric} {way} by {d.value:.3g}{limits}"


def with_gain(report: dict[str, Any], bench: Bench, seen: Any) -> dict[str, Any]:
    """The report with the gain among its findings; report.json and findings.jsonl are written again."""
    import json
    from dataclasses import asdict

    from gnomon.values import plain
    from gnomon.workflow._folder import write_json, write_text

    found = relabel_gain(bench, seen, bench.folder)
    if found is None:
        return report
    findings = [*report["findings"], plain(asdict(found))]
    write_text(bench.folder / "findings.jsonl", "".join(json.dumps(f, ensure_ascii=False) + "\n" for f in findings))
    report = {**report, "findings": findings}
    write_json(bench.folder / "report.json", report)
    return report
