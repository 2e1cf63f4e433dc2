"""Columns as read, and their kind, to gnomon Columns: each kind has its maker; the unreadable is listed."""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.data.infer import Guess
from gnomon.data.read._built import Built
from gnomon.data.read._category_columns import category_column
from gnomon.data.read._date_columns import date_column
from gnomon.data.read._number_columns import number_column
from gnomon.data.read._raw import is_strings
from gnomon.data.read._text_columns import molecule_column, sequence_column, text_column
from gnomon.data.read.roles import Facts
from gnomon.errors import InputError

MAKERS = {
    "number": number_column,
    "category": category_column,
    "date": date_column,
    "molecule": molecule_column,
    "sequence": sequence_column,
    "text": text_column,
}


def build(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    """One column of the guessed (or stated) kind; what a reader already finished stays as it is."""
    if not is_strings(values) and not isinstance(values, np.ndarray):
        return Built(values, Facts(guess.kind, guess.detail, len(values), len(values)))
    if guess.kind not in MAKERS:
        raise InputError(
            "E-KIND-UNREADABLE",
            f"column '{name}' was to be read as {guess.kind}; it holds no such files",
            do=f"state another kind: --kinds '{name}=text'",
        )
    return MAKERS[guess.kind](name, values, guess, position)
