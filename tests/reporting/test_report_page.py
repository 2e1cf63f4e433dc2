"""The page: whole, safe, small, and honest about what is missing."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from gnomon.errors import InputError
from gnomon.reporting import figures, words
from gnomon.reporting._report import counted
from gnomon.reporting.citations import bibtex, citations, papers
from gnomon.reporting.page import HERE, plan_lines, render, write_page
from gnomon.reporting.pictures import checked, drawn

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)></script>"


class Tags(HTMLParser):
    """Every tag and attribute of a page, with void and nesting checked."""

    VOID = frozenset({"meta", "link", "img", "br", "input"})

    def __init__(self, html: str):
        super().__init__()
        self.tags, self.attributes, self.open, self.text = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, k, v) for k, v in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, k, v) for k, v in attrs]

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text.append(data)


def read(folder) -> tuple[dict, dict]:
    return tuple(json.loads((folder / f"{n}.json").read_text(encoding="utf-8")) for n in ("report", "exhibits"))  # type: ignore


@pytest.mark.parametrize("name", ["esol", "fashion", "concrete", "open"])
def test_a_study_becomes_one_small_self_contained_page(studies, name):
    path = write_page(studies[name])
    html = path.read_text(encoding="utf-8")
    page = Tags(html)
    assert page.open == [] and len(html.encode()) < 5_000_000 and path.name == "report.html"
    assert page.tags.count("script") == 2 and "iframe" not in page.tags and "object" not in page.tags
    for tag, key, value in page.attributes:
        assert not key.startswith("on") and key != "style", f"{tag} {key}"
        if key in ("src", "href", "action", "data"):
            assert value.startswith(("#", "data:")), f"{tag} {key}={value[:60]}"
    report, _ = read(studies[name])
    claim = report["verdict"]["claim"].replace("rmse", "RMSE")
    assert claim[0].upper() + claim[1:] in " ".join(page.text)
    assert write_page(studies[name]).read_text(encoding="utf-8") == html


def test_the_policy_allows_only_this_style_and_this_script(studies):
    html = write_page(studies["esol"]).read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', html).group(1).replace("&#39;", "'")
    assert "default-src 'none'" in policy and "unsafe" not in policy
    for tag, attribute in (("style", "style-src"), ("script", "script-src")):
        body = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL).group(1)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{attribute} 'sha256-{digest}'" in policy


def test_text_from_data_stays_text(studies):
    report, exhibits = read(studies["esol"])
    poisoned = json.loads(json.dumps(report).replace("smiles", json.dumps(EVIL)[1:-1]))
    poisoned["data"]["paths"] = [EVIL]
    poisoned["verdict"]["claim"] = poisoned["findings"][0]["claim"] = EVIL
    poisoned["advice"][0]["do"] = f"gnomon {EVIL}"
    poisoned["candidates"][0]["label"] = EVIL
    exhibits["map"]["labels"] = [EVIL] * len(exhibits["map"]["labels"])
    exhibits["map"]["colours"][0]["levels"][0] = EVIL
    exhibits["targets"][0]["column"] = EVIL
    exhibits["errors"][0]["truth"] = EVIL
    exhibits["subgroups"] = [
        {"column": EVIL, "group": EVIL, "n_rows": 30, "few": False, "value": 1, "low": 0.5, "high": 2}
    ]
    html = render(poisoned, exhibits, f"a = 1 # {EVIL}", {EVIL: EVIL}, name=EVIL)
    page = Tags(html)
    assert page.tags.count("script") == 2 and page.open == []
    assert not [a for a in page.attributes if a[1].startswith("on")]
    assert all(v != "x" for _, k, v in page.attributes if k == "src")
    payload = re.search(r'id="payload">(.*?)</script>', html, re.DOTALL).group(1)
    assert "<" not in payload and json.loads(payload)["map"]["labels"][0] == EVIL


@pytest.mark.parametrize(
    "picture",
    [
        {"k": "i", "src": "javascript:alert(1)"},
        {"k": "i", "src": 'data:image/png;base64,AA" onload="x'},
        {"k": "i", "src": "data:image/svg+xml;base64,AAAA"},
        {"k": "x"},
        {},
        None,
        "text",
        {"k": "i"},
        {"k": "m", "box": [1, 1], "d": 'M0 0"/><script>', "f": "", "t": []},
        {"k": "m", "box": ["<b>", 1], "d": "", "f": "", "t": []},
        {"k": "m", "box": [1, 1], "d": "", "f": "", "t": [[0, 0, "N", "q", "N"]]},
    ],
)
def test_a_stranger_s_picture_is_left_out(picture):
    assert checked(picture) is None
    assert "no picture" in drawn(checked(picture))


def test_letters_of_a_picture_are_escaped():
    assert "<script>" not in drawn(checked({"k": "s", "text": "<script>", "start": 0, "length": 8, "w": [1] * 8}))
    assert "<script>" not in drawn(checked({"k": "t", "words": ["<script>"], "w": []}))
    assert "<script>" not in drawn(checked({"k": "r", "cells": [["<script>", "<script>"]]}))
    assert "<script>" not in drawn(
        checked({"k": "m", "box": [9, 9], "d": "", "f": "", "t": [[0, 0, "<script>", "s", "N"]]})
    )


def test_almost_nothing_still_makes_a_page():
    for report in (
        {},
        {"format": 1, "verdict": None, "split": None, "data": None, "candidates": None, "findings": None},
    ):
        page = Tags(render(report, {}))
        assert page.open == [] and "Nothing was judged" in " ".join(page.text)


def test_a_study_without_a_sealed_part_shows_its_cross_validated_scores(studies):
    report, exhibits = read(studies["concrete"])
    for c in report["candidates"]:
        c["test"] = None
        c["valid"]["estimator"] = "repeated_cv"
    report["verdict"]["headline"] = {**report["verdict"]["headline"], "estimator": "bbc_cv"}
    report["split"]["sizes"]["test"], report["split"]["folds"] = 0, 25
    text = " ".join(Tags(render(report, exhibits)).text)
    assert "corrected cross-validation" in text and "sealed until" not in text
    assert "cross-validation in 25 folds of whole units" in text
    assert "corrected for having chosen the best" in text
    report, exhibits = read(studies["concrete"])
    report["ledger"]["test_openings"] = 3
    text = " ".join(Tags(render(report, exhibits)).text)
    assert "test: reused, opened 3 times" in text and "sealed until" not in text.split("Methods paragraph")[0]


def test_status_is_said_plainly(studies):
    report, exhibits = read(studies["concrete"])
    assert "Partial:" not in render(report, exhibits) and 'watermark"' not in render(report, exhibits)
    assert "Partial:" in render({**report, "status": "partial"}, exhibits)
    assert 'class="watermark"' in render({**report, "status": "exploratory"}, exhibits)


def test_a_withheld_explanation_shows_no_picture_and_says_why(studies):
    report, exhibits = read(studies["esol"])
    shown = render(report, exhibits)
    report["explanations"][1] |= {
        "withheld": True,
        "gates": [{"name": "randomised_weights", "passed": False, "value": 0.9}],
    }
    hidden = render(report, exhibits)
    why = hidden[hidden.index('id="why"') : hidden.index('id="errors"')]
    assert "Withheld." in why and "failed" in why and 'class="mol"' not in why
    assert 'class="mol"' in shown[shown.index('id="why"') : shown.index('id="errors"')]


def test_file_names_of_findings_stay_in_report_json(studies):
    report, exhibits = read(studies["fashion"])
    report["findings"][0] |= {"items": ["P012_slice3.png"], "rows": [3], "rows_total": 1}
    html = render(report, exhibits)
    assert "P012_slice3" not in html and "file names are in report.json" in html


def test_accepted_findings_leave_page_one(studies):
    report, exhibits = read(studies["concrete"])
    first = report["findings"][0]["claim"]
    page_one = lambda r: render(r, exhibits).split('id="data"')[0].split("<main>")[1]  # noqa: E731
    assert first in page_one(report)
    report["findings"][0]["accepted"] = "known"
    assert first not in page_one(report) and first in render(report, exhibits)


def test_too_many_pictures_are_left_out_of_the_map_first(studies):
    report, exhibits = read(studies["fashion"])
    big = "data:image/png;base64," + "A" * 60_000
    exhibits["pictures"] = [{"k": "i", "src": big}] * len(exhibits["pictures"])
    assert len(render(report, exhibits).encode()) < 5_000_000


def test_without_a_report_the_error_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match="E-REPORT-ABSENT"):
        write_page(tmp_path)
    (tmp_path / "report.json").write_text("{nonsense", encoding="utf-8")
    with pytest.raises(InputError, match="E-STUDY-FILE"):
        write_page(tmp_path)


def test_the_script_is_small():
    assert (HERE / "page.js").stat().st_size < 15_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, "0.123"),
        (-2.5, "−2.5"),
        (12345.678, "12,346"),
        (0.0, "0"),
        (1128, "1,128"),
        (float("nan"), "unknown"),
        (None, ""),
        (True, "yes"),
        (2.3e-7, "2.3e−7"),
        (1e9, "1,000,000,000"),
    ],
)
def test_numbers_are_written_for_people(value, text):
    assert words.number(value) == text


def test_a_score_has_the_decimals_its_interval_deserves():
    assert words.interval(0.9412, 0.83, 1.06) == {"value": "0.941", "low": "0.83", "high": "1.06"}
    wide = [words.interval(v, 0.8, 22.3) for v in (2.031, 1.799)]
    assert [w["value"] for w in wide] == ["2.03", "1.80"] and wide[0]["high"] == "22"
    assert counted({"unit": "row", "n_units": 336, "n_rows": 337}) == "distinct row"
    assert counted({"unit": "row", "n_units": 337, "n_rows": 337}) == "row"
    assert counted({"unit": "plate", "n_units": 3, "n_rows": 9}) == "plate"
    assert words.interval(103.52, 92.1, 116.8)["value"] == "104"
    assert words.interval(0.5, None, None)["low"] == ""


def test_no_sentence_of_ours_holds_a_greek_letter(studies):
    ours = json.dumps(
        [dict(t) for t in (words.METRICS, words.FAMILIES, words.OUTCOMES, words.GRADES, words.ESTIMATORS, words.ROLES)],
        ensure_ascii=False,
    )
    pages = "".join(p.read_text(encoding="utf-8") for p in HERE.glob("*.html"))
    assert not re.search("[\u0370-\u03ff]", ours + pages)


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-12.3, 4.5), (1e-5, 3e-5), (1000, 98000), (0.98, 1.04)])
def test_ticks_are_round_and_inside(low, high):
    marks = figures.ticks(low, high)
    assert 2 <= len(marks) <= 7 and low <= min(marks) and max(marks) <= high
    assert len({figures.tick_text(t) for t in marks}) == len(marks)


def test_an_interval_that_leaves_the_plot_ends_in_an_arrow():
    scale = figures.Scale(0, 1)
    inside = figures.interval_row([{"kind": "valid", "value": 0.5, "low": 0.2, "high": 0.8}], scale, [])
    outside = figures.interval_row([{"kind": "valid", "value": 0.5, "low": 0.2, "high": 8}], scale, [])
    assert "more" not in inside and outside.count('class="more"') == 1


def test_the_ladder_survives_a_model_that_blew_up(studies):
    from gnomon.reporting.ladder import ladder

    report, _ = read(studies["concrete"])
    report["candidates"].append(
        {
            **report["candidates"][1],
            "label": "wild",
            "recipe": {"hash": "w"},
            "test": None,
            "valid": {**report["candidates"][1]["valid"], "value": 1e9, "low": 1e8, "high": 1e10},
        }
    )
    spots = [
        float(x)
        for g in ladder(report)["groups"]
        for r in g["rows"]
        if r["label"] != "wild"
        for x in re.findall(r'<circle cx="([\d.]+)%', r["plot"])
    ]
    assert max(spots) - min(spots) > 30


def test_the_ladder_holds_all_that_the_verdict_names():
    from gnomon.reporting.ladder import reasonable

    def shown(*values):
        return [{"family": "simple" if k else "floor", "recipe": {"hash": str(k)}, "valid": {"value": value}}
                for k, value in enumerate(values)]

    two = shown(0.5, 0.515, 0.756)
    two[1]["family"] = "floor"
    assert max(reasonable(two, {"recommended": "2"}, True)) == 0.756
    assert set(reasonable(shown(0.5, 0.55, 0.56, 0.57, 0.95), {}, True)) == {0.5, 0.55, 0.56, 0.57, 0.95}
    blown = shown(2.0, 1.0, 0.9, 1.1, 900.0)
    assert max(reasonable(blown, {}, False)) == 2.0 and max(reasonable(blown, {"against": "4"}, False)) == 900.0


def test_coverage_says_what_it_can_promise():
    from gnomon.reporting.fit import coverage_section

    share = {"value": 1.0, "low": 0.9886, "high": 1.0, "n_rows": 337, "n_units": 336}
    found = coverage_section({"coverage": {**share, "level": 0.95, "thirds": [share] * 3, "size": 6.93, "kind": "regress",
                                           "reached": 8 / 9, "calibration_units": 8, "guaranteed": False}})
    assert "should hold the truth 95% of the time held it in 100.0 % [98.9, 100.0] of 337 rows" in found["said"]
    assert "8 calibration units can promise 89% at most" in found["limits"] and "no guarantee" in found["limits"]
    assert found["thirds"][0][0] == "lowest third of the predictions" and len(found["thirds"]) == 3
    assert coverage_section({"coverage": None}) is None


def test_the_floor_is_on_the_ladder_even_when_the_models_are_close(studies):
    from gnomon.reporting.ladder import ladder

    report, _ = read(studies["concrete"])
    for k, c in enumerate(report["candidates"]):
        c["valid"] |= {"value": 2.2 if c["family"] == "floor" else 0.73 + 0.03 * k, "low": None, "high": None}
        c["test"] = None
    report["verdict"]["headline"] = None
    floor = ladder(report)["groups"][0]["rows"][0]["plot"]
    assert 0 <= float(re.search(r'<circle cx="([\d.]+)%', floor).group(1)) <= 100


def test_the_gap_names_who_was_compared_when_the_simpler_is_recommended(studies):
    report, exhibits = read(studies["concrete"])
    report["verdict"]["chosen_on_validation"] = report["candidates"][1]["recipe"]["hash"]
    report["verdict"] |= {
        "recommended": report["candidates"][2]["recipe"]["hash"],
        "outcome": "equivalent",
        "against": report["candidates"][2]["recipe"]["hash"],
    }
    labels = [c["label"] for c in report["candidates"]]
    text = re.sub(r"\s+", " ", " ".join(Tags(render(report, exhibits)).text))
    assert f"{labels[1]} against {labels[2]}" in text


def test_the_reason_of_a_plan_line_is_its_comment():
    assert plan_lines('policy = "group:a#b" # because # twice\nx = 1\n# head') == [
        ('policy = "group:a#b"', "because # twice"),
        ("x = 1", ""),
        ("", "head"),
    ]


def test_our_keys_are_spoken_and_columns_are_not():
    from gnomon.reporting._report import spoken

    report = {"data": {"columns": [{"name": "gaussian_process"}]}}
    assert spoken("explainable_boosting beats it: rmse 2", {}) == "explainable boosting beats it: RMSE 2"
    assert spoken("gaussian_process and my_column", report) == "gaussian_process and my_column"


def test_a_value_and_its_limits_have_one_sign(studies):
    from gnomon.reporting.fit import bias_text
    from gnomon.reporting.sections import split

    assert bias_text({"bias": -0.758, "bias_low": -0.845, "bias_high": -0.672}) == "predictions too low by 0.758 [0.672, 0.845]"
    assert bias_text({"bias": 0.5, "bias_low": 0.25, "bias_high": 0.75}) == "predictions too high by 0.500 [0.25, 0.75]"
    report, exhibits = read(studies["concrete"])[:2]
    gap = {"model": "a small forest", "random": 0.9, "honest": 0.8, "gap": -0.075, "low": -0.14, "high": -0.011, "level": 0.95}
    report["split"]["optimism"] = gap
    assert split(report)["optimism"]["worse"]
    html = render(report, exhibits)
    shown = html[html.index('class="optimism"'):][:600]
    assert "scores better on this split, by <b>0.0750</b>" in shown and "[0.011, 0.140]" in shown


def test_parts_left_out_stand_among_the_candidates(studies, tmp_path):
    from gnomon.reporting.ablated import ablated_section, ablations

    report, exhibits = read(studies["concrete"])
    best = next(c for c in report["candidates"] if c["recipe"]["hash"] == report["verdict"]["recommended"])
    value = best["valid"]["value"]
    harmful = {"part": "column:<water>", "candidate": best["label"], "recipe": best["recipe"]["hash"], "metric": "rmse",
               "with": value, "without": value - 1, "value": -1.0, "low": -1.5, "high": -0.5, "level": 0.95}
    stale = [{**harmful, "with": value + 1}, {**harmful, "recipe": "gone"}]
    (tmp_path / "ablations.json").write_text(json.dumps([harmful, *stale]))
    row, = ablated_section(report, ablations(tmp_path), "x.study")
    assert (row["says"], row["worth"], row["limits"]) == ("harms by", "1.00", "[0.50, 1.50]")
    assert row["command"] == "gnomon ablate x.study 'column:<water>'"
    page = render(report, exhibits, ablated=ablations(tmp_path))
    models = page[page.index('id="models"'):page.index('id="fit"')]
    assert "column:&lt;water&gt;" in models and "harms by 1.00" in models and Tags(page).open == []
    assert "Parts left out" not in render(report, exhibits)
    assert ablations(tmp_path / "absent") == []


def test_papers_become_bibtex(studies):
    from gnomon.card import catalogue

    assert papers("A 2001; B 2002, arXiv:1") == ["A 2001", "B 2002, arXiv:1"]
    entry = bibtex("Guo et al. 2017, arXiv:1706.04599", catalogue()["calibration"])
    assert entry.startswith("@misc{guo2017calibration,") and "author = {Guo and others}" in entry
    assert "eprint = {1706.04599}" in entry and entry.count("{") == entry.count("}")
    found = citations(read(studies["esol"])[0])
    assert any("Breiman" in c.text for c in found) and len({c.text for c in found}) == len(found)
