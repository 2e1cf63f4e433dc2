"""From a source of any form to raw columns: a frame, arrays, a file, several files, a folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.read._files import TOGETHER, Options, read_one, read_pictures, read_together, refuse_empty
from gnomon.data.read._folder import read_folder, read_mixed
from gnomon.data.read._form import form
from gnomon.data.read._raw import Raw, take_rows
from gnomon.errors import InputError
from gnomon.rng import stream


def gather(
    source: Any,
    *,
    kinds: Mapping[str, str] | None = None,
    cache: Path | None = None,
    seed: int = 0,
    max_rows: int | None = None,
    shape: tuple[int, int, int] | None = None,
) -> Raw:
    """Read a source of any form into raw columns. shape: (C, H, W) that pictures must be brought to."""
    from gnomon.data.read.frames import from_frame

    if hasattr(source, "columns") and hasattr(source, "iloc"):
        return from_frame(source, seed=seed, max_rows=max_rows)
    if isinstance(source, Mapping):
        return thinned(_of_mapping(source), seed, max_rows)
    paths = [Path(source)] if isinstance(source, (str, Path)) else [Path(p) for p in source]
    if not paths:
        raise InputError("E-FILE-ABSENT", "no file was given", do="name a file or folder")
    for path in paths:
        if not path.exists():
            raise InputError("E-FILE-ABSENT", f"there is no file or folder '{path}'{_near(path)}", do="check the path")
    options = Options(dict(kinds or {}), cache, seed, max_rows, shape)
    raw = read_folder(paths[0], options) if len(paths) == 1 and paths[0].is_dir() else _named(paths, options)
    return thinned(raw, seed, max_rows)


def thinned(raw: Raw, seed: int, max_rows: int | None) -> Raw:
    """At most `max_rows` rows, drawn uniformly and said; for forms whose reader does not sample by itself."""
    if max_rows is None or len(raw) <= max_rows or raw.sampled:
        return raw
    rows = np.sort(stream(seed, "sample rows").choice(len(raw), max_rows, replace=False))
    said = f"a uniform random sample of {max_rows:,} of the {len(raw):,} rows (seed {seed})"
    return replace(take_rows(raw, rows), sampled=said)


def _near(path: Path) -> str:
    """Where a path leads nowhere: the names there that are like it."""
    import difflib

    if not path.parent.is_dir():
        return f" (nor its folder '{path.parent}')"
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=2)
    return f"; near it is {' and '.join(near)}" if near else ""


def _of_mapping(source: Mapping[str, Any]) -> Raw:
    """A mapping of arrays: columns of a table, or pictures and labels."""
    from gnomon.data.read.arrays import of_arrays
    from gnomon.data.read.frames import from_frame

    if all(np.ndim(v) == 1 for v in source.values()):
        import pandas as pd

        lengths = {k: len(v) for k, v in source.items()}
        if len(set(lengths.values())) > 1:
            raise InputError("E-ARRAYS", f"the columns differ in length: {lengths}", do="give columns of one length")
        return from_frame(pd.DataFrame(dict(source)))
    return replace(of_arrays(source), paths=())


def _named(paths: Sequence[Path], options: Options) -> Raw:
    """Files, or files and folders, given by name."""
    from gnomon.data.read.join import combine

    folders = [p for p in paths if p.is_dir()]
    if folders:
        inside = [p for f in folders for p in sorted(f.rglob("*"), key=lambda p: p.as_posix()) if p.is_file()]
        return read_mixed([p for p in paths if p.is_file()], inside, _root(paths), options)
    refuse_empty(paths)
    forms = [form(p) for p in paths]
    if len(set(forms)) == 1 and forms[0] in TOGETHER:
        return read_together(paths, forms[0])
    if set(forms) == {"image"}:
        return read_pictures(paths, _root(paths), options)
    if "image" in forms:
        pictures = [p for p, f in zip(paths, forms, strict=True) if f == "image"]
        return read_mixed([p for p in paths if p not in pictures], pictures, _root(paths), options)
    raw = combine([read_one(p, f, options) for p, f in zip(paths, forms, strict=True)], paths)
    return _with_pictures(raw, paths[0], options) if len(paths) == 1 and forms[0] != "arrays" else raw


def _with_pictures(raw: Raw, table: Path, options: Options) -> Raw:
    """A table and the pictures beside it that it names, unless the user calls their names text."""
    from gnomon.data.read.images import beside, join_images

    if any(k == "text" and n in raw.columns for n, k in options.kinds.items()):
        return raw
    pictures, masks = beside(raw, table)
    if not pictures:
        return raw
    joined = join_images(raw, pictures, table.resolve().parent, cache=options.cache, shape=options.shape)
    return raw if joined is None else replace(joined, findings=(*joined.findings, *masks))


def _root(paths: Sequence[Path]) -> Path:
    """The folder all paths are in."""
    import os

    folders = [str(p if p.is_dir() else p.parent) or "." for p in paths]
    if len(set(folders)) == 1:
        return Path(folders[0])
    return Path(os.path.commonpath([os.path.abspath(f) for f in folders]))
