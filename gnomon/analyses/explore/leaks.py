"""Columns that give the target away and would not be there at prediction time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from gnomon.analyses.explore._aim import Aim, aim_of, alone, folds_of, units_of
from gnomon.analyses.explore._chance import chance_of_codes, chance_of_skill
from gnomon.analyses.explore._cues import goes_with
from gnomon.analyses.explore._kit import FDR, Grouping, Looked, found, join, not_run, ran, sampled_note
from gnomon.analyses.explore._leaks import (
    TELLS,
    encoded,
    files_tell,
    name_predicts,
    others_skill,
    row_order,
    sharp_cut,
)
from gnomon.analyses.explore._names import of_a_file, says_after
from gnomon.card import Card
from gnomon.data.blocks import apart
from gnomon.data.table import Data, member_names, missing
from gnomon.values import Check, Finding, Grade

CARD = Card(
    name="Target leaks",
    gist="Looks for copies, codes and predictions of the target among the inputs, for single columns that all but "
         "determine it, and for file types and row order that tell it.",
    use_when="Always, with a target: a leak makes every score a fiction.",
    avoid_when="A law of nature ties one input to the target: then the warning may be accepted with a reason.",
    paper="Kaufman et al. 2012, Leakage in data mining, ACM TKDD 6(4):15; Kapoor & Narayanan 2023, Patterns 4(9)",
    survey=("P1", "P8"),
    needs=("labels",),
    cost="seconds",
)
CODE = "LOOK-LEAK"
ALMOST = 0.9  # share of the target that one column must predict out of fold, with a third of the others' error, to be suspected
SOME = 0.05  # share of the target that one of the columns whose names say "later" in the same word must predict
MOST = 60  # columns scored one by one; of more, those that go with the target most


def leaks(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
          seconds: float = 15.0) -> Looked:
    """Leaking columns, those of a block by their own names: excluded on structural evidence (copied, encoded, a cut of the
    target or its source, named as a prediction of it, missing exactly by class), else warned of and kept; noted where the
    other inputs tell as much. Rows of one unit (`groups`) are never on both sides of a fold."""
    aim = aim_of(data, target, rows)
    if aim is None or len(aim) < 30:
        return Looked(checks=(not_run(CODE, "fewer than 30 training rows with this target"),))
    full, aim = len(aim), aim.sampled(int(1300 * seconds), seed, "leaks")
    ties = units_of(groups, aim)
    folds = folds_of(len(aim), seed, "leaks", ties=ties if ties is not None and len(np.unique(ties)) > 1 else None)
    columns = candidates(data, aim, target)
    told = {name: alone(values, aim, folds) for name, (_, values) in columns.items()}
    skill = {name: one.skill for name, one in told.items()}
    tried = sum(len(member_names(data.columns[n])) or 1 for n in data.inputs)
    real = {n for n, one in told.items() if chance_of_skill(one, aim, ties) * tried <= FDR}
    inside = {source for source, _ in columns.values()} - set(of_files(data))
    exclude: dict[str, str] = {}
    for name, (source, values) in columns.items():
        if source in inside and (reason := _structural(name, values, aim, skill[name], tried, ties, name in real)):
            exclude.setdefault(source, reason)
    strong = [n for n in skill if skill[n] >= ALMOST and n in real and columns[n][0] in inside - set(exclude)
              and _own(columns[n][1], aim)]
    warned, noted = _weighed(data, aim, {n: columns[n][0] for n in strong}, skill, exclude, folds, seed)
    if data.of_kind("image"):
        warned.update({n: "a description of the file, whose traces can show in the pixels" for n, (_, values) in columns.items()
                       if (of_a_file(n, images=True) or n in of_files(data)) and n not in exclude and n not in warned
                       and _tells(values, aim)})
    late = {word for n in real if skill[n] > SOME and columns[n][0] in inside for word in says_after(columns[n][0])}
    warned.update({n: "recorded after the event, by its name" for n in dict.fromkeys(source for source, _ in columns.values())
                   if n in inside and says_after(n) & late and n not in exclude and n not in warned})
    findings = [_finding(data, target, columns, skill, exclude), _finding(data, target, columns, skill, warned),
                _finding(data, target, columns, skill, {n: why for n, why in noted.items() if n not in warned}, grade="note")]
    findings += files_tell(data, aim)
    order = row_order(data, aim, columns, exclude, ties)
    findings += order[0]
    smallest = (f"a column predicting {ALMOST:.0%} of the target out of fold, or a copy, code, cut or named prediction "
                f"of it{sampled_note(len(aim), full)}")
    return Looked(tuple(f for f in findings if f is not None), _checks(data, aim, tried, ran(CODE, smallest)),
                  exclude={**exclude, **order[1]})


def _checks(data: Data, aim: Aim, tried: int, check: Check) -> tuple[Check, ...]:
    """The check that ran, and what it could not tell."""
    checks = [check]
    if aim.classes and chance_of_codes(aim) * tried > FDR:
        checks.append(not_run(CODE, f"so few rows of the rarer classes that by chance one of {tried:,} columns may be a copy: "
                                    "no copy of the classes can be told"))
    if data.of_kind("image") and not of_files(data):
        checks.append(not_run(CODE, "the image files do not differ in size or mode, or these were not kept"))
    return tuple(checks)


def _weighed(data: Data, aim: Aim, strong: Mapping[str, str], skill: Mapping[str, float], exclude: Mapping[str, str],
             folds: np.ndarray, seed: int) -> tuple[dict[str, str], dict[str, str]]:
    """(warned, noted): strong columns against all other inputs together. strong: column label -> input or member of a block."""
    if not strong:
        return {}, {}
    out = {*strong.values(), *exclude}
    data = apart(data, out)
    rest = tuple(n for n in data.inputs if n not in out)
    if not rest:
        return {}, dict.fromkeys(strong.values(), "alone it predicts nine tenths of the target or more; no other input to "
                                                  "compare it with")
    other = others_skill(data, aim, rest, folds, seed)
    warned = {strong[n]: "alone it predicts nine tenths of the target or more, far more than all other inputs together"
              for n in strong if 1 - skill[n] < (1 - other) / 3}
    return warned, {source: "alone it predicts nine tenths of the target or more, and all other inputs together about as much"
                    for source in strong.values() if source not in warned}


def candidates(data: Data, aim: Aim, target: str) -> dict[str, tuple[str, np.ndarray]]:
    """Column label -> (input or member of a block, values on the aim's rows), and "missing: x" indicators; of a block the
    likeliest MOST."""
    out: dict[str, tuple[str, np.ndarray]] = {}
    for name in (*data.of_kind("number", "category", "date"), *of_files(data)):
        if name == target:
            continue
        values = data.columns[name].take(aim.rows)
        if values.ndim == 2:
            out.update(_of_block(values, member_names(data.columns[name]), aim))
            continue
        if values.dtype.kind == "M":
            values = np.where(np.isnat(values), np.nan, values.astype("int64").astype(np.float64))
        out[name] = (name, values)
        gone = missing(data.columns[name], aim.rows)
        if 0.02 < gone.mean() < 0.98:
            out[f"missing: {name}"] = (name, gone.astype(np.int64))
    for name in data.of_kind("text", "sequence"):
        out[f"length: {name}"] = (name, np.array([-1 if v is None else len(v) for v in
                                                  data.columns[name].take(aim.rows)], dtype=np.float64))
    return out


def of_files(data: Data) -> tuple[str, ...]:
    """Columns that reading kept aside because they describe the image file, not the specimen: its size, mode, type."""
    return tuple(n for n in data.named("ignore") if n in ("file:width", "file:height", "file:mode", "file:type"))


def _tells(values: np.ndarray, aim: Aim) -> bool:
    size, p = goes_with(values, aim)
    return size >= TELLS and p <= 1e-4


def _of_block(values: np.ndarray, names: Sequence[str], aim: Aim) -> dict[str, tuple[str, np.ndarray]]:
    """The columns of a block that go with the target most, by correlation."""
    filled = np.nan_to_num(values.astype(np.float64) - np.nanmean(values, axis=0))
    scale = np.maximum(filled.std(axis=0), 1e-12)
    truth = (aim.values[:, None] == np.arange(len(aim.classes))) if aim.classes else aim.values[:, None]
    truth = truth - truth.mean(axis=0)
    r = np.abs(filled.T @ truth) / (scale[:, None] * np.maximum(truth.std(axis=0), 1e-12) * len(aim))
    best = np.argsort(-r.max(axis=1), kind="stable")[:MOST]
    return {names[j]: (names[j], values[:, j].astype(np.float64)) for j in best}


def _own(values: np.ndarray, aim: Aim) -> bool:
    """Whether a column is fine enough to be a copy of this target: a designed factor with few levels is not a copy of
    a continuous target, and a category with nearly as many levels as rows only memorises."""
    levels = len(np.unique(values[~np.isnan(values)] if values.dtype.kind == "f" else values))
    if not aim.classes:
        return levels >= min(100, len(np.unique(aim.values)) / 5)
    return values.dtype.kind == "f" or levels <= max(4 * len(aim.classes), 10)


def _structural(name: str, values: np.ndarray, aim: Aim, skill: float, tried: int, ties: np.ndarray | None, real: bool) -> str:
    """The evidence that this column is made from the target (or the target from it), or "". tried: the columns looked at.
    real: whether its skill is more than chance over so many columns makes."""
    if name.startswith("length: "):
        return ""
    if name.startswith("missing: "):
        return "missing exactly according to the target" if skill >= 0.99 and len(aim) >= 50 and real else ""
    return encoded(values, aim, tried, ties) or sharp_cut(values, aim) or name_predicts(name, values, aim, skill)


def _finding(data: Data, target: str, columns: dict, skill: dict[str, float], hit: Mapping[str, str], *,
             grade: Grade = "warn") -> Finding | None:
    """The finding on these columns and the reasons; a note where nothing but their strength speaks against them. What becomes
    of the columns is for the workflow to say."""
    if not hit:
        return None
    names = tuple(hit)
    verb = ("gives" if len(names) == 1 else "give") if grade == "warn" else "may give"
    reasons = "; ".join(dict.fromkeys(hit.values()))
    best = {n: max((s for label, s in skill.items() if columns[label][0] == n or label == n), default=0.0)
            for n in names[:50]}
    return found(data, CODE, grade, f"{join(names)} {verb} '{target}' away ({reasons})", columns=names,
                 values={"reasons": dict(hit), "alone": best}, source="leaks")
