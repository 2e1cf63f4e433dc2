"""Checklists and model card: the right items, evidence for every automatic answer, and a person's words left alone."""

from __future__ import annotations

import copy
import json
import re
from collections import Counter

import pytest

from gnomon.card import catalogue
from gnomon.codes import FINDINGS
from gnomon.reporting._checklist_dome import Told
from gnomon.reporting.checklist import ANSWERED, PARTLY, YOURS, as_markdown, checklist, counts, write_unless_edited
from gnomon.reporting.citations import CHECKS, GATES, bibtex, citations, methods_paragraph, papers, ran
from gnomon.reporting.model_card import SECTIONS, model_card
from gnomon.reporting.page import write_page


@pytest.fixture(scope="module")
def report(studies):
    return json.loads((studies["concrete"] / "report.json").read_text())


DESIGN = {"1b", "1c", "3a", "3b", "3c", "3g", "5b"}  # choices that no file shows


def test_both_lists_have_their_number_of_items_and_modules(report):
    items = checklist(report)
    assert Counter(i.list for i in items) == {"REFORMS": 32, "DOME": 21}
    per = Counter((i.list, int(i.number[0])) for i in items)
    assert [per["REFORMS", m] for m in range(1, 9)] == [3, 5, 7, 3, 6, 3, 3, 2]
    assert [per["DOME", m] for m in range(1, 5)] == [4, 8, 4, 5]
    assert len({(i.list, i.number) for i in items}) == 53


def test_every_answer_quotes_evidence_and_design_choices_are_never_answered(report):
    for i in checklist(report, {"command": "gnomon study x.csv", "seed": 0, "python": "3.11", "machine": "x86_64"}):
        assert bool(i.answer) == bool(i.evidence) == (i.state != YOURS)
        assert i.state == ANSWERED or i.yours
        if i.list == "REFORMS" and i.number in DESIGN:
            assert i.state == YOURS
    assert counts(checklist(report))[ANSWERED] >= 9


def test_the_evidence_stands_in_the_study(report):
    items = {(i.list, i.number): i for i in checklist(report)}
    assert report["data"]["hash"] in items["REFORMS", "2a"].evidence
    head = report["verdict"].get("headline")
    if head and head["low"] is not None:
        assert f"{head['low']:.4g}" in items["REFORMS", "7b"].evidence
    for i in items.values():
        if i.evidence.startswith("findings.jsonl"):
            assert any(f["claim"] in i.evidence for f in report["findings"])


def test_what_the_study_did_not_measure_is_left_to_a_person(report):
    bare = copy.deepcopy(report)
    bare["findings"], bare["checks"] = [], []
    by = {(i.list, i.number): i for i in checklist(bare)}
    assert {by["REFORMS", n].state for n in ("3f", "4a", "4b", "6b", "6c")} == {YOURS}
    assert all(i.state == YOURS for i in checklist({}))


def test_the_card_has_nine_sections_each_with_something_open(report):
    card = model_card(report)
    assert [s.title for s in card] == [title for title, _ in SECTIONS] and len(card) == 9
    assert all(s.open for s in card if s.title != "Quantitative analyses")


def test_what_a_person_wrote_is_not_overwritten(tmp_path):
    path, write = tmp_path / "checklist.md", lambda p, t: p.write_text(t)
    write_unless_edited(path, "one\n", write)
    write_unless_edited(path, "two\n", write)
    assert path.read_text().endswith("two\n") and not (tmp_path / "checklist.new.md").exists()
    path.write_text(path.read_text().replace("two", "two, by me"))
    write_unless_edited(path, "three\n", write)
    assert "by me" in path.read_text() and "three" in (tmp_path / "checklist.new.md").read_text()


def test_the_page_shows_them_folded_and_the_files_are_written(studies, report):
    html = write_page(studies["concrete"]).read_text()
    assert "REFORMS: 32 items" in html and "DOME: 21 items" in html and "Model card" in html
    assert "Methods paragraph" in html
    text = (studies["concrete"] / "checklist.md").read_text()
    assert text.count("- **") == 53 and "needs you" in text and (studies["concrete"] / "model_card.md").exists()
    assert as_markdown(checklist(report)).count("evidence: `") == sum(i.state in (ANSWERED, PARTLY) for i in checklist(report))


