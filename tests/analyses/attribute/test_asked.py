"""Explanations by name: right on a known formula, for any predictor, refused in words, rows listed, agreement printed."""

from __future__ import annotations

import time

import numpy as np
import pytest
from attribution_fakes import Formula, Odds, table, values

from gnomon.analyses.attribute._asked import asked, estimates, explain_asked, known
from gnomon.analyses.attribute._perturbing import DRAWN, PIECEWISE
from gnomon.analyses.attribute._techniques import TECHNIQUES
from gnomon.errors import InputError
from gnomon.rng import stream
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress


def made(odds=False):
    dice = stream(1, "asked")
    x = {name: dice.normal(size=120) for name in "abcde"}
    score = 2 * x["a"] - x["b"] + 0.5 * x["a"] * x["c"]
    if not odds:
        return table({**x, "y": score})
    return table({**x, "category:y": np.where(score > 0, "yes", "no")})


def answer(data, rows):
    a, b, c = values(data, rows, "a", "b", "c")
    return 2 * a - b + 0.5 * a * c


def question(data, learned, task, named=(), seconds=60.0):
    again = lambda seed: type(learned)(lambda d, r: stream(seed, "blind").normal(size=len(r)))  # noqa: E731
    return asked(learned, task, data, np.arange(120), np.arange(120), named=named, fit_again=again,
                 end=time.monotonic() + seconds)


def test_every_piecewise_technique_finds_the_formula_and_says_how_they_agree():
    data = made()
    put = question(data, Formula(answer), regress("y"), named=(7, 3))
    names = tuple(PIECEWISE)
    told = explain_asked(put, names)
    assert [e["technique"] for e in told.explanations] == list(names)
    for entry in told.explanations:
        assert not entry["withheld"] or entry["technique"] == "sufficient_subsets"
        assert any("agreement" in c["name"] for c in entry["other_checks"])
        stable = [c["value"] for c in entry["other_checks"] if c["name"] == "stability over seeds"]
        assert len(stable) == (entry["technique"] in DRAWN) and all(v > 0.9 for v in stable)
        if not entry["withheld"]:
            sizes = {i["what"]: i["value"] for i in entry["importances"]}
            assert sizes["a"] == max(sizes.values()) and sizes["d"] < 0.05 * sizes["a"]
            assert [r["row"] for r in entry["by_row"]] == [7, 3]


def test_shapley_of_a_study_is_the_closed_form():
    data = made()
    put = question(data, Formula(answer), regress("y"), named=(5,))
    entry = explain_asked(put, ("kernel_shap",)).explanations[0]
    rows = np.arange(120)
    a, b, c = values(data, rows, "a", "b", "c")
    ma, mb, mc = np.median(a), np.median(b), np.median(c)
    found = {p["what"]: p["value"] for p in entry["by_row"][0]["pieces"]}
    meant = 2 * (a[5] - ma) + 0.25 * (a[5] * c[5] - ma * mc + a[5] * mc - ma * c[5])
    assert np.isclose(found["b"], -(b[5] - mb), atol=1e-4) and np.isclose(found["a"], meant, atol=1e-4)


def test_prediction_difference_of_columns_leaves_the_unused_at_nothing():
    data = made(odds=True)
    put = question(data, Odds(answer), classify("y", ("no", "yes")))
    told = explain_asked(put, ("prediction_difference", "sampled_shapley"))
    sizes = {i["what"]: i["value"] for i in told.explanations[0]["importances"]}
    assert sizes["a"] > sizes["b"] > sizes["d"] and abs(sizes["d"]) < 1e-6
    number = explain_asked(question(made(), Formula(answer), regress("y")), ("prediction_difference",)).explanations[0]
    sizes = {i["what"]: i["value"] for i in number["importances"]}
    assert sizes["a"] > sizes["b"] > sizes["c"] > sizes["d"] and abs(sizes["d"]) < 1e-6


def test_unknown_names_absent_rows_and_spent_budgets_are_said_in_words():
    assert known(["Sampled-Shapley", "lime", "lime"]) == ("sampled_shapley", "lime")
    with pytest.raises(InputError, match="lyme") as error:
        known(["lyme"])
    assert "lime" in error.value.do and "occlusion" in error.value.do
    data = made()
    with pytest.raises(InputError, match="row 900"):
        question(data, Formula(answer), regress("y"), named=(900,))
    spent = explain_asked(question(data, Formula(answer), regress("y"), seconds=0), ("lime", "grad_cam"))
    assert not spent.explanations and all("no time left" in c.why_not for c in spent.checks)
    told = explain_asked(question(data, Formula(answer), regress("y")), ("grad_cam", "tree_shap"))
    assert "network" in told.checks[0].why_not and "sampled_shapley" in told.checks[1].why_not


def test_estimates_name_every_technique():
    data = made()
    costs = estimates(question(data, Formula(answer), regress("y")), tuple(TECHNIQUES))
    assert set(costs) == set(TECHNIQUES) and all(costs[n] > 0 for n in (*PIECEWISE, "occlusion", "prediction_difference"))
    assert costs["grad_cam"] == costs["tree_shap"] == costs["gnn_explainer"] == 0
