"""Audits on the page: each by its name with value, interval and meaning, or why it was not measured; never counted."""

from __future__ import annotations

import re

from gnomon.reporting.likeness import compared, heat, tree
from gnomon.reporting.page import render

CHECKS = [
    {"name": "stability", "value": 0.934, "low": 0.9, "high": 0.96, "says": "rank correlation 0.93 [0.90, 0.96] with <b>",
     "means": "1 = the ranking stays"},
    {"name": "input shift", "value": None, "low": None, "high": None, "says": "not checked: letters have no zero",
     "means": "1 = no choice of zero"},
    {"name": "completeness", "value": 0.0123, "says": "the parts miss 0.01", "means": "0 = they add up"},
]


def page(checks, withheld=False):
    entry = {"technique": "saliency", "importances": [], "gates": [], "withheld": withheld, "other_checks": checks}
    html = render({"status": "complete", "explanations": [entry]}, {})
    section = html[html.index('id="why"'):]
    return section[:section.index("</section>")]


def test_each_audit_stands_by_its_name_with_what_its_number_means():
    shown = page(CHECKS)
    assert "Audits: stability 0.93, input shift not checked, completeness 0.01" in shown
    assert "rank correlation 0.93 [0.90, 0.96] with &lt;b&gt;" in shown and "1 = the ranking stays." in shown
    assert "not checked: letters have no zero" in shown and "1 = no choice of zero" not in shown
    given = page([{**CHECKS[1], "says": "holds by construction, not measured: ..."}])
    assert "Audits: input shift holds by construction" in given
    assert not re.search(r"\d+ of \d+ (passed|audits)", shown)


def test_what_is_no_audit_stays_a_line():
    shown = page([{"name": "held-out rows", "value": 161}, {"name": "gates", "value": "not needed"}])
    assert "held-out rows: 161; gates: not needed" in shown and "<details" not in shown
    assert "Audits" not in page([])


def test_a_matrix_has_a_cell_for_each_pair_and_its_number():
    drawn = str(heat([[1.0, 0.25], [-0.2, 1.0]], ["one & two", "b"], ["1", "2"]))
    assert drawn.count("<rect") == 4 and "one &amp; two" in drawn and ">.25<" in drawn and ">\u2212.20<" in drawn
    shades = [float(s) for s in re.findall(r'fill-opacity="([\d.]+)"', drawn)]
    assert shades == [1.0, 0.25, 0.0, 1.0] and "style=" not in drawn


def test_a_tree_joins_the_likest_nearest_to_the_names():
    joins = [[0, 2, 0.1, 2], [1, 3, 0.4, 3]]
    drawn = str(tree(joins, ["a", "b", "c"]))
    reached = [float(x) for x in re.findall(r"H([\d.]+)V", drawn)]
    assert len(reached) == 2 and reached[0] - 190 == (reached[1] - 190) / 4
    assert "likeness 0.90" in drawn and "likeness 0.60" in drawn


def test_parts_that_are_not_well_formed_are_left_out():
    assert compared(None) is None and compared("x") is None
    told = compared({"rows": 3, "layers": ["a"], "matrix": {"names": ["a", "b"], "values": [[1]]}, "course": {"times": []}})
    assert told["matrix"] is None and told["course"] is None and told["seeds"] is None
