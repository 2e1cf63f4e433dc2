"""Explanations asked for: a section of the page and a file a row, under the gates, safe whatever the folder holds."""

import json
import xml.etree.ElementTree as ET

import numpy as np

from gnomon.data.draw import image_picture, molecule_picture, sequence_picture, text_picture
from gnomon.reporting.asked import answers, asked_section, drawings, write_pictures
from gnomon.reporting.page import render

GATES = [{"name": "randomised weights", "passed": True, "value": 0.1, "says": "far from it"}]


def answer(picture=None, *, withheld=False, pieces="atoms", by_row=(), plain=None):
    pictures = [p for p in (picture, plain) if p]
    drawn = [{"technique": "lime", "about": "the odds of <b>", "pictures": [
        {"picture": 0, "row": 7, "truth": "yes", "predicted": "yes (90%)", **({"plain": 1} if plain else {})}]}]
    return {"format": 1, "asked": "gnomon explain x.study --technique lime --rows 7",
            "estimate": "estimate for 48 rows: lime 3 s", "seconds": 2.5, "rows": [7], "hidden": "", "of": "the study's rows",
            "entry": {"technique": "lime", "pieces": pieces, "withheld": withheld, "gates": GATES, "other_checks": [
                {"name": "agreement of lime and occlusion", "value": 0.8}], "importances": [], "by_row": list(by_row),
                "target": "y"}, "exhibits": {"pictures": pictures, "explained": drawn if picture else []}}


ROW = {"row": 7, "pieces": [{"what": "age & <sex>", "value": 1.5}, {"what": "dose", "value": -0.75}]}
KINDS = {
    "molecule": answer(molecule_picture("CCO", weights=[0.9, -0.5, 0.2])),
    "image": answer(image_picture(np.zeros((1, 12, 12), np.uint8), size=64, weights=np.eye(12)), pieces="patches",
                    plain=image_picture(np.zeros((1, 12, 12), np.uint8), size=64)),
    "sequence": answer(sequence_picture("ACGT" * 30, weights=np.linspace(-1, 1, 120)), pieces="positions"),
    "text": answer(text_picture(["what", "a", "<script>", "said"], weights=[0, 0.2, 1, -0.6]), pieces="words"),
    "table": answer(pieces="columns", by_row=[ROW]),
    "both": answer(molecule_picture("CCO", weights=[0.9, -0.5, 0.2]), pieces="columns, atoms", by_row=[ROW]),
}


def test_every_kind_is_a_whole_svg_with_its_key_and_gates():
    for kind, told in KINDS.items():
        (name, svg), = drawings("lime_x", told)
        root = ET.fromstring(svg)
        text = " ".join(t.text or "" for t in root.iter("{http://www.w3.org/2000/svg}text"))
        assert name == "lime_x_row7.svg" and "LIME, row 7" in text and "randomised weights: passed" in text, kind
        told_how = {"molecule": "A disc", "image": "Left, the image", "sequence": "A letter's bar", "text": "The words that"}
        assert told_how.get(kind, "A bar says what its input adds to") in text
        assert "<script" not in svg and "raises" in text and "lowers it" in text
        assert ("age & <sex>" in text) == (kind in ("table", "both")) and "href=\"http" not in svg
    assert len(list(ET.fromstring(drawings("x", KINDS["image"])[0][1]).iter("{http://www.w3.org/2000/svg}image"))) == 2


def test_a_masks_numbers_are_said_to_be_no_contributions():
    """On the sheet and on the page, for atoms and for bars."""
    for told in (answer(molecule_picture("CCO", weights=[0.9, -0.5, 0.2])), answer(pieces="columns", by_row=[ROW])):
        told["entry"]["technique"] = "optimised_mask"
        for group in told["exhibits"]["explained"]:
            group["technique"] = "optimised_mask"
        (_, svg), = drawings("x", told)
        said = " ".join(t.text or "" for t in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"))
        section, = asked_section([("x", told)])
        for text in (said, section["means"]):
            assert "how far a mask takes it away" in text
        assert all("adds to" not in text for text in (said, section["means"], section["how_bars"]))


def test_the_share_of_a_row_under_its_mask_stands_in_the_caption():
    told = answer(molecule_picture("CCO", weights=[0.9, -0.5, 0.2]))
    for group in told["exhibits"]["explained"]:
        for picture in group["pictures"]:
            picture["covered"] = 0.534
    (_, svg), = drawings("x", told)
    assert "mask over 53% of it" in svg
    plain, = drawings("x", answer(molecule_picture("CCO", weights=[0.9, -0.5, 0.2])))
    assert "mask over" not in plain[1]


def test_bars_are_as_long_as_the_contributions():
    rects = [r for r in ET.fromstring(drawings("x", KINDS["table"])[0][1]).iter("{http://www.w3.org/2000/svg}rect")
             if r.get("rx") == "1.5"]
    up, down = (float(r.get("width")) for r in rects)
    assert up == 2 * down and float(rects[0].get("x")) == float(rects[1].get("x")) + down


def test_what_failed_a_gate_is_neither_drawn_nor_listed():
    told = answer(molecule_picture("CCO", weights=[0.9, -0.5, 0.2]), withheld=True, by_row=[ROW])
    assert drawings("x", told) == []
    section, = asked_section([("x", told)])
    assert not section["pictures"] and not section["bars"] and section["withheld"]


def test_files_are_written_beside_the_answers_and_the_page_has_its_section(tmp_path):
    (tmp_path / "explained").mkdir()
    for kind, told in KINDS.items():
        (tmp_path / "explained" / f"lime_{kind}.json").write_text(json.dumps(told))
    (tmp_path / "explained" / "broken.json").write_text("{")
    found = answers(tmp_path)
    assert [stem for stem, _ in found] == sorted(f"lime_{k}" for k in KINDS)
    files = write_pictures(tmp_path, ["explained/lime_table.json"])
    assert files == ["explained/lime_table_row7.svg"] and (tmp_path / files[0]).read_text().startswith("<svg")
    page = render({"status": "complete"}, {}, asked=found)
    assert page.count("gnomon explain x.study --technique lime --rows 7") >= len(KINDS) and 'href="#asked"' in page
    assert "A disc under an atom" in page and "share one scale" in page
    assert page.count("A bar says what its input adds to y") == 2
    assert "estimate for 48 rows: lime 3 s" in page and "age &amp; &lt;sex&gt;" in page and "the odds of <b>" not in page
    assert "Explanations you asked for" not in render({"status": "complete"}, {})
