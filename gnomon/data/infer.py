"""What each column is (kind) and what it is for (role), from its values and its name, each with a reason.

Nothing here decides for good: the user's word on a kind or a role wins over everything inferred.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gnomon.data.read._raw import is_strings


def word_set(text: str) -> frozenset[str]:
    """The words of a text, parted by blanks."""
    return frozenset(text.split())


CLASS_WORDS = word_set("class classes label labels target category type species diagnosis cluster group y")
PART = re.compile(
    r"^(train|training|test|testing|tests|val|valid|validation|dev|holdout|held_?out|unused|external)"
    r"([+&_](val|valid|validation|test|dev))?[\W_]?\d*$",
    re.I,
)
MOLECULE_NAME = re.compile(r"smiles|(^|[\W_])(mol|molecule|structure|inchi)([\W_]|$)", re.I)
SEQUENCE_NAME = re.compile(r"seq|peptide|protein|dna|rna|\d+mer\b|oligo|guide|primer|cdr3", re.I)
SMILES = re.compile(r"^[A-Za-z0-9@+\-\[\]()\\/#=%.:*$~>]+$")
FORMULA = re.compile(r"^(?:[A-Z][a-z]?\d*\.?\d*|[()\[\]]\d*\.?\d*)+$")
VARIANT = re.compile(r"^[A-Z*]\d+[A-Z*](?:[,:;/ _][A-Z*]\d+[A-Z*])*$")
DAY = r"\d{4}[-/.]\d{1,2}([-/.]\d{1,2})?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
CLOCK = r"[T ]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?( ?[AP]M)?"
WORDED = r"\d{1,2}[- ]?[A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2}, \d{4}"
DATE = re.compile(rf"^(({DAY})({CLOCK})?|{WORDED})$")
IMAGE_FILE = re.compile(r"\.(png|jpe?g|tiff?|bmp|gif|webp)$", re.I)
DNA, RNA, PROTEIN = "ACGT", "ACGU", "ACDEFGHIKLMNPQRSTVWY"
AMBIGUOUS = "NRYSWKMBDHV"
ALPHABETS = {"DNA": DNA + AMBIGUOUS, "RNA": RNA + AMBIGUOUS, "protein": PROTEIN + "XBZUOJ*-"}


@dataclass(frozen=True)
class Guess:
    """A kind with its finer detail, why, and how sure: unsure guesses become a LOOK-KIND note."""

    kind: str
    because: str
    detail: str = ""
    unsure: str = ""  # what else it may be
    read: Any = field(default=None, compare=False, repr=False)  # the values, when telling the kind already read them


def words(name: str) -> tuple[str, ...]:
    """A column's name as lower-case words: `PatientID`, `patient_id` and `patient id` are alike."""
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    return tuple(w for w in re.split(r"[\W_]+", split.lower()) if w)


def sample(values: Any, most: int = 2000) -> list[str]:
    """Up to `most` evenly spaced non-missing texts of a string column, stripped."""
    rows = np.unique(np.linspace(0, len(values) - 1, min(len(values), most)).astype(int)) if len(values) else []
    return [v.strip() for v in values.take(np.asarray(rows, dtype=np.int64)).to_pylist() if v is not None]


def infer_kind(name: str, values: Any, *, target: bool = False) -> Guess:
    """The kind of one column as read: a pyarrow string column, or numpy numbers, bools or dates."""
    if not is_strings(values):
        return _typed(name, values, target)
    seen = sample(values)
    if not seen:
        return Guess("number", "no values")
    numeric = _numeric(name, values, seen, target)
    if numeric is not None:
        return numeric
    for test in (_date, _molecule, _sequence, _notation):
        guess = test(name, seen)
        if guess is not None:
            return guess
    return _words(values, seen)


def _typed(name: str, values: np.ndarray, target: bool) -> Guess:
    if values.dtype == bool:
        return Guess("category", "true or false")
    if values.dtype.kind == "M":
        return Guess("date", "stored as dates")
    return _count_or_class(name, values.astype(np.float64), target) or Guess("number", "stored as numbers")


def _numeric(name: str, values: Any, seen: list[str], target: bool) -> Guess | None:
    from gnomon.data.read._numbers import parse

    padded = [v for v in seen if re.match(r"^0\d+$", v)]
    if len(padded) > 0.05 * len(seen) and all(v.isdigit() for v in seen) and len({len(v) for v in seen}) == 1:
        return Guess("category", "digits with leading zeros: a code")
    if all(re.match(r"^\d{8}$", v) for v in seen) and {"date", "day", "datum"} & set(words(name)):
        return Guess("date", "eight digits, YYYYMMDD")
    numbers = parse(values)
    if numbers is None or np.isnan(numbers.values).all():
        return None
    found = _count_or_class(name, numbers.values, target)
    if found is not None:
        return found
    bound = len(numbers.below) + len(numbers.above)
    if bound:
        return Guess("number", f"numbers, {bound} of them given as a bound such as '>10'", "censored", read=numbers)
    whole = numbers.integer
    return Guess("number", "whole numbers" if whole else "numbers", "integer" if whole else "", read=numbers)


def _count_or_class(name: str, values: np.ndarray, target: bool) -> Guess | None:
    """Whole numbers that stand for classes: two values in a target, few codes from 0 or 1 in a column named so."""
    called = bool(CLASS_WORDS & set(words(name)))
    if not (called or target):
        return None
    known = values[np.isfinite(values)]
    if not len(known) or len(np.unique(known[:20000])) > 60 or not (known == np.rint(known)).all():
        return None
    few = np.unique(known)
    if len(few) == 2:
        return Guess("category", "two whole numbers: classes")
    from_start = few[0] in (0, 1) and few[-1] - few[0] + 1 == len(few) and len(few) <= 50
    if len(few) >= 3 and called and from_start and len(known) >= 2 * len(few):
        return Guess(
            "category",
            f"{len(few)} codes counted from {few[0]:.0f} in a column of that name: classes",
            unsure="a number: state it if 2 lies between 1 and 3",
        )
    return None


