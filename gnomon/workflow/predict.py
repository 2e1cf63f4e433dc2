"""Predict new data with what a study delivered: same preprocessing, ranges, and a flag for rows unlike anything seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.table import Data, codes, member_names, missing
from gnomon.errors import InputError
from gnomon.tasks._task import Prediction
from gnomon.workflow._folder import Folder, cannot_write, read_json
from gnomon.workflow._unfinished import unfinished
from gnomon.workflow.run import deliver

MOST_TOLD, ROWS_TOLD = 10, 10  # findings said of new data, and rows named in each


def predict_table(folder: Folder, source: Any, *, candidate: str | None = None,
                  say: Callable[[str, str], None] = lambda stage, text: None) -> Any:
    """A DataFrame: row, [id], prediction, low, high, p_<class>..., ood_score, ood; `<target>.` before each for several."""
    import pandas as pd

    from gnomon.data.read.dispatch import read_like
    from gnomon.methods._network import task_from

    made = read_json(folder / "delivered.json")
    if not made:
        raise unfinished(folder, "no model")
    members = _members(folder, made, candidate)
    data, messages = read_like(read_json(folder / "data.json")["schema"], source)
    blank = without_inputs(data)
    for message in [*messages, *oddities(data, blank)]:
        say("NOTE", message)
    task = task_from(made["task"])
    rows = np.arange(len(data))
    prediction = deliver(folder.path, members).predict(data, rows)
    columns: dict[str, Any] = {"row": data.position}
    for name in data.named("identifier")[:1]:
        from gnomon.data.table import strings

        columns[name] = strings(data.columns[name])
    if data.items:
        columns["item"] = list(data.items)
    ranges = made.get("conformal") if candidate is None else None
    columns |= _columns(task, prediction, ranges)
    if limits := _limits(ranges):
        say("NOTE", f"low and high: {limits}")
    likeness, unlike = _likeness(made.get("ood"), data, rows, blank)
    columns |= likeness
    if unlike:
        say("NOTE", unlike)
    if not made["recommended"] and candidate is None:
        say("NOTE", "the study recommends no model: these predictions were not shown to be better than knowing nothing")
    return pd.DataFrame(columns)


def _members(folder: Folder, made: Mapping[str, Any], candidate: str | None) -> list[Any]:
    if candidate is None:
        members = made["members"]
    else:
        able = ", ".join(h for h, loaded in made["candidates"].items() if loaded) or "none has a model to load"
        near = [h for h in made["candidates"] if h.startswith(candidate)]
        if len(near) != 1:
            raise InputError("E-CANDIDATE", f"{'several candidates begin' if near else 'no candidate begins'} with "
                             f"'{candidate}' in {folder.path}", do=f"one of {able}")
        members = made["candidates"][near[0]]
        if not members:
            raise InputError("E-NO-MODEL", f"candidate {near[0]} of {folder.path} is a floor, or was not finished: it has no "
                             "model to load", do=f"name another with --candidate: {able}")
    if not members:
        raise InputError("E-NO-MODEL", f"{folder.path} recommends no model",
                         do="name a candidate with --candidate HASH (see report.json)")
    return members


def without_inputs(data: Data) -> np.ndarray:
    """Rows of which every input is missing: what a model says there, it says of nothing."""
    return np.flatnonzero(np.all([missing(data.columns[name]) for name in data.inputs], axis=0))


def oddities(data: Data, blank: np.ndarray) -> list[str]:
    """What reading new data found in their inputs, rows left out or without any input among it, with the rows' places."""
    known = set(data.inputs).union(*(member_names(data.columns[n]) for n in data.inputs))
    told = [f"{f.claim}{_rows(f.rows, f.rows_total)}" for f in data.findings if not f.columns or known & set(f.columns)]
    if len(told) > MOST_TOLD:
        told = [*told[:MOST_TOLD], f"{len(told) - MOST_TOLD} more such"]
    if len(blank):
        told.append(f"every input is missing: what the model says there rests on nothing"
                    f"{_rows(data.position[blank], len(blank))}")
    return told


def _rows(rows: Sequence[int], total: int) -> str:
    """" (rows 1, 2 and 14 more)": places in the input as read, as the column `row` numbers them."""
    if not total:
        return ""
    more = f" and {total - len(rows[:ROWS_TOLD]):,} more" if total > ROWS_TOLD else ""
    return f" (row{'s' * (total > 1)} {', '.join(map(str, rows[:ROWS_TOLD]))}{more})"


