"""Columns as read, and their kind, to gnomon Columns: numbers, codes, dates, texts; the unreadable is listed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.data.infer import ALPHABETS, Guess, of_alphabet
from gnomon.data.read import _numbers
from gnomon.data.read._raw import is_strings
from gnomon.data.read.roles import Facts
from gnomon.data.table import Dense, Spec
from gnomon.errors import InputError
from gnomon.values import Finding, finding

NAME_UNIT = re.compile(r"[(\[]([^()\[\]]{1,15})[)\]]\s*$")


@dataclass(frozen=True)
class Built:
    """A finished column, what was found while building it, and the rows whose value is broken (row -> why)."""

    column: Any
    facts: Facts
    findings: tuple[Finding, ...] = ()
    bad: tuple[tuple[int, str], ...] = ()


def build(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    """One column of the guessed (or stated) kind."""
    if not is_strings(values) and not isinstance(values, np.ndarray):
        return Built(values, Facts(guess.kind, guess.detail, len(values), len(values)))
    makers = {
        "number": _number,
        "category": _category,
        "date": _date,
        "molecule": _molecule,
        "sequence": _sequence,
        "text": _text,
    }
    if guess.kind not in makers:
        raise InputError(
            "E-KIND-UNREADABLE",
            f"column '{name}' was to be read as {guess.kind}; it holds no such files",
            do=f"state another kind: --kinds '{name}=text'",
        )
    return makers[guess.kind](name, values, guess, position)


def _nothing(name: str, kind: str, values: Any) -> InputError:
    return InputError(
        "E-KIND-UNREADABLE",
        f"column '{name}' was to be read as {kind}; of its {len(values)} rows none can be (row 0 is the first tried)",
        do=f"check the column, or state another kind: --kinds '{name}=text'",
    )


def _number(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    typed = isinstance(values, np.ndarray)
    numbers = guess.read or (_numbers.plain(values) if typed else _numbers.parse(values, at_least=0.0))
    if numbers is None or (not typed and np.isnan(numbers.values).all() and values.null_count < len(values)):
        raise _nothing(name, "number", values)
    found = _number_findings(name, numbers, position)
    bound = len(numbers.below) + len(numbers.above)
    detail = "censored" if bound else "integer" if numbers.integer else ""
    in_name = NAME_UNIT.search(name)
    unit = numbers.unit or (in_name[1].strip() if in_name else "")
    column = Dense(numbers.values, Spec("number", detail=detail, unit=unit))
    return Built(column, number_facts(numbers.values, detail), found)


def number_facts(values: np.ndarray, detail: str) -> Facts:
    """Facts of a number column; distinct values are counted exactly."""
    known = values[np.isfinite(values)]
    if not len(known):
        return Facts("number", detail, 0, 0)
    integer = bool((known[:1000] == np.rint(known[:1000])).all()) and bool((known == np.rint(known)).all())
    rising = (
        len(known) > 2
        and bool((known[1:1000] > known[: min(len(known), 1000) - 1]).all())
        and bool((known[1:] > known[:-1]).all())
    )
    if not integer:  # nothing asks how many fractions differ
        return Facts("number", detail, len(known), min(len(known), 1000), rising=rising)
    counter = bool((known[1:1000] - known[: min(len(known), 1000) - 1] == 1).all()) and bool(
        (np.diff(known) == 1).all()
    )
    years = known.min() >= 1500 and known.max() <= 2200
    return Facts("number", detail, len(known), _distinct(known), integer, counter, rising, years=years)


def _distinct(known: np.ndarray) -> int:
    """How many different whole numbers, by a table when they span little, else by sorting."""
    low, high = known.min(), known.max()
    if high - low <= 4 * len(known):
        seen = np.zeros(int(high - low) + 1, dtype=bool)
        seen[(known - low).astype(np.int64)] = True
        return int(seen.sum())
    return len(np.unique(known))


def _number_findings(name: str, numbers: _numbers.Numbers, position: np.ndarray) -> tuple[Finding, ...]:
    out = []
    if len(numbers.unread):
        out.append(
            finding(
                "LOOK-KIND",
                "warn",
                f"'{name}' reads as numbers, but {len(numbers.unread)} values are none and count as missing",
                rows=position[numbers.unread],
                columns=(name,),
                source="reading",
            )
        )
    bounds = np.sort(np.concatenate([numbers.below, numbers.above]))
    if len(bounds):
        out.append(
            finding(
                "LOOK-CENSORED",
                "warn",
                f"{len(bounds)} values of '{name}' are bounds such as '>10'; the bound itself is used",
                rows=position[bounds],
                columns=(name,),
                source="reading",
                values={"below": len(numbers.below), "above": len(numbers.above), "share": len(bounds) / len(position)},
            )
        )
    if len(numbers.comma):
        out.append(
            finding(
                "LOOK-KIND",
                "warn",
                f"'{name}' mixes decimal commas and decimal points; both are read as decimal marks",
                rows=position[numbers.comma],
                columns=(name,),
                source="reading",
            )
        )
    if len(numbers.odd_unit):
        out.append(
            finding(
                "LOOK-UNITS",
                "warn",
                f"'{name}' is written in several units ({', '.join(numbers.units)}); "
                "the numbers are taken as they stand",
                rows=position[numbers.odd_unit],
                columns=(name,),
                values={"units": numbers.units},
                source="reading",
            )
        )
    return tuple(out)


def _category(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    if isinstance(values, np.ndarray):
        codes, levels = _levels(values)
    else:
        array = _whole(values).dictionary_encode()
        codes = np.asarray(array.indices.fill_null(-1)).astype(np.int64)
        levels = [w.strip() for w in array.dictionary.to_pylist()]
        numeric = _as_numbers(levels)
        if numeric is not None:
            levels = (
                [f"{v:.12g}" for v in numeric]
                if len(set(levels)) != len({*numeric}) or any(w.endswith(".0") for w in levels)
                else levels
            )
        codes, levels = _ordered(codes, levels, numeric)
    column = Dense(codes.astype(np.int32), Spec("category", categories=tuple(levels), detail=guess.detail))
    return Built(column, category_facts(column))


def _as_numbers(levels: list[str]) -> list[float] | None:
    try:
        return [float(w) for w in levels] if not any(re.match(r"^0\d", w) for w in levels) else None
    except ValueError:
        return None


def _levels(values: np.ndarray) -> tuple[np.ndarray, list[str]]:
    if values.dtype == bool:
        return values.astype(np.int64), ["False", "True"]
    if values.dtype.kind == "M":
        gone, texts = np.isnat(values), values.astype(str)
        levels, codes = np.unique(texts[~gone], return_inverse=True)
    else:
        gone = np.isnan(values.astype(np.float64))
        levels, codes = np.unique(values[~gone], return_inverse=True)
        levels = np.array([f"{v:.12g}" for v in levels])
    out = np.full(len(values), -1, dtype=np.int64)
    out[~gone] = codes
    return out, [str(v) for v in levels]


def _ordered(codes: np.ndarray, levels: list[str], numeric: list[float] | None) -> tuple[np.ndarray, list[str]]:
    """Codes into sorted, distinct levels (texts that differ only by blanks around them are one)."""
    keys = dict(zip(levels, numeric, strict=True)) if numeric is not None else {w: w for w in levels}
    final = sorted(set(levels), key=lambda w: keys[w])
    place = {w: i for i, w in enumerate(final)}
    lookup = np.array([place[w] for w in levels] + [-1], dtype=np.int64)
    return lookup[codes], final


def category_facts(column: Dense) -> Facts:
    """Facts of a category column."""
    from gnomon.data.infer import PART

    levels = column.spec.categories
    parts = len(levels) >= 2 and all(PART.match(w) for w in levels)
    length = float(np.mean([len(w) for w in levels[:2000]])) if levels else 0.0
    integer = bool(levels) and all(w.isdigit() for w in levels[:200])
    return Facts(
        "category",
        column.spec.detail,
        int((column.values >= 0).sum()),
        len(levels),
        integer,
        parts=parts,
        length=length,
    )


def _date(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    import pandas as pd

    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        stamps, unread = values.astype("datetime64[ns]"), np.empty(0, np.int64)
    else:
        written = (
            values.to_pylist()
            if not isinstance(values, np.ndarray)
            else [None if v != v else str(int(v)) for v in values]
        )
        texts = pd.Series(written, dtype=object).str.strip()
        parsed = _dates(texts)
        stamps = parsed.to_numpy(dtype="datetime64[ns]")
        unread = np.flatnonzero(np.isnat(stamps) & texts.notna().to_numpy())
        if len(unread) and len(unread) == texts.notna().sum():
            raise _nothing(name, "date", values)
    claim = f"'{name}' reads as dates, but {len(unread)} values are none and count as missing"
    listed = finding("LOOK-KIND", "warn", claim, rows=position[unread], columns=(name,), source="reading")
    found = (listed,) if len(unread) else ()
    known = stamps[~np.isnat(stamps)]
    facts = Facts(
        "date", "", len(known), len(np.unique(known)), rising=bool((np.diff(known) > np.timedelta64(0)).all())
    )
    return Built(Dense(stamps, Spec("date")), facts, found)


def _dates(texts: Any) -> Any:
    """Dates from text; day or month first is settled by the values (a first number above 12 is a day)."""
    import pandas as pd

    eight = texts.dropna().str.match(r"^\d{8}$")
    if len(eight) and eight.all():
        return pd.to_datetime(texts, format="%Y%m%d", errors="coerce")
    first = pd.to_numeric(texts.str.extract(r"^(\d{1,2})[-/.]\d{1,2}[-/.]\d{2,4}")[0], errors="coerce")
    second = pd.to_numeric(texts.str.extract(r"^\d{1,2}[-/.](\d{1,2})[-/.]\d{2,4}")[0], errors="coerce")
    dotted = bool(texts.str.match(r"^\d{1,2}\.\d{1,2}\.\d{2,4}").any())
    day_first = bool((first > 12).any()) or (dotted and not bool((second > 12).any()))
    stamps = pd.to_datetime(texts, format="mixed", dayfirst=day_first, errors="coerce", utc=True)
    return stamps.dt.tz_localize(None)


def _whole(values: Any) -> Any:
    return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()


def texts_of(values: Any) -> np.ndarray:
    """A raw column as object (n,) of stripped str, None where missing."""
    out = np.empty(len(values), dtype=object)
    if is_strings(values):
        out[:] = [None if v is None else v.strip() for v in values.to_pylist()]
    else:
        out[:] = [None if v != v else f"{v:.12g}" if isinstance(v, (float, np.floating)) else str(v) for v in values]
    return out


def text_facts(kind: str, detail: str, texts: np.ndarray) -> Facts:
    """Facts of a column of texts."""
    known = [t for t in texts if t is not None]
    length = float(np.mean([len(t) for t in known[:5000]])) if known else 0.0
    spaces = float(np.mean([t.count(" ") for t in known[:5000]])) if known else 0.0
    if kind == "text" and not detail and (spaces >= 2.5 or length > 60):
        detail = "prose"
    return Facts(kind, detail, len(known), len(set(known)), length=length)


def _text(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    texts = texts_of(values)
    detail = guess.detail
    return Built(Dense(texts, Spec("text", detail=detail)), text_facts("text", detail, texts))


def _molecule(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    from gnomon.data.read.molecules import read_smiles

    texts, wrong = read_smiles(texts_of(values))
    if len(wrong) == sum(1 for t in texts if t is not None) and len(wrong):
        raise _nothing(name, "molecule", values)
    bad = tuple((int(i), "cannot be read as a molecule") for i in wrong)
    return Built(Dense(texts, Spec("molecule", detail="SMILES")), text_facts("molecule", "SMILES", texts), (), bad)


def _sequence(name: str, values: Any, guess: Guess, position: np.ndarray) -> Built:
    texts = texts_of(values)
    texts[:] = [None if t is None else re.sub(r"\s+", "", t).upper() for t in texts]
    known = [t for t in texts if t]
    detail = guess.detail or next(
        (d for d in ("DNA", "RNA", "protein") if sum(of_alphabet(t, d) for t in known) >= 0.8 * len(known)), ""
    )
    if not known or not detail:
        raise _nothing(name, "sequence", values)
    good = {t: of_alphabet(t, detail) for t in set(known)}
    bad = tuple(
        (i, f"holds letters outside the {detail} alphabet" if t else "is empty")
        for i, t in enumerate(texts)
        if t is not None and not good.get(t, False)
    )
    used = set().union(*(set(t) for t, ok in good.items() if ok)) if good else set()
    alphabet = tuple(c for c in ALPHABETS[detail] if c in used)
    column = Dense(texts, Spec("sequence", categories=alphabet, detail=detail))
    return Built(column, text_facts("sequence", detail, texts), (), bad)


def recode(column: Dense, categories: tuple[str, ...]) -> tuple[Dense, list[str]]:
    """A category column in other categories: codes into `categories`, -1 for values not among them, which are named."""
    place = {w: i for i, w in enumerate(categories)}
    lookup = np.array([place.get(w, -1) for w in column.spec.categories] + [-1], dtype=np.int32)
    unseen = [w for w in column.spec.categories if w not in place]
    return replace(
        column, values=lookup[column.values], spec=replace(column.spec, categories=tuple(categories))
    ), unseen
