"""Explanations of molecules, sequences and texts on terms that mean the same in every row, and their clusters."""

from __future__ import annotations

import time

import numpy as np
import pytest
from attribution_fakes import Odds, table

from gnomon.analyses.attribute._asked import asked, explain_asked, priced
from gnomon.analyses.attribute._attempts import by_occlusion
from gnomon.analyses.attribute._case import Case
from gnomon.analyses.attribute._question import ask
from gnomon.analyses.attribute._terms import FEWEST, terms_of
from gnomon.rng import stream
from gnomon.tasks.classify import classify

ROWS = 320  # half of them are explained when a technique is asked for


def sequences(way, dice):
    text = np.array(list("".join(dice.choice(list("ACGT"), 24))))
    text[8:16] = list({"a": "GGATCCAT", "b": "TTGCAACG"}.get(way, text[8:16]))  # long: no letter away from one by chance
    return "".join(text)


def texts(way, dice):
    words = list(dice.choice(["the", "cell", "was", "seen", "in", "two", "of", "mice"], 8))
    return " ".join([*words[:4], *{"a": ["Tumour"], "b": ["Necrosis"]}.get(way, ["sample"]), *words[4:]])


def molecules(way, dice):
    return "C" + "".join(dice.choice(["C", "N"], int(dice.integers(3, 7)))) + {"a": "Cl", "b": "O"}.get(way, "C")


KINDS = {"sequence": (sequences, "GGATCCAT", "TTGCAACG", "A"), "text": (texts, "Tumour", "Necrosis", "e"),
         "molecule": (molecules, "Cl", "O", "N")}  # texts, two reasons, and what counts a little everywhere


def decided_in_two_ways(kind):
    """Half the rows are "yes", for one of two reasons; a third of the second reason's labels are wrong."""
    make, one, other, little = KINDS[kind]
    dice = stream(4, "two ways", kind)
    ways = dice.permutation(np.array(["a"] * 110 + ["b"] * 70 + [""] * (ROWS - 180), dtype=object))
    rows = np.array([make(w, dice) for w in ways], dtype=object)
    ways = np.array(["a" if one in t else "b" if other in t else "" for t in rows], dtype=object)  # letters by chance too
    wrong = (ways == "b") & (dice.random(ROWS) < 1 / 3)
    labels = np.where((ways == "") | wrong, "no", "yes")
    data = table({f"{kind}:x": rows, "category:y": labels})

    def said(data, rows):
        return np.array([3.0 * (one in t) + 3.0 * (other in t) + 0.05 * t.count(little) - 1.9
                         for t in data.columns["x"].take(rows)])

    return data, Odds(said), ways


def attempt_of(data, model):
    task, rows = classify("y", ("no", "yes")), np.arange(ROWS)
    case = Case(model, task, data, rows, rows, ask(task, model.predict(data, rows)), 0,
                lambda s: Odds(lambda d, r: stream(s, "blind").normal(size=len(r))), float("inf"))
    return by_occlusion(case, technique="occlusion")


@pytest.mark.parametrize("kind", list(KINDS))
def test_terms_of_a_row_add_up_to_its_pieces(kind):
    data, model, _ = decided_in_two_ways(kind)
    attempt = attempt_of(data, model)
    terms = terms_of(attempt, data)
    whole = np.array([s.sum() for s in attempt.scores])
    held = (terms.features != 0).sum(axis=0)
    if kind == "sequence":  # runs of four letters: each letter but the outermost three is in four of them, a quarter each
        share = np.minimum(np.minimum(np.arange(24) + 1, 24 - np.arange(24)), 4) / 4
        inner = np.array([(s * share).sum() for s in attempt.scores])
        assert np.allclose(terms.features.sum(axis=1), inner, atol=1e-6) and all(len(n) == 4 for n in terms.names)
    else:
        assert np.allclose(terms.features.sum(axis=1), whole) and held.max() >= FEWEST
    assert len(set(terms.names)) == len(terms.names) == terms.features.shape[1]


@pytest.mark.parametrize("kind", list(KINDS))
def test_two_reasons_are_two_clusters_when_a_technique_is_asked_for(kind):
    data, model, ways = decided_in_two_ways(kind)
    rows = np.arange(ROWS)
    put = asked(model, classify("y", ("no", "yes")), data, rows, rows, end=time.monotonic() + 120,
                fit_again=lambda s: Odds(lambda d, r: stream(s, "blind").normal(size=len(r))))
    put, costs = priced(put, ("occlusion",))
    assert len(put.case.rows) == ROWS // 2 and costs["occlusion"] > 0
    asked_of = ways[put.case.rows]
    entry = explain_asked(put, ("occlusion",)).explanations[0]
    found = [c for c in entry["clusters"]["found"] if c["group"] == "yes"]
    assert not entry["withheld"] and sorted(c["size"] for c in found) == [(asked_of == "b").sum(), (asked_of == "a").sum()]
    large, small = sorted(found, key=lambda c: -c["size"])
    assert large["score"]["value"] == 1.0 and small["score"]["high"] < 1.0 and small["others"]["value"] == 1.0
    assert ways[large["typical"]] == "a" and ways[small["typical"]] == "b"
    leading = small["terms"][0]
    assert leading["low"] <= leading["value"] <= leading["high"] and leading["what"] in {t["what"] for t in small["terms"]}
    if kind == "text":
        assert {t["what"] for t in small["terms"][:2]} == {"tumour", "necrosis"}
    if kind == "molecule":
        assert small["picture"]["k"] == "m" and any("O" in t["what"] for t in small["terms"])


def test_a_rare_word_is_neither_counted_nor_named():
    data, model, _ = decided_in_two_ways("text")
    rows = data.columns["x"].take(np.arange(ROWS)).copy()
    rows[:3] = [f"{t} Smith" for t in rows[:3]]
    terms = terms_of(attempt_of(table({"text:x": rows, "category:y": np.array(["no", "yes"] * (ROWS // 2))}), model), data)
    assert "smith" not in terms.names and "tumour" in terms.names


def test_more_rows_are_explained_where_they_are_cheap():
    data, model, _ = decided_in_two_ways("text")
    rows = np.arange(ROWS)
    put = asked(model, classify("y", ("no", "yes")), data, rows, rows, named=(150, 3), end=time.monotonic() + 0.05)
    short, costs = priced(put, ("lime", "kernel_shap"))
    assert len(short.case.rows) == 48 and list(short.case.rows[:2]) == [150, 3] and len(short.units) == 48
    assert sum(costs.values()) > 0
