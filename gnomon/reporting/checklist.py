"""The REFORMS and DOME checklists, answered from the study where its files hold the evidence.

Each automatic answer quotes the line it rests on. What a person decided or must state (why this population, where the
specimens came from, what was filtered before the file was made) is never answered here: it is marked "needs you", with
what the study can contribute beside it. References: Kapoor et al. 2024, Science Advances 10, eadk3452 (32 items in eight
modules); Walsh et al. 2021, Nature Methods 18 (21 items in four parts). Items are put in our own words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.reporting._checklist_dome import Told
from gnomon.reporting._checklist_facts import Reply, Report

ANSWERED, PARTLY, YOURS = "answered", "partly", "needs you"
Ask = Callable[[Told], Reply]


def you(what: str) -> Ask:
    """An item that only a person can answer."""
    return lambda facts: facts.yours(what)


GOALS, REPRODUCE, QUALITY, PREPARE, MODELLING, LEAKAGE, NUMBERS, LIMITS = (
    "Study goals", "Computational reproducibility", "Data quality", "Data preparation", "Modelling", "Data leakage",
    "Metrics and uncertainty", "Generalisability and limits")
REFORMS: tuple[tuple[str, str, str, Ask], ...] = (
    ("1a", GOALS, "Which population or distribution is the claim about?", Told.population),
    ("1b", GOALS, "Why that population?", you("why you chose this population")),
    ("1c", GOALS, "Why machine learning for this question?", you("why a model is needed, and not a simpler analysis")),
    ("2a", REPRODUCE, "Which data, exactly, and where can they be had?", Told.dataset),
    ("2b", REPRODUCE, "Which code, exactly, and where can it be had?", Told.code),
    ("2c", REPRODUCE, "On what machine and software did it run?", Told.machine),
    ("2d", REPRODUCE, "Are there instructions to make the results again?", Told.readme),
    ("2e", REPRODUCE, "Is there a script that makes every result?", Told.script),
    ("3a", QUALITY, "Where do the data come from, when, and who labelled them how?", you("source, time, annotation")),
    ("3b", QUALITY, "From which frame were the specimens drawn?", you("the sampling frame")),
    ("3c", QUALITY, "Why do these data suit the question?", you("why these data answer the question")),
    ("3d", QUALITY, "What is the outcome, and how is it spread?", Told.outcome),
    ("3e", QUALITY, "How many samples are there, by part and class?", Told.sizes),
    ("3f", QUALITY, "What is missing, and does it depend on the outcome?", Told.missing),
    ("3g", QUALITY, "Do the judged data represent the population?", Told.representative),
    ("4a", PREPARE, "What was left out, and why?", Told.excluded),
    ("4b", PREPARE, "What was done with impossible or corrupt samples?", Told.corrupt),
    ("4c", PREPARE, "How were the data transformed before modelling?", Told.transforms),
    ("5a", MODELLING, "What is the model: inputs, outputs, settings?", Told.model),
    ("5b", MODELLING, "Why models of this kind?", you("why these kinds of model (plan.toml: each one's reason)")),
    ("5c", MODELLING, "How were its predictions evaluated?", Told.evaluation),
    ("5d", MODELLING, "How was one model chosen among others?", Told.selection),
    ("5e", MODELLING, "How were its settings chosen?", Told.tuning),
    ("5f", MODELLING, "Against which baselines does it stand?", Told.baselines),
    ("6a", LEAKAGE, "Were training and test rows kept apart in every step?", Told.separation),
    ("6b", LEAKAGE, "How were dependencies and duplicates between them handled?", Told.duplicates),
    ("6c", LEAKAGE, "Is every input legitimate, i.e. known at prediction?", Told.legitimacy),
    ("7a", NUMBERS, "Which scores, and why these?", Told.metrics),
    ("7b", NUMBERS, "How uncertain are they?", Told.uncertainty),
    ("7c", NUMBERS, "Which statistical tests, and do they fit?", Told.tests),
    ("8a", LIMITS, "What speaks for validity outside these data?", Told.external),
    ("8b", LIMITS, "Where should the result not be expected to hold?", Told.limits),
)
DATA, OPTIMISATION, MODEL, EVALUATION = "Data", "Optimisation", "Model", "Evaluation"
DOME: tuple[tuple[str, str, str, Ask], ...] = (
    ("1.1", DATA, "Provenance: where do the data come from, how many of each class?", you("source, earlier uses")),
    ("1.2", DATA, "Splits: how many rows in each part, are they alike?", Told.sizes),
    ("1.3", DATA, "Redundancy: are the parts independent, how was that enforced?", Told.duplicates),
    ("1.4", DATA, "Are data and splits available?", you("where data and split.parquet are published, and the licence")),
    ("2.1", OPTIMISATION, "Which algorithm, and is it new?", Told.model),
    ("2.2", OPTIMISATION, "Does it use other predictors' outputs?", Told.meta),
    ("2.3", OPTIMISATION, "How are the data encoded?", Told.transforms),
    ("2.4", OPTIMISATION, "How many parameters, and how were they chosen?", Told.tuning),
    ("2.5", OPTIMISATION, "How many features, was any selection inside training rows?", Told.features),
    ("2.6", OPTIMISATION, "How were over- and underfitting ruled out?", Told.fitting),
    ("2.7", OPTIMISATION, "Which regularisation?", Told.regularisation),
    ("2.8", OPTIMISATION, "Are settings, files and schedule available?", you("where the study folder is published")),
    ("3.1", MODEL, "Is it interpretable, by what?", Told.explained),
    ("3.2", MODEL, "What does it put out?", Told.output),
    ("3.3", MODEL, "How long does it take?", Told.duration),
    ("3.4", MODEL, "Is the software available?", you("where the trained model can be had, and the licence")),
    ("4.1", EVALUATION, "How was it evaluated?", Told.evaluation),
    ("4.2", EVALUATION, "Which measures?", Told.metrics),
    ("4.3", EVALUATION, "Against which methods, simple ones among them?", Told.baselines),
    ("4.4", EVALUATION, "How sure are the figures, is the difference significant?", Told.uncertainty),
    ("4.5", EVALUATION, "Are the raw evaluation files available?", you("where judged.parquet or the like is published")),
)


@dataclass(frozen=True)
class Item:
    """One item. state: "answered" (by evidence), "partly" (evidence, and a person must add), "needs you"."""

    list: str
    number: str
    part: str
    asks: str
    state: str
    answer: str = ""
    evidence: str = ""
    yours: str = ""


def checklist(report: Report, versions: Mapping[str, Any] | None = None) -> list[Item]:
    """All 32 + 21 items. A design choice is never answered yes by itself: at most what was done is quoted."""
    facts = Told(report, versions or {})
    return [_item(name, row, facts) for name, rows in (("REFORMS", REFORMS), ("DOME", DOME)) for row in rows]


def _item(name: str, row: tuple[str, str, str, Ask], facts: Told) -> Item:
    number, part, asks, reply = row
    answer, evidence, yours = reply(facts)
    state = YOURS if not evidence else PARTLY if yours else ANSWERED
    return Item(name, number, part, asks, state, answer, evidence, yours)


def counts(items: Sequence[Item]) -> dict[str, int]:
    """How many of each state."""
    return {state: sum(i.state == state for i in items) for state in (ANSWERED, PARTLY, YOURS)}


def as_markdown(items: Sequence[Item]) -> str:
    """checklist.md: what is answered with its evidence, and a line to fill in for the rest."""
    lines = ["# Checklists", "", "Answers quote the line of the study they rest on. Lines that begin with `needs you` are for "
             "a person: gnomon does not see how specimens were chosen, or what was filtered, normalised or imputed before the "
             "file was made.", ""]
    for name, title in (("REFORMS", "REFORMS (Kapoor et al. 2024)"), ("DOME", "DOME (Walsh et al. 2021)")):
        mine = [i for i in items if i.list == name]
        done = counts(mine)
        lines += [f"## {title}", "", f"{len(mine)} items: " + ", ".join(f"{n} {state}" for state, n in done.items()), ""]
        part = ""
        for item in mine:
            if item.part != part:
                part = item.part
                lines += [f"### {part}", ""]
            lines.append(f"- **{item.number} {item.asks}**")
            if item.evidence:
                lines.append(f"  {item.answer}  \n  evidence: `{item.evidence.replace('`', chr(39))}`")
            if item.yours:
                lines.append(f"  needs you: {item.yours}: ...")
        lines.append("")
    return "\n".join(lines) + "\n"


def checklist_section(report: Report, versions: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """Both lists for the page: title, items by part, and how many of each state."""
    items = checklist(report, versions)
    out = []
    for name, title in (("REFORMS", "REFORMS"), ("DOME", "DOME")):
        mine = [i for i in items if i.list == name]
        parts = [{"part": p, "items": [i for i in mine if i.part == p]} for p in dict.fromkeys(i.part for i in mine)]
        out.append({"title": title, "counts": counts(mine), "n": len(mine), "parts": parts})
    return out


def write_unless_edited(path: Path, text: str, write: Callable[[Path, str], Any]) -> None:
    """Write `text`, unless a person changed the file since: then the new text goes to `NAME.new.md` beside it.

    The first line carries the hash of what follows it, by which an edit is seen.
    """
    if path.exists():
        head, _, body = path.read_text(encoding="utf-8", errors="replace").partition("\n")
        if head != _mark(body):
            path = path.with_name(path.stem + ".new" + path.suffix)
    write(path, f"{_mark(text)}\n{text}")


def _mark(text: str) -> str:
    return f"<!-- written by gnomon, {hashlib.sha256(text.encode()).hexdigest()[:16]} -->"
