"""Columns that give the target away and would not be there at prediction time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import Aim, aim_of, folds_of, one_column_skill
from gnomon.analyses.explore._cues import goes_with
from gnomon.analyses.explore._kit import Grouping, Looked, found, join, not_run, ran, sampled_note
from gnomon.analyses.explore._leaks import (
    TELLS,
    after_names,
    encoded,
    files_tell,
    name_predicts,
    others_skill,
    row_order,
    sharp_cut,
)
from gnomon.analyses.explore._names import METADATA, has
from gnomon.card import Card
from gnomon.data.table import Data, missing
from gnomon.values import Action, Finding, Grade

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
MOST = 60  # columns scored one by one; of more, those that go with the target most


def leaks(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
          seconds: float = 15.0) -> Looked:
    """Leaking columns: excluded on structural evidence (copied, encoded, a cut of the target or its source, named as
    a prediction of it, missing exactly by class), else warned of and kept; noted where the other inputs tell as much."""
    aim = aim_of(data, target, rows)
    if aim is None or len(aim) < 30:
        return Looked(checks=(not_run(CODE, "fewer than 30 training rows with this target"),))
    full, aim = len(aim), aim.sampled(int(1300 * seconds), seed, "leaks")
    folds = folds_of(len(aim), seed, "leaks")
    columns = candidates(data, aim, target)
    skill = {name: one_column_skill(values, aim, folds) for name, (_, values) in columns.items()}
    exclude, warned, noted = {}, {}, {}
    for name, (source, values) in columns.items():
        if source not in data.inputs:
            continue
        if reason := _structural(name, values, aim, skill[name]):
            exclude.setdefault(source, reason)
    strong = [n for n, s in skill.items() if s >= ALMOST and columns[n][0] not in exclude and _own(columns[n][1], aim)
              and columns[n][0] in data.inputs]
    if strong:
        rest = tuple(n for n in data.inputs if n not in {columns[s][0] for s in strong} and n not in exclude)
        other = others_skill(data, aim, rest, seed)
        for name in strong:
            if 1 - skill[name] < (1 - other) / 3:
                warned[name] = "alone it predicts nine tenths of the target or more, far more than all other inputs together"
            else:
                noted[name] = "alone it predicts nine tenths of the target or more, and all other inputs together about as much"
    if data.of_kind("image"):
        warned.update({n: "a description of the file, whose traces can show in the pixels" for n, (_, values) in columns.items()
                       if (has(n, METADATA) or n in of_files(data)) and n not in exclude and n not in warned
                       and _tells(values, aim)})
    after = [n for n in after_names(data.inputs) if n not in exclude]
    if any(skill.get(n, 0.0) > 0.05 for n in after):
        warned.update({n: "recorded after the event, by its name" for n in after if n not in warned})
    findings = [_finding(data, target, columns, skill, exclude, "set aside"),
                _finding(data, target, columns, skill, warned, "kept; check when it is known"),
                _finding(data, target, columns, skill, {n: why for n, why in noted.items() if n not in warned},
                         "kept; check when it is known", grade="note")]
    findings += files_tell(data, aim)
    order = row_order(data, aim, columns, exclude)
    findings += order[0]
    smallest = (f"a column predicting {ALMOST:.0%} of the target out of fold, or a copy, code, cut or named prediction "
                f"of it{sampled_note(len(aim), full)}")
    checks = [ran(CODE, smallest)]
    if data.of_kind("image") and not of_files(data):
        checks.append(not_run(CODE, "the image files do not differ in size or mode, or these were not kept"))
    return Looked(tuple(f for f in findings if f is not None), tuple(checks), exclude={**exclude, **order[1]})


def candidates(data: Data, aim: Aim, target: str) -> dict[str, tuple[str, np.ndarray]]:
    """Column label -> (input column, values on the aim's rows), and "missing: x" indicators; the likeliest MOST."""
    out: dict[str, tuple[str, np.ndarray]] = {}
    for name in (*data.of_kind("number", "category", "date"), *of_files(data)):
        if name == target:
            continue
        values = data.columns[name].take(aim.rows)
        if values.ndim == 2:
            out.update(_of_block(values, name, data.columns[name], aim))
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


def _of_block(values: np.ndarray, name: str, column: object, aim: Aim) -> dict[str, tuple[str, np.ndarray]]:
    """The columns of a block that go with the target most, by correlation."""
    filled = np.nan_to_num(values.astype(np.float64) - np.nanmean(values, axis=0))
    scale = np.maximum(filled.std(axis=0), 1e-12)
    truth = (aim.values[:, None] == np.arange(len(aim.classes))) if aim.classes else aim.values[:, None]
    truth = truth - truth.mean(axis=0)
    r = np.abs(filled.T @ truth) / (scale[:, None] * np.maximum(truth.std(axis=0), 1e-12) * len(aim))
    best = np.argsort(-r.max(axis=1), kind="stable")[:MOST]
    return {column.names[j]: (name, values[:, j].astype(np.float64)) for j in best}  # type: ignore[attr-defined]


def _own(values: np.ndarray, aim: Aim) -> bool:
    """Whether a column is fine enough to be a copy of this target: a designed factor with few levels is not a copy of
    a continuous target, and a category with nearly as many levels as rows only memorises."""
    levels = len(np.unique(values[~np.isnan(values)] if values.dtype.kind == "f" else values))
    if not aim.classes:
        return levels >= min(100, len(np.unique(aim.values)) / 5)
    return values.dtype.kind == "f" or levels <= max(4 * len(aim.classes), 10)


def _structural(name: str, values: np.ndarray, aim: Aim, skill: float) -> str:
    """The evidence that this column is made from the target (or the target from it), or ""."""
    if name.startswith("length: "):
        return ""
    if name.startswith("missing: "):
        return "missing exactly according to the target" if skill >= 0.99 and len(aim) >= 50 else ""
    return encoded(values, aim) or sharp_cut(values, aim) or name_predicts(name, values, aim, skill)


def _finding(data: Data, target: str, columns: dict, skill: dict[str, float], hit: Mapping[str, str], done: str, *,
             grade: Grade = "warn") -> Finding | None:
    """The finding on these columns and the reasons; a note where nothing but their strength speaks against them."""
    if not hit:
        return None
    names = tuple(hit)
    verb = ("gives" if len(names) == 1 else "give") if grade == "warn" else "may give"
    reasons = "; ".join(dict.fromkeys(hit.values()))
    claim = f"{join(names)} {verb} '{target}' away ({reasons}): {done}"
    best = {n: max((s for label, s in skill.items() if columns[label][0] == n or label == n), default=0.0)
            for n in names[:50]}
    plan = f"exclude = {list(names)}" if done == "set aside" else ""
    return found(data, CODE, grade, claim, columns=names, values={"reasons": dict(hit), "alone": best},
                 action=Action(done, plan), source="leaks")
