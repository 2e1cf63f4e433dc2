"""What each section of the page says: plain values from report.json and exhibits.json, ready for the templates.

Pure functions of these two; any part may be missing (a partial study, an older gnomon, an edited file).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from gnomon.reporting import figures, words
from gnomon.reporting.pictures import checked, drawn

FAMILY_ORDER = ("floor", "simple", "deep", "ensemble")
ROLE_ORDER = ("target", "input", "group", "time", "weight", "split", "identifier", "ignore")
COLUMNS_SHOWN, ROWS_NAMED = 200, 20
FIRST_PAGE = 3  # findings and next steps on page 1


def label_of(candidate: Mapping[str, Any]) -> str:
    """A candidate's name: its model, and what it looks at."""
    recipe = candidate.get("recipe") or {}
    view = (recipe.get("options") or {}).get("view")
    name = str(candidate.get("label") or recipe.get("model") or "?")
    return words.words(name if candidate.get("label") or not view else f"{name} on {view}")


def estimate(e: Mapping[str, Any] | None, level: float = 0.95) -> dict[str, Any] | None:
    """A score ready to print, and what it is a score of."""
    if not e or e.get("value") is None:
        return None
    level = e.get("level") or level
    kind = words.ESTIMATORS.get(e.get("estimator", ""), ("", ""))
    method = f" Made by {words.words(e['method'])}." if e.get("method") else ""
    covers = f" It covers {e['includes']}." if e.get("includes") else ""
    return {**e, **{f"{k}_text": v for k, v in words.interval(e["value"], e.get("low"), e.get("high")).items()},
            "metric_name": words.metric_name(e.get("metric", "")), "means": words.metric_means(e.get("metric", "")),
            "how": kind[0], "how_means": kind[1], "level_means": words.INTERVAL.format(level=level) + covers + method}


