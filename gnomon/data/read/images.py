"""Pictures: folders by class or flat, a list of files, a table with a file column."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from gnomon.data._picture_file import Header
from gnomon.data.cache import decode
from gnomon.data.infer import IMAGE_FILE
from gnomon.data.read import names as told
from gnomon.data.read._folder_names import told_by_folders
from gnomon.data.read._raw import Raw, is_strings, strings
from gnomon.errors import InputError
from gnomon.rng import stream
from gnomon.values import finding

PICTURE = "image"
IMAGE_FOLDER = re.compile(r"^(images?|imgs?|raw|inputs?|pictures?)\d*$", re.I)
MASK_FOLDER = re.compile(
    r"^(labels?|masks?|annotations?|segmentations?|manual|gt|ground_?truth|truth|fov|targets?|outputs?)\d*$", re.I
)


def is_image(path: Path | str) -> bool:
    """By its extension."""
    return bool(IMAGE_FILE.search(str(path)))


def read_images(
    files: Sequence[Path],
    root: Path,
    *,
    cache: Path | None = None,
    seed: int = 0,
    max_rows: int | None = None,
    shape: tuple[int, int, int] | None = None,
) -> Raw:
    """Picture files as rows: channels and depths of one site join, folders become classes, parts or groups."""
    relative = [path.relative_to(root).as_posix() for path in files]
    items, names, incomplete = _joined(list(files), relative)
    position, sampled = np.arange(len(items)), ""
    if max_rows is not None and len(items) > max_rows:
        position = np.sort(stream(seed, "sample rows").choice(len(items), max_rows, replace=False))
        sampled = f"a uniform random sample of {max_rows:,} of the {len(items):,} pictures (seed {seed})"
        items, names = [items[i] for i in position], [names[i] for i in position]
    pictures = decode(items, cache=cache, shape=shape)
    bad = {**pictures.bad, **{i: why for i, why in incomplete.items() if i < len(items) and not sampled}}
    found = _resize_note(pictures.resized, pictures.because)
    raw = Raw(
        {PICTURE: pictures.column},
        position,
        (str(root),),
        kinds={PICTURE: ("image", pictures.because)},
        items=tuple(names),
        findings=found,
        sampled=sampled,
        bad=bad,
    )
    return with_headers(told_by_folders(raw, names), pictures.headers, names)


def _resize_note(resized: bool, because: str) -> tuple:
    if not resized:
        return ()
    return (
        finding("LOOK-KIND", "note", f"the pictures differ in size: {because}", columns=(PICTURE,), source="reading"),
    )


def _joined(files: list[Path], relative: list[str]) -> tuple[list[tuple[Path, ...]], list[str], dict[int, str]]:
    """Files of one site (`B03_s2_w1_z4.tif`: same name but for channel and depth) as one item, channel by channel."""
    found = told.fields(relative)
    micro = "channel" in found or ("slice" in found and ("well" in found or "site" in found))
    if not micro:
        return [(f,) for f in files], relative, {}
    keys = [_without(name) for name in relative]
    members: dict[str, list[int]] = {}
    for i, key in enumerate(keys):
        members.setdefault(key, []).append(i)
    if len(members) == len(files):
        return [(f,) for f in files], relative, {}
    none = [""] * len(files)
    rank = [
        (int(c or 0), int(z or 0)) for c, z in zip(found.get("channel", none), found.get("slice", none), strict=True)
    ]
    whole = max(len(m) for m in members.values())
    items, names, bad = [], [], {}
    for i, (_, rows) in enumerate(sorted(members.items())):
        rows = sorted(rows, key=lambda r: rank[r])
        items.append(tuple(files[r] for r in rows))
        names.append(relative[rows[0]])
        if len(rows) < whole:
            bad[i] = f"has {len(rows)} of {whole} channel or depth files"
    return items, names, bad


def _without(name: str) -> str:
    """A name without its channel and depth tokens."""
    folder, _, base = name.rpartition("/")
    parts = [t for t in told.tokens(base) if not (told.FINE["channel"].match(t) or told.FINE["slice"].match(t))]
    return f"{folder}/{'_'.join(parts)}"


def without_masks(files: list[Path], root: Path) -> tuple[list[Path], tuple]:
    """Where folders called images and masks (labels, manual ...) stand side by side, the images alone, and a note."""
    parents = {p.parent.name.lower() for p in files}
    pictured = {n for n in parents if IMAGE_FOLDER.match(n)}
    masks = {n for n in parents if MASK_FOLDER.match(n)}
    if not pictured or not masks or pictured | masks != parents:
        return files, ()
    kept = [p for p in files if p.parent.name.lower() in pictured]
    note = finding(
        "LOOK-KIND",
        "note",
        f"{len(files) - len(kept)} pictures in folders called {', '.join(sorted(masks))} look like "
        "masks; they are neither inputs nor classes",
        source="reading",
    )
    return kept, (note,)


def with_headers(raw: Raw, headers: Sequence[Header | None], names: Sequence[str]) -> Raw:
    """The files' size, mode and type where they vary: no inputs, but they may give the target away (a shortcut)."""
    aside = ("ignore", "kept to check whether it gives the target away")
    for key, values in (
        ("width", [h.width if h else np.nan for h in headers]),
        ("height", [h.height if h else np.nan for h in headers]),
    ):
        known = {v for v in values if v == v}
        if len(known) > 1:
            raw = raw.add(f"file:{key}", np.array(values, dtype=np.float64), None, aside)
    modes = [h.mode if h else None for h in headers]
    types = [name.rsplit(".", 1)[-1].lower().replace("jpeg", "jpg") for name in names]
    for key, words in (("mode", modes), ("type", types)):
        if len({w for w in words if w}) > 1:
            raw = raw.add(f"file:{key}", strings(words), ("category", "from the files"), aside)
    return raw


