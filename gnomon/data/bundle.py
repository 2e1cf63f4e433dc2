"""Where the bundled data sets lie."""

from __future__ import annotations

from pathlib import Path

from gnomon.errors import InputError

FOLDER = Path(__file__).parent / "bundled"


def bundled(name: str) -> Path:
    """The path of a bundled data set: esol.csv, concrete.csv, peptides.csv, citations.jsonl or fashion.npz."""
    path = FOLDER / name
    if not path.is_file():
        have = ", ".join(sorted(p.name for p in FOLDER.iterdir() if p.suffix in (".csv", ".jsonl", ".npz")))
        raise InputError("E-FILE-ABSENT", f"no bundled data set is called '{name}'", do=f"one of {have}")
    return path
