"""Checks of a trained study: whether they ran, and on which rows."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.workflow import examine
from gnomon.workflow._named_groups import named_groups
from gnomon.workflow.examine import Notes, _optimism, _shift, _subgroups


def bench(n: int = 120) -> tuple[SimpleNamespace, tuple]:
    """Pairs of like rows: a random split would put one of a pair on either side."""
    rng = np.random.default_rng(0)
    x = np.repeat(rng.normal(size=(n // 2, 3)), 2, axis=0)
    y = np.repeat(rng.integers(2, size=n // 2), 2)
    task = classify("y", ("a", "b"), metric="accuracy")
    asked = SimpleNamespace(name=task.name, out=task.out, truth=lambda data, rows: y[rows], measure=task.measure,
                            score=task.score, metric=task.metric)
    parts = SimpleNamespace(fold_policy="random", units=np.arange(n) // 2, develop=np.arange(n), unit="specimen")
    return SimpleNamespace(parts=parts, task=asked, seed=0, data=None), (None, np.arange(n), x)


@pytest.mark.parametrize("limit, ran", [(0.0, False), (1e9, True)])
def test_the_optimism_of_a_random_split_is_measured_where_its_fits_have_time(monkeypatch, limit, ran):
    monkeypatch.setattr(examine, "OPTIMISM_TREES", 5)
    made, table = bench()
    notes = Notes()
    gap = _optimism(made, notes, table, limit)
    (check,) = notes.checks
    assert (check.code, check.ran) == ("VALID-OPTIMISM", ran)
    if ran:
        assert gap["gap"] > 0.2  # labels are noise: only the twin knows them
    else:
        assert gap is None and "--budget" in check.why_not


def test_nothing_examined_is_no_check_and_nothing_found_is_one():
    notes = Notes()
    assert notes.run("VALID-CALIBRATION", "an effect", lambda: None, "too few rows") is None
    assert notes.run("VALID-STRATUM", "an effect", list) == [] and notes.run("VALID-OOD", None, lambda: 7) == 7
    assert [(c.code, c.ran, c.why_not or c.smallest_effect_it_would_find) for c in notes.checks] == [
        ("VALID-CALIBRATION", False, "too few rows"), ("VALID-STRATUM", True, "an effect")]


@pytest.mark.parametrize("policy, moved, grade", [("random", 0.0, None), ("random", 9.0, "warn"), ("column:part", 9.0, "warn"),
                                                  ("time:day", 9.0, "note"), ("group:ward", 9.0, "note")])
def test_sealed_rows_of_a_sorted_file_are_sampled_not_its_beginning(monkeypatch, policy, moved, grade):
    monkeypatch.setattr(examine, "MATRIX_ROWS", 400)
    value = np.sort(np.random.default_rng(0).normal(size=4000))[:, None].repeat(2, axis=1)
    rows, test = np.arange(0, 4000, 10), np.arange(1, 4000, 2)
    parts = SimpleNamespace(units=np.arange(4000), test=test, test_hash="", unlabelled=np.empty(0, dtype=int), policy=policy)
    view = SimpleNamespace(transform=lambda data, some: value[some] + moved)
    notes = Notes()
    _shift(SimpleNamespace(parts=parts, seed=0, data=None), notes, view, rows, value[rows].astype(np.float32), None)
    assert [f.grade for f in notes.findings] == ([] if grade is None else [grade])
    assert [(c.code, c.ran) for c in notes.checks] == [("VALID-SHIFT", True)]


def numbered(**columns):
    """A table whose columns are inputs, of numbers."""
    roles = {name: Role("input", "") for name in columns}
    return Data({n: Dense(np.asarray(v, dtype=float), Spec("number")) for n, v in columns.items()}, roles,
                np.arange(len(next(iter(columns.values())))))


def test_groups_coded_as_numbers_are_groups_and_what_is_left_out_is_named():
    rng, n = np.random.default_rng(0), 400
    told = named_groups(numbered(sex=rng.integers(0, 2, n), race=np.where(rng.random(n) < 0.1, np.nan, rng.integers(1, 6, n)),
                                 smoker=rng.integers(0, 2, n), age=rng.integers(20, 30, n), dose=rng.normal(size=n),
                                 site=rng.integers(0, 30, n)))
    assert told.columns == ("sex", "race", "smoker") and told.known == ("sex", "race")
    assert told.left_out == "'site' (more than 20 values)"
    wide = named_groups(numbered(**{f"bit{i}": rng.integers(0, 2, n) for i in range(40)}, sex=rng.integers(0, 2, n)))
    assert len(wide.columns) == 11 and "sex" in wide.columns and "'bit10', 'bit11', 'bit12' and 27 more" in wide.left_out


def test_a_worse_score_of_one_sex_coded_0_and_1_is_found():
    rng, n = np.random.default_rng(0), 600
    sex, y = rng.integers(0, 2, n), rng.normal(size=n)
    task = regress("y")
    stats = task.measure(Prediction(value=y + rng.normal(size=n) * np.where(sex == 1, 3, 0.5)), y)
    notes, verdict = Notes(), SimpleNamespace(rows=np.arange(n), difference=SimpleNamespace(margin=0.05))
    made = SimpleNamespace(data=numbered(sex=sex, x=y), task=task, seed=0, parts=SimpleNamespace(unit="row"))
    _subgroups(made, notes, verdict, stats, np.arange(n), 5)
    assert [(f.code, f.columns) for f in notes.findings] == [("VALID-SUBGROUP", ("sex",))]
    assert [(c.code, c.ran) for c in notes.checks] == [("VALID-SUBGROUP", True)]


def test_sub_groups_name_neither_units_nor_persons():
    words = {"patient": ["Anna Smithson", "Boris Kowalczyk"], "owner_name": ["Dora", "Emil"], "patient_sex": ["f", "m"],
             "plate": ["p1", "p2"]}
    columns = {name: Dense(np.arange(60) % 2, Spec("category", categories=tuple(two))) for name, two in words.items()}
    roles = {name: Role("group" if name in ("patient", "plate") else "input", "") for name in words}
    data = Data(columns, roles, np.arange(60))
    assert list(named_groups(data, "row").columns) == ["patient_sex", "plate"]
    assert list(named_groups(data, "plate").columns) == ["patient_sex"]


def test_a_column_set_aside_that_cuts_the_target_is_not_judged():
    y = np.random.default_rng(0).normal(size=80)
    task = SimpleNamespace(name="regress", truth=lambda data, rows: y[rows])
    roles = {name: Role(role, "") for name, role in (("Class", "ignore"), ("site", "ignore"), ("half", "input"))}
    made = SimpleNamespace(data=SimpleNamespace(roles=roles), task=task, parts=SimpleNamespace(develop=np.arange(0, 80, 2)))
    cut = np.where(y > 0, "1", "0")
    assert examine._of_target(made, "Class", cut) and not examine._of_target(made, "half", cut)
    assert not examine._of_target(made, "site", np.tile(["a", "b", "b", "a"], 20))
