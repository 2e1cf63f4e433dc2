"""Studies saved by early versions open: classes that moved to other files are found by the names they had."""

from __future__ import annotations

import functools
import json
import zipfile

import numpy as np
import pytest

from gnomon.card import load
from gnomon.data.parts import Rows
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError
from gnomon.methods._desk import Desk
from gnomon.methods._fitted import OLD_HOME, load_fitted
from gnomon.methods.labelled.own_fit import own_fit
from gnomon.tasks.regress import regress

MODELS = {"ridge": {}, "lasso": {}, "forest": {"trees": 8}, "explainable_boosting": {"rounds": 60, "bags": 1}}


def numbers() -> Data:
    dice = np.random.default_rng(0)
    x = dice.normal(size=(120, 3))
    columns = {f"x{i}": Dense(x[:, i], Spec("number")) for i in range(3)}
    columns["y"] = Dense(x[:, 0] - x[:, 1] ** 2, Spec("number"))
    return Data(columns, {n: Role("input" if n[0] == "x" else "target", "") for n in columns}, np.arange(120))


def renamed(file, homes: dict[str, str]) -> int:
    """Write the saved estimators as if these classes lived elsewhere; how many names were changed."""
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    plan, changed = held["schema.json"].decode(), 0
    for now, then in homes.items():
        changed += plan.count(f'"__module__": "{now}"')
        plan = plan.replace(f'"__module__": "{now}"', f'"__module__": "{then}"')
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in (held | {"schema.json": plan.encode()}).items():
            archive.writestr(name, body)
    return changed


@pytest.mark.parametrize("model", MODELS)
def test_a_study_saved_before_the_classes_moved_opens_and_predicts_the_same(model, tmp_path):
    data, rows = numbers(), Rows(np.arange(90), np.arange(90, 100))
    learned = own_fit(regress("y"), functools.partial(load(model), **MODELS[model]), data, rows, 0, Desk(threads=1))
    learned.save(tmp_path)
    home = type(learned.estimators[0]).__module__
    assert renamed(tmp_path / "estimators.skops", {home: OLD_HOME}) >= 1
    again = load_fitted(tmp_path)
    assert type(again.estimators[0]) is type(learned.estimators[0])
    assert np.array_equal(again.predict(data, np.arange(100, 120)).value, learned.predict(data, np.arange(100, 120)).value)


def test_the_old_home_opens_no_door_to_other_classes(tmp_path):
    own_fit(regress("y"), load("ridge"), numbers(), Rows(np.arange(90), np.arange(90, 100)), 0, Desk(threads=1)).save(tmp_path)
    file = tmp_path / "estimators.skops"
    renamed(file, {"gnomon.models.tables._linear": OLD_HOME})
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    plan = json.loads(held["schema.json"])
    plan["content"].append({"__class__": "np", "__module__": OLD_HOME, "__loader__": "ObjectNode"})
    with zipfile.ZipFile(file, "w") as archive:
        for name, body in (held | {"schema.json": json.dumps(plan).encode()}).items():
            archive.writestr(name, body)
    with pytest.raises(InputError) as refused:
        load_fitted(tmp_path)
    assert refused.value.code == "E-MODEL-UNTRUSTED" and "_estimators.np" in str(refused.value)