def file_column(raw: Raw, files: dict[str, Path]) -> tuple[str, list[Path | None]] | None:
    """The column of a table that names the picture files (by path, name or stem), with each row's file."""
    best: tuple[float, str, list[Path | None]] | None = None
    for name, values in raw.columns.items():
        if not is_strings(values):
            continue
        paths = [
            None
            if v is None
            else files.get(v.strip().replace("\\", "/").removeprefix("./"))
            or files.get(v.strip().replace("\\", "/").rsplit("/", 1)[-1])
            for v in values.to_pylist()
        ]
        share = sum(1 for p in paths if p is not None) / max(len(paths), 1)
        if share >= 0.5 and (best is None or share > best[0]):
            best = (share, name, paths)
    return None if best is None else (best[1], best[2])


def lookup(files: Sequence[Path], root: Path) -> dict[str, Path]:
    """Every way a table may name a file: relative path, name, stem; ambiguous names are left out."""
    out: dict[str, Path] = {}
    twice: set[str] = set()
    for path in files:
        for key in {path.relative_to(root).as_posix(), path.name, path.stem, str(path)}:
            if key in out:
                twice.add(key)
            out[key] = path
    return {key: path for key, path in out.items() if key not in twice}


def join_images(
    raw: Raw, files: Sequence[Path], root: Path, *, cache: Path | None = None, shape: tuple[int, int, int] | None = None
) -> Raw | None:
    """A table and the pictures it names: one row a row of the table; None when no column names them."""
    found = file_column(raw, lookup(files, root))
    if found is None:
        return None
    column, paths = found
    missing = {i: "its picture file is not there" for i, p in enumerate(paths) if p is None}
    rows = [i for i, p in enumerate(paths) if p is not None]
    if not rows:
        return None
    stand_in = paths[rows[0]]
    pictures = decode([(p or stand_in,) for p in paths], cache=cache, shape=shape)  # type: ignore[misc]
    items = tuple("" if p is None else p.relative_to(root).as_posix() for p in paths)
    name = PICTURE if PICTURE not in raw.columns else f"{PICTURE} file"
    notes = list(_resize_note(pictures.resized, pictures.because))
    spare = len(set(files)) - len({p for p in paths if p is not None})
    if spare:
        notes.append(
            finding(
                "LOOK-KIND",
                "note",
                f"{spare} of {len(files)} picture files are named in no row and are not used",
                source="reading",
            )
        )
    raw = replace(raw, items=items, bad={**raw.bad, **pictures.bad, **missing}, findings=(*raw.findings, *notes))
    raw = replace(
        raw,
        columns={name: pictures.column, **raw.columns},
        kinds={**raw.kinds, name: ("image", pictures.because)},
        roles={**raw.roles, column: ("identifier", "names the picture file of each row")},
    )
    return with_headers(raw, pictures.headers, [i or "none.png" for i in items])


def beside(raw: Raw, table: Path) -> tuple[list[Path], tuple]:
    """Picture files that a table's file column names, sought beside the table, and what was passed over there (masks of the
    same names); [] when it names none."""
    for name, values in raw.columns.items():
        if not is_strings(values):
            continue
        seen = [v.strip() for v in values.slice(0, 200).to_pylist() if v]
        if not seen or sum(1 for v in seen if is_image(v)) < 0.8 * len(seen):
            continue
        folder = table.resolve().parent
        direct = [folder / v for v in seen]
        if sum(1 for p in direct if p.exists()) >= 0.5 * len(seen):
            return [p for v in dict.fromkeys(values.to_pylist()) if v and (p := folder / v.strip()).exists()], ()
        inside = [p for sub in sorted(folder.iterdir()) if sub.is_dir() for p in sorted(sub.rglob("*")) if is_image(p)]
        inside, masks = without_masks(inside, folder)
        wanted = {v.rsplit("/", 1)[-1] for v in seen}
        if wanted & {p.name for p in inside}:
            return inside, masks
        raise InputError(
            "E-IMAGES-ABSENT",
            f"column '{name}' of {table} names pictures such as '{seen[0]}' (row 0); none is "
            f"beside the table or in a folder next to it",
            do=f"put the pictures beside the table, or use --kinds '{name}=text' to read the table alone",
        )
    return _by_stem(raw, table.resolve().parent), ()


def _by_stem(raw: Raw, folder: Path) -> list[Path]:
    """Pictures of a folder called images (or the like) that a column names without their ending; [] when none does."""
    for sub in sorted(p for p in folder.iterdir() if p.is_dir() and IMAGE_FOLDER.match(p.name)):
        inside = [p for p in sorted(sub.rglob("*")) if is_image(p)]
        stems = {p.stem for p in inside}
        for values in raw.columns.values():
            seen = [v.strip() for v in values.slice(0, 200).to_pylist() if v] if is_strings(values) else []
            if seen and sum(v in stems for v in seen) >= 0.8 * len(seen):
                return inside
    return []
