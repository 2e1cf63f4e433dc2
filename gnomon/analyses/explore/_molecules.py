"""Molecules as a chemist tells them apart: canonical SMILES, parent without salt and stereo, scaffold, fingerprint."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from gnomon.data.table import Data

WIDTH = 1024


@dataclass(frozen=True)
class Chemistry:
    """Of m molecules: texts (object (m,), None where unreadable) and circular counts (m, WIDTH) uint8."""

    canonical: np.ndarray
    parent: np.ndarray
    scaffold: np.ndarray
    counts: np.ndarray


def chemistry(data: Data, name: str, rows: np.ndarray) -> Chemistry | None:
    """The chemistry of a molecule column on these rows, remembered in the process; None without RDKit."""
    try:
        import rdkit  # noqa: F401
    except ImportError:
        return None
    import pandas as pd

    places, distinct = pd.factorize(data.columns[name].take(rows), use_na_sentinel=False)
    once = _remembered(tuple(None if pd.isna(v) else v for v in distinct))
    return Chemistry(once.canonical[places], once.parent[places], once.scaffold[places], once.counts[places])


@functools.lru_cache(maxsize=8)
def _remembered(smiles: tuple[str | None, ...]) -> Chemistry:
    """About 0.6 ms a molecule on one core."""
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator
    from rdkit.Chem.Scaffolds import MurckoScaffold
    from rdkit.rdBase import BlockLogs

    texts = {key: np.full(len(smiles), None, dtype=object) for key in ("canonical", "parent", "scaffold")}
    counts = np.zeros((len(smiles), WIDTH), dtype=np.uint8)
    circular = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=WIDTH)
    with BlockLogs():
        for i, text in enumerate(smiles):
            molecule = Chem.MolFromSmiles(text) if text else None
            if molecule is None:
                continue
            texts["canonical"][i] = Chem.MolToSmiles(molecule)
            flat = Chem.MolToSmiles(molecule, isomericSmiles=False)
            texts["parent"][i] = max(flat.split("."), key=len)
            texts["scaffold"][i] = Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(molecule), isomericSmiles=False)
            counts[i] = np.minimum(circular.GetCountFingerprintAsNumPy(molecule), 255)
    return Chemistry(**texts, counts=counts)
