"""What a study's files say to the questions of a checklist: answer, evidence line, and what only a person can add."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.reporting import words
from gnomon.reporting._report import (
    difference_words,
    estimate,
    floor_words,
    judged_pair,
    label_of,
    no_signal_words,
    split_words,
    targets,
)

Report = Mapping[str, Any]
Reply = tuple[str, str, str]  # answer, evidence (file: line), what is left to the person
COPIES = ("LOOK-DUPLICATE", "LOOK-NEAR-DUPLICATE")
CLASSES = 20  # classes whose rows are counted in an answer


@dataclass(frozen=True)
class Facts:
    """What the items ask of a report; each method gives (answer, evidence, what a person must add)."""

    report: Report
    versions: Mapping[str, Any]

    def data(self) -> Mapping[str, Any]:
        return self.report.get("data") or {}

    def split(self) -> Mapping[str, Any]:
        return self.report.get("split") or {}

    def judged(self) -> Mapping[str, Any] | None:
        """The candidate the claim is about."""
        return judged_pair(self.report)[0]

    def scored(self) -> list[Mapping[str, Any]]:
        """The candidates whose validation score is defined."""
        return [c for c in self.report.get("candidates") or () if (c.get("valid") or {}).get("value") is not None]

    def findings(self, *codes: str) -> list[Mapping[str, Any]]:
        return [f for f in self.report.get("findings") or () if f.get("code") in codes]

    def checks(self, *codes: str) -> list[Mapping[str, Any]]:
        return [c for c in self.report.get("checks") or () if c.get("code") in codes]

    # -- goals, data ------------------------------------------------------------------------------------------------

    def yours(self, what: str) -> Reply:
        return "", "", what

    def population(self) -> Reply:
        s = self.split()
        if not s.get("for"):
            return self.yours("name the population the claim is about")
        return f"The score is for: {s['for']}.", f"report.json split.for: {s['for']}", "whether that is the population you mean"

    def dataset(self) -> Reply:
        d = self.data()
        if not d.get("hash"):
            return self.yours("a link or DOI of the data")
        return (f"{words.number(d.get('rows'))} rows, content hash {d['hash']}.", f"report.json data.hash: {d['hash']}",
                "a link or DOI under which these rows can be had")

    def code(self) -> Reply:
        libraries = (self.versions.get("libraries") or {})
        version = self.report.get("version") or libraries.get("gnomon")
        if not version:
            return self.yours("the code and its version")
        return (f"gnomon {version}; plan.toml holds every candidate's settings.", f"report.json version: {version}",
                "a link to code of your own, if any took part")

    def machine(self) -> Reply:
        v, cost = self.versions, self.report.get("cost") or {}
        if not v.get("python"):
            return self.yours("the machine, operating system and software it ran on")
        more = f", {words.duration(cost.get('seconds'))} of work, {words.number(cost.get('peak_mb'))} MB" if cost else ""
        used = ", ".join(f"{name} {version}" for name, version in (v.get("libraries") or {}).items() if version)
        return (f"Python {v['python']} on {v.get('machine', '?')}{more}. {used}".strip(),
                f"versions.json python: {v['python']}, machine: {v.get('machine', '?')}", "processor, memory, operating system")

    def readme(self) -> Reply:
        command = self.versions.get("command")
        if not command:
            return self.yours("a README with the command that repeats the study")
        return f"One command repeats the study: {command}", f"versions.json command: {command}", "a README that says so"

    def script(self) -> Reply:
        seed = self.versions.get("seed")
        if seed is None:
            return self.yours("a script that makes every figure")
        return ("`gnomon replay STUDY` repeats plan.toml from nothing and judges the result.", f"versions.json seed: {seed}",
                "figures made outside the report")

    def outcome(self) -> Reply:
        named = [f"{t['column']} ({t['task']}{', ' + t['unit'] if t.get('unit') else ''})" for t in targets(self.report)]
        if not named:
            return self.yours("the outcome and how it is distributed")
        imbalance = self.findings("LOOK-IMBALANCE")
        more = f" {imbalance[0]['claim']}." if imbalance else ""
        return (f"Target: {', '.join(named)}; its spread is drawn in the report.{more}",
                f"report.json task.targets: {', '.join(named)}", "what it measures and how it was annotated")

    def samples(self) -> Reply:
        n, unit = self.data().get("rows"), self.split().get("unit")
        if n is None:
            return self.yours("how many samples there are, of each class and of how many individuals")
        head = (self.report.get("verdict") or {}).get("headline") or {}
        units = f"; {words.number(head['n_units'])} independent units (unit: {unit}) judged" if head.get("n_units") else ""
        by_class = ", ".join(f"{k} {words.number(v)}" for t in targets(self.report)[:1]
                             for k, v in list((t.get("classes") or {}).items())[:CLASSES])
        return (f"{words.number(n)} rows{f' ({by_class})' if by_class else ''}{units}.", f"report.json data.rows: {n}",
                "" if by_class or not self.classes() else "how many of each class")

    def classes(self) -> bool:
        """Whether the outcome is a class."""
        return any(t.get("task") == "classify" for t in targets(self.report))

    def missing(self) -> Reply:
        found, ran = self.findings("LOOK-MISSING", "LOOK-MISSING-INFORMATIVE"), self.checks("LOOK-MISSING")
        if found:
            return ("; ".join(f["claim"] for f in found[:3]), f"findings.jsonl {found[0]['code']}: {found[0]['claim']}",
                    "why" + (", and the share in each class" if self.classes() else ""))
        if any(c.get("ran") for c in ran):
            return "No column was found to miss values.", "report.json checks LOOK-MISSING: ran", ""
        return self.yours("how much is missing, by variable and class")

    # -- preparation, modelling -------------------------------------------------------------------------------------

    def excluded(self) -> Reply:
        dropped, blank = self.findings("LOOK-CORRUPT"), self.split().get("unlabelled") or 0
        told = [dropped[0]["claim"] if dropped else "",
                f"{words.number(blank)} rows without a target neither train nor judge" if blank else ""]
        said = "; ".join(t for t in told if t)
        evidence = f"findings.jsonl LOOK-CORRUPT: {dropped[0]['claim']}" if dropped else \
            f"report.json split.unlabelled: {blank}"
        return (f"{said}.", evidence, "samples left out before the file was made") if said else \
            self.yours("samples left out before the file was made (gnomon dropped none)")

    def corrupt(self) -> Reply:
        found, ran = self.findings("LOOK-CORRUPT", "LOOK-OUTLIER"), self.checks("LOOK-OUTLIER", "LOOK-CORRUPT")
        if found:
            return found[0]["claim"], f"findings.jsonl {found[0]['code']}: {found[0]['claim']}", "what was done about it"
        if any(c.get("ran") for c in ran):
            code = next(c["code"] for c in ran if c.get("ran"))
            return "No impossible or unreadable value was found.", f"report.json checks {code}: ran", ""
        return self.yours("how impossible values were dealt with")

    def transforms(self) -> Reply:
        best = self.judged()
        if not best:
            return self.yours("what was done to the data before modelling")
        view = (best["recipe"].get("options") or {}).get("view", "standard")
        return (f"Scaling, encoding and feature extraction were fitted on training rows of each fold (view '{view}').",
                f"report.json candidates {best['recipe']['hash']}: method {best['recipe']['method']}, view {view}",
                "what was done before the file was made")

    def models(self) -> Reply:
        kept = [c for c in self.scored() if c.get("family") != "floor"]
        if not kept:
            return self.yours("every model that was trained: inputs, type, loss")
        columns = self.data().get("columns") or ()
        used, aside = ([c["name"] for c in columns if c.get("role") == role] for role in ("input", "ignore"))
        loss = {"classify": "cross-entropy", "regress": "squared error"}.get((self.report.get("task") or {}).get("name"), "")
        deep = f"; networks minimise the {loss}" if loss and any(c["family"] == "deep" for c in kept) else ""
        more = f", {len(aside)} set aside" if aside else ""
        return (f"{len(kept)} models: {', '.join(label_of(c) for c in kept)}; {len(used)} input columns{more}{deep}.",
                f"report.json candidates: recipes {', '.join(c['recipe']['hash'] for c in kept)}",
                "what a reader of your field must know of them")

    def evaluation(self) -> Reply:
        s = self.split()
        if not s.get("policy"):
            return self.yours("how the model was evaluated")
        sizes = s.get("sizes") or {}
        part = split_words(self.report)
        each = f" of {words.number(sizes['train'])} training and {words.number(sizes['valid'])} validation rows" \
            if sizes.get("train") else ""
        each = f" (the first fold{each})" if (s.get("folds") or 1) > 1 and each else each
        return (f"Split by {s['policy']} ({s.get('because', '')}); {words.number(sizes.get('test') or 0)} sealed rows, "
                f"{part}{each}.", f"report.json split.policy: {s['policy']}, split.sizes: {dict(sizes)}", "")

    def selection(self) -> Reply:
        kept = self.scored()
        v = self.report.get("verdict") or {}
        if not kept or not v.get("chosen_on_validation"):
            return self.yours("how the model was chosen")
        return (f"{len(kept)} candidates were scored on validation rows; the best was fixed before it was judged.",
                f"report.json verdict.chosen_on_validation: {v['chosen_on_validation']}", "")

    def tuning(self) -> Reply:
        kept = self.scored()
        if not kept:
            return self.yours("how settings were chosen")
        shown = "; ".join(f"{label_of(c)} {(c['recipe'].get('options') or {})}" for c in kept[:8])
        return (f"Settings of each candidate: {shown}.", f"plan.toml [[candidate]]: {len(kept)} candidates",
                "which other values were tried before this study")

    def baselines(self) -> Reply:
        kept = self.scored()
        simple = [label_of(c) for c in kept if c.get("family") == "simple"]
        floors = [c for c in kept if c.get("family") == "floor"]
        if not floors:
            return self.yours("the baselines")
        least = _upper(", ".join(map(floor_words, floors)))
        return (f"{least} and {', '.join(simple) or 'no simple model'}, on the same folds.",
                "report.json candidates: " + ", ".join(f"{label_of(c)} {c['valid']['value']:.4g}" for c in floors),
                "the field's own best published method, and that it was tuned as well")

    # -- leakage, uncertainty, limits -------------------------------------------------------------------------------

    def separation(self) -> Reply:
        sizes, openings = self.split().get("sizes") or {}, (self.report.get("ledger") or {}).get("test_openings")
        yours = "steps done over all rows before the file was made"
        if not self.judged() or not sizes or openings is None:
            return self.yours("how training and test rows were kept apart")
        if sizes.get("test"):
            return (f"{words.number(sizes['test'])} rows were sealed and opened {openings} time{'s' * (openings != 1)}; "
                    "split.parquet names the rows that trained.",
                    f"report.json ledger.test_openings: {openings}", yours)
        return (f"No part was sealed: each row was scored by models that were fitted without it ({split_words(self.report)}); "
                "split.parquet names the rows that trained in each fold.",
                f"report.json split.sizes: {dict(sizes)}, folds: {self.split().get('folds')}", yours)

    def duplicates(self) -> Reply:
        copies = self.findings(*COPIES)
        found = [*copies, *self.findings("LOOK-GROUP")]
        ran = [c["code"] for c in self.checks(*COPIES, "LOOK-GROUP") if c.get("ran")]
        if not (found or ran):
            return self.yours("how dependencies and duplicates were handled")
        evidence = f"findings.jsonl {found[0]['code']}: {found[0]['claim']}" if found else f"report.json checks {ran[0]}: ran"
        said = "; ".join(f["claim"] + (f" ({_done(f)})" if _done(f) else "") for f in found[:3]) or \
            "No duplicate or group was found"
        unit = self.split().get("unit") or "row"
        across = any(_done(f) and not _done(f).startswith("kept together") for f in copies)
        kept = f" Rows of one {unit} are never on both sides." if unit != "row" and not across else ""
        return f"{said}.{kept}", evidence, "dependencies that no column shows"

    def legitimacy(self) -> Reply:
        found, ran = self.findings("LOOK-LEAK"), [c for c in self.checks("LOOK-LEAK") if c.get("ran")]
        if not (found or ran):
            return self.yours("why each input would be known at prediction")
        said = found[0]["claim"] if found else "No input was found that gives the target away"
        return (f"{said}.", f"findings.jsonl LOOK-LEAK: {found[0]['claim']}" if found else "report.json checks LOOK-LEAK: ran",
                "why each input would be known at prediction")

    def metrics(self) -> Reply:
        named = [words.metric_name(t["metric"]) for t in targets(self.report)]
        if not named:
            return self.yours("which scores, and why these")
        return f"Headline: {named[0]}. {words.metric_means(targets(self.report)[0]['metric'])}", \
            f"report.json task.targets[0].metric: {targets(self.report)[0]['metric']}", "why this score fits the use"

    def uncertainty(self) -> Reply:
        head = (self.report.get("verdict") or {}).get("headline") or {}
        e = estimate(head)
        if not e or head.get("low") is None:
            return self.yours("intervals of the score")
        return (f"{e['metric_name']} {e['value_text']} [{e['low_text']}, {e['high_text']}], {head['level']:.0%}, by "
                f"{head.get('method') or head['estimator']}, over {head['n_units']} units.",
                f"report.json verdict.headline: {head['value']:.4g} [{head['low']:.4g}, {head['high']:.4g}]", "")

    def tests(self) -> Reply:
        d = (self.report.get("verdict") or {}).get("difference") or {}
        if d.get("p") is None:
            return self.yours("the test, and why it fits")
        assumes = f" It assumes: {self.split()['assumes']}." if self.split().get("assumes") else ""
        return (f"{no_signal_words(self.report)} {difference_words(self.report)}{assumes}".strip(),
                f"report.json verdict.difference.test: {d['test']}", "whether what it assumes holds")

    def external(self) -> Reply:
        if self.split().get("policy") == "external":
            return (f"Judged on another source: {self.split().get('for', '')}.", "report.json split.policy: external",
                    "whether that source stands for other settings")
        return self.yours("evidence from another site, time or source (gnomon study ... --test FILE)")

    def limits(self) -> Reply:
        s, grave = self.split(), [f for f in self.report.get("findings") or () if f.get("grade") in ("warn", "block")]
        if not s.get("for"):
            return self.yours("where the result is not expected to hold")
        evidence = f"findings.jsonl {grave[0]['code']}: {grave[0]['claim']}" if grave else f"report.json split.for: {s['for']}"
        said = "; ".join(f["claim"] for f in grave[:3]) or f"Tested only for: {s['for']}"
        return said, evidence, "where you do not expect it to hold"


def _done(f: Mapping[str, Any]) -> str:
    """What was done about a finding."""
    return str((f.get("action") or {}).get("done") or "")


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
