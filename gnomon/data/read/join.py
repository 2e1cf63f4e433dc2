"""Several files as one input: the same columns end to end, a shared key side by side, equal rows side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.read import names as told
from gnomon.data.read._raw import Raw, is_strings, strings, take
from gnomon.data.table import Dense
from gnomon.errors import InputError
from gnomon.values import Finding, finding

COVERED = 0.9  # a key joins two tables when so many rows find their partner


def combine(raws: Sequence[Raw], paths: Sequence[Path]) -> Raw:
    """Files of equal columns are stacked; the stacks are joined by key, or row by row when they are equally long."""
    if len(raws) == 1:
        return raws[0]
    families: list[list[int]] = []
    for i, raw in enumerate(raws):
        home = next((f for f in families if _alike(raws[f[0]], raw)), None)
        families.append([i]) if home is None else home.append(i)
    stacks = [(stack([raws[i] for i in rows], [paths[i] for i in rows]), [paths[i] for i in rows]) for rows in families]
    stacks.sort(key=lambda s: -len(s[0]))
    (main, mine), *others = stacks
    for other, theirs in others:
        main = _by_key(main, other, theirs) or _by_row(main, mine, other, theirs)
    return replace(main, paths=tuple(map(str, paths)))


def _alike(one: Raw, other: Raw) -> bool:
    """Whether two files hold the same table: equal columns, or nearly (a column that one lacks is missing there)."""
    a, b = {n.strip() for n in one.columns}, {n.strip() for n in other.columns}
    return a == b or (len(a & b) >= 2 and len(a & b) >= 0.6 * len(a | b))


def stack(raws: Sequence[Raw], paths: Sequence[Path]) -> Raw:
    """Raws of equal columns end to end, with the file each row came from."""
    if len(raws) == 1:
        return raws[0]
    names = list(dict.fromkeys(n.strip() for r in raws for n in r.columns))
    columns = {n: _end_to_end([_named(r, n) for r in raws], [len(r) for r in raws]) for n in names}
    starts = np.cumsum([0, *[len(r) for r in raws]])
    position = (
        np.arange(starts[-1])
        if not any(r.sampled for r in raws)
        else np.concatenate([r.position + s for r, s in zip(raws, starts, strict=False)])
    )
    bad = {i + int(s): why for r, s in zip(raws, starts, strict=False) for i, why in r.bad.items()}
    items = tuple(i for r in raws for i in r.items) if all(r.items for r in raws) else ()
    kinds = {k: v for r in reversed(raws) for k, v in r.kinds.items()}
    roles = {k: v for r in reversed(raws) for k, v in r.roles.items()}
    raw = Raw(
        columns,
        position,
        tuple(map(str, paths)),
        kinds,
        roles,
        items,
        _found_in(raws, paths, names, starts),
        "; ".join(r.sampled for r in raws if r.sampled),
        bad,
    )
    return _file_column(raw, paths, np.repeat(np.arange(len(raws)), [len(r) for r in raws]))


def _found_in(
    raws: Sequence[Raw], paths: Sequence[Path], names: Sequence[str], starts: np.ndarray
) -> tuple[Finding, ...]:
    """What was found in each file, its rows counted over all files; and which columns a file lacks."""
    moved = [
        replace(f, rows=tuple(p + int(s) for p in f.rows))
        for r, s in zip(raws, starts, strict=False)
        for f in r.findings
    ]
    lacking = {n: [p.name for r, p in zip(raws, paths, strict=True) if _named(r, n) is None] for n in names}
    notes = [
        finding(
            "LOOK-KIND",
            "note",
            f"'{n}' is not in {', '.join(files[:3])}; it counts as missing there",
            columns=(n,),
            source="reading",
        )
        for n, files in lacking.items()
        if files
    ]
    return (*moved, *notes)


def _named(raw: Raw, name: str) -> Any:
    return next((v for n, v in raw.columns.items() if n.strip() == name), None)


def _end_to_end(parts: Sequence[Any], lengths: Sequence[int]) -> Any:
    """Columns end to end; a None stands for a file that lacks the column."""
    import pyarrow as pa

    like = next(p for p in parts if p is not None)
    gone = np.full if isinstance(like, np.ndarray) and like.dtype.kind == "f" else None
    parts = [
        p if p is not None else gone(n, np.nan) if gone else strings([None] * n)
        for p, n in zip(parts, lengths, strict=True)
    ]
    if all(is_strings(p) for p in parts):
        return pa.chunked_array([c for p in parts for c in p.chunks], pa.string())
    if all(isinstance(p, np.ndarray) for p in parts) and len({p.dtype.kind for p in parts}) == 1:
        return np.concatenate(parts)
    if all(isinstance(p, Dense) for p in parts):
        return replace(parts[0], values=np.concatenate([p.values for p in parts]))
    return _end_to_end([p if is_strings(p) else strings([_word(v) for v in p.tolist()]) for p in parts], lengths)


def _word(value: Any) -> str | None:
    if value != value or value is None:
        return None
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _file_column(raw: Raw, paths: Sequence[Path], owner: np.ndarray) -> Raw:
    """Which file a row came from: a split when the files are called so, a class when each file is a bare list."""
    parts, classes = told.parts_and_classes([p.name for p in paths])
    if all(parts) and len(set(parts)) > 1:
        why = "the files are called train, test and the like"
        return raw.add("file:split", strings([parts[i] for i in owner]), ("category", why), ("split", why))
    stems = [told.stem(p.name) for p in paths]
    stems = stems if len(set(stems)) == len(stems) else [str(p) for p in paths]
    if len(raw.columns) == 1 and all(classes) and len(set(classes)) > 1:
        why = f"one file a class: {', '.join(sorted(set(classes))[:5])}"
        return raw.add("class", strings([classes[i] for i in owner]), ("category", why), ("target", why))
    why = "the file a row came from"
    role = (
        ("group", f"{why}; {len(paths)} files")
        if len(paths) >= 5
        else ("ignore", f"{why}; to hold files out: --group file")
    )
    name = "file" if "file" not in raw.columns else "file:name"
    return raw.add(name, strings([stems[i] for i in owner]), ("category", why), role)


def _keys(values: Any) -> np.ndarray | None:
    """A raw column as texts to match on; None for fractions and finished columns."""
    if is_strings(values):
        return np.array([None if v is None else v.strip() for v in values.to_pylist()], dtype=object)
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and (values[~np.isnan(values)] % 1 == 0).all():
        return np.array([_word(float(v)) for v in values], dtype=object)
    return None


def _by_key(main: Raw, other: Raw, paths: Sequence[Path]) -> Raw | None:
    """The other table's columns, found for each row by a key whose values are each there once."""
    found = _shared_key(main, other)
    if found is None:
        return None
    mine, theirs, match = found
    label = " and ".join(told.stem(p.name) for p in paths)
    rows = np.where(match < 0, 0, match)
    for name, values in other.columns.items():
        if name == theirs or name.startswith("file:") or name == "file":
            continue
        picked = _blanked(take(values, rows), match < 0)
        kept = name if name not in main.columns else f"{name} ({label})"
        main = main.add(kept, picked, other.kinds.get(name), other.roles.get(name))
    unmatched = np.flatnonzero(match < 0)
    note = finding(
        "LOOK-KIND",
        "note",
        f"rows were joined to {label} by '{mine}'; {len(unmatched)} rows have no partner there",
        rows=main.position[unmatched],
        columns=(mine,),
        source="reading",
    )
    distinct = len(set(_keys(main.columns[mine])))  # type: ignore[arg-type]
    role = (
        ("group", f"names the entry of {label} that a row uses; {distinct} of them")
        if distinct < len(main)
        else ("identifier", f"names the entry of {label}")
    )
    return replace(
        main,
        findings=(*main.findings, note),
        roles={**main.roles, mine: role},
        kinds={**main.kinds, mine: ("category", f"key of {label}")},
    )