def _date(name: str, seen: list[str]) -> Guess | None:
    if sum(1 for v in seen if DATE.match(v)) < 0.95 * len(seen):
        return None
    return Guess("date", f"written as dates, e.g. with {len(seen[0])} characters")


def _molecule(name: str, seen: list[str]) -> Guess | None:
    """SMILES by parsing up to 200 distinct ones; element words, formulas and sequences do not parse."""
    named = bool(MOLECULE_NAME.search(name))
    tries = list(dict.fromkeys(seen))[:200]
    if tries[0].startswith("InChI=1"):
        return Guess("molecule", "InChI strings", "InChI")
    shaped = [v for v in tries if SMILES.match(v.split(" ")[0])]
    if len(shaped) < (0.3 if named else 0.8) * len(tries):
        return None
    chemical = sum(1 for v in shaped if len(v) >= 4 and re.search(r"[=#()\[\]\d]|[cno]|CC", v))
    if not named and (chemical < 0.5 * len(tries) or np.median([len(v) for v in tries]) < 5):
        return None
    from gnomon.data.read.molecules import available, parses

    if not available(named):
        return None
    good = sum(1 for v in tries if parses(v))
    if good < (0.3 if named else 0.8) * len(tries):
        return None
    return Guess("molecule", f"{good} of {len(tries)} tried parse as SMILES", "SMILES")


def _sequence(name: str, seen: list[str]) -> Guess | None:
    """DNA, RNA or protein by alphabet and length."""
    named = bool(SEQUENCE_NAME.search(name))
    lengths = np.array([len(v) for v in seen])
    if np.median(lengths) < (3 if named else 7) or len(set(seen)) < (2 if named else 0.3 * len(seen)):
        return None
    for detail in ("DNA", "RNA", "protein"):
        good = sum(1 for v in seen if of_alphabet(v, detail))
        shortest = 4 if named else {"DNA": 8, "RNA": 8, "protein": 7}[detail]
        if good >= 0.8 * len(seen) and np.median(lengths) >= shortest:
            if detail == "protein" and not named and len(set("".join(seen[:200]).upper())) < 12:
                return None
            return Guess(
                "sequence",
                f"{detail} letters in {100 * good / len(seen):.0f} % of the values tried, "
                f"median length {np.median(lengths):.0f}",
                detail,
            )
    return None


def of_alphabet(text: str, detail: str) -> bool:
    """Whether a sequence is written in this alphabet: ambiguity letters are fine up to a fifth of it."""
    text = text.upper()
    core = {"DNA": DNA, "RNA": RNA, "protein": PROTEIN}[detail]
    if not text or any(c not in ALPHABETS[detail] for c in set(text)):
        return False
    return sum(text.count(c) for c in core) >= 0.8 * len(text)


def _notation(name: str, seen: list[str]) -> Guess | None:
    distinct = len(set(seen)) >= 0.3 * len(seen) and len(set(seen)) >= 5
    if distinct and sum(1 for v in seen if VARIANT.match(v)) >= 0.9 * len(seen):
        return Guess("text", "substitutions such as A108D", "variants")
    if not distinct or sum(1 for v in seen if FORMULA.match(v) and _elements(v)) < 0.95 * len(seen):
        return None
    sets = [frozenset(_elements(v)) for v in seen]  # codes such as CN4, CN5 name the same "elements" each time
    padded = any(re.search(r"[A-Za-z)]0\d", v) for v in seen)
    numbered = sum(any(c.isdigit() for c in v) for v in seen) > len(seen) / 2
    named = bool({"formula", "composition"} & set(words(name)))
    if not padded and (named or (numbered and np.median([len(k) for k in sets]) >= 2 and len(set(sets)) >= 3)):
        return Guess("text", "chemical formulas", "formula")
    return None


ELEMENTS = word_set("""H He Li Be B C N O F Ne Na Mg Al Si P S Cl Ar K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge As Se Br Kr
Rb Sr Y Zr Nb Mo Tc Ru Rh Pd Ag Cd In Sn Sb Te I Xe Cs Ba La Ce Pr Nd Pm Sm Eu Gd Tb Dy Ho Er Tm Yb Lu Hf Ta W Re Os
Ir Pt Au Hg Tl Pb Bi Po At Rn Fr Ra Ac Th Pa U Np Pu Am Cm D""")


def _elements(formula: str) -> list[str]:
    """The elements a formula names; none when any is no element."""
    found = re.findall(r"[A-Z][a-z]?", formula)
    return found if all(e in ELEMENTS for e in found) else []


def _words(values: Any, seen: list[str]) -> Guess:
    """Text, or a category: by how many words a value has and how often values repeat."""
    distinct, spaces = len(set(seen)), float(np.mean([v.count(" ") for v in seen]))
    length = float(np.mean([len(v) for v in seen]))
    if distinct >= 0.5 * len(seen) and (distinct > 5 or distinct == len(seen)) and (spaces >= 2.5 or length > 60):
        return Guess("text", f"{spaces + 1:.0f} words a value on average, seldom repeated")
    if length > 100 and spaces > 10:
        return Guess("text", f"{spaces + 1:.0f} words a value on average")
    if distinct >= 0.8 * len(seen) and len(seen) >= 5:
        return Guess("text", "short texts, nearly all different")
    return Guess("category", f"{distinct}{'+' if distinct > 1000 else ''} different texts")
