"""Gallery pages: each says how to run it and is listed; their parts are right; the whole runs (slow)."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "gallery").glob("[0-9]*.py"))


@pytest.fixture
def page(monkeypatch):
    """A gallery module by name, as `python gallery/NAME.py` would find it."""
    monkeypatch.syspath_prepend(str(ROOT / "gallery"))
    yield importlib.import_module
    for name in ("_kit", *(p.stem for p in PAGES)):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.stem)
def test_a_page_says_its_command_and_is_listed(path):
    text = path.read_text(encoding="utf-8")
    head = compile(text, str(path), "exec").co_consts[0]
    assert f"Command: python gallery/{path.name}" in head and "Look at:" in head and head.splitlines()[0].endswith("?")
    assert path.name in (ROOT / "gallery" / "README.md").read_text(encoding="utf-8")


def test_formulas_and_places_of_elements(page):
    elements = page("07_elements")
    assert elements.amounts("Ca(OH)2") == {"Ca": 1, "O": 2, "H": 2}
    assert elements.amounts("Ag0.5Ge1Pb1.75S4") == {"Ag": 0.5, "Ge": 1, "Pb": 1.75, "S": 4}
    assert elements.amounts("Ag(W3Br7)2") == {"Ag": 1, "W": 6, "Br": 14}
    assert [elements.place(z) for z in (1, 2, 4, 5, 26, 57, 71, 72, 86)] == [
        (1, 1), (18, 1), (2, 2), (13, 2), (8, 4), (4, 9), (18, 9), (4, 6), (18, 6)]
    assert len({elements.place(z) for z in range(1, 119)}) == 118
    assert elements.family(57) == elements.family(71) == "lanthanides" and elements.family(92) == "actinides"
    assert elements.family(17) == elements.family(35) == "column 17"


def test_nearest_neighbours_of_known_vectors(page):
    elements = page("07_elements")
    angle = np.deg2rad([0, 10, 120, 132, 240, 255])
    alike = elements.likeness([np.column_stack([np.cos(angle), np.sin(angle)])])
    assert elements.nearest(alike).tolist() == [1, 0, 3, 2, 5, 4]
    assert elements.share_of(alike, np.array(list("aabbcd"))).tolist() == [True] * 4 + [False] * 2


def test_grey_and_red_of_oklch(page):
    elements = page("07_elements")
    assert elements.oklch(1.0, 0.0, 0.0) == "#ffffff"
    red = elements.oklch(0.628, 0.2577, np.deg2rad(29.23))  # sRGB red
    assert [abs(int(red[k:k + 2], 16) - v) <= 3 for k, v in ((1, 255), (3, 0), (5, 0))] == [True] * 3


def test_the_published_rule_and_exchanged_letters(page):
    guides = page("06_guides")
    rule = guides.published_rule()
    assert np.allclose(rule.sum(axis=1), 0) and guides.likeness(rule, rule) == pytest.approx(1)
    assert len(guides.re.findall(r"\d+[ACGT][-+]", guides.RULE)) == 39
    assert "ACGT"[rule[23].argmin()] == "C" and "ACGT"[rule[23].argmax()] == "G"  # the letter beside the PAM
    guide = "ACGT" * 6 + "AGGTAC"
    made = guides.mutants([guide])
    assert len(made) == 28 * 4 and made.count(guide) == 28
    assert {len(m) for m in made} == {30} and all(m[25:27] == "GG" for m in made)


def test_only_a_start_methionine_is_removed(page):
    peptides = page("08_methionine")
    assert [peptides.trimmed(s) for s in ("MMKL", "GLM", "M")] == ["MKL", "GLM", ""]
    value, low, high = peptides.share(np.repeat([1.0, 0.0], [90, 10]), np.arange(100))
    assert value == 0.9 and 0.8 < low < 0.9 < high < 0.97
    _, few, many = peptides.share(np.repeat([1.0, 0.0], [90, 10]), np.arange(100) // 10)  # ten families: wider
    assert many - few > 1.5 * (high - low)


def test_a_figure_is_well_formed_and_its_text_escaped(page, monkeypatch, tmp_path, capsys):
    kit = page("_kit")
    monkeypatch.setattr(kit, "HERE", tmp_path)
    sheet = kit.Sheet(100, 50, 'says "this" & that')
    sheet.text(1, 2, "<b>p & q</b>", "ink")
    sheet.letter(0, 10, 5, 5, "A")
    sheet.measure(5, 6, 5, 3, 8, "best")
    sheet.path([(0, 0), (1, 1)])
    sheet.box(0, 0, 2, 2, fill="#aabbcc")
    place = kit.publish("00_test", sheet, title="a < b", sentence="It holds.", caption="c", texts={"What": "t & u"},
                        numbers=[("r", "0.5", "n 3")], source="s")
    drawing = ElementTree.parse(tmp_path / "pages" / "00_test.svg").getroot()
    assert any(e.text == "<b>p & q</b>" for e in drawing.iter())
    html = place.read_text(encoding="utf-8")
    assert "a &lt; b" in html and "t &amp; u" in html and "<svg" in html and "python gallery/00_test.py" in html
    assert capsys.readouterr().out.startswith("It holds.")


def test_missing_data_are_named_with_what_to_set(page, monkeypatch, tmp_path):
    kit = page("_kit")
    monkeypatch.setattr(kit, "DATA", tmp_path)
    with pytest.raises(SystemExit, match=r"absent\.csv .*GNOMON_DATA"):
        kit.shared("absent.csv")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "says"), [
    ("06_guides", "recovered the letter preferences"), ("07_elements", "their own family"),
    ("08_methionine", "one methionine in front")])
def test_a_discovery_runs_from_top_to_bottom(name, says, shared_data, tmp_path):
    """From a copy, so that the pages of the checkout stay as they are."""
    for source in (ROOT / "gallery").glob("*.py"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    told = subprocess.run([sys.executable, str(tmp_path / f"{name}.py")], capture_output=True, text=True,
                          env={**os.environ, "GNOMON_DATA": str(shared_data)}, timeout=1500, check=False)
    assert told.returncode == 0, told.stderr
    assert says in told.stdout
    assert (tmp_path / "pages" / f"{name}.svg").stat().st_size > 5000
