"""Suspect labels out to a person, corrected labels back in, and what the correction was worth.

The user's file is never changed: corrections stand in the study's `relabelled.csv` and reach training rows only, when
training reads its labels. Validation and sealed rows are scored by the labels as they came; the score by the corrected
ones is shown beside, never instead.
"""

from __future__ import annotations

import csv
import getpass
import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.table import Data, Dense, strings
from gnomon.errors import InputError
from gnomon.workflow._folder import Folder, read_json, write_text
from gnomon.workflow._plan_file import read_plan
from gnomon.workflow._relabel_files import NEW, form_of, read_rows, shown_inputs, thumbnails, write_rows
from gnomon.workflow.look import read_stage
from gnomon.workflow.options import Options

FILE = "relabelled.csv"
HEAD = ("row", "column", "old", "new", "who", "when", "part")
BEFORE = "before_relabel"  # what the study predicted before the correction
JUDGED = ("judged.parquet", "judged_truth.parquet")
SAMPLE = 6000  # rows whose labels are cross-examined


@dataclass(frozen=True)
class Labelled:
    """The training source as the study used it: roles as decided, rows that may be doubted, rows that are sealed."""

    data: Data
    develop: np.ndarray
    sealed: np.ndarray


@dataclass(frozen=True)
class Suspects:
    """Rows of the data whose label is doubted, the most doubtful first."""

    target: str
    rows: np.ndarray
    suggested: tuple[str, ...]
    doubt: np.ndarray
    stands: bool  # beyond what hard cases explain


def relabel(folder: Folder, source: Any, options: Options, *, most: int = 100, out: Path | None = None, voice: Any
            ) -> dict[str, Any]:
    """Write the `most` most suspect training or validation rows of each target; {"file", "rows", "stands", "page"}.

    Evidence: the cross-validated predictions behind LOOK-LABEL. Sealed rows and rows a person has looked at stay out.
    """
    voice.say("reading and cross-examining the labels")
    seen = labelled(folder, source, options)
    known = {(int(c["row"]), c["column"]) for c in corrections(folder)}
    records, rows, stands = [], [], False
    for target in seen.data.targets:
        found = suspects(seen.data, target, seen.develop, options.seed)
        keep = [i for i, r in enumerate(found.rows) if (int(seen.data.position[r]), target) not in known][:most]
        stands |= found.stands
        rows += found.rows[keep].tolist()
        records += _records(seen.data, found, keep)
    if not records:
        raise InputError("E-RELABEL", "no label disagrees with what its inputs say: there is nothing to look at",
                         do="nothing is to be done")
    path = out or folder.path / f"suspect_labels{form_of(seen.data.paths)}"
    write_rows(path, records)
    page = path.with_suffix(".html") if seen.data.of_kind("image") else None
    if page is not None:
        thumbnails(page, seen.data, records, np.array(rows))
    return {"file": str(path), "rows": len(records), "stands": stands, "page": str(page) if page else None}


def labelled(folder: Folder, source: Any, options: Options) -> Labelled:
    """The study's training rows again, without looking anew. Raises E-STUDY-UNFINISHED, E-STUDY-FILE."""
    import pyarrow.parquet as pq

    from gnomon.workflow.study import stated_in_plan

    told, written = read_json(folder / "data.json"), read_plan(folder / "plan.toml")
    if not told or not (folder / JUDGED[0]).exists():
        raise InputError("E-STUDY-UNFINISHED", f"{folder.path} has no verdict yet", do=f"gnomon run {folder.path}")
    data = read_stage(source, options, stated_in_plan(folder, written), folder.path / "cache")
    if told.get("training", told)["hash"] != data.hash:
        raise InputError("E-STUDY-FILE", f"the data of {folder.path} changed since it was studied",
                         do=f"gnomon run {folder.path}, then this command again")
    for name, role in told["roles"].items():
        if name in data.columns and data.roles[name].role != role:
            data = data.with_role(name, role, "as the study used it")
    sealed = pq.read_table(folder / "split.parquet")["test"].to_numpy()[:len(data)]
    return Labelled(data, np.flatnonzero(~sealed), np.flatnonzero(sealed))


def suspects(data: Data, target: str, rows: np.ndarray, seed: int) -> Suspects:
    """Rows whose out-of-fold prediction is another class (or far off), the most doubtful first, in the look's order."""
    from gnomon.analyses.explore._aim import aim_of, folds_of
    from gnomon.analyses.explore._doubts import doubts
    from gnomon.analyses.explore._lapses import each_out_of_fold, lapse_rate
    from gnomon.analyses.explore._misfits import misfits
    from gnomon.analyses.explore._views import full_view

    aim = aim_of(data, target, rows)
    if aim is None or len(aim) < 20:
        raise InputError("E-RELABEL", f"'{target}' is known in too few rows to cross-examine", do="look at all of them")
    aim = aim.sampled(SAMPLE, seed, "relabel")
    view = full_view(data, aim.rows, inputs=tuple(n for n in data.inputs if n != target), seed=seed)
    if aim.classes:
        each = each_out_of_fold(view, aim, folds_of(len(aim), seed, "labels"), seed)
        doubted = doubts(view, aim, each, seed)
        order, doubt = doubted.order, 1 - doubted.own
        names, stands = [aim.classes[k] for k in doubted.like], lapse_rate(each[:2].mean(axis=0), aim.values).stands
    else:
        seen = misfits(view, aim, seed)
        order, doubt, stands = seen.order, seen.doubt, seen.stands
        names = [f"{g:.4g}" for g in seen.guess]
    return Suspects(target, aim.rows[order], tuple(names[i] for i in order), doubt[order], stands)


