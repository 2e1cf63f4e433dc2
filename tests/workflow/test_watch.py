"""The budget over the candidates: what would end too late is not begun, and something is always trained."""

from __future__ import annotations

import pytest

from gnomon.values import Recipe
from gnomon.workflow._watch import Watch, last_hope
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.plan import Plan

FLOOR = Recipe("classify", "floor", "naive", {}, family="floor")
LOGISTIC, FOREST = (Recipe("classify", name, "own_fit", {}, family="simple") for name in ("logistic", "forest"))
PLAN = Plan((FLOOR, FOREST, LOGISTIC), {}, {FOREST.hash: 30.0, LOGISTIC.hash: 2.0})


def test_spent_seconds_and_those_still_needed_count(tmp_path):
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.note("stage", name="look", seconds=40.0)
    watch = Watch(ledger, 60.0)
    assert watch.left() == pytest.approx(20, abs=1)
    assert not watch.enough(15.0) and watch.enough(25.0)
    ledger.note("run", seconds=30.0)
    assert watch.enough()


def test_the_cheapest_must_be_trained_while_nothing_is():
    must = last_hope(PLAN, [FLOOR], [])
    assert must(LOGISTIC) and not must(FOREST)
    assert last_hope(PLAN, [FLOOR], [LOGISTIC.hash])(FOREST)  # the cheapest failed: the next one is the last hope
    assert not last_hope(PLAN, [FLOOR, FOREST], [])(LOGISTIC)


def test_labels_tell_two_methods_of_one_model_apart():
    labels = [Recipe("classify", "mlp", *rest).label for rest in (
        ("supervised",), ("co_teaching",), ("confident_learning",), ("confident_learning", {"action": "weigh"}))]
    assert labels[0] == "mlp" and labels[1] == "mlp by co-teaching" and len(set(labels)) == 4


def test_a_candidate_that_is_cut_is_named_in_the_terminal(tmp_path, monkeypatch):
    from types import SimpleNamespace

    from gnomon.workflow import training
    from gnomon.workflow._voice import Voice

    floor, mlp = Recipe("regress", "floor", "naive", family="floor"), Recipe("regress", "mlp", "supervised", family="deep")
    ridge = Recipe("regress", "ridge", "own_fit")
    done = {r.hash: SimpleNamespace(recipe=r) for r in (floor, ridge)}
    ended = "the budget ended before it was trained"
    monkeypatch.setattr(training, "_train", lambda bench, recipe, *a, **k: (done.get(recipe.hash), ended))
    monkeypatch.setattr(training, "_say_run", lambda *a: None)
    monkeypatch.setattr(training, "replace", lambda what, **changed: what)
    said = []
    plan = Plan((floor, ridge, mlp), {}, {}, budget=60.0)
    _, cuts, _ = training.run_stage(SimpleNamespace(desk=None), plan, None, Ledger(tmp_path / "l.jsonl"),
                                    Voice(line=lambda stage, text: said.append((stage, text))))
    assert list(cuts) == [mlp.hash] and said == [("NOTE", f"mlp was not trained: {ended}")]
