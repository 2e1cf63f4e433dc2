"""Data at the edge: each gives a report with a sane finding, never a crash, and claims no more than it can."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gnomon

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


@pytest.mark.parametrize("words", [pytest.param({"group": "patient"}, marks=pytest.mark.slow), {"split": "group:patient"},
                                   pytest.param({"split": "cluster:patient"}, marks=pytest.mark.slow)])
def test_one_group_only_blocks_the_claim_for_another(told, words, tmp_path):
    """No row can judge another patient: rows of the one judge each other, and nothing is claimed beyond it."""
    report, _ = told(table(80, 1).assign(patient="P1"), **words)
    split, one = report["split"], next(f for f in report["findings"] if f["code"] == "VALID-FEW-GROUPS")
    assert split["one_only"] == "patient" and split["unit"] == "row" and "another patient: not tested" in split["for"]
    assert one["grade"] == "block" and one["columns"] == ["patient"]
    assert not claims_superiority(report) and "nothing is claimed for another" in report["verdict"]["claim"]
    assert any("VALID-FEW-GROUPS" in a["because"] for a in report["advice"])
    plan = (tmp_path / "t.study/plan.toml").read_text()
    assert 'policy = "group:patient"' in plan  # what was asked for: the same command again finds the same


def test_one_group_that_nobody_named_is_a_constant(told):
    report, codes = told(table(80, 1).assign(patient="P1"))
    assert report["split"]["unit"] == "row" and not report["split"]["one_only"] and "VALID-FEW-GROUPS" not in codes
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
    unnamed = next(f for f in report["findings"] if f["code"] == "LOOK-GROUP" and f["values"].get("unnamed"))
    assert unnamed["grade"] == "warn" and unnamed["values"]["unnamed"] == 18


def test_rows_that_are_all_alike_leave_nothing_to_learn_from(told):
    """Every input the same up to noise far below its last digit: one cluster."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"a": np.full(80, 1.5), "b": 2.0 + 1e-9 * rng.normal(size=80), "y": rng.normal(size=80)})
    report, codes = told(frame)
    assert codes & {"LOOK-CONSTANT", "LOOK-DUPLICATE", "LOOK-NEAR-DUPLICATE", "LOOK-CONFLICT"}
    assert report["verdict"]["recommended"] is None and "VALID-NO-SIGNAL" in codes


@pytest.mark.slow
def test_variants_of_one_parent_are_one_cluster(told):
    """Sequences that differ at three places of sixty: no family is left to judge another by."""
    rng = np.random.default_rng(5)
    letters = np.array(list("ACDEFGHIKLMNPQRSTVWY"))
    sequences = np.tile(rng.choice(letters, 60), (90, 1))
    sequences[:, [9, 30, 44]] = rng.choice(letters[:6], (90, 3))
    worth = (sequences[:, 9] == "A") * 2.0 + (sequences[:, 30] == "C") + 0.3 * rng.normal(size=90)
    frame = pd.DataFrame({"sequence": ["".join(s) for s in sequences], "y": worth})
    report, codes = told(frame, split="cluster:sequence", because="asked for")
    assert report["split"]["one_only"] == "cluster" and "VALID-FEW-GROUPS" in codes and not claims_superiority(report)


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


@pytest.mark.slow
def test_the_rarer_of_two_classes_has_one_row(told):
    """Wherever its row is held out there is one class to learn from: a model comes out, and the class is named."""
    report, _ = told(table(90, 9).assign(y=["common"] * 89 + ["rare"]), only=("logistic",), budget="30s")
    small = next(f["claim"] for f in report["findings"] if f["code"] == "LOOK-SMALL")
    assert "class 'rare' of 'y' has 1 row to learn from" in small and not claims_superiority(report)
    assert any(np.isfinite(c["valid"]["value"]) for c in report["candidates"] if c["family"] == "simple")


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
