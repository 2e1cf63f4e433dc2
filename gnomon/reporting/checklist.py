"""The REFORMS and DOME checklists, answered from the study where its files hold the evidence.

Each automatic answer quotes the line it rests on. What a person decided or must state (why this population, where the
specimens came from, what was filtered before the file was made) is never answered here: it is marked "needs you", with
what the study can contribute beside it. References: Kapoor et al. 2024, Science Advances 10, eadk3452 (32 items in eight
modules); Walsh et al. 2021, Nature Methods 18 (21 items in four parts). Items are put in our own words. Number and meaning
were checked item by item: REFORMS 1a-3d against the paper's Table 1 (PMC11092361), every item against the titles and
guidelines of its template; DOME against the questions of its authors' YAML file, version 1.0, which does not number them:
the numbers here count its parts and their items in order.
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
    "Study goals", "Computational reproducibility", "Data quality", "Data preprocessing", "Modelling", "Data leakage",
    "Metrics and uncertainty", "Generalisability and limitations")
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
    ("3e", QUALITY, "How many samples are there, of each class, and of how many individuals?", Told.samples),
    ("3f", QUALITY, "What share of each input is missing, in each class of the outcome?", Told.missing),
    ("3g", QUALITY, "Why does the sampling frame (3b) represent the population of the claim (1a)?",
     you("why the frame represents that population")),
    ("4a", PREPARE, "Were samples left out, and why?", Told.excluded),
    ("4b", PREPARE, "What was done with impossible or corrupt samples?", Told.corrupt),
    ("4c", PREPARE, "How did the raw data become what the model reads, step by step?", Told.transforms),
    ("5a", MODELLING, "Which models were trained, all of them: inputs, type, loss?", Told.models),
    ("5b", MODELLING, "Why models of these types?", you("why these types of model (plan.toml: each one's reason)")),
    ("5c", MODELLING, "How were they evaluated, on what parts or folds?", Told.evaluation),
    ("5d", MODELLING, "How was the reported model selected?", Told.selection),
    ("5e", MODELLING, "How were its hyperparameters tuned, among which values?", Told.tuning),
    ("5f", MODELLING, "Are the baselines apt, and tuned as well?", Told.baselines),
    ("6a", LEAKAGE, "Did preprocessing and modelling see training rows only?", Told.separation),
    ("6b", LEAKAGE, "How were dependencies and duplicates between training and test rows handled?", Told.duplicates),
    ("6c", LEAKAGE, "Why is each input legitimate, and no stand-in for the outcome?", Told.legitimacy),
    ("7a", NUMBERS, "Which scores, all of them, and does the one that chose suit the task?", Told.metrics),
    ("7b", NUMBERS, "How uncertain are they, and how was that worked out?", Told.uncertainty),
    ("7c", NUMBERS, "Which statistical tests, and do their assumptions hold?", Told.tests),
    ("8a", LIMITS, "What speaks for validity beyond these data?", Told.external),
    ("8b", LIMITS, "Where do you not expect the findings to hold?", Told.limits),
)
DATA, OPTIMISATION, MODEL, EVALUATION = "Data", "Optimisation", "Model", "Evaluation"
DOME: tuple[tuple[str, str, str, Ask], ...] = (
    ("1.1", DATA, "Provenance: what source, how many data points, used before?", Told.provenance),
    ("1.2", DATA, "Splits: how many parts, of how many rows, spread how?", Told.parts),
    ("1.3", DATA, "Redundancy: are the parts independent, how was that enforced?", Told.duplicates),
    ("1.4", DATA, "Are data and splits available?", you("where data and split.parquet are published, and the licence")),
    ("2.1", OPTIMISATION, "Algorithm: of which class, and is it new?", Told.algorithm),
    ("2.2", OPTIMISATION, "Meta-predictions: are other predictors' outputs its inputs?", Told.meta),
    ("2.3", OPTIMISATION, "Encoding: how were the data encoded and preprocessed?", Told.transforms),
    ("2.4", OPTIMISATION, "Parameters: how many has the model, and how was that number chosen?", Told.parameters),
    ("2.5", OPTIMISATION, "Features: how many, and was any selection made on training rows only?", Told.features),
    ("2.6", OPTIMISATION, "Fitting: how were over- and underfitting ruled out?", Told.fitting),
    ("2.7", OPTIMISATION, "Regularisation: what held overfitting back?", Told.regularisation),
    ("2.8", OPTIMISATION, "Are configuration, schedule and model files available?", you("where the study folder is published")),
    ("3.1", MODEL, "Is it a black box or transparent, by which examples?", Told.explained),
    ("3.2", MODEL, "Output: a class or a number?", Told.output),
    ("3.3", MODEL, "Execution: how long does one prediction take?", Told.duration),
    ("3.4", MODEL, "Is the software available, in what form?", you("where the trained model can be had, and the licence")),
    ("4.1", EVALUATION, "How was it evaluated: folds, independent data, new experiments?", Told.evaluation),
    ("4.2", EVALUATION, "Which measures, and are they those of the field?", Told.metrics),
    ("4.3", EVALUATION, "Against which public methods and simpler baselines?", Told.baselines),
    ("4.4", EVALUATION, "Have the measures intervals, and is the claim of superiority significant?", Told.confidence),
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
