"""Kinds and roles: what is told apart, and what must not be mistaken."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gnomon.data.infer import of_alphabet, words
from gnomon.data.read import _numbers
from gnomon.data.read._raw import strings
from gnomon.data.read.dispatch import read_data

N = 120
RNG = np.random.default_rng(0)
NOISE = RNG.normal(size=N)


def seen(name: str, values, target=()) -> tuple[str, str]:
    data = read_data(pd.DataFrame({name: values, "other": NOISE}), target=target)
    return data.kind(name), data.roles[name].role


MEASURED = {
    "weight": RNG.normal(70, 9, N),  # a body's, not a sample's
    "patient age": RNG.integers(20, 80, N),
    "batch_size": RNG.integers(8, 64, N),
    "number of sites": RNG.integers(1, 9, N),
    "count": RNG.permutation(N) * 7,  # each value once, yet measured
    "position": np.sort(RNG.choice(10_000, N, replace=False)),
    "plate temperature": RNG.normal(37, 1, N),
    "acid": RNG.integers(0, 3, N),
    "time": RNG.normal(size=N),
    "quality": RNG.integers(3, 9, N),
    "set": RNG.normal(size=N),
    "year of birth count": RNG.integers(0, 9, N),
}


@pytest.mark.parametrize("name", MEASURED)
def test_measurements_stay_inputs(name):
    assert seen(name, MEASURED[name]) == ("number", "input")


GROUPS = {
    "patient": [f"p{i // 4}" for i in range(N)],
    "PatientID": [i // 4 for i in range(N)],
    "donor_id": [i // 6 for i in range(N)],
    "Plate": [f"{i // 10}" for i in range(N)],
    "site": [["Bern", "Basel", "Chur"][i % 3] for i in range(N)],
    "animal no": [i // 5 for i in range(N)],
    "video": [f"v{i // 20}.mp4" for i in range(N)],
    "Target gene": [["CD5", "NF1", "MED12"][i % 3] for i in range(N)],
    "device_id": [f"D{i // 3}" for i in range(N)],
    "scaffold": [["c1ccccc1", "c1ccncc1", "C1CCCCC1"][i % 3] for i in range(N)],
}


@pytest.mark.parametrize("name", GROUPS)
def test_groups(name):
    assert seen(name, GROUPS[name]) == ("category", "group")


def test_a_group_of_one_row_each_is_an_identifier():
    assert seen("patient", [f"p{i}" for i in range(N)])[1] == "identifier"
    assert seen("subject_id", list(range(500, 500 + N)))[1] == "identifier"


IDENTIFIERS = {
    "Compound ID": [f"compound {i}" for i in range(N)],
    "No": list(range(1, N + 1)),
    "Unnamed: 0": list(range(N)),
    "accession": [f"Q{i:05d}" for i in range(N)],
    "sample_id": RNG.permutation(10_000)[:N],
    "name": [f"{a}{i}" for i, a in enumerate("abcdef" * 20)],
    "PatientID": [f"P{i:03d}" for i in range(N)],
}


@pytest.mark.parametrize("name", IDENTIFIERS)
def test_identifiers(name):
    assert seen(name, IDENTIFIERS[name])[1] == "identifier"


def test_splits_need_name_and_values():
    parts = RNG.choice(["train", "test", "valid"], N)
    assert seen("split", parts)[1] == "split"
    assert seen("set_random", parts)[1] == "split"
    assert seen("random_01", parts)[1] == "ignore"
    assert seen("split", RNG.choice(["left", "right"], N))[1] == "input"
    assert seen("fold", RNG.integers(0, 5, N))[1] == "ignore"
    assert seen("is_train", RNG.integers(0, 2, N).astype(bool))[1] == "ignore"


def test_weights_and_times():
    assert seen("sample_weight", RNG.random(N))[1] == "weight"
    assert seen("timestamp", np.arange(N) * 60.0)[1] == "time"
    assert seen("year", 1871 + np.arange(N))[1] == "time"
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%Y-%m-%d %H:%M:%S", "%d %b %Y", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%SZ", "%Y%m%d"):
        dates = pd.date_range("2011-02-03", periods=N, freq="D")
        data = read_data(pd.DataFrame({"date": dates.strftime(form), "v": NOISE}))
        assert data.named("time") == ("date",), form
        assert (data.columns["date"].take(np.arange(N)) == dates.to_numpy()).all(), form


def test_two_dates_leave_one_time():
    dates = pd.date_range("2011-02-03", periods=N).strftime("%Y-%m-%d")
    data = read_data(pd.DataFrame({"seen": dates, "left": dates[::-1], "v": NOISE}))
    assert (data.roles["seen"].role, data.roles["left"].role) == ("time", "ignore")


def test_targets():
    two = RNG.integers(0, 2, N)
    assert seen("antimicrobial", two) == ("number", "input")
    assert seen("antimicrobial", two, target="antimicrobial") == ("category", "target")
    assert seen("label", two) == ("category", "target")
    assert seen("Class", RNG.integers(0, 6, N)) == ("category", "target")
    assert seen("target", NOISE) == ("number", "target")
    assert seen("quality", RNG.integers(3, 9, N), target="quality") == ("number", "target")
    assert seen("grade", RNG.choice(["low", "high"], N), target="grade") == ("category", "target")


def test_the_only_value_beside_molecules_or_sequences_is_the_target():
    smiles = ["C" * (1 + i % 9) + "O" + "N" * (i // 9) for i in range(N)]
    data = read_data(pd.DataFrame({"CHEMBLID": [f"CHEMBL{i}" for i in range(N)], "exp": NOISE, "smiles": smiles}))
    assert data.targets == ("exp",) and "only value beside the molecules" in data.roles["exp"].because
    assert read_data(pd.DataFrame({"exp": NOISE, "ph": NOISE[::-1], "smiles": smiles})).targets == ()  # which of two?
    assert read_data(pd.DataFrame({"exp": NOISE, "ph": NOISE[::-1]})).targets == ()


TEXTS = ["the cell divides twice in a day", "no growth was seen at all", "we count them by hand"]


def test_texts_formulas_and_notations():
    pool = [f"{TEXTS[i % 3]} in dish {i}" for i in range(N)]
    assert seen("notes", pool) == ("text", "input")
    assert seen("mutation", [f"A{i}D,G{i + 1}C" for i in range(N)]) == ("text", "input")
    metals = ["Fe", "Cu", "Zn", "Al", "Ag", "Ni"]
    formulas = [f"{metals[i % 6]}{i % 9 + 1}{'OSN'[i % 3]}{i // 9 + 1}" for i in range(N)]
    assert seen("composition", formulas) == ("text", "input")
    assert seen("code", [f"CN{i}" for i in range(N)])[1] == "identifier"
    assert seen("colour", RNG.choice(["red", "green"], N)) == ("category", "input")


def test_no_values():
    assert seen("empty", [None] * N) == ("number", "ignore")


NUMBERS = {
    ("1", "2.5", "-3e4"): [1, 2.5, -3e4],
    ("1,5", "2,25", "-0,5"): [1.5, 2.25, -0.5],
    ("1,234", "12,345", "1,234,567"): [1234, 12345, 1234567],
    ("1.234,5", "2.000,25", "7,5"): [1234.5, 2000.25, 7.5],
    ("1,234.5", "2,000.25", "7.5"): [1234.5, 2000.25, 7.5],
    ("5 mg", "7 mg", "8mg"): [5, 7, 8],
    ("12%", "50 %", "7%"): [12, 50, 7],
    (">10", "<=0.5", "3"): [10, 0.5, 3],
    ("\u22125", "+4", ".5"): [-5, 4, 0.5],
    ("1'000", "20", "3 000"): [1000, 20, 3000],
}


@pytest.mark.parametrize("texts", NUMBERS, ids=" ".join)
def test_numbers(texts):
    numbers = _numbers.parse(strings(texts))
    assert numbers is not None
    np.testing.assert_allclose(numbers.values, NUMBERS[texts])


@pytest.mark.parametrize("texts", [("3A", "4B", "5C"), ("1st", "2nd", "3rd"), ("a", "b", "1"), ("1-2", "3-4", "5-6")])
def test_not_numbers(texts):
    assert _numbers.parse(strings(texts)) is None


def test_units_and_bounds_are_kept():
    numbers = _numbers.parse(strings(["5 mg", "7 g", ">3 mg", "2"]))
    assert numbers is not None
    assert (numbers.unit, list(numbers.odd_unit), list(numbers.above)) == ("mg", [1], [2])
    data = read_data(pd.DataFrame({"dose": ["5 mg", "7 g", "8 mg"] * 10}))
    assert [(f.code, f.rows_total) for f in data.findings] == [("LOOK-UNITS", 10)]


def test_alphabets_and_words():
    assert of_alphabet("ACGTNACGT", "DNA")
    assert not of_alphabet("ACGUACGU", "DNA")
    assert not of_alphabet("NNNNNNNA", "DNA")
    assert of_alphabet("MKTAYIAKQR", "protein")
    assert words("PatientID") == ("patient", "id") == words("patient_id") == words("patient id")
