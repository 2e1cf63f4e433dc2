"""Molecules as graphs and descriptors, for whole columns at once: RDKit once a molecule, then only array indexing.

An atom is described by what a chemist would note of it (element, degree, charge, hydrogens, hybridisation, ring
sizes, aromaticity, chirality) and by its additive contributions to log P, molar refractivity, polar and total surface
(Wildman & Crippen 1999; Ertl 2000; Labute 2000); a bond by its order, conjugation, ring membership and stereo
configuration.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.data.table import gather

if TYPE_CHECKING:
    from gnomon.data.kinds import Graphs

ELEMENTS = (1, 5, 6, 7, 8, 9, 14, 15, 16, 17, 34, 35, 53)  # atomic numbers; one more place for others
HYBRIDS = ("S", "SP", "SP2", "SP3", "SP3D", "SP3D2")
RINGS = (3, 4, 5, 6, 7, 8)
SLOW = ("qed", "SPS", "Ipc", "AvgIpc")  # a third of the time of all descriptors, and Ipc overflows
MANY = 5000  # molecules from which on several processes share the work
# how many places each coded atom property takes: element, degree, charge, hydrogens, hybridisation, chirality, radical
ATOM_SIZES = (len(ELEMENTS) + 1, 7, 6, 6, len(HYBRIDS) + 1, 4, 3)
BOND_SIZES = (5, 6)  # order, stereo
ATOM_WIDTH = sum(ATOM_SIZES) + 1 + len(RINGS) + 6
BOND_WIDTH = sum(BOND_SIZES) + 2


@dataclass(frozen=True)
class MoleculeGraphs:
    """n molecules end to end. Molecule i has the nodes node_offsets[i]:node_offsets[i + 1] and likewise its edges.

    nodes (N, F) float32; edges (2, E) int64, numbered within the molecule, each bond in both directions at 2k, 2k + 1;
    edge_features (E, G) float32; descriptors (n, D) float32 named in `names`, without NaN;
    valid (n,) bool: False where the text is no molecule (such a row has no nodes, and descriptors of zero).
    """

    nodes: np.ndarray
    node_offsets: np.ndarray
    edges: np.ndarray
    edge_features: np.ndarray
    edge_offsets: np.ndarray
    descriptors: np.ndarray
    names: tuple[str, ...]
    valid: np.ndarray

    def __len__(self) -> int:
        return len(self.node_offsets) - 1

    def take(self, rows: np.ndarray) -> MoleculeGraphs:
        """These molecules, in this order; a row may come more than once."""
        node_rows, node_offsets = gather(np.arange(len(self.nodes)), self.node_offsets, rows)
        edge_rows, edge_offsets = gather(np.arange(self.edges.shape[1]), self.edge_offsets, rows)
        return MoleculeGraphs(self.nodes[node_rows], node_offsets, self.edges[:, edge_rows], self.edge_features[edge_rows],
                              edge_offsets, self.descriptors[rows], self.names, self.valid[rows])

    def batch(self, rows: np.ndarray, device: str = "cpu") -> Graphs:
        """These molecules as one graph of separate parts; no Python per molecule."""
        import torch

        from gnomon.data.kinds import Graphs

        some = self.take(np.asarray(rows))
        shift = np.repeat(some.node_offsets[:-1], np.diff(some.edge_offsets))
        owner = np.repeat(np.arange(len(some)), np.diff(some.node_offsets))
        parts = (some.nodes, some.edges + shift, some.edge_features, owner)
        nodes, edges, features, owner_ = (torch.from_numpy(np.ascontiguousarray(p)).to(device) for p in parts)
        return Graphs(nodes, edges, features, owner_, len(some))


def molecule_graphs(smiles: Sequence[str | None]) -> MoleculeGraphs:
    """Graphs and descriptors of these SMILES, in order; the last few columns asked for are remembered in the process.

    Needs RDKit (extra `chem`). 2 to 6 ms a different molecule on one core; from 5,000 on, one process a core.
    """
    places = {text: i for i, text in enumerate(dict.fromkeys(smiles))}
    if len(places) == len(smiles):
        return _remembered(tuple(smiles))
    return _remembered(tuple(places)).take(np.array([places[text] for text in smiles], dtype=np.int64))


@functools.lru_cache(maxsize=4)
def _remembered(smiles: tuple[str | None, ...]) -> MoleculeGraphs:
    shares = workers(len(smiles))
    parts = _shared_out(smiles, shares) if shares > 1 else [_featurise(smiles)]
    return MoleculeGraphs(names=descriptor_names(), **_joined(parts))


def workers(molecules: int) -> int:
    """Processes that share so many molecules."""
    return min(_cores(), molecules // (MANY // 4)) if molecules >= MANY else 1


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _joined(parts: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Featurised pieces end to end; counts become offsets."""
    whole = {name: np.concatenate([part[name] for part in parts], axis=1 if name == "edges" else 0)
             for name in parts[0]}
    for kind in ("node", "edge"):
        whole[f"{kind}_offsets"] = np.concatenate([[0], np.cumsum(whole.pop(f"{kind}_counts"))]).astype(np.int64)
    return whole


