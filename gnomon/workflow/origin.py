"""Where a study comes from: its folder, its source, and the words it was asked with, kept so that it can be gone on with."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnomon.errors import InputError
from gnomon.workflow._folder import Folder, read_json, relative
from gnomon.workflow.options import Options

TABLE = "a table in memory"  # stands in versions.json for a source that cannot be found again
LISTED = "rows:"  # a split policy that names a file


def folder_for(source: Any, out: str | Path | None) -> Folder:
    """The study folder: as named, else NAME.study beside the caller, NAME from the (first) input."""
    if out is not None:
        return Folder(Path(out))
    paths = [source] if isinstance(source, (str, Path)) else source if isinstance(source, (list, tuple)) else []
    stem = Path(str(paths[0])).resolve().name if paths else "data"
    stem = re.sub(r"(\.(csv|tsv|txt|parquet|xlsx|feather|jsonl|json|smi|sdf|fasta|fa|npz|gz|bz2|zip))+$", "", stem, flags=re.I)
    return Folder(Path(f"{stem or 'data'}.study"))


def is_table(source: Any) -> bool:
    """A DataFrame or a mapping of arrays, as against paths."""
    return isinstance(source, Mapping) or hasattr(source, "iloc")


def absolute(source: Any) -> Any:
    if isinstance(source, (str, Path)):
        return str(source)
    return (
        [str(p) for p in source]
        if isinstance(source, (list, tuple)) and all(isinstance(p, (str, Path)) for p in source)
        else source
    )


def origin(folder: Folder, source: Any, options: Options) -> dict[str, Any]:
    """How to repeat: the words of the command, with paths as seen from the study folder. Written before anything is read,
    so that a study that was stopped can be gone on with."""
    paths = [source] if isinstance(source, (str, Path)) else source if isinstance(source, (list, tuple)) else []
    seen = [relative(Path(str(p)), folder.path) for p in paths if isinstance(p, (str, Path))]
    words = {f: getattr(options, f) for f in options.__dataclass_fields__}
    if (options.split or "").startswith(LISTED):
        words["split"] = LISTED + relative(Path(options.split.removeprefix(LISTED)), folder.path)
    for name in ("test", "unlabelled"):
        paths = None if is_table(words[name]) else words[name]
        words[name] = TABLE if paths is None else [relative(Path(p), folder.path) for p in paths]
    by_command = len(sys.argv) > 1 and Path(sys.argv[0]).name in ("gnomon", "__main__.py")
    return {"source": seen, "options": words, **({"command": shlex.join(["gnomon", *sys.argv[1:]])} if by_command else {})}


def command(folder: Folder) -> dict[str, str]:
    """The command a study was made with, which `gnomon run` does not replace."""
    command = read_json(folder / "versions.json", {}).get("command")
    return {"command": command} if command else {}


def again(folder: str | Path, changes: Mapping[str, Any] | None = None) -> tuple[Folder, Any, Options]:
    """The source and options a study was made with; of the code it names, only what this process trusts already."""
    from gnomon.methods._trust import FILES

    place = Folder(Path(folder)).must_exist()
    made = read_json(place / "versions.json")
    words = {**made.get("options", {}), **(changes or {})}
    named = {Path(p).name for p in words.get("trust_code") or ()}
    words["trust_code"] = tuple(p for p in FILES if Path(p).name in named)
    for name in ("test", "unlabelled"):
        if words.get(name) == TABLE:
            raise InputError("E-SOURCE-ABSENT", f"{place.path} does not know its {name} rows (they were a DataFrame)",
                             do="call gnomon.study(...) again with the data")
        words[name] = [str((place.path / p).resolve()) for p in words.get(name) or ()]
    if str(words.get("split")).startswith(LISTED):
        words["split"] = LISTED + str((place.path / words["split"].removeprefix(LISTED)).resolve())
    settings: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in words.items()}
    options = Options(**settings)
    sources = [str((place.path / p).resolve()) for p in made.get("source", [])]
    if not sources:
        raise InputError(
            "E-SOURCE-ABSENT",
            f"{place.path} does not know its input (it was a DataFrame)",
            do="call gnomon.study(...) again with the data",
        )
    return place, sources[0] if len(sources) == 1 else sources, options
