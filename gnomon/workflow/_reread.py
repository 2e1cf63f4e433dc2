"""A finished study's data, task and split without looking again: read, compared by hash, the rest from its folder.

Looking costs far more than reading (all checks over all rows), and asking for an explanation has no use for it. Where the
folder cannot answer alone (rows of other sources, data or plan that changed since), everything is looked at as before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.data.blocks import apart
from gnomon.data.table import Data, Role
from gnomon.workflow._folder import Folder, read_json
from gnomon.workflow._plan_file import read_plan
from gnomon.workflow.look import read_stage, whole_look
from gnomon.workflow.options import Options


@dataclass(frozen=True)
class Reread:
    """units: (n,) the independent unit of each row. rows: the sealed ones where there are any (fold is then None), else those
    held out of one fold, that with the most units, as the study's own explanation has it."""

    data: Data
    task: Any
    units: np.ndarray
    rows: np.ndarray
    fold: int | None


def reread(folder: Folder, source: Any, options: Options, task: Mapping[str, Any]) -> Reread:
    """The study's held-out rows, with what is needed to ask about them. task: the state of the delivered one."""
    from gnomon.methods._network import task_from
    from gnomon.workflow.study import stated_in_plan

    written = read_plan(folder / "plan.toml")
    data = read_stage(source, options, stated_in_plan(folder, written), folder.path / "cache")
    kept = _kept(folder, data)
    if kept is not None:
        data, units, test, valid = kept
        return Reread(data, task_from(task), units, *_held(units, test, valid))
    seen = whole_look(data, options, written)
    return Reread(seen.data, seen.task, seen.parts.units,
                  *_held(seen.parts.units, seen.parts.test, [f.valid for f in seen.parts.folds]))


def _held(units: np.ndarray, test: np.ndarray, valid: Sequence[np.ndarray]) -> tuple[np.ndarray, int | None]:
    if len(test):
        return test, None
    fold = int(np.argmax([len(np.unique(units[rows])) for rows in valid]))
    return valid[fold], fold


def _kept(folder: Folder, data: Data) -> tuple[Data, np.ndarray, np.ndarray, list[np.ndarray]] | None:
    """(the data with their roles, units, sealed rows, each fold's validation rows) as the study left them."""
    import pyarrow.parquet as pq

    about = read_json(folder / "data.json", {})
    if about.get("test") or about.get("rows") != len(data) or about.get("hash") != data.hash:
        return None
    data = replace(apart(data, about.get("roles", ())), as_read=data.hash)
    if set(about.get("roles", ())) != set(data.columns) or not (folder / "split.parquet").exists():
        return None
    split = pq.read_table(folder / "split.parquet")
    if split.num_rows != len(data) or split["unlabelled"].to_numpy().any():
        return None
    roles = {name: Role(role, data.roles[name].because) for name, role in about["roles"].items()}
    folds = [split[name].to_numpy(zero_copy_only=False) for name in split.schema.names if name.startswith("fold")]
    return (replace(data, roles=roles), split["unit"].to_numpy(), np.flatnonzero(split["test"].to_numpy()),
            [np.flatnonzero(fold == "valid") for fold in folds])
