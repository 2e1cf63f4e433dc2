"""A corrected file as text: encoding as in any table, cells as they stand, and a line that does not fit the header named."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from gnomon.data.read._sniff import DELIMITERS, bad_encoding, check_duplicates, encoding_of, first_lines, open_bytes
from gnomon.errors import InputError


def text_of(path: Path) -> str:
    """The whole file as text, UTF-8 or UTF-16 with its mark. Raises E-FILE-EMPTY, E-ENCODING, E-UNREADABLE."""
    start, _ = first_lines(path)
    if not start.strip():
        raise InputError("E-FILE-EMPTY", f"{path} is empty", do="give the file that `gnomon relabel` wrote, filled in")
    encoding = encoding_of(path, start)
    try:
        with open_bytes(path) as file:
            return file.read().decode(encoding)
    except UnicodeDecodeError:
        raise bad_encoding(path) from None


def read_cells(path: Path) -> tuple[set[str], list[dict[str, Any]]]:
    """(the column names, a record a line) of a delimited file. A line may end early; a delimiter at the end of all is nothing.

    Raises E-RAGGED where a line holds more than the header names, E-COLUMN-DUPLICATE.
    """
    text = text_of(path)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(path, text), strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cells)]
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
    names = [name if name.strip() else f"column {i + 1}" for i, name in enumerate(lines.pop(0)[1])]
    check_duplicates(names, path)
    wide = max(len(names), min((len(cells) for _, cells in lines), default=0))
    for number, cells in lines:
        if len(cells) > wide or any(cells[len(names):]):
            raise _too_many(path, number, len(cells), names)
    return set(names), [dict(zip(names, cells + [""] * (len(names) - len(cells)), strict=False)) for _, cells in lines]


def _delimiter(path: Path, text: str) -> str:
    """The mark that parts the header into `row` and others, the most of them."""
    line = next(line for line in text.split("\n") if line.strip())
    parted = {mark: next(csv.reader([line.rstrip("\r")], delimiter=mark)) for mark in DELIMITERS}
    return max(parted, key=lambda mark: ("row" in parted[mark], len(parted[mark])))


def _too_many(path: Path, line: int, cells: int, names: list[str]) -> InputError:
    return InputError("E-RAGGED", f"{path}: line {line} has {cells} fields where the header has {len(names)}",
                      do="quote values that contain the delimiter, or repair that line")
