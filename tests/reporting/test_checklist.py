"""Checklists and model card: the right items, evidence for every automatic answer, and a person's words left alone."""

from __future__ import annotations

import copy
import json
from collections import Counter

import pytest

from gnomon.reporting.checklist import ANSWERED, PARTLY, YOURS, as_markdown, checklist, counts, write_unless_edited
from gnomon.reporting.citations import citations, methods_paragraph
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
    assert counts(checklist(report))[ANSWERED] >= 10


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
    assert all(c["label"] != "floor" or "floor" in text for c in report["candidates"] if c.get("label"))
    assert methods_paragraph({}) == ""
    assert any("Breiman" in c.bibtex for c in citations(report))
