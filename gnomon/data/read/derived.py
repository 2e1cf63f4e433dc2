"""Columns that stand between the lines: groups in file names, one date out of year, month, day and hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gnomon.data.infer import words
from gnomon.data.read import names as told
from gnomon.data.read._raw import Raw, is_strings, strings

FEWEST_PREFIXES = 6  # fewer stems that come again are taken for classes or one series, not for groups
DATE_PARTS = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mon", "mo", "mm"),
    "day": ("day", "dd", "dom"),
    "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "min"),
}


def groups_from_names(raw: Raw) -> Raw:
    """Subject, plate, well and finer parts out of file names, as `file:subject` ...; the coarsest is the group."""
    names = list(raw.items) or _file_names(raw)
    if len(names) < 4:
        return raw
    found = told.fields(names)
    coarse = next((k for k in ("subject", "plate", "well") if k in found and _repeats(found[k])), "")
    for key, values in found.items():
        if key == "subject" and not coarse:
            continue
        if key in ("subject", "plate", "well"):
            raw = _group(raw, key, values, key == coarse)
        else:
            numbers = np.array([float(v) if v else np.nan for v in values])
            raw = raw.add(f"file:{key}", numbers, None, ("ignore", "told by the file name; kept for checks"))
    return raw if coarse else _by_prefix(raw, names)


def _repeats(values: Sequence[str]) -> bool:
    return 2 <= len(set(values)) < len(values)


def _group(raw: Raw, key: str, values: list[str], is_group: bool) -> Raw:
    if _already(raw, values):
        return raw
    count = len(set(values))
    role = (
        ("group", f"file names begin with a {key}; {count} of them in {len(values)} files")
        if is_group
        else ("ignore", f"the {key} in the file name; kept for checks")
    )
    kept = strings([v or None for v in values])
    return raw.add(f"file:{key}", kept, ("category", "told by the file names"), role)


def _by_prefix(raw: Raw, names: list[str]) -> Raw:
    """File names that differ only in a number at their end belong together, unless their beginnings are the classes."""
    if any(role == "group" for role, _ in raw.roles.values()):
        return raw
    stems = told.prefixes(names)
    count = len(set(stems))
    if (
        "" in stems
        or not FEWEST_PREFIXES <= count <= 0.7 * len(stems)
        or not sum(any(map(str.isdigit, s)) for s in set(stems)) > 0.5 * count
    ):
        return raw
    if _already(raw, stems):
        return raw
    why = f"file names that differ only in the number at their end; {count} beginnings in {len(stems)} files"
    return raw.add("file:series", strings(stems), ("category", "told by the file names"), ("group", why))


def _file_names(raw: Raw) -> list[str]:
    """The values of a column of file names, where the table has one."""
    from gnomon.data.infer import IMAGE_FILE

    for values in raw.columns.values():
        if not is_strings(values) or values.null_count or not len(values):
            continue
        first = values.slice(0, 100).to_pylist()
        if sum(1 for v in first if IMAGE_FILE.search(v)) >= 0.9 * len(first):
            return [v.strip() for v in values.to_pylist()]
    return []


def _already(raw: Raw, values: Sequence[str]) -> bool:
    """Whether a column groups the rows in just the same way (a patient column, the class folder)."""
    import pandas as pd

    codes = pd.factorize(np.asarray(values, dtype=object))[0]
    for column in raw.columns.values():
        if is_strings(column) and np.array_equal(pd.factorize(np.asarray(column.to_pylist(), dtype=object))[0], codes):
            return True
    return False


def date_from_parts(raw: Raw, roles: Mapping[str, str]) -> Raw:
    """Year, month, day and hour in columns of their own as one date with the role time."""
    found: dict[str, str] = {}
    for name, values in raw.columns.items():
        for part, called in DATE_PARTS.items():
            if "_".join(words(name)) in called and part not in found and not hasattr(values, "spec"):
                found[part] = name
    if not {"year", "month"} <= set(found) or any(roles.get(n) == "time" for n in raw.columns):
        return raw
    parts = list(DATE_PARTS)
    used = parts[: next((i for i, p in enumerate(parts) if p not in found), len(parts))]
    numbers = {p: _numbers_of(raw.columns[found[p]]) for p in used}
    if any(n is None for n in numbers.values()):
        return raw
    import pandas as pd

    frame = pd.DataFrame({**numbers, **({} if "day" in used else {"day": 1})})
    dates = pd.to_datetime(frame, errors="coerce").to_numpy(dtype="datetime64[ns]")
    if np.isnat(dates).mean() > 0.05:
        return raw
    name = "-".join(found[p] for p in used)
    why = f"put together from the columns {', '.join(found[p] for p in used)}"
    return raw.add(name, dates, ("date", why), ("time", why))


def _numbers_of(values: object) -> np.ndarray | None:
    if isinstance(values, np.ndarray):
        return values if values.dtype.kind == "f" else None
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(values, pa.float64()).to_numpy()
    except (pa.ArrowInvalid, AttributeError):
        return None
