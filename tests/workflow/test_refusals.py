"""What a user can get wrong, each refused with its code, what to do, exit code 2 and no traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

import gnomon
from gnomon.cli import main
from gnomon.data.bundle import bundled

TARGET = "strength_MPa"
OWN = """
def nearest(inputs, out):
    raise ValueError("no such solver")
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A study of 200 mixtures that knows its file; the tests copy it before they spoil it."""
    folder = tmp_path_factory.mktemp("refusals")
    os.environ["GNOMON_STATE"] = str(folder / "state")
    table = pd.read_csv(bundled("concrete.csv")).sample(200, random_state=1)
    table.to_csv(folder / "mix.csv", index=False)
    gnomon.study(folder / "mix.csv", target=TARGET, out=folder / "mix.study", budget="25s", only=("ridge",))
    return folder


@pytest.fixture
def place(finished, tmp_path) -> Path:
    shutil.copytree(finished, tmp_path / "here")
    return tmp_path / "here"


def refused(capsys, *words: object) -> str:
    assert main([str(w) for w in words]) == 2
    told = capsys.readouterr().err
    assert "do:" in told and "Traceback" not in told
    return told


@pytest.mark.parametrize("verb, words, code, named", [
    ("ablate", ["colour"], "E-ABLATE", "colour"),
    ("ablate", ["--candidate", "zz"], "E-CANDIDATE", "zz"),
    ("accept", ["LOOK-SMALL", "--because", "  "], "E-BECAUSE", "reason"),
    ("accept", ["LOOK-COUNTS", "--because", "known"], "E-CODE-ABSENT", "LOOK-COUNTS"),
    ("compare", [], "E-COMPARE", "one study"),
    ("explain", ["--technique", "shap"], "E-TECHNIQUE", "tree_shap"),
    ("explain", ["--technique", "sampled_shapley", "--rows", "200"], "E-ROW", "200"),
    ("explain", ["--technique", "sampled_shapley", "--budget", "soon"], "E-BUDGET", "soon"),
    ("predict", ["mix.csv", "-o", "out.doc"], "E-OUT-FORMAT", ".doc"),
    ("predict", ["mix.csv", "-o", "out.csv", "--candidate", "zz"], "E-CANDIDATE", "zz"),
    ("relabel", ["--take", "mix.csv"], "E-RELABEL", "mix.csv"),
    ("relabel", ["--take", "mix.study"], "E-FILE-ABSENT", "is a folder"),
    ("relabel", ["-o", "mix.csv"], "E-OUT-UNWRITABLE", "data of"),
    ("predict", ["mix.csv", "-o", "mix.csv"], "E-OUT-UNWRITABLE", "input of this command"),
    ("predict", ["mix.csv", "-o", "mix.study/split.parquet"], "E-OUT-UNWRITABLE", "record of"),
    ("replay", ["--threads", "0"], "E-OPTION", "--threads 0"),
])
def test_of_a_finished_study(verb, words, code, named, place, capsys, monkeypatch):
    monkeypatch.chdir(place)
    if verb == "accept" and code == "E-BECAUSE":
        report = json.loads((place / "mix.study/report.json").read_text())
        words = [report["findings"][0]["code"], *words[1:]]
    told = refused(capsys, verb, place / "mix.study", *words)
    assert code in told and named in told


@pytest.mark.parametrize("words, code, named", [
    (["--budget", "soon"], "E-BUDGET", "soon"),
    (["--device", "cuda"], "E-DEVICE", "CUDA"),
    (["--metric", "goodness"], "E-METRIC", "goodness"),
    (["--metric", "roc_auc"], "E-METRIC", "number"),
    (["--kinds", "water"], "E-KINDS", "water"),
    (["--group", "patient"], "E-COLUMN-ABSENT", "patient"),
    (["--predict-at", "visit"], "E-COLUMN-ABSENT", "visit"),
    (["--for", "ever"], "E-SCOPE", "ever"),
    (["--split", "fair"], "E-SPLIT", "fair"),
    (["--split", "group"], "E-SPLIT", "group"),
    (["--split", "group:plate"], "E-SPLIT-COLUMN", "plate"),
    (["--split", "column:plate"], "E-SPLIT-COLUMN", "plate"),
    (["--split", "column:water"], "E-SPLIT-COLUMN", "train, valid or test"),
    (["--split", "rows:none.json"], "E-SPLIT-FILE", "none.json"),
    (["--split", "rows:twice.json"], "E-SPLIT-FILE", "two parts"),
    (["--split", "rows:nothing.json"], "E-SPLIT-EMPTY", "no training row"),
    (["--split", "scaffold:water"], "E-SPLIT-COLUMN", "molecules"),
    (["--split", "cluster:plate"], "E-SPLIT-COLUMN", "absent"),
    (["--split", "time:site"], "E-SPLIT-TIME", "site"),
    (["--target", "kind", "--positive", "maybe"], "E-POSITIVE-ABSENT", "maybe"),
    (["--target", "when"], "E-TARGET-KIND", "when"),
])
def test_of_a_study_s_words(words, code, named, place, capsys, monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.chdir(place)
    table = pd.read_csv("mix.csv")
    table["kind"] = ["weak", "strong"] * 100
    table["when"] = pd.date_range("2020-01-01", periods=200).strftime("%Y-%m-%d")
    table["site"] = "only"
    table.to_csv("mix.csv", index=False)
    Path("twice.json").write_text('{"train": [0, 1, 2], "test": [2, 3]}')
    Path("nothing.json").write_text('{"train": [], "test": [2, 3]}')
    words = words if "--target" in words else [*words, "--target", TARGET]
    told = refused(capsys, "study", "mix.csv", "--out", "o.study", *(["--budget", "20s"] if "--budget" not in words else []),
                   *words)
    assert code in told and named in told


def test_no_target_and_no_guess_is_said(tmp_path, capsys):
    rows = "\n".join(f"{i * 0.37:.3f},{(i * 7919) % 97},{(i * 31) % 53}" for i in range(60))
    (tmp_path / "in.csv").write_text("alpha,beta,gamma\n" + rows + "\n")
    told = refused(capsys, "study", tmp_path / "in.csv", "--budget", "20s", "--out", tmp_path / "o.study")
    assert "E-TARGET-NONE" in told and "--target" in told


def test_a_date_and_the_target_alone_leave_nothing_to_predict_from(tmp_path, capsys):
    days = "\n".join(f"1981-{1 + i // 28:02d}-{1 + i % 28:02d},{(i * 7919) % 97 / 7:.2f}" for i in range(200))
    (tmp_path / "in.csv").write_text("Date,Temp\n" + days + "\n")
    told = refused(capsys, "study", tmp_path / "in.csv", "--target", "Temp", "--budget", "20s", "--out", tmp_path / "o.study")
    assert "E-INPUTS-NONE" in told and "'Date' is time" in told


def test_sequence_before_any_header(tmp_path, capsys):
    (tmp_path / "in.fasta").write_text("ACGT\n>one\nACGT\n")
    told = refused(capsys, "study", tmp_path / "in.fasta", "--out", tmp_path / "o.study")
    assert "E-FASTA" in told and "line 1" in told


def test_a_folder_that_is_no_study(place, capsys):
    (place / "other").mkdir()
    (place / "other" / "thesis.tex").write_text("")
    assert "E-STUDY-ABSENT" in refused(capsys, "report", place / "other")
    told = refused(capsys, "study", place / "mix.csv", "--target", TARGET, "--out", place / "other")
    assert "E-STUDY-FOREIGN" in told and (place / "other" / "thesis.tex").exists()


def test_a_study_of_a_newer_gnomon_or_spoilt_by_hand(place, capsys):
    folder = place / "mix.study"
    made = json.loads((folder / "versions.json").read_text())
    (folder / "versions.json").write_text(json.dumps({**made, "format": 99}))
    assert "E-STUDY-NEWER" in refused(capsys, "report", folder)
    (folder / "versions.json").write_text("{")
    assert "E-STUDY-FILE" in refused(capsys, "report", folder)


def test_a_study_that_never_ended(place, capsys):
    folder = place / "mix.study"
    (folder / "report.json").unlink()
    for verb in ("report", "accept"):
        more = ["LOOK-SMALL", "--because", "x"] if verb == "accept" else []
        assert "E-STUDY-UNFINISHED" in refused(capsys, verb, folder, *more)


def test_a_study_of_a_frame_asks_for_it_again(place, capsys):
    folder = place / "mix.study"
    made = json.loads((folder / "versions.json").read_text())
    (folder / "versions.json").write_text(json.dumps({**made, "source": []}))
    assert "E-SOURCE-ABSENT" in refused(capsys, "run", folder)


def test_a_model_file_that_was_lost(place, capsys):
    for file in (place / "mix.study").glob("runs/*/*/*/learned.json"):
        file.write_text("{}")
    told = refused(capsys, "predict", place / "mix.study", place / "mix.csv", "-o", place / "out.csv")
    assert "E-MODEL-FILE" in told and "learned.json" in told


def test_a_study_without_a_model_has_nothing_to_predict_or_explain_with(place, capsys):
    made = json.loads((place / "mix.study/delivered.json").read_text())
    (place / "mix.study/delivered.json").write_text(json.dumps({**made, "members": []}))
    assert "E-NO-MODEL" in refused(capsys, "predict", place / "mix.study", place / "mix.csv", "-o", place / "out.csv")
    assert "E-NO-MODEL" in refused(capsys, "explain", place / "mix.study")


def test_no_output_replaces_an_input_by_any_of_its_names(place, capsys):
    shutil.copy(place / "mix.csv", place / "outside.csv")
    (place / "link.csv").symlink_to(place / "mix.csv")
    made = json.loads((place / "mix.study/versions.json").read_text())
    made["options"]["test"] = ["../outside.csv"]
    (place / "mix.study/versions.json").write_text(json.dumps(made))
    before = (place / "mix.csv").read_bytes()
    shutil.copy(place / "mix.csv", place / "new.csv")
    for name in ("outside.csv", "link.csv"):
        assert "E-OUT-UNWRITABLE" in refused(capsys, "predict", place / "mix.study", place / "new.csv", "-o", place / name)
        assert (place / name).read_bytes() == before


def test_a_floor_that_was_named_is_said_to_be_one_and_never_offered(place, capsys):
    report = json.loads((place / "mix.study/report.json").read_text())
    floor, ridge = (next(c["recipe"]["hash"] for c in report["candidates"] if (c["family"] == "floor") == of)
                    for of in (True, False))
    for words in (["ablate", place / "mix.study", "water"],
                  ["predict", place / "mix.study", place / "mix.csv", "-o", place / "out.csv"]):
        told = refused(capsys, *words, "--candidate", floor[:10])
        assert "E-NO-MODEL" in told and "is a floor" in told and "recommends" not in told and ridge in told
        told = refused(capsys, *words, "--candidate", "zz")
        assert ridge in told and floor not in told


def test_an_exploratory_study_has_no_model_and_replays_by_its_findings(place, capsys):
    folder = place / "seen.study"
    gnomon.study(place / "mix.csv", target=TARGET, out=folder, budget="20s", explore=True)
    for words in (["predict", folder, place / "mix.csv", "-o", place / "out.csv"], ["ablate", folder], ["relabel", folder],
                  ["explain", folder], ["compare", folder, folder]):
        told = refused(capsys, *words)
        assert "E-STUDY-UNFINISHED" in told and "without --explore" in told and "gnomon run" not in told
    again = gnomon.replay(folder, threads=1)
    assert again["judged"] == "same" and "findings" in again["why"] and "0 thread" not in again["under"]


def test_studies_of_other_data_cannot_be_compared(place, capsys):
    shutil.copytree(place / "mix.study", place / "other.study")
    for name in ("report.json", "versions.json", "data.json"):
        path = place / "other.study" / name
        path.write_text(re.sub(r'("hash": ")[0-9a-f]{4}', r"\1ffff", path.read_text()))
    assert "E-COMPARE" in refused(capsys, "compare", place / "mix.study", place / "other.study")


def test_a_replay_that_fails_says_so(place, capsys):
    (place / "mix.csv").unlink()
    told = refused(capsys, "replay", place / "mix.study", "--instructions", "avx2")
    assert "E-REPLAY" in told or "E-FILE-ABSENT" in told


def test_nothing_could_be_trained(place, capsys):
    """A user's own model that cannot be fitted: what it said is told, and the exit code is that of a run that failed."""
    (place / "broken.py").write_text(OWN)
    words = ["study", place / "mix.csv", "--target", TARGET, "--out", place / "o.study", "--budget", "20s",
             "--trust-code", place / "broken.py", "--only", "broken.py:nearest"]
    assert main([str(w) for w in words]) not in (0, 2)
    told = capsys.readouterr().err
    assert "E-NOTHING-TRAINED" in told and "no such solver" in told and "Traceback" not in told


def test_a_file_of_models_that_cannot_be_run(place, capsys):
    (place / "torn.py").write_text("def net(inputs, out:\n")
    told = refused(capsys, "study", place / "mix.csv", "--target", TARGET, "--out", place / "o.study", "--trust-code",
                   place / "torn.py")
    assert "E-TRUST" in told and "SyntaxError" in told


def test_an_extra_that_is_not_installed_names_its_install():
    told = str(gnomon.errors.missing_extra("rdkit", "molecules", "reading molecules"))
    assert "E-EXTRA" in told and "gnomon[molecules]" in told
