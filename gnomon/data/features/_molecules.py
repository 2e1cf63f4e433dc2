"""Molecules as fingerprints and descriptors (RDKit)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

RADIUS = 2
BITS = 2048


def morgan(smiles: Sequence[str | None], *, radius: int = RADIUS, bits: int = BITS) -> Any:
    """(n, bits) csr of counts of circular substructures up to `radius` bonds, folded (Rogers & Hahn 2010, ECFP).

    What is missing or not a molecule is a row of zeros.
    """
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.rdBase import BlockLogs
    from scipy.sparse import csr_matrix

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=radius, fpSize=bits)
    places, counts, ends = [], [], [0]
    with BlockLogs():
        for text in smiles:
            molecule = Chem.MolFromSmiles(text) if text else None
            if molecule is not None:
                found = generator.GetCountFingerprint(molecule).GetNonzeroElements()
                places += found.keys()
                counts += found.values()
            ends.append(len(places))
    return csr_matrix((np.array(counts, np.float32), np.array(places, np.int64), ends), shape=(len(smiles), bits))


def properties(smiles: Sequence[str | None]) -> np.ndarray:
    """(n, 43) float32 of the properties RDKit computes without Python (weight, counts, surface, log P, connectivity), about
    1 ms a molecule where all descriptors take 6; NaN for what is missing or not a molecule."""
    from rdkit import Chem
    from rdkit.Chem import rdMolDescriptors
    from rdkit.rdBase import BlockLogs

    wanted = rdMolDescriptors.Properties()
    out = np.full((len(smiles), len(property_names())), np.nan, dtype=np.float32)
    with BlockLogs():
        for row, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text) if text else None
            if molecule is not None:
                out[row] = wanted.ComputeProperties(molecule)
    return out


def property_names() -> tuple[str, ...]:
    from rdkit.Chem import rdMolDescriptors

    return tuple(rdMolDescriptors.Properties().GetPropertyNames())


def descriptors(smiles: Sequence[str | None]) -> np.ndarray:
    """(n, d) float32 of RDKit's two-dimensional descriptors, named by `gnomon.data.molecules.descriptor_names`;
    NaN for what is missing or not a molecule."""
    from gnomon.data.molecules import molecule_graphs

    graphs = molecule_graphs(list(smiles))
    return np.where(graphs.valid[:, None], graphs.descriptors, np.nan).astype(np.float32)
