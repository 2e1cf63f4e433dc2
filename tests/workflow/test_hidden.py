"""What a hidden layer knows: told when it is there, quiet when it is not, and a warning only where the score may rest on it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import gnomon
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.tasks.classify import classify
from gnomon.workflow import _hidden
from gnomon.workflow._hidden import CODE, Known, hidden, hidden_columns, hidden_finding

KNOWN = Known("site", "resnet", 0.9, 0.6, 0.5, 0.3, 0.2, 0.4, 0.95, True, True, True, 300, 300)


def test_a_warning_needs_a_nuisance_far_better_told_tied_to_the_target_and_a_score_that_may_rest_on_it():
    warned = hidden_finding(KNOWN, "random")
    assert (warned.code, warned.grade, warned.columns) == ("VALID-SHORTCUT", "warn", ("site",))
    for change in ({"low": 0.02}, {"tied": False}, {"nuisance": False}, {"recommended": False}):
        noted = hidden_finding(replace(KNOWN, **change), "random")
        assert (noted.code, noted.grade) == ("WHY-HIDDEN", "note")
    apart = hidden_finding(KNOWN, "group:site")
    assert apart.grade == "note" and "cannot rest" in apart.claim
    assert hidden_finding(replace(KNOWN, low=-0.01), "random") is None
    assert hidden_finding(replace(KNOWN, low=None, high=None), "random") is None


def words_of(values: np.ndarray) -> Dense:
    levels, codes = np.unique(values.astype(str), return_inverse=True)
    return Dense(codes.astype(np.int32), Spec("category", categories=tuple(map(str, levels))))


def bench_of(n: int, seed: int, **columns: np.ndarray) -> SimpleNamespace:
    """A study's bench over random inputs, all rows of which the fold's network was not trained on."""
    rng = np.random.default_rng(seed)
    built = {"x": Dense(rng.normal(size=n), Spec("number")), "y": words_of(rng.integers(0, 2, n)),
             **{name: words_of(v) for name, v in columns.items()}}
    roles = {name: Role({"x": "input", "y": "target"}.get(name, "ignore"), "made for a test") for name in built}
    rows = np.arange(n)
    parts = SimpleNamespace(folds=[SimpleNamespace(train=rows, valid=rows)], units=rows, develop=rows, fold_policy="random")
    return SimpleNamespace(data=Data(built, roles, rows), task=classify("y", ["0", "1"]), parts=parts, seed=seed)


class Learned:
    """Stands for a network: what it makes of the rows is given outright."""

    def __init__(self, held, module=None):
        self.held, self.module = held, module

    def embed(self, data, rows):
        return self.held[rows]


def run(monkeypatch, bench, trained, untrained):
    """(findings, checks) with these representations before and after training."""
    from gnomon.analyses.represent import _random_copy
    from gnomon.workflow.examine import Notes

    monkeypatch.setattr(_hidden, "representing", lambda deep: ("net", Learned(trained)))
    monkeypatch.setattr(_random_copy, "random_copy", lambda module, seed: None)
    monkeypatch.setattr(_hidden, "replace", lambda it, **new: Learned(untrained) if "module" in new else replace(it, **new))
    deep = SimpleNamespace(family="deep", score=1.0, members=((1.0, SimpleNamespace(recipe=SimpleNamespace(family="deep"))),))
    notes = Notes()
    hidden(bench, notes, [deep], deep, 60.0)
    return notes.findings, notes.checks


def test_a_batch_that_training_made_readable_is_told_with_its_limits(monkeypatch):
    rng = np.random.default_rng(1)
    batch = rng.integers(0, 2, 400)
    bench = bench_of(400, 1, batch=np.array(["north", "south"])[batch])
    noise = rng.normal(size=(400, 12))
    found, checks = run(monkeypatch, bench, noise + 2 * batch[:, None] * np.eye(12)[0], rng.normal(size=(400, 12)))
    assert [f.code for f in found] == [CODE] and found[0].columns == ("batch",)  # not tied to the target: no warning
    assert found[0].values["low"] > 0.15 and abs(found[0].values["baseline"] - 0.5) < 0.1
    assert [c.ran for c in checks] == [True]


def test_nothing_learned_about_a_batch_is_no_finding(monkeypatch):
    """Both networks know the batch equally well, or neither does."""
    alarms = 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        batch = rng.integers(0, 3, 240)
        bench = bench_of(240, seed, batch=np.array(list("abc"))[batch])
        shown = (seed % 2) * np.eye(10)[batch]
        found, _ = run(monkeypatch, bench, shown + rng.normal(size=(240, 10)), shown + rng.normal(size=(240, 10)))
        alarms += len(found)
    assert alarms <= 2


def test_a_batch_that_goes_with_the_target_is_told_only_where_it_is_known_beyond_it(monkeypatch):
    """Nine in ten rows of a class share its batch. A layer that knows the class alone draws nothing; one that knows the
    batch draws the warning, though the class by itself tells the batch nine times in ten."""
    alarms = 0
    for seed in range(6):
        rng = np.random.default_rng(seed)
        n = 400
        y = rng.integers(0, 2, n)
        batch = np.where(rng.random(n) < 0.9, y, 1 - y)
        bench = bench_of(n, seed, batch=np.array(["north", "south"])[batch])
        bench.data.columns["y"] = words_of(y)
        untrained = rng.normal(size=(n, 10))
        found, _ = run(monkeypatch, bench, rng.normal(size=(n, 10)) + 3 * y[:, None] * np.eye(10)[0], untrained)
        alarms += len(found)
        found, _ = run(monkeypatch, bench, rng.normal(size=(n, 10)) + 2.5 * batch[:, None] * np.eye(10)[0], untrained)
        assert [(f.code, f.grade) for f in found] == [("VALID-SHORTCUT", "warn")]
    assert alarms <= 1


def test_only_common_values_of_columns_no_model_reads_are_probed():
    rng = np.random.default_rng(2)
    bench = bench_of(200, 2, scanner=rng.choice(["a", "b"], 200), alone=np.array(["same"] * 200),
                     many=np.array([f"v{i}" for i in range(200)]))
    assert list(hidden_columns(bench.data)) == ["scanner"]


def telescope(shared_data, tie: float, n: int = 1500) -> pd.DataFrame:
    """Real showers in a telescope's camera, told apart by three weak measures; and a site that goes with the particle in a
    share `tie` of the rows and shows only in whether two control channels move together or against each other."""
    rng = np.random.default_rng(0)
    t = pd.read_csv(shared_data / "tables_magic_telescope/train.csv.gz").sample(n, random_state=0).reset_index(drop=True)
    y = (t["class"] == "h").to_numpy().astype(int)
    site = np.where(rng.random(n) < tie, y, 1 - y)
    first = rng.normal(size=n)
    second = np.abs(rng.normal(size=n)) * np.sign(first) * np.where(site == 1, 1, -1)
    return t[["M3Trans", "Asym", "Conc1"]].assign(control_1=first, control_2=second, particle=t["class"],
                                                 site=np.array(["north", "south"])[site])


@pytest.mark.slow
@pytest.mark.parametrize(("tie", "fires"), [(0.88, True), (0.5, False)])
def test_a_study_warns_where_its_network_rests_on_the_site_and_not_where_it_cannot(tie, fires, tmp_path, monkeypatch,
                                                                                 shared_data):
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    telescope(shared_data, tie).to_csv(tmp_path / "t.csv", index=False)
    done = gnomon.study(tmp_path / "t.csv", target="particle", exclude=("site",), out=tmp_path / "t.study", budget="10m",
                        only=("mlp",), split="random", because="the same sites come again")
    told = [f for f in done.report["findings"] if f["code"] == "VALID-SHORTCUT" and f["values"].get("cue") == "hidden layer"]
    assert [c["ran"] for c in done.report["checks"] if c["code"] == CODE] == [True]
    assert [(f["grade"], f["columns"]) for f in told] == ([("warn", ["site"])] if fires else [])


@pytest.mark.slow
def test_a_study_says_what_its_network_knows_of_site_and_plate(tmp_path, monkeypatch):
    monkeypatch.setenv("GNOMON_STATE", str(tmp_path / "state"))
    rng = np.random.default_rng(0)
    n = 1500
    y = rng.integers(0, 2, n)
    site = np.where(rng.random(n) < 0.85, y, 1 - y)
    genes = rng.normal(size=(n, 6))
    genes[:, 1] = np.abs(genes[:, 1]) * np.sign(genes[:, 0]) * np.where(site == 1, 1, -1)  # the site is a sign of a product
    table = pd.DataFrame({f"g{i}": genes[:, i] for i in range(6)} | {
        "site": np.array(["north", "south"])[site], "plate": rng.choice(["a", "b", "c"], n),
        "state": np.array(["no", "yes"])[y]})
    table.to_csv(tmp_path / "t.csv", index=False)
    done = gnomon.study(tmp_path / "t.csv", target="state", exclude=("site", "plate"), out=tmp_path / "t.study",
                        budget="120s", only=("mlp",), split="random", because="the same sites come again")
    known = {k["column"]: k for k in json.loads((done.folder / "exhibits.json").read_text())["trials"]["hidden"]}
    assert set(known) == {"site", "plate"} and all(k["model"] == "mlp" and k["recommended"] for k in known.values())
    assert known["site"]["score"] > 0.75 and known["site"]["tied"]
    assert known["plate"]["score"] < 0.5 and not known["plate"]["tied"]
    told = {f["columns"][0] for f in done.report["findings"] if f["values"].get("cue") == "hidden layer"}
    assert told == {name for name, k in known.items() if k["low"] > 0} and "plate" not in told
    assert [c["ran"] for c in done.report["checks"] if c["code"] == CODE] == [True]
