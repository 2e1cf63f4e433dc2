"""How to cite: the papers on the cards of what ran, as BibTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.card import Card, catalogue
from gnomon.reporting._report import difference_words, judged_pair, label_of, no_signal_words, openings_of, split_words
from gnomon.values import floor_label

YEAR = re.compile(r"\b(1[89]\d\d|20\d\d)\b")
ARXIV = re.compile(r"arXiv:\s*([\w.\-]+/?\d*)", re.IGNORECASE)
AUTHORED = re.compile(r"(?:van der )?[A-Z][^:()]*? (?:1[89]|20)\d\d\b")  # a paper begins with its authors, then its year
DOI = re.compile(r"\b(10\.\d{4,9}/[^\s,;]+)")

CHECKS: Mapping[str, str] = {  # by code of a check that ran: its card
    "LOOK-DUPLICATE": "duplicates", "LOOK-NEAR-DUPLICATE": "near_duplicates", "LOOK-REPLICATE": "replicates",
    "LOOK-CONFLICT": "replicates", "LOOK-LEAK": "leaks", "LOOK-ID": "identifiers", "LOOK-CONSTANT": "constants",
    "LOOK-MISSING": "missing_values", "LOOK-MISSING-INFORMATIVE": "missing_informative", "LOOK-CENSORED": "censored",
    "LOOK-IMBALANCE": "target_shape", "LOOK-WIDE": "sizes", "LOOK-LABEL": "suspect_labels", "LOOK-OUTLIER": "outliers",
    "LOOK-UNITS": "mixed_units", "LOOK-GROUP": "groups", "LOOK-TIME": "time_order", "LOOK-UNIT-OF-ANALYSIS": "unit_of_analysis",
    "LOOK-DRIFT": "drift", "LOOK-CONFOUND": "confounding", "LOOK-KIND": "kind_doubts", "LOOK-COUNTS": "raw_counts",
    "LOOK-PREPROCESSED": "preprocessed", "LOOK-EVENT": "event_time", "VALID-NO-SIGNAL": "no_signal",
    "VALID-OPTIMISM": "optimism", "VALID-SHIFT": "shift", "VALID-CALIBRATION": "calibration", "VALID-COVERAGE": "conformal",
    "VALID-SUBGROUP": "subgroups", "VALID-STRATUM": "slices", "VALID-SEEDS": "seeds", "VALID-OOD": "ood",
    "VALID-CURVE": "data_size_curve", "VALID-CORRUPTION": "corruptions", "VALID-ATTRIBUTE": "erasure"}
GATES: Mapping[str, str] = {"randomised labels": "randomised_weights", "randomised weights": "randomised_weights",
                            "deletion against random": "deletion_against_random"}


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
    """The cards of the candidates that were trained, the explanations and their gates, the checks that ran, the score and the
    comparison."""
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
    for e in report.get("explanations") or ():
        names |= {str(e.get("technique", "")), *(GATES.get(g.get("name", ""), "") for g in e.get("gates") or ())}
    names |= {str(t.get("task", "")) for t in (report.get("task") or {}).get("targets") or ()}
    names |= _checked(report) | _judged(report)
    return [card for key, card in catalogue().items() if key in names]


def _checked(report: Mapping[str, Any]) -> set[str]:
    """The cards of the checks that ran."""
    checks = list(report.get("checks") or ())
    names = {CHECKS.get(c.get("code", ""), "") for c in checks if c.get("ran")}
    cues = [c.get("ran") for c in checks if c.get("code") == "VALID-SHORTCUT"]
    if any(cues):  # one tried against the trained model takes the place of the search before training
        names.add("shortcut_trials" if all(cues) and report.get("verdict") else "shortcuts")
    return names | ({"optimism"} if (report.get("split") or {}).get("optimism") else set())


def _judged(report: Mapping[str, Any]) -> set[str]:
    """The cards of the headline, its interval, the comparison and its margin."""
    verdict = report.get("verdict") or {}
    head, gap = verdict.get("headline") or {}, verdict.get("difference") or {}
    told = {"bbc_cv": head.get("estimator") == "bbc_cv", "interval": head.get("low") is not None,
            "compare": gap.get("p") is not None, "margin": gap.get("margin") is not None}
    return {key for key, done in told.items() if done}


def papers(text: str) -> list[str]:
    """The papers of a card's line, separated by semicolons; "graphs: Pope et al. 2019" without the word in front. What names no
    author and year is none."""
    parts = (re.sub(r"^[^\d:(]*:\s+", "", part.strip()) for part in text.split(";"))
    return [part for part in parts if AUTHORED.match(part)]


def bibtex(paper: str, card: Card) -> str:
    """`Guo et al. 2017, arXiv:1706.04599` as an entry. Cards hold no titles: the note carries the card's own line."""
    found = YEAR.search(paper)
    year = found.group(1) if found else ""
    names = paper[: found.start()].strip(" ,(") if found else paper
    authors = [name for name in re.split(r"\s*(?:&|,)\s*|\s+(?=et al)", names) if name]
    first = re.sub(r"[^a-z]", "", authors[0].lower()) if authors else ""
    fields = {
        "author": " and ".join(_surname(name) for name in authors),
        "year": year,
        "note": paper.replace("&", r"\&").replace("%", r"\%"),
        "keywords": card.name,
    }
    if m := ARXIV.search(paper):
        fields |= {"eprint": m.group(1), "archiveprefix": "arXiv"}
    if m := DOI.search(paper):
        fields["doi"] = m.group(1)
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items() if value)
    return f"@misc{{{first or 'anonymous'}{year}{card.key.replace('_', '')},\n{body}}}"


