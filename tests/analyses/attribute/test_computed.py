"""What a molecule's descriptors contribute comes back to its atoms: on a linear network, exactly what deleting an atom does."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from attribution_fakes import table
from test_techniques import case_of
from torch import nn

from gnomon.analyses.attribute._techniques import attributed
from gnomon.analyses.attribute.occlusion import of_pieces as occlusion
from gnomon.data.tensors import fit_tensors
from gnomon.methods._network import Network
from gnomon.tasks.regress import regress

SMILES = ["CCO", "CCN", "c1ccccc1O", "CC(=O)OC", "CCCCl", "C1CCCCC1", "CC#N", "OCC(O)CO"]


class OfProperties(nn.Module):
    """A weighted sum of the descriptors, curved or not, and of the atoms' features."""

    def __init__(self, names, width, curved):
        super().__init__()
        dice = torch.Generator().manual_seed(0)
        self.names, self.curved = names, curved
        self.weight = nn.Parameter(torch.randn(width, generator=dice))

    def forward(self, x):
        graph = x[self.names["graph"]]
        total = x[self.names["descriptors"]] @ self.weight
        atoms = torch.zeros(graph.count).index_add(0, graph.owner, graph.nodes[:, :3].sum(dim=1))
        return ((total / 10).sinh() if self.curved else total)[:, None] + self.curved * atoms[:, None]


def molecules(curved):
    data = table({"molecule:mol": np.array(SMILES * 2, dtype=object), "y": np.arange(16.0)})
    task, rows = regress("y"), np.arange(16)
    tensoriser = fit_tensors(data, rows, data.inputs)
    names = {encoder.kind: name for name, encoder in tensoriser.encoders.items()}
    width = tensoriser.specs[names["descriptors"]].shape[0]
    return case_of(Network(task, OfProperties(names, width, curved), tensoriser, {}, inputs=data.inputs), task, data, rows[:8])


@pytest.mark.parametrize("technique", ["integrated_gradients", "deeplift"])
def test_on_a_linear_network_an_atom_is_worth_what_its_deletion_takes(technique):
    case = molecules(curved=False)
    found = attributed(case, case.learned, case.ground(), technique)
    for told, wanted, atoms in zip(found.scores, occlusion(case.ground()), found.fine["mol"], strict=True):
        assert told == pytest.approx(wanted, rel=1e-3, abs=1e-3) and np.abs(wanted).max() > 0.1
        assert atoms == pytest.approx(told, abs=1e-6)  # what is drawn is what is ranked


def test_pieces_and_leftovers_add_up_to_the_change_from_the_mean_molecule():
    case = molecules(curved=True)
    found = attributed(case, case.learned, case.ground(), "integrated_gradients")
    network = case.learned
    inputs = network.tensoriser.batch(case.data, case.rows)
    mean = network.tensoriser.batch(case.data, case.reference)
    graph, name = inputs[network.module.names["graph"]], network.module.names["descriptors"]
    nothing = {network.module.names["graph"]: graph._replace(nodes=torch.zeros_like(graph.nodes)),
               name: mean[name].mean(dim=0).expand_as(inputs[name])}
    gap = (network.module(inputs) - network.module(nothing)).detach().numpy()[:, 0] * case.question.scale
    total = np.array([s.sum() for s in found.scores]) + found.over["mol"]
    assert total == pytest.approx(gap, rel=1e-3, abs=1e-3)


def test_the_masked_molecules_are_worked_out_once_for_the_randomised_copies(monkeypatch):
    case = molecules(curved=False)
    ground, calls = case.ground(), []
    altered = type(ground).altered
    monkeypatch.setattr(type(ground), "altered", lambda self, *args: calls.append(1) or altered(self, *args))
    for seed in range(3):
        copy = replace(case.learned, module=OfProperties(case.learned.module.names, len(case.learned.module.weight), False))
        torch.nn.init.normal_(copy.module.weight, generator=torch.Generator().manual_seed(seed))
        attributed(case, copy, ground, "deeplift")
    assert len(calls) == 1


def test_a_molecules_importance_is_what_its_tensors_add_in_all():
    """Deletions count what atoms share again and again; what an input contributes is counted once, leftovers included."""
    from gnomon.analyses.attribute._techniques import TECHNIQUES

    case = molecules(curved=True)
    found = attributed(case, case.learned, case.ground(), "integrated_gradients")
    pieces = np.array([s.sum() for s in found.scores])
    sizes, _ = TECHNIQUES["integrated_gradients"](case).columns["mol"]
    assert np.allclose(sizes, np.abs(pieces + found.over["mol"])) and not np.allclose(sizes, np.abs(pieces), rtol=0.2)
