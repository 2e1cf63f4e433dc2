"""One study on a real table with planted wrong labels: relabel, ablate, compare and replay it."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.errors import InputError
from gnomon.workflow._folder import Folder
from gnomon.workflow._relabel_files import form_of, read_rows, write_rows
from gnomon.workflow._resplits import compare_methods, corrected_t, method_words
from gnomon.workflow.ablate import Part, named, words_of
from gnomon.workflow.compared import _said, holm
from gnomon.workflow.origin import again
from gnomon.workflow.relabel import corrections
from gnomon.workflow.replay import judged

ONLY = ("logistic", "forest")


@pytest.fixture(scope="module")
def planted() -> tuple[pd.DataFrame, np.ndarray]:
    """300 rows of breast cancer (scikit-learn's), 24 labels turned over; and which."""
    from sklearn.datasets import load_breast_cancer

    frame = load_breast_cancer(as_frame=True).frame.sample(300, random_state=1).reset_index(drop=True)
    frame = frame[["mean radius", "mean texture", "mean concavity", "worst perimeter", "worst smoothness", "target"]]
    frame["target"] = np.where(frame["target"] == 1, "benign", "malign")
    bad = np.random.default_rng(0).choice(len(frame), 24, replace=False)
    frame.loc[bad, "target"] = np.where(frame.loc[bad, "target"] == "benign", "malign", "benign")
    return frame, np.sort(bad)


@pytest.fixture(scope="module")
def finished(planted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("referee")
    planted[0].to_csv(folder / "cells.csv", index=False)
    os.environ["GNOMON_STATE"] = str(folder / "state")
    return gnomon.study(folder / "cells.csv", target="target", out=folder / "cells.study", budget="300s", only=ONLY,
                        examples=False)


@pytest.fixture
def own(finished, tmp_path):
    """A copy to change."""
    shutil.copytree(finished.folder, tmp_path / "cells.study")
    shutil.copy(finished.folder.parent / "cells.csv", tmp_path / "cells.csv")
    return tmp_path / "cells.study"


def test_suspect_rows_are_the_planted_ones_and_nothing_is_filled_in(own, planted):
    told = gnomon.relabel(own, rows=20)
    table = pd.read_csv(told["file"], keep_default_na=False)
    assert list(table.columns[:2]) == ["row", "column"]
    assert np.isin(table["row"][:15], planted[1]).mean() >= 0.8 and (table["new label"] == "").all()
    assert (table["label"] != table["suggested label"]).all() and "mean radius" in table


def test_corrected_labels_reach_training_and_their_worth_is_measured(own, planted):
    frame, bad = planted
    before = (own.parent / "cells.csv").read_bytes()
    told = gnomon.relabel(own, rows=40)
    table = pd.read_csv(told["file"], keep_default_na=False)
    right = np.where(frame["target"] == "benign", "malign", "benign")
    table["new label"] = [right[r] if r in bad else frame["target"][r] for r in table["row"]]  # an expert looks at each
    table.loc[table.index[-1], "new label"] = ""
    table.to_csv(own / "filled.csv", index=False)
    taken = gnomon.relabel(own, take=own / "filled.csv", by="expert")
    assert taken["corrected"] >= 15 and taken["corrected"] + taken["confirmed"] == len(table) - 1 and taken["left"] == 1
    lines = corrections(Folder(own))
    assert {c["who"] for c in lines} == {"expert"} and all(c["when"] for c in lines)
    again = gnomon.run(own)
    found = next(f for f in again.report["findings"] if f["code"] == "VALID-RELABELLED")
    v = found["values"]
    assert v["corrected"] == taken["corrected"] and v["low"] <= v["gain"] <= v["high"]
    assert v["corrected_score_after"] > v["score_after"]  # beside: by the corrected labels
    assert v["untouched_rows"] == 300 - v["corrected"]
    headline = next(c["valid"] for c in again.report["candidates"][::-1] if c["valid"])
    assert headline["n_rows"] == 300  # no judged row was dropped
    assert (own.parent / "cells.csv").read_bytes() == before
    seen = pd.read_csv(gnomon.relabel(own, rows=500)["file"])
    assert not set(seen["row"]) & {int(c["row"]) for c in lines}  # what was looked at is not asked again


def test_a_file_that_does_not_fit_is_refused_in_words(own):
    told = gnomon.relabel(own, rows=5)
    table = pd.read_csv(told["file"], keep_default_na=False)
    for change, match in (({"new label": "purple"}, "no class"), ({"row": 9999, "new label": "benign"}, "not in the training"),
                          ({"new label": ""}, "empty in every row")):
        table.assign(**change).to_csv(own / "bad.csv", index=False)
        with pytest.raises(InputError, match=match):
            gnomon.relabel(own, take=own / "bad.csv")
    table.assign(label="malign" if table["label"][0] == "benign" else "benign", **{"new label": "benign"}).to_csv(
        own / "bad.csv", index=False)
    with pytest.raises(InputError, match="the data say"):
        gnomon.relabel(own, take=own / "bad.csv")
    assert corrections(Folder(own)) == []


@pytest.mark.parametrize(("came", "suffix"), [
    ("a.csv", ".csv"), ("a.csv.gz", ".csv"), ("a.fasta.gz", ".fasta"), ("b.jsonl", ".jsonl"), ("folder", ".csv"),
    ("c.xlsx", ".xlsx"), ("d.sdf", ".csv"), ("e.tsv", ".tsv")])
def test_files_come_back_in_the_form_they_came(came, suffix, tmp_path):
    assert form_of([came]) == suffix
    record = {"row": 3, "column": "y", "sequence": "ACGU", "label": 'a "b" c', "suggested label": "d", "doubt": 0.5,
              "new label": ""}
    write_rows(tmp_path / f"x{suffix}", [record, {**record, "row": 4, "new label": "e f"}])
    back = read_rows(tmp_path / f"x{suffix}")
    assert [int(r["row"]) for r in back] == [3, 4] and [r["new label"] for r in back] == ["", "e f"]
    assert back[0]["label"] == 'a "b" c'


def test_ablating_a_column_the_model_needs_and_one_it_does_not(own):
    report = json.loads((own / "report.json").read_text())
    logistic = next(c["recipe"]["hash"] for c in report["candidates"] if c["label"] == "logistic")
    parts = gnomon.ablate(own, candidate=logistic)["parts"]
    assert {"column:worst perimeter", "column:mean texture"} <= {p["name"] for p in parts}
    told = gnomon.ablate(own, "worst perimeter", candidate=logistic)
    assert told["part"] == "column:worst perimeter" and told["rows"] == 300
    assert told["low"] <= told["value"] <= told["high"] and "(valid)" in told["claim"]
    assert told["value"] == pytest.approx(told["with"] - told["without"])
    with pytest.raises(InputError, match="no part"):
        named("worst perimetre", [Part(**p) for p in parts])
    assert report["ledger"]["test_openings"] == 0 and len(json.loads((own / "ablations.json").read_text())) == 1


def test_without_nothing_the_same_predictions_come_out(own):
    """The law behind the comparison: same folds and seeds, so leaving out nothing changes nothing."""
    from gnomon.workflow import ablate as step
    from gnomon.workflow._again import reopened
    from gnomon.workflow._voice import Voice

    made = reopened(*again(own), Voice())
    recipe = made.recipe(next(c["recipe"]["hash"] for c in made.report["candidates"] if c["label"] == "logistic"))
    same = step._again_without(made, recipe, step.Changed(made.bench.data, recipe, made.bench.task), Voice())
    assert np.allclose(same.proba, made.run(recipe).oof.proba)


def test_a_part_that_harms_does_so_within_limits_of_the_same_sign():
    told = {"part": "column:notes", "candidate": "logistic", "metric": "roc_auc", "with": 0.76, "without": 0.81, "units": 60,
            "value": -0.0527, "low": -0.0851, "high": -0.0245}
    assert words_of(told, "row").endswith("the part harms by 0.0527 [0.0245, 0.0851]")
    assert "[-0.0851, 0.01], which 60 rows" in words_of({**told, "high": 0.01}, "row")


def test_compare_speaks_of_predictors_only(finished, own):
    told = gnomon.compare(finished.folder, own)
    assert told["of"] == "delivered predictors" and told["pairs"][0]["value"] == 0
    assert "cannot be told apart" in told["pairs"][0]["claim"] and "methods" in told["scope"]


def test_a_pair_is_better_only_after_correction():
    pairs = [{"a": str(i), "b": "x", "value": 0.1, "low": 0.01, "high": 0.2, "p": p} for i, p in enumerate((0.03, 0.04, 0.001))]
    said = [_said(p, "accuracy", 100) for p in holm(pairs)]
    assert [s["outcome"] for s in said] == ["undetermined", "undetermined", "better"]
    assert "after correction" in said[0]["claim"] and "beats" in said[2]["claim"]


def reports(gaps, a="forest", b="ridge"):
    """Studies of the same data whose two candidates differ by these gaps."""
    def one(gap):
        def candidate(m, v):
            return {"recipe": {"model": m, "method": "own_fit", "options": {}}, "family": "simple", "valid": {"value": v}}
        return {"task": {"targets": [{"metric": "accuracy", "higher_is_better": True}]},
                "split": {"sizes": {"train": 80, "valid": 20, "test": 0}},
                "candidates": [candidate(a, 0.8 + gap), candidate(b, 0.8)]}
    return [one(g) for g in gaps]


def test_methods_need_five_resplits():
    few, = compare_methods(reports([0.1, 0.11, 0.1]))
    assert few["p"] is None and "no claim about the methods" in method_words(few, "accuracy")
    many, = holm(compare_methods(reports([0.1, 0.11, 0.1, 0.12, 0.09])))
    assert "as a method" in method_words(many, "accuracy") and many["low"] > 0


@pytest.mark.parametrize("gaps", [[-0.1, -0.11, -0.1], [-0.1, -0.11, -0.1, -0.12, -0.09]])
def test_the_better_method_is_named_first_with_its_limits_turned(gaps):
    pair, = holm(compare_methods(reports(gaps)))
    words = method_words(pair, "accuracy")
    assert words.index("ridge") < words.index("forest") and "-" not in words.replace("- ", "")
    assert ("[0.0" in words) == (len(gaps) == 5)


def test_the_corrected_t_keeps_its_level_where_the_plain_one_does_not():
    """Nadeau & Bengio: resplits overlap; with correlation n_test / (n_test + n_train) the corrected test errs in about 5 %."""
    from scipy.stats import ttest_1samp

    dice, share = np.random.default_rng(0), 0.2
    wrong = plain = 0
    for _ in range(2000):
        gaps = np.sqrt(share) * dice.normal() + np.sqrt(1 - share) * dice.normal(size=10)
        low, high, p = corrected_t(gaps, share / (1 - share))
        assert (p < 0.05) == (low > 0 or high < 0)
        wrong += p < 0.05
        plain += ttest_1samp(gaps, 0).pvalue < 0.05
    assert 0.03 < wrong / 2000 < 0.07 < plain / 2000


def cross_validated(dice, n, repeats, folds=5):
    """A study of two straight lines, each on another three of six like columns: neither is better as a method. Rows are dealt
    anew, predictions are averaged over the repeats, as a study does. The data come first, the split with every call."""
    x = dice.normal(size=(n, 6))
    y = x.sum(axis=1) / 2 + dice.normal(size=n)

    def study():
        deals = [dice.permutation(n) % folds for _ in range(repeats)]
        off = {}
        for name, inputs in (("a", x[:, :3]), ("b", x[:, 3:])):
            design, foretold = np.column_stack([np.ones(n), inputs]), np.zeros(n)
            for deal in deals:
                for k in range(folds):
                    slope = np.linalg.lstsq(design[deal != k], y[deal != k], rcond=None)[0]
                    foretold[deal == k] += design[deal == k] @ slope / repeats
            off[name] = (y - foretold) ** 2
        return {"task": {"targets": [{"metric": "rmse", "higher_is_better": False}]},
                "split": {"sizes": {"train": n - n // folds, "valid": n // folds, "test": 0}, "folds": folds * repeats},
                "candidates": [{"recipe": {"model": name, "method": "own_fit", "options": {}}, "family": "simple",
                                "valid": {"value": float(np.sqrt(e.mean()))},
                                "fold_scores": [float(np.sqrt(e[deals[0] == k].mean())) for k in range(folds)]}
                               for name, e in off.items()]}
    return study


@pytest.mark.parametrize("repeats", [1, 3])
def test_like_methods_are_seldom_told_apart_over_cross_validations(repeats):
    """EVIDENCE 8: at most 6 %. Scores of whole cross-validations, over the same rows, told them apart in 66 to 90 %."""
    wrong, dice = 0, np.random.default_rng(7)
    for _ in range(200):
        study = cross_validated(dice, 100, repeats)
        wrong += compare_methods([study() for _ in range(5)])[0]["p"] < 0.05
    assert wrong <= 18  # 6 % of 200 with two standard errors' room


def test_no_claim_of_methods_without_the_scores_of_each_fold():
    study = cross_validated(np.random.default_rng(0), 60, 1)
    found = [study() for _ in range(5)]
    for report in found[:1]:
        for candidate in report["candidates"]:
            del candidate["fold_scores"]
    pair, = holm(compare_methods(found))
    assert pair["p"] is None and pair["low"] is None
    assert "no claim about the methods without the scores of each fold" in method_words(pair, "rmse")


def test_the_scores_of_each_fold_are_on_record(own):
    report = json.loads((own / "report.json").read_text())
    split = report["split"]
    for c in report["candidates"]:
        assert len(c["fold_scores"]) == split["folds"] // split["repeats"]
        assert np.isclose(np.mean(c["fold_scores"]), c["valid"]["value"], atol=0.05)


@pytest.mark.slow
def test_replay_is_the_same_and_says_under_what(own):
    told = gnomon.replay(own, threads=1)
    assert told["judged"] == "same", told
    assert "1 thread" in told["under"] and "instruction set" in told["under"]


def test_judging_a_replay():
    def report(value, outcome="better"):
        return {"data": {"hash": "h"}, "verdict": {"outcome": outcome},
                "candidates": [{"recipe": {"hash": "a"}, "valid": {"value": value, "low": 0.7, "high": 0.9}}]}
    assert judged(report(0.8), report(0.8))["judged"] == "same"
    assert judged(report(0.8), report(0.82))["judged"] == "same within noise"
    assert judged(report(0.8), report(0.95))["judged"] == "different"
    assert judged(report(0.8), report(0.82, "equivalent"))["judged"] == "different"


def test_a_replay_without_all_candidates_or_with_another_recommendation_is_different():
    def report(scores, recommended):
        return {"data": {"hash": "h"}, "verdict": {"outcome": "better", "recommended": recommended},
                "candidates": [{"recipe": {"hash": name}, "label": f"model {name}", "valid": {"value": v, "low": 0, "high": 1}}
                               for name, v in scores.items()]}
    whole = report({"a": 0.8, "b": 0.7}, "a")
    gone = judged(whole, report({"b": 0.7}, "b"))
    assert gone["judged"] == "different"
    assert "model a a" in gone["why"] and "1 of 2" in gone["why"] and "now model b b" in gone["why"]
    turned = judged(whole, report({"a": 0.7, "b": 0.8}, "b"))
    assert turned["judged"] == "different" and "model a a was recommended, now model b b" in turned["why"]
    assert "gone" not in judged(whole, whole)["why"] and judged(whole, whole)["judged"] == "same"


def test_a_replay_compares_test_scores_headline_findings_and_further_candidates():
    def report(test=0.8, head=0.8, names="a", warned=(), noted="x"):
        def e(v):
            return {"value": v, "low": 0.7, "high": 0.9}
        found = [{"code": c, "grade": "warn", "claim": c, "columns": [], "rows": []} for c in warned]
        found.append({"code": "LOOK-SMALL", "grade": "note", "claim": noted, "columns": [], "rows": []})
        verdict = {"outcome": "better", "recommended": "a", "headline": e(head)}
        return {"data": {"hash": "h"}, "verdict": verdict, "findings": found,
                "candidates": [{"recipe": {"hash": n}, "label": f"model {n}", "valid": e(0.8),
                                "test": e(test) if n == "a" else None} for n in names]}
    first = report()
    assert judged(first, report())["judged"] == "same"
    told = judged(first, report(test=0.95))
    assert told["judged"] == "different" and "model a a (test)" in told["why"]
    assert "headline" in judged(first, report(head=0.5))["why"]
    assert judged(first, report(head=0.82))["judged"] == "same within noise"
    more = judged(first, report(names="ab"))
    assert more["judged"] == "different" and "1 came out that was not there: model b b" in more["why"]
    warned = judged(first, report(warned=["VALID-SHIFT"]))
    assert warned["judged"] == "different" and "findings are not the same: VALID-SHIFT" in warned["why"]
    reworded = judged(first, report(noted="y"))
    assert reworded["judged"] == "same within noise" and "LOOK-SMALL" in reworded["why"]
    assert judged(first, report(warned=["VALID-TEST-REUSED"]))["judged"] == "same"


def test_an_exploratory_replay_is_judged_by_its_findings():
    def report(*codes):
        return {"data": {"hash": "h"}, "verdict": None, "candidates": [],
                "findings": [{"code": c, "grade": "warn", "claim": c, "columns": [], "rows": []} for c in codes]}
    assert judged(report("LOOK-ID"), report("LOOK-ID"))["judged"] == "same"
    told = judged(report("LOOK-ID", "LOOK-LEAK"), report("LOOK-ID"))
    assert told["judged"] == "different" and "LOOK-LEAK" in told["why"] and "LOOK-ID" not in told["why"]
