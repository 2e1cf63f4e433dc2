"""Pictures of rows for the report: each drawn once, within a byte budget, and never more of a row than may be shown."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.data.draw import image_picture, molecule_picture, row_picture, sequence_picture, text_picture
from gnomon.data.table import Data, strings

DRAWN = ("image", "molecule", "sequence")  # kinds that are drawn unless --no-examples
THUMB, LARGE = 48, 128  # px of an image on the map, and in the galleries
CLASSES = 24  # classes shown by name


def tasks_of(task: Any) -> tuple[Any, ...]:
    """The tasks of several targets, or the one."""
    return tuple(task.tasks) if task.name == "several" else (task,)


def shown(task: Any, value: float) -> str:
    """A target's value for people: its class, or three digits."""
    if task.name == "classify":
        return str(task.out.categories[int(value)]) if value >= 0 else ""
    return f"{value:.3g}" if np.isfinite(value) else ""


@dataclass
class Gallery:
    """pictures: what `exhibits["pictures"]` will hold. show_rows: free text and table cells may be shown too."""

    data: Data
    examples: bool
    show_rows: bool
    budget: int
    pictures: list[dict[str, Any]] = field(default_factory=list)
    known: dict[tuple[Any, ...], int] = field(default_factory=dict)

    @property
    def column(self) -> str:
        """The input that stands for a row: the first image, molecule or sequence; free text only with show_rows."""
        wanted = (*DRAWN, "text") if self.show_rows else DRAWN
        names = [name for kind in wanted for name in self.data.of_kind(kind)]
        return names[0] if names and self.examples else ""

    @property
    def open(self) -> bool:
        """Whether single rows (with their target) may be shown at all."""
        return self.show_rows or bool(self.column)

    def add(self, row: int, *, size: int = THUMB, column: str = "", weights: Any = None) -> int:
        """The index of this row's picture, drawn now unless it is there already; -1 for none or no room."""
        column = column or self.column
        if weights is not None:
            return self._keep(draw(self.data, int(row), column, size, weights, self.show_rows))
        key = (column, int(row), size if column and self.data.kind(column) == "image" else 0)
        if key not in self.known:
            self.known[key] = self._keep(draw(self.data, int(row), column, size, None, self.show_rows))
        return self.known[key]

    def add_crop(self, row: int, column: str, box: Sequence[int]) -> int:
        """The index of a patch (top, bottom, left, right) of this row's image; -1 for no room."""
        top, bottom, left, right = box
        pixels = self.data.columns[column].take(np.array([row]))[0][:, top:bottom, left:right]
        return self._keep(image_picture(pixels, size=LARGE)) if pixels.size else -1

    def _keep(self, picture: dict[str, Any] | None) -> int:
        if picture is None:
            return -1
        size = len(json.dumps(picture, ensure_ascii=False).encode())
        if size > self.budget:
            return -1
        self.budget -= size
        self.pictures.append(picture)
        return len(self.pictures) - 1


def draw(data: Data, row: int, column: str, size: int, weights: Any, show_rows: bool) -> dict[str, Any] | None:
    """One row's picture, by the kind of the column; a row's cells when no column can be drawn and rows may be shown."""
    if not column:
        return cells(data, row) if show_rows else None
    value = data.columns[column].take(np.array([row]))[0]
    kind = data.kind(column)
    if kind == "image":
        return image_picture(value, size=size, weights=weights)
    if value is None:
        return None
    if kind == "molecule":
        try:
            return molecule_picture(str(value), weights=weights)
        except ImportError:  # RDKit is an extra: without it molecules go undrawn
            return None
    if kind == "sequence":
        return sequence_picture(str(value), weights=weights)
    if kind == "text" and show_rows:
        return words(str(value), weights)
    return None


def words(text: str, weights: Sequence[float] | None) -> dict[str, Any]:
    """A text picture; letter weights become the mean of each word's letters."""
    parts, start, means = text.split(" "), 0, []
    for part in parts:
        if weights is not None:
            letters = np.asarray(weights[start:start + max(len(part), 1)], dtype=float)
            means.append(float(letters.mean()) if len(letters) else 0.0)
        start += len(part) + 1
    return text_picture(parts, weights=means if weights is not None else None)


def cells(data: Data, row: int) -> dict[str, Any]:
    """The row's input values as text; only ever called where rows may be shown."""
    names = [name for name in data.of_kind("number", "category", "date")
             if data.kind(name) != "number" or data.columns[name].spec.shape == ()]
    return row_picture(names, [strings(data.columns[name], np.array([row]))[0] for name in names])
