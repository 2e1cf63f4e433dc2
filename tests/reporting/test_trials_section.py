"""The trials' section: numbers as measured, nothing that could run, and nothing at all where nothing ran."""

from __future__ import annotations

import re
from itertools import pairwise

from gnomon.reporting.honesty import corruption_rows, shortcut_rows, slice_rows, trials_section
from gnomon.reporting.page import render

TRIALS = {
    "metric": "roc_auc", "higher_is_better": True, "model": "forest",
    "took": [{"what": "shortcut trials", "seconds": 2.4}, {"what": "slices", "seconds": 0.6}],
    "shortcuts": [
        {"cue": "border", "what": "the outermost pixels", "legitimate": False, "score": 0.85, "model": 0.95, "floor": 0.5,
         "share": 0.78, "share_low": 0.6, "share_high": 0.9, "gain_low": 0.2},
        {"cue": "order", "what": "the place in the file", "legitimate": True, "score": 0.5, "model": 0.95, "floor": 0.5,
         "share": 0.0, "share_low": -0.1, "share_high": 0.1, "gain_low": -0.1}],
    "slices": [
        {"said": "'site' is '<b>x'", "few": False, "confirmed": False, "n_units": 30, "n_rows": 30, "inside": 0.2,
         "outside": 0.1, "floor": 0.5},
        {"said": "'age' is 61 or more", "few": False, "confirmed": True, "n_units": 40, "n_rows": 44, "inside": 0.5,
         "outside": 0.1, "floor": 0.5},
        {"said": "'age' is under 20", "few": True, "confirmed": False, "n_units": 3, "n_rows": 3}],
    "curve": {"metric": "roc_auc", "unit": "patient", "model": "ridge", "sizes": [20, 40, 80, 160],
              "scores": [0.6, 0.7, 0.75, 0.8], "lows": [0.5, 0.6, 0.7, 0.75], "highs": [0.7, 0.8, 0.8, 0.85], "repeats": 4,
              "ahead": 320, "forecast": 0.83, "low": 0.8, "high": 0.86, "gain": 0.03, "gain_low": 0.0, "gain_high": 0.06,
              "level": 0.9, "line": [[20, 0.6], [160, 0.8], [320, 0.83]], "supported": "",
              "by_class": {"ill": {"now": 0.7, "forecast": 0.74, "low": 0.7, "high": 0.8}}},
    "corruptions": [
        {"kind": "image", "change": "noise", "severity": k, "amount": a, "score": s, "drop": 0.95 - s, "low": 0.95 - s - 0.02,
         "high": 0.95 - s + 0.02, "moved": 0.1} for k, a, s in ((1, 0.04, 0.94), (2, 0.08, 0.9))],
    "attributes": [
        {"attribute": "site", "readable": 0.8, "readable_low": 0.7, "readable_high": 0.9, "chance": 0.5, "left": 0.49,
         "price": 0.02, "price_low": -0.01, "price_high": 0.05, "gap": 0.3, "gap_erased": 0.05, "removed": 1, "directions": 4},
        {"attribute": "sex", "readable": 0.6, "readable_low": 0.55, "readable_high": 0.65, "chance": 0.5, "left": None,
         "price": None, "price_low": None, "price_high": None, "gap": 0.1, "gap_erased": None, "removed": 2, "directions": 2,
         "why": "taking it out would leave no direction"}],
}


def test_section_says_what_was_measured():
    page = render({"version": "x"}, {"trials": TRIALS})
    section = page[page.index('<section id="trials">'):]
    section = section[:section.index("</section>")]
    for text in ("78%", "[60, 90]", "0.83", "320", "0.03", "1 confirmed of 3 found", "too few to say", "under 5",
                 "1 of 4 directions", "taking it out would leave no direction",
                 "not beyond chance", "These trials took 3 s"):
        assert text in section, text
    assert "<b>x" not in section and "&lt;b&gt;x" in section  # a column's own words are text, never markup


def test_page_without_trials_has_no_section_and_no_link():
    page = render({"version": "x"}, {})
    assert 'id="trials"' not in page and "#trials" not in page and trials_section({"trials": {}}) is None


def test_slices_confirmed_first_and_shortcuts_by_share():
    assert slice_rows(TRIALS["slices"])[0]["said"] == "'age' is 61 or more"
    assert [r["share"] for r in shortcut_rows(TRIALS["shortcuts"])["rows"]] == ["78%", "0%"]


def test_a_change_that_hurts_beyond_chance_is_marked_and_signed():
    noise = corruption_rows(TRIALS["corruptions"])[0]["cells"]
    assert [c["hurts"] for c in noise] == [False, True] and noise[1]["change"].startswith("\N{MINUS SIGN}0.05")
    errors = corruption_rows(TRIALS["corruptions"], higher=False)[0]["cells"]
    assert errors[1]["change"].startswith("+0.05") and errors[1]["limits"] == "[0.030, 0.070]"  # an error that rises is worse


def test_curve_points_lie_where_the_numbers_are():
    chart = str(trials_section({"trials": TRIALS})["curve"]["chart"])
    xs = [float(x) for x in re.findall(r'<circle cx="([\d.]+)%"', chart)]
    ys = [float(y) for y in re.findall(r'<circle cx="[\d.]+%" cy="([\d.]+)"', chart)]
    steps = [b - a for a, b in pairwise(xs)]
    assert len(xs) == 5 and max(steps) - min(steps) < 0.2  # each size doubles: even steps on the logarithmic scale
    assert ys == sorted(ys, reverse=True)  # higher scores stand higher
