"""Each change does what it says, and the table of scores against severity falls for a model that reads what is changed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from gnomon.analyses.validate import corruptions as kit
from gnomon.analyses.validate.corruptions import corruption_findings, corruptions
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.tasks._task import Prediction
from gnomon.tasks.regress import regress


def of(column, y):
    return Data({"x": column, "y": Dense(y, Spec("number"))}, {"x": Role("input", ""), "y": Role("target", "")},
                np.arange(len(y)))


def test_images_change_as_said():
    rng = np.random.default_rng(0)
    x = rng.random((4, 1, 32, 32)).astype(np.float32)
    assert kit.noise(x, 0.1, rng).std() > x.std() and np.isclose((kit.noise(x, 0.1, rng) - x).std(), 0.1, rtol=0.05)
    assert np.allclose(kit.contrast(x, 0.5, rng).std(axis=(2, 3)), x.std(axis=(2, 3)) / 2, rtol=1e-4)
    assert np.allclose(kit.brightness(x, 0.2, rng) - x, 0.2, atol=1e-6)
    assert np.allclose(kit.blur(x, 0.05, rng).mean(), x.mean(), atol=0.01) and kit.blur(x, 0.05, rng).std() < x.std() / 2
    coarse = kit.pixelation(x, 0.25, rng)
    assert np.allclose(coarse[:, :, ::4, ::4], coarse[:, :, 1::4, 1::4]) and np.allclose(coarse.mean(), x.mean(), atol=1e-5)


def test_other_spelling_is_the_same_molecule():
    from rdkit import Chem

    smiles = np.array(["CCO", "c1ccccc1C(=O)O", "CC(=O)Nc1ccc(O)cc1", "[Na+].[Cl-]", "no molecule"], dtype=object)
    told = kit.other_smiles(smiles, np.random.default_rng(1))
    same = lambda a, b: Chem.CanonSmiles(a) == Chem.CanonSmiles(b)  # noqa: E731
    assert all(same(a, b) for a, b in zip(smiles[:4], told[:4], strict=True)) and told[4] == smiles[4]
    assert (told[:3] != smiles[:3]).any()


@pytest.mark.parametrize(("letters", "share"), [("ACGT", 0.1), ("abcdefgh ", 0.03)])
def test_letters_are_replaced_at_the_stated_rate_and_lengths_stay(letters, share):
    rng = np.random.default_rng(2)
    texts = np.array(["".join(rng.choice(list(letters), 200)) for _ in range(50)] + [None, ""], dtype=object)
    told = kit.misspelt(texts, share, rng, own="ACGT" in letters)
    pairs = [(a, b) for s, t in zip(texts[:50], told[:50], strict=True) for a, b in zip(s, t, strict=True)]
    changed = np.mean([a != b for a, b in pairs if a != " "])
    assert changed == pytest.approx(share, rel=0.15) and told[50] is None
    assert all(b == " " for a, b in pairs if a == " ") and ("ACGT" not in letters or {b for _, b in pairs} <= set("ACGT"))


def test_masked_letters_of_a_sequence_stay_small_and_of_its_alphabet():
    rng = np.random.default_rng(6)
    whole = np.array(["".join(rng.choice(list("ACGTacgt"), 300)) for _ in range(40)], dtype=object)
    data = of(Dense(whole, Spec("sequence")), np.zeros(40))
    told = kit.changes(data)[-1][4](data.columns["x"], whole, rng)
    pairs = [(a, b) for s, t in zip(whole, told, strict=True) for a, b in zip(s, t, strict=True)]
    assert {b.upper() for _, b in pairs} == set("ACGT") and all(a.islower() == b.islower() for a, b in pairs)
    assert np.mean([a.upper() != b.upper() for a, b in pairs]) == pytest.approx(kit.LETTERS[-1], rel=0.15)


def test_noise_on_numbers_is_of_their_spread_and_spares_codes():
    rng = np.random.default_rng(3)
    x = np.stack([rng.normal(size=2000) * 5, rng.integers(0, 2, 2000)], axis=1)
    told = kit.jittered(x, 0.1, rng)
    assert (told - x)[:, 0].std() == pytest.approx(0.5, rel=0.08) and (told[:, 1] == x[:, 1]).all()


def test_a_column_without_values_gets_no_noise_and_gives_no_warning():
    x = np.column_stack([np.random.default_rng(0).normal(size=50), np.full(50, np.nan)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        told = kit.jittered(x, 0.1, np.random.default_rng(1))
        assert np.isnan(kit.jittered(x[:, 1], 0.1, np.random.default_rng(1))).all()
    assert np.isnan(told[:, 1]).all() and np.isfinite(told[:, 0]).all() and (told[:, 0] != x[:, 0]).all()


def test_score_falls_with_severity_for_a_model_that_reads_the_number():
    rng = np.random.default_rng(4)
    x = rng.normal(size=400)
    y = x + 0.01 * rng.normal(size=400)
    data, task = of(Dense(x, Spec("number")), y), regress("y")
    found = corruptions(task, lambda d, rows: Prediction(d.columns["x"].take(rows)), data, np.arange(400), np.arange(400))
    assert [c.severity for c in found] == [1, 2, 3] and found[0].drop < found[1].drop < found[2].drop
    for c, amount in zip(found, kit.SPREAD, strict=True):  # closed form: the noise's sd joins the error
        assert c.score == pytest.approx(np.hypot(0.01, amount * x.std()), rel=0.15)
    told = corruption_findings(task, found, margin=0.001)
    assert [f.grade for f in told] == ["note"] and told[0].code == "VALID-CORRUPTION"
    assert not corruption_findings(task, found, margin=1.0)


def test_a_model_that_reads_the_spelling_is_warned_of_and_one_that_reads_the_molecule_is_not():
    from rdkit import Chem

    rng = np.random.default_rng(5)
    smiles = np.array([("C" * rng.integers(1, 9)) + "O" + ("C" * rng.integers(1, 9)) for _ in range(200)], dtype=object)
    y = np.array([float(Chem.MolFromSmiles(s).GetNumAtoms()) for s in smiles])
    data, task = of(Dense(smiles, Spec("molecule")), y), regress("y")
    right = lambda d, r: Prediction(np.array([float(Chem.MolFromSmiles(s).GetNumAtoms())  # noqa: E731
                                              for s in d.columns["x"].take(r)]))
    wrong = lambda d, r: Prediction(y[r] + np.array([float(s.startswith("O")) + 2 * float("(" in s)  # noqa: E731
                                                     for s in d.columns["x"].take(r)]))
    rows = np.arange(200)
    same = corruptions(task, right, data, rows, rows)
    assert same[0].severity == 0 and same[0].moved == 0 and not corruption_findings(task, same, 0.1)
    told = corruption_findings(task, corruptions(task, wrong, data, rows, rows), 0.1)
    assert [f.grade for f in told] == ["warn"]
