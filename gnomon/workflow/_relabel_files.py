"""Suspect rows as files a person can fill in, in the form the data came in, and the corrected file read back.

CSV, TSV and XLSX: one line a row. JSONL: one object a row. FASTA: the sequence under a header of `key=value` pairs.
Everywhere: `row` (0-based, in the input as read), `column`, the inputs, `label`, `suggested label`, `doubt` and an empty
`new label`; only `row`, `column`, `label` and `new label` are read back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.table import Data, strings
from gnomon.errors import InputError

NEW = "new label"
KEPT = ("row", "column", "label", NEW)
FORMS = {".tsv": ".tsv", ".tab": ".tsv", ".xlsx": ".xlsx", ".jsonl": ".jsonl", ".ndjson": ".jsonl", ".json": ".jsonl",
         ".fasta": ".fasta", ".fa": ".fasta", ".faa": ".fasta", ".fna": ".fasta"}
MOST_INPUTS = 40  # columns shown beside a label: more cannot be read by eye
PACKED = (".gz", ".bz2", ".zip", ".xz")


def form_of(paths: Sequence[str]) -> str:
    """The suffix of the file to write, by the first input's own."""
    suffixes = [s.lower() for s in Path(paths[0]).suffixes if s.lower() not in PACKED] if paths else []
    return FORMS.get(suffixes[-1], ".csv") if suffixes else ".csv"


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
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(r), ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    elif path.suffix == ".fasta":
        path.write_text("".join(map(_fasta_record, records)), encoding="utf-8")
    else:
        import pandas as pd

        from gnomon.workflow.predict import write_table

        write_table(pd.DataFrame.from_records([dict(r) for r in records]), path)


def _fasta_record(record: Mapping[str, Any]) -> str:
    sequence = next((str(v) for k, v in record.items() if k == "sequence"), "")
    told = {k: v for k, v in record.items() if k != "sequence" and v is not None}
    header = " ".join(f"{k.replace(' ', '_')}={_quoted(v)}" for k, v in told.items())
    return f">{header}\n{sequence}\n"


def _quoted(value: Any) -> str:
    return json.dumps(str(value), ensure_ascii=False)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The filled-in records. Raises E-FILE-ABSENT, E-RELABEL."""
    if not path.is_file():
        raise InputError("E-FILE-ABSENT", f"{path}: no such file", do="give the file that `gnomon relabel` wrote, filled in")
    try:
        records = _parsed(path)
    except (ValueError, KeyError) as error:
        raise InputError("E-RELABEL", f"{path} cannot be read: {error}", do="save it in the form it was written in") from None
    lacking = [name for name in ("row", NEW) if records and not any(name in r for r in records)]
    if lacking or not records:
        raise InputError("E-RELABEL", f"{path} has no column '{(lacking or ['row'])[0]}'",
                         do=f"keep the columns {', '.join(KEPT)} and fill in '{NEW}'")
    return records


def _parsed(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    if path.suffix == ".fasta":
        heads = [line[1:] for line in path.read_text(encoding="utf-8-sig").splitlines() if line.startswith(">")]
        return [_pairs(head) for head in heads]
    import pandas as pd

    if path.suffix == ".xlsx":
        frame = pd.read_excel(path, dtype=str, keep_default_na=False)
    else:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, sep="\t" if path.suffix == ".tsv" else None,
                            engine="python", encoding="utf-8-sig")
    return frame.to_dict("records")


def _pairs(head: str) -> dict[str, str]:
    """`row="12" new_label="a b"` as a record."""
    import shlex

    pairs = [word.partition("=") for word in shlex.split(head, posix=True)]
    return {name.replace("_", " ") if name.replace("_", " ") in (*KEPT, "suggested label") else name: value
            for name, _, value in pairs}


def thumbnails(path: Path, data: Data, records: Sequence[Mapping[str, Any]], rows: np.ndarray) -> None:
    """A page of pictures beside the file: row, label and suggestion under each."""
    from gnomon.data.draw import image_picture

    column = data.columns[data.of_kind("image")[0]]
    cards = []
    for record, row in zip(records, rows, strict=True):
        source = image_picture(column.take(np.array([row]))[0], size=160)["src"]
        told = f"row {record['row']}: {record['label']} &rarr; {escape(str(record['suggested label']))}?"
        cards.append(f'<figure><img src="{source}" alt="row {record["row"]}"><figcaption>{told}<br>'
                     f'<small>{escape(str(record.get("item", "")))}</small></figcaption></figure>')
    style = ("body{font:14px system-ui;margin:2rem;display:grid;gap:1rem;grid-template-columns:repeat(auto-fill,minmax(11rem,"
             "1fr))}figure{margin:0}img{width:10rem;image-rendering:pixelated}")
    path.write_text(f'<!doctype html><meta charset="utf-8"><title>Suspect labels</title><style>{style}</style>\n'
                    + "\n".join(cards), encoding="utf-8")