def _surname(name: str) -> str:
    """A surname as BibTeX reads it: of several words ("Van Calster") in braces, "et al." as "others"."""
    return "others" if name.startswith("et al") else f"{{{name}}}" if " " in name else name


def bibliography(entries: Iterable[Citation]) -> str:
    """All entries as one BibTeX file."""
    return "\n\n".join(entry.bibtex for entry in entries)


def methods_paragraph(report: Mapping[str, Any], versions: Mapping[str, Any] | None = None) -> str:
    """What was done, as a paragraph for a paper: split, candidates, choice, judgement, comparison, with the cards' papers."""
    tried = [c for c in report.get("candidates") or () if c.get("valid") and c.get("family") != "floor"]
    split, data = report.get("split") or {}, report.get("data") or {}
    if not tried or not split.get("policy"):
        return ""
    targets = report["task"]["targets"]
    aim = " and ".join(f"'{t['column']}'" for t in targets)
    version = report.get("version") or ((versions or {}).get("libraries") or {}).get("gnomon", "")
    floors = [c for c in report.get("candidates") or () if c.get("valid") and c.get("family") == "floor"]
    known = "; ".join(dict.fromkeys(floor_label(c["recipe"].get("options") or {}) for c in floors))
    beside = f", beside {'floors' if len(floors) > 1 else 'a floor'} ({known})" \
        if known else ""
    return " ".join([
        f"We used gnomon {version} to predict {aim} from {data.get('rows', 0):,} rows.",
        f"Rows were split by {split['policy']} ({split.get('because', '')}); {_sealed(report)}. "
        f"Candidates were scored by {split_words(report)}.",
        f"We trained {_listed(list(dict.fromkeys(map(_cited, tried))))}{beside}.",
        "Scaling, encoding and features were fitted on training rows only.",
        f"The headline score is {targets[0]['metric'].replace('_', ' ')}.",
        *_result(report), *_explained(report)])


def _sealed(report: Mapping[str, Any]) -> str:
    """What was held back, and how often it was opened."""
    sealed, openings = ((report.get("split") or {}).get("sizes") or {}).get("test") or 0, openings_of(report)
    if not sealed:
        return "no part was sealed at this size"
    if openings > 1:
        return f"{sealed:,} rows were sealed, and have been opened {openings} times for different models"
    return f"{sealed:,} rows were sealed until the end"


def _result(report: Mapping[str, Any]) -> list[str]:
    """Which model was chosen and which is recommended, the score of whichever it is, and the comparison."""
    head = (report.get("verdict") or {}).get("headline") or {}
    scored, chosen = judged_pair(report)
    out = [no_signal_words(report)]
    if scored and head.get("low") is not None:
        who = f"{label_of(scored)}, the model chosen on validation rows," if scored is chosen else \
            f"{label_of(chosen)} was chosen on validation rows; {label_of(scored)}, the simpler, is recommended and" if chosen \
            else label_of(scored)
        out.append(f"{who} was scored {_where(report)}: {head['value']:.3g} ({head['level']:.0%} interval "
                   f"{head['low']:.3g} to {head['high']:.3g}, {head.get('method') or head['estimator']}, "
                   f"{head['n_units']} units).")
    return [text[:1].upper() + text[1:] for text in (*out, difference_words(report)) if text]


def _where(report: Mapping[str, Any]) -> str:
    if not ((report.get("split") or {}).get("sizes") or {}).get("test"):
        return "on rows left out of its training"
    openings = openings_of(report)
    return "once on the sealed rows" if openings <= 1 else \
        f"on sealed rows that had been opened before ({openings} openings: the score is a little too good)"


def _explained(report: Mapping[str, Any]) -> list[str]:
    """The explanations shown: those that passed gates, and those that were put to none."""
    shown = [e for e in report.get("explanations") or () if not e.get("withheld")]
    gated, free = ([_named(str(e["technique"])) for e in shown if bool(e.get("gates")) is has] for has in (True, False))
    return [*([f"Explanations by {_listed(gated)} passed their gates."] if gated else []),
            *([f"Explanations by {_listed(free)} were put to no gate."] if free else [])]


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
