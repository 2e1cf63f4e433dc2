"""What the model leans on, and where it errs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.analyses.attribute._audits import GIVEN
from gnomon.reporting import effects, figures, words
from gnomon.reporting.likeness import compared
from gnomon.reporting.pictures import checked, drawn

READ = {  # by kind of picture: what is coloured, and what the strength of the colour means
    "i": "Colour lies over the places of an image that count, the image itself beneath in grey; the stronger, the more.",
    "m": "A disc under an atom means that the atom counts; the stronger, the more. Letters have the elements' usual colours.",
    "s": "The letters that count stand on colour; the stronger, the more. Numbers are positions, counted from 1.",
    "t": "The words that count stand on colour; the stronger, the more.",
}
MEANS = {  # of techniques whose numbers are not what a part adds to the output or takes from it
    "optimised_mask": "A part's number is how far a mask takes it away that is to undo the output with few, connected parts: "
                      "0 not at all, 1 whole; below 0 where the output was low and the mask raises it.",
    "extremal_perturbation": "A part's number is how much of it is among the small share of the row that best keeps the output "
                             "(10 % of an image; else the mean of 5, 10 and 20 %): 0 nothing, 1 all; below 0 where it is a low "
                             "output that is kept.",
    "gnn_explainer": "A part's number is how much of it is kept, its bonds included, when as little as possible is to keep the "
                     "prediction: 0 nothing, 1 all; below 0 where it is a low output that is kept. Columns beside a molecule "
                     "stay whole, and nothing is said of them.",
    "aggregated": "A part's number is its share of the row's weight, the mean of what integrated gradients, occlusion and an "
                  "optimised mask give it: sizes in a row add up to at most 1; below 0 where the part lowers the output.",
    "prediction_difference": "A part's number is how far the output falls when what stands there is not known, but only what "
                             "could stand there, as the rest of the row suggests.",
}
ONE_SCALE = "All pictures of an explanation share one scale: what is pale in each of them counts for little."
ADDS_UP = 0.005  # share of a joint effect below which two columns' effects are said to add up


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
                "name": words.technique(e.get("technique", "")),
                "rows_of": importance_rows(e.get("importances") or ()),
                "features": importance_rows(e.get("features") or ()),
                "about": drawings[0].get("about", "") if drawings else "",
                "pictures": [] if e.get("withheld") else members,
                "how": how_to_read([pictures[m["picture"]] for m in members]),
                "means": "" if e.get("withheld") else MEANS.get(str(e.get("technique")), ""),
                "metric_name": words.metric_name(e.get("metric", "")),
                "logos": None if e.get("withheld") else logos(e.get("motifs")),
                "groups": None if e.get("withheld") else groups(e.get("substructures")),
                "removals": None if e.get("withheld") else removals(e.get("removal")),
                "curves": curves(e.get("dependence")),
                **together(e, drawings, pictures),
                "compared": compared(e.get("compared")),
                "audits": audits(e.get("other_checks") or ()),
            }
        )
    return out


def audits(checks: Sequence[Any]) -> dict[str, Any] | None:
    """What audits that withhold nothing found, each by name with what its number means; `line`: those with a meaning, short."""
    found = [
        {
            "name": words.words(c.get("name", "")),
            "value": words.number(c.get("value")),
            "says": str(c.get("says") or ""),
            "means": str(c.get("means") or "") if c.get("value") is not None else "",
            "short": _short(c) if c.get("means") else "",
        }
        for c in checks
        if isinstance(c, Mapping)
    ]
    line = ", ".join(f"{c['name']} {c['short']}" for c in found if c["short"])
    return {"found": found, "line": line} if found else None


def _short(check: Mapping[str, Any]) -> str:
    """An audit's number with two decimals (no minus before nothing), or that there is none."""
    if check.get("value") is None:
        return GIVEN if str(check.get("says")).startswith(GIVEN) else "not checked"
    return words.number(round(float(check["value"]), 2) + 0.0, decimals=2)


def how_to_read(shown: Sequence[Mapping[str, Any] | None]) -> str:
    """What is coloured in these pictures and what it means, in a sentence a kind."""
    kinds = dict.fromkeys(p["k"] for p in shown if p and p["k"] in READ)
    return " ".join([*(READ[k] for k in kinds), ONE_SCALE]) if kinds else ""


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


def limits_of(e: Mapping[str, Any]) -> str:
    """"0.31 [0.22, 0.40]"."""
    t = words.interval(e.get("value"), e.get("low"), e.get("high"))
    return f"{t['value']} [{t['low']}, {t['high']}]" if t["low"] else t["value"]


def turned(e: Mapping[str, Any]) -> dict[str, Any]:
    """An effect with its sign changed."""
    minus = lambda v: None if v is None else -v  # noqa: E731
    return {"value": minus(e.get("value")), "low": minus(e.get("high")), "high": minus(e.get("low"))}


