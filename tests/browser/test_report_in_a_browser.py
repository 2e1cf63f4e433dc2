"""The report in a real browser, at the width of a desk and of a phone: `make browser`."""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "reporting")]

from _chrome import Chrome, missing  # noqa: E402

pytestmark = [pytest.mark.browser, pytest.mark.skipif(bool(missing()), reason=missing())]
DOWN, RIGHT, ESCAPE = "\ue015", "\ue014", "\ue00c"
CENTRE = "const r = arguments[0].getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]"


@pytest.fixture(scope="module")
def pages(shared_data, tmp_path_factory) -> dict[str, Path]:
    from _example import concrete, esol, fashion

    from gnomon.reporting.page import write_page

    base = tmp_path_factory.mktemp("pages")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {
            "esol": write_page(esol(base / "esol.study", shared_data, rows=300)),
            "fashion": write_page(fashion(base / "fashion.study", shared_data, rows=500)),
            "concrete": write_page(concrete(base / "concrete.study", shared_data)),
            "asked": asked(base),
        }


def asked(base: Path) -> Path:
    """A study of texts whose class two different words give away, and what `gnomon explain --technique` answered."""
    import numpy as np
    import pandas as pd

    from gnomon import api

    dice = np.random.default_rng(0)
    ways = dice.permutation(np.repeat(["tumour", "necrosis", "sample"], [120, 80, 200]))
    plain = dice.choice(["the", "cell", "was", "seen", "in", "two", "of", "mice"], (400, 8))
    pd.DataFrame({"note": [" ".join([*row[:4], way, *row[4:]]) for row, way in zip(plain, ways, strict=True)],
                  "ill": np.where(ways == "sample", "no", "yes")}).to_csv(base / "notes.csv", index=False)
    study = base / "notes.study"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GNOMON_STATE", str(base / "state"))
        api.study(base / "notes.csv", target="ill", out=study, budget="60s", only=("logistic",), kinds={"note": "text"})
    told = api.explain(study, techniques=("occlusion", "lime"), rows=(3, 5), show_rows=True)
    assert {e["technique"] for e in told["explanations"]} == {"occlusion", "lime"}
    return study / "report.html"


@pytest.fixture(scope="module")
def chrome():
    browser = Chrome()
    yield browser
    browser.close()


def at(chrome: Chrome, selector: str, index: int = 0) -> tuple[float, float]:
    """Scroll an element to the middle and say where it is."""
    chrome.js(
        f"document.querySelectorAll({selector!r})[{index}].scrollIntoView({{block: 'center', behavior: 'instant'}})"
    )
    return tuple(
        chrome.js(
            f"const r = document.querySelectorAll({selector!r})[{index}].getBoundingClientRect();"
            "return [r.x + r.width / 2, r.y + r.height / 2]"
        )
    )


def card(chrome: Chrome) -> str:
    return chrome.js("return document.querySelector('.mapbox .card').innerHTML")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390, 360])
@pytest.mark.parametrize("name", ["esol", "fashion", "concrete", "asked"])
def test_nothing_is_cut_off_nothing_fails_nothing_is_fetched(chrome, pages, name, width, scheme):
    chrome.requests()
    chrome.open(pages[name], width=width, scheme=scheme)
    over = chrome.js(
        "return [...document.querySelectorAll('main *')].filter(e => e.getBoundingClientRect().right > innerWidth + 1"
        " && !e.closest('.scroll') && getComputedStyle(e).display !== 'none').map(e => e.outerHTML.slice(0, 90))"
    )
    assert over == [] and chrome.js("return document.documentElement.scrollWidth <= innerWidth")
    paper, ink = chrome.js("const s = getComputedStyle(document.body); return [s.backgroundColor, s.color]")
    light = lambda c: sum(map(int, c.strip("rgb()").split(",")[:3]))  # noqa: E731
    assert (light(paper) > light(ink)) == (scheme == "light")
    assert chrome.logs() == [] and chrome.requests() == []
    assert chrome.js("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")


def test_pointing_at_the_map_shows_the_molecule(chrome, pages):
    chrome.open(pages["esol"])
    x, y = at(chrome, ".dots circle", 5)
    chrome.point(x, y)
    shown = card(chrome)
    assert 'class="mol"' in shown and "row " in shown and "<path" in shown
    chrome.point(*at(chrome, ".dots circle", 120))
    assert card(chrome) != shown


def test_a_tap_on_a_phone_shows_the_image(chrome, pages):
    chrome.open(pages["fashion"], width=390, height=800)
    chrome.point(*at(chrome, ".dots circle", 7), touch=True)
    assert "data:image/" in card(chrome)


def test_the_arrow_keys_walk_over_the_map(chrome, pages):
    chrome.open(pages["esol"])
    chrome.js("document.querySelector('.dots').focus()")
    chrome.press(RIGHT)
    first, x = card(chrome), chrome.js("return +document.querySelector('.here').getAttribute('cx')")
    chrome.press(RIGHT)
    assert card(chrome) != first and chrome.js("return +document.querySelector('.here').getAttribute('cx')") > x
    y = chrome.js("return +document.querySelector('.here').getAttribute('cy')")
    chrome.press(DOWN)
    assert chrome.js("return +document.querySelector('.here').getAttribute('cy')") > y


def test_rows_of_a_table_stay_hidden(chrome, pages):
    chrome.open(pages["concrete"])
    chrome.point(*at(chrome, ".dots circle", 5))
    assert "row " not in card(chrome) and "strength_MPa: " in card(chrome)


