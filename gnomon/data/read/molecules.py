"""Molecules: SMILES and InChI texts, .smi lists, SDF files (also gzip), with bad ones found and counted, not raised."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gnomon.data.read._raw import Raw, strings
from gnomon.data.read._sniff import bad_encoding, open_bytes
from gnomon.errors import InputError, missing_extra
from gnomon.rng import stream


@contextmanager
def _quiet():
    """RDKit's own messages are kept off the screen: broken molecules are listed by gnomon."""
    from rdkit import rdBase

    block = rdBase.BlockLogs()
    try:
        yield
    finally:
        del block


def available(wanted: bool) -> bool:
    """Whether RDKit is installed; when it is not and a molecule is clearly meant, the error says what to install."""
    import importlib.util

    found = importlib.util.find_spec("rdkit") is not None
    if wanted and not found:
        raise missing_extra("rdkit", "chem", "reading molecules")
    return found


def parses(text: str) -> bool:
    """Whether a text (its first word) is a valid SMILES or InChI."""
    return _molecule(text) is not None


def _molecule(text: str):
    from rdkit import Chem

    with _quiet():
        word = text.split()[0] if text.split() else ""
        if not word:
            return None
        return Chem.MolFromInchi(word) if word.startswith("InChI=") else Chem.MolFromSmiles(word)


def read_smiles(texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Texts as SMILES (InChI converted, names behind the SMILES cut off), and the rows that are no molecule.

    The SMILES stay as written: standardising is for the features, and duplicates are judged on canonical forms there.
    """
    available(True)
    from rdkit import Chem

    known: dict[str, str | None] = {}
    with _quiet():
        for text in {t for t in texts if t is not None}:
            word = re.split(r"\s", text.strip())[0]
            inchi = word.startswith("InChI=")
            molecule = (Chem.MolFromInchi(word) if inchi else Chem.MolFromSmiles(word)) if word else None
            if molecule is None or molecule.GetNumAtoms() == 0:
                known[text] = None
            else:
                known[text] = Chem.MolToSmiles(molecule) if inchi else word
    out, wrong = texts.copy(), []
    for i, text in enumerate(texts):
        if text is None:
            continue
        if known[text] is None:
            wrong.append(i)
        else:
            out[i] = known[text]
    return out, np.array(wrong, dtype=np.int64)


def read_smi(path: Path, *, seed: int = 0, max_rows: int | None = None) -> Raw:
    """A .smi list: a SMILES a line, then perhaps a name or further fields; a header line is optional."""
    available(True)
    lines = _lines(path)
    rows = [re.split(r"\t" if "\t" in line else r"[ ,]", line.strip()) for line in lines]
    if not rows:
        raise InputError("E-FILE-EMPTY", f"{path} holds no line", do="give one SMILES a line")
    header = not parses(rows[0][0]) and len(rows) > 1 and parses(rows[1][0])
    width = max(len(r) for r in rows)
    names = (
        rows[0]
        if header and len(rows[0]) == width
        else ["smiles", *(["name"] if width == 2 else [f"column {i + 2}" for i in range(width - 1)])]
    )
    rows = rows[1:] if header else rows
    position, sampled = np.arange(len(rows)), ""
    if max_rows is not None and len(rows) > max_rows:
        position = np.sort(stream(seed, "sample rows").choice(len(rows), max_rows, replace=False))
        sampled = f"a uniform random sample of {max_rows:,} of the {len(rows):,} lines of {path.name} (seed {seed})"
        rows = [rows[i] for i in position]
    columns = {n: strings([r[i] if i < len(r) else None for r in rows]) for i, n in enumerate(names)}
    return Raw(columns, position, (str(path),), kinds={names[0]: ("molecule", "a .smi file")}, sampled=sampled)


def _lines(path: Path) -> list[str]:
    try:
        with open_bytes(path) as file:
            return [line for line in file.read().decode("utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError:
        raise bad_encoding(path) from None


def read_sdf(path: Path) -> Raw:
    """An SDF file, gzip or not: each molecule as canonical SMILES, its properties as columns (3-D positions go)."""
    smiles, fields = _records(path)
    bad = {i: "cannot be read as a molecule" for i, s in enumerate(smiles) if s is None}
    names = list(dict.fromkeys(k for f in fields for k in f))
    own = "molecule" if "molecule" not in names else "molecule (SDF)"
    kinds = {own: ("molecule", "an SDF file")}
    raw = Raw({own: strings(smiles)}, np.arange(len(smiles)), (str(path),), kinds=kinds, bad=bad)
    for name in names:
        raw = raw.add(name, strings([f.get(name) for f in fields]), *_kind_and_role(name))
    return raw


def _records(path: Path) -> tuple[list[str | None], list[dict[str, str]]]:
    """Every molecule's SMILES (None where it cannot be read) and its title and properties."""
    available(True)
    from rdkit import Chem

    smiles: list[str | None] = []
    fields: list[dict[str, str]] = []
    with _quiet(), open_bytes(path) as file:
        for molecule in Chem.ForwardSDMolSupplier(file):
            if molecule is None or molecule.GetNumAtoms() == 0:
                smiles.append(None)
                fields.append({})
                continue
            smiles.append(Chem.MolToSmiles(molecule))
            title = molecule.GetProp("_Name") if molecule.HasProp("_Name") else ""
            properties = {k: str(v) for k, v in molecule.GetPropsAsDict(False, False).items()}
            fields.append({**({"title": title} if title else {}), **properties})
    if not smiles:
        raise InputError(
            "E-FILE-EMPTY", f"{path} holds no molecule", do="give an SDF file with '$$$$' between molecules"
        )
    return smiles, fields


def _kind_and_role(name: str) -> tuple[tuple[str, str] | None, tuple[str, str] | None]:
    """What an SDF property is known to be by its name."""
    if name.lower() in ("smiles", "inchi", "inchikey", "canonical_smiles"):
        kind = ("text", "a second way to write the molecule")
        return kind, ("ignore", "the molecule itself is read from the structure")
    return None, ("identifier", "the molecule's title") if name == "title" else None
