"""How well it fits: learning curves, predicted against measured, confusion, calibration, coverage, sub-groups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gnomon.analyses.validate.conformal import promise
from gnomon.reporting import figures, words
from gnomon.reporting._report import label_of
from gnomon.values import turned


def curve_groups(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One small chart a candidate and fold, seeds together."""
    names = {(c.get("recipe") or {}).get("hash"): label_of(c) for c in report.get("candidates") or ()}
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for c in exhibits.get("curves") or ():
        lines = [
            {"kind": kind, "x": c["steps"], "y": c[kind], "name": f"{said}, seed {c.get('seed')}"}
            for kind, said in (("train", "training loss"), ("valid", "validation"))
            if any(y is not None for y in c.get(kind) or ())
        ]
        groups.setdefault((str(c.get("recipe")), str(c.get("fold"))), []).extend(lines)
    return [
        {
            "name": names.get(recipe, recipe),
            "fold": int(fold) + 1 if fold.isdigit() else fold,
            "chart": figures.curves(lines),
        }
        for (recipe, fold), lines in groups.items()
    ][:12]


def scatter_section(exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Predicted against measured."""
    out = []
    for k, s in enumerate(exhibits.get("scatter") or ()):
        bins = [
            {
                "x": b["predicted"],
                "y": b["truth"],
                "low": b["low"],
                "high": b["high"],
                "title": f"{b['n']} rows predicted about {words.number(b['predicted'])}: "
                f"measured {words.number(b['truth'])} on average, "
                f"the middle 80 % from {words.number(b['low'])} to {words.number(b['high'])}",
            }
            for b in list(s.get("bins") or [])
        ]
        points = list(zip(s.get("predicted") or (), s.get("truth") or (), strict=False))
        if bins or points:
            low, high = figures.padded(s["range"], 0.03)
            unit = f" ({s['unit']})" if s.get("unit") else ""
            out.append(
                {
                    **s,
                    "chart": figures.square(
                        low, high, across=f"predicted{unit}", up=f"measured{unit}", bins=bins, points=points
                    ),
                    "index": k,
                    "points": bool(points),
                    "binned": bool(bins),
                }
            )
    return out


def confusion_section(exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Confusion tables, each row shaded by the share of its class."""
    out = []
    for c in exhibits.get("confusion") or ():
        rows = []
        for label, counts in zip(c["labels"], c["counts"], strict=False):
            total = sum(n for n in counts if n) or 1
            cells = [{"n": n, "shade": 0 if not n else min(9, int(9.99 * n / total))} for n in counts]
            rows.append({"label": label, "cells": cells})
        hidden = any(n is None for r in c["counts"] for n in r)
        out.append({**c, "rows": rows, "hidden": hidden, "wide": len(c["labels"]) > 6})
    return out


def reliability_section(exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Do probabilities mean what they say?"""
    out = []
    for r in exhibits.get("reliability") or ():
        bins = [
            {
                "x": b["predicted"],
                "y": b["observed"],
                "low": b["low"],
                "high": b["high"],
                "title": f"of {b['n']} rows given about {b['predicted']:.0%}, {b['observed']:.0%} came true",
            }
            for b in r.get("bins") or ()
        ]
        written = {
            k: words.interval(*r[k]) for k in ("slope", "intercept", "error") if r.get(k) and r[k][0] is not None
        }
        out.append(
            {
                **r,
                **written,
                "chart": figures.square(0, 1, across="probability given", up="share that came true", bins=bins),
            }
        )
    return out


def coverage_section(exhibits: Mapping[str, Any]) -> dict[str, Any] | None:
    """Measured coverage of prediction ranges: a sentence, what stands against it, and the share by third."""
    c = exhibits.get("coverage") or {}
    if c.get("value") is None:
        return None
    classes = c.get("kind") == "classify"
    said = (
        f"Ranges that should hold the truth {c['level']:.0%} of the time held it in {_share(c)} of "
        f"{words.number(c['n_rows'])} rows; "
        + (f"{words.number(c['size'])} classes on average." if classes else f"mean width {words.number(c['size'])}.")
    )
    limits = promise(c["level"], c["calibration_units"], c.get("reached"), guaranteed=c.get("guaranteed", True))
    names = ("least sure", "middle", "surest") if classes else ("lowest", "middle", "highest")
    thirds = [(f"{name} third of the predictions", f"{_share(t)} of {words.number(t['n_rows'])} rows")
              for name, t in zip(names, c.get("thirds") or (), strict=False)]
    return {"said": said, "limits": f"{limits[:1].upper()}{limits[1:]}." if limits else "", "thirds": thirds}


def _share(s: Mapping[str, Any]) -> str:
    """A share in percent with its limits."""
    limits = "" if s.get("low") is None else f" [{100 * s['low']:.1f}, {100 * s['high']:.1f}]"
    return f"{100 * s['value']:.1f} %{limits}" if s.get("value") is not None else "none"


def bias_text(s: Mapping[str, Any]) -> str:
    """How far predictions lie above (or below) the truth in a sub-group, where that is beyond chance."""
    if s.get("bias") is None or s.get("bias_low") is None or s["bias_low"] <= 0 <= s["bias_high"]:
        return ""
    found = s["bias"], s["bias_low"], s["bias_high"]
    t = words.interval(*(found if s["bias"] > 0 else turned(*found)))
    return f"predictions {'too high' if s['bias'] > 0 else 'too low'} by {t['value']} [{t['low']}, {t['high']}]"


def subgroup_section(exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Scores by sub-group, one block a column."""
    everything = list(exhibits.get("subgroups") or ())
    scale = figures.Scale(*figures.padded([s.get(k) for s in everything for k in ("value", "low", "high")]))
    grid = figures.ticks(scale.low, scale.high, 4)
    blocks: dict[str, dict[str, Any]] = {}
    for s in everything:
        text = words.interval(s.get("value"), s.get("low"), s.get("high"))
        limits = f"[{text['low']}, {text['high']}]" if text["low"] else ""
        plot = figures.interval_row(
            [{"kind": "test", **s, "title": f"{s['group']}: {text['value']} {limits}"}], scale, grid, 24
        )
        row = {
            "group": s["group"],
            "n": s.get("n_rows"),
            "few": s.get("few"),
            "plot": plot,
            "value": text["value"],
            "limits": limits,
            "bias": bias_text(s),
        }
        block = blocks.setdefault(
            str(s["column"]), {"column": s["column"], "rows": [], "axis": figures.axis_row(scale, grid)}
        )
        block["rows"].append(row)
    return list(blocks.values())
