"""The main job on bundled real data: what the command writes, resuming, editing the plan, predicting, refusing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.data.bundle import bundled
from gnomon.errors import InputError
from gnomon.workflow._voice import Voice
from gnomon.workflow.run import deliver as real

SMALL = {"only": ("ridge", "forest"), "examples": True}
TARGET = "strength_MPa"


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return pd.read_csv(bundled("concrete.csv")).sample(220, random_state=0).reset_index(drop=True)


@pytest.fixture(scope="module")
def finished(table, tmp_path_factory):
    """One finished study that the tests below look at and never change."""
    folder = tmp_path_factory.mktemp("study")
    table.to_csv(folder / "mix.csv", index=False)
    os.environ["GNOMON_STATE"] = str(folder / "state")
    return gnomon.study(folder / "mix.csv", target=TARGET, out=folder / "mix.study", budget="60s", **SMALL)


def test_report_has_the_contract_s_fields(finished):
    report = json.loads((finished.folder / "report.json").read_text())
    assert report["format"] == 1
    for key in ("version", "status", "data", "task", "split", "checks", "findings", "candidates", "verdict", "explanations",
                "advice", "cost", "ledger"):
        assert key in report
    assert set(report["verdict"]) >= {"recommended", "kind", "outcome", "claim", "scope", "against", "difference"}
    assert set(report["verdict"]["difference"]) == {"value", "low", "high", "level", "p", "test", "margin", "positive_means"}
    estimate = report["candidates"][1]["valid"]
    assert set(estimate) >= {"metric", "value", "low", "high", "level", "estimator", "unit", "n_units", "n_rows", "n_events",
                             "method", "includes", "by_target"}
    assert all(c["test"] is None for c in report["candidates"]) and report["ledger"]["test_openings"] == 0
    assert finished.page.stat().st_size < 5e6


def test_trees_beat_the_mean_on_concrete(finished):
    verdict = finished.report["verdict"]
    assert verdict["recommended"] and verdict["outcome"] in ("better", "equivalent", "undetermined")
    scores = {c["label"]: c["valid"]["value"] for c in finished.report["candidates"]}
    assert scores["forest"] < scores["ridge"] < scores["floor"]


def test_study_folder_holds_no_pickle_and_only_relative_paths(finished):
    names = [p for p in finished.folder.rglob("*") if p.is_file()]
    assert not [p for p in names if p.suffix in (".pkl", ".pickle", ".joblib", ".pt", ".pth")]
    text = "".join((finished.folder / n).read_text() for n in ("delivered.json", "plan.toml", "versions.json"))
    assert str(finished.folder.parent) not in text


def test_prediction_equals_what_was_judged_and_names_missing_columns(finished, table, tmp_path):
    out = gnomon.predict(finished.folder, table.drop(columns=[TARGET]), out=tmp_path / "new.csv")
    assert list(out.columns)[:4] == ["row", "prediction", "low", "high"] and {"ood_score", "ood"} <= set(out.columns)
    assert np.corrcoef(out["prediction"], table[TARGET])[0, 1] > 0.9
    assert (out["low"] < out["prediction"]).all() and len(pd.read_csv(tmp_path / "new.csv")) == len(table)
    told = []
    gnomon.predict(finished.folder, table.drop(columns=["cement"]), voice=Voice(lambda stage, text: told.append(text)))
    assert any("cement" in text for text in told)


def test_rows_far_from_training_are_flagged(finished, table):
    far = table.drop(columns=[TARGET]) * 20
    assert gnomon.predict(finished.folder, far)["ood"].all()


def test_what_reading_new_rows_found_is_said_with_the_rows(finished, table):
    new = table.drop(columns=[TARGET]).astype(object)
    new.iloc[3, 0], new.iloc[7] = "abc", None
    told = []
    out = gnomon.predict(finished.folder, new, voice=Voice(lambda stage, text: told.append(text)))
    assert any(f"'{new.columns[0]}'" in text and "(row 3)" in text for text in told)
    assert any("every input is missing" in text and "(row 7)" in text for text in told)
    assert out["ood"][7] and np.isnan(out["ood_score"][7]) and out["ood"].mean() < 0.2
    told.clear()
    gnomon.predict(finished.folder, table.drop(columns=[TARGET]), voice=Voice(lambda stage, text: told.append(text)))
    assert told == []


def test_same_command_again_repeats_no_finished_run(finished, table, tmp_path):
    import shutil

    folder = tmp_path / "mix.study"
    shutil.copytree(finished.folder, folder)
    shutil.copy(finished.folder.parent / "mix.csv", tmp_path / "mix.csv")
    before = {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*/*/run.json")}
    again = gnomon.study(tmp_path / "mix.csv", target=TARGET, out=folder, budget="60s", **SMALL)
    assert {p: p.stat().st_mtime_ns for p in folder.glob("runs/*/*/*/run.json")} == before
    assert again.report["verdict"] == finished.report["verdict"]


def test_deleting_a_candidate_from_the_plan_leaves_it_out(finished, tmp_path):
    import shutil

    import tomlkit

    folder = tmp_path / "mix.study"
    shutil.copytree(finished.folder, folder)
    shutil.copy(finished.folder.parent / "mix.csv", tmp_path / "mix.csv")
    plan = tomlkit.parse((folder / "plan.toml").read_text())
    plan["candidate"] = [c for c in plan["candidate"] if c["model"] != "forest"]
    (folder / "plan.toml").write_text(tomlkit.dumps(plan))
    again = gnomon.run(folder)
    assert "forest" not in {c["label"] for c in again.report["candidates"]}


def test_shuffled_labels_give_no_recommendation(table, tmp_path):
    null = table.assign(**{TARGET: np.random.default_rng(5).permutation(table[TARGET])})
    result = gnomon.study(null, target=TARGET, out=tmp_path / "null.study", budget="40s", only=("ridge",))
    assert result.report["verdict"]["outcome"] == "no-signal" and result.report["verdict"]["recommended"] is None
    assert "VALID-NO-SIGNAL" in {f["code"] for f in result.report["findings"]}


def test_accept_needs_a_reason_and_a_finding(finished):
    with pytest.raises(InputError, match="no finding"):
        gnomon.accept(finished.folder, "LOOK-NEVER", because="x")


def test_text_from_data_is_escaped(table, tmp_path):
    nasty = table.rename(columns={"water": "<script>alert(1)</script>"})
    result = gnomon.study(nasty, target=TARGET, out=tmp_path / "x.study", budget="40s", only=("ridge",))
    assert "<script>alert(1)" not in result.page.read_text()


def command(*words: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "gnomon", *words], capture_output=True, text=True,
                          env={**os.environ, **environment}, check=False)


@pytest.mark.parametrize("content, words, code", [
    (None, [], "E-FILE-ABSENT"),
    ("", [], "E-FILE-EMPTY"),
    ("a,b\n1,2\n3,4\n", ["--target", "c"], "E-TARGET-ABSENT"),
    ("a,b\n1,2\n3,2\n4,2\n", ["--target", "b"], "E-TARGET-CONSTANT"),
    ("a,b\n1,x\n3,x\n4,x\n", ["--target", "b"], "E-TARGET-ONE-CLASS"),
    ("a,b\n1,\n3,\n4,\n", ["--target", "b"], "E-TARGET-EMPTY"),
    ("a,a\n1,2\n3,4\n", ["--target", "a"], "E-COLUMN-DUPLICATE"),
    ("a,b\n1,2\n3,4,5,6\n", ["--target", "b"], "E-RAGGED"),
    ("a,b\n1,x\n3,y\n4,x\n5,y\n", ["--target", "b", "--metric", "rmse"], "E-TARGET-NOT-NUMERIC"),
    ("a,b\n1,2\n3,4\n5,7\n", ["--target", "b", "--kinds", "a=molecule"], "E-KIND-UNREADABLE"),
])
def test_bad_input_is_refused_with_a_code_and_no_traceback(content, words, code, tmp_path, capsys):
    from gnomon.cli import main

    path = tmp_path / "in.csv"
    if content is not None:
        path.write_text(content)
    assert main(["study", str(path), *words, "--out", str(tmp_path / "o.study"), "--budget", "20s"]) == 2
    told = capsys.readouterr().err
    assert code in told and "do:" in told and "Traceback" not in told


def test_unwritable_output_is_refused(tmp_path, capsys):
    from gnomon.cli import main

    (tmp_path / "file").write_text("")
    assert main(["study", str(bundled("concrete.csv")), "--target", TARGET, "--out", str(tmp_path / "file" / "x")]) == 2
    assert "E-OUT-UNWRITABLE" in capsys.readouterr().err


def test_a_disk_that_fills_up_in_a_fit_stops_the_study_and_loses_nothing(table, tmp_path, monkeypatch):
    from skops import io

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    words = {"target": TARGET, "budget": "20s", "out": tmp_path / "c.study", "only": ("ridge",)}
    with monkeypatch.context() as patch:
        patch.setattr(io, "dump", full)
        with pytest.raises(InputError, match="no space left") as caught:
            gnomon.study(table, **words)
    assert caught.value.code == "E-DISK-FULL" and caught.value.exit_code == 2
    assert gnomon.study(table, **words).report["verdict"]["recommended"], "the same words go on once there is room"


def test_a_study_that_was_stopped_knows_its_file_and_words(table, tmp_path, monkeypatch):
    from gnomon.workflow import study as stages

    def stopped(*_, **__):
        raise KeyboardInterrupt

    table.to_csv(tmp_path / "mix.csv", index=False)
    with monkeypatch.context() as patch:
        patch.setattr(stages, "run_stage", stopped)
        with pytest.raises(KeyboardInterrupt):
            gnomon.study(tmp_path / "mix.csv", target=TARGET, budget="20s", out=tmp_path / "c.study", only=("ridge",))
    assert gnomon.run(tmp_path / "c.study").report["verdict"]["recommended"]


@pytest.mark.slow
def test_killed_at_random_moments_ends_with_the_same_verdict(finished, tmp_path):
    import shutil

    shutil.copy(finished.folder.parent / "mix.csv", tmp_path / "mix.csv")
    words = [sys.executable, "-m", "gnomon", "study", str(tmp_path / "mix.csv"), "--target", TARGET, "--out",
             str(tmp_path / "mix.study"), "--budget", "60s", "--only", "ridge", "forest"]
    rng = np.random.default_rng(0)
    for _ in range(5):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(2, 12))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert subprocess.run(words, capture_output=True, check=False).returncode == 0
    report = json.loads((tmp_path / "mix.study" / "report.json").read_text())
    assert report["verdict"] == finished.report["verdict"]


def test_a_test_file_that_is_not_there_is_refused(table, tmp_path):
    with pytest.raises(InputError, match="there is no file or folder"):
        gnomon.study(table, target=TARGET, out=tmp_path / "t.study", test=tmp_path / "new.csv")


def test_explain_by_name_asks_the_fold_s_own_models_and_keeps_what_it_found(finished, tmp_path, monkeypatch):
    import shutil

    from gnomon.workflow import after

    place = tmp_path / "mix.study"
    shutil.copytree(finished.folder, place)
    shutil.copy(finished.folder.parent / "mix.csv", tmp_path / "mix.csv")
    asked = []
    monkeypatch.setattr(after, "deliver", lambda folder, members: asked.append(members) or real(folder, members))
    told = gnomon.explain(place, techniques=["tree-shap", "occlusion"], rows=[3, 5], seconds=30)
    folds = {Path(f).name for m in asked[0] for f in m["folders"]}
    assert len(folds) == 1 and folds.pop().startswith("fold"), "only models that did not see the rows may be asked"
    assert {e["technique"] for e in told["explanations"]} == {"tree_shap", "occlusion"}
    assert (place / "explanations.json").exists()
    with pytest.raises(InputError, match="E-TECHNIQUE"):
        gnomon.explain(place, techniques=["tree_shop"])


def test_opening_the_sealed_part_again_for_other_models_is_said(table, tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    table.to_csv(tmp_path / "mix.csv", index=False)
    (tmp_path / "rows.json").write_text(json.dumps({"train": list(range(160)), "test": list(range(160, 220))}))
    words = {"target": TARGET, "split": f"rows:{tmp_path / 'rows.json'}", "because": "as published", "budget": "20s"}
    said = []
    for number, models in enumerate((("ridge",), ("ridge",), ("lasso",))):
        report = gnomon.study(tmp_path / "mix.csv", out=tmp_path / f"{number}.study", only=models, **words).report
        said.append(("VALID-TEST-REUSED" in {f["code"] for f in report["findings"]}, report["ledger"]["test_openings"]))
    assert said == [(False, 1), (False, 1), (True, 2)], "the same models again are the same opening"


def test_what_is_saved_for_comparing_is_the_recommended_model_s_not_the_chosen_one_s(table, tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    monkeypatch.setattr("gnomon.workflow.verdict.outcome", lambda difference: "equivalent")  # so the simpler one is recommended
    monkeypatch.setattr("gnomon.workflow.verdict.fixed_on_validation", lambda bench, candidates: tuple(
        next(c for c in candidates if name in c.recipe.label) for name in ("forest", "ridge", "floor")))
    table.to_csv(tmp_path / "mix.csv", index=False)
    (tmp_path / "rows.json").write_text(json.dumps({"train": list(range(160)), "test": list(range(160, 220))}))
    done = gnomon.study(tmp_path / "mix.csv", target=TARGET, out=tmp_path / "mix.study", only=SMALL["only"], budget="60s",
                        split=f"rows:{tmp_path / 'rows.json'}", because="as published")
    verdict = done.report["verdict"]
    assert verdict["recommended"] != verdict["chosen_on_validation"]
    saved = pd.read_parquet(done.folder / "judged.parquet").filter(like="value").to_numpy()[:, 0]
    truth = pd.read_parquet(done.folder / "judged_truth.parquet")["truth0"].to_numpy()
    assert np.sqrt(np.mean((saved - truth) ** 2)) == pytest.approx(verdict["headline"]["value"], rel=1e-6)
