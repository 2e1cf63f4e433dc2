"""Could the score mean something else: shortcuts, weak slices, more data, corruptions, attributes. All from exhibits."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from gnomon.reporting import figures, words

HEIGHT = 190  # of the data-size curve, px
SEVERITY = {0: "same answer", 1: "mild", 2: "middling", 3: "strong"}


def trials_section(exhibits: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the trials of the examination found, ready for the template; None where none ran."""
    t = exhibits.get("trials") or {}
    if not t:
        return None
    metric = words.metric_name(t.get("metric", ""))
    parts = {
        "shortcuts": shortcut_rows(t.get("shortcuts") or ()),
        "slices": slice_rows(t.get("slices") or ()),
        "curve": curve_figure(t.get("curve"), metric),
        "corruptions": corruption_rows(t.get("corruptions") or (), t.get("higher_is_better", True)),
        "attributes": attribute_rows(t.get("attributes") or ()),
    }
    if not any(parts.values()):
        return None
    took = list(t.get("took") or ())
    return {
        **parts,
        "metric": metric,
        "model": words.words(t.get("model", "")),
        "took": ", ".join(f"{one['what']} {words.duration(one['seconds'])}" for one in took),
        "in_all": words.duration(sum(one["seconds"] for one in took)),
    }


def _text(value: float | None, low: float | None, high: float | None) -> tuple[str, str]:
    """A number and its limits, in words."""
    t = words.interval(value, low, high)
    return t["value"], f"[{t['low']}, {t['high']}]" if t["low"] else ""


