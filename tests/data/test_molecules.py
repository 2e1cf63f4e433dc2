"""Molecules as arrays: counts that chemistry fixes, batches equal to single molecules, workers equal to one process."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("rdkit")

from gnomon.data import molecules

SMILES = ("CCO", "c1ccccc1O", "[Na+].[Cl-]", "C[C@H](N)C(=O)O", "C")


def test_counts_are_those_of_the_molecules():
    found = molecules.molecule_graphs(SMILES)
    assert np.diff(found.node_offsets).tolist() == [3, 7, 2, 6, 1]  # heavy atoms
    assert np.diff(found.edge_offsets).tolist() == [4, 14, 0, 10, 0]  # each bond in both directions
    assert found.nodes.shape[1] == molecules.ATOM_WIDTH and found.edge_features.shape[1] == molecules.BOND_WIDTH
    assert found.descriptors.shape == (5, len(found.names)) and np.isfinite(found.descriptors).all()
    assert found.descriptors[0, found.names.index("MolWt")] == pytest.approx(46.069, abs=0.01)
    assert found.descriptors[1, found.names.index("TPSA")] == pytest.approx(20.23, abs=0.01)  # Ertl 2000: phenol


def test_edges_come_in_pairs_there_and_back():
    found = molecules.molecule_graphs(SMILES)
    there, back = found.edges[:, 0::2], found.edges[:, 1::2]
    assert np.array_equal(there, back[::-1])
    assert np.array_equal(found.edge_features[0::2], found.edge_features[1::2])


def test_atom_contributions_sum_to_the_molecules_log_p_and_surface():
    found = molecules.molecule_graphs(SMILES[1:2])
    phenol = found.nodes[:, -4:].sum(axis=0)
    named = {name: found.descriptors[0, i] for i, name in enumerate(found.names)}
    assert phenol[2] * 10 == pytest.approx(named["TPSA"], abs=1e-4)
    assert phenol[0] > 0.5 and abs(phenol[0] - named["MolLogP"]) < 1.5  # hydrogens are no nodes here


def test_what_is_no_molecule_has_no_nodes():
    found = molecules.molecule_graphs(["CC", "not a molecule", None, "", "O"])
    assert found.valid.tolist() == [True, False, False, False, True]
    assert np.diff(found.node_offsets).tolist() == [2, 0, 0, 0, 1]
    assert not found.descriptors[1].any()
    batch = found.batch(np.array([1, 4]))
    assert batch.count == 2 and batch.owner.tolist() == [1]


def test_a_batch_is_its_molecules_end_to_end():
    found = molecules.molecule_graphs(SMILES)
    rows = np.array([3, 0, 3])
    batch = found.batch(rows)
    assert batch.owner.tolist() == [0] * 6 + [1] * 3 + [2] * 6
    single = found.batch(np.array([3]))
    assert np.array_equal(batch.nodes[9:], single.nodes)
    assert np.array_equal(batch.edges[:, -10:] - 9, single.edges)
    assert np.array_equal(batch.owner[batch.edges[0]], batch.owner[batch.edges[1]])


def test_a_molecule_that_comes_again_is_the_same_molecule():
    """Each different text is worked out once, and every row gets its own copy: as if each had been worked out."""
    from dataclasses import astuple

    texts = ["CCO", None, "c1ccccc1", "CCO", "nonsense(", "c1ccccc1", None, "CC(=O)N"]
    whole = molecules.molecule_graphs(texts)
    for i, text in enumerate(texts):
        for ours, alone in zip(astuple(whole.take(np.array([i]))), astuple(molecules.molecule_graphs([text])), strict=True):
            np.testing.assert_array_equal(ours, alone)


def test_several_processes_give_what_one_gives(monkeypatch):
    smiles = SMILES * 3 + ("nonsense", None)
    one = molecules.molecule_graphs(smiles)
    parts = molecules._shared_out(smiles, 2)
    other = molecules.MoleculeGraphs(names=one.names, **molecules._joined(parts))
    for name in ("nodes", "node_offsets", "edges", "edge_features", "edge_offsets", "descriptors", "valid"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
