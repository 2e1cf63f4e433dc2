"""The form of a data set as JSON, and new data read into that same form for prediction."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.infer import Guess, infer_kind, words
from gnomon.data.read._built import Built
from gnomon.data.read._category_columns import recode
from gnomon.data.read._raw import Raw
from gnomon.data.read.columns import build
from gnomon.data.read.endless import finite_targets
from gnomon.data.read.roles import Facts
from gnomon.data.table import Data, Dense, Mapped, Role, Spec, member_names
from gnomon.errors import InputError

NEEDED = ("molecule", "sequence", "image", "text")  # inputs that cannot be left out and counted as missing


def schema(data: Data) -> dict[str, Any]:
    """Names, kinds, roles, categories: all that is needed to read new data alike. Fit for JSON.

    Categories are kept for inputs and targets only: names of patients and the like stay out.
    """
    out = []
    for name, column in data.columns.items():
        spec, role = column.spec, data.roles[name]
        told = role.role in ("input", "target")
        out.append(
            {
                "name": name,
                "kind": spec.kind,
                "shape": list(spec.shape),
                "detail": spec.detail,
                "unit": spec.unit,
                "categories": list(spec.categories) if told else [],
                "role": role.role,
                "because": role.because,
                "stated": role.stated,
                "names": list(member_names(column)),
                "kind_because": data.kinds_because.get(name, ""),
            }
        )
    return {"format": 1, "columns": out}


def read_like(
    saved: Mapping[str, Any], source: Any, *, cache: Path | None = None, seed: int = 0, max_rows: int | None = None
) -> tuple[Data, list[str]]:
    """New data in the form of the data a study was made on, and messages naming missing, extra and renamed columns.

    Values a category did not have count as missing (-1); targets may be absent. Broken rows are dropped, listed in a
    LOOK-CORRUPT finding, and `position` keeps every row's place in the source. Raises InputError when an input that
    cannot be imputed (a molecule, sequence, picture or text) is absent, or every input is.
    """
    from gnomon.data.read.derived import date_from_parts, groups_from_names
    from gnomon.data.read.dispatch import without_bad
    from gnomon.data.read.sources import gather

    wanted = saved["columns"]
    shapes = [tuple(c["shape"]) for c in wanted if c["kind"] == "image" and c["role"] == "input"]
    raw = gather(source, cache=cache, seed=seed, max_rows=max_rows, shape=shapes[0] if shapes else None)
    raw = date_from_parts(groups_from_names(raw), {})
    found, messages = _matched(wanted, raw)
    columns, bad, findings = {}, dict(raw.bad), list(raw.findings)
    for form in wanted:
        built = _one(form, raw, found, messages)
        columns[form["name"]] = built.column
        findings += built.findings
        if form["role"] == "input":
            for row, why in built.bad:
                bad.setdefault(row, f"'{form['name']}' {why}")
    data = Data(
        columns,
        {c["name"]: Role(c["role"], c["because"], c["stated"]) for c in wanted},
        np.asarray(raw.position, dtype=np.int64),
        raw.paths,
        raw.items,
        tuple(findings),
        raw.sampled,
        {c["name"]: c["kind_because"] for c in wanted},
        int(raw.position.max(initial=-1)) + 1,
    )
    return without_bad(finite_targets(data), {**_empty(data), **bad}), messages


def _empty(data: Data) -> dict[int, str]:
    """Rows whose only structure is missing: nothing could be predicted from them."""
    from gnomon.data.read.dispatch import BLANK
    from gnomon.data.table import missing

    structures = data.of_kind(*BLANK)
    if len(structures) != 1:
        return {}
    return {int(r): f"'{structures[0]}' is missing" for r in np.flatnonzero(missing(data.columns[structures[0]]))}


def _matched(wanted: list[Mapping[str, Any]], raw: Raw) -> tuple[dict[str, str], list[str]]:
    """Saved name (of each column, and of each in a block) -> name in the new data; and what to tell the user."""
    names = [n for c in wanted for n in (c["names"] if c["names"] and c["name"] not in raw.columns else [c["name"]])]
    found = {n: n for n in names if n in raw.columns}
    spare = [n for n in raw.columns if n not in found]
    messages = []
    for name in [n for n in names if n not in found]:
        same = [s for s in spare if "".join(words(s)) == "".join(words(name)) and words(s)]
        if len(same) == 1:
            found[name] = same[0]
            spare.remove(same[0])
            messages.append(f"column '{same[0]}' is read as '{name}'")
    for form in wanted:
        if form["name"] in found or form["kind"] not in NEEDED or form["role"] != "input" or form["names"]:
            continue
        alike = [s for s in spare if _kind_of(s, raw) == form["kind"]]
        if len(alike) == 1:
            found[form["name"]] = alike[0]
            spare.remove(alike[0])
            messages.append(f"column '{alike[0]}' is read as '{form['name']}', the only {form['kind']} here")
    _tell(wanted, raw, found, spare, messages)
    return found, messages


def _kind_of(name: str, raw: Raw) -> str:
    if name in raw.kinds:
        return raw.kinds[name][0]
    return (
        raw.columns[name].spec.kind if hasattr(raw.columns[name], "spec") else infer_kind(name, raw.columns[name]).kind
    )


def _tell(
    wanted: list[Mapping[str, Any]], raw: Raw, found: dict[str, str], spare: list[str], messages: list[str]
) -> None:
    inputs = [c for c in wanted if c["role"] == "input"]
    lost = [
        n
        for c in inputs
        for n in ([c["name"]] if c["name"] in found or not c["names"] else c["names"])
        if n not in found
    ]
    needed = [c["name"] for c in inputs if c["name"] in lost and c["kind"] in NEEDED]
    where = f" in {raw.paths[0]}" if raw.paths else ""
    if needed or (inputs and len(lost) == sum(len(c["names"]) or 1 for c in inputs)):
        first = (needed or lost)[0]
        near = difflib.get_close_matches(first, spare, n=2, cutoff=0.5)
        raise InputError(
            "E-COLUMNS-MISSING",
            f"the model needs the column '{first}'{where}, which is not there"
            + (f" (nor {len(lost) - 1} others)" if len(lost) > 1 else ""),
            do=f"rename {' or '.join(repr(n) for n in near)} to '{first}'"
            if near
            else f"add the column; there is {', '.join(map(repr, list(raw.columns)[:8]))}",
        )
    for name in lost[:20]:
        near = difflib.get_close_matches(name, spare, n=1, cutoff=0.6)
        hint = f"; is '{near[0]}' its new name? Rename it to use it" if near else ""
        messages.append(f"column '{name}' is missing{where}: it counts as missing in every row{hint}")
    if len(lost) > 20:
        messages.append(f"{len(lost) - 20} more columns are missing")
    extra = [n for n in spare if not n.startswith("file")]
    if extra:
        more = f" and {len(extra) - 8} more" if len(extra) > 8 else ""
        messages.append(f"not used, the model does not know them: {', '.join(map(repr, extra[:8]))}{more}")


def _one(form: Mapping[str, Any], raw: Raw, found: Mapping[str, str], messages: list[str]) -> Built:
    """One saved column out of the new data."""
    name, kind = form["name"], form["kind"]
    spec = Spec(kind, tuple(form["shape"]), tuple(form["categories"]), (), form["detail"], form["unit"])
    if form["names"] and name not in found:
        return _block(form, raw, found, spec)
    if name not in found:
        return Built(_missing(spec, len(raw)), Facts(kind, "", 0, 0))
    values = raw.columns[found[name]]
    if kind == "image":
        return Built(_pictures(name, values, spec), Facts(kind, "", len(raw), len(raw)))
    if hasattr(values, "spec"):
        return Built(values, Facts(kind, "", len(raw), len(raw)))
    try:
        built = build(name, values, Guess(kind, "as in the study", spec.detail), raw.position)
    except InputError as refused:
        if form["role"] in ("input", "target"):
            raise InputError(refused.code, refused.message, do=f"write it as in the study, where it is {kind}") from None
        return Built(_missing(spec, len(raw)), Facts(kind, "", 0, 0))
    if kind == "category" and form["role"] in ("input", "target"):
        column, unseen = recode(built.column, spec.categories)
        rows = int(((column.values < 0) & (built.column.values >= 0)).sum())
        if unseen and form["role"] == "input":
            messages.append(
                f"column '{name}': {rows} rows have one of {len(unseen)} values the model has not seen "
                f"({', '.join(map(repr, unseen[:3]))}); they count as missing"
            )
        elif unseen:
            messages.append(
                f"target '{name}': {rows} rows have one of {len(unseen)} classes the model has not seen "
                f"({', '.join(map(repr, unseen[:3]))}); they count as rows without a target"
            )
        return replace(built, column=column)
    return replace(built, column=replace(built.column, spec=spec)) if kind in ("sequence", "number") else built


def _block(form: Mapping[str, Any], raw: Raw, found: Mapping[str, str], spec: Spec) -> Built:
    values, findings = np.full((len(raw), len(form["names"])), np.nan, dtype=np.float32), []
    for i, name in enumerate(form["names"]):
        if name in found:
            built = build(name, raw.columns[found[name]], Guess("number", ""), raw.position)
            values[:, i] = built.column.values
            findings += built.findings
    return Built(Dense(values, spec, tuple(form["names"])), Facts("number", "", len(raw), len(raw)), tuple(findings))


def _missing(spec: Spec, n: int) -> Dense:
    """A column with no value in any row."""
    if spec.kind == "number":
        shape = (n, *spec.shape)
        return Dense(np.full(shape, np.nan, dtype=np.float32 if spec.shape else np.float64), spec)
    if spec.kind == "category":
        return Dense(np.full(n, -1, dtype=np.int32), spec)
    if spec.kind == "date":
        return Dense(np.full(n, np.datetime64("NaT"), dtype="datetime64[ns]"), spec)
    if spec.kind == "image":
        return Dense(np.zeros((n, *spec.shape), dtype=spec.detail or "uint8"), spec)
    return Dense(np.full(n, None, dtype=object), spec)


def _pictures(name: str, column: Any, spec: Spec) -> Any:
    """Pictures of the saved size and pixel type."""
    from gnomon.data._picture_file import pixels_as

    if tuple(column.spec.shape) != spec.shape:
        raise InputError(
            "E-IMAGE-SHAPE",
            f"the pictures in '{name}' have the shape {tuple(column.spec.shape)} (channels, height, "
            f"width), the model's {spec.shape}",
            do="give pictures of that shape, or as files, which are resized",
        )
    if column.spec.detail == spec.detail:
        return column
    dtype = np.dtype(spec.detail)
    if isinstance(column, Mapped):
        load = column.load
        return replace(column, load=lambda rows: pixels_as(load(rows), dtype), spec=spec)
    return replace(column, values=pixels_as(column.values, dtype), spec=spec)
