"""Which reader a source needs: told from its first bytes and its form, then from its extension."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.read._raw import Raw, strings, take_rows
from gnomon.errors import InputError
from gnomon.rng import stream

ASIDE = re.compile(
    r"^(origin|licen[cs]e|readme|notes?|citation|changelog|copying|authors|description|metadata)\b|^[._]|"
    r"\.(md|rst|ya?ml|html?|py|r|ipynb|pdf|docx?|log|xml|gexf|toml|cfg|ini|sh|bib|checkpoint)(\.gz)?$",
    re.I,
)
EXTENSIONS = {
    "delimited": ("csv", "tsv", "tab", "txt", "dat", "data"),
    "arrow": ("parquet", "pq", "feather", "arrow"),
    "excel": ("xlsx", "xlsm", "xls"),
    "json": ("json", "jsonl", "ndjson"),
    "fasta": ("fa", "fasta", "fna", "faa", "ffn", "fas", "frn"),
    "smi": ("smi", "smiles", "ism"),
    "sdf": ("sdf", "sd", "mol"),
    "arrays": ("npz", "npy", "mat"),
    "image": ("png", "jpg", "jpeg", "tif", "tiff", "bmp", "gif", "webp"),
}
PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"II*\x00", b"MM\x00*", b"GIF8", b"BM", b"II+\x00", b"MM\x00+")


def form(path: Path) -> str:
    """What a file is: its first bytes where they are telling, else its extension; "" when unknown."""
    from gnomon.data.read._sniff import head

    start = head(path, 512)
    if start[:4] == b"PAR1" or start[:6] == b"ARROW1" or start[:4] == b"FEA1":
        return "arrow"
    if start[:4] == b"PK\x03\x04":
        return _zipped(path)
    if start[:6] == b"\x93NUMPY" or start[:6] == b"MATLAB":
        return "arrays"
    if start[:4] == b"\xd0\xcf\x11\xe0":
        return "excel"
    if any(start.startswith(mark) for mark in PICTURES[:5] + PICTURES[6:]) or (
        start[:2] == b"BM" and _extension(path) == "image"
    ):
        return "image"
    if len(start) > 4 and start[:2] == b"\x00\x00" and start[2] in (8, 9, 11, 12, 13, 14) and 1 <= start[3] <= 4:
        return "idx"
    if start[:1] == b">" and b"\n" in start:
        return "fasta"
    known = _extension(path)
    text = start.lstrip(b"\xef\xbb\xbf \r\n\t")
    if known in ("", "delimited") and text[:1] in (b"{", b"[") and (text[:2] != b"[," and b'"' in text):
        return "json"
    return known or ("delimited" if start and b"\x00" not in start else "")


def _zipped(path: Path) -> str:
    import zipfile

    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
    except zipfile.BadZipFile:
        raise InputError(
            "E-UNREADABLE", f"{path} begins like a zip file but cannot be opened", do="copy the file again"
        ) from None
    return (
        "excel"
        if any(n.startswith("xl/") for n in names)
        else "arrays"
        if any(n.endswith(".npy") for n in names)
        else ""
    )


def _extension(path: Path) -> str:
    suffixes = [s.lower().lstrip(".") for s in path.suffixes if s.lower() != ".gz"]
    last = suffixes[-1] if suffixes else ""
    return next((name for name, words in EXTENSIONS.items() if last in words), "")


def gather(
    source: Any,
    *,
    target: tuple[str, ...] = (),
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
    if isinstance(source, (str, Path)):
        source = [source]
    paths = [Path(p) for p in source]
    if not paths:
        raise InputError("E-FILE-ABSENT", "no file was given", do="name a file or folder")
    for path in paths:
        if not path.exists():
            raise InputError("E-FILE-ABSENT", f"there is no file or folder '{path}'{_near(path)}", do="check the path")
    reader = _Reader(dict(kinds or {}), cache, seed, max_rows, shape)
    raw = reader.folder(paths[0]) if len(paths) == 1 and paths[0].is_dir() else reader.files(paths)
    return thinned(raw, seed, max_rows)


def _near(path: Path) -> str:
    import difflib

    if not path.parent.is_dir():
        return f" (nor its folder '{path.parent}')"
    near = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=2)
    return f"; near it is {' and '.join(near)}" if near else ""


def thinned(raw: Raw, seed: int, max_rows: int | None) -> Raw:
    """At most `max_rows` rows, drawn uniformly and said; for forms whose reader does not sample by itself."""
    if max_rows is None or len(raw) <= max_rows or raw.sampled:
        return raw
    rows = np.sort(stream(seed, "sample rows").choice(len(raw), max_rows, replace=False))
    said = f"a uniform random sample of {max_rows:,} of the {len(raw):,} rows (seed {seed})"
    return replace(take_rows(raw, rows), sampled=said)


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


class _Reader:
    """The options every file of one source shares."""

    def __init__(
        self,
        kinds: dict[str, str],
        cache: Path | None,
        seed: int,
        max_rows: int | None,
        shape: tuple[int, int, int] | None,
    ):
        self.kinds, self.cache, self.seed, self.max_rows, self.shape = kinds, cache, seed, max_rows, shape

    def files(self, paths: Sequence[Path]) -> Raw:
        """Files, or files and folders, given by name."""
        from gnomon.data.read.arrays import read_idx_pairs
        from gnomon.data.read.images import read_images
        from gnomon.data.read.join import combine
        from gnomon.data.read.sequences import read_fasta

        folders = [p for p in paths if p.is_dir()]
        if folders:
            inside = [p for f in folders for p in sorted(f.rglob("*"), key=lambda p: p.as_posix()) if p.is_file()]
            return self._mixed([p for p in paths if p.is_file()], inside, _root(paths))
        for path in paths:
            if path.stat().st_size == 0:
                raise InputError("E-FILE-EMPTY", f"{path} is empty (0 bytes)", do="give a file that holds something")
        forms = [form(p) for p in paths]
        if set(forms) == {"fasta"}:
            return read_fasta(paths)
        if set(forms) == {"idx"}:
            return read_idx_pairs(paths)
        if set(forms) == {"image"}:
            return read_images(
                paths, _root(paths), cache=self.cache, seed=self.seed, max_rows=self.max_rows, shape=self.shape
            )
        if "image" in forms:
            pictures = [p for p, f in zip(paths, forms, strict=True) if f == "image"]
            return self._mixed([p for p in paths if p not in pictures], pictures, _root(paths))
        raw = combine([self.one(p, f) for p, f in zip(paths, forms, strict=True)], paths)
        return self._pictures_beside(raw, paths[0]) if len(paths) == 1 and forms[0] != "arrays" else raw

    def one(self, path: Path, kind: str) -> Raw:
        """One file that is no picture."""
        from gnomon.data.read import arrays, frames, molecules, records, sequences, tables

        if kind == "delimited":
            return tables.read_delimited(path, seed=self.seed, max_rows=self.max_rows)
        if kind == "arrow":
            return tables.read_arrow(path, seed=self.seed, max_rows=self.max_rows)
        if kind == "smi":
            return molecules.read_smi(path, seed=self.seed, max_rows=self.max_rows)
        if kind == "idx":
            return arrays.read_idx_pairs([path])
        if kind == "fasta":
            return sequences.read_fasta([path])
        plain = {
            "excel": frames.read_excel,
            "json": records.read_json,
            "sdf": molecules.read_sdf,
            "arrays": arrays.read_arrays,
        }
        if kind not in plain:
            raise InputError(
                "E-FORMAT",
                f"{path} is in no format gnomon reads (its first bytes and its extension '{path.suffix}' are unknown)",
                do="give csv, tsv, xlsx, parquet, feather, json lines, FASTA, SMILES, SDF, idx, npz or picture files",
            )
        return plain[kind](path)

    def folder(self, root: Path) -> Raw:
        """A folder: pictures, pictures and a table, or tables; notes and licences beside them are passed over."""
        inside = sorted(
            (
                p
                for p in root.rglob("*")
                if p.is_file() and not any(part.startswith(".") for part in p.relative_to(root).parts)
            ),
            key=lambda p: p.relative_to(root).as_posix(),
        )
        if not inside:
            raise InputError("E-FILE-EMPTY", f"the folder {root} holds no file", do="check the path")
        return self._mixed([], inside, root)

    def _mixed(self, tables: list[Path], inside: list[Path], root: Path) -> Raw:
        from gnomon.data.read.images import is_image, join_images, read_images, without_masks

        pictures, masks = without_masks([p for p in inside if is_image(p)], root)
        others = tables + [p for p in inside if not is_image(p) and not ASIDE.search(p.name)]
        if not pictures:
            return self._tables(others, inside, root)
        with_rows = [
            p for p in others if _extension(p) in ("delimited", "arrow", "excel", "json") and form(p) != "fasta"
        ]
        for path in with_rows:
            raw = self._try(path, required=path in tables)
            joined = None if raw is None else join_images(raw, pictures, root, cache=self.cache, shape=self.shape)
            if joined is not None:
                return replace(joined, paths=(str(path), str(root)), findings=(*joined.findings, *masks))
        if tables:
            raise InputError(
                "E-IMAGES-ABSENT",
                f"no column of {tables[0]} names the {len(pictures)} pictures in {root} (e.g. {pictures[0].name})",
                do="add a column with the file name of each row's picture",
            )
        raw = read_images(pictures, root, cache=self.cache, seed=self.seed, max_rows=self.max_rows, shape=self.shape)
        return replace(raw, findings=(*raw.findings, *masks))

    def _try(self, path: Path, *, required: bool) -> Raw | None:
        """A table that may be about something else: an error only counts when the user named it."""
        try:
            return self.one(path, form(path))
        except InputError:
            if required:
                raise
            return None

    def _tables(self, others: list[Path], inside: list[Path], root: Path) -> Raw:
        forms = {p: form(p) for p in others}
        texts = [p for p in others if p.suffix.lower() == ".txt" and p.parent != root]
        if texts and len(texts) == len(others) and len({p.parent for p in texts}) > 1:
            return _read_texts(texts, root)
        known = [p for p in others if forms[p]]
        if not known:
            raise InputError(
                "E-FORMAT",
                f"the folder {root} holds no file gnomon reads (e.g. {inside[0].name})",
                do="give csv, xlsx, parquet, json lines, FASTA, SMILES, SDF, npz or picture files",
            )
        if any(forms[p] != "json" for p in known):
            known = [p for p in known if forms[p] != "json" or p.suffix != ".json"]  # lists of settings beside tables
        kinds = {forms[p] for p in known}
        if kinds in ({"fasta"}, {"idx"}):
            return self.files(known)
        from gnomon.data.read.join import combine
        from gnomon.data.read.sequences import read_fasta

        fastas = [p for p in known if forms[p] == "fasta"]
        rest = [p for p in known if forms[p] != "fasta"]
        raws = [self.one(p, forms[p]) for p in rest] + ([read_fasta(fastas)] if fastas else [])
        return replace(combine(raws, rest + fastas[:1]), paths=(str(root),))

    def _pictures_beside(self, raw: Raw, table: Path) -> Raw:
        from gnomon.data.read.images import beside, join_images

        if any(k != "image" for n, k in self.kinds.items() if n in raw.columns and k == "text"):
            return raw
        pictures, masks = beside(raw, table)
        if not pictures:
            return raw
        joined = join_images(raw, pictures, table.resolve().parent, cache=self.cache, shape=self.shape)
        return raw if joined is None else replace(joined, findings=(*joined.findings, *masks))


def _root(paths: Sequence[Path]) -> Path:
    """The folder all paths are in."""
    import os

    folders = [str(p if p.is_dir() else p.parent) or "." for p in paths]
    return (
        Path(os.path.commonpath([os.path.abspath(f) for f in folders])) if len(set(folders)) > 1 else Path(folders[0])
    )


def _read_texts(files: Sequence[Path], root: Path) -> Raw:
    """Text files in folders named by class."""
    from gnomon.data.read.images import _folders

    names = [p.relative_to(root).as_posix() for p in files]
    bad: dict[int, str] = {}
    texts: list[str | None] = []
    for i, path in enumerate(files):
        try:
            texts.append(path.read_text(encoding="utf-8").strip() or None)
        except UnicodeDecodeError:
            texts.append(None)
            bad[i] = "is not UTF-8 text"
    raw = Raw(
        {"text": strings(texts)},
        np.arange(len(files)),
        (str(root),),
        kinds={"text": ("text", "text files")},
        items=tuple(names),
        bad=bad,
    )
    return _folders(raw, names)