def test_the_methods_paragraph_cites_what_ran(report):
    text = methods_paragraph(report)
    assert report["split"]["policy"] in text and "Breiman 2001" in text
    assert "beside a floor (knowing nothing)" in text
    assert methods_paragraph({}) == ""
    assert any("Breiman" in c.bibtex for c in citations(report))


def told(report, **verdict):
    """The study with some of its verdict set otherwise."""
    other = copy.deepcopy(report)
    other["verdict"] |= verdict
    return other


def test_the_methods_paragraph_names_folds_and_repeats(report):
    crossed = copy.deepcopy(report)
    crossed["split"] |= {"folds": 15, "repeats": 3, "sizes": {"train": 160, "valid": 40, "test": 0}}
    assert "scored by 5-fold cross-validation, repeated 3 times." in methods_paragraph(crossed)
    items = {(i.list, i.number): i.answer for i in checklist(crossed)}
    for key in (("REFORMS", "5c"), ("DOME", "1.2"), ("DOME", "4.1")):
        assert "5-fold cross-validation, repeated 3 times" in items[key] and "15" not in items[key]


def test_the_methods_paragraph_says_which_model_was_scored_and_how_often_the_test_was_opened(report):
    assert "once on the sealed rows" in methods_paragraph(report)
    again = copy.deepcopy(report)
    again["ledger"]["test_openings"] = 2
    text = methods_paragraph(again)
    assert "once on the sealed" not in text and "opened 2 times" in text and "a little too good" in text
    able = [c for c in report["candidates"] if c["family"] != "floor"]
    first, second = able[0], able[1]
    text = methods_paragraph(told(report, chosen_on_validation=first["recipe"]["hash"], recommended=second["recipe"]["hash"],
                                  against=first["recipe"]["hash"]))
    said = f"{first['label']} was chosen on validation rows; {second['label']}, the simpler, is recommended and was scored once"
    assert said.lower() in text.lower()


def test_no_signal_is_said_with_the_test_that_decided(report):
    floor = next(c["recipe"]["hash"] for c in report["candidates"] if c["family"] == "floor")
    chosen = next(c["recipe"]["hash"] for c in report["candidates"] if c["family"] == "simple")
    gap = {"value": -0.017, "low": -0.027, "high": -0.009, "level": 0.95, "p": 0.0005, "test": "sign-flip", "margin": None}
    none = told(report, outcome="no-signal", recommended=None, chosen_on_validation=chosen, against=floor, difference=gap)
    none["findings"] = [{"code": "VALID-NO-SIGNAL", "grade": "block", "claim": "No signal detectable.",
                         "values": {"p": 0.998, "test": "permutation"}}]
    items = {(i.list, i.number): i for i in checklist(none)}
    for said in (methods_paragraph(none), items["REFORMS", "7c"].answer, items["DOME", "4.4"].answer):
        assert "No model beat the floor" in said and "permutation, one-sided p = 0.998" in said
        assert "worse by 0.017 (95% interval 0.009 to 0.027), p = 0.0005; this comparison did not decide" in said


def test_gates_and_floors_are_told_as_they_were(report):
    study = copy.deepcopy(report)
    study["explanations"] = [{"technique": "permutation_importance", "gates": [], "withheld": False},
                             {"technique": "tree_shap", "gates": [{"name": "randomised labels"}], "withheld": False}]
    next(c for c in study["candidates"] if c["family"] == "floor")["recipe"]["options"] = {"by": "site"}
    text = methods_paragraph(study)
    assert "tree SHAP (Lundberg et al. 2020, Nature Machine Intelligence 2) passed their gates" in text.replace("Tree", "tree")
    assert "ermutation importance (Breiman 2001, Machine Learning 45) were put to no gate" in text
    assert "knowing only 'site'" in text
    items = {(i.list, i.number): i.answer for i in checklist(study)}
    assert "knowing only 'site'" in items["REFORMS", "5f"] and "knowing only 'site'" in items["DOME", "4.3"]


