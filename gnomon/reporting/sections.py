"""What the sections on verdict, data, split and next steps say: plain values, ready for the templates.

Pure functions of report.json and exhibits.json; any part may be missing (a partial study, an older gnomon, an edited
file).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from gnomon.reporting import figures, words
from gnomon.reporting._report import by_hash, estimate, label_of, split_words, spoken, targets
from gnomon.reporting.ladder import small_ladder
from gnomon.values import turned

ROLE_ORDER = ("target", "input", "group", "time", "weight", "split", "identifier", "ignore")
COLUMNS_SHOWN, ROWS_NAMED = 200, 20
FIRST_PAGE = 3  # findings and next steps on page 1


def verdict(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> dict[str, Any]:
    """Page one."""
    v, split, data = report.get("verdict") or {}, report.get("split") or {}, report.get("data") or {}
    outcome = words.OUTCOMES.get(v.get("outcome", ""), ("No verdict", "No model was judged."))
    outcome = words.UNJUDGED if v.get("judged") is False and v.get("outcome") == "undetermined" else outcome
    best, against = by_hash(report, v.get("recommended")), by_hash(report, v.get("against"))
    fixed = by_hash(report, v.get("chosen_on_validation"))
    scored = best or fixed
    score = estimate(v.get("headline") or (scored and (scored.get("test") or scored.get("valid"))))
    openings = (report.get("ledger") or {}).get("test_openings") or 0
    d = v.get("difference") or {}
    gap = None
    if d.get("value") is not None:
        gap = {
            **d,
            **{f"{k}_text": t for k, t in words.interval(d["value"], d.get("low"), d.get("high")).items()},
            "p_text": p_text(d.get("p")),
            "margin_text": words.number(d.get("margin")),
            "level_means": words.INTERVAL.format(level=d.get("level") or 0.95),
        }
    findings = [
        f for f in (report.get("findings") or ()) if f.get("grade") in ("block", "warn", "note") and not accepted(f)
    ]
    sealed = (split.get("sizes") or {}).get("test") or 0
    return {
        "claim": spoken(v.get("claim") or "Nothing was judged in this study.", report),
        "outcome": outcome[0],
        "outcome_means": outcome[1],
        "recommended": label_of(best) if best else "",
        "family": words.FAMILIES.get((best or {}).get("family", ""), ("", "")),
        "scored": label_of(scored) if scored else "",
        "against": label_of(against) if against else "the floor",
        "compared": label_of(fixed) if fixed and against is best and fixed is not best else "",
        "score": score,
        "gap": gap,
        "pilot": bool(v.get("pilot")),
        "one_only": split.get("one_only") or "",
        "blocked": v.get("blocked") or [],
        "kind": v.get("kind"),
        "where": where(score, openings, sealed),
        "scope": v.get("scope") or split.get("for") or "",
        "assumes": split.get("assumes") or "",
        "findings": [finding(f) for f in findings[:FIRST_PAGE]],
        "more_findings": max(0, len(findings) - FIRST_PAGE),
        "rows": data.get("rows"),
        "plot": small_ladder(report, [best, fixed, against]),
    }


def where(score: Mapping[str, Any] | None, openings: int, sealed: int) -> str:
    """On what the headline was measured."""
    if not score:
        return ""
    if score.get("estimator") == "holdout" and sealed:
        return (
            "sealed test rows, opened once"
            if openings <= 1
            else f"reused test ({openings} openings): a little too good"
        )
    return score["how"]


def p_text(p: float | None) -> str:
    """A p-value as printed."""
    return "" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def accepted(f: Mapping[str, Any]) -> bool:
    """Moved off page 1 by `gnomon accept`."""
    return bool(f.get("accepted") or (f.get("values") or {}).get("accepted"))


def finding(f: Mapping[str, Any]) -> dict[str, Any]:
    """A finding with its evidence; rows are positions, never values; items (file names) stay in report.json."""
    grade = words.GRADES.get(f.get("grade", ""), ("", ""))
    values = [(name, value_text(v)) for name, v in flat(f.get("values") or {}) if plain_enough(v)]
    return {
        **f,
        "grade_name": grade[0],
        "grade_means": grade[1],
        "value_rows": values[:24],
        "accepted": accepted(f),
        "rows_shown": list(f.get("rows") or ())[:ROWS_NAMED],
        "rows_total": f.get("rows_total") or 0,
        "columns": list(f.get("columns") or ())[:ROWS_NAMED],
        "action": action(f.get("action") or {}),
    }


def flat(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Values by name; numbers of single columns or classes ("alone": {"x": 0.9, "y": 0.8}) each on a line of its own."""
    out: list[tuple[str, Any]] = []
    for key, value in values.items():
        name = words.words(key)
        if not isinstance(value, Mapping):
            out.append((name, value))
            continue
        each = {k: v for k, v in value.items() if isinstance(v, (int, float))}
        out += [(name if len(each) == 1 else f"{name}, {k}", v) for k, v in each.items()]
    return out


def action(done: Mapping[str, Any]) -> dict[str, Any]:
    """What was done, the metric of its effect by its usual name."""
    effect = done.get("effect") or {}
    if not effect.get("metric") or not effect.get("said"):
        return dict(done)
    said = effect["said"].replace(effect["metric"], words.metric_name(effect["metric"]), 1)
    return {**done, "effect": {**effect, "said": said}}


def plain_enough(value: Any) -> bool:
    """Numbers, short text and short lists of these."""
    if isinstance(value, (list, tuple)):
        return 0 < len(value) <= 8 and all(isinstance(v, (int, float)) for v in value)
    return isinstance(value, (int, float)) or (isinstance(value, str) and len(value) <= 200)