def _records(data: Data, found: Suspects, keep: Sequence[int]) -> list[dict[str, Any]]:
    rows = found.rows[list(keep)]
    label, inputs = strings(data.columns[found.target], rows), shown_inputs(data, rows)
    return [{"row": int(data.position[r]), "column": found.target, **{k: v[i] for k, v in inputs.items()}, "label": label[i],
             "suggested label": found.suggested[k], "doubt": round(float(found.doubt[k]), 3), NEW: ""}
            for i, (r, k) in enumerate(zip(rows, keep, strict=True))]


def take(folder: Folder, source: Any, options: Options, file: Path, *, who: str | None = None, voice: Any) -> dict[str, Any]:
    """Record the filled-in `new label`s in relabelled.csv; {"corrected", "confirmed", "sealed", "left"}.

    A row whose label the person repeats counts as looked at and confirmed. Raises E-RELABEL naming the row when it is not
    in the data, its label is another by now, or the new label is no class (or number) of the target.
    """
    voice.say("reading")
    seen = labelled(folder, source, options)
    data, places, sealed = seen.data, places_of(seen.data), set(seen.sealed.tolist())
    stamp, name = time.strftime("%Y-%m-%dT%H:%M:%S"), who or _user()
    lines, left = [], 0
    for record in read_rows(file):
        new = str(record.get(NEW) or "").strip()
        if not new:
            left += 1
            continue
        row, place, target = _place(record, places, data)
        old = strings(data.columns[target], np.array([place]))[0]
        said = str(record.get("label") or "").strip()
        if said and old is not None and not _same(data, target, said, str(old)):
            raise InputError("E-RELABEL", f"row {row}: the file says its label is '{said}', the data say '{old}'",
                             do="write the file anew: gnomon relabel " + str(folder.path))
        lines.append((row, target, old or "", _checked(data, target, new, row), name, stamp,
                      "test" if place in sealed else "train"))
    if not lines:
        raise InputError("E-RELABEL", f"{file}: the column '{NEW}' is empty in every row", do="fill it in where you are sure")
    _keep_before(folder)
    _append(folder, lines)
    changed = [line for line in lines if line[2] != line[3]]
    return {"corrected": sum(line[6] == "train" for line in changed), "sealed": sum(line[6] == "test" for line in changed),
            "confirmed": len(lines) - len(changed), "left": left}


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def _place(record: Mapping[str, Any], places: Mapping[int, int], data: Data) -> tuple[int, int, str]:
    try:
        row = int(float(record["row"]))
    except (TypeError, ValueError):
        raise InputError("E-RELABEL", f"'{record['row']}' is no row number", do="leave the column 'row' as written") from None
    target = str(record.get("column") or data.targets[0])
    if row not in places or target not in data.targets:
        raise InputError("E-RELABEL", f"row {row}, column '{target}': not in the training data",
                         do="leave the columns 'row' and 'column' as written")
    return row, places[row], target


def _same(data: Data, target: str, a: str, b: str) -> bool:
    if data.kind(target) == "number":
        try:
            return abs(float(a) - float(b)) <= 1e-6 * max(1.0, abs(float(b)))
        except ValueError:
            return False
    return a == b.strip()


def _checked(data: Data, target: str, new: str, row: int) -> str:
    """The new label as the target writes it."""
    column = data.columns[target]
    if column.spec.kind == "number":
        try:
            return f"{float(new):.12g}"
        except ValueError:
            raise InputError("E-RELABEL", f"row {row}: '{new}' is no number", do=f"'{target}' holds numbers") from None
    if new not in column.spec.categories:
        raise InputError("E-RELABEL", f"row {row}: '{new}' is no class of '{target}'",
                         do=f"classes: {', '.join(column.spec.categories[:20])}")
    return new


def _append(folder: Folder, lines: Sequence[Sequence[Any]]) -> None:
    import io

    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    path = folder / FILE
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    if not before:
        writer.writerow(HEAD)
    writer.writerows(lines)
    write_text(path, before + buffer.getvalue())


def _keep_before(folder: Folder) -> None:
    """The predictions of the study as it stood, to measure the correction against."""
    place = folder.path / BEFORE
    place.mkdir(exist_ok=True)
    for name in JUDGED:
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
