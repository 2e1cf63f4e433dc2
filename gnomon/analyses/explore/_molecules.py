"""Molecules as a chemist tells them apart: canonical SMILES, parent without salt and stereo, scaffold, fingerprint."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

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
    from rdkit.rdBase import BlockLogs

    places, distinct = pd.factorize(data.columns[name].take(rows), use_na_sentinel=False)
    with BlockLogs():
        known = [_one(None if pd.isna(v) else str(v)) for v in distinct]
    texts = [np.array([k[i] for k in known], dtype=object)[places] for i in range(3)]
    counts = np.stack([k[3] for k in known])[places] if known else np.zeros((0, WIDTH), dtype=np.uint8)
    return Chemistry(*texts, counts=counts)


@functools.lru_cache(maxsize=40_000)
def _one(text: str | None) -> tuple[str | None, str | None, str | None, np.ndarray]:
    """(canonical SMILES, parent, scaffold, circular counts) of one SMILES: about 0.6 ms on one core, 1.5 kB kept."""
    from rdkit import Chem
    from rdkit.Chem.Scaffolds import MurckoScaffold

    molecule = Chem.MolFromSmiles(text) if text else None
    if molecule is None:
        return None, None, None, np.zeros(WIDTH, dtype=np.uint8)
    parent = max(Chem.MolToSmiles(molecule, isomericSmiles=False).split("."), key=len)
    scaffold = Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(molecule), isomericSmiles=False)
    counts = np.minimum(_circular().GetCountFingerprintAsNumPy(molecule), 255).astype(np.uint8)
    return Chem.MolToSmiles(molecule), parent, scaffold, counts


@functools.lru_cache(maxsize=1)
def _circular() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=WIDTH)
