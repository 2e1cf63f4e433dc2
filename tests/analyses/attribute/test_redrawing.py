"""Prediction difference in a study: letters, words and atoms redrawn as the rest suggests, held against counting."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest
from attribution_fakes import Formula, Odds, table, values
from test_techniques import case_of

from gnomon.analyses.attribute._asked import asked, explain_asked
from gnomon.analyses.attribute._redrawing import by_redrawing, redrawn, redraws
from gnomon.analyses.attribute._techniques import seconds_for
from gnomon.data.features._molecules import properties
from gnomon.rng import stream
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress


def log_odds(p):
    return np.log(p / (1 - p))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def letters():
    """Every word of three letters forty times; the middle letter decides, and nothing goes with anything."""
    words = np.array(["".join(w) for w in itertools.product("ACGT", repeat=3)] * 40, dtype=object)
    words = words[stream(1, "words").permutation(len(words))]
    data = table({"sequence:s": words, "category:y": np.array(["0", "1"] * (len(words) // 2))})
    odds = Odds(lambda d, r: np.where([w[1] == "A" for w in values(d, r, "s")[0]], 2.0, -1.0))
    return case_of(odds, classify("y", ("0", "1")), data, np.arange(6)), words[:6]


def test_letters_by_counting():
    case, words = letters()
    mean = (sigmoid(2.0) + 3 * sigmoid(-1.0)) / 4
    for found, word in zip(redrawn(case, case.ground()), words, strict=True):
        assert found[1] == pytest.approx((2.0 if word[1] == "A" else -1.0) - log_odds(mean), abs=0.1)
        assert found[[0, 2]] == pytest.approx(0, abs=1e-9)


def test_a_letter_that_its_neighbours_tell_gets_nothing_and_a_deletion_would_say_otherwise():
    dice = stream(2, "told")
    pair = dice.integers(0, 2, 800)
    words = np.array([f"{'AC'[k]}{'AC'[k]}{'GT'[int(dice.integers(2))]}" for k in pair], dtype=object)
    data = table({"sequence:s": words, "category:y": pair.astype(str)})
    odds = Odds(lambda d, r: np.where([w[1] == "A" for w in values(d, r, "s")[0]], 2.0, -2.0))
    case = case_of(odds, classify("y", ("0", "1")), data, np.arange(5))
    assert np.abs(np.array(redrawn(case, case.ground()))).max() < 1e-9


def test_words_by_counting():
    """After "not" stands "good" or "bad", elsewhere anything: the word is redrawn from what follows its neighbour."""
    dice = stream(3, "said")
    texts = np.array([f"we {dice.choice(['saw', 'had'])} it not {dice.choice(['good', 'bad'], p=[0.75, 0.25])} then"
                      for _ in range(600)], dtype=object)
    data = table({"text:t": texts, "y": np.arange(600.0)})
    case = case_of(Formula(lambda d, r: [4.0 * ("good" in t.split()) for t in values(d, r, "t")[0]]), regress("y"), data,
                   np.arange(4))
    for found, text in zip(redrawn(case, case.ground()), texts, strict=False):
        words = text.split()
        assert found[4] == pytest.approx(4.0 * (words[4] == "good") - 3.0, abs=0.2)
        assert np.delete(found, 4) == pytest.approx(0, abs=1e-9)


def chains(count=200):
    """Propanol, propylamine and chloropropane, 2 : 1 : 1; how many oxygens there are is what is predicted."""
    smiles = np.array(["OCCC", "NCCC", "OCCC", "ClCCC"] * (count // 4), dtype=object)
    data = table({"molecule:m": smiles, "y": np.arange(float(count))})
    return case_of(Formula(lambda d, r: [s.count("O") for s in values(d, r, "m")[0]]), regress("y"), data, np.arange(4))


def test_atoms_by_counting():
    """At the end of a carbon chain stand C, O, N, Cl in 1/2, 1/4, 1/8, 1/8; between two atoms nothing but carbon."""
    case = chains()
    for found, first in zip(redrawn(case, case.ground()), "ONOC", strict=True):
        oxygen = first == "O"
        assert found[[1, 2]] == pytest.approx(0, abs=1e-9)
        assert found[0] == pytest.approx(oxygen - 0.25, abs=0.01) and found[3] == pytest.approx(-0.25, abs=0.01)


def test_every_redrawn_molecule_is_one_and_keeps_its_bonds():
    smiles = np.array(["c1ccncc1C(=O)O", "C[N+](C)(C)CC(=O)[O-]", "O=c1cc[nH]cc1", "N[C@@H](C)C(=O)NCC#N",
                       "Cc1ccccc1S(=O)(=O)N", "FC(F)(F)c1ccco1"] * 20, dtype=object)
    data = table({"molecule:m": smiles, "y": np.arange(120.0)})
    case = case_of(Formula(lambda d, r: np.zeros(len(r))), regress("y"), data, np.arange(6))
    batches = list(redraws(case, case.ground()))
    made = np.concatenate([b.data.columns["m"].take(np.arange(len(b.data))) for b in batches])
    rows = np.concatenate([b.rows for b in batches])
    assert len(made) > 30 and np.isfinite(properties(made)[:, 0]).all()
    from rdkit import Chem

    bonds = [Chem.MolFromSmiles(s).GetNumBonds() for s in smiles[:6]]
    assert all(Chem.MolFromSmiles(s).GetNumBonds() == bonds[r] for s, r in zip(made, rows, strict=True))
    share = np.zeros((6, 20))
    for b in batches:
        np.add.at(share, (b.rows, b.places), b.share)
    assert share.max() <= 1 + 1e-9


def test_copies_are_asked_about_the_same_rows_which_are_made_once():
    case = chains()
    case = replace(case, fit_again=lambda seed: Formula(lambda d, r: stream(seed, "blind").normal(size=len(r))))
    attempt = by_redrawing(case, technique="prediction_difference")
    assert attempt.pieces == "atoms" and len(attempt.again) == 3 and seconds_for(case, "prediction_difference") > 0
    first, again = (list(redraws(case, case.ground())) for _ in range(2))
    assert all(a.data is b.data for a, b in zip(first, again, strict=True))


def test_what_cannot_be_redrawn_says_so():
    listed = table({"sequence:s": np.array([f"A{k}C,D{k + 9}E" for k in range(8)], dtype=object), "y": np.arange(8.0)})
    case = case_of(Formula(lambda d, r: np.zeros(len(r))), regress("y"), listed, np.arange(4))
    assert "lists of mutations" in by_redrawing(case, technique="prediction_difference")
    assert seconds_for(case, "prediction_difference") == 0


def test_both_gates_pass_on_what_decides():
    case, _ = letters()
    put = asked(case.learned, case.task, case.data, np.arange(300), np.arange(2560), end=time.monotonic() + 60,
                fit_again=lambda seed: Odds(lambda d, r: stream(seed, "blind").normal(size=len(r))))
    entry = explain_asked(put, ("prediction_difference",)).explanations[0]
    assert not entry["withheld"] and entry["pieces"] == "positions"
