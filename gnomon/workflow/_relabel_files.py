"""Suspect rows as files a person can fill in, in the form the data came in, and the corrected file read back.

CSV, TSV and XLSX: one line a row. JSONL: one object a row. FASTA: the sequence under a header of `key="value"` pairs, the
key in quotes too where it would not be read back otherwise.
Everywhere: `row` (0-based, in the input as read), `column`, the inputs, `label`, `suggested label`, `doubt` and an empty
`new label`. Of what comes back, `new label` is taken; the rest says of which row and column, and that they are those meant.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from gnomon.data.table import Data, strings
from gnomon.errors import InputError
from gnomon.workflow._folder import write_text
from gnomon.workflow._relabel_text import read_cells, text_of

NEW = "new label"
KEPT = ("row", "column", "label", NEW)
OWN = (*KEPT, "suggested label")  # in a FASTA header `_` stands for the blank in these
PAIR = re.compile(r"""("(?:[^"\\]|\\.)*"|[^\s="]+)=("(?:[^"\\]|\\.)*"|'[^']*'|[^\s"']*)""")
TAKEN = (".csv", ".tsv", ".xlsx", ".jsonl", ".fasta")
FORMS = {".tsv": ".tsv", ".tab": ".tsv", ".xlsx": ".xlsx", ".jsonl": ".jsonl", ".ndjson": ".jsonl", ".json": ".jsonl",
         ".fasta": ".fasta", ".fa": ".fasta", ".faa": ".fasta", ".fna": ".fasta"}
MOST_INPUTS = 40  # columns shown beside a label: more cannot be read by eye
PACKED = (".gz", ".bz2", ".zip", ".xz")


def form_of(paths: Sequence[str]) -> str:
    """The suffix of the file to write, by the first input's own."""
    suffixes = [s.lower() for s in Path(paths[0]).suffixes if s.lower() not in PACKED] if paths else []
    return FORMS.get(suffixes[-1], ".csv") if suffixes else ".csv"


def can_be_taken_back(out: Path | None) -> None:
    """Raises E-OUT-FORMAT for a file that `read_rows` could not read."""
    if out is not None and out.suffix.lower() not in TAKEN:
        raise InputError("E-OUT-FORMAT", f"cannot write '{out.name}': a form '{out.suffix}' is not taken back",
                         do=f"use one of {', '.join(TAKEN)}")


def shown_inputs(data: Data, rows: np.ndarray) -> dict[str, list[Any]]:
    """What a person needs to see: the item's file, identifiers, and the inputs that can be read as text."""
    out: dict[str, list[Any]] = {"item": [data.items[r] for r in rows]} if data.items else {}
    for name in [*data.named("identifier"), *data.inputs]:
        column = data.columns[name]
        if column.spec.kind != "image" and not column.spec.shape and name not in KEPT and len(out) < MOST_INPUTS:
            out[name] = list(strings(column, rows))
    return out


