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
from gnomon.reporting import fit, sections, understand, words
from gnomon.reporting._report import targets
from gnomon.reporting.ablated import ablated_section, ablations
from gnomon.reporting.asked import answers, asked_section
from gnomon.reporting.atlas import map_section
from gnomon.reporting.checklist import as_markdown as checklist_text
from gnomon.reporting.checklist import checklist, checklist_section, write_unless_edited
from gnomon.reporting.citations import bibliography, citations, methods_paragraph
from gnomon.reporting.honesty import trials_section
from gnomon.reporting.ladder import ladder, memory
from gnomon.reporting.model_card import as_markdown as card_text
from gnomon.reporting.model_card import model_card

HERE = Path(__file__).parent / "templates"
LARGEST = 4_900_000  # bytes of the whole page


def write_page(folder: Path) -> Path:
    """Write report.html into the study folder, from report.json, exhibits.json, plan.toml and versions.json alone."""
    folder = Path(folder)
    report = _read(folder / "report.json")
    if report is None:
        raise InputError(
            "E-REPORT-ABSENT",
            f"{folder} holds no report.json: nothing has been concluded yet",
            do="type the study's command again, then `gnomon report`",
        )
    exhibits = _read(folder / "exhibits.json") or {}
    plan = folder / "plan.toml"
    text = plan.read_text(encoding="utf-8", errors="replace") if plan.is_file() else ""
    html = render(report, exhibits, text, _read(folder / "versions.json") or {}, name=folder.resolve().name,
                  asked=answers(folder), ablated=ablations(folder))
    _beside(folder, report, exhibits)
    return _write(folder / "report.html", html)