def shortcut_rows(trials: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Each trial's share of the model's gain, as a dot with its interval between nothing and all."""
    shown = sorted((t for t in trials if t.get("share") is not None), key=lambda t: -t["share"])
    if not shown:
        return None
    scale, grid = figures.Scale(-0.1, 1.1), [0.0, 0.25, 0.5, 0.75, 1.0]
    rows = []
    for t in shown:
        _, limits = _text(100 * t["share"], *(None if t.get(k) is None else 100 * t[k] for k in ("share_low", "share_high")))
        said = f"{t['share']:.0%} of the gain"
        mark = {"kind": "test", "value": t["share"], "low": t.get("share_low"), "high": t.get("share_high")}
        rows.append({
            "what": t["what"],
            "legitimate": t.get("legitimate"),
            "plot": figures.interval_row([{**mark, "title": f"{said} {limits}"}], scale, grid, 24),
            "share": f"{t['share']:.0%}".replace("-", words.MINUS),
            "limits": limits,
            "score": words.number(t.get("score")),
            "chance": not (t.get("gain_low") or 0) > 0,
        })
    first = shown[0]
    axis = figures.axis_row(scale, [0.0, 0.5, 1.0], "share of the model's gain over knowing nothing")
    return {"rows": rows, "axis": axis, "model": words.number(first.get("model")), "floor": words.number(first.get("floor"))}


def slice_rows(slices: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Slices the search carried to the confirming rows, confirmed ones first."""
    out = [
        {
            "said": s.get("said", ""),
            "few": s.get("few"),
            "confirmed": s.get("confirmed"),
            "units": words.number(s.get("n_units")) if (s.get("n_rows") or 0) >= 5 else "under 5",
            "inside": words.number(s.get("inside")),
            "outside": words.number(s.get("outside")),
            "floor": words.number(s.get("floor")),
        }
        for s in slices
    ]
    return sorted(out, key=lambda s: (not s["confirmed"], bool(s["few"])))


def corruption_rows(found: Sequence[Mapping[str, Any]], higher: bool = True) -> list[dict[str, Any]]:
    """One row a change, its severities as cells; the change of the score has the sign of the score (`higher` is better)."""
    rows: dict[str, dict[str, Any]] = {}
    for c in found:
        row = rows.setdefault(c["change"], {"change": c["change"], "kind": c["kind"], "cells": []})
        ends = [c["drop"], c.get("low"), c.get("high")]
        if higher:
            ends = [None if v is None else -v for v in (ends[0], ends[2], ends[1])]
        moved, limits = _text(*ends)
        row["cells"].append({
            "severity": SEVERITY.get(c["severity"], ""),
            "score": words.number(c.get("score")),
            "change": ("" if moved.startswith(words.MINUS) else "+") + moved,
            "limits": limits,
            "hurts": c.get("low") is not None and c["low"] > 0,
        })
    return list(rows.values())


def attribute_rows(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Attributes with how well they can be read, what is left after erasure, and the price or why there is none."""
    out = []
    for p in found:
        read, limits = _text(p.get("readable"), p.get("readable_low"), p.get("readable_high"))
        price, price_limits = _text(p.get("price"), p.get("price_low"), p.get("price_high"))
        again, again_limits = _text(p.get("reweighed"), p.get("reweighed_low"), p.get("reweighed_high"))
        out.append({
            "name": p.get("attribute"),
            "read": read, "limits": limits,
            "chance": words.number(p.get("chance")), "left": words.number(p.get("left"), 2),
            "price": price, "price_limits": price_limits, "unpriced": p.get("why") or "",
            "removed": f"{p['removed']} of {p['directions']} directions" if price and p.get("directions") else "",
            "gap": words.number(p.get("gap"), 2), "gap_erased": words.number(p.get("gap_erased"), 2),
            "gap_reweighed": words.number(p.get("gap_reweighed"), 2), "reweighed": again, "reweighed_limits": again_limits,
        })
    return out


def curve_figure(curve: Mapping[str, Any] | None, metric: str) -> dict[str, Any] | None:
    """The data-size curve: measured scores, the fitted law, and the forecast at twice the units."""
    if not curve or len(curve.get("sizes") or ()) < 2:
        return None
    ahead = curve.get("forecast") is not None
    gain, limits = _text(curve.get("gain"), curve.get("gain_low"), curve.get("gain_high"))
    classes = [
        {"name": name, **{k: words.number(v, 2) for k, v in c.items()}} for name, c in (curve.get("by_class") or {}).items()
    ]
    unit = curve.get("unit") or "row"
    return {
        **{k: curve.get(k) for k in ("supported", "repeats")},
        "chart": size_chart(curve, metric, "units" if unit != "row" else "rows"),
        "model": words.words(curve.get("model", "")),
        "unit": "rows" if unit == "row" else f"units ({unit})",
        "now": words.number(curve["sizes"][-1]),
        "ahead": words.number(curve.get("ahead")) if ahead else "",
        "forecast": words.number(curve.get("forecast")) if ahead else "",
        "gain": gain if ahead else "",
        "limits": limits,
        "sure": ahead and (curve.get("gain_low") or 0) > 0,
        "level": f"{curve.get('level') or 0.9:.0%}",
        "classes": classes,
    }


def size_chart(curve: Mapping[str, Any], metric: str, unit: str) -> Markup:
    """Score against units, both as measured and as fitted; units on a logarithmic scale."""
    sizes, scores = list(curve["sizes"]), list(curve["scores"])
    lows, highs = list(curve.get("lows") or scores), list(curve.get("highs") or scores)
    end = curve.get("ahead") if curve.get("forecast") is not None else sizes[-1]
    forecast = [curve.get(k) for k in ("forecast", "low", "high")]
    low, high = figures.padded([*scores, *lows, *highs, *forecast])
    scale = figures.Scale(math.log(sizes[0] * 0.93), math.log(end * 1.07))
    x, y = (lambda n: scale(math.log(n))), (lambda v: round(HEIGHT * (1 - (v - low) / ((high - low) or 1)), 1))
    out = [
        f'<line class="grid" x1="0" x2="100%" y1="{y(g)}" y2="{y(g)}"/>'
        f'<text x="-8" y="{y(g) + 4:g}" text-anchor="end">{figures.tick_text(g)}</text>'
        for g in figures.ticks(low, high, 4)
    ]
    line = [(n, v) for n, v in curve.get("line") or () if v is not None and low <= v <= high]
    measured, told = [p for p in line if p[0] <= sizes[-1] * 1.001], [p for p in line if p[0] >= sizes[-1]]
    for kind, part in (("valid", measured), ("ahead", [*measured[-1:], *told])):
        d = "".join(f"{'L' if i else 'M'}{10 * x(n):.0f} {y(v):.1f}" for i, (n, v) in enumerate(part))
        out.append(f'<svg width="100%" class="plot" height="{HEIGHT}" viewBox="0 0 1000 {HEIGHT}" preserveAspectRatio="none">'
                   f'<path class="curve {kind}" d="{d}"/></svg>' if d else "")
    for n, v, a, b in zip(sizes, scores, lows, highs, strict=False):
        out.append(_point("test", x(n), y(v), y(a), y(b), f"{words.number(n)} {unit}: {metric} {words.number(v)}"))
    if end != sizes[-1]:
        told = f"forecast at {words.number(end)} {unit}: {words.number(forecast[0])}"
        out.append(_point("valid", x(end), *(y(v) for v in forecast), told))
    foot = "".join(f'<text x="{x(n)}%" y="{HEIGHT + 16}" text-anchor="middle">{words.number(n)}</text>'
                   for n in (sizes[0], *([sizes[len(sizes) // 2]] if len(sizes) > 2 else []), sizes[-1],
                             *([end] if end != sizes[-1] else [])))
    return Markup(f'<div class="inset"><svg class="chart" height="{HEIGHT + 22}" role="img" aria-label="{escape(metric)} by '
                  f'number of training {unit}">{"".join(out)}{foot}</svg></div>')


def _point(kind: str, x: float, y: float, low: float, high: float, said: str) -> str:
    """A dot with its range."""
    return (f'<g class="mark {kind}" data-tip="{escape(said)}"><line class="span" x1="{x}%" x2="{x}%" y1="{low}" y2="{high}"/>'
            f'<circle cx="{x}%" cy="{y}" r="5"/></g>')