def value_text(value: Any) -> str:
    return ", ".join(words.number(v) for v in value) if isinstance(value, (list, tuple)) else words.number(value)


def data(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> dict[str, Any]:
    """Columns with kinds and roles, the target's spread, and all findings."""
    d = report.get("data") or {}
    columns = sorted(
        d.get("columns") or (),
        key=lambda c: ROLE_ORDER.index(c.get("role", "ignore")) if c.get("role") in ROLE_ORDER else 9,
    )
    kinds: dict[str, int] = {}
    for c in columns:
        if c.get("role") == "input":
            kinds[c.get("kind", "?")] = kinds.get(c.get("kind", "?"), 0) + 1
    return {
        "rows": words.number(d.get("rows")),
        "sampled": d.get("sampled") or "",
        "columns": columns[:COLUMNS_SHOWN],
        "columns_more": max(0, len(columns) - COLUMNS_SHOWN),
        "n_columns": len(columns),
        "roles": words.ROLES,
        "inputs": ", ".join(words.plural(n, f"{k} column") for k, n in kinds.items()),
        "targets": [target_figure(t) for t in exhibits.get("targets") or ()],
        "findings": [finding(f) for f in report.get("findings") or ()],
    }


def target_figure(t: Mapping[str, Any]) -> dict[str, Any]:
    """A target's histogram or class counts."""
    counts = list(t.get("counts") or ())
    if t.get("kind") == "category":
        total = sum(c for c in counts if c) or 1
        items = [
            (str(name), c, f"{words.number(c)} ({c / total:.0%})" if c is not None else "")
            for name, c in zip(t.get("labels") or (), counts, strict=False)
        ]
        items.sort(key=lambda i: -(i[1] or 0))
        chart = figures.bars(items[:30])
    else:
        label = f"{t.get('column')}" + (f" ({t['unit']})" if t.get("unit") else "")
        chart = figures.histogram([float(e) for e in t.get("edges") or ()], counts, label=label)
    return {
        "column": t.get("column"),
        "chart": chart,
        "missing": t.get("missing") or 0,
        "of": t.get("of") or "",
        "hidden": any(c is None for c in counts),
    }


def split(report: Mapping[str, Any]) -> dict[str, Any]:
    """How the rows were divided, and what a random split would have promised."""
    s = report.get("split") or {}
    sizes = {name: int(n) for name, n in (s.get("sizes") or {}).items() if n}
    folds = s.get("folds") or 0
    return {
        "policy": s.get("policy") or "",
        "because": s.get("because") or "",
        "for": s.get("for") or "",
        "sizes": sizes,
        "assumes": s.get("assumes") or "",
        "folds": folds,
        "crossed": split_words(report),
        "unit": s.get("unit") or "row",
        "bar": figures.sizes_bar(sizes) if sizes and sizes.get("test") else "",
        "optimism": optimism(report),
    }


def optimism(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The optimism gap: random beside honest."""
    o = (report.get("split") or {}).get("optimism")
    if not o or o.get("gap") is None:
        return None
    name = words.metric_name(targets(report)[0]["metric"]) if targets(report) else "score"
    scale = figures.Scale(*figures.padded([o.get("random"), o.get("honest")], 0.35))
    grid = figures.ticks(scale.low, scale.high, 4)
    found = o["gap"], o.get("low"), o.get("high")
    worse = (o.get("high") or 0) < 0
    plots = {}
    for key, kind in (("random", "valid"), ("honest", "test")):
        mark = {"kind": kind, "value": o.get(key), "title": f"{key}: {words.number(o.get(key))}"}
        plots[f"{key}_plot"] = figures.interval_row([mark], scale, grid, 24)
    return {
        **o,
        **{f"{k}_text": t for k, t in words.interval(*(turned(*found) if worse else found)).items()},
        **plots,
        "axis": figures.axis_row(scale, grid, name),
        **{
            f"{k}_text": words.number(o.get(k), decimals=words.places(o.get("random"), o.get("honest")))
            for k in ("random", "honest")
        },
        "metric": name,
        "level_means": words.INTERVAL.format(level=o.get("level") or 0.95),
        "flatters": (o.get("low") or 0) > 0,
        "worse": worse,
    }


def advice(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Next steps; the part of a step that is a command can be copied."""
    out = []
    for a in report.get("advice") or ():
        text = str(a.get("do") or "")
        say, mark, command = text.partition(": gnomon ")  # named within a sentence it is no command to copy
        command = mark[2:] + command
        command, _, note = command.partition("   (")
        stage = words.BACK_TO.get(a.get("back_to", ""), (str(a.get("back_to")), ""))
        gain = a.get("gain") or {}
        limits = (
            words.interval(gain["value"], gain.get("low"), gain.get("high")) if gain.get("value") is not None else None
        )
        out.append(
            {
                "say": spoken(say or note.rstrip(")"), report),
                "note": note.rstrip(")") if say else "",
                "command": command.strip(),
                "stage": stage[0],
                "stage_means": stage[1],
                "because": list(a.get("because") or ()),
                "cost": a.get("cost") or "",
                "gain": limits and {**limits, "metric": words.metric_name(gain.get("metric", ""))},
            }
        )
    return out


def name_of(report: Mapping[str, Any], fallback: str) -> str:
    """What the study is of: the first input's own name."""
    paths = [str(p) for p in (report.get("data") or {}).get("paths") or ()]
    first = PurePosixPath(paths[0].replace("\\", "/")).name if paths else ""
    return (first or fallback) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
