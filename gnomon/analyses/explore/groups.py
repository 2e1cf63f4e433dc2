"""Rows that belong together: by a column, or by what their file names share."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._kit import Grouping, Looked, found, many, ran, relabel
from gnomon.analyses.explore._names import GROUP, IDENTIFIER, WITHIN, has, prefix, token_table, unit_rank
from gnomon.card import Card
from gnomon.data.read._folder_names import class_level
from gnomon.data.table import Data, codes, missing
from gnomon.values import Finding

CARD = Card(
    name="Groups in columns and file names",
    gist="Finds patients, plates, videos and other units that span rows, from column names, from columns that others "
         "depend on, and from the parts of file names (P012_slice3).",
    use_when="Always, before splitting: rows of one patient in both parts test memory, not medicine.",
    avoid_when="The groups at prediction time are the known ones: then state --for same-groups.",
    paper="Saeb et al. 2017, The need to approximate the use-case in clinical machine learning, GigaScience 6(5)",
    survey=("P1", "W7"),
    cost="seconds",
)
FEWEST = 6  # fewer levels are a condition, not a population of units, unless the user says group
FILE = "file name"
PREFIXES = ("p", "pt", "pat", "subj", "sub", "s", "case", "donor", "d", "m", "mouse", "rat", "animal", "plate", "id",
            "pid", "well", "vid", "video", "rec", "cow", "slide", "tumor", "tumour", "series", "session", "exp")


def groups(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Groupings of kind "group", the likeliest unit first: what the user named, then beings, then batches and the like
    last; among equals columns with the role, then names, file names, structure."""
    found_groups: dict[str, Grouping] = {}
    for name in data.named("group"):
        found_groups[name] = Grouping(relabel(codes(data.columns[name])), data.roles[name].because, "group")
    candidates = _candidates(data)
    by_name = {n: why for n in candidates if (why := _named(data, n))}
    by_file = from_files(data)
    for name, why in by_name.items():
        found_groups.setdefault(name, Grouping(relabel(codes(data.columns[name])), why, "group"))
    if by_file is not None:
        found_groups.setdefault(FILE, by_file)
    if not found_groups:
        found_groups = _by_structure(data, candidates)
    found_groups = dict(sorted(found_groups.items(), key=lambda item: _rank(data, item[0])))
    exclude = {n: "names the unit rows belong to; new units have new names" for n in found_groups if n in data.inputs}
    findings = [_finding(data, name, grouping) for name, grouping in found_groups.items() if len(named_rows(data, name))]
    check = ran("LOOK-GROUP", f"a named column or part of the file names with {FEWEST} values or more that repeat")
    return Looked(tuple(findings), (check,), found_groups, exclude)


def _candidates(data: Data) -> list[str]:
    """Columns whose values repeat, with enough levels to be units: categories and whole numbers, set aside or not."""
    out = []
    for name, column in data.columns.items():
        if data.roles[name].role not in ("input", "identifier", "ignore") or column.spec.shape:
            continue
        if column.spec.kind not in ("category", "number", "text"):
            continue
        values = column.take(np.arange(len(data)))
        if column.spec.kind == "number" and (np.isnan(values).any() or (values != np.round(values)).any()):
            continue
        if column.spec.kind == "text" and len(set(values[:1000])) > 0.7 * min(len(values), 1000):
            continue
        levels = len(np.unique(values if column.spec.kind != "text" else codes(column)))
        if FEWEST <= levels <= len(data) / 1.5:
            out.append(name)
    return out


def _named(data: Data, name: str) -> str:
    """Why the column's name says that it names a unit, or ""."""
    word = has(name, GROUP)
    number = data.kind(name) == "number"
    if word and (not number or has(name, IDENTIFIER) or name.lower().strip() in GROUP):
        return f"the name says '{word}' and its values span several rows"
    ends_id = re.search(r"(^|[_\s])(id|ID|Id)$|[a-z]ID$|Id$", name)
    return "the name says identifier and its values span several rows" if ends_id else ""


def _rank(data: Data, name: str) -> tuple[bool, int]:
    """Where a grouping stands: what the user named first, then by what its name says."""
    if name not in data.columns:  # in the file names
        return True, 1
    return not (data.roles[name].stated and data.roles[name].role == "group"), unit_rank(name)


def _by_structure(data: Data, candidates: list[str]) -> dict[str, Grouping]:
    """The first category that fixes other columns, though nothing but the values says so; {} where there is none."""
    varied: dict[str, np.ndarray] | None = None
    for name in candidates:
        if data.kind(name) != "category":
            continue
        own = codes(data.columns[name])
        counts = np.bincount(own[own >= 0])
        if (counts > 0).sum() < 10 or (counts >= 2).sum() < 8:
            continue
        varied = _varied(data) if varied is None else varied
        if (followers := _followers(own, {n: theirs for n, theirs in varied.items() if n != name})) >= 3:
            why = f"each value of '{name}' fixes {followers} other columns: it names a unit that spans rows"
            return {name: Grouping(relabel(own), why, "group")}
    return {}


def _varied(data: Data) -> dict[str, np.ndarray]:
    """The levels, int (n,), of each number and category among the inputs that has five or more."""
    out = {}
    for name in data.inputs:
        if data.kind(name) in ("number", "category") and not data.columns[name].spec.shape:
            levels, place = np.unique(data.columns[name].take(np.arange(len(data))), return_inverse=True)
            if len(levels) >= 5:
                out[name] = place
    return out


