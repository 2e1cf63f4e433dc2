"""Text to numbers: decimal commas, thousands marks, bounds such as `>10`, units written behind, percent signs."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.data.read._raw import MISSING_NUMBER

NUMBER = re.compile(
    r"^(?P<bound>[<>≤≥~]=?)?\s*(?P<sign>[-+\u2212]?)\s*(?P<digits>\d[\d.,'\u00a0\u202f ]*|[.,]\d+)"
    r"(?P<power>[eE][-+]?\d+)?\s*(?P<unit>[%°µμΩÅa-zA-Z][\w%°µμΩÅ/^·. -]{0,11})?$"
)
UNITS = frozenset(
    re.split(
        r"\s+",
        """% ‰ g mg kg ug µg μg ng pg mol mmol umol µmol nmol pmol mM uM µM μM nM pM l mL ml uL µL dL dl m
mm cm km um µm μm nm pm Å s ms us µs min h hr hrs d day days yr yrs year years y week weeks month months Hz kHz MHz
GHz °C °F Pa kPa MPa GPa bar atm mmHg mV kV kW MW kJ eV meV keV kcal cal kN ppm ppb IU mg/L mg/l g/L g/l mg/mL mg/ml
ug/mL µg/mL ng/mL mg/dL mg/dl mmol/L mmol/l umol/L µmol/L kg/m3 g/cm3 m/s km/h rpm bp kb Mb cells cells/mL kJ/mol
kcal/mol px USD EUR""",
    )
)
INFINITE = re.compile(r"^[-+]?inf(inity)?$", re.I)


@dataclass(frozen=True)
class Numbers:
    """values: float64 (n,), NaN = missing or unreadable. unread: rows with text that is no number.
    below, above: rows given only as a bound. unit: the one unit written behind the numbers, "" if none.
    odd_unit: rows with another unit. comma: rows written with a decimal comma where others have a point."""

    values: np.ndarray
    unread: np.ndarray
    below: np.ndarray
    above: np.ndarray
    unit: str = ""
    units: tuple[str, ...] = ()
    odd_unit: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    comma: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def integer(self) -> bool:
        known = self.values[np.isfinite(self.values)]
        return bool(len(known)) and bool((known == np.rint(known)).all())


def plain(values: np.ndarray) -> Numbers:
    """Numbers that came as numbers."""
    none = np.empty(0, np.int64)
    return Numbers(np.asarray(values, dtype=np.float64), none, none, none)


def parse(column: Any, *, at_least: float = 0.9) -> Numbers | None:
    """A pyarrow string column as numbers; None when fewer than `at_least` of its values are numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return plain(pc.cast(column, pa.float64()).to_numpy())
    except pa.ArrowInvalid:
        pass
    if not _promising(column, at_least):
        return None
    coded = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    coded = coded.dictionary_encode()
    codes = np.asarray(coded.indices.fill_null(-1))
    table = _Table(coded.dictionary.to_pylist())
    counts = np.bincount(codes[codes >= 0], minlength=len(table.kind))
    readable, wrong = counts[table.kind == "number"].sum(), counts[table.kind == "word"].sum()
    if readable == 0 or readable < at_least * (readable + wrong):
        return None
    return table.numbers(codes)


def _promising(column: Any, at_least: float) -> bool:
    """A look at up to 1,000 spaced values, to spare long texts the full parse."""
    rows = np.unique(np.linspace(0, len(column) - 1, min(len(column), 1000)).astype(int))
    seen = [v.strip() for v in column.take(rows).to_pylist() if v is not None]
    seen = [v for v in seen if v not in MISSING_NUMBER]
    good = sum(1 for v in seen if len(v) < 40 and NUMBER.match(v) is not None)
    return not seen or good >= (at_least - 0.1) * len(seen)


class _Table:
    """The distinct texts of a column, each read once."""

    def __init__(self, words: list[str]):
        words = [w.strip() for w in words]
        found = [NUMBER.match(w) if len(w) < 40 else None for w in words]
        self.comma_decimal, self.comma = _comma_means([m["digits"] for m in found if m])
        self.value = np.full(len(words) + 1, np.nan)
        self.kind = np.full(len(words), "word", dtype="<U8")
        self.bound = np.zeros(len(words) + 1, dtype=np.int8)
        self.unit = np.full(len(words) + 1, "", dtype=object)
        self.written = np.array([("," in w) for w in words] + [False])
        for i, (word, match) in enumerate(zip(words, found, strict=True)):
            if word in MISSING_NUMBER:
                self.kind[i] = "missing"
            elif INFINITE.match(word):
                self.kind[i], self.value[i] = "number", float(word)
            elif match is not None:
                self._one(i, match)

    def _one(self, i: int, match: re.Match[str]) -> None:
        digits = _digits(match["digits"], self.comma_decimal)
        try:
            value = float(digits + (match["power"] or ""))
        except ValueError:
            return
        unit = (match["unit"] or "").strip()
        if unit and unit not in UNITS:
            return  # "3A", "1st": a code, not a quantity
        self.kind[i] = "number"
        self.value[i] = -value if match["sign"] in "-\u2212" and match["sign"] else value
        bound = match["bound"] or ""
        self.bound[i] = 1 if bound[:1] in (">", "≥") and bound else -1 if bound[:1] in ("<", "≤") and bound else 0
        self.unit[i] = unit

    def numbers(self, codes: np.ndarray) -> Numbers:
        """The column's numbers, from its codes (-1 = missing)."""
        unread = np.append(self.kind == "word", False)[codes]
        units = Counter(self.unit[codes[codes >= 0]])
        units.pop("", None)
        unit = units.most_common(1)[0][0] if units else ""
        odd = (self.unit[codes] != unit) & (self.unit[codes] != "") if units else np.zeros(len(codes), bool)
        comma = self.written[codes] if self.comma == "mixed" else np.zeros(len(codes), bool)
        bound, at = self.bound[codes], np.flatnonzero
        return Numbers(
            self.value[codes], at(unread), at(bound < 0), at(bound > 0), unit, tuple(units), at(odd), at(comma)
        )


def _comma_means(digits: list[str]) -> tuple[bool, str]:
    """(a comma is the decimal mark, "mixed" when some values have a point and others a comma as decimal mark)."""
    commas = [d for d in digits if "," in d]
    if not commas:
        return False, ""
    if any("." in d and d.rindex(".") > d.rindex(",") for d in commas):
        return False, ""  # 1,234.5
    grouped = all(re.fullmatch(r"\d{1,3}(,\d{3})+", d) for d in commas)
    if grouped and any(d.count(",") > 1 for d in commas):
        return False, ""
    points = [d for d in digits if "." in d and "," not in d and not re.fullmatch(r"\d{1,3}(\.\d{3})+", d)]
    if grouped and points:
        return False, ""  # 1,234 beside 12.5
    return True, "mixed" if points else ""


def _digits(text: str, comma_decimal: bool) -> str:
    text = (
        re.sub(r"['\u00a0\u202f ]", "", text).rstrip(".,")
        if text[-1:] in ".,"
        else re.sub(r"['\u00a0\u202f ]", "", text)
    )
    if not comma_decimal:
        return text.replace(",", "")
    if "," in text:
        return text.replace(".", "").replace(",", ".")
    return text
