"""The plan names one simple and one deep model to bet on, says so in its reasons, and affords the bet first."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from gnomon.values import Recipe
from gnomon.workflow._facts import Facts
from gnomon.workflow.plan import FIRST, deep_ladder, first_simple, named, simple_ladder, too_much
from gnomon.workflow.planning import _affordable, _with_features

KINDS = ("number", "molecule", "sequence", "text", "image")


def facts(kind: str, rows: int, task: str, columns: int = 10, classes: int = 2, stranded: bool = False) -> Facts:
    return Facts(rows, columns, (kind,), 5, rows, task, classes if task == "classify" else 0, stranded)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("task", ["classify", "regress"])
@pytest.mark.parametrize("rows", [30, 300, 3000, 30_000])
def test_the_bet_is_on_the_ladder_and_not_refused(kind, task, rows):
    for columns in (3, 50, 8000):
        for stranded in (False, True):
            at = facts(kind, rows, task, columns, stranded=stranded)
            bet = first_simple(at)
            assert bet in [(m, v) for m, v, _ in simple_ladder(at)] and not too_much(bet[0], at)
            assert deep_ladder(at)


def test_what_is_bet_on():
    """The field's own knowledge: kernels where columns outnumber rows, trees on large tables, fingerprints for classes."""
    assert first_simple(facts("number", 72, "classify", 7129)) == ("support_vectors", "standard")
    assert first_simple(facts("number", 10_000, "regress")) == ("boosting", "standard")
    assert first_simple(facts("molecule", 1000, "classify")) == ("forest", "morgan")
    assert first_simple(facts("sequence", 3000, "classify", stranded=True)) == ("logistic", "strands")
    assert first_simple(facts("sequence", 1200, "classify")) == ("boosting", "onehot+composition")
    assert first_simple(facts("number", 264, "classify", 200)) == ("support_vectors", "standard")
    assert first_simple(replace(facts("molecule", 1200, "regress"), designed=True)) == ("boosting", "descriptors")


def test_a_screen_of_few_reagents_is_told_from_a_library():
    from gnomon.data.read.dispatch import read_data
    from gnomon.workflow._facts import _designed

    chains = ["C" * k + end for k in range(1, 21) for end in ("O", "N", "F", "Cl", "Br")]
    frame = pd.DataFrame({"smiles": chains * 2, "answer": np.arange(200.0) % 37})
    library = read_data(frame, target=("answer",))
    screen = read_data(frame.assign(smiles=(chains[:10] * 20)), target=("answer",))
    assert _designed(screen, np.arange(200)) and not _designed(library, np.arange(200))


def test_the_bet_is_afforded_before_what_is_cheaper():
    made = {name: Recipe("regress", name, "own_fit", {}, because=(FIRST if name == "boosting" else "") + "why", family="simple")
            for name in ("ridge", "forest", "boosting")}
    seconds = {made["ridge"].hash: 1.0, made["forest"].hash: 5.0, made["boosting"].hash: 8.0}
    kept, left = _affordable(list(made.values()), seconds, 9.5, ())
    assert [r.model for r in kept] == ["ridge", "boosting"] and [m for m, _ in left] == ["forest"]
    kept, _ = _affordable(list(made.values()), seconds, 7.0, ())
    assert [r.model for r in kept] == ["ridge", "forest"]  # a bet that is too dear is not taken
    cleaned = Recipe("classify", "ridge", "confident_learning")
    left = _affordable([made["ridge"], cleaned], {**seconds, cleaned.hash: 9.0}, 7.0, ())[1]
    assert [m for m, _ in left] == ["ridge, suspect labels left out"]  # not as if ridge itself were


def test_features_are_paid_for_once_by_the_first_that_needs_them():
    made = {name: Recipe("regress", name, "own_fit", {}, because="why", family="simple")
            for name in ("ridge", "forest", "boosting")}
    ridge, forest, boosting = (made[n].hash for n in made)
    seconds = {ridge: 1.0, forest: 2.0, boosting: 4.0}
    needed = {ridge: {("descriptors", "smiles"): 30.0}, forest: {("morgan", "smiles"): 0.5},
              boosting: {("descriptors", "smiles"): 30.0}}
    kept, left = _affordable(list(made.values()), seconds, 20.0, (), needed)
    assert [r.model for r in kept] == ["forest"] and left[0][0] == "ridge" and "about 31 s" in left[0][1]
    kept, _ = _affordable(list(made.values()), seconds, 40.0, (), needed)
    assert len(kept) == 3  # the second that reads descriptors finds them ready
    assert _with_features(kept, seconds, needed) == {ridge: 31.0, forest: 2.5, boosting: 4.0}


def test_the_time_of_features_is_measured():
    """Descriptors of a molecule take some seventy times as long as its fingerprint."""
    from gnomon.data.bundle import bundled
    from gnomon.data.features._view import seconds_of, worked_out_once
    from gnomon.data.read.dispatch import read_data

    data = read_data(pd.read_csv(bundled("esol.csv")).head(400), target=("measured log solubility in mols per litre",))
    rows = np.arange(len(data))
    assert worked_out_once(data, rows, data.inputs, "morgan", "scaled") == [("morgan", "smiles")]
    told = {key: seconds_of(data, rows, key, "smiles") for key in ("morgan", "descriptors")}
    assert told["descriptors"] > 10 * told["morgan"] > 0


def test_the_draft_says_which_it_is():
    from gnomon.data.bundle import bundled
    from gnomon.data.parts import Fold
    from gnomon.data.read.dispatch import read_data
    from gnomon.workflow.ask import ask_task
    from gnomon.workflow.plan import draft

    frame = pd.read_csv(bundled("concrete.csv"))
    data = read_data(frame, target=("strength_MPa",))
    rows = np.arange(len(data))
    parts = SimpleNamespace(folds=(Fold(rows[:800], rows[800:]),), units=rows, develop=rows, policy="random",
                            fold_policy="random")
    recipes, _ = draft(data, parts, ask_task(data, rows))
    assert [r.model for r in recipes if r.because.startswith(FIRST)] == ["boosting", "tabm"]


def test_a_name_says_what_is_read_beside_the_words():
    def label(view, *kinds, family="simple"):
        data = SimpleNamespace(inputs=kinds, kind=lambda name: name)
        recipe = named(Recipe("classify", "logistic", "own_fit", {"view": view}, family=family), data)
        assert recipe.hash == Recipe("classify", "logistic", "own_fit", {"view": view}).hash
        return recipe.label

    assert label("words", "text") == "logistic on words" and label("words", "text", "number") == "logistic on words and numbers"
    assert label("words", "text", "category") == "logistic on words and other columns"
    assert label("standard", "number", "category") == "logistic"
