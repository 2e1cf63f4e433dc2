"""Suspect labels out to a person, corrected labels back in, and what the correction was worth.

The user's file is never changed: corrections stand in the study's `relabelled.csv` and reach training rows only, when
training reads its labels. Validation and sealed rows are scored by the labels as they came; the score by the corrected
ones is shown beside, never instead.
"""

from __future__ import annotations

import csv
import getpass
import hashlib
import io
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import many
from gnomon.data.blocks import apart
from gnomon.data.table import Data, Dense, strings
from gnomon.errors import InputError
from gnomon.workflow._folder import Folder, read_json, write_text
from gnomon.workflow._outputs import replaces_nothing
from gnomon.workflow._plan_file import read_plan
from gnomon.workflow._relabel_answers import answered, is_open
from gnomon.workflow._relabel_files import (
    NEW,
    can_be_taken_back,
    form_of,
    read_rows,
    shown_inputs,
    thumbnails,
    write_rows,
)
from gnomon.workflow._relabel_suspects import Suspects, suspects
from gnomon.workflow._unfinished import unfinished
from gnomon.workflow.look import read_stage
from gnomon.workflow.options import Options

FILE = "relabelled.csv"
HEAD = ("row", "column", "old", "new", "who", "when", "part")
BEFORE = "before_relabel"  # what the study predicted before any correction
JUDGED = ("judged.parquet", "judged_truth.parquet")
TRAINED = "delivered.json"  # names the finished runs of every candidate


@dataclass(frozen=True)
class Labelled:
    """The training source as the study used it: roles as decided, rows that may be doubted, rows that are sealed."""

    data: Data
    develop: np.ndarray
    sealed: np.ndarray


def relabel(folder: Folder, source: Any, options: Options, *, most: int = 100, out: Path | None = None, voice: Any
            ) -> dict[str, Any]:
    """Write the `most` most suspect training or validation rows of each target; {"file", "rows", "stands", "page", "notes"}.

    Evidence: the cross-validated predictions behind LOOK-LABEL. Sealed rows and rows a person has looked at stay out, and a
    label that a person corrected is learnt from as corrected. notes: of which rows a sample was examined, and which targets
    gave none, and why. Raises E-RELABEL where no target gives any, E-OUT-UNWRITABLE where something would be lost.
    """
    can_be_taken_back(out)
    if out is not None:
        replaces_nothing(out, folder)
    if most < 1:
        raise InputError("E-RELABEL", f"{most} rows asked for: nothing would be listed", do="ask for one row or more")
    voice.say("reading and cross-examining the labels")
    seen = labelled(folder, source, options)
    path = out or folder.path / f"suspect_labels{form_of(seen.data.paths)}"
    _holds_no_answers(path, folder)
    data, (listed, notes) = seen.data, _cross_examined(folder, seen, options.seed, most)
    if not listed:
        raise InputError("E-RELABEL", "; ".join(notes), do="nothing is to be done, or look at labels of your own choice")
    records = [record for found in listed for record in _records(data, found)]
    write_rows(path, records)
    page = path.with_suffix(".html") if data.of_kind("image") else None
    if page is not None:
        thumbnails(page, data, records, np.concatenate([found.rows for found in listed]))
    return {"file": str(path), "rows": len(records), "stands": any(found.stands for found in listed),
            "page": str(page) if page else None, "notes": notes}


def _holds_no_answers(path: Path, folder: Folder) -> None:
    """Raises E-OUT-UNWRITABLE for a file with new labels that were never taken: they are someone's work."""
    if not path.exists():
        return
    try:
        filled = [r for r in read_rows(path) if not is_open(r)]
    except InputError:
        return  # no such file of ours
    known = {(line["row"], line["column"]) for line in corrections(folder)}
    open_yet = [r for r in filled if (str(r.get("row")), str(r.get("column"))) not in known]
    if open_yet:
        raise InputError("E-OUT-UNWRITABLE", f"'{path}' holds {many(len(open_yet), 'new label')} not taken yet, which "
                         "would be overwritten",
                         do=f"gnomon relabel {folder.path} --take {path} first, or write elsewhere with -o")


