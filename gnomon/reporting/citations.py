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


def methods_paragraph(report: Mapping[str, Any], versions: Mapping[str, Any] | None = None) -> str:
    """What was done, as a paragraph for a paper: split, candidates, choice, judgement, comparison, with the cards' papers."""
    tried = [c for c in report.get("candidates") or () if c.get("valid") and c.get("family") != "floor"]
    split, data = report.get("split") or {}, report.get("data") or {}
    if not tried or not split.get("policy"):
        return ""
    targets, folds = report["task"]["targets"], split.get("folds") or 1
    aim = " and ".join(f"'{t['column']}'" for t in targets)
    sealed = (split.get("sizes") or {}).get("test") or 0
    kept = f"{sealed:,} rows were sealed until the end" if sealed else "no part was sealed at this size"
    scored = f"{folds}-fold cross-validation" if folds > 1 else "a validation part"
    version = report.get("version") or ((versions or {}).get("libraries") or {}).get("gnomon", "")
    return " ".join([
        f"We used gnomon {version} to predict {aim} from {data.get('rows', 0):,} rows.",
        f"Rows were split by {split['policy']} ({split.get('because', '')}); {kept}. Candidates were scored by {scored}.",
        f"We trained {_listed(list(dict.fromkeys(map(_cited, tried))))}, and a floor that knows only the training targets.",
        "Scaling, encoding and features were fitted on training rows only.",
        f"The headline score is {targets[0]['metric'].replace('_', ' ')}.",
        *_result(report, sealed > 0), *_explained(report)])


def _result(report: Mapping[str, Any], sealed: bool) -> list[str]:
    """The score and the comparison, each with its interval."""
    verdict, out = report.get("verdict") or {}, []
    head, gap = verdict.get("headline") or {}, verdict.get("difference") or {}
    if head.get("low") is not None:
        where = "scored once on the sealed rows" if sealed else "scored on rows left out of its training"
        out.append(f"The model chosen on validation rows was {where}: {head['value']:.3g} ({head['level']:.0%} interval "
                   f"{head['low']:.3g} to {head['high']:.3g}, {head.get('method') or head['estimator']}, "
                   f"{head['n_units']} units).")
    if gap.get("p") is not None:
        out.append(f"It was compared with the other candidate fixed beforehand on the same units by {gap['test']}: difference "
                   f"{gap['value']:.3g} ({gap['low']:.3g} to {gap['high']:.3g}, p = {gap['p']:.2g}).")
    return out


def _explained(report: Mapping[str, Any]) -> list[str]:
    shown = [str(e["technique"]) for e in report.get("explanations") or () if not e.get("withheld")]
    return [f"Explanations by {_listed([_named(t) for t in shown])} passed their gates."] if shown else []


def _cited(candidate: Mapping[str, Any]) -> str:
    """`random forest (Breiman 2001)`, with the method where it is not the usual one."""
    recipe = candidate["recipe"]
    method = recipe.get("method", "")
    more = f" trained by {_named(method)}" if method not in ("own_fit", "supervised", "caruana", "naive") else ""
    return _named("caruana" if candidate.get("family") == "ensemble" else recipe["model"]) + more


def _named(key: str) -> str:
    """A card's name and first paper."""
    card = catalogue().get(key)
    if card is None:
        return key
    paper = re.sub(r",? (arXiv|doi).*", "", papers(card.paper)[0])
    name = card.name if card.name[:2].isupper() else card.name[:1].lower() + card.name[1:]
    return f"{name} ({paper})"


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]
