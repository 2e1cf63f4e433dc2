"""Activations: equal to what the modules give, hooks gone whatever happens, the same from disk."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from gnomon.analyses.represent.layers import layers
from gnomon.errors import InputError


class Shared(nn.Module):
    """One layer used twice, a functional activation, an in-place operation on a layer's output, a dict as output."""

    def __init__(self):
        super().__init__()
        self.first, self.twice = nn.Linear(6, 8), nn.Linear(8, 8)

    def forward(self, x):
        h = self.first(x)
        h += 100  # after the hook saw it
        h = torch.relu(self.twice(h - 100))
        return {"out": self.twice(h)}


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) for m in model.modules())


def images(seed: int = 0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(5 * 36, 4))
    return model.train(), torch.randn(37, 3, 8, 8)


def test_activations_are_those_of_the_modules_in_evaluation_mode():
    model, x = images()
    found = layers(model, x, ["0", "2", "4", ""], chunk=10)
    assert model.training and hooks(model) == 0
    model.eval()
    with torch.no_grad():
        conv = model[0](x)
        assert np.allclose(found["0"], conv.mean((2, 3)), atol=1e-6)
        assert np.allclose(found["4"], model(x), atol=1e-5) and np.array_equal(found["4"], found[""])
        most = layers(model, x, ["0"], pool="max")["0"]
        assert np.allclose(most, conv.amax((2, 3)), atol=1e-6)
        assert layers(model, x, ["0"], pool="flat")["0"].shape == (37, 180)
        assert np.allclose(layers(model, x, ["0"], pool="keep")["0"], conv, atol=1e-6)  # the in-place ReLU came after


def test_the_same_from_memory_mapped_files_and_from_a_loader(tmp_path):
    model, x = images()
    kept = layers(model, x, ["0", "4"], pool="keep")
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, torch.zeros(37)), batch_size=8)
    mapped = layers(model, loader, ["0", "4"], pool="keep", into=tmp_path)
    assert all(isinstance(a, np.memmap) for a in mapped.values())
    assert all(np.allclose(mapped[n], kept[n], atol=1e-6) for n in kept)
    assert np.load(tmp_path / "0.npy").shape == (37, 5, 6, 6)


def test_shared_weights_dicts_and_in_place_operations():
    model, x = Shared(), torch.randn(9, 6)
    found = layers(model, x, ["first", "twice:0", "twice:1", ""])
    with torch.no_grad():
        assert np.allclose(found["first"], model.first(x), atol=1e-6)
        assert np.allclose(found["twice:0"], model.twice(model.first(x) + 100 - 100), atol=1e-4)
        assert np.allclose(found["twice:1"], model(x)["out"], atol=1e-6) and np.array_equal(found[""], found["twice:1"])
    with pytest.raises(InputError, match="called 2 times") as error:
        layers(model, x, ["twice"])
    assert "twice:0" in error.value.do


def test_tokens_are_pooled_over_places_and_units_stay():
    torch.manual_seed(1)
    model, x = nn.LSTM(3, 7, batch_first=True), torch.randn(5, 11, 3)
    assert layers(model, x, [""])[""].shape == (5, 7)
    conv = nn.Conv1d(3, 6, 2)
    assert layers(conv, x.movedim(1, 2), [""])[""].shape == (5, 6)
    assert layers(model, x, [""], channel=1)[""].shape == (5, 11)


def test_nothing_leaks_after_an_error(tmp_path):
    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.calls = nn.Linear(2, 2), 0

        def forward(self, x):
            self.calls += 1
            out = self.inner(x)
            if self.calls == 2:
                raise RuntimeError("out of luck")
            return out

    model = Breaks()
    with pytest.raises(RuntimeError, match="luck"):
        layers(model, torch.randn(9, 2), ["inner"], chunk=4, into=tmp_path)
    assert hooks(model) == 0 and model.training and not list(tmp_path.iterdir())
    with pytest.raises(InputError, match="no layer called 'outer'"):
        layers(model, torch.randn(9, 2), ["outer"])
    assert hooks(model) == 0
