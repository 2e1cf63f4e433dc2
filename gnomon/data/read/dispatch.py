"""From a path, several paths, a folder or a DataFrame to Data: the one door to reading."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data import infer
from gnomon.data.read._built import Built
from gnomon.data.read._raw import Raw
from gnomon.data.read.columns import build
from gnomon.data.read.endless import finite_targets
from gnomon.data.read.roles import infer_roles
from gnomon.data.read.saved import read_like, schema
from gnomon.data.table import KINDS, ROLES, Data, Dense, Role, Spec
from gnomon.errors import InputError
from gnomon.values import Finding, finding

MANY_COLUMNS = 200  # more number columns than this in a row become one block
BAD_SHARE = 0.2  # more broken rows than this share, and the input is refused
BLANK = ("molecule", "sequence", "image")  # kinds whose rows are worth nothing when their only such value is missing


def read_data(
    source: Any,
    *,
    target: Sequence[str] = (),
    roles: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    cache: Path | None = None,
    seed: int = 0,
    max_rows: int | None = None,
) -> Data:
    """Read anything gnomon knows into columns with kinds and roles.

    source: a path, several paths, a folder, a pandas DataFrame, or a mapping of arrays.
    target: the columns to predict. roles, kinds: column -> role or kind stated by the user; they win.
    cache: folder for decoded images (default: a temporary one). max_rows: keep at most so many rows, drawn uniformly.
    Raises InputError (E-...) for input that cannot be used as a whole; single bad rows are dropped and listed.
    """
    from gnomon.data.read.sources import gather

    target = (target,) if isinstance(target, str) else tuple(target)
    roles, kinds = dict(roles or {}), dict(kinds or {})
    raw = gather(source, kinds=kinds, cache=cache, seed=seed, max_rows=max_rows)
    return assemble(raw, target=target, roles=roles, kinds=kinds)


def assemble(raw: Raw, *, target: tuple[str, ...], roles: Mapping[str, str], kinds: Mapping[str, str]) -> Data:
    """A Raw to Data: kinds, columns, roles, bad rows out, like numbers into blocks."""
    from gnomon.data.read.derived import date_from_parts, groups_from_names

    raw = groups_from_names(raw)
    target = tuple(closest(name, raw.columns, "E-TARGET-ABSENT", "target", raw.paths) for name in target)
    roles = {
        closest(n, raw.columns, "E-COLUMN-ABSENT", "column", raw.paths): _known(r, ROLES, "role")
        for n, r in roles.items()
    }
    kinds = {
        closest(n, raw.columns, "E-COLUMN-ABSENT", "column", raw.paths): _known(k, KINDS, "kind")
        for n, k in kinds.items()
    }
    raw = date_from_parts(raw, roles)
    guesses = {n: _guess(n, v, raw, kinds, roles, n in target) for n, v in raw.columns.items()}
    built = {n: build(n, v, guesses[n], raw.position) for n, v in raw.columns.items()}
    told = infer_roles({n: b.facts for n, b in built.items()}, raw.roles, roles, target)
    built, guesses = _as_used(raw, built, guesses, told, kinds)
    _check_targets(built, told, raw)
    data = Data(
        columns={n: b.column for n, b in built.items()},
        roles={n: Role(*r) for n, r in told.items()},
        position=np.asarray(raw.position, dtype=np.int64),
        paths=raw.paths,
        items=raw.items,
        findings=(*raw.findings, *_kind_notes(guesses), *(f for b in built.values() for f in b.findings)),
        sampled=raw.sampled,
        kinds_because={n: g.because for n, g in guesses.items()},
        source_rows=int(raw.position.max(initial=-1)) + 1,
    )
    stated = "repair or remove them, or state the column's kind, e.g. --kinds COLUMN=text"
    return blocks(without_bad(finite_targets(data), _bad_rows(raw, built, data), do=stated))


def _known(word: str, allowed: Sequence[str], what: str) -> str:
    if word not in allowed:
        raise InputError("E-OPTION", f"'{word}' is no {what}", do=f"one of: {', '.join(allowed)}")
    return word


def closest(name: str, names: Any, code: str, what: str, paths: Sequence[str]) -> str:
    """The column of this name (blanks around it ignored); else an error offering the closest names."""
    if name in names:
        return name
    same = [n for n in names if n.strip() == name.strip()] or [n for n in names if n.lower() == name.strip().lower()]
    if len(same) == 1:
        return same[0]
    near = difflib.get_close_matches(name, list(names), n=3, cutoff=0.4)
    near += [n for n in names if name.lower() in n.lower() and n not in near][: 3 - len(near)]
    where = f" in {paths[0]}" if paths else ""
    shown = ", ".join(f"'{n}'" for n in list(names)[:12]) + (" ..." if len(names) > 12 else "")
    raise InputError(
        code,
        f"no column is called '{name}'{where}; the {what} was sought among {shown}",
        do="did you mean " + " or ".join(f"'{n}'" for n in near) + "?" if near else "name one of these columns",
    )


def _guess(
    name: str, values: Any, raw: Raw, kinds: Mapping[str, str], roles: Mapping[str, str], target: bool
) -> infer.Guess:
    if name in kinds:
        seen = infer.infer_kind(name, values, target=target) if not hasattr(values, "spec") else None
        detail = seen.detail if seen is not None and seen.kind == kinds[name] else ""
        return infer.Guess(kinds[name], "stated by you", detail)
    if hasattr(values, "spec"):
        return infer.Guess(values.spec.kind, raw.kinds.get(name, ("", "from the file's form"))[1], values.spec.detail)
    if name in raw.kinds:
        return infer.Guess(*raw.kinds[name])
    if roles.get(name) in ("group", "split"):
        return infer.Guess("category", f"a {roles[name]} column")
    return infer.infer_kind(name, values, target=target)


def _as_used(raw: Raw, built: dict, guesses: dict, told: dict, kinds: Mapping[str, str]) -> tuple[dict, dict]:
    """Roles can ask for another kind: groups and splits are categories; a target found by its name may be classes."""
    for name, (role, _, _) in told.items():
        if name in kinds or hasattr(raw.columns[name], "spec") or name in raw.kinds:
            continue
        again = guesses[name]
        if role in ("group", "split") and again.kind in ("number", "text", "molecule"):
            again = infer.Guess("category", f"a {role} column")
        elif role == "target":
            again = infer.infer_kind(name, raw.columns[name], target=True)
            if (
                again.kind == "text"
                and again.detail == ""
                and built[name].facts.distinct <= 0.5 * built[name].facts.known
            ):
                again = infer.Guess("category", "a target of texts that come again")
        if again != guesses[name]:
            guesses[name] = again
            built[name] = build(name, raw.columns[name], again, raw.position)
    return built, guesses


def _check_targets(built: Mapping[str, Built], told: Mapping[str, tuple], raw: Raw) -> None:
    for name, (role, _, stated) in told.items():
        if role == "target" and stated and built[name].facts.known == 0:
            raise InputError(
                "E-TARGET-EMPTY",
                f"the target column '{name}' has no value in any of the {len(raw)} rows"
                + (f" of {raw.paths[0]}" if raw.paths else ""),
                do="fill the column, or name another with --target",
            )


def _kind_notes(guesses: Mapping[str, infer.Guess]) -> tuple[Finding, ...]:
    return tuple(
        finding(
            "LOOK-KIND",
            "note",
            f"'{n}' is read as {g.kind} ({g.because}); it may be {g.unsure}",
            columns=(n,),
            source="reading",
        )
        for n, g in guesses.items()
        if g.unsure
    )


def _bad_rows(raw: Raw, built: Mapping[str, Built], data: Data) -> dict[int, str]:
    """Broken rows: unreadable files, bad values of input columns, and rows whose only structure is missing."""
    from gnomon.data.table import missing

    bad = dict(raw.bad)
    for name in data.inputs:
        for row, why in built[name].bad:
            bad.setdefault(row, f"'{name}' {why}")
    structures = data.of_kind(*BLANK)
    if len(structures) == 1:
        for row in np.flatnonzero(missing(data.columns[structures[0]])):
            bad.setdefault(int(row), f"'{structures[0]}' is missing")
    return bad


def without_bad(data: Data, bad: Mapping[int, str], *, do: str = "repair or remove them") -> Data:
    """The data without broken rows, which a LOOK-CORRUPT finding lists by their position in the input.

    do: what helps the caller's user where too many are broken. Raises E-CORRUPT.
    """
    if not bad:
        return data
    rows = np.array(sorted(bad))
    where = f" of {data.paths[0]}" if len(data.paths) == 1 else ""
    reasons: dict[str, int] = {}
    for row in rows:
        reasons[bad[row]] = reasons.get(bad[row], 0) + 1
    told = "; ".join(f"{why}: {n}" for why, n in sorted(reasons.items(), key=lambda r: -r[1])[:5])
    if len(rows) > BAD_SHARE * len(data):
        first = f"row {data.position[rows[0]]}" + (f" ({data.items[rows[0]]})" if data.items else "")
        raise InputError(
            "E-CORRUPT",
            f"{len(rows)} of {len(data)} rows{where} cannot be read (more than "
            f"{BAD_SHARE:.0%}), the first is {first}: {told}",
            do=do,
        )
    found = finding(
        "LOOK-CORRUPT",
        "warn",
        f"{len(rows)} of {len(data)} rows cannot be read and are left out: {told}",
        rows=data.position[rows],
        items=[data.items[r] for r in rows] if data.items else (),
        values={"share": len(rows) / len(data), "reasons": reasons},
        source="reading",
    )
    kept = np.setdiff1d(np.arange(len(data)), rows)
    data = data.take(kept)
    return replace(data, findings=(*data.findings, found))


def blocks(data: Data) -> Data:
    """Runs of more than 200 neighbouring number inputs become one float32 block: 28,204 genes are one column."""
    runs: list[list[str]] = [[]]
    for name in data.columns:
        column = data.columns[name]
        like = isinstance(column, Dense) and column.values.ndim == 1 and column.spec.kind == "number"
        if like and data.roles[name].role == "input" and not data.roles[name].stated:
            runs[-1].append(name)
        elif runs[-1] and data.roles[name].role == "input":
            runs.append([])
    for run in runs:
        like = _alike(run) if len(run) > MANY_COLUMNS else []
        if len(like) > MANY_COLUMNS:
            data = _joined(data, like)
    return data


def _alike(run: list[str]) -> list[str]:
    """Where most names of a run differ only in digits (NIR_900, NIR_902), those alone; else the whole run."""
    import re

    forms = [re.sub(r"\d+", "0", name) for name in run]
    common = max(set(forms), key=forms.count)
    same = [name for name, form in zip(run, forms, strict=True) if form == common]
    return same if len(same) >= 0.8 * len(run) else run


def _joined(data: Data, run: list[str]) -> Data:
    values = np.empty((len(data), len(run)), dtype=np.float32)
    for i, name in enumerate(run):
        values[:, i] = data.columns[name].values  # type: ignore[attr-defined]
    name = f"{run[0]} ... ({len(run)} columns)"
    block = Dense(values, Spec("number", shape=(len(run),)), tuple(run))
    gone, first = set(run), run[0]
    columns = {
        (name if n == first else n): (block if n == first else c)
        for n, c in data.columns.items()
        if n == first or n not in gone
    }
    roles = {n: r for n, r in data.roles.items() if n not in gone}
    because = {n: w for n, w in data.kinds_because.items() if n not in gone}
    return replace(
        data,
        columns=columns,
        roles={**roles, name: Role("input", f"{len(run)} like number columns")},
        kinds_because={**because, name: f"{len(run)} number columns side by side"},
    )


__all__ = ["read_data", "read_like", "schema"]
