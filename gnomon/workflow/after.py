"""What can be done with a finished study: explain again, compare, replay, accept a finding, free disk."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.errors import InputError
from gnomon.values import plain
from gnomon.workflow._folder import Folder, read_json, write_json
from gnomon.workflow._plan_file import read_plan
from gnomon.workflow._predictions import load_prediction
from gnomon.workflow.options import Options
from gnomon.workflow.run import deliver


def explain_again(
    folder: Folder, source: Any, options: Options, *, rows_of: Any = None, seconds: float = 60.0
) -> dict[str, Any]:
    """Explanations of the delivered model, on the study's sealed (else first fold's) rows, or on rows of `rows_of`."""
    from dataclasses import asdict

    from gnomon.analyses.attribute._explain import explain
    from gnomon.workflow.look import read_stage, whole_look
    from gnomon.workflow.study import stated_in_plan

    made = read_json(folder / "delivered.json")
    if not made or not made["members"]:
        raise InputError(
            "E-NO-MODEL",
            f"{folder.path} recommends no model: there is nothing to explain",
            do=f"gnomon report {folder.path} says why",
        )
    learned = deliver(folder.path, made["members"])
    recipe = made["members"][0]["recipe"]
    written = read_plan(folder / "plan.toml")
    if rows_of is None:
        roles = stated_in_plan(folder, written)
        seen = whole_look(read_stage(source, options, roles, folder.path / "cache"), options, written)
        data, task, units = seen.data, seen.task, seen.parts.units
        rows = seen.parts.test if len(seen.parts.test) else seen.parts.folds[0].valid
    else:
        from gnomon.data.read.dispatch import read_like
        from gnomon.methods._network import task_from

        data, _ = read_like(read_json(folder / "data.json")["schema"], rows_of)
        task, rows, units = task_from(made["task"]), np.arange(len(data)), np.arange(len(data))
    told = explain(learned, task, data, rows, units, seconds=seconds, seed=options.seed, recipe=recipe)
    return plain({"explanations": list(told.explanations), "findings": [asdict(f) for f in told.findings]})


def compare_studies(folders: Sequence[Folder]) -> dict[str, Any]:
    """Pairwise comparison of chosen models on the rows that judged, for studies of one data set and split.

    The p-values are Holm-corrected over the pairs. Raises E-COMPARE when data, split or target differ.
    """
    from dataclasses import asdict

    from gnomon.analyses.validate.compare import compare, outcome
    from gnomon.methods._network import task_from

    if len(folders) < 2:
        raise InputError("E-COMPARE", "one study cannot be compared", do="name two or more study folders")
    loaded = [_judged_rows(folder) for folder in folders]
    first = loaded[0]
    for folder, one in zip(folders[1:], loaded[1:], strict=True):
        for what in ("data", "rows", "target"):
            if one[what] != first[what]:
                raise InputError(
                    "E-COMPARE",
                    f"{folder.path} differs from {folders[0].path} in its {what}: rows cannot be paired",
                    do="study the same file with the same --split, e.g. --split rows:FILE.json",
                )
    task = task_from(first["task"])
    stats = [task.measure(one["prediction"], one["truth"]) for one in loaded]
    pairs = []
    for i in range(len(folders)):
        for j in range(i + 1, len(folders)):
            found = compare(task, stats[i], stats[j], first["units"], margin=None)
            pairs.append(
                {
                    "a": str(folders[i].path),
                    "b": str(folders[j].path),
                    **asdict(found),
                    "positive_means": "a better",
                    "outcome": outcome(found),
                }
            )
    return plain(
        {
            "metric": task.metric.name,
            "scores": {str(f.path): task.score(s) for f, s in zip(folders, stats, strict=True)},
            "pairs": holm(pairs),
            "correction": "Holm over the pairs",
        }
    )


def holm(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds `p_corrected` (Holm 1979) to each pair."""
    known = sorted((p for p in pairs if p["p"] is not None), key=lambda p: p["p"])
    so_far = 0.0
    for rank, pair in enumerate(known):
        so_far = max(so_far, min(1.0, pair["p"] * (len(known) - rank)))
        pair["p_corrected"] = so_far
    return pairs


def _judged_rows(folder: Folder) -> dict[str, Any]:
    """The chosen model's predictions of the rows that judged, as saved at the verdict."""
    made, data = read_json(folder / "delivered.json"), read_json(folder / "data.json")
    path = folder / "judged.parquet"
    if not made or not path.exists():
        raise InputError("E-STUDY-UNFINISHED", f"{folder.path} has no verdict yet", do=f"gnomon run {folder.path}")
    import pyarrow.parquet as pq

    rows, prediction = load_prediction(path)
    extra = pq.read_table(folder / "judged_truth.parquet")
    names = [n for n in extra.column_names if n.startswith("truth")]
    truth = np.stack([extra[n].to_numpy() for n in names], axis=1)
    return {
        "task": made["task"],
        "target": plain(made["task"]),
        "data": data["hash"],
        "rows": rows.tolist(),
        "prediction": prediction,
        "truth": truth[:, 0] if len(names) == 1 else truth,
        "units": extra["unit"].to_numpy(),
    }


