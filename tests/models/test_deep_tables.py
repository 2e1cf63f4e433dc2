"""Networks on tables: laws of the shared weights, and the reference figures on real tables (slow)."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from gnomon.data.parts import Rows
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError
from gnomon.methods._desk import Desk
from gnomon.methods.labelled.supervised import supervised
from gnomon.models._fuse import fuse
from gnomon.models.tables._networks import Ensemble, Numbers
from gnomon.models.tables.mlp import mlp
from gnomon.models.tables.tabm import tabm
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress

SPECS = {"numbers": Spec("numbers", shape=(3,)), "categories": Spec("categories", shape=(2,), sizes=(4, 5))}
NUMBER, CLASSES = Spec("out", shape=(1,)), Spec("out", shape=(3,), categories=("a", "b", "c"))


def inputs(n: int = 6) -> dict[str, torch.Tensor]:
    dice = torch.Generator().manual_seed(0)
    codes = torch.stack([torch.randint(0, 4, (n,), generator=dice), torch.randint(0, 5, (n,), generator=dice)], dim=1)
    return {"numbers": torch.randn(n, 3, generator=dice), "categories": codes}


@pytest.mark.parametrize("build", [tabm, mlp])
@pytest.mark.parametrize("out", [NUMBER, CLASSES])
def test_shapes_and_rows_are_independent(build, out):
    torch.manual_seed(0)
    module = build(SPECS, out).eval()
    x = inputs()
    raw = module(x)
    assert raw.shape == (6, out.shape[0]) and module.embed(x).shape == (6, module.width)
    alone = torch.cat([module({k: v[i:i + 1] for k, v in x.items()}) for i in range(6)])
    assert torch.allclose(raw, alone, atol=1e-5)


def test_members_in_one_equal_members_apart():
    """Member m of the ensemble is the plain network with weights W * r_m * s_m: computed by hand."""
    torch.manual_seed(0)
    module = Ensemble({"numbers": 3}, {}, 2, False, members=4, hidden=8, layers=2, embedded=0, dropout=0.0).eval()
    for own in module.parameters():
        nn.init.normal_(own, std=0.5)
    x = inputs()["numbers"]
    each = []
    for m in range(4):
        h = x
        for layer in module.layers:
            weight = layer.linear.weight * layer.scale_in[m] * layer.scale_out[m].T
            h = torch.relu(h @ weight.T + layer.bias[m])
        each.append(h @ module.heads[m] + module.offsets[m])
    assert torch.allclose(module({"numbers": x}), torch.stack(each).mean(dim=0), atol=1e-5)
    assert torch.allclose(module.train()({"numbers": x}), torch.stack(each, dim=1), atol=1e-5)


def test_classes_are_averaged_as_probabilities():
    torch.manual_seed(0)
    module = tabm(SPECS, CLASSES, members=5, dropout=0.0)
    for head in (module.heads, module.offsets):
        nn.init.normal_(head)
    each = module.train()(inputs()).softmax(dim=2)
    assert torch.allclose(module.eval()(inputs()).softmax(dim=1), each.mean(dim=1), atol=1e-5)


def test_members_start_different_and_stay_so():
    torch.manual_seed(0)
    module = tabm(SPECS, NUMBER, members=6).train()
    assert module(inputs()).std(dim=1).min() > 1e-4


def test_waves_of_a_number_are_a_function_of_that_number_alone():
    module = Numbers(3, 4)
    x = inputs()["numbers"]
    moved = x.clone()
    moved[:, 1] += 1
    changed = (module(x) != module(moved)).any(dim=0)
    assert module.out == 15 and changed[1] and not changed[[0, 2]].any()
    assert not changed[3:7].any() and changed[7:11].any() and not changed[11:].any()
    assert Numbers(5000, 8).out == 5000


def test_wrong_kinds_are_refused_in_words():
    for build in (tabm, mlp):
        with pytest.raises(InputError, match=r"E-MODEL-KIND.*'photo' \(image\)"):
            build({"photo": Spec("image", shape=(1, 8, 8))}, NUMBER)
    with pytest.raises(InputError, match="E-MODEL-KIND"):
        fuse({"photo": Spec("image", shape=(1, 8, 8))}, NUMBER, {})


def test_fuse_joins_what_it_is_given():
    """With names that hold dots; each input matters; forward is the head of embed."""

    class Mean(nn.Module):
        def __init__(self, spec):
            super().__init__()
            self.width = 3

        def forward(self, x):
            return torch.stack([x.mean(dim=(1, 2, 3)), x.amax(dim=(1, 2, 3)), x[:, 0, 0, 0]], dim=1)

    torch.manual_seed(0)
    specs = {**SPECS, "my.photo": Spec("image", shape=(1, 4, 4)), "smiles.descriptors": Spec("numbers", shape=(2,))}
    module = fuse(specs, NUMBER, {"image": Mean}, hidden=8).eval()
    x = {**inputs(), "my.photo": torch.randn(6, 1, 4, 4), "smiles.descriptors": torch.randn(6, 2)}
    raw = module(x)
    assert torch.equal(raw, module.head(module.embed(x))) and module.embed(x).shape == (6, module.width)
    for name, value in x.items():
        assert not torch.allclose(raw, module({**x, name: value.flip(0)})), name


def split_of(folder, name: str, k: int):
    table = pd.read_csv(folder / "tables_uci" / f"{name}.csv")
    test = np.array(json.loads((folder / "tables_uci" / "test_rows.json").read_text())[name][k])
    return data_of(table), table.columns[-1], np.setdiff1d(np.arange(len(table)), test), test


def data_of(table: pd.DataFrame) -> Data:
    target = table.columns[-1]
    columns = {name: Dense(values.to_numpy(float), Spec("number")) if values.dtype.kind in "if" else Dense(
        pd.Categorical(values).codes.astype(np.int32), Spec("category", categories=tuple(sorted(values.unique()))))
        for name, values in table.items()}
    return Data(columns, {n: Role("target" if n == target else "input", "") for n in columns}, np.arange(len(table)))


def parts(rows: np.ndarray, stop: int) -> Rows:
    order = np.random.default_rng(0).permutation(rows)
    return Rows(order[stop:], order[:stop])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "forest"), [("concrete", 4.74), ("energy", 0.51), ("yacht", 0.72)])
def test_below_the_forest_on_uci(shared_data, name, forest):
    """Mean over the first five of the fixed splits; forest figures as measured on the same splits."""
    errors = []
    for k in range(5):
        data, target, train, test = split_of(shared_data, name, k)
        rows = parts(train, max(len(train) // 8, 20))
        y = data.columns[target].take(rows.fit)
        task = regress(target, mean=y.mean(), sd=y.std())
        learned = supervised(task, tabm, data, rows, 0, Desk(steps=len(rows.fit) * 60 // 32, threads=1))
        errors.append(task.score(task.measure(learned.predict(data, test), task.truth(data, test))))
    assert np.mean(errors) < forest


@pytest.mark.slow
def test_above_boosting_on_magic(shared_data):
    folder = shared_data / "tables_magic_telescope"
    train, test = (pd.read_csv(folder / f"{part}.csv.gz") for part in ("train", "test"))
    data, n = data_of(pd.concat([train, test], ignore_index=True)), len(train)
    task = classify(train.columns[-1], data.columns[train.columns[-1]].spec.categories)
    build = partial(tabm, members=8)
    learned = supervised(task, build, data, parts(np.arange(n), 1900), 0, Desk(steps=2000, threads=1))
    rows = np.arange(n, n + len(test))
    assert task.score(task.measure(learned.predict(data, rows), task.truth(data, rows))) > 0.938
