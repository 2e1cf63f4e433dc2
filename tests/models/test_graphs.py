"""Graph networks: atom order does not matter, molecules do not see their batch, every parameter learns."""

from __future__ import annotations

import numpy as np
import pytest
import torch

pytest.importorskip("rdkit")

from gnomon.card import load
from gnomon.data.kinds import Graphs
from gnomon.data.molecules import molecule_graphs
from gnomon.data.table import Spec
from gnomon.models.graphs._directed import DirectedMessages
from gnomon.models.graphs._kit import read_out

BUILDERS = ("message_passing", "gin")
SMILES = ("CCO", "c1ccccc1O", "[Na+].[Cl-]", "C[C@H](N)C(=O)O", "C", "CC(C)Cc1ccc(cc1)C(C)C(=O)O")


def network(name, graphs, outputs=2, **options):
    torch.manual_seed(0)
    spec = Spec("graph", shape=(graphs.nodes.shape[1], graphs.edge_features.shape[1]))
    return load(name)({"molecule": spec}, Spec("out", shape=(outputs,)), hidden=16, **options).eval()


@pytest.mark.parametrize("name", BUILDERS)
@pytest.mark.parametrize("readout", ["mean", "sum", "norm", "mean+sum"])
def test_the_order_of_atoms_and_bonds_does_not_matter(name, readout):
    batch = molecule_graphs(SMILES).batch(np.arange(len(SMILES)))
    model = network(name, batch, readout=readout)
    rng = np.random.default_rng(0)
    order = torch.from_numpy(rng.permutation(len(batch.nodes)))
    bonds = rng.permutation(batch.edges.shape[1] // 2)
    edges = torch.from_numpy(np.stack([2 * bonds + 1, 2 * bonds], axis=1).reshape(-1))  # each bond turned round, too
    place = torch.argsort(order)
    mixed = Graphs(batch.nodes[order], place[batch.edges[:, edges]], batch.edge_features[edges], batch.owner[order],
                   batch.count)
    torch.testing.assert_close(model({"molecule": mixed}), model({"molecule": batch}), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", BUILDERS)
def test_a_molecule_does_not_depend_on_its_batch(name):
    graphs = molecule_graphs(SMILES)
    whole = graphs.batch(np.arange(len(SMILES)))
    model = network(name, whole)
    together = model({"molecule": whole})
    for row in range(len(SMILES)):
        alone = model({"molecule": graphs.batch(np.array([row]))})
        torch.testing.assert_close(alone[0], together[row], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", BUILDERS)
def test_the_gradient_reaches_every_parameter(name):
    batch = molecule_graphs(SMILES).batch(np.arange(len(SMILES)))
    model = network(name, batch)
    model({"molecule": batch}).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("name", BUILDERS)
def test_a_row_that_is_no_molecule_gives_finite_numbers(name):
    graphs = molecule_graphs(["CCO", "nonsense"])
    batch = graphs.batch(np.array([1]))
    model = network(name, batch)
    assert torch.isfinite(model({"molecule": batch})).all()
    assert model.embed({"molecule": batch}).shape[0] == 1


def test_messages_do_not_come_straight_back():
    """Two atoms and one bond: whatever the depth, an atom hears its neighbour once and never its own echo."""
    layers = DirectedMessages(3, 2, hidden=8, depth=2, dropout=0.0, readout="mean").eval()
    pair = Graphs(torch.randn(2, 3), torch.tensor([[0, 1], [1, 0]]), torch.randn(1, 2).repeat(2, 1),
                  torch.tensor([0, 0]), 1)
    with torch.no_grad():
        layers.message.bias.zero_()
    layers.depth = 1
    once = layers.nodes(pair)
    layers.depth = 5
    torch.testing.assert_close(layers.nodes(pair), once)


def test_directed_messages_by_hand():
    """Against the equations, a loop an edge."""
    batch = molecule_graphs(("CC(=O)O",)).batch(np.array([0]))
    torch.manual_seed(1)
    layers = DirectedMessages(batch.nodes.shape[1], batch.edge_features.shape[1], hidden=8, depth=3, dropout=0.0,
                              readout="sum").eval()
    source, target = batch.edges.tolist()
    start = [layers.from_node(batch.nodes[s]) + layers.from_edge(e)
             for s, e in zip(source, batch.edge_features, strict=True)]
    state = [h.relu() for h in start]
    for _ in range(2):
        said = [sum((state[j] for j in range(len(source)) if target[j] == source[i] and source[j] != target[i]),
                    torch.zeros(8)) for i in range(len(source))]
        state = [(start[i] + layers.message(said[i])).relu() for i in range(len(source))]
    nodes = [(layers.node(x) + layers.arrived(sum((state[j] for j in range(len(source)) if target[j] == v),
                                                  torch.zeros(8)))).relu() for v, x in enumerate(batch.nodes)]
    torch.testing.assert_close(layers(batch)[0], torch.stack(nodes).sum(dim=0), atol=1e-5, rtol=1e-5)


def test_a_sum_doubles_with_the_graph_and_a_mean_does_not():
    nodes, owner = torch.randn(5, 3), torch.zeros(5, dtype=torch.int64)
    twice = (torch.cat([nodes, nodes]), torch.zeros(10, dtype=torch.int64))
    torch.testing.assert_close(read_out(*twice, 1, "sum"), 2 * read_out(nodes, owner, 1, "sum"))
    torch.testing.assert_close(read_out(*twice, 1, "mean"), read_out(nodes, owner, 1, "mean"))


@pytest.mark.parametrize("name", BUILDERS)
def test_learns_to_count_oxygens(name):
    smiles = [f"{'C' * (1 + i % 5)}{'O' * (i % 4)}{'C' * (i % 3 + 1)}" for i in range(60)]
    graphs = molecule_graphs(smiles)
    truth = torch.tensor([float(s.count("O")) for s in smiles])
    model = network(name, graphs.batch(np.arange(2)), outputs=1, dropout=0.0)
    batch, held = graphs.batch(np.arange(40)), graphs.batch(np.arange(40, 60))
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        (model({"molecule": batch})[:, 0] - truth[:40]).square().mean().backward()
        optimiser.step()
    error = (model({"molecule": held})[:, 0] - truth[40:]).square().mean()
    assert error < 0.1 * truth[40:].var()