def logos(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Recurrent motifs, each as a logo; one that is not well formed is left out."""
    if not told:
        return None
    out = []
    for m in told.get("found") or ():
        try:
            drawing = effects.logo(m["shares"], m["information"], str(m["letters"])[:40])
        except (KeyError, TypeError, ValueError):
            continue
        out.append({"logo": drawing, "rows": words.number(m.get("rows")), "adds": limits_of(m)})
    return {"found": out, "of": words.number(told.get("rows"))}


def groups(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Recurrent substructures, drawn."""
    if not told:
        return None
    found = [
        {"drawn": drawn(checked(g.get("picture")), str(g.get("smiles"))), "count": words.number(g.get("count")),
         "smiles": str(g.get("smiles")), "adds": limits_of(g), "up": (g.get("value") or 0) > 0}
        for g in told.get("found") or ()
    ]
    return {"found": found, "of": words.number(told.get("rows"))}


def removals(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What taking each claimed cue out of other rows did, as numbers ready to print."""
    if not told:
        return None
    found = []
    for r in told.get("found") or ():
        score, sized = r.get("score"), r.get("raises") is None
        output, random = (r[k] if sized else turned(r[k]) for k in ("output", "random"))  # a fall is a negative change
        found.append(
            {
                "cue": str(r.get("cue")),
                "holds": bool(r.get("holds")),
                "rows": words.number(r.get("rows")),
                "what": "size of change" if sized else "change",
                "output": limits_of(output),
                "random": limits_of(random),
                "metric": words.metric_name(r.get("metric", "")) if score else "",
                "score": limits_of(score) if score else "",
                "score_random": limits_of(r.get("score_random") or {}) if score else "",
            }
        )
    return {"found": found, "why": str(told.get("why") or ""), "about": str(told.get("about") or "")}


def together(e: Mapping[str, Any], drawings: Sequence[Mapping[str, Any]], pictures: Sequence[Any]) -> dict[str, Any]:
    """What many rows' explanations have in common: typical regions by class, clusters of rows."""
    regions, clusters = e.get("regions") or {}, e.get("clusters") or {}
    if e.get("withheld"):
        return {"regions": None, "clusters": None}
    patches = [p for g in drawings for p in g.get("patches") or () if 0 <= p.get("picture", -1) < len(pictures)]
    found = [
        {
            "label": str(r.get("label")),
            "rows": words.number(r.get("rows")),
            "aligned": bool(r.get("aligned")),
            "alike": limits_of(r.get("alike") or {}),
            "cells": int(r.get("cells") or 0),
            "drawn": drawn(checked(r.get("picture")), f"typical region of {r.get('label')}") if r.get("picture") else None,
            "patches": [drawn(pictures[p["picture"]], "a patch") for p in patches if p.get("label") == r.get("label")],
        }
        for r in regions.get("found") or ()
    ]
    groups_found = [
        {
            "group": str(c.get("group")),
            "size": words.number(c.get("size")),
            "share": f"{float(c.get('share') or 0):.0%}",
            "score": limits_of(c.get("score") or {}),
            "others": limits_of(c.get("others") or {}) if c.get("others") else "",
            "leans_on": ", ".join(map(str, c.get("leans_on") or ())),
            "drawn": drawn(checked(c["picture"]), "what sets the cluster apart") if c.get("picture") else None,
            "bars": effects.term_bars(c["terms"]) if c.get("terms") else None,
            "typical": words.number(c.get("typical")),
        }
        for c in clusters.get("found") or ()
    ]
    return {
        "regions": {"found": found, "of": words.number(regions.get("rows"))} if found else None,
        "clusters": {"found": groups_found, "of": words.number(clusters.get("rows")), "groups": clusters.get("groups"),
                     "measured": str(clusters.get("measured") or ""), "classes": clusters.get("measured") == "accuracy",
                     "bars": any(c["bars"] for c in groups_found)} if clusters else None,
    }


def curves(told: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Dependence curves on one upright scale, so that they can be compared; categories as dots."""
    if not told:
        return None
    numbers = [c for c in told.get("curves") or () if c.get("kind") != "partial dependence"]
    limits = figures.padded([v for c in numbers for k in ("curve", "low", "high") for v in c.get(k) or ()])
    drawings = []
    for c in told.get("curves") or ():
        if c in numbers:
            drawings.append({"column": str(c.get("column")), "plot": effects.effect_curve(c, limits=limits), "bars": None})
        else:
            drawings.append({"column": str(c.get("column")), "plot": None, "bars": effects.effect_bars(c)})
    pairs = [
        {
            "names": " and ".join(map(str, p.get("columns") or ())),
            "adds_up": (p.get("value") or 0) < ADDS_UP,
            "share": " to ".join(f"{float(p[k]):.0%}" for k in ("low", "high") if p.get(k) is not None) or f"{p['value']:.0%}",
            "size": words.number(p.get("size"), 2),
        }
        for p in told.get("interactions") or ()
        if p.get("value") is not None
    ]
    return {"drawn": drawings, "pairs": pairs, "about": str(told.get("about") or ""), "rows": words.number(told.get("rows"))}


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