def _followers(own: np.ndarray, varied: Mapping[str, np.ndarray]) -> int:
    """How many of these columns are constant within each unit `own`, but for one unit in fifty.

    Rows are put in the order of their units. A unit within which neighbours differ holds two values at least, so the units
    with such a change are a lower bound, and the first rows alone reject nearly every column.
    """
    order = np.argsort(own, kind="stable")[(own < 0).sum():]
    unit = own[order]
    units, first = len(np.unique(unit)), max(5000, len(own) // 20)
    count = 0
    for theirs in varied.values():
        for rows in (order[:first], order):
            here, same = theirs[rows], unit[:len(rows)]
            changed = same[1:][(here[1:] != here[:-1]) & (same[1:] == same[:-1])]
            if len(np.unique(changed)) > 0.02 * units:
                break
        else:
            count += len(np.unique(unit * (int(theirs.max()) + 1) + theirs[order])) <= 1.02 * units
    return count


def from_files(data: Data) -> Grouping | None:
    """The unit in file names: the part that repeats over files and is no slice, frame or class folder."""
    if len(data.items) < 10:
        return None
    table = token_table(tuple(_parted(item) for item in _without_classes(data)))
    if table is None:
        return None
    rows, parts = table
    scores = [(_unit_score(parts, place), -place) for place in range(parts.shape[1])]
    best, place = max(scores)
    if best == 0:
        return None
    _, values = np.unique(parts[:, -place].astype(str), return_inverse=True)
    all_codes = np.full(len(data), -1, dtype=np.int64)
    all_codes[rows] = values
    because = "files whose names share a part (as in P012_slice3) come from one unit"
    return Grouping(relabel(all_codes), because, "group")


def _without_classes(data: Data) -> tuple[str, ...]:
    """The files' paths without the folder that reading took for the class, as it does where no table says otherwise."""
    level = class_level(data.items)
    of_files = [n for n in data.columns if n.startswith("file:") or (
        data.kind(n) in ("image", "text") and data.roles[n].role == "input")]
    if level is None or len(of_files) < len(data.columns):
        return data.items
    parts = [item.split("/") for item in data.items]
    return tuple("/".join(p[:level] + p[level + 1:]) for p in parts)


def _parted(item: str) -> str:
    """`P012slice3.png` as `P012_slice3.png`: letters and digits that alternate exactly twice."""
    return re.sub(r"(^|[/_\-\s])([A-Za-z]+\d+)([A-Za-z]+\d+)(?=[_\-.\s]|$)", r"\1\2_\3", item)


def _unit_score(parts: np.ndarray, place: int) -> int:
    """0 = no unit; 3 = a known prefix (P, patient, donor ...); 2 = a plate well; 1 = any code with digits, not last."""
    values = parts[:, place].astype(str)
    levels, counts = np.unique(values, return_counts=True)
    if not 3 <= len(levels) <= len(values) / 1.5 or (counts >= 2).sum() < 3:
        return 0
    digits = sum(any(c.isdigit() for c in v) for v in levels) / len(levels)
    if digits < 0.8:
        return 0
    prefixes = {prefix(v) for v in levels}
    last = place == parts.shape[1] - 1
    if len(prefixes) == 1 and (word := prefixes.pop()):
        if word in PREFIXES and not (last and word in ("s", "d", "m", "id")):
            return 3
        if word in WITHIN:
            return 0
    if all(re.fullmatch(r"[A-P]\d{1,2}", v) for v in levels):
        return 2
    if place and not last and parts[0, place - 1].lower() in PREFIXES:  # patient/012/slice3
        return 3
    return 1 if not last and len(levels) >= FEWEST and not _counter(parts, place) else 0


def _counter(parts: np.ndarray, place: int) -> bool:
    """Whether these are plain numbers that start again within every earlier part: an index, not a unit."""
    if place == 0 or not all(v.isdigit() for v in parts[:, place]):
        return False
    before = np.array(["/".join(p[:place]) for p in parts])
    units = len(np.unique(before))
    pairs = len(np.unique(np.char.add(before, np.char.add("|", parts[:, place].astype(str)))))
    return units > 1 and pairs > 1.5 * len(np.unique(parts[:, place].astype(str)))


def named_rows(data: Data, name: str, rows: np.ndarray | None = None) -> np.ndarray:
    """Those of these rows (None = all) for which the column says a unit; a row without one is in no unit that is known."""
    rows = np.arange(len(data)) if rows is None else rows
    return rows[~missing(data.columns[name], rows)] if name in data.columns else rows


def _finding(data: Data, name: str, grouping: Grouping) -> Finding:
    where = f"the column '{name}'" if name in data.columns else "the file names"
    named = named_rows(data, name)
    units = len(np.unique(grouping.codes[named]))
    claim = f"{many(len(named), 'row')} {'comes' if len(named) == 1 else 'come'} from {many(units, 'unit')} named in {where}"
    return found(data, "LOOK-GROUP", "note", claim, columns=(name,) if name in data.columns else (),
                 values={"units": units, "rows": len(named)}, source=grouping.because)
