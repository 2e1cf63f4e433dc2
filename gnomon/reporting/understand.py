"""What the model leans on, and where it errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.reporting import figures, words
from gnomon.reporting.pictures import checked, drawn


def explanations(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every explanation: its importances with intervals and gates, or that it is withheld."""
    out = []
    pictures = [checked(p) for p in exhibits.get("pictures") or ()]
    for e in report.get("explanations") or ():
        drawings = [g for g in exhibits.get("explained") or () if g.get("technique") == e.get("technique")]
        members = [
            {**m, "drawn": drawn(pictures[m["picture"]], f"row {m.get('row')}")}
            for g in drawings
            for m in g.get("pictures") or ()
            if 0 <= m.get("picture", -1) < len(pictures)
        ]
        out.append(
            {
                **e,
                "name": words.words(e.get("technique", "")),
                "rows_of": importance_rows(e.get("importances") or ()),
                "features": importance_rows(e.get("features") or ()),
                "about": drawings[0].get("about", "") if drawings else "",
                "pictures": [] if e.get("withheld") else members,
                "metric_name": words.metric_name(e.get("metric", "")),
                "other": [
                    (words.words(c.get("name", "")), words.number(c.get("value")))
                    for c in e.get("other_checks") or ()
                    if isinstance(c, Mapping)
                ],
            }
        )
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
        lines.append(
            {
                "name": name,
                "plot": figures.interval_row([mark], scale, grid, 24),
                "value": t["value"],
                "limits": limits,
                "direction": i.get("direction") or "",
            }
        )
    return {"lines": lines, "axis": figures.axis_row(scale, grid), "more": len(rows) - len(top)}


def errors(exhibits: Mapping[str, Any]) -> dict[str, Any]:
    """The worst rows, drawn; or why they are not shown."""
    pictures = exhibits.get("pictures") or ()
    worst = exhibits.get("errors")
    if worst is None:
        return {
            "why": "Rows of tables are not shown here, so that this page can be passed on. "
            "Add --show-rows to see the rows the model gets most wrong.",
            "items": [],
        }
    draw = lambda k: drawn(checked(pictures[k]) if 0 <= k < len(pictures) else None)  # noqa: E731
    items = [
        {
            **e,
            "drawn": draw(int(e.get("picture", -1))),
            "sure_text": f"{e['sure']:.0%} sure" if e.get("sure") else "",
            "size_text": words.number(e.get("size"), 2),
        }
        for e in worst
    ]
    return {
        "why": "",
        "items": items,
        "classes": any(e.get("sure") is not None for e in worst),
        "several": len({e.get("target") for e in worst}) > 1,
    }
