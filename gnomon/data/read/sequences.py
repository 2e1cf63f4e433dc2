"""FASTA files: sequences with labels in their headers, or one file a class."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gnomon.data.read import names as told
from gnomon.data.read._raw import Raw, strings
from gnomon.data.read._sniff import open_bytes
from gnomon.errors import InputError

PAIR = re.compile(r"([A-Za-z_][\w.]*)\s*[=:]\s*([^\s;|,=]+)")


def read_fasta(paths: Sequence[Path]) -> Raw:
    """One or several FASTA files. Several whose names tell classes: the class is theirs, headers only name."""
    headers: list[str] = []
    texts: list[str] = []
    owner: list[int] = []
    for i, path in enumerate(paths):
        found = _records(path)
        headers += [h for h, _ in found]
        texts += [s for _, s in found]
        owner += [i] * len(found)
    bad = {i: "has a header and no sequence" for i, t in enumerate(texts) if not t}
    kinds = {"sequence": ("sequence", "FASTA")}
    raw = Raw({"sequence": strings(texts)}, np.arange(len(texts)), tuple(map(str, paths)), kinds=kinds, bad=bad)
    raw = raw.add(
        "id",
        strings([h.split()[0] if h.split() else None for h in headers]),
        ("text", "FASTA header"),
        ("identifier", "FASTA header"),
    )
    raw, by_file = _by_file(raw, paths, np.array(owner))
    return raw if by_file else _by_header(raw, headers)


def _records(path: Path) -> list[tuple[str, str]]:
    out: list[tuple[str, list[str]]] = []
    with open_bytes(path) as packed, io.TextIOWrapper(packed, "utf-8", errors="replace") as lines:
        for number, line in enumerate(lines):
            if line.startswith(">"):
                out.append((line[1:].strip(), []))
            elif line.startswith(";") or not line.strip():
                continue
            elif not out:
                raise InputError(
                    "E-FASTA",
                    f"{path}: line {number + 1} is sequence before any header (a line with '>')",
                    do="start every record with a line '>name'",
                )
            else:
                out[-1][1].append(line.strip())
    if not out:
        raise InputError(
            "E-FILE-EMPTY", f"{path} holds no record", do="give a FASTA file with '>name' lines and sequences"
        )
    return [(h, "".join(s)) for h, s in out]


def _by_file(raw: Raw, paths: Sequence[Path], owner: np.ndarray) -> tuple[Raw, bool]:
    """Class and part of the data from the files' names."""
    if len(paths) < 2:
        return raw, False
    parts, classes = told.parts_and_classes([p.name for p in paths])
    if all(parts) and len(set(parts)) > 1:
        why = "file names say train, test and the like"
        raw = raw.add("file:split", strings([parts[i] for i in owner]), ("category", why), ("split", why))
    if len(set(classes)) < 2 or not all(classes):
        return raw, False
    why = f"one file a class: {', '.join(sorted(set(classes))[:5])}"
    return raw.add("class", strings([classes[i] for i in owner]), ("category", why), ("target", why)), True


def _by_header(raw: Raw, headers: list[str]) -> Raw:
    """Labels in headers: key=value pairs, fields between bars, or a last word that comes again."""
    found = _pairs(headers) or _bars(headers) or _last_word(headers)
    alone = len(found) == 1
    for name, values in found.items():
        role = ("target", "the one label in the FASTA headers") if alone else None
        raw = raw.add(name, strings(values), None, role)
    return raw


def _telling(values: list[str | None]) -> bool:
    """Whether header values can be labels: they repeat, or are numbers."""
    known = [v for v in values if v]
    few = 2 <= len(set(known)) <= max(20, len(known) // 5)
    return len(known) >= 0.8 * len(values) and (
        (few and len(known) >= 2 * len(set(known)))
        or (len(set(known)) > 1 and all(re.fullmatch(r"-?\d*\.?\d+([eE][-+]?\d+)?", v) for v in known))
    )


def _pairs(headers: list[str]) -> dict[str, list[str | None]]:
    rows = [dict(PAIR.findall(h)) for h in headers]
    keys = list(dict.fromkeys(k for row in rows[:1000] for k in row))
    columns = {k: [row.get(k) for row in rows] for k in keys}
    return {k: v for k, v in columns.items() if _telling(v) and k != "id" and k != "sequence"}


def _bars(headers: list[str]) -> dict[str, list[str | None]]:
    rows = [[f.strip() for f in h.split("|")] for h in headers]
    if min(len(r) for r in rows) < 2 or len({len(r) for r in rows}) != 1:
        return {}
    columns: dict[str, list[str | None]] = {
        f"header field {i + 1}": [r[i] for r in rows] for i in range(1, len(rows[0]))
    }
    telling = {k: v for k, v in columns.items() if _telling(v)}
    return {"label": next(iter(telling.values()))} if len(telling) == 1 else telling


def _last_word(headers: list[str]) -> dict[str, list[str | None]]:
    if all(len(h.split()) >= 2 for h in headers):
        values: list[str | None] = [h.split()[-1] for h in headers]
        return {"label": values} if _telling(values) else {}
    first = [re.match(r"^(pos|neg|positive|negative|active|inactive)[\W_]", h + "_", re.I) for h in headers]
    if all(first):
        return {"label": [m[1].lower() for m in first if m]}
    return {}
