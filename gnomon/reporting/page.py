"""report.html from a study folder: one file, no network, nothing from the data that could run."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gnomon.errors import InputError
from gnomon.reporting import figures, sections, words
from gnomon.reporting.citations import bibliography, citations
from gnomon.reporting.pictures import checked

HERE = Path(__file__).parent / "templates"
LARGEST = 4_900_000  # bytes of the whole page


def write_page(folder: Path) -> Path:
    """Write report.html into the study folder, from report.json, exhibits.json, plan.toml and versions.json alone."""
    folder = Path(folder)
    report = _read(folder / "report.json")
    if report is None:
        raise InputError("E-REPORT-ABSENT", f"{folder} holds no report.json: nothing has been concluded yet",
                         do="type the study's command again, then `gnomon report`")
    exhibits = _read(folder / "exhibits.json") or {}
    plan = folder / "plan.toml"
    text = plan.read_text(encoding="utf-8", errors="replace") if plan.is_file() else ""
    html = render(report, exhibits, text, _read(folder / "versions.json") or {}, name=folder.resolve().name)
    return _write(folder / "report.html", html)


def render(report: Mapping[str, Any], exhibits: Mapping[str, Any], plan: str = "", versions: Mapping[str, Any] | None = None,
           *, name: str = "study") -> str:
    """The page as text. Over the size limit, pictures on the map go first, then the galleries."""
    exhibits = dict(exhibits)
    for keep in (1.0, 0.5, 0.2, 0.0):
        html = _render(report, exhibits, plan, versions or {}, name, keep)
        if len(html.encode()) <= LARGEST:
            break
        if keep <= 0.2:
            exhibits = {**exhibits, "errors": (exhibits.get("errors") or [])[:8], "explained": []}
    return html


def _render(report: Mapping[str, Any], exhibits: Mapping[str, Any], plan: str, versions: Mapping[str, Any], name: str,
            keep: float) -> str:
    css, js = (HERE / "page.css").read_text(encoding="utf-8"), (HERE / "page.js").read_text(encoding="utf-8")
    ladder, found = sections.ladder(report), citations(report)
    the_map, payload = map_section(exhibits, keep)
    return _environment().get_template("page.html").render(
        css=Markup(css), js=Markup(js), policy=policy(css, js), payload=script_json(payload), study=name, w=words,
        name=sections.name_of(report, name), report=report, exploratory=exploratory(report, exhibits), cost=cost(report),
        partial=report.get("status") == "partial", verdict=sections.verdict(report, exhibits), map=the_map,
        data=sections.data(report, exhibits), split=sections.split(report), ladder=ladder, curves=curve_groups(report, exhibits),
        scatter=scatter_section(exhibits), confusion=confusion_section(exhibits), reliability=reliability_section(exhibits),
        coverage=coverage_section(exhibits), subgroups=subgroup_section(report, exhibits), judged=exhibits.get("judged") or {},
        explanations=sections.explanations(report, exhibits), errors=sections.errors(report, exhibits),
        unchecked=[c for c in report.get("checks") or () if not c.get("ran")],
        checked=[c for c in report.get("checks") or () if c.get("ran")], advice=sections.advice(report),
        plan=plan_lines(plan), citations=found, bibtex=bibliography(found), versions=facts(versions), task=report.get("task") or {},
        hashes={"data": (report.get("data") or {}).get("hash"), "gnomon": report.get("version")},
        study_command=versions.get("command") or command(report, versions, name))


def _environment() -> Any:
    """Jinja with everything escaped; a missing value renders as nothing, so a partial study still has a page."""
    from jinja2 import ChainableUndefined, Environment, FileSystemLoader

    env = Environment(loader=FileSystemLoader(HERE), autoescape=True, trim_blocks=True, lstrip_blocks=True,
                      undefined=ChainableUndefined)
    env.filters |= {"number": words.number, "words": words.words, "duration": words.duration, "signed": words.signed}
    return env


def policy(css: str, js: str) -> str:
    """A content security policy that lets only this style and this script run, and nothing be fetched."""
    digest = lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()  # noqa: E731
    return (f"default-src 'none'; img-src data:; style-src 'sha256-{digest(css)}'; script-src 'sha256-{digest(js)}'; "
            "base-uri 'none'; form-action 'none'")


def script_json(value: Any) -> Markup:
    """JSON that cannot end its own script block."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def exploratory(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> bool:
    """A study with `--explore`: no sealed part, no verdict."""
    return bool(report.get("exploratory") or exhibits.get("exploratory") or report.get("status") == "exploratory")


