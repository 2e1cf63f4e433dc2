"""Rows of another source behind the training rows: the same columns and codes, positions that go on, what differs named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gnomon.data.read.beside import behind, blank_targets, read_beside, target_known
from gnomon.data.read.dispatch import read_data
from gnomon.data.table import Dense, Mapped, Spec, strings
from gnomon.errors import InputError


@pytest.fixture
def base():
    return read_data(pd.DataFrame({"dose": np.linspace(0, 1, 20), "arm": list("abcd") * 5, "patient": list("vwxyz") * 4,
                                   "cured": ["yes", "no"] * 10}), target="cured")


def test_training_rows_stay_as_they_were_to_the_last_bit(base):
    more = pd.DataFrame({"dose": [0.5, None], "arm": ["d", "e"], "patient": ["q", "v"], "cured": ["no", "perhaps"]})
    other, told = read_beside(base, more, "--test")
    whole = behind(base, [other])
    assert len(whole) == 22 and whole.position.tolist() == list(range(22))
    for name in base.columns:
        np.testing.assert_array_equal(whole.columns[name].take(np.arange(20)), base.columns[name].take(np.arange(20)))
    for name in (*base.inputs, *base.targets):
        assert whole.columns[name].spec == base.columns[name].spec
    assert whole.take(np.arange(20)).columns["dose"].hash == base.columns["dose"].hash
    assert strings(whole.columns["arm"], np.array([20, 21])).tolist() == ["d", None]
    assert strings(whole.columns["patient"], np.array([20, 21])).tolist() == ["q", "v"]
    assert target_known(other).tolist() == [0]
    claims = " ".join(f.claim for f in told)
    assert "'e'" in claims and "classes the model has not seen" in claims and "'perhaps'" in claims


def test_missing_extra_and_renamed_columns_are_named(base):
    other = pd.DataFrame({"Dose": [0.1, 0.2], "sex": ["f", "m"], "cured": ["yes", "no"]})
    _, told = read_beside(base, other, "--test")
    grades = {f.claim.split("(--test): ")[1]: f.grade for f in told}
    assert grades["column 'Dose' is read as 'dose'"] == "note"
    assert grades["column 'arm' is missing: it counts as missing in every row"] == "warn"
    assert any("'sex'" in claim and grade == "note" for claim, grade in grades.items())


def test_positions_count_rows_that_were_dropped(tmp_path):
    smiles = ["CCO", "CCN", "not a molecule", "CCC", "CCCl", "c1ccccc1", "CCF", "CCBr", "CO", "CN"]
    table = pd.DataFrame({"smiles": smiles, "y": np.arange(10.0)})
    base = read_data(table, target="y", kinds={"smiles": "molecule"})
    other, _ = read_beside(base, table.iloc[[0, 2, 3, 4, 5, 6, 7]].reset_index(drop=True), "--test")
    whole = behind(base, [other])
    assert base.position.tolist() == [0, 1, *range(3, 10)] and other.position.tolist() == [0, 2, 3, 4, 5, 6]
    assert whole.position.tolist() == [0, 1, *range(3, 10), 10, 12, 13, 14, 15, 16]
    assert [f.rows for f in whole.findings if f.code == "LOOK-CORRUPT"] == [(2,), (11,)]


def test_columns_on_disk_and_in_memory_go_end_to_end(base):
    from dataclasses import replace

    from gnomon.data.table import Role

    pictures = np.arange(20 * 4, dtype=np.uint8).reshape(20, 1, 2, 2)
    spec = Spec("image", shape=(1, 2, 2), detail="uint8")
    with_role = {**base.roles, "picture": Role("input", "")}
    near = replace(base, columns={**base.columns, "picture": Dense(pictures, spec)}, roles=with_role)
    far = replace(near, columns={**base.columns, "picture": Mapped(lambda rows: pictures[rows] + 1, 20, spec, "far")})
    whole = behind(near, [far]).columns["picture"]
    rows = np.array([39, 0, 20, 19])
    np.testing.assert_array_equal(whole.take(rows), np.stack([pictures[19] + 1, pictures[0], pictures[0] + 1, pictures[19]]))
    assert whole.take(np.array([], dtype=int)).shape == (0, 1, 2, 2)


def test_targets_are_blanked_whatever_their_kind(base):
    assert not len(target_known(blank_targets(base))) and len(target_known(base)) == 20
    numbers = read_data(pd.DataFrame({"a": np.arange(9.0), "y": np.arange(9.0)}), target="y")
    assert np.isnan(blank_targets(numbers).columns["y"].take(np.arange(9))).all()


def test_an_input_that_cannot_be_imputed_is_refused_with_the_option_s_name():
    base = read_data(pd.DataFrame({"smiles": ["CCO", "CCN", "CCC", "CCCl"], "y": [1.0, 2, 3, 4]}), target="y",
                     kinds={"smiles": "molecule"})
    with pytest.raises(InputError, match="--test: the model needs the column 'smiles'"):
        read_beside(base, pd.DataFrame({"weight": [1.5, 2.5], "y": [1.0, 2.0]}), "--test")