def replay_study(folder: Folder, source: Any, options: Options, *, voice: Any) -> dict[str, Any]:
    """The same plan, from nothing, in a scratch folder; judged against the report on record.

    same: every score equal to 9 digits; same within noise: within the interval on record; else different.
    """
    from gnomon.workflow.study import study

    before = read_json(folder / "report.json")
    if not before:
        raise InputError("E-STUDY-UNFINISHED", f"{folder.path} has no report yet", do=f"gnomon run {folder.path}")
    with tempfile.TemporaryDirectory(prefix="gnomon-replay-") as scratch:
        place = Folder(Path(scratch) / folder.path.name).open()
        for name in ("plan.toml", "data.json"):
            shutil.copy(folder / name, place / name)
        write_json(place / "versions.json", read_json(folder / "versions.json"))
        after = study(source, place, options, voice)
    return judged(before, after)


def judged(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Same, same within noise, or different, and in what."""
    if before["data"]["hash"] != after["data"]["hash"]:
        return {"judged": "different", "why": "the data changed since"}
    old = {c["recipe"]["hash"]: c["valid"] for c in before["candidates"] if c["valid"]}
    new = {c["recipe"]["hash"]: c["valid"] for c in after["candidates"] if c["valid"]}
    shared = [h for h in old if h in new]
    if not shared:
        return {"judged": "different", "why": "no candidate is in both"}
    far = [h for h in shared if abs(old[h]["value"] - new[h]["value"]) > 1e-9 * max(1, abs(old[h]["value"]))]
    missing = sorted(set(old) - set(new))
    if not far and not missing:
        return {"judged": "same", "why": f"all {len(shared)} candidates score the same to nine digits"}
    out = [h for h in far if old[h]["low"] is None or not old[h]["low"] <= new[h]["value"] <= old[h]["high"]]
    if out or before["verdict"]["outcome"] != after["verdict"]["outcome"]:
        return {
            "judged": "different",
            "why": f"{len(out)} of {len(shared)} scores left their interval; the verdict was "
            f"'{before['verdict']['outcome']}', is '{after['verdict']['outcome']}'",
        }
    return {"judged": "same within noise", "why": f"{len(far)} of {len(shared)} scores differ, all inside their intervals"}


def accept_finding(folder: Folder, code: str, because: str) -> None:
    """Put it on record that a person looked at a finding; it leaves page 1 and stays in the report."""
    report = read_json(folder / "report.json")
    if not report:
        raise InputError("E-STUDY-UNFINISHED", f"{folder.path} has no report yet", do=f"gnomon run {folder.path}")
    codes = sorted({f["code"] for f in report["findings"]})
    if code not in codes:
        raise InputError("E-CODE-ABSENT", f"this study has no finding {code}", do=f"it has: {', '.join(codes) or 'none'}")
    if not because.strip():
        raise InputError("E-BECAUSE", "a finding is accepted with a reason", do='--because "..."')
    accepted = read_json(folder / "accepted.json", {})
    write_json(folder / "accepted.json", {**accepted, code: because.strip()})
    write_json(folder / "report.json", {**report, "findings": with_accepted(report["findings"], folder)})


def with_accepted(findings: Sequence[dict[str, Any]], folder: Folder) -> list[dict[str, Any]]:
    """Findings with the reason a person accepted them for, where one did."""
    accepted = read_json(folder / "accepted.json", {})
    return [{**f, "accepted": accepted[f["code"]]} if f["code"] in accepted else f for f in findings]


def clean_study(folder: Folder) -> int:
    """Remove the image cache, checkpoints, and the weights of runs that nothing delivered needs."""
    made = read_json(folder / "delivered.json", {})
    needed = {f for m in made.get("members", []) for f in m["folders"]}
    freed = 0
    for path in [*folder.path.glob("cache"), *folder.path.glob("runs/*/*/*/checkpoint*")]:
        freed += _remove(path)
    for place in folder.path.glob("runs/*/*/fold*"):
        if place.relative_to(folder.path).as_posix() not in needed:
            for name in ("estimators.skops", "weights.safetensors", "view.npz", "learned.json", "view.json"):
                freed += _remove(place / name)
    return freed


def _remove(path: Path) -> int:
    if not path.exists():
        return 0
    size = path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    path.unlink() if path.is_file() else shutil.rmtree(path)
    return size