@functools.cache
def _descriptor_functions() -> tuple[tuple[str, Any], ...]:
    from rdkit.Chem import Descriptors

    return tuple((name, function) for name, function in Descriptors.descList if name not in SLOW)


def descriptor_names() -> tuple[str, ...]:
    """RDKit's two-dimensional descriptors in use, in order."""
    return tuple(name for name, _ in _descriptor_functions())


def _featurise(smiles: Sequence[str | None]) -> dict[str, np.ndarray]:
    """All arrays of a MoleculeGraphs but the offsets, which come as counts."""
    try:
        from rdkit import Chem
        from rdkit.rdBase import BlockLogs
    except ImportError as error:
        from gnomon.errors import missing_extra

        raise missing_extra("rdkit", "chem", "reading molecules") from error
    functions = _descriptor_functions()
    atoms, bonds, ends, node_counts, edge_counts = [], [], [], [], []
    contributions, descriptors = [], np.zeros((len(smiles), len(functions)))
    with BlockLogs():
        for row, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text) if text else None
            if molecule is None:
                node_counts.append(0)
                edge_counts.append(0)
                continue
            atoms += _atoms(molecule)
            contributions.append(_contributions(molecule))
            new_bonds, new_ends = _bonds(molecule)
            bonds += new_bonds
            ends += new_ends
            node_counts.append(molecule.GetNumAtoms())
            edge_counts.append(2 * len(new_bonds))
            descriptors[row] = [_safely(function, molecule) for _, function in functions]
    edges, edge_features = _edge_arrays(ends, bonds)
    return {"nodes": _node_array(atoms, contributions), "edges": edges, "edge_features": edge_features,
            "node_counts": np.array(node_counts, dtype=np.int64), "edge_counts": np.array(edge_counts, dtype=np.int64),
            "descriptors": np.clip(np.nan_to_num(descriptors, posinf=1e5, neginf=-1e5), -1e5, 1e5).astype(np.float32),
            "valid": np.array(node_counts, dtype=np.int64) > 0}


def _safely(function: Any, molecule: Any) -> float:
    """A descriptor's value; NaN where RDKit cannot compute it (odd elements without parameters)."""
    try:
        return float(function(molecule))
    except (ValueError, RuntimeError, ZeroDivisionError, OverflowError):
        return float("nan")


@functools.cache
def _places() -> tuple[dict[int, int], dict[str, int]]:
    return {z: i for i, z in enumerate(ELEMENTS)}, {h: i for i, h in enumerate(HYBRIDS)}


def _atoms(molecule: Any) -> list[tuple[int, ...]]:
    """A tuple of codes an atom: those of ATOM_SIZES, then aromatic and ring-size flags (0/1), then 100 x its mass."""
    element, hybrid = _places()
    rings = molecule.GetRingInfo()
    rows = []
    for atom in molecule.GetAtoms():
        i = atom.GetIdx()
        rows.append((element.get(atom.GetAtomicNum(), len(ELEMENTS)), min(atom.GetTotalDegree(), 6),
                     min(max(atom.GetFormalCharge(), -2), 3) + 2, min(atom.GetTotalNumHs(), 5),
                     hybrid.get(str(atom.GetHybridization()), len(HYBRIDS)), min(int(atom.GetChiralTag()), 3),
                     min(atom.GetNumRadicalElectrons(), 2), int(atom.GetIsAromatic()),
                     *(int(rings.IsAtomInRingOfSize(i, size)) for size in RINGS), round(100 * atom.GetMass())))
    return rows