def _cross_examined(folder: Folder, seen: Labelled, seed: int, most: int) -> tuple[list[Suspects], list[str]]:
    """(the first `most` rows of each target that nobody has looked at, sentences); a target that gives none stops no other."""
    data, lines, listed, notes = seen.data, corrections(folder), [], []
    right, known = corrected(data, places_of(data), lines), {(int(c["row"]), c["column"]) for c in lines}
    for target in data.targets:
        try:
            found = suspects(data, target, seen.develop, seed, right=right, named=_named(folder, data, target))
        except InputError as refused:
            if refused.code != "E-RELABEL":
                raise
            notes.append(refused.message)
            continue
        keep = [i for i, r in enumerate(found.rows) if (int(data.position[r]), target) not in known][:most]
        notes += _notes(found, len(keep))
        listed += [found.take(keep)] if keep else []
    return listed, notes


def _named(folder: Folder, data: Data, target: str) -> np.ndarray:
    """Rows of the data that the report's LOOK-LABEL names for this target: a person who comes from there expects them."""
    places = places_of(data)
    told = [f for f in read_json(folder / "report.json", {}).get("findings", []) if f["code"] == "LOOK-LABEL"]
    return np.array([places[r] for f in told if target in f["columns"] for r in f["rows"] if r in places], dtype=np.int64)


def _notes(found: Suspects, listed: int) -> list[str]:
    """That a sample was examined, and why nothing of it is listed."""
    if not len(found.rows):
        return [f"no label of '{found.target}' disagrees with what its inputs say: there is nothing to look at{found.sampled}"]
    if not listed:
        return [f"every label of '{found.target}' that disagrees with its inputs has been looked at{found.sampled}"]
    return [f"'{found.target}' was cross-examined{found.sampled[1:]}"] if found.sampled else []


def labelled(folder: Folder, source: Any, options: Options) -> Labelled:
    """The study's training rows again, without looking anew. Raises E-STUDY-UNFINISHED, E-STUDY-FILE."""
    import pyarrow.parquet as pq

    from gnomon.workflow.study import stated_in_plan

    told, written = read_json(folder / "data.json"), read_plan(folder / "plan.toml")
    if not told or not (folder / JUDGED[0]).exists():
        raise unfinished(folder, "no verdict")
    data = read_stage(source, options, stated_in_plan(folder, written), folder.path / "cache")
    if told.get("training", told)["hash"] != data.hash:
        raise InputError("E-STUDY-FILE", f"the data of {folder.path} changed since it was studied",
                         do=f"gnomon run {folder.path}, then this command again")
    data = apart(data, told["roles"])
    for name, role in told["roles"].items():
        if name in data.columns and data.roles[name].role != role:
            data = data.with_role(name, role, "as the study used it")
    sealed = pq.read_table(folder / "split.parquet")["test"].to_numpy()[:len(data)]
    return Labelled(data, np.flatnonzero(~sealed), np.flatnonzero(sealed))


def _records(data: Data, found: Suspects) -> list[dict[str, Any]]:
    label, inputs = strings(data.columns[found.target], found.rows), shown_inputs(data, found.rows)
    return [{"row": int(data.position[r]), "column": found.target, **{k: v[i] for k, v in inputs.items()}, "label": label[i],
             "suggested label": found.suggested[i], "doubt": round(float(found.doubt[i]), 3), NEW: ""}
            for i, r in enumerate(found.rows)]