def map_section(exhibits: Mapping[str, Any], keep: float) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """The map for the template, and what the script needs: points, colours and pictures."""
    m = exhibits.get("map")
    pictures = list(exhibits.get("pictures") or ())
    scatter = [s for s in exhibits.get("scatter") or () if s.get("pictures")]
    used = [*((m or {}).get("pictures") or ()), *(p for s in scatter for p in s["pictures"])]
    wanted = {int(p): None for p in used[:int(keep * len(used))] if 0 <= int(p) < len(pictures)}
    sent = {str(p): c for p in wanted if (c := checked(pictures[p])) is not None}
    payload = {"pictures": sent, "scatter": [{"p": s["pictures"], "truth": s["truth"], "predicted": s["predicted"]}
                                             for s in exhibits.get("scatter") or () if s.get("truth")]}
    if not m or not m.get("layouts"):
        return None, payload
    colours = [{**c, "key": [{"text": str(level), "class": figures.colour(i, c.get("kind", "category"))}
                             for i, level in enumerate(c.get("levels") or ())]} for c in m.get("colours") or ()]
    first = colours[0] if colours else {"codes": [-1] * len(m["layouts"][0]["x"]), "kind": "category"}
    payload["map"] = {"layouts": m["layouts"], "p": m.get("pictures") or [], "labels": m.get("labels"), "rows": m.get("rows"),
                      "colours": [{"kind": c.get("kind"), "codes": c["codes"], "name": c.get("name"), "rest": c.get("rest"),
                                   "levels": c.get("levels")} for c in colours]}
    shown = len(m["layouts"][0]["x"])
    return {"figure": figures.map_figure(m["layouts"][0], first["codes"], first.get("kind", "")), "colours": colours,
            "layouts": m["layouts"], "shown": shown, "of": m.get("of") or shown, "drawn": bool(sent)}, payload


