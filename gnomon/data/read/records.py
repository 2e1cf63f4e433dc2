"""JSON: one record a line, a list of records, records by key, columns by name. Nested records flatten; lists of one
length inside a record (sentences and their labels) become rows of their own, held together as a group."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.read._raw import Raw
from gnomon.data.read._sniff import open_bytes
from gnomon.errors import InputError

LONG = 200  # a list of so many numbers or fewer, equally long in every record, becomes columns


def read_json(path: Path) -> Raw:
    """A .json, .jsonl or .ndjson file, gzip or not."""
    from gnomon.data.read.frames import from_frame

    records = [_flat(r) for r in _records(path)]
    if not records:
        raise InputError(
            "E-FILE-EMPTY", f"{path} holds no record", do="give one JSON record a line, or a list of records"
        )
    keys = list(dict.fromkeys(k for r in records for k in r))
    columns = {k: [r.get(k) for r in records] for k in keys}
    listed = [k for k in keys if any(isinstance(v, list) for v in columns[k])]
    rows, columns = _exploded(columns, listed, len(records))
    columns = {k: v for name, values in columns.items() for k, v in _joined(name, values).items()}
    import pandas as pd

    frame = pd.DataFrame({k: pd.Series(v, dtype=object) for k, v in columns.items()})
    raw = from_frame(frame, path)
    if rows is None:
        return raw
    name = "record" if "record" not in raw.columns else "record number"
    why = "rows taken out of one record"
    raw = raw.add(name, rows.astype(np.float64), ("category", why), ("group", why))
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    return raw.add(f"{name} position", place.astype(np.float64), None, ("input", "the row's place in its record"))


def _records(path: Path) -> list[dict[str, Any]]:
    try:
        with open_bytes(path) as packed:
            text = packed.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        from gnomon.data.read._sniff import bad_encoding

        raise bad_encoding(path) from None
    if not text.strip():
        raise InputError("E-FILE-EMPTY", f"{path} is empty", do="give one JSON record a line, or a list of records")
    try:
        whole = json.loads(text)
    except ValueError:
        return _lines(path, text)
    if isinstance(whole, dict):
        whole = _of_mapping(whole)
    if not isinstance(whole, list) or not all(isinstance(r, dict) for r in whole):
        raise InputError(
            "E-UNREADABLE", f"{path} is JSON, but no list of records", do="give a list of {...} or one {...} a line"
        )
    return whole


def _of_mapping(whole: dict[str, Any]) -> list[dict[str, Any]]:
    """One record, records by key, or columns by name."""
    values = list(whole.values())
    if values and all(isinstance(v, dict) for v in values):
        if {frozenset(v) for v in values} and len(values) > 1:
            return [{"id": k, **v} for k, v in whole.items()]
        return values[:1]
    lists = [v for v in values if isinstance(v, list)]
    if len(lists) == 1 and all(isinstance(r, dict) for r in lists[0]):
        return lists[0]
    if values and all(isinstance(v, list) for v in values) and len({len(v) for v in values}) == 1:
        return [dict(zip(whole, row, strict=True)) for row in zip(*values, strict=True)]
    return [whole]


def _lines(path: Path, text: str) -> list[dict[str, Any]]:
    out = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise InputError(
                "E-UNREADABLE",
                f"{path}: line {number} (row {len(out)}) is no JSON record: {error}",
                do="repair that line; each line must be one {...}",
            ) from None
        if not isinstance(record, dict):
            raise InputError(
                "E-UNREADABLE", f"{path}: line {number} (row {len(out)}) is no record {{...}}", do="repair that line"
            )
        out.append(record)
    return out


def _flat(record: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """{"data": {"text": ...}} as {"data.text": ...}; empty records vanish."""
    out: dict[str, Any] = {}
    for key, value in record.items():
        if isinstance(value, Mapping):
            out.update(_flat(value, f"{before}{key}."))
        else:
            out[f"{before}{key}"] = value
    return out


def _exploded(columns: dict[str, list], listed: list[str], n: int) -> tuple[np.ndarray | None, dict[str, list]]:
    """Lists of words of equal length within every record to rows of their own: (record of each row, columns)."""
    wordy = [k for k in listed if all(isinstance(v, list) and all(isinstance(w, str) for w in v) for v in columns[k])]
    lengths = [len(columns[wordy[0]][i]) for i in range(n)] if wordy else []
    same = [
        k
        for k in listed
        if wordy and all(isinstance(v, list) and len(v) == m for v, m in zip(columns[k], lengths, strict=True))
    ]
    if len(same) < 2 or len(set(wordy) & set(same)) < 2:
        return None, columns
    rows = np.repeat(np.arange(n), lengths)
    out = {k: [w for v in columns[k] for w in v] if k in same else [columns[k][i] for i in rows] for k in columns}
    return rows, out


def _joined(name: str, values: list) -> dict[str, list]:
    """A column of lists: numbers of one length as columns, anything else as text."""
    lists = [v for v in values if isinstance(v, list)]
    if not lists:
        return {name: values}
    lengths = {len(v) for v in lists}
    numeric = all(isinstance(w, (int, float)) for v in lists[:1000] for w in v)
    if numeric and len(lengths) == 1 and min(lengths) > 0 and len(lists) == len(values):
        return {f"{name} {i + 1}": [v[i] for v in values] for i in range(min(lengths))}
    return {name: [" ".join(map(str, v)) if isinstance(v, list) else v for v in values]}
