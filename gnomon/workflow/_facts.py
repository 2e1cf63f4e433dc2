"""What the rules of the plan may look at, all measured on the data: kinds, sizes, and what kind of library it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.data.parts import Parts
from gnomon.data.table import Data

RICH = ("molecule", "image", "sequence", "text")
REPEATS = 10  # rows for each different molecule of a column from which a screen is designed


@dataclass(frozen=True)
class Facts:
    """What the rules may use: all measured on this data set."""

    rows: int  # training rows of one fold
    columns: int  # numbers, categories and dates, blocks unrolled
    kinds: tuple[str, ...]
    folds: int
    units: int
    task: str
    classes: int = 0
    stranded: bool = False  # DNA that is not aligned: either strand may carry the word
    pieces: bool = False  # few enough letters of text for pieces of words
    width: int = 0  # columns as models other than trees see them: one for each level of a category
    designed: bool = False  # a few molecules, combined over and over: a screen of reagents, not a library

    @property
    def main(self) -> str:
        """The kind that carries most: molecules, images, sequences, text before plain columns."""
        return next((kind for kind in RICH if kind in self.kinds), "number")


def facts_of(data: Data, parts: Parts, task: Any) -> Facts:
    """The facts of this data set under this split."""
    kinds = tuple(dict.fromkeys(data.kind(name) for name in data.inputs))
    flat = [data.columns[name] for name in data.of_kind("number", "category", "date")]
    columns = sum(int(column.spec.shape[0]) if column.spec.shape else 1 for column in flat)
    rows = max(len(fold.train) for fold in parts.folds)
    units = len(set(parts.units[parts.develop].tolist()))
    width = columns + sum(len(data.columns[name].spec.categories) - 1 for name in data.of_kind("category"))
    return Facts(rows, columns, kinds, len(parts.folds), units, task.name,
                 len(getattr(task.out, "categories", ()) or ()), _stranded(data, parts.folds[0].train),
                 _pieces(data, parts.folds[0].train, rows), width, _designed(data, parts.folds[0].train))


def _designed(data: Data, rows: np.ndarray) -> bool:
    """Whether every column of molecules holds a few of them over and over."""
    columns = [data.columns[name].take(rows[:2000]) for name in data.of_kind("molecule")]
    return bool(columns) and all(len(np.unique(np.asarray(c, dtype=str))) <= len(c) / REPEATS for c in columns)


def _stranded(data: Data, rows: np.ndarray) -> bool:
    from gnomon.data.features._sequences import is_aligned

    return any(data.columns[n].spec.detail == "DNA" and not is_aligned(data.columns[n].take(rows[:2000]))
               for n in data.of_kind("sequence"))


def _pieces(data: Data, rows: np.ndarray, count: int) -> bool:
    from gnomon.data.features._text import reads_pieces

    return any(reads_pieces(data.columns[n].take(rows[:2000]), count) for n in data.of_kind("text"))