def _beside(folder: Path, report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> None:
    """checklist.md and model_card.md, for people to fill in: written once, then left to them unless untouched since."""
    versions = _read(folder / "versions.json") or {}
    for name, text in (
        ("checklist.md", checklist_text(checklist(report, versions))),
        ("model_card.md", card_text(model_card(report, exhibits, versions), folder.resolve().name)),
    ):
        write_unless_edited(folder / name, text, lambda path, text: _write(path, text))


def render(
    report: Mapping[str, Any],
    exhibits: Mapping[str, Any],
    plan: str = "",
    versions: Mapping[str, Any] | None = None,
    *,
    name: str = "study",
    asked: Sequence[tuple[str, Mapping[str, Any]]] = (),
    ablated: Sequence[Mapping[str, Any]] = (),
) -> str:
    """The page as text. Over the size limit, pictures on the map go first, then the galleries.
    asked: explanations asked for by name (`asked.answers`). ablated: parts left out (`ablated.ablations`)."""
    exhibits = dict(exhibits)
    for keep in (1.0, 0.5, 0.2, 0.0):
        html = _render(report, exhibits, plan, versions or {}, name, keep, asked, ablated)
        if len(html.encode()) <= LARGEST:
            break
        if keep <= 0.2:
            exhibits = {**exhibits, "errors": (exhibits.get("errors") or [])[:8], "explained": []}
            asked = [(stem, {**answer, "exhibits": {}}) for stem, answer in asked]
    return html


def _render(
    report: Mapping[str, Any],
    exhibits: Mapping[str, Any],
    plan: str,
    versions: Mapping[str, Any],
    name: str,
    keep: float,
    asked: Sequence[tuple[str, Mapping[str, Any]]] = (),
    ablated: Sequence[Mapping[str, Any]] = (),
) -> str:
    css, js = (HERE / "page.css").read_text(encoding="utf-8"), (HERE / "page.js").read_text(encoding="utf-8")
    the_map, payload = map_section(exhibits, keep)
    head = {
        "css": Markup(css),
        "js": Markup(js),
        "policy": policy(css, js),
        "payload": script_json(payload),
        "w": words,
    }
    parts = {**first(report, exhibits, name), **models(report, exhibits), **last(report, exhibits, plan, versions, name)}
    parts |= {"asked": asked_section(asked), "ablated": ablated_section(report, ablated, name)}
    return _environment().get_template("page.html").render(**head, map=the_map, report=report, study=name, **parts)


def first(report: Mapping[str, Any], exhibits: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Verdict, data and split."""
    return {
        "name": sections.name_of(report, name),
        "task": report.get("task") or {},
        "exploratory": exploratory(report, exhibits),
        "partial": report.get("status") == "partial",
        "verdict": sections.verdict(report, exhibits),
        "data": sections.data(report, exhibits),
        "split": sections.split(report),
    }


def models(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> dict[str, Any]:
    """Candidates, how well they fit, what they lean on, where they err, what tries them."""
    return {
        "ladder": ladder(report),
        "curves": fit.curve_groups(report, exhibits),
        "scatter": fit.scatter_section(exhibits),
        "confusion": fit.confusion_section(exhibits),
        "reliability": fit.reliability_section(exhibits),
        "coverage": fit.coverage_section(exhibits),
        "subgroups": fit.subgroup_section(exhibits),
        "judged": exhibits.get("judged") or {},
        "explanations": understand.explanations(report, exhibits),
        "errors": understand.errors(exhibits),
        "trials": trials_section(exhibits),
    }


def last(
    report: Mapping[str, Any], exhibits: Mapping[str, Any], plan: str, versions: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """Checks, next steps, plan, citations, repetition."""
    found, checks = citations(report), list(report.get("checks") or ())
    return {
        "unchecked": [c for c in checks if not c.get("ran")],
        "checked": [c for c in checks if c.get("ran")],
        "advice": sections.advice(report),
        "plan": plan_lines(plan),
        "citations": found,
        "bibtex": bibliography(found),
        "methods": methods_paragraph(report, versions),
        "checklists": checklist_section(report, versions),
        "card": model_card(report, exhibits, versions),
        "versions": facts({k: v for k, v in versions.items() if k != "command"}),
        "hashes": {"data": (report.get("data") or {}).get("hash")},
        "cost": cost(report),
        "study_command": versions.get("command") or command(report, versions, name),
    }


def _environment() -> Any:
    """Jinja with everything escaped; a missing value renders as nothing, so a partial study still has a page."""
    from jinja2 import ChainableUndefined, Environment, FileSystemLoader

    env = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=ChainableUndefined,
    )
    env.filters |= {"number": words.number, "words": words.words, "duration": words.duration, "signed": words.signed}
    return env


def policy(css: str, js: str) -> str:
    """A content security policy that lets only this style and this script run, and nothing be fetched."""
    digest = lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()  # noqa: E731
    return (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest(css)}'; script-src 'sha256-{digest(js)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def script_json(value: Any) -> Markup:
    """JSON that cannot end its own script block."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def exploratory(report: Mapping[str, Any], exhibits: Mapping[str, Any]) -> bool:
    """A study with `--explore`: no sealed part, no verdict."""
    return bool(report.get("exploratory") or exhibits.get("exploratory") or report.get("status") == "exploratory")


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
    return {
        "seconds": words.duration(c.get("seconds")),
        "budget": words.duration(c.get("budget_seconds")),
        "memory": memory(c.get("peak_mb")),
    }


def command(report: Mapping[str, Any], versions: Mapping[str, Any], name: str) -> str:
    """The command that repeats the study, when versions.json does not record it."""
    import shlex

    paths = [str(p) for p in (report.get("data") or {}).get("paths") or ()]
    aims = [str(t.get("column")) for t in targets(report) if t.get("column")]
    budget = (report.get("cost") or {}).get("budget_seconds")
    return " ".join(
        [
            "gnomon",
            "study",
            *map(shlex.quote, paths),
            *(["--target", *map(shlex.quote, aims)] if aims else []),
            *(["--budget", f"{budget:g}s"] if budget else []),
            "--seed",
            str(versions.get("seed", 0)),
            "--out",
            shlex.quote(name),
        ]
    )


def _read(path: Path) -> Any:
    """A JSON object, or None when absent."""
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"), parse_constant=lambda _: None)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "E-STUDY-FILE",
            f"{path} is not valid JSON: {error}",
            do="undo the edit, or delete the file to have it made again",
        ) from None
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
        raise InputError(
            "E-OUT-UNWRITABLE",
            f"{path} cannot be written: {error.strerror or error}",
            do="free some space or choose a folder you may write to",
        ) from None
    return path