def verdict(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> dict[str, Any]:
    """Page one."""
    v, split, data = report.get("verdict") or {}, report.get("split") or {}, report.get("data") or {}
    outcome = words.OUTCOMES.get(v.get("outcome", ""), ("No verdict", "No model was judged."))
    best, against = by_hash(report, v.get("recommended")), by_hash(report, v.get("against"))
    scored = best or by_hash(report, v.get("chosen_on_validation"))
    score = estimate(v.get("headline") or (scored and (scored.get("test") or scored.get("valid"))))
    openings = (report.get("ledger") or {}).get("test_openings") or 0
    d = v.get("difference") or {}
    gap = None
    if d.get("value") is not None:
        gap = {**d, **{f"{k}_text": t for k, t in words.interval(d["value"], d.get("low"), d.get("high")).items()},
               "p_text": p_text(d.get("p")), "margin_text": words.number(d.get("margin")),
               "level_means": words.INTERVAL.format(level=d.get("level") or 0.95)}
    findings = [f for f in (report.get("findings") or ()) if f.get("grade") in ("block", "warn", "note") and not accepted(f)]
    sealed = (split.get("sizes") or {}).get("test") or 0
    return {"claim": v.get("claim") or "Nothing was judged in this study.", "outcome": outcome[0], "outcome_means": outcome[1],
            "recommended": label_of(best) if best else "", "family": words.FAMILIES.get((best or {}).get("family", ""), ("", "")),
            "scored": label_of(scored) if scored else "", "against": label_of(against) if against else "the floor",
            "score": score, "gap": gap, "pilot": bool(v.get("pilot")), "kind": v.get("kind"),
            "where": where(score, openings, sealed), "scope": v.get("scope") or split.get("for") or "",
            "assumes": split.get("assumes") or "", "findings": [finding(f) for f in findings[:FIRST_PAGE]],
            "more_findings": max(0, len(findings) - FIRST_PAGE), "rows": data.get("rows"),
            "plot": small_ladder(report, [by_hash(report, v.get("recommended")), scored, against], score)}


def where(score: Mapping[str, Any] | None, openings: int, sealed: int) -> str:
    """On what the headline was measured."""
    if not score:
        return ""
    if score.get("estimator") == "holdout" and sealed:
        return "sealed test rows, opened once" if openings <= 1 else f"reused test ({openings} openings): a little too good"
    return score["how"]


def p_text(p: float | None) -> str:
    """A p-value as printed."""
    return "" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def accepted(f: Mapping[str, Any]) -> bool:
    """Moved off page 1 by `gnomon accept`."""
    return bool(f.get("accepted") or (f.get("values") or {}).get("accepted"))


def by_hash(report: Mapping[str, Any], recipe: str | None) -> dict[str, Any] | None:
    """The candidate with this recipe."""
    return next((c for c in report.get("candidates") or () if recipe and (c.get("recipe") or {}).get("hash") == recipe), None)


def small_ladder(report: Mapping[str, Any], wanted: Sequence[Any], score: Mapping[str, Any] | None) -> Any:
    """Floor, comparison and recommended on one axis: the verdict at a glance."""
    floor = next((c for c in report.get("candidates") or () if c.get("family") == "floor"), None)
    chosen = {(c.get("recipe") or {}).get("hash"): c for c in (*wanted, floor) if c}
    return ladder({**report, "candidates": list(chosen.values())}, headline=score) if len(chosen) > 1 else None


def ladder(report: Mapping[str, Any], headline: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """All candidates with a score on one axis, by family; and those without."""
    everything = list(report.get("candidates") or ())
    v = report.get("verdict") or {}
    shown = [c for c in everything if (c.get("valid") or c.get("test") or {}).get("value") is not None]
    if not shown:
        return None
    higher = higher_is_better(report)
    key = lambda c: (FAMILY_ORDER.index(c.get("family", "simple")) if c.get("family") in FAMILY_ORDER else 1,  # noqa: E731
                     (1 if not higher else -1) * -float((c.get("valid") or c["test"])["value"]))
    shown.sort(key=key)
    ends = [e.get(k) for c in shown for e in (c.get("valid"), c.get("test")) if e for k in ("value", "low", "high")]
    scale = figures.Scale(*figures.padded(reasonable(ends, shown)))
    grid = figures.ticks(scale.low, scale.high, 6)
    rows = [rung(c, v, scale, grid) for c in shown]
    metric = words.metric_name((shown[0].get("valid") or shown[0].get("test") or {}).get("metric", ""))
    groups: list[dict[str, Any]] = []
    for c, row in zip(shown, rows, strict=True):
        if not groups or groups[-1]["family"] != c.get("family"):
            name, means = words.FAMILIES.get(c.get("family", ""), (c.get("family", ""), ""))
            groups.append({"family": c.get("family"), "name": name, "means": means, "rows": []})
        groups[-1]["rows"].append(row)
    unit = next((t.get("unit") for t in targets(report) if t.get("unit")), "") if len(targets(report)) == 1 else ""
    better = "higher is better" if higher else "lower is better"
    return {"groups": groups, "axis": figures.axis_row(scale, grid, f"{metric}{f' ({unit})' if unit else ''}, {better}"),
            "metric": metric, "has_test": any(c.get("test") for c in shown), "better": better,
            "selected_of": sum(c.get("family") != "floor" for c in shown),
            "cut": [{"label": label_of(c), "why": c.get("cut")} for c in everything if c.get("cut")],
            "left_out": [{"label": words.words(e.get("model", "")), "why": e.get("because", "")}
                         for e in report.get("left_out") or ()], "by_target": by_target(shown)}


def reasonable(ends: Sequence[float | None], shown: Sequence[Mapping[str, Any]]) -> list[float]:
    """The ends without the wild ones: a model that blew up must not flatten all the others."""
    values = sorted(float((c.get("valid") or c["test"])["value"]) for c in shown)
    middle = values[len(values) // 2]
    spread = max(abs(v - middle) for v in values[:max(2, (3 * len(values) + 3) // 4)]) or abs(middle) or 1.0
    return [float(e) for e in ends if e is not None and abs(float(e) - middle) <= 4 * spread] or [float(values[0])]


def rung(c: Mapping[str, Any], v: Mapping[str, Any], scale: figures.Scale, grid: Sequence[float]) -> dict[str, Any]:
    """One candidate's row of the ladder."""
    best = bool(v.get("recommended")) and (c.get("recipe") or {}).get("hash") == v.get("recommended")
    valid, test = estimate(c.get("valid")), estimate(c.get("test"))
    marks = []
    if valid:
        marks.append({"kind": "valid best" if best and not test else "valid", "title": said("validation", valid), **valid})
    if test:
        marks.append({"kind": "test best" if best else "test", "title": said("test", test), **test})
    sd = c.get("seed_sd")
    return {"label": label_of(c), "best": best, "compared": (c.get("recipe") or {}).get("hash") == v.get("against"),
            "valid": valid, "test": test, "plot": figures.interval_row(marks, scale, grid, 24 if len(marks) == 1 else 34),
            "seeds": c.get("seeds"), "seed_sd": words.number(sd, 2) if sd else "",
            "seconds": words.duration(c.get("seconds")), "memory": memory(c.get("peak_mb")), "cut": c.get("cut"),
            "because": (c.get("recipe") or {}).get("because") or "", "method": words.words((c.get("recipe") or {}).get("method", "")),
            "hash": (c.get("recipe") or {}).get("hash", ""), "options": (c.get("recipe") or {}).get("options") or {},
            "steps": (c.get("recipe") or {}).get("steps") or 0}


def said(part: str, e: Mapping[str, Any]) -> str:
    """A mark of the ladder in words."""
    limits = f" [{e['low_text']}, {e['high_text']}]" if e["low_text"] else ""
    return f"{part}: {e['metric_name']} {e['value_text']}{limits}"


def memory(mb: float | None) -> str:
    """Megabytes as people say them."""
    return "" if not mb else f"{mb / 1000:.1f} GB" if mb >= 1000 else f"{mb:.0f} MB"


def by_target(shown: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Scores of each target, when there are several."""
    scores = [((c.get("test") or c.get("valid") or {}).get("by_target") or {}, c) for c in shown]
    names = list(dict.fromkeys(name for s, _ in scores for name in s))
    if len(names) < 2:
        return None
    return {"names": names, "rows": [(label_of(c), [words.number(s.get(n)) for n in names]) for s, c in scores if s]}


def targets(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return list((report.get("task") or {}).get("targets") or ())


def higher_is_better(report: Mapping[str, Any]) -> bool:
    return bool(targets(report) and targets(report)[0].get("higher_is_better"))


def finding(f: Mapping[str, Any]) -> dict[str, Any]:
    """A finding with its evidence; rows are positions, never values; items (file names) stay in report.json."""
    grade = words.GRADES.get(f.get("grade", ""), ("", ""))
    values = [(words.words(k), value_text(v)) for k, v in (f.get("values") or {}).items() if plain_enough(v)]
    return {**f, "grade_name": grade[0], "grade_means": grade[1], "value_rows": values[:24], "accepted": accepted(f),
            "rows_shown": list(f.get("rows") or ())[:ROWS_NAMED], "rows_total": f.get("rows_total") or 0,
            "columns": list(f.get("columns") or ())[:ROWS_NAMED], "action": f.get("action") or {}}


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
    columns = sorted(d.get("columns") or (), key=lambda c: ROLE_ORDER.index(c.get("role", "ignore"))
                     if c.get("role") in ROLE_ORDER else 9)
    kinds: dict[str, int] = {}
    for c in columns:
        if c.get("role") == "input":
            kinds[c.get("kind", "?")] = kinds.get(c.get("kind", "?"), 0) + 1
    return {"rows": words.number(d.get("rows")), "sampled": d.get("sampled") or "", "columns": columns[:COLUMNS_SHOWN],
            "columns_more": max(0, len(columns) - COLUMNS_SHOWN), "n_columns": len(columns), "roles": words.ROLES,
            "inputs": ", ".join(words.plural(n, f"{k} column") for k, n in kinds.items()),
            "targets": [target_figure(t) for t in exhibits.get("targets") or ()],
            "findings": [finding(f) for f in report.get("findings") or ()]}


def target_figure(t: Mapping[str, Any]) -> dict[str, Any]:
    """A target's histogram or class counts."""
    counts = list(t.get("counts") or ())
    if t.get("kind") == "category":
        total = sum(c for c in counts if c) or 1
        items = [(str(name), c, f"{words.number(c)} ({c / total:.0%})" if c is not None else "")
                 for name, c in zip(t.get("labels") or (), counts, strict=False)]
        items.sort(key=lambda i: -(i[1] or 0))
        chart = figures.bars(items[:30])
    else:
        label = f"{t.get('column')}" + (f" ({t['unit']})" if t.get("unit") else "")
        chart = figures.histogram([float(e) for e in t.get("edges") or ()], counts, label=label)
    return {"column": t.get("column"), "chart": chart, "missing": t.get("missing") or 0, "of": t.get("of") or "",
            "hidden": any(c is None for c in counts)}


def split(report: Mapping[str, Any]) -> dict[str, Any]:
    """How the rows were divided, and what a random split would have promised."""
    s = report.get("split") or {}
    sizes = {name: int(n) for name, n in (s.get("sizes") or {}).items() if n}
    folds = s.get("folds") or 0
    return {"policy": s.get("policy") or "", "because": s.get("because") or "", "for": s.get("for") or "", "sizes": sizes,
            "assumes": s.get("assumes") or "", "folds": folds, "unit": s.get("unit") or "row",
            "bar": figures.sizes_bar(sizes) if sizes and sizes.get("test") else "", "optimism": optimism(report)}


def optimism(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The optimism gap: random beside honest."""
    o = (report.get("split") or {}).get("optimism")
    if not o or o.get("gap") is None:
        return None
    name = words.metric_name(targets(report)[0]["metric"]) if targets(report) else "score"
    scale = figures.Scale(*figures.padded([o.get("random"), o.get("honest")], 0.35))
    grid = figures.ticks(scale.low, scale.high, 4)
    row = lambda key, kind: figures.interval_row([{"kind": kind, "value": o.get(key), "title": f"{key}: {o.get(key)}"}],  # noqa: E731
                                                scale, grid, 24)
    return {**o, **{f"{k}_text": t for k, t in words.interval(o["gap"], o.get("low"), o.get("high")).items()},
            "random_plot": row("random", "valid"), "honest_plot": row("honest", "test"), "axis": figures.axis_row(scale, grid, name),
            **{f"{k}_text": words.number(o.get(k), decimals=words.places(o.get("random"), o.get("honest")))
               for k in ("random", "honest")}, "metric": name,
            "level_means": words.INTERVAL.format(level=o.get("level") or 0.95), "flatters": (o.get("low") or 0) > 0}


def explanations(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every explanation: its importances with intervals and gates, or that it is withheld."""
    out = []
    pictures = [checked(p) for p in exhibits.get("pictures") or ()]
    for e in report.get("explanations") or ():
        drawings = [g for g in exhibits.get("explained") or () if g.get("technique") == e.get("technique")]
        members = [{**m, "drawn": drawn(pictures[m["picture"]], f"row {m.get('row')}")} for g in drawings
                   for m in g.get("pictures") or () if 0 <= m.get("picture", -1) < len(pictures)]
        out.append({**e, "name": words.words(e.get("technique", "")), "rows_of": importance_rows(e.get("importances") or ()),
                    "features": importance_rows(e.get("features") or ()), "about": drawings[0].get("about", "") if drawings else "",
                    "pictures": [] if e.get("withheld") else members, "metric_name": words.metric_name(e.get("metric", "")),
                    "other": [(words.words(c.get("name", "")), words.number(c.get("value"))) for c in e.get("other_checks") or ()
                              if isinstance(c, Mapping)]})
    return out


def importance_rows(importances: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """A dot-and-interval plot of importances; correlated inputs once, as a group."""
    rows: dict[str, Mapping[str, Any]] = {}
    for i in importances:
        if i.get("value") is not None:
            rows.setdefault(str(i.get("group") or i.get("what")), i)
    if not rows:
        return None
    top = sorted(rows.items(), key=lambda kv: -float(kv[1]["value"]))[:15]
    scale = figures.Scale(*figures.padded([0.0, *(i.get(k) for _, i in top for k in ("value", "low", "high"))]))
    grid = figures.ticks(scale.low, scale.high, 4)
    lines = []
    for name, i in top:
        t = words.interval(float(i["value"]), i.get("low"), i.get("high"))
        limits = f"[{t['low']}, {t['high']}]" if t["low"] else ""
        mark = {"kind": "valid best", **i, "title": f"{name}: {t['value']} {limits}"}
        lines.append({"name": name, "plot": figures.interval_row([mark], scale, grid, 24), "value": t["value"], "limits": limits,
                      "direction": i.get("direction") or ""})
    return {"lines": lines, "axis": figures.axis_row(scale, grid), "more": len(rows) - len(top)}


def errors(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> dict[str, Any]:
    """The worst rows, drawn; or why they are not shown."""
    pictures = exhibits.get("pictures") or ()
    worst = exhibits.get("errors")
    if worst is None:
        return {"why": "Rows of tables are not shown here, so that this page can be passed on. "
                       "Add --show-rows to see the rows the model gets most wrong.", "items": []}
    draw = lambda k: drawn(checked(pictures[k]) if 0 <= k < len(pictures) else None)  # noqa: E731
    items = [{**e, "drawn": draw(int(e.get("picture", -1))), "sure_text": f"{e['sure']:.0%} sure" if e.get("sure") else "",
              "size_text": words.number(e.get("size"), 2)} for e in worst]
    return {"why": "", "items": items, "classes": any(e.get("sure") is not None for e in worst),
            "several": len({e.get("target") for e in worst}) > 1}


def advice(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Next steps; the part of a step that is a command can be copied."""
    out = []
    for a in report.get("advice") or ():
        text = str(a.get("do") or "")
        at = text.find("gnomon ")
        say, command = (text[:at].rstrip(" :"), text[at:]) if at >= 0 else (text, "")
        command, _, note = command.partition("   (")
        stage = words.BACK_TO.get(a.get("back_to", ""), (str(a.get("back_to")), ""))
        gain = a.get("gain") or None
        limits = words.interval(gain["value"], gain.get("low"), gain.get("high")) if gain and gain.get("value") is not None else None
        out.append({"say": say or note.rstrip(")"), "note": note.rstrip(")") if say else "", "command": command.strip(),
                    "stage": stage[0], "stage_means": stage[1], "because": list(a.get("because") or ()), "cost": a.get("cost") or "",
                    "gain": limits and {**limits, "metric": words.metric_name(gain.get("metric", ""))}})
    return out


def name_of(report: Mapping[str, Any], fallback: str) -> str:
    """What the study is of: the first input's own name."""
    paths = [str(p) for p in (report.get("data") or {}).get("paths") or ()]
    first = PurePosixPath(paths[0].replace("\\", "/")).name if paths else ""
    return (first or fallback) + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
