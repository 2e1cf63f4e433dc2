"""How to cite: the papers on the cards of what ran, as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.card import Card, catalogue

YEAR = re.compile(r"\b(1[89]\d\d|20\d\d)\b")
ARXIV = re.compile(r"arXiv:\s*([\w.\-]+/?\d*)", re.IGNORECASE)
DOI = re.compile(r"\b(10\.\d{4,9}/[^\s,;]+)")


@dataclass(frozen=True)
class Citation:
    """One paper behind one technique. `text` as on the card; `bibtex` ready to paste."""

    technique: str
    text: str
    bibtex: str


def citations(report: Mapping[str, Any]) -> list[Citation]:
    """One entry a paper of every card that took part in this study, in the order of the survey's tree."""
    out: dict[str, Citation] = {}
    for card in ran(report):
        for paper in papers(card.paper):
            out.setdefault(paper, Citation(card.name, paper, bibtex(paper, card)))
    return list(out.values())


def ran(report: Mapping[str, Any]) -> list[Card]:
    """The cards named by the candidates that were trained, the explanations, the checks that ran and the split."""
    names: set[str] = set()
    for candidate in report.get("candidates") or ():
        recipe = candidate.get("recipe") or {}
        if candidate.get("valid"):
            names |= {str(recipe.get(k, "")) for k in ("task", "model", "method")}
            names |= {
                str(part)
                for view in (recipe.get("options") or {}).values()
                if isinstance(view, str)
                for part in view.split("+")
            }
    names |= {str(e.get("technique", "")) for e in report.get("explanations") or ()}
    names |= {str(t.get("task", "")) for t in (report.get("task") or {}).get("targets") or ()}
    if (report.get("split") or {}).get("optimism"):
        names.add("optimism")
    return [card for key, card in catalogue().items() if key in names]


def papers(text: str) -> list[str]:
    """The papers of a card's line: separated by semicolons."""
    return [part.strip() for part in text.split(";") if part.strip()]


def bibtex(paper: str, card: Card) -> str:
    """`Guo et al. 2017, arXiv:1706.04599` as an entry. Cards hold no titles: the note carries the card's own line."""
    found = YEAR.search(paper)
    year = found.group(1) if found else ""
    names = paper[: found.start()].strip(" ,(") if found else paper
    authors = re.sub(r"\s+et al\.?", " and others", re.sub(r"\s*(?:&|,)\s*", " and ", names)).strip()
    first = re.sub(r"[^a-z]", "", (authors.split() or ["anonymous"])[0].lower()) or "anonymous"
    fields = {
        "author": authors,
        "year": year,
        "note": paper.replace("&", r"\&").replace("%", r"\%"),
        "keywords": card.name,
    }
    if m := ARXIV.search(paper):
        fields |= {"eprint": m.group(1), "archiveprefix": "arXiv"}
    if m := DOI.search(paper):
        fields["doi"] = m.group(1)
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{{first}{year}{card.key.replace('_', '')},\n{body}}}"


def bibliography(entries: Iterable[Citation]) -> str:
    """All entries as one BibTeX file."""
    return "\n\n".join(entry.bibtex for entry in entries)
