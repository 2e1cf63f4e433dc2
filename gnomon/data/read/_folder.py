"""A folder as one input: pictures, pictures and a table about them, tables, or texts in folders named by class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gnomon.data.read._files import TOGETHER, Options, read_one, read_pictures, read_together, refuse_empty
from gnomon.data.read._folder_names import told_by_folders
from gnomon.data.read._form import by_extension, form
from gnomon.data.read._raw import Raw, strings
from gnomon.errors import InputError

ASIDE = re.compile(
    r"^(origin|licen[cs]e|readme|notes?|citation|changelog|copying|authors|description|metadata)\b|^[._]|"
    r"\.(md|rst|ya?ml|html?|py|r|ipynb|pdf|docx?|log|xml|gexf|toml|cfg|ini|sh|bib|checkpoint)(\.gz)?$",
    re.I,
)
TABLES = ("delimited", "arrow", "excel", "json")


def read_folder(root: Path, options: Options) -> Raw:
    """A folder: pictures, pictures and a table, or tables; notes and licences beside them are passed over."""

    def seen(path: Path) -> bool:
        return path.is_file() and not any(part.startswith(".") for part in path.relative_to(root).parts)

    inside = sorted((p for p in root.rglob("*") if seen(p)), key=lambda p: p.relative_to(root).as_posix())
    if not inside:
        raise InputError("E-FILE-EMPTY", f"the folder {root} holds no file", do="check the path")
    return read_mixed([], inside, root, options)


def read_mixed(tables: list[Path], inside: list[Path], root: Path, options: Options) -> Raw:
    """Tables named by the user and whatever lies in folders: a table that names the pictures is joined to them."""
    from gnomon.data.read.images import is_image, join_images, without_masks

    pictures, masks = without_masks([p for p in inside if is_image(p)], root)
    others = tables + [p for p in inside if not is_image(p) and not ASIDE.search(p.name)]
    if not pictures:
        return _without_pictures(others, inside, root, options)
    for path in [p for p in others if by_extension(p) in TABLES and form(p) != "fasta"]:
        raw = _attempt(path, options, required=path in tables)
        joined = None if raw is None else join_images(raw, pictures, root, cache=options.cache, shape=options.shape)
        if joined is not None:
            return replace(joined, paths=(str(path), str(root)), findings=(*joined.findings, *masks))
    if tables:
        raise InputError(
            "E-IMAGES-ABSENT",
            f"no column of {tables[0]} names the {len(pictures)} pictures in {root} (e.g. {pictures[0].name})",
            do="add a column with the file name of each row's picture",
        )
    raw = read_pictures(pictures, root, options)
    return replace(raw, findings=(*raw.findings, *masks))


def _attempt(path: Path, options: Options, *, required: bool) -> Raw | None:
    """A table that may be about something else: an error only counts when the user named it."""
    try:
        return read_one(path, form(path), options)
    except InputError:
        if required:
            raise
        return None


def _without_pictures(others: list[Path], inside: list[Path], root: Path, options: Options) -> Raw:
    """Texts in folders named by class, or everything that is a table, stacked and joined."""
    from gnomon.data.read.join import combine

    forms = {p: found for p in others if (found := form(p))}
    texts = [p for p in others if p.suffix.lower() == ".txt" and p.parent != root]
    if texts and len(texts) == len(others) and len({p.parent for p in texts}) > 1:
        return _texts(texts, root)
    if not forms:
        raise InputError(
            "E-FORMAT",
            f"the folder {root} holds no file gnomon reads (e.g. {inside[0].name})",
            do="give csv, xlsx, parquet, json lines, FASTA, SMILES, SDF, npz or picture files",
        )
    if any(found != "json" for found in forms.values()):  # lists of settings lie beside tables
        forms = {p: found for p, found in forms.items() if found != "json" or p.suffix != ".json"}
    if len(set(forms.values())) == 1 and (only := next(iter(forms.values()))) in TOGETHER:
        refuse_empty(list(forms))
        return read_together(list(forms), only)
    fastas = [p for p in forms if forms[p] == "fasta"]
    rest = [p for p in forms if forms[p] != "fasta"]
    raws = [read_one(p, forms[p], options) for p in rest] + ([read_together(fastas, "fasta")] if fastas else [])
    return replace(combine(raws, rest + fastas[:1]), paths=(str(root),))


def _texts(files: Sequence[Path], root: Path) -> Raw:
    """Text files in folders named by class."""
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
    return told_by_folders(raw, names)
