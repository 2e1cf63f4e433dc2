"""Columns that are written out: texts, molecules as SMILES, and sequences; rows that break the notation are listed."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from gnomon.data.infer import ALPHABETS, Guess, of_alphabet
from gnomon.data.read._built import Built, none_reads
from gnomon.data.read._raw import is_strings
from gnomon.data.read.roles import Facts
from gnomon.data.table import Dense, Spec


def text_column(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    """Texts as they stand, blanks around them gone."""
    texts = texts_of(values)
    return Built(Dense(texts, Spec("text", detail=guess.detail)), text_facts("text", guess.detail, texts))


def molecule_column(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    """SMILES that a chemistry library can read."""
    from gnomon.data.read.molecules import read_smiles

    texts, wrong = read_smiles(texts_of(values))
    if len(wrong) and len(wrong) == sum(1 for t in texts if t is not None):
        raise none_reads(name, "molecule", values)
    bad = tuple((int(i), "cannot be read as a molecule") for i in wrong)
    return Built(Dense(texts, Spec("molecule", detail="SMILES")), text_facts("molecule", "SMILES", texts), (), bad)


def sequence_column(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    """Sequences in capitals without blanks, with the letters of their alphabet that occur."""
    texts = texts_of(values)
    texts[:] = [None if t is None else re.sub(r"\s+", "", t).upper() for t in texts]
    known = [t for t in texts if t]
    detail = guess.detail or next(
        (d for d in ("DNA", "RNA", "protein") if sum(of_alphabet(t, d) for t in known) >= 0.8 * len(known)), ""
    )
    if not known or not detail:
        raise none_reads(name, "sequence", values)
    good = {t: of_alphabet(t, detail) for t in set(known)}
    bad = tuple(
        (i, f"holds letters outside the {detail} alphabet" if t else "is empty")
        for i, t in enumerate(texts)
        if t is not None and not good.get(t, False)
    )
    used = {letter for t, ok in good.items() if ok for letter in t}
    alphabet = tuple(c for c in ALPHABETS[detail] if c in used)
    column = Dense(texts, Spec("sequence", categories=alphabet, detail=detail))
    return Built(column, text_facts("sequence", detail, texts), (), bad)


def texts_of(values: Any) -> np.ndarray:
    """A raw column as object (n,) of stripped str, None where missing."""
    out = np.empty(len(values), dtype=object)
    if is_strings(values):
        out[:] = [None if v is None else v.strip() for v in values.to_pylist()]
    else:
        out[:] = [None if v != v else f"{v:.12g}" if isinstance(v, (float, np.floating)) else str(v) for v in values]
    return out


def text_facts(kind: str, detail: str, texts: np.ndarray) -> Facts:
    """Facts of a column of texts."""
    known = [t for t in texts if t is not None]
    length = float(np.mean([len(t) for t in known[:5000]])) if known else 0.0
    spaces = float(np.mean([t.count(" ") for t in known[:5000]])) if known else 0.0
    if kind == "text" and not detail and (spaces >= 2.5 or length > 60):
        detail = "prose"
    return Facts(kind, detail, len(known), len(set(known)), length=length)
