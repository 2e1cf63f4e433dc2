"""Labelled concepts as masks: from a column, a sequence motif, a chemical substructure."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

IUPAC = {"R": "[AG]", "Y": "[CTU]", "S": "[CG]", "W": "[ATU]", "K": "[GTU]", "M": "[AC]", "B": "[CGTU]", "D": "[AGTU]",
         "H": "[ACTU]", "V": "[ACG]", "N": "[ACGTU]"}


def of_column(values: np.ndarray, name: str) -> dict[str, np.ndarray]:
    """name=value -> (n,) bool for every value of a categorical column."""
    values = np.asarray(values, dtype=object)
    present = sorted({str(v) for v in values if v is not None})
    return {f"{name}={v}": np.array([x is not None and str(x) == v for x in values]) for v in present}


def of_motif(sequences: Sequence[str], motif: str, *, letters: str = "ACGT", length: int = 0) -> np.ndarray:
    """(n, L) bool: positions covered by the motif, overlapping hits included; in DNA and RNA, IUPAC codes are read.
    length: L; 0 for the longest sequence."""
    nucleic = set(letters) <= set("ACGTU")
    pattern = re.compile("(?=" + "".join(IUPAC.get(c, re.escape(c)) if nucleic else re.escape(c) for c in motif) + ")")
    out = np.zeros((len(sequences), length or max(map(len, sequences), default=0)), dtype=bool)
    for row, text in enumerate(sequences):
        for hit in pattern.finditer(text):
            out[row, hit.start():hit.start() + len(motif)] = True
    return out


def of_substructure(smiles: Sequence[str], smarts: str) -> np.ndarray:
    """(n,) bool: the molecules that hold the substructure."""
    from rdkit import Chem
    from rdkit.rdBase import BlockLogs

    pattern = Chem.MolFromSmarts(smarts)
    with BlockLogs():
        molecules = [Chem.MolFromSmiles(s) for s in smiles]
    return np.array([m is not None and m.HasSubstructMatch(pattern) for m in molecules])
