"""Weights: one rule for every model, refusals by name, and rows without weight counted."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.data.weights import checked_weights, row_weights
from gnomon.errors import InputError, TrainingError
from gnomon.methods._kit import weight_tensor

ROWS = np.arange(4)


def table(*weights, kind="number") -> Data:
    columns = {f"w{i}": Dense(np.array(w, dtype=float if kind == "number" else np.int32), Spec(kind)) for i, w in
               enumerate(weights)}
    columns["y"] = Dense(np.arange(4.0), Spec("number"))
    roles = {n: Role("target" if n == "y" else "weight", "") for n in columns}
    return Data(columns, roles, 10 + ROWS)


@pytest.mark.parametrize("weights, wanted", [
    ([[2, np.nan, 4, 0]], [2, 2, 4, 0]),
    ([[2, 1, 4, 0], [1, 3, np.nan, 5]], [2, 3, 12, 0]),
    ([[np.nan] * 4], [1, 1, 1, 1])])
def test_simple_models_and_networks_read_the_same_weights(weights, wanted):
    """A missing weight is the mean of the known ones, several columns multiply."""
    data = table(*weights)
    assert row_weights(data, ROWS).tolist() == wanted
    assert np.allclose(weight_tensor(data, ROWS, "cpu").numpy(), np.array(wanted) / np.mean(wanted))
    assert row_weights(table(), ROWS) is None and weight_tensor(table(), ROWS, "cpu").tolist() == [1] * 4


@pytest.mark.parametrize("weights, kind, words", [
    ([1, -2, 3, -4], "number", "negative or endless in 2 of 4 rows (counted from 0): 11 (-2), 13 (-4)"),
    ([1, np.inf, 3, 4], "number", "11 (inf)"),
    ([0, 0, 0, 7], "number", "0 or missing in every row with a target"),
    ([0, 1, 0, 1], "category", "read as category")])
def test_weights_that_cannot_weigh_are_refused_by_name(weights, kind, words):
    with pytest.raises(InputError) as refused:
        checked_weights(table(weights, kind=kind), ROWS[:3])
    assert refused.value.code == "E-COLUMN-KIND" and "'w0'" in str(refused.value) and words in str(refused.value)


def test_rows_of_no_weight_are_told():
    told = checked_weights(table([0, np.nan, 0, 1]), ROWS)[0]
    assert (told.code, told.grade, told.rows) == ("LOOK-MISSING", "note", (10, 11, 12))
    assert told.values == {"zero": 2, "missing": 1} and "2 have weight 0" in told.claim and "1 has none" in told.claim
    assert checked_weights(table([1, 2, 3, 4]), ROWS) == []


def test_training_rows_that_all_weigh_nothing_name_the_cause():
    from gnomon.data.parts import Rows
    from gnomon.methods._desk import Desk
    from gnomon.methods.labelled.own_fit import own_fit
    from gnomon.models.tables.ridge import ridge
    from gnomon.tasks.regress import regress

    data = table([0, 0, 0, 1])
    data.columns["x"], data.roles["x"] = Dense(np.arange(4.0), Spec("number")), Role("input", "")
    for fit in (lambda: own_fit(regress("y"), ridge, data, Rows(ROWS[:3], ROWS[:0]), 0, Desk(threads=1)),
                lambda: weight_tensor(data, ROWS[:3], "cpu")):
        with pytest.raises(TrainingError) as few:
            fit()
        assert few.value.code == "E-TRUTH-FEW" and "'y' is known in 3 training rows, 0 of them with a weight" in str(few.value)