def write_rows(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    """The records in the form of the path's suffix."""
    form = path.suffix.lower()
    if form == ".jsonl":
        write_text(path, "".join(json.dumps(dict(r), ensure_ascii=False) + "\n" for r in records))
    elif form == ".fasta":
        write_text(path, "".join(map(_fasta_record, records)))
    else:
        import pandas as pd

        from gnomon.workflow.predict import write_table

        write_table(pd.DataFrame.from_records([dict(r) for r in records]), path)


def _fasta_record(record: Mapping[str, Any]) -> str:
    told = {k: v for k, v in record.items() if k != "sequence" and v is not None}
    header = " ".join(f"{_key(k)}={_quoted(v)}" for k, v in told.items())
    return f">{header}\n{record.get('sequence') or ''}\n"


def _key(name: str) -> str:
    """A name as it stands in a header: in quotes unless it would be read back as it is."""
    if name in OWN:
        return name.replace(" ", "_")
    return name if re.fullmatch(r"[\w.-]+", name) and name.replace("_", " ") not in OWN else _quoted(name)


def _quoted(value: Any) -> str:
    return json.dumps(str(value), ensure_ascii=False)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The filled-in records, without blank ones. Raises E-FILE-ABSENT, E-FILE-EMPTY, E-ENCODING, E-RAGGED, E-RELABEL."""
    if not path.is_file():
        raise InputError("E-FILE-ABSENT", f"{path} is a folder" if path.is_dir() else f"{path}: no such file",
                         do="give the file that `gnomon relabel` wrote, filled in")
    try:
        names, records = _parsed(path)
    except (ValueError, KeyError, BadZipFile, csv.Error) as error:
        raise InputError("E-RELABEL", f"{path} cannot be read: {error}", do="save it in the form it was written in") from None
    records = [r for r in records if any(v not in ("", None) for v in r.values())]
    lacking = [name for name in ("row", NEW) if name not in names]
    if lacking and names:
        raise InputError("E-RELABEL", f"{path} has no column '{lacking[0]}'",
                         do=f"keep the columns {', '.join(KEPT)} and fill in '{NEW}'")
    if not records:
        raise InputError("E-FILE-EMPTY", f"{path} holds no rows", do="give the file that `gnomon relabel` wrote, filled in")
    return records


def _parsed(path: Path) -> tuple[set[str], list[dict[str, Any]]]:
    """(the names that occur, the records): numbers as written, nothing read as missing."""
    form = path.suffix.lower()
    if form == ".xlsx":
        import pandas as pd

        frame = pd.read_excel(path, dtype=str, keep_default_na=False).fillna("")
        return set(map(str, frame.columns)), frame.to_dict("records")
    if form not in (".jsonl", ".fasta"):
        return read_cells(path)
    lines = text_of(path).replace("\r\n", "\n").split("\n")  # no other line ends: names and texts may hold them
    if form == ".fasta":
        records = [_pairs(line[1:]) for line in lines if line.startswith(">")]
    else:
        records = [json.loads(line) for line in lines if line.strip()]
        if not all(isinstance(r, dict) for r in records):
            raise ValueError("a line is no object of the form {\"row\": ...}")
    return {name for r in records for name in r}, records


def _pairs(head: str) -> dict[str, str]:
    """`row="12" "5'UTR"="ac" new_label="a b"` as a record; what a person typed without quotes ends at the next blank."""
    if re.search("[\"']", PAIR.sub(" ", head)):
        raise ValueError(f"no closing quotation in the header '{head[:60]}'")
    return {_name(key): _unquoted(value) for key, value in PAIR.findall(head)}


def _name(key: str) -> str:
    own = key.replace("_", " ")
    return own if own in OWN else _unquoted(key)


def _unquoted(text: str) -> str:
    if text.startswith('"'):
        return json.loads(text, strict=False)
    return text[1:-1] if text.startswith("'") else text


def thumbnails(path: Path, data: Data, records: Sequence[Mapping[str, Any]], rows: np.ndarray) -> None:
    """A page of pictures beside the file: row, label and suggestion under each."""
    from gnomon.data.draw import image_picture

    column = data.columns[data.of_kind("image")[0]]
    cards = []
    for record, row in zip(records, rows, strict=True):
        source = image_picture(column.take(np.array([row]))[0], size=160)["src"]
        told = f"row {record['row']}: {escape(str(record['label']))} &rarr; {escape(str(record['suggested label']))}?"
        cards.append(f'<figure><img src="{source}" alt="row {record["row"]}"><figcaption>{told}<br>'
                     f'<small>{escape(str(record.get("item", "")))}</small></figcaption></figure>')
    style = ("body{font:14px system-ui;margin:2rem;display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(11rem,"
             "1fr))}figure{margin:0}img{width:10rem;image-rendering:pixelated}")
    write_text(path, f'<!doctype html><meta charset="utf-8"><title>Suspect labels</title><style>{style}</style>\n'
               + "\n".join(cards))
