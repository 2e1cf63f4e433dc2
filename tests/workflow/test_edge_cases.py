"""Data at the edge: each gives a report with a sane finding, never a crash, and claims no more than it can."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.errors import InputError

QUICK = {"only": ("ridge", "logistic"), "budget": "10m", "jobs": 1}  # so much that a busy machine cuts nothing


def table(n: int, seed: int, classes: int = 0) -> pd.DataFrame:
    """Four numbers that tell the target well."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    y = x[:, 0] - x[:, 1] + 0.5 * rng.normal(size=n)
    out = pd.DataFrame(x, columns=list("abcd"))
    return out.assign(y=y if not classes else [f"kind {k}" for k in pd.qcut(y, classes, labels=False)])


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Study a table; report and the codes of its findings."""
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))

    def run(frame: pd.DataFrame, **options):
        frame.to_csv(tmp_path / "t.csv", index=False)
        report = gnomon.study(tmp_path / "t.csv", target="y", out=tmp_path / "t.study", **{**QUICK, **options}).report
        assert report["status"] == "complete" and report["verdict"]["claim"]
        failed = [c for c in report["checks"] if c["why_not"].startswith("could not be run")]
        assert not failed, failed
        return report, {f["code"] for f in report["findings"]}

    return run


def claims_superiority(report) -> bool:
    return report["verdict"]["outcome"] == "better" and not report["verdict"]["pilot"]


def test_twenty_rows_are_a_pilot(told):
    report, codes = told(table(20, 0))
    assert "LOOK-SMALL" in codes and report["verdict"]["pilot"] and not claims_superiority(report)
    assert report["ledger"]["test_openings"] == 0


def test_one_group_only_cannot_be_held_out(told):
    """Asked for, it is refused in words: no row can judge another patient. Merely there, the column is a constant."""
    frame = table(80, 1).assign(patient="P1")
    with pytest.raises(InputError) as refused:
        told(frame, group="patient")
    assert refused.value.code == "E-SPLIT-ONE-UNIT"
    report, _ = told(frame)
    assert report["split"]["unit"] == "row"
    assert {c["name"]: c["role"] for c in report["data"]["columns"]}["patient"] != "input"


@pytest.mark.slow
def test_groups_of_one_row_are_rows(told):
    report, _ = told(table(80, 2).assign(patient=[f"P{i}" for i in range(80)]), group="patient")
    estimate = next(c["valid"] for c in report["candidates"] if c["family"] == "simple")
    assert estimate["n_units"] == estimate["n_rows"] == 80


@pytest.mark.slow
def test_missing_group_values_are_groups_of_their_own(told):
    frame = table(90, 3).assign(patient=[f"P{i // 3}" for i in range(90)])
    frame.loc[::5, "patient"] = None
    report, _ = told(frame, group="patient")
    estimate = next(c["valid"] for c in report["candidates"] if c["family"] == "simple")
    assert estimate["n_rows"] == 90 and 30 <= estimate["n_units"] <= 30 + 18


def test_rows_that_are_all_alike_leave_nothing_to_learn_from(told):
    """Every input the same up to noise far below its last digit: one cluster."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"a": np.full(80, 1.5), "b": 2.0 + 1e-9 * rng.normal(size=80), "y": rng.normal(size=80)})
    report, codes = told(frame)
    assert codes & {"LOOK-CONSTANT", "LOOK-DUPLICATE", "LOOK-NEAR-DUPLICATE", "LOOK-CONFLICT"}
    assert report["verdict"]["recommended"] is None and "VALID-NO-SIGNAL" in codes


@pytest.mark.slow
def test_all_rows_in_one_cluster_by_name(told):
    report, _ = told(table(80, 5).assign(cluster="only"), split="cluster:cluster", because="asked for")
    assert report["verdict"]["outcome"] in ("better", "equivalent", "undetermined", "no-signal")


def test_ties_in_the_target_are_scored(told):
    frame = table(120, 6)
    frame["y"] = np.where(frame["y"] < 0.5, 0.0, frame["y"].round(1))  # most values are exactly 0
    report, _ = told(frame, metric="spearman")
    assert all(np.isfinite(c["valid"]["value"]) for c in report["candidates"])


@pytest.mark.slow
def test_two_hundred_classes(told):
    rng = np.random.default_rng(7)
    centres = 6 * rng.normal(size=(200, 4))
    kind = np.arange(1000) % 200
    frame = pd.DataFrame(centres[kind] + rng.normal(size=(1000, 4)), columns=list("abcd")).assign(y=[f"k{k}" for k in kind])
    report, _ = told(frame, only=("forest",))  # a logistic model of 200 classes takes minutes a fold
    best = max(c["valid"]["value"] for c in report["candidates"] if c["family"] == "simple")
    floor = next(c["valid"]["value"] for c in report["candidates"] if c["family"] == "floor")
    assert best > floor and report["task"]["targets"][0]["task"] == "classify"


@pytest.mark.slow
def test_weights_are_no_input(told):
    rng = np.random.default_rng(8)
    report, _ = told(table(100, 8).assign(w=rng.integers(1, 4, 100)), weight="w")
    role = {c["name"]: c["role"] for c in report["data"]["columns"]}
    assert role["w"] == "weight" and report["verdict"]["outcome"] in ("better", "equivalent", "undetermined")


def test_a_class_of_one_row(told):
    frame = table(90, 9, classes=2)
    frame.loc[17, "y"] = "once"
    report, codes = told(frame)
    assert codes & {"LOOK-IMBALANCE", "LOOK-SMALL", "LOOK-CORRUPT"}
    assert any(c["valid"] and np.isfinite(c["valid"]["value"]) for c in report["candidates"] if c["family"] == "simple")


@pytest.mark.slow
def test_seventy_two_rows_of_seven_thousand_columns(told, shared_data):
    got = np.load(shared_data / "tables_wide/allaml.npz")
    names = {n.lower(): n for n in got.files}
    x, y = np.asarray(got[names["x"]], dtype=float), np.ravel(got[names["y"]])
    frame = pd.DataFrame(x).add_prefix("gene").assign(y=[f"class {int(v)}" for v in y])
    report, codes = told(frame)
    assert frame.shape == (72, 7130) and "LOOK-WIDE" in codes
    assert all(c["family"] != "deep" for c in report["candidates"])
    best = max(c["valid"]["value"] for c in report["candidates"] if c["family"] == "simple")
    assert best > 0.85


@pytest.mark.slow
def test_sixteen_genes_held_out_one_by_one(tmp_path, monkeypatch, shared_data):
    """One fold a group: the trials of what else could explain the score use five of them, and end with their share."""
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    done = gnomon.study(shared_data / "crispr_azimuth/azimuth.csv", target="score_drug_gene_rank", group="Target gene",
                        exclude=("predictions", "score_drug_gene_threshold"), out=tmp_path / "c.study", budget="3m",
                        only=("ridge",))
    assert done.report["status"] == "complete" and done.report["split"]["folds"] >= 16
    assert done.report["verdict"]["pilot"]  # genes are the units, and they are few
    tried = next(c for c in done.report["checks"] if c["code"] == "VALID-SHORTCUT")
    assert tried["ran"] or "budget" in tried["why_not"]
