"""Predict new data with what a study delivered: same preprocessing, ranges, and a flag for rows unlike anything seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.errors import InputError
from gnomon.tasks._task import Prediction
from gnomon.workflow._folder import Folder, cannot_write, read_json
from gnomon.workflow.run import deliver


def predict_table(folder: Folder, source: Any, *, candidate: str | None = None,
                  say: Callable[[str, str], None] = lambda stage, text: None) -> Any:
    """A DataFrame: row, [id], prediction, low, high, p_<class>..., ood_score, ood; `<target>.` before each for several."""
    import pandas as pd

    from gnomon.data.read.dispatch import read_like
    from gnomon.methods._network import task_from

    made = read_json(folder / "delivered.json")
    if not made:
        raise InputError("E-STUDY-UNFINISHED", f"{folder.path} has no model yet", do=f"gnomon run {folder.path}")
    members = _members(folder, made, candidate)
    data, messages = read_like(read_json(folder / "data.json")["schema"], source)
    for message in messages:
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
    columns |= _columns(task, prediction, made.get("conformal") if candidate is None else None)
    columns |= _likeness(made.get("ood"), data, rows)
    if not made["recommended"] and candidate is None:
        say("NOTE", "the study found no signal: these predictions are no better than knowing nothing")
    return pd.DataFrame(columns)


def _members(folder: Folder, made: Mapping[str, Any], candidate: str | None) -> list[Any]:
    if candidate is None:
        members = made["members"]
    else:
        near = [h for h in made["candidates"] if h.startswith(candidate)]
        if len(near) != 1:
            raise InputError("E-CANDIDATE", f"no candidate '{candidate}' in {folder.path}",
                             do=f"one of {', '.join(made['candidates'])}")
        members = made["candidates"][near[0]]
    if not members:
        raise InputError("E-NO-MODEL", f"{folder.path} recommends no model, and that candidate has none to load",
                         do="name another with --candidate HASH (see report.json)")
    return members


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


def _likeness(state: Any, data: Any, rows: np.ndarray) -> dict[str, Any]:
    """How unlike the training rows each row is; `ood` beyond what 5 % of like rows reach. Not flagged is not reliable."""
    if not state:
        return {"ood_score": np.nan, "ood": None}
    from gnomon.analyses.validate.ood import ood_from_state
    from gnomon.data.features._view import view_from_state
    from gnomon.workflow.examine import unpacked

    view = view_from_state(state["view"], {k: unpacked(v) for k, v in state["arrays"].items()})
    x = np.asarray(view.transform(data, rows), dtype=np.float32)
    rule = ood_from_state(state["rule"])
    score = rule.score(x)
    return {"ood_score": score, "ood": score > rule.threshold}


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
