"""A model card for the delivered model: the nine sections of Mitchell et al. 2019 (arXiv:1810.03993), from the study.

What the study measured stands here with its numbers; what only its makers know (who, for what, under which licence, what
harm could be done) is left open and marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.reporting import words
from gnomon.reporting._checklist_dome import Told
from gnomon.reporting._report import estimate, label_of, targets

YOURS = "needs you: "


@dataclass(frozen=True)
class Section:
    """One section of the card; a line that begins with "needs you" waits for a person."""

    title: str
    lines: tuple[str, ...]

    @property
    def open(self) -> int:
        return sum(line.startswith(YOURS) for line in self.lines)


def model_card(report: Mapping[str, Any], exhibits: Mapping[str, Any] | None = None,
               versions: Mapping[str, Any] | None = None) -> list[Section]:
    """The sections in the order of the paper; every line is text."""
    told = Told(report, versions or {})
    return [Section(title, tuple(line for line in make(told, exhibits or {}) if line)) for title, make in SECTIONS]


def as_markdown(sections: list[Section], name: str) -> str:
    """model_card.md."""
    lines = [f"# Model card: {name}", "", "After Mitchell et al. 2019. Lines that begin with `needs you` wait for its makers.",
             ""]
    for section in sections:
        lines += [f"## {section.title}", "", *(f"- {line}" for line in section.lines), ""]
    return "\n".join(lines) + "\n"


def _details(told: Told, _: Mapping[str, Any]) -> list[str]:
    best = told.judged()
    if not best:
        return ["no model was judged"]
    v = told.report.get("verdict") or {}
    kept = "recommended" if v.get("recommended") else "not recommended: kept for inspection only"
    return [f"{label_of(best)}, {kept}; {told.algorithm()[0]}", told.machine()[0], told.code()[0], told.output()[0],
            YOURS + "who made it, when, licence, whom to ask"]


def _use(told: Told, _: Mapping[str, Any]) -> list[str]:
    s = told.split()
    return [f"what its score is for: {s['for']}" if s.get("for") else "",
            f"what it assumes: {s['assumes']}" if s.get("assumes") else "",
            YOURS + "intended uses and users; uses that are out of scope"]


def _factors(told: Told, exhibits: Mapping[str, Any]) -> list[str]:
    names = sorted({str(s["column"]) for s in exhibits.get("subgroups") or ()})
    unit = told.split().get("unit")
    return [f"sub-groups scored: {', '.join(names)}" if names else "no column names sub-groups: none was scored",
            f"independent unit: {unit}" if unit else "", YOURS + "instruments, sites and groups that matter and are no column"]


def _metrics(told: Told, _: Mapping[str, Any]) -> list[str]:
    return [told.metrics()[0], told.uncertainty()[0], YOURS + "why this score fits the use; decision threshold, if any"]


def _evaluation(told: Told, _: Mapping[str, Any]) -> list[str]:
    return [told.evaluation()[0], told.duplicates()[0], told.external()[0], YOURS + "where the judged rows come from"]


def _training(told: Told, _: Mapping[str, Any]) -> list[str]:
    return [told.samples()[0], told.dataset()[0], told.outcome()[0], told.transforms()[0], YOURS + "where the rows come from"]


def _analyses(told: Told, exhibits: Mapping[str, Any]) -> list[str]:
    e = estimate((told.report.get("verdict") or {}).get("headline"))
    limits = f" [{e['low_text']}, {e['high_text']}]" if e and e["low_text"] else ""
    head = f"{e['metric_name']} {e['value_text']}{limits}, {e['how']}, {words.number(e.get('n_units'))} units" if e else ""
    groups = [_group(s) for s in exhibits.get("subgroups") or () if s.get("value") is not None and not s.get("few")]
    few = sum(bool(s.get("few")) for s in exhibits.get("subgroups") or ())
    return [head, told.tests()[0], *groups[:20], f"{few} sub-groups have too few units for a score" if few else ""]


def _group(s: Mapping[str, Any]) -> str:
    t = words.interval(s["value"], s.get("low"), s.get("high"))
    limits = f" [{t['low']}, {t['high']}]" if t["low"] else ""
    return f"{s['column']} = {s['group']}: {t['value']}{limits}, {words.number(s.get('n_units'))} units"


def _ethics(told: Told, _: Mapping[str, Any]) -> list[str]:
    found = told.findings("VALID-SUBGROUP", "VALID-STRATUM", "VALID-SHORTCUT")
    return [*(f["claim"] for f in found[:5]), YOURS + "sensitive data, consent, who could be harmed by which error"]


def _caveats(told: Told, _: Mapping[str, Any]) -> list[str]:
    grave = [f["claim"] for f in told.report.get("findings") or () if f.get("grade") in ("warn", "block")]
    undone = [f"not checked: {c['code']}, {c.get('why_not', '')}" for c in told.report.get("checks") or () if not c.get("ran")]
    named = ", ".join(str(t["column"]) for t in targets(told.report))
    unlike = f"rows unlike the training rows are flagged when {named} is predicted; not flagged is not reliable"
    return [*grave[:8], *undone[:6], unlike, YOURS + "where it is not expected to hold"]


SECTIONS = (("Model details", _details), ("Intended use", _use), ("Factors", _factors), ("Metrics", _metrics),
            ("Evaluation data", _evaluation), ("Training data", _training), ("Quantitative analyses", _analyses),
            ("Ethical considerations", _ethics), ("Caveats and recommendations", _caveats))
