"""Integrated gradients: exact for linear models, complete for any, silent about what is not used."""

import numpy as np
import pytest
import torch
from torch import nn

from gnomon.analyses.attribute.integrated_gradients import integrated_gradients, path_ends
from gnomon.data.kinds import Graphs, Tokens


def seeded(make):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make()


def test_a_linear_model_gets_coefficient_times_distance():
    model, x = seeded(lambda: (nn.Linear(5, 2), torch.randn(7, 5)))
    base = torch.full((7, 5), 0.3)
    found = integrated_gradients(model, x, 1, steps=4, baseline=base)
    assert torch.allclose(found, (x - base) * model.weight[1], atol=1e-5)


def test_completeness_on_a_curved_network_and_a_target_a_row():
    model, x = seeded(lambda: (nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(0.5), nn.Linear(16, 3)),
                               torch.randn(9, 6)))
    target = torch.arange(9) % 3
    found = integrated_gradients(model, x, target, steps=64, chunk=4)
    low, high = path_ends(model, x, target)
    assert torch.allclose(found.sum(1), high - low, atol=1e-4)
    assert model.training  # the mode is given back
    assert (integrated_gradients(model, x * torch.tensor([1, 1, 1, 0, 1, 1.0]), target)[:, 3] == 0).all()


class Reader(nn.Module):
    """Tokens, categories, numbers and a graph into two outputs, every part through something curved."""

    def __init__(self):
        super().__init__()
        self.letters, self.places = nn.Embedding(6, 4, padding_idx=0), nn.Embedding(10, 4)
        self.kinds = nn.ModuleList([nn.Embedding(3, 2), nn.Embedding(5, 2)])
        self.atoms, self.bonds = nn.Linear(3, 4), nn.Linear(2, 4)
        self.head = nn.Sequential(nn.Linear(4 + 4 + 2 + 4, 12), nn.Tanh(), nn.Linear(12, 2))

    def forward(self, x):
        ids, mask = x["seq"]
        letters = self.letters(ids) * (1 + self.places(torch.arange(ids.shape[1])))
        read = (torch.tanh(letters) * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        kinds = torch.cat([e(x["categories"][:, j]) for j, e in enumerate(self.kinds)], dim=1)
        graph = x["mol"]
        atoms = self.atoms(graph.nodes)
        atoms = atoms.index_add(0, graph.edges[1], torch.relu(atoms[graph.edges[0]] + self.bonds(graph.edge_features)))
        pooled = atoms.new_zeros(graph.count, 4).index_add(0, graph.owner, torch.tanh(atoms))
        return self.head(torch.cat([read, kinds, x["numbers"], pooled], dim=1))


def mixed_inputs():
    """Three rows of sequences, codes, numbers and graphs of 2, 1 and 3 atoms."""
    ids = torch.tensor([[1, 2, 3, 4], [5, 5, 0, 0], [2, 1, 1, 0]])
    edges = torch.tensor([[0, 1, 3, 4, 4, 5], [1, 0, 4, 3, 5, 4]])
    graph = Graphs(torch.randn(6, 3), edges, torch.randn(6, 2), torch.tensor([0, 0, 1, 2, 2, 2]), 3)
    return {"seq": Tokens(ids, ids > 0), "categories": torch.tensor([[0, 4], [1, 1], [2, 3]]),
            "numbers": torch.randn(3, 2), "mol": graph}


@pytest.mark.parametrize("chunk", [2, 64])
def test_completeness_over_tokens_categories_numbers_and_graphs_at_once(chunk):
    model, x = seeded(lambda: (Reader(), mixed_inputs()))
    found = integrated_gradients(model, x, 1, steps=128, chunk=chunk)
    low, high = path_ends(model, x, 1)
    whole = found["seq"].sum(1) + found["categories"].sum(1) + found["numbers"].sum(1)
    whole = whole.index_add(0, x["mol"].owner, found["mol"])
    assert torch.allclose(whole, high - low, atol=2e-3)
    assert (found["seq"][~x["seq"].mask] == 0).all() and (found["seq"][x["seq"].mask] != 0).all()
    assert (found["categories"] != 0).all() and found["mol"].shape == (6,)


def test_no_hook_stays_behind_even_when_the_model_fails():
    model, x = seeded(lambda: (Reader(), mixed_inputs()))
    del x["mol"]
    with pytest.raises(KeyError):
        integrated_gradients(model, x, 1)
    assert not any(m._forward_hooks for m in model.modules())


def test_agrees_with_captum_on_an_image_network():
    from captum.attr import IntegratedGradients

    model, x = seeded(lambda: (nn.Sequential(nn.Conv2d(1, 4, 3), nn.SiLU(), nn.Flatten(), nn.Linear(144, 2)),
                               torch.randn(2, 1, 8, 8)))
    wanted = IntegratedGradients(model).attribute(x, target=1, n_steps=64)
    assert np.allclose(integrated_gradients(model, x, 1).detach(), wanted.detach(), atol=1e-4)