def _contributions(molecule: Any) -> np.ndarray:
    """(atoms, 4): contributions to log P, molar refractivity, polar and total surface area, scaled to about 1."""
    from rdkit.Chem import rdMolDescriptors

    crippen = np.array(rdMolDescriptors._CalcCrippenContribs(molecule))
    polar = np.array(rdMolDescriptors._CalcTPSAContribs(molecule))
    surface = np.array(list(rdMolDescriptors._CalcLabuteASAContribs(molecule)[0]))
    return np.column_stack([crippen[:, 0], crippen[:, 1] / 3, polar / 10, surface / 5])


def _bonds(molecule: Any) -> tuple[list[tuple[int, ...]], list[tuple[int, int]]]:
    """A tuple of codes a bond (order, stereo, conjugated, in a ring), and its two atoms."""
    orders = {1.0: 0, 2.0: 1, 3.0: 2, 1.5: 3}
    codes, ends = [], []
    for bond in molecule.GetBonds():
        codes.append((orders.get(bond.GetBondTypeAsDouble(), 4), min(int(bond.GetStereo()), 5),
                      int(bond.GetIsConjugated()), int(bond.IsInRing())))
        ends.append((bond.GetBeginAtomIdx(), bond.GetEndAtomIdx()))
    return codes, ends


def _one_hot(codes: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """(n, len(sizes)) codes as (n, sum(sizes)) float32 of zeros and ones."""
    out = np.zeros((len(codes), sum(sizes)), dtype=np.float32)
    out[np.arange(len(codes))[:, None], codes + np.concatenate([[0], np.cumsum(sizes[:-1])])] = 1
    return out


def _node_array(atoms: list[tuple[int, ...]], contributions: list[np.ndarray]) -> np.ndarray:
    codes = np.array(atoms, dtype=np.int64).reshape(-1, len(ATOM_SIZES) + 2 + len(RINGS))
    known = len(ATOM_SIZES)
    flags = codes[:, known:-1].astype(np.float32)
    mass = codes[:, -1:].astype(np.float32) / 10000  # 1/100 of the atomic mass
    extra = np.concatenate([*contributions, np.zeros((0, 4))])
    extra = np.clip(np.nan_to_num(extra), -10, 10).astype(np.float32)
    in_ring = flags[:, 1:].any(axis=1, keepdims=True).astype(np.float32)
    return np.concatenate([_one_hot(codes[:, :known], ATOM_SIZES), flags, in_ring, mass, extra], axis=1)


def _edge_arrays(ends: list[tuple[int, int]], bonds: list[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Each bond twice, there at 2k and back at 2k + 1: edges (2, E) and their features (E, G)."""
    pairs = np.array(ends, dtype=np.int64).reshape(-1, 2)
    edges = np.empty((2, 2 * len(pairs)), dtype=np.int64)
    edges[:, 0::2], edges[:, 1::2] = pairs.T, pairs.T[::-1]
    codes = np.array(bonds, dtype=np.int64).reshape(-1, 4)
    features = np.concatenate([_one_hot(codes[:, :2], BOND_SIZES), codes[:, 2:].astype(np.float32)], axis=1)
    return edges, np.repeat(features, 2, axis=0)


def _shared_out(smiles: tuple[str | None, ...], workers: int) -> list[dict[str, np.ndarray]]:
    """Featurise in several fresh interpreters (a fork would copy running threads); what one cannot do is done here."""
    cuts = np.linspace(0, len(smiles), workers + 1).astype(int)
    code = "import sys; from gnomon.data.molecules import _serve; _serve(*sys.argv[1:])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for k in range(workers):
            piece, asked, answer = smiles[cuts[k]:cuts[k + 1]], Path(folder, f"{k}.txt"), Path(folder, f"{k}.npz")
            asked.write_text("\n".join((s or "").replace("\n", " ") for s in piece), encoding="utf-8")
            jobs.append((piece, answer, subprocess.Popen([sys.executable, "-c", code, str(asked), str(answer)],
                                                         env=environment, stderr=subprocess.DEVNULL)))
        return [_answer(piece, answer, process.wait()) for piece, answer, process in jobs]


def _answer(piece: tuple[str | None, ...], answer: Path, code: int) -> dict[str, np.ndarray]:
    if code != 0 or not answer.exists():
        return _featurise(piece)
    with np.load(answer) as arrays:
        return dict(arrays)


def _serve(asked: str, answer: str) -> None:
    """A worker: SMILES one a line in, arrays out."""
    arrays: dict[str, Any] = _featurise(Path(asked).read_text(encoding="utf-8").split("\n"))
    np.savez(answer, **arrays)
