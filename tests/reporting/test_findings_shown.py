"""A finding opens to its evidence: its numbers, what was done, how to undo it, and what that did to the score."""

from __future__ import annotations

import copy
import json

import pytest

from gnomon.reporting.honesty import curve_figure
from gnomon.reporting.page import write_page
from gnomon.reporting.sections import action, advice, finding, flat

EFFECT = {"metric": "rmse", "as_done": 0.9, "undone": 0.1, "difference": 0.8, "low": 0.7, "high": 0.9, "level": 0.95,
          "said": "rmse 0.9 as done, 0.1 if undone, better by 0.8 [0.7, 0.9] (ridge, validation rows)"}
LEAK = {"code": "LOOK-LEAK", "grade": "warn", "claim": "'reading' gives 'y' away: set aside", "columns": ["reading"],
        "values": {"reasons": {"reading": "a copy"}, "alone": {"reading": 0.99}},
        "action": {"done": "set aside", "plan_line": '[actions] "set aside reading" = false', "effect": EFFECT}}


def test_numbers_of_columns_are_lines_and_their_reasons_are_not_said_twice():
    assert flat({"rows_a_unit": 2.0, "alone": {"x_1": 0.9}}) == [("rows a unit", 2.0), ("alone", 0.9)]
    assert flat({"alone": {"x_1": 0.9, "b": 0.8}}) == [("alone, x_1", 0.9), ("alone, b", 0.8)]
    assert [name for name, _ in finding(LEAK)["value_rows"]] == ["alone"]


def test_an_effect_names_its_metric_as_people_do_and_says_why_there_is_none():
    assert action(LEAK["action"])["effect"]["said"].startswith("RMSE 0.9 as done")
    untold = {"done": "x", "plan_line": "", "effect": {"said": "not measured: no time"}}
    assert action(untold) == untold and action({}) == {}


@pytest.fixture
def page(studies, tmp_path):
    """The page of a study whose report was changed."""
    def write(change) -> str:
        report = copy.deepcopy(json.loads((studies["concrete"] / "report.json").read_text()))
        change(report)
        (tmp_path / "report.json").write_text(json.dumps(report))
        return write_page(tmp_path).read_text()

    return write


def test_the_page_shows_what_was_done_how_to_undo_it_and_its_effect(page):
    html = page(lambda r: r["findings"].insert(0, LEAK))
    assert "set aside reading&#34; = false" in html and "RMSE 0.9 as done, 0.1 if undone" in html


@pytest.mark.parametrize(("change", "words"), [
    (lambda r: r["split"].update(one_only="patient"), "Every row is of one patient: whether this holds for another"),
    (lambda r: r["verdict"].update(blocked=["LOOK-EVENT"]), "LOOK-EVENT stands against any claim"),
    (lambda r: r["verdict"].update(pilot=True), "Pilot: so few units")])
def test_what_stands_against_a_claim_stands_on_page_one(page, change, words):
    assert words in page(change) and words not in page(lambda r: None)


def test_a_forecast_that_may_come_to_nothing_does_not_say_should():
    curve = {"sizes": [50, 100], "scores": [0.7, 0.8], "ahead": 200, "forecast": 0.85, "low": 0.8, "high": 0.9, "gain": 0.05,
             "gain_low": 0.01, "gain_high": 0.1, "unit": "row", "model": "ridge"}
    assert curve_figure(curve, "AUC")["sure"] and not curve_figure({**curve, "gain_low": -0.01}, "AUC")["sure"]


def test_only_what_follows_a_colon_is_a_command_to_copy():
    said = lambda do: {k: advice({"advice": [{"do": do}]})[0][k] for k in ("say", "command")}  # noqa: E731
    assert said("use it: gnomon predict s NEW") == {"say": "use it", "command": "gnomon predict s NEW"}
    helps = "mlp: dropout or a smaller model; gnomon ablate tells which regularisation matters"
    assert said(helps) == {"say": helps, "command": ""}
