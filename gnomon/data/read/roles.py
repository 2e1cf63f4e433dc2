"""What a column is for, from its name and values, each with a reason; the user's word wins over everything inferred."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gnomon.data.infer import word_set, words

TARGETS = ("target", "targets", "label", "labels", "class", "classes", "y", "outcome", "response", "diagnosis")
GROUPS = word_set("""patient patients donor donors subject subjects participant individual person animal mouse rat dog
monkey cage litter plate site hospital center centre clinic institution cohort batch lot run session video movie clip
scaffold family cluster slide specimen biopsy tissue_block worker annotator rater user gene study experiment lab
laboratory station farm field_id plot block household school series cell_line cellline assay_id well""")
ID_WORDS = word_set(
    "id ids identifier uid uuid guid accession key index idx no nr num number name code cid "
    "barcode chemblid cas inchikey"
)
COUNTED = word_set(
    "n num number count counts per total mean average sd age size weight length rate score days time "
    "of fraction ratio percent pct"
)
WEIGHTS = word_set(
    "sample_weight sampleweight case_weight survey_weight obs_weight observation_weight "
    "instance_weight sampling_weight weights"
)
SPLIT_NAME = re.compile(r"(^|[\W_]|published)(split|splits|fold|folds|set|subset|partition)([\W_]|\d|$)", re.I)


@dataclass(frozen=True)
class Facts:
    """What the roles are inferred from: kind, distinct values, whether it is a row counter, part-like values."""

    kind: str
    detail: str
    known: int  # rows with a value
    distinct: int
    integer: bool = False
    counter: bool = False  # rises by one from row to row
    rising: bool = False
    parts: bool = False  # every value is like train, test, valid
    years: bool = False
    length: float = 0.0  # mean characters


def infer_roles(
    facts: Mapping[str, Facts], known: Mapping[str, tuple[str, str]], stated: Mapping[str, str], target: Sequence[str]
) -> dict[str, tuple[str, str, bool]]:
    """name -> (role, because, stated). What the user states wins, then what the format tells, then names and values."""
    out: dict[str, tuple[str, str, bool]] = {}
    for name, fact in facts.items():
        if name in target:
            out[name] = ("target", "named with --target", True)
        elif name in stated:
            out[name] = (stated[name], "stated by you", True)
        elif name in known:
            out[name] = (*known[name], False)
        else:
            out[name] = (*_role(name, fact), False)
    if not any(r[0] == "target" for r in out.values()):
        _obvious_target(out, facts)
    _one_time(out, facts)
    return out


def _role(name: str, fact: Facts) -> tuple[str, str]:
    if fact.known == 0:
        return "ignore", "no values"
    parts = list(words(name))
    for test in (_is_split, _is_weight, _is_group, _is_time, _is_identifier):
        found = test(name, parts, fact)
        if found is not None:
            return found
    return "input", "describes the row; no sign of another role"


def _is_split(name: str, parts: list[str], fact: Facts) -> tuple[str, str] | None:
    if fact.parts and SPLIT_NAME.search(name):
        return "split", "its name says split and its values are train, test and the like"
    if fact.parts:
        return "ignore", f"its values are train, test and the like: no input; to split by it: --split column:{name}"
    flag = "_".join(parts) in (
        "train",
        "is_train",
        "istrain",
        "in_train",
        "is_test",
        "istest",
        "train_test",
        "is_valid",
    )
    if flag and fact.distinct == 2:
        return "ignore", f"tells the parts of the data, so no input; to split by it: --split column:{name}"
    if parts and parts[-1] in ("fold", "folds", "split") and fact.distinct <= 20 and fact.integer:
        return "ignore", "fold numbers, so no input; to split by it: --split column:" + name
    return None


def _is_weight(name: str, parts: list[str], fact: Facts) -> tuple[str, str] | None:
    if fact.kind == "number" and ("_".join(parts) in WEIGHTS or "".join(parts) in WEIGHTS):
        return "weight", "its name says sample weight"
    return None


def _is_group(name: str, parts: list[str], fact: Facts) -> tuple[str, str] | None:
    """A column named like a patient, plate, batch or the like, whose values come back in several rows."""
    structure = fact.kind == "molecule" and parts[-1:] in (["scaffold"], ["cluster"], ["series"])
    if fact.kind not in ("category", "text", "number") and not structure:
        return None
    if fact.kind == "number" and not fact.integer:
        return None
    if fact.detail in ("variants", "formula", "censored") or fact.distinct < 2 or fact.length > 60 + 200 * structure:
        return None
    core = [p for p in parts if p not in ID_WORDS and not p.isdigit()]
    if not core or COUNTED & set(core) or (set(parts) & {"n", "num", "count", "per"} and fact.kind == "number"):
        return None
    two = "_".join(core[-2:])
    called = two.replace("_", " ") if two in GROUPS else core[-1] if core[-1] in GROUPS else ""
    if not called or len(core) > 3:
        return None
    if fact.distinct >= fact.known:
        return ("identifier", f"named like a {called}, and no value comes twice") if fact.known > 1 else None
    if fact.known / fact.distinct < 1.2 and fact.known - fact.distinct < 5:
        return "identifier", f"named like a {called}, and hardly a value comes twice"
    return "group", f"named like a {called}; {fact.distinct} of them in {fact.known} rows"


def _is_time(name: str, parts: list[str], fact: Facts) -> tuple[str, str] | None:
    if fact.kind == "date":
        return "time", "dates"
    if fact.kind != "number" or not parts:
        return None
    if parts[-1] == "year" and len(parts) <= 2 and fact.years:
        return "time", "years"
    if parts[-1] in ("timestamp", "datetime", "unixtime") or (parts == ["time"] and fact.rising):
        return "time", "named so, and numbers that rise from row to row" if fact.rising else "named like a time stamp"
    return None


def _is_identifier(name: str, parts: list[str], fact: Facts) -> tuple[str, str] | None:
    """A name for the row rather than a measurement of it."""
    called = bool(parts) and (
        parts[-1] in ID_WORDS
        or parts[0] in ("id", "index", "unnamed")
        or (parts[-1].endswith("id") and parts[-1] not in ("acid", "lipid", "solid", "fluid"))
    )
    blank = not parts
    share = fact.distinct / max(fact.known, 1)
    if fact.kind == "number":
        if fact.integer and fact.counter and fact.known >= 5 and (called or blank or fact.known >= 20):
            return "identifier", "whole numbers that count the rows"
        if not fact.integer or not called or parts[-1] in ("number", "num", "n", "nr") or fact.known < 5:
            return None
        if share == 1:
            return "identifier", "whole numbers, each once, in a column named like an identifier"
        return _returning_id(parts, fact, share)
    if fact.kind not in ("category", "text") or fact.detail in ("variants", "formula") or fact.known < 3:
        return None
    if blank and share > 0.95:
        return "identifier", "row names"
    if called and share > 0.8:
        return "identifier", "named like an identifier, and nearly every value is different"
    if called and _returning_id(parts, fact, share):
        return _returning_id(parts, fact, share)
    if share > 0.9 and fact.length < 40 and fact.kind == "text" and fact.detail != "prose" and fact.known >= 5:
        return "identifier", "short texts, nearly every one different: a name for the row"
    return None


def _returning_id(parts: list[str], fact: Facts, share: float) -> tuple[str, str] | None:
    """`device_id` and the like: an identifier when mostly unique, else what the rows belong to."""
    if parts[-1] not in ("id", "ids", "uid", "uuid", "guid", "identifier") or fact.distinct < 20:
        return None
    if share > 0.5:
        return "identifier", "named like an identifier, and most values are different"
    return "group", f"named like an identifier whose values come again; {fact.distinct} of them in {fact.known} rows"


def _obvious_target(out: dict[str, tuple[str, str, bool]], facts: Mapping[str, Facts]) -> None:
    """With no target stated: a column whose whole name is target, label, class, y or the like, the last such; else the only
    number or category beside molecules, sequences, images or texts."""
    free = [n for n in out if not out[n][2] and out[n][0] in ("input", "group") and facts[n].known > 0]
    named = [n for n in free if " ".join(words(n)) in TARGETS]
    if named:
        out[named[-1]] = ("target", f"no target was stated; '{named[-1]}' says it is one", False)
        return
    free = [n for n in free if out[n][0] == "input" and not n.startswith("file:")]  # what file names tell is no measurement
    rich = {facts[n].kind for n in free} - {"number", "category", "date"}
    plain = [n for n in free if facts[n].kind in ("number", "category") and facts[n].distinct > 1]
    if rich and len(plain) == 1 and len(free) == len([n for n in free if facts[n].kind in rich]) + 1:
        what = " and ".join(f"{kind}s" for kind in sorted(rich))
        out[plain[0]] = ("target", f"no target was stated; '{plain[0]}' is the only value beside the {what}", False)


def _one_time(out: dict[str, tuple[str, str, bool]], facts: Mapping[str, Facts]) -> None:
    """One time column: the one stated, else a date, else the first; dates beside it are put aside, numbers used."""
    times = [n for n in out if out[n][0] == "time"]
    if len(times) < 2:
        return
    best = max(times, key=lambda n: (out[n][2], facts[n].kind == "date", -times.index(n)))
    for name in times:
        if name != best and not out[name][2]:
            role = "ignore" if facts[name].kind == "date" else "input"
            out[name] = (role, f"'{best}' is the time column", False)
