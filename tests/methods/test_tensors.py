"""Columns as tensors: fitted on training rows only, indexed without loops, saved whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from deep_data import images, table

from gnomon.data._scales import fit_scale
from gnomon.data.table import Data, Dense, Mapped, Role, Spec
from gnomon.data.tensors import fit_tensors, tensoriser_from


def mixed() -> Data:
    dice = np.random.default_rng(0)
    words = np.array(["CCO", "c1ccccc1", "CC(=O)O", "C", None, "CCN"] * 5, dtype=object)
    strands = np.array(["ACGT" * k for k in range(1, 7)] * 5, dtype=object)
    days = np.datetime64("2020-01-01", "ns") + np.arange(30) * np.timedelta64(36, "h")
    columns = {"mass.g": Dense(dice.normal(size=30), Spec("number")),
               "block": Dense(dice.normal(size=(30, 3)).astype(np.float32), Spec("number", shape=(3,)),
                              ("p", "q", "r")),
               "site": Dense(dice.integers(-1, 4, 30).astype(np.int32), Spec("category", categories=tuple("wxyz"))),
               "when": Dense(days, Spec("date")), "smiles": Dense(words, Spec("molecule")),
               "dna": Dense(strands, Spec("sequence", detail="DNA"))}
    return Data(columns, {name: Role("input", "test") for name in columns}, np.arange(30))


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, int):
        return a == b
    return all(same(x, y) for x, y in zip(a, b, strict=True))


def test_all_kinds_in_one_batch_and_specs_tell_their_shapes():
    pytest.importorskip("rdkit")
    data = mixed()
    tensors = fit_tensors(data, np.arange(20), data.inputs)
    batch = tensors.batch(data, np.array([3, 3, 25]))
    assert batch["numbers"].shape == (3, tensors.specs["numbers"].shape[0]) == (3, 4 + 7)
    assert batch["categories"].dtype == torch.int64 and batch["categories"].shape == (3, 1)
    assert batch["dna"].ids.shape == batch["dna"].mask.shape and batch["smiles"].count == 3
    assert tensors.names["numbers"][:4] == ("mass.g", "p", "q", "r")
    assert tensors.sources["numbers"][:4] == ("mass.g", "block", "block", "block")
    for name, spec in tensors.specs.items():
        if spec.kind == "numbers":
            assert len(tensors.names[name]) == len(tensors.sources[name]) == spec.shape[0]


def test_graph_batches_equal_the_molecules_one_by_one():
    pytest.importorskip("rdkit")
    data = mixed()
    tensors = fit_tensors(data, np.arange(20), ("smiles",))
    rows = np.array([1, 4, 0, 2, 1])
    got = tensors.batch(data, rows)["smiles"]
    from gnomon.data.molecules import molecule_graphs

    wanted = molecule_graphs(list(data.columns["smiles"].values)).batch(rows)
    assert same(tuple(got), tuple(wanted))


def test_tokens_are_padded_to_the_longest_of_the_batch():
    data = mixed()
    tensors = fit_tensors(data, np.arange(20), ("dna",))
    got = tensors.batch(data, np.array([0, 2, 5]))["dna"]
    assert got.ids.shape == (3, 24) and got.mask.sum(dim=1).tolist() == [4, 12, 24]
    assert (got.ids[~got.mask] == 0).all() and (got.ids[got.mask] > 0).all()


def test_only_training_rows_are_learned_from():
    """Changing rows outside the training rows changes nothing that was fitted."""
    data = mixed()
    cut = {k: v for k, v in data.columns.items() if k != "smiles"}
    moved = {**cut, "mass.g": Dense(np.where(np.arange(30) < 20, cut["mass.g"].values, 1e6), Spec("number"))}
    inputs = tuple(cut)
    roles = {k: Role("input", "") for k in cut}
    a = fit_tensors(Data(cut, roles, np.arange(30)), np.arange(20), inputs)
    b = fit_tensors(Data(moved, roles, np.arange(30)), np.arange(20), inputs)
    assert a.state()[0] == b.state()[0]
    assert all(np.array_equal(v, b.state()[1][k]) for k, v in a.state()[1].items())


def test_unseen_categories_and_missing_values():
    data = table(60)
    codes = data.columns["c"].values.copy()
    codes[:30] = np.arange(30) % 2
    codes[40] = -1
    told = Data({**data.columns, "c": Dense(codes, data.columns["c"].spec)}, data.roles, data.position)
    tensors = fit_tensors(told, np.arange(30), ("b", "c"))
    batch = tensors.batch(told, np.arange(60))
    assert tensors.specs["categories"].sizes == (3,)
    assert set(batch["categories"][:30, 0].tolist()) == {1, 2}
    assert (batch["categories"][codes == 2] == 0).all() and batch["categories"][40, 0] == 0
    assert tensors.names["numbers"] == ("b", "b missing")
    gone = np.isnan(data.columns["b"].values)
    assert np.array_equal(batch["numbers"][:, 1].numpy() == 1, gone) and (batch["numbers"][gone, 0] == 0).all()


def test_saved_and_loaded_it_gives_the_same_tensors():
    pytest.importorskip("rdkit")
    data = mixed()
    tensors = fit_tensors(data, np.arange(20), data.inputs)
    import json

    described, arrays = tensors.state()
    back = tensoriser_from(json.loads(json.dumps(described)), arrays)
    assert back.specs == tensors.specs and back.sources == tensors.sources and back.names == tensors.names
    rows = np.array([1, 5, 29])
    a, b = tensors.batch(data, rows), back.batch(data, rows)
    assert all(same(a[name], b[name]) for name in a)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_images_come_standardised_and_mapped_ones_alike(dtype):
    data = images(64, dtype=dtype, channels=2)
    column = data.columns["picture"]
    rows = np.arange(64)
    tensors = fit_tensors(data, rows, ("picture",))
    batch = tensors.batch(data, rows)["picture"]
    assert batch.shape == (64, 2, 12, 12) and batch.is_contiguous(memory_format=torch.channels_last)
    assert torch.allclose(batch.mean(dim=(0, 2, 3)), torch.zeros(2), atol=1e-4)
    assert torch.allclose(batch.std(dim=(0, 2, 3)), torch.ones(2), atol=1e-3)
    lazy = Data({**data.columns, "picture": Mapped(column.take, 64, column.spec, "stamp")}, data.roles, data.position)
    assert torch.allclose(fit_tensors(lazy, rows, ("picture",)).batch(lazy, rows[5:9])["picture"], batch[5:9])


def test_scale_is_robust_and_bounded():
    raw = np.concatenate([np.random.default_rng(0).normal(size=(99, 2)), [[1e12, np.nan]]])
    raw[:, 1] = 4.0
    z = fit_scale(raw)(raw)
    assert np.abs(z).max() <= 3 and abs(np.median(z[:, 0])) < 0.05 and (z[:, 1] == 0).all()
    order = np.argsort(raw[:, 0])
    assert (np.diff(z[order, 0]) >= 0).all()