def _columns(task: Any, prediction: Prediction, conformal: Any) -> dict[str, Any]:
    from gnomon.analyses.validate.conformal import conformal_from_state

    tasks = task.tasks if task.name == "several" else (task,)
    parts = prediction.parts or (prediction,)
    low = high = None
    if conformal:
        low, high = conformal_from_state(conformal).interval(prediction)
        low, high = np.reshape(low, (len(prediction), -1)), np.reshape(high, (len(prediction), -1))
    out: dict[str, Any] = {}
    for i, (one, part) in enumerate(zip(tasks, parts, strict=True)):
        start = f"{one.target}." if len(tasks) > 1 else ""
        if one.name == "classify":
            out[f"{start}prediction"] = np.array(one.classes, dtype=object)[part.value]
        else:
            out[f"{start}prediction"] = part.value
        out[f"{start}low"] = low[:, i] if low is not None else np.nan
        out[f"{start}high"] = high[:, i] if high is not None else np.nan
        if part.proba is not None:
            out |= {f"{start}p_{c}": part.proba[:, k] for k, c in enumerate(one.classes)}
    return out


def _limits(ranges: Any) -> str:
    """What stands against the ranges of numbers, or ""."""
    from gnomon.analyses.validate.conformal import promise

    if not ranges or "regress" not in [part["kind"] for part in ranges["parts"] or [ranges]]:
        return ""
    return promise(ranges["level"], ranges["n_units"], ranges["reached"], guaranteed=ranges.get("guaranteed", True))


def _likeness(state: Any, data: Data, rows: np.ndarray, blank: np.ndarray) -> tuple[dict[str, Any], str]:
    """How unlike the training rows each row is; `ood` beyond what 5 % of like rows reach, and where every input is missing
    (imputed, such a row looks like the most common of all). And what is said of them. Not flagged is not reliable."""
    nothing = np.isin(rows, blank)
    if not state:
        return {"ood_score": np.nan, "ood": np.where(nothing, True, None)}, ""
    from gnomon.analyses.validate.ood import ood_from_state
    from gnomon.data.features._view import view_from_state
    from gnomon.workflow.examine import unpacked

    view = view_from_state(state["view"], {k: unpacked(v) for k, v in state["arrays"].items()})
    x = np.asarray(view.transform(data, rows), dtype=np.float32)
    rule = ood_from_state(state["rule"])
    score = np.where(nothing, np.nan, rule.score(x))
    odd = score > rule.threshold
    told = _unlike(rule, odd[~nothing], data, rows[~nothing], state.get("unit", "row"))
    return {"ood_score": score, "ood": nothing | odd}, told


def _unlike(rule: Any, odd: np.ndarray, data: Data, rows: np.ndarray, unit: str) -> str:
    """What is said where more of the rows are flagged than by chance; rows of one unit count together, if they name it."""
    from gnomon.analyses.validate.ood import odd_beyond_chance

    named = unit in data.columns and not missing(data.columns[unit], rows).all()
    units = None
    if named:
        code = codes(data.columns[unit], rows)
        units = np.where(code < 0, -1 - np.arange(len(rows)), code)
    if not odd_beyond_chance(odd, rule, units):
        return ""
    apart = "" if named or unit == "row" else f"; whether they are of one '{unit}' or of many is not known"
    return (f"{odd.sum():,} of {len(odd):,} rows are unlike the training rows (column 'ood'; about {rule.usual:.0%} would be "
            f"usual): their predictions are guesses{apart}")


def write_table(table: Any, path: Path) -> None:
    """Write a table in the form its extension names."""
    writers = {".csv": lambda: table.to_csv(path, index=False), ".tsv": lambda: table.to_csv(path, index=False, sep="\t"),
               ".parquet": lambda: table.to_parquet(path, index=False), ".xlsx": lambda: table.to_excel(path, index=False),
               ".jsonl": lambda: table.to_json(path, orient="records", lines=True)}
    if path.suffix.lower() not in writers:
        raise InputError("E-OUT-FORMAT", f"cannot write '{path.name}': unknown form '{path.suffix}'",
                         do=f"use one of {', '.join(writers)}")
    try:
        writers[path.suffix.lower()]()
    except OSError as error:
        raise cannot_write(path, error) from None
