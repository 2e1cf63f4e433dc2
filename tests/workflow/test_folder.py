"""The study folder: atomic files, one process at a time, a ledger that survives a torn line, plans that can be edited."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError
from gnomon.tasks._task import Prediction
from gnomon.tasks.regress import regress
from gnomon.values import Recipe
from gnomon.workflow._folder import Folder, read_json, write_json
from gnomon.workflow._plan_file import plan_of, read_plan, roles_of, write_plan
from gnomon.workflow._predictions import average, load_prediction, save_prediction, scatter
from gnomon.workflow.caruana import caruana, cross_fitted
from gnomon.workflow.ledger import Ledger, append, entries, record_opening
from gnomon.workflow.plan import Plan
from gnomon.workflow.run import inside
from gnomon.workflow.verdict import made_of


def test_ledger_ignores_a_torn_line_and_goes_on(tmp_path):
    path = tmp_path / "ledger.jsonl"
    append(path, {"event": "run", "seconds": 2.0})
    with open(path, "a") as file:
        file.write('{"event": "run", "sec')
    append(path, {"event": "run", "seconds": 3.0})
    assert Ledger(path).spent() == 5.0 and len(entries(path)) == 2


def test_openings_are_counted_by_user_and_data_not_by_folder(tmp_path):
    one, two = Ledger(tmp_path / "a.jsonl"), Ledger(tmp_path / "b.jsonl")
    assert record_opening(one, "data", "random", ("r1", "r2")) == 1
    assert record_opening(one, "data", "random", ("r2", "r1")) == 1, "resuming is the same opening"
    assert record_opening(two, "data", "random", ("r3", "r1")) == 2
    assert record_opening(two, "other", "random", ("r3", "r1")) == 1
    assert len(one.openings()) == 1


def test_another_seed_of_the_same_recipe_is_another_opening(tmp_path):
    ledger = Ledger(tmp_path / "one" / "ledger.jsonl")

    def made(seed, *folds):
        run = SimpleNamespace(recipe=SimpleNamespace(hash="r1"), folders=tuple(tmp_path / "runs" / "r1" / f for f in folds))
        return made_of(seed, [SimpleNamespace(members=((1.0, run),))])

    counts = [record_opening(ledger, "data", "random", ("r1",), made=key) for key in
              (made(0, "0/fold0"), made(0, "0/fold0"), made(1, "0/fold0"), made(0, "0/fold0", "1/fold0"), made(1, "0/fold0"))]
    assert counts == [1, 1, 2, 3, 3] and len(ledger.openings()) == 3
    record_opening(ledger, "data", "time:day", ("r1",))  # from before this was kept
    assert record_opening(ledger, "data", "time:day", ("r1",), made=made(0, "0/fold0")) == 1


def hold(path, ready, leave):
    with Folder(path).busy():
        ready.set()
        leave.wait(20)


def test_second_process_is_told_and_leaves(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path, ready, leave))
    process.start()
    try:
        assert ready.wait(20)
        with pytest.raises(InputError, match=r"E-STUDY-BUSY.*in use by another"), Folder(tmp_path).busy():
            pass
    finally:
        leave.set()
        process.join()
    with Folder(tmp_path).busy():
        pass


def test_a_newer_or_foreign_folder_is_refused(tmp_path):
    write_json(tmp_path / "new" / "versions.json", {"format": 99})
    with pytest.raises(InputError, match="newer gnomon"):
        Folder(tmp_path / "new").open()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.doc").write_text("x")
    with pytest.raises(InputError, match="is no study"):
        Folder(tmp_path / "other").open()


def test_json_edited_into_nonsense_is_named(tmp_path):
    (tmp_path / "report.json").write_text("{")
    with pytest.raises(InputError, match=r"report\.json"):
        read_json(tmp_path / "report.json")


def test_a_path_out_of_the_study_is_refused(tmp_path):
    with pytest.raises(InputError, match="outside"):
        inside(tmp_path, "../elsewhere")


def test_bad_plans_are_refused_in_words(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text("budget = = 3")
    with pytest.raises(InputError, match=r"E-PLAN.*TOML"):
        read_plan(path)
    with pytest.raises(InputError, match="has the role 'boss'"):
        roles_of({"columns": {"x": "boss"}}, path)
    with pytest.raises(InputError, match="names no model"):
        plan_of({"candidate": [{"steps": 3}]}, path, "regress")


FOREST = '[[candidate]]\nmodel = "forest"\n'


@pytest.mark.parametrize(("text", "said", "do"), [
    ('budget_seconds = "soon"', "budget_seconds = 'soon'", "10m"),
    ('threads = "four"', "threads = 'four'", "whole number"),
    ("threads = -3", "threads = -3", "at least 0"),
    ('memory_mb = "x"', "memory_mb = 'x'", "number"),
    (FOREST + 'seeds = "two"', r"candidate 1 \(forest\): seeds = 'two'", "whole number"),
    (FOREST + "seeds = 0", "seeds = 0", "at least 1"),
    (FOREST + 'seconds = "a"', "seconds = 'a'", "number"),
    (FOREST + "steps = 340.7", "steps = 340.7", "whole number"),
    (FOREST + "steps = -4", "steps = -4", "at least 0"),
    (FOREST + 'family = "simpel"', "family = 'simpel'", "simple"),
    (FOREST + 'family = "floor"', "family = 'floor'", "floor"),
    (FOREST + 'options = "x"', "options = 'x'", "options = {"),
    (FOREST + "step = 3", "'step' is not read", "'steps'"),
    (FOREST.replace("forest", "forrest"), "model = 'forrest' is unknown", "'forest'"),
    (FOREST + 'method = "own_fits"', "method = 'own_fits' is unknown", "'own_fit'"),
    ('[colums]\na = "ignore"', "'colums' is no setting and no section", "'columns'"),
    ('[splt]\npolicy = "random"', "'splt'", "'split'"),
    ('[split]\npolicies = "random"', "policies", "policy ="),
    ('[actions]\n"set aside a" = "false"', "\"set aside a\" = 'false'", "without quotes"),
    ('candidate = "forest"', "candidate is no list", "[[candidate]]"),
])
def test_a_line_of_the_plan_that_cannot_be_used_is_refused_by_name(text, said, do, tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=said) as refused:
        read_plan(path)
    assert refused.value.code == "E-PLAN" and do in refused.value.do


def test_what_gnomon_writes_is_read_back(tmp_path):
    """Whatever stands in options, names and reasons; a budget may be written as on the command line."""
    path = tmp_path / "plan.toml"
    deep = Recipe("regress", "mlp", "supervised", {"hidden": [8, 8], "dropout": 0.2, "batch": 4}, 340, family="deep")
    floor = Recipe("regress", "floor", "naive", {"by": 'site "A"'}, family="floor")
    own = Recipe("regress", "mine.py:net", "supervised", {"parts": {"a.b": 1}}, 10, family="deep")
    plan = Plan((floor, deep, own), {deep.hash: 2}, {deep.hash: 3.5}, (("lasso", "few = columns"),), 12.0, 90.0, 2,
                {"key": "k", "tasks": ["regress"], "rows": 3}, 1)
    data = Data({'a.b "c"': Dense(np.arange(3.0), Spec("number"))}, {'a.b "c"': Role("target", "")}, np.arange(3))
    write_plan(path, plan, data, {"policy": "random", "because": "x"}, {'set aside a.b "c"': True})
    back = plan_of(read_plan(path), path, "regress")
    assert [r.hash for r in back.candidates] == [r.hash for r in plan.candidates] and back.seeds[deep.hash] == 2
    assert (back.made_for, back.left_out, back.budget, back.threads, back.snapshots) == (
        plan.made_for, plan.left_out, 90.0, 2, 1)
    path.write_text(path.read_text().replace("budget_seconds = 90.0", 'budget_seconds = "10m"'))
    assert plan_of(read_plan(path), path, "regress").budget == 600.0


def test_what_was_spent_on_other_data_no_longer_counts_but_the_look_does(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.begin("a")
    ledger.note("stage", name="look", seconds=2.0)
    ledger.note("run", seconds=30.0)
    ledger.begin("a")
    assert ledger.spent() == 32.0
    ledger.begin("b")
    ledger.begin("b")
    ledger.note("run", seconds=5.0)
    assert ledger.spent() == 7.0 and len(entries(ledger.path)) == 6


def test_predictions_survive_the_file(tmp_path):
    rng = np.random.default_rng(0)
    proba = rng.dirichlet(np.ones(3), 5)
    whole = Prediction(parts=(Prediction(rng.normal(size=5)), Prediction(proba.argmax(1), proba)))
    save_prediction(tmp_path / "p.parquet", np.arange(5), whole)
    rows, back = load_prediction(tmp_path / "p.parquet")
    assert rows.tolist() == list(range(5))
    assert np.array_equal(back.parts[1].proba, proba) and np.array_equal(back.parts[0].value, whole.parts[0].value)


def test_scatter_averages_repeats():
    got = scatter(
        3, [(np.array([0, 1]), Prediction(np.array([1.0, 2.0]))), (np.array([1, 2]), Prediction(np.array([4.0, 5.0])))]
    )
    assert got.value.tolist() == [1.0, 3.0, 5.0]
    assert average([got, got], [1, 3]).value.tolist() == got.value.tolist()


def test_greedy_ensemble_beats_its_best_member_on_new_rows():
    rng = np.random.default_rng(3)
    truth = rng.normal(size=400)
    good = [Prediction(truth + rng.normal(size=400)) for _ in range(4)]
    useless = Prediction(rng.normal(size=400) * 5)
    task = regress("y")
    weights = caruana(task, truth, [*good, useless])
    assert weights.sum() == pytest.approx(1) and weights[-1] == 0
    joint = cross_fitted(task, truth, [*good, useless], np.arange(400))
    score = lambda p: task.score(task.measure(p, truth))  # noqa: E731
    assert score(joint) < min(score(p) for p in good) * 0.8


def test_json_files_hold_no_nan(tmp_path):
    write_json(tmp_path / "x.json", {"a": float("nan"), "b": np.float32(1.5), "c": np.arange(2)})
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": 1.5, "c": [0, 1]}


def test_a_list_of_rows_is_found_from_elsewhere(tmp_path, monkeypatch):
    """--split rows:FILE is written as seen from the study folder, as data files are."""
    from gnomon.workflow.options import Options
    from gnomon.workflow.origin import again, origin

    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    folder = Folder(Path("one.study")).open()
    told = origin(folder, "mix.csv", Options(target=("y",), split="rows:parts.json", because="published"))
    assert told["options"]["split"] == "rows:../parts.json"
    write_json(folder / "versions.json", {"format": 1, **told})
    monkeypatch.chdir(tmp_path)
    _, source, options = again("here/one.study")
    assert source == str(tmp_path / "here" / "mix.csv") and options.split == f"rows:{tmp_path / 'here' / 'parts.json'}"