def _shared_key(main: Raw, other: Raw) -> tuple[str, str, np.ndarray] | None:
    mine = {n: k for n, v in main.columns.items() if (k := _keys(v)) is not None}
    best: tuple[float, str, str, np.ndarray] | None = None
    for theirs, values in other.columns.items():
        keys = _keys(values)
        if keys is None or len(set(keys)) < len(keys) or None in set(keys) or len(keys) < 3:
            continue
        place = {k: i for i, k in enumerate(keys)}
        counting = all(k.isdigit() and int(k) <= len(keys) for k in keys)  # 0, 1, 2 ... match by accident
        for name, wanted in mine.items():
            if counting and name != theirs:
                continue
            match = np.array([place.get(k, -1) for k in wanted])
            score = float((match >= 0).mean()) + (0.5 if name.strip().lower() == theirs.strip().lower() else 0)
            if (match >= 0).mean() >= COVERED and (best is None or score > best[0]):
                best = (score, name, theirs, match)
    return None if best is None else best[1:]


def _blanked(values: Any, gone: np.ndarray) -> Any:
    """A raw column with some rows missing."""
    if not gone.any():
        return values
    if is_strings(values):
        return strings([None if g else v for g, v in zip(gone, values.to_pylist(), strict=True)])
    if isinstance(values, np.ndarray) and values.dtype.kind == "f":
        return np.where(gone, np.nan, values)
    return strings([None if g else _word(v) for g, v in zip(gone, values.tolist(), strict=True)])


def _by_row(main: Raw, mine: Sequence[Path], other: Raw, theirs: Sequence[Path]) -> Raw:
    """Equally long tables without a key, side by side, which is said; else an error naming what differs."""
    parts = [told.parts_and_classes([p.name for p in paths])[0] for paths in (mine, theirs)]
    if len(main) != len(other) or (len(mine) > 1 and parts[0] != parts[1]):
        lacking = sorted(set(main.columns) - set(other.columns) - {"file", "file:split"})[:3]
        raise InputError(
            "E-FILES-DIFFER",
            f"{mine[0]} ({len(main)} rows) and {theirs[0]} ({len(other)} rows) have different "
            f"columns ({', '.join(map(repr, lacking))} ... only in the first), no key that links them, and not "
            "the same number of rows",
            do="name one of the files, or give files with equal columns or a shared key column",
        )
    for name, values in other.columns.items():
        if name in ("file", "file:split") and name in main.columns:
            continue
        kept = name if name not in main.columns else f"{name} ({told.stem(theirs[0].name)})"
        main = main.add(kept, values, other.kinds.get(name), other.roles.get(name))
    note = finding(
        "LOOK-KIND",
        "warn",
        f"{mine[0].name} and {theirs[0].name} share no key; row i of one was taken to belong to row i of the other",
        source="reading",
    )
    return replace(main, findings=(*main.findings, note), bad={**main.bad, **other.bad})
