"""What a command writes never replaces what it was given: inputs of the study and of the command, the study's own record."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gnomon.errors import InputError
from gnomon.workflow._folder import Folder, read_json

RECORD = ("relabelled.csv", "split.parquet", "judged.parquet", "judged_truth.parquet", "ledger.jsonl", "findings.jsonl")


def replaces_nothing(out: Path, folder: Folder, given: Any = None) -> None:
    """Raises E-OUT-UNWRITABLE where `out` is a file that the study or this command reads, or lies in such a folder.

    given: the command's own input, as a path, several, or a table in memory.
    """
    if not out.exists():
        return
    above = out.resolve().parents
    for path, what in [*((p, "an input of this command") for p in _paths(given)), *_of_study(folder)]:
        inside = path.is_dir() and path.resolve() in above and folder.path.resolve() not in above
        if inside or (path.exists() and out.samefile(path)):
            where = f"lies in '{path}', {what}" if inside else f"is {what}"
            raise InputError("E-OUT-UNWRITABLE", f"'{out}' {where}: it would be overwritten", do="write to another file")


def _of_study(folder: Folder) -> Iterator[tuple[Path, str]]:
    """The files a study was made of, by versions.json, and those it keeps for good."""
    made = read_json(folder / "versions.json", {})
    words = made.get("options", {})
    for name, paths in (("data", made.get("source")), *((n, words.get(n)) for n in ("test", "unlabelled"))):
        for path in paths if isinstance(paths, list) else ():
            yield folder.path / path, f"the {name} of {folder.path}"
    for name in RECORD:
        yield folder / name, f"the record of {folder.path}"


def _paths(given: Any) -> list[Path]:
    given = [given] if isinstance(given, (str, Path)) else given
    return [Path(p) for p in given if isinstance(p, (str, Path))] if isinstance(given, (list, tuple)) else []
