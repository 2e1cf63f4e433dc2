"""Run a study again from its plan and judge whether it comes out the same, also with other threads and instructions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gnomon.errors import InputError
from gnomon.workflow._folder import Folder, read_json, write_json
from gnomon.workflow._plan_file import read_plan
from gnomon.workflow.options import Options


def replay_study(folder: Folder, source: Any, options: Options, *, threads: int | None = None, voice: Any) -> dict[str, Any]:
    """The same plan, from nothing, in a scratch folder; judged against the report on record.

    threads: CPU threads to train with instead of the plan's. same: every candidate again, every score equal to 9 digits; same
    within noise: within the interval on record, and the same recommendation; else different. `under` says how this run differed
    from the one on record. Raises E-STUDY-UNFINISHED, E-OPTION.
    """
    from gnomon.workflow.study import study

    some_threads(threads)
    before = read_json(folder / "report.json")
    if not before:
        raise InputError("E-STUDY-UNFINISHED", f"{folder.path} has no report yet", do=f"gnomon run {folder.path}")
    with tempfile.TemporaryDirectory(prefix="gnomon-replay-") as scratch:
        place = Folder(Path(scratch) / folder.path.name).open()
        for name in ("plan.toml", "data.json", "relabelled.csv"):
            if (folder / name).exists():
                shutil.copy(folder / name, place / name)
        if threads is not None:
            options = replace(options, jobs=threads)
            if (place / "plan.toml").exists():
                _with_threads(place / "plan.toml", threads)
        write_json(place / "versions.json", read_json(folder / "versions.json"))
        after = study(source, place, options, voice)
    return {**judged(before, after), "under": _conditions(read_plan(folder / "plan.toml"), threads)}


def some_threads(threads: int | None) -> None:
    """Raises E-OPTION for less than one thread."""
    if threads is not None and threads < 1:
        raise InputError("E-OPTION", f"--threads {threads}: nothing can be trained with so many", do="give 1 or more")


def _with_threads(plan: Path, threads: int) -> None:
    """The same plan.toml with another thread count, its comments kept."""
    import tomlkit

    body = tomlkit.parse(plan.read_text(encoding="utf-8"))
    body["threads"] = threads
    plan.write_text(tomlkit.dumps(body), encoding="utf-8")


def _conditions(plan: Mapping[str, Any] | None, threads: int | None) -> str:
    """"1 thread instead of 2, instruction set default": in what the replay differed. Without plan no thread count is known."""
    import os

    import torch

    was = int((plan or {}).get("threads", 0))
    now = threads or was
    told = [f"{now} thread{'s' * (now != 1)}" + (f" instead of {was}" if was and now != was else "")] if now else []
    told.append(f"instruction set {os.environ.get('ATEN_CPU_CAPABILITY') or torch.backends.cpu.get_cpu_capability()}")
    return ", ".join(told)


def replay_elsewhere(folder: Folder, instructions: str, threads: int | None) -> dict[str, Any]:
    """Replay in a process of its own whose arithmetic uses another instruction set ("default", "avx2", "avx512")."""
    import json
    import os
    import subprocess
    import sys

    from gnomon.methods._trust import FILES

    some_threads(threads)
    command = [sys.executable, "-m", "gnomon", "replay", str(folder.path), "--json",
               *(["--threads", str(threads)] if threads else []), *(["--trust-code", *FILES] if FILES else [])]
    env = {**os.environ, "ATEN_CPU_CAPABILITY": instructions}
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise InputError("E-REPLAY", f"the replay failed: {last}",
                         do=f"gnomon run {folder.path}, then replay again")
    return json.loads(done.stdout[done.stdout.index("{"):])


def judged(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Same, same within noise, or different, and in what."""
    if before["data"]["hash"] != after["data"]["hash"]:
        return {"judged": "different", "why": "the data changed since"}
    old, new = _scores(before), _scores(after)
    if not old and not new:
        return _findings_judged(before["findings"], after["findings"])
    shared = [h for h in old if h in new]
    far = [h for h in shared if abs(old[h]["value"] - new[h]["value"]) > 1e-9 * max(1, abs(old[h]["value"]))]
    other = _otherwise(before, after, [h for h in old if h not in new])
    if not far and not other:
        return {"judged": "same", "why": f"all {len(shared)} candidates score the same to nine digits"}
    out = [h for h in far if old[h]["low"] is None or not old[h]["low"] <= new[h]["value"] <= old[h]["high"]]
    if out:
        other.insert(0, f"{len(out)} of {len(shared)} scores left their interval: {_labels(before, out)}")
    if not other:
        return {"judged": "same within noise", "why": f"{len(far)} of {len(shared)} scores differ, all inside their intervals"}
    if not out and shared:
        other.append(f"{len(far)} of the other {len(shared)} scores differ, all inside their intervals")
    return {"judged": "different", "why": "; ".join(other)}


def _scores(report: Mapping[str, Any]) -> dict[str, Any]:
    return {c["recipe"]["hash"]: c["valid"] for c in report["candidates"] if c["valid"]}


def _labels(report: Mapping[str, Any], hashes: Sequence[str]) -> str:
    """Candidates by label and the start of their hash."""
    named = {c["recipe"]["hash"]: f"{c.get('label', 'candidate')} {c['recipe']['hash'][:6]}" for c in report["candidates"]}
    return ", ".join(named.get(h, h[:6]) for h in hashes[:5]) + (f" and {len(hashes) - 5} more" if len(hashes) > 5 else "")


def _otherwise(before: Mapping[str, Any], after: Mapping[str, Any], missing: Sequence[str]) -> list[str]:
    """What came out otherwise beside the scores: candidates that are gone, the recommendation, the verdict."""
    was, now = before["verdict"] or {}, after["verdict"] or {}
    told = []
    if missing:
        told.append(f"{len(missing)} of {len(_scores(before))} candidates did not come out: {_labels(before, missing)}")
    picks = [(report, verdict.get("recommended")) for report, verdict in ((before, was), (after, now))]
    if picks[0][1] != picks[1][1]:
        first, second = (_labels(report, [pick]) if pick else "no model" for report, pick in picks)
        told.append(f"{first} was recommended, now {second}")
    if was.get("outcome") != now.get("outcome"):
        told.append(f"the verdict was '{was.get('outcome')}', is '{now.get('outcome')}'")
    return told


def _findings_judged(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An exploratory study has no scores: its findings are compared, by what they say of which columns and rows."""
    keys = [{(f["code"], f["grade"], f["claim"], tuple(f["columns"]), tuple(f["rows"])) for f in told}
            for told in (before, after)]
    unlike = sorted({key[0] for key in keys[0] ^ keys[1]})
    if unlike:
        return {"judged": "different", "why": f"the data are the same, findings are not: {', '.join(unlike)}"}
    return {"judged": "same", "why": f"the data and all {len(before)} findings are the same (no candidate was judged)"}