def test_every_paper_of_every_card_has_authors_and_a_year():
    """A law: BibTeX authors begin with a capital (or a "van der"), hold no colon or bracket; keys differ."""
    keys = []
    for card in catalogue().values():
        found = papers(card.paper)
        assert found and len(found) == len(card.paper.split(";")), card.key
        for paper in found:
            entry = bibtex(paper, card)
            author = re.search(r"author = \{(.*)\},", entry)[1]
            assert re.fullmatch(r"[^:()\"]*", author) and len(author) < 90, (card.key, author)
            assert all(re.match(r"\{?(van der )?[A-Z]|others$", name) for name in author.split(" and ")), (card.key, author)
            assert len(re.findall(r"\bet al\b", paper)) <= 1 and "year = " in entry
            keys.append(entry.partition(",")[0])
    assert len(keys) == len(set(keys))


def test_words_before_a_paper_are_no_author():
    assert papers("A 2001, JRSS B 34(2):187; graphs: Pope et al. 2019, CVPR; standard; equals it (Lee 2017)") == [
        "A 2001, JRSS B 34(2):187", "Pope et al. 2019, CVPR"]
    card = catalogue()["calibration"]
    assert "author = {{Van Calster} and others}" in bibtex("Van Calster et al. 2019, BMC", card)


def test_what_ran_is_cited(report):
    study = copy.deepcopy(report)
    codes = ("VALID-NO-SIGNAL", "VALID-CALIBRATION", "LOOK-LABEL", "VALID-OOD", "VALID-SHORTCUT", "VALID-CORRUPTION")
    study["checks"] = [{"code": code, "ran": True} for code in codes] + [{"code": "VALID-SHIFT", "ran": False}]
    study["verdict"] |= {"headline": {**study["verdict"]["headline"], "estimator": "bbc_cv"},
                         "difference": {**study["verdict"]["difference"], "p": 0.01}}
    found = {card.key for card in ran(study)}
    assert {"bbc_cv", "compare", "interval", "calibration", "suspect_labels", "ood", "shortcut_trials", "corruptions",
            "no_signal"} <= found and not {"shift", "shortcuts"} & found
    assert {*CHECKS.values(), *GATES.values()} <= {*catalogue()} and {*CHECKS} <= {*FINDINGS}


def copies(done, unit):
    near = {"code": "LOOK-NEAR-DUPLICATE", "grade": "note", "claim": "10 rows are almost the same as another in 'smiles'",
            "action": {"done": done}}
    return {"findings": [near], "checks": [], "split": {"policy": "column:part", "unit": unit}}


def test_copies_left_across_the_split_are_said_so():
    left = "left as the split has them: 2 judged rows with a copy among the training rows"
    for unit in ("row", "patient"):
        said = Told(copies(left, unit), {}).duplicates()[0]
        assert left in said and "never on both sides" not in said
    kept = "kept together: no copy is on both sides of the split"
    assert "Rows of one patient are never on both sides" in Told(copies(kept, "patient"), {}).duplicates()[0]
    assert "never" not in Told(copies(kept, "row"), {}).duplicates()[0]


def test_evidence_supports_the_answer_or_the_item_needs_you(report):
    study = copy.deepcopy(report)
    best = Told(study, {}).judged()
    best["recipe"] |= {"options": {"view": "standard"}, "steps": 0, "method": "own_fit"}
    items = {(i.list, i.number): i for i in checklist(study)}
    assert items["DOME", "2.7"].state == YOURS and "selected" not in items["DOME", "2.5"].answer
    assert "opened 1 time;" in items["REFORMS", "6a"].answer
    best["recipe"]["options"] = {"view": "standard", "leaf": 5}
    told = {(i.list, i.number): i for i in checklist(study)}["DOME", "2.7"]
    assert told.answer == "Leaf 5." and "'leaf': 5" in told.evidence and "view" not in told.evidence
    study["split"] |= {"folds": 5, "repeats": 1, "sizes": {"train": 80, "valid": 20, "test": 0}}
    study["ledger"]["test_openings"] = 0
    apart = {(i.list, i.number): i for i in checklist(study)}["REFORMS", "6a"]
    assert "test_openings" not in apart.evidence and "fitted without it (5-fold cross-validation)" in apart.answer