def test_colour_and_layout_can_be_changed(chrome, pages):
    chrome.open(pages["concrete"])
    state = "const c = document.querySelector('.dots circle'); return [c.getAttribute('class'), c.getAttribute('cx')]"
    before = chrome.js(state)
    chrome.point(*at(chrome, "[data-colour='1']"), press=True)
    note = "return document.querySelector('#map .laid').textContent"
    assert chrome.js(note).startswith("PCA of the inputs")
    chrome.point(*at(chrome, "[data-layout='1']"), press=True)
    after = chrome.js(state)
    assert chrome.js(note).startswith("PCA, axes 3 and 4")  # what is said of a layout changes with it
    assert before[0].startswith("q") or before[0] == "none"
    assert after[0] != before[0] and after[1] != before[1]
    assert chrome.js("return [...document.querySelectorAll('.legend')].map(l => l.hidden)") == [True, False]


def test_a_level_of_the_legend_dims_the_others(chrome, pages):
    chrome.open(pages["fashion"])
    chrome.point(*at(chrome, ".legend:not([hidden]) li", 1))
    dim, code = chrome.js(
        "const d = JSON.parse(document.querySelector('#payload').textContent).map.colours[0].codes;"
        "const c = [...document.querySelectorAll('.dots circle:not(.here)')];"
        "return [c.map(e => e.classList.contains('dim')), d]"
    )
    assert all(d == (k != 1) for d, k in zip(dim, code, strict=True)) and not all(dim)


def test_what_a_number_means_is_one_hover_or_focus_away(chrome, pages):
    chrome.open(pages["esol"])
    chrome.point(*at(chrome, ".facts .tip", 1))
    assert chrome.js("const t = document.querySelector('#tip'); return !t.hidden && t.textContent.length > 20")
    chrome.press(ESCAPE)
    assert chrome.js("return document.querySelector('#tip').hidden")
    chrome.js("document.querySelector('.facts h2 .tip').focus()")
    assert "error" in chrome.js("return document.querySelector('#tip').textContent")
    box = chrome.js(
        "const r = document.querySelector('#tip').getBoundingClientRect(); return [r.left, r.right - innerWidth]"
    )
    assert box[0] >= 0 >= box[1]


def test_a_finding_opens_to_its_evidence(chrome, pages):
    chrome.open(pages["esol"])
    assert not chrome.js("return document.querySelector('.finding').open")
    chrome.point(*at(chrome, ".finding summary"), press=True)
    assert chrome.js(
        "const f = document.querySelector('.finding'); return f.open && f.querySelector('.evidence').offsetHeight > 40"
    )


def test_pointing_at_the_scatter_shows_the_row(chrome, pages):
    chrome.open(pages["esol"])
    chrome.point(*at(chrome, "[data-scatter] .point", 3))
    assert "measured" in chrome.js("return document.querySelector('[data-scatter] .card').textContent")


def test_a_command_can_be_copied(chrome, pages):
    chrome.open(pages["esol"])
    chrome.point(*at(chrome, ".verdict .copy", 3), press=True)
    time.sleep(0.3)
    assert chrome.js("return document.querySelectorAll('.verdict .copy')[3].textContent") in ("copied", "selected")


def test_paper_holds_the_verdict_on_one_page_and_unfolds_the_rest(chrome, pages):
    import base64
    import re

    chrome.open(pages["esol"])
    pdf = base64.b64decode(chrome.cdp("Page.printToPDF", preferCSSPageSize=True, printBackground=True)["data"])
    count = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert 5 <= count <= 20
    chrome.cdp("Emulation.setEmulatedMedia", media="print")
    chrome.cdp("Emulation.setDeviceMetricsOverride", width=680, height=1000, deviceScaleFactor=1, mobile=False)
    assert (
        chrome.js("return document.querySelector('#verdict').getBoundingClientRect().height") < 1000
    )  # A4 less its margins
    chrome.cdp("Emulation.setEmulatedMedia", media="")


def test_an_image_that_is_a_script_runs_nothing(chrome, pages, tmp_path):
    import json

    from gnomon.reporting.page import render

    folder = pages["fashion"].parent
    report, exhibits = (json.loads((folder / f"{n}.json").read_text(encoding="utf-8")) for n in ("report", "exhibits"))
    evil = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script></script>"
    exhibits["map"]["labels"] = [evil] * len(exhibits["map"]["labels"])
    exhibits["map"]["colours"][0]["levels"] = [evil] * 10
    report["verdict"]["claim"] = report["data"]["columns"][0]["name"] = evil
    page = tmp_path / "report.html"
    page.write_text(render(report, exhibits), encoding="utf-8")
    chrome.open(page)
    chrome.point(*at(chrome, ".dots circle", 7))
    time.sleep(0.2)
    assert chrome.js("return document.title") != "owned" and "&lt;script&gt;" in card(chrome)
    assert chrome.logs() == []


def test_an_explanation_that_was_asked_for_is_on_the_page_and_opens(chrome, pages):
    chrome.open(pages["asked"], width=390)
    chrome.js("document.querySelector(\"nav a[href='#asked']\").click()")
    assert chrome.js("return location.hash") == "#asked"
    names = chrome.js("return [...document.querySelectorAll('#asked h3')].map(h => h.textContent.split(' ')[0])")
    assert sorted(n.strip().lower() for n in names) == ["lime", "occlusion"]
    assert "gnomon explain notes.study --technique occlusion lime --rows 3 5" in chrome.js(
        "return document.querySelector('#asked').textContent")
    fold = ("const d = document.querySelector('#asked details.fold');"
            "return [d.open, d.querySelector('summary').textContent]")
    was, title = chrome.js(fold)
    assert title.startswith("Decided in")
    chrome.point(*at(chrome, "#asked details.fold summary"), press=True)
    assert chrome.js(fold)[0] != was
    assert chrome.js("return document.documentElement.scrollWidth <= innerWidth")
