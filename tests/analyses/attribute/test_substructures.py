"""Substructures: the group that carries the weight is named, with how often and how much; noise names nothing."""

import numpy as np
from scipy.stats import binom

from gnomon.analyses.attribute.substructures import drawing, substructures
from gnomon.reporting.pictures import checked
from gnomon.rng import stream

CHAINS = ("CCO", "CCCO", "CCCCO", "c1ccccc1O", "OC1CCCCC1", "CC(C)O", "CCCCCO", "OCc1ccccc1", "CCN", "CCCN", "c1ccccc1N",
          "CCCC", "CCCCC", "c1ccccc1", "C1CCCCC1", "CCCl", "CCCCl", "CC(C)C", "CCC(C)C", "Cc1ccccc1")


def weights_of(smiles, dice, hydroxyl=0.0):
    from rdkit import Chem

    return [np.array([hydroxyl * (a.GetSymbol() == "O") for a in Chem.MolFromSmiles(s).GetAtoms()]) +
            dice.normal(0, 0.1, Chem.MolFromSmiles(s).GetNumAtoms()) for s in smiles]


def test_the_group_that_counts_comes_first():
    weights = weights_of(CHAINS, stream(0, "atoms"), hydroxyl=-2.0)
    found = substructures(CHAINS, weights)
    assert found[0].smiles in ("[OH]", "[CH2][OH]") and found[0].count == 8
    assert found[0].low < -2 < found[0].high < -1.5
    assert all(s.value < 0 for s in found)
    assert all(CHAINS[r].count("O") == 1 for r in found[0].rows)


def test_noise_names_nothing_in_most_cases():
    wrong = sum(bool(substructures(CHAINS, weights_of(CHAINS, stream(k, "noise")))) for k in range(60))
    assert wrong <= binom.ppf(0.999, 60, 0.05)


def test_unreadable_molecules_are_skipped_and_a_picture_shows_the_environment_alone():
    smiles = (*CHAINS, "oops", None)
    found = substructures(smiles, [*weights_of(CHAINS, stream(1, "atoms"), hydroxyl=3.0), np.zeros(1), np.zeros(0)])
    assert found and max(r for s in found for r in s.rows) < len(CHAINS)
    first = found[0]
    picture = drawing(CHAINS[first.rows[0]], first.atoms[0][0])
    assert checked(picture) is not None and len(picture["g"]) == len(first.atoms[0][0])
    assert any(t[2].startswith(("O", "HO")) for t in picture["t"])