def take(folder: Folder, source: Any, options: Options, file: Path, *, who: str | None = None, voice: Any) -> dict[str, Any]:
    """Record the filled-in `new label`s in relabelled.csv; {"corrected", "confirmed", "sealed", "taken_back", "left"}.

    A row whose label the person repeats counts as looked at and confirmed, or its earlier correction as taken back. Raises
    E-RELABEL naming the row when it is not in the data, its label is another by now, or the new label is no class (or number)
    of the target.
    """
    voice.say("reading")
    seen = labelled(folder, source, options)
    data, sealed, stamp, name = seen.data, set(seen.sealed.tolist()), time.strftime("%Y-%m-%dT%H:%M:%S"), who or _user()
    records = read_rows(file)
    said = answered(data, records, places_of(data), again=f"gnomon relabel {folder.path}")
    if not said:
        raise InputError("E-RELABEL", f"{file}: the column '{NEW}' is empty in every row", do="fill it in where you are sure")
    lines = [(a.row, a.target, a.old, a.new, name, stamp, "test" if a.place in sealed else "train") for a in said]
    changed = [line for line in lines if line[2] != line[3]]
    earlier = {(int(c["row"]), c["column"]) for c in corrections(folder) if c["old"] != c["new"]}
    back = sum(line[2] == line[3] and line[:2] in earlier for line in lines)
    if changed:
        _keep_before(folder)
    _append(folder, lines)
    return {"corrected": sum(line[6] == "train" for line in changed), "sealed": sum(line[6] == "test" for line in changed),
            "confirmed": len(lines) - len(changed) - back, "taken_back": back, "left": sum(map(is_open, records))}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def _append(folder: Folder, lines: Sequence[Sequence[Any]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    path = folder / FILE
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if not before:
        writer.writerow(HEAD)
    elif not before.endswith("\n"):
        before += "\n"
    writer.writerows(lines)
    write_text(path, before + buffer.getvalue())


def _keep_before(folder: Folder) -> None:
    """The predictions of the study as it stood before the first correction: all corrections are measured against these."""
    place = folder.path / BEFORE
    place.mkdir(exist_ok=True)
    if not (place / JUDGED[0]).exists() and (folder / TRAINED).exists():
        shutil.copy(folder / TRAINED, place / TRAINED)
    for name in JUDGED:
        if not (place / name).exists():
            shutil.copy(folder / name, place / name)


def corrections(folder: Folder) -> list[dict[str, str]]:
    """The lines of relabelled.csv; of several about one row and column the last counts."""
    path = folder / FILE
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    if lines and not set(HEAD) <= set(lines[0]):
        raise InputError("E-STUDY-FILE", f"{path} lacks one of the columns {', '.join(HEAD)}", do="undo the edit, or delete it")
    return list({(line["row"], line["column"]): line for line in lines}.values())


def places_of(data: Data) -> dict[int, int]:
    """Row of the input as read -> row of the data."""
    return {int(p): i for i, p in enumerate(data.position)}


def corrected(data: Data, places: Mapping[int, int], lines: Sequence[Mapping[str, str]]) -> Data:
    """The data with these labels in place of those that came."""
    columns = dict(data.columns)
    for target in data.targets:
        mine = [(places[int(c["row"])], c["new"]) for c in lines if c["column"] == target and int(c["row"]) in places]
        column = columns[target]
        if not mine or not isinstance(column, Dense):
            continue
        values, code = column.values.copy(), {c: i for i, c in enumerate(column.spec.categories)}
        for row, new in mine:
            values[row] = float(new) if column.spec.kind == "number" else code.get(new, values[row])
        columns[target] = replace(column, values=values)
    return replace(data, columns=columns)


def mended(seen: Any, folder: Folder) -> tuple[Data | None, str]:
    """(the data to train on, a digest of the corrections): labels of rows that are not sealed, as a person corrected them;
    (None, "") when there is no correction."""
    lines = [c for c in corrections(folder) if c["part"] != "test" and c["old"] != c["new"]]
    if not lines:
        return None, ""
    digest = hashlib.sha256("".join(f"{c['row']}|{c['column']}|{c['new']};" for c in lines).encode()).hexdigest()[:12]
    return corrected(seen.data, places_of(seen.training), lines), digest
