"""What a person filled in, held against the data: the row that is meant, its label as it came, the label anew."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import numpy as np

from gnomon.data.table import Data, strings
from gnomon.errors import InputError
from gnomon.workflow._relabel_files import NEW, OWN, shown_inputs

WRITTEN = (*OWN, "doubt")  # columns of the file that are gnomon's own
LONGEST = 1000  # characters of a text compared: a spreadsheet cuts what is far longer


@dataclass(frozen=True)
class Answer:
    """A row whose `new label` is filled in: as the input numbers it, its place in the data, the label as it came and anew."""

    row: int
    place: int
    target: str
    old: str
    new: str


def answered(data: Data, records: Sequence[Mapping[str, Any]], places: Mapping[int, int], *, again: str) -> list[Answer]:
    """One answer for each row and column that has a new label.

    Raises E-RELABEL naming the record or the row that does not fit the data, or has two new labels.
    """
    filled = [(number, record) for number, record in enumerate(records, 1) if not is_open(record)]
    told = [_answer(data, record, number, places, again) for number, record in filled]
    _check_inputs(data, [record for _, record in filled], told)
    out: dict[tuple[int, str], Answer] = {}
    for answer in told:
        first = out.setdefault((answer.row, answer.target), answer)
        if first.new != answer.new:
            raise InputError("E-RELABEL", f"row {answer.row}: '{answer.target}' has two new labels, '{first.new}' and "
                             f"'{answer.new}'", do="keep one of them")
    return list(out.values())


def is_open(record: Mapping[str, Any]) -> bool:
    """Whether the new label is not filled in."""
    return not str(_filled(record, NEW)).strip()


def _answer(data: Data, record: Mapping[str, Any], number: int, places: Mapping[int, int], again: str) -> Answer:
    row, target = _place(record, number, places, data)
    old = strings(data.columns[target], np.array([places[row]]))[0]
    said = str(_filled(record, "label")).strip()
    if said and old is not None and not _same(data, target, said, str(old)):
        raise InputError("E-RELABEL", f"row {row}: the file says its label is '{said}', the data say '{old}'",
                         do=f"write the file anew: {again}")
    return Answer(row, places[row], target, str(old or ""), _checked(data, target, str(_filled(record, NEW)).strip(), row))


def _check_inputs(data: Data, records: Sequence[Mapping[str, Any]], told: Sequence[Answer]) -> None:
    """Raises E-RELABEL where a record shows the inputs of another row than it names, as when one column alone was sorted."""
    shown = shown_inputs(data, np.array([a.place for a in told], dtype=np.int64))
    for name in [n for n in shown if n not in WRITTEN]:
        kind = data.kind(name) if name in data.columns else "text"
        for record, answer, value in zip(records, told, shown[name], strict=True):
            said = str(_filled(record, name)).strip()
            if said and not _as_written(kind, said, value):
                raise InputError("E-RELABEL", f"row {answer.row}: '{name}' is '{said[:60]}' in the file, "
                                 f"'{str(value)[:60]}' in the data: the label may belong to another row",
                                 do=f"leave 'row' and the inputs as written; if a program rewrote '{name}', delete that column")


def _as_written(kind: str, said: str, value: str | None) -> bool:
    """Whether a cell still says this value, after a spreadsheet that rounds numbers, and writes dates and True its own way."""
    if kind == "date":
        return True
    if value is None:
        return False
    if kind != "number" and " ".join(said.split())[:LONGEST] == " ".join(value.split())[:LONGEST]:
        return True
    return _near(said, value) or (kind == "category" and said.casefold() == value.strip().casefold())


def _near(said: str, value: str) -> bool:
    """Whether two numbers are equal to 1e-6 relative, or to the last digit that `said` has."""
    try:
        written, number = Decimal(said.replace(",", ".") if "." not in said else said), float(value)
        if not (written.is_finite() and math.isfinite(number)):
            return float(written) == number
        half = 0.5 * 10.0 ** int(written.as_tuple().exponent)
    except (InvalidOperation, ValueError, OverflowError):
        return False
    return abs(float(written) - number) <= max(1e-6 * abs(number), 1.001 * half)


def _filled(record: Mapping[str, Any], name: str) -> Any:
    """What stands under this name; "" for nothing. A zero is something."""
    value = record.get(name)
    return "" if value is None else value


def _place(record: Mapping[str, Any], number: int, places: Mapping[int, int], data: Data) -> tuple[int, str]:
    said = _filled(record, "row")
    try:
        row = int(float(said))
        if row != float(said):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise InputError("E-RELABEL", f"record {number} of the file: '{said}' is no row number",
                         do="leave the column 'row' as written") from None
    target = str(_filled(record, "column") or (data.targets[0] if len(data.targets) == 1 else ""))
    if row not in places or target not in data.targets:
        raise InputError("E-RELABEL", f"record {number} of the file: row {row}, column '{target}' is not in the training data",
                         do="leave the columns 'row' and 'column' as written")
    return row, target


def _same(data: Data, target: str, a: str, b: str) -> bool:
    if data.kind(target) != "number":
        return a == b.strip()
    try:
        return math.isclose(float(a), float(b), rel_tol=1e-6)  # a spreadsheet rounds
    except ValueError:
        return False


def _checked(data: Data, target: str, new: str, row: int) -> str:
    """The new label as the target writes it."""
    spec = data.columns[target].spec
    if spec.kind == "number":
        try:
            value = float(new)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError("E-RELABEL", f"row {row}: '{new}' is no number", do=f"'{target}' holds numbers")
        return f"{value:.12g}"
    if new not in spec.categories:
        raise InputError("E-RELABEL", f"row {row}: '{new}' is no class of '{target}'",
                         do=f"classes: {', '.join(spec.categories[:20])}")
    return new