def curve_groups(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One small chart a candidate and fold, seeds together."""
    names = {(c.get("recipe") or {}).get("hash"): sections.label_of(c) for c in report.get("candidates") or ()}
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for c in exhibits.get("curves") or ():
        lines = [{"kind": kind, "x": c["steps"], "y": c[kind], "name": f"{said}, seed {c.get('seed')}"}
                 for kind, said in (("train", "training loss"), ("valid", "validation"))
                 if any(y is not None for y in c.get(kind) or ())]
        groups.setdefault((str(c.get("recipe")), str(c.get("fold"))), []).extend(lines)
    return [{"name": names.get(recipe, recipe), "fold": int(fold) + 1 if fold.isdigit() else fold, "chart": figures.curves(lines)}
            for (recipe, fold), lines in groups.items()][:12]


def scatter_section(exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Predicted against measured."""
    out = []
    for k, s in enumerate(s for s in exhibits.get("scatter") or ()):
        bins = [{"x": b["predicted"], "y": b["truth"], "low": b["low"], "high": b["high"], "title":
                 f"{b['n']} rows predicted about {words.number(b['predicted'])}: measured {words.number(b['truth'])} on average, "
                 f"the middle 80 % from {words.number(b['low'])} to {words.number(b['high'])}"} for b in s.get("bins") or ()]
        points = list(zip(s.get("predicted") or (), s.get("truth") or (), strict=False))
        if bins or points:
            low, high = figures.padded(s["range"], 0.03)
            unit = f" ({s['unit']})" if s.get("unit") else ""
            out.append({**s, "chart": figures.square(low, high, across=f"predicted{unit}", up=f"measured{unit}", bins=bins,
                                                     points=points), "index": k, "points": bool(points), "binned": bool(bins)})
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
        bins = [{"x": b["predicted"], "y": b["observed"], "low": b["low"], "high": b["high"], "title":
                 f"of {b['n']} rows given about {b['predicted']:.0%}, {b['observed']:.0%} came true"} for b in r.get("bins") or ()]
        written = {k: words.interval(*r[k]) for k in ("slope", "intercept", "error") if r.get(k) and r[k][0] is not None}
        out.append({**r, **written, "chart": figures.square(0, 1, across="probability given", up="share that came true", bins=bins)})
    return out


def coverage_section(exhibits: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Measured coverage of prediction ranges: the plain numbers of it."""
    c = exhibits.get("coverage") or {}
    return [(words.words(k), words.number(v)) for k, v in c.items() if isinstance(v, (int, float)) and not isinstance(v, bool)]


def subgroup_section(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Scores by sub-group, one block a column."""
    everything = list(exhibits.get("subgroups") or ())
    scale = figures.Scale(*figures.padded([s.get(k) for s in everything for k in ("value", "low", "high")]))
    grid = figures.ticks(scale.low, scale.high, 4)
    blocks: dict[str, dict[str, Any]] = {}
    for s in everything:
        text = words.interval(s.get("value"), s.get("low"), s.get("high"))
        limits = f"[{text['low']}, {text['high']}]" if text["low"] else ""
        plot = figures.interval_row([{"kind": "test", **s, "title": f"{s['group']}: {text['value']} {limits}"}], scale, grid, 24)
        row = {"group": s["group"], "n": s.get("n_rows"), "few": s.get("few"), "plot": plot, "value": text["value"], "limits": limits}
        block = blocks.setdefault(str(s["column"]), {"column": s["column"], "rows": [], "axis": figures.axis_row(scale, grid)})
        block["rows"].append(row)
    return list(blocks.values())


def plan_lines(text: str) -> list[tuple[str, str]]:
    """plan.toml as (setting, reason): the comment of a line is its reason."""
    out = []
    for line in text.splitlines():
        m = re.match(r"""((?:[^#"']|"(?:\\.|[^"\\])*"|'[^']*')*)#\s?(.*)$""", line)
        out.append((m.group(1).rstrip(), m.group(2)) if m else (line.rstrip(), ""))
    return out


def facts(value: Any, name: str = "") -> list[tuple[str, str]]:
    """versions.json, flat."""
    if isinstance(value, Mapping):
        return [row for k, v in value.items() for row in facts(v, f"{name} {words.words(k)}".strip())]
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [(name, ", ".join(map(str, value)))] if value else []
    return [] if value is None else [(name, str(value))]


def cost(report: Mapping[str, Any]) -> dict[str, str]:
    """What the study took."""
    c = report.get("cost") or {}
    return {"seconds": words.duration(c.get("seconds")), "budget": words.duration(c.get("budget_seconds")),
            "memory": sections.memory(c.get("peak_mb"))}


def command(report: Mapping[str, Any], versions: Mapping[str, Any], name: str) -> str:
    """The command that repeats the study, when versions.json does not record it."""
    import shlex

    paths = [str(p) for p in (report.get("data") or {}).get("paths") or ()]
    aims = [str(t.get("column")) for t in sections.targets(report) if t.get("column")]
    budget = (report.get("cost") or {}).get("budget_seconds")
    return " ".join(["gnomon", "study", *map(shlex.quote, paths), *(["--target", *map(shlex.quote, aims)] if aims else []),
                     *(["--budget", f"{budget:g}s"] if budget else []), "--seed", str(versions.get("seed", 0)),
                     "--out", shlex.quote(name)])


def _read(path: Path) -> Any:
    """A JSON object, or None when absent."""
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise InputError("E-STUDY-FILE", f"{path} is not valid JSON: {error}",
                         do="undo the edit, or delete the file to have it made again") from None
    if not isinstance(value, dict):
        raise InputError("E-STUDY-FILE", f"{path} should hold named values", do="restore or delete the file")
    return value


def _write(path: Path, html: str) -> Path:
    """All or nothing."""
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(html)
        os.chmod(draft, 0o644)
        os.replace(draft, path)
    except OSError as error:
        raise InputError("E-OUT-UNWRITABLE", f"{path} cannot be written: {error.strerror or error}",
                         do="free some space or choose a folder you may write to") from None
    return path
