"""Run a study again from its plan and judge whether it comes out the same, also with other threads and instructions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gnomon.errors import InputError
from gnomon.workflow._folder import Folder, read_json, write_json
from gnomon.workflow._plan_file import read_plan
from gnomon.workflow.options import Options


def replay_study(folder: Folder, source: Any, options: Options, *, threads: int | None = None, voice: Any) -> dict[str, Any]:
    """The same plan, from nothing, in a scratch folder; judged against the report on record.

    threads: CPU threads to train with instead of the plan's. same: every score equal to 9 digits; same within noise: within
    the interval on record; else different. `under` says how this run differed from the one on record.
    """
    from gnomon.workflow.study import study

    before = read_json(folder / "report.json")
    if not before:
        raise InputError("E-STUDY-UNFINISHED", f"{folder.path} has no report yet", do=f"gnomon run {folder.path}")
    with tempfile.TemporaryDirectory(prefix="gnomon-replay-") as scratch:
        place = Folder(Path(scratch) / folder.path.name).open()
        for name in ("plan.toml", "data.json", "relabelled.csv"):
            if (folder / name).exists():
                shutil.copy(folder / name, place / name)
        if threads is not None:
            _with_threads(place / "plan.toml", threads)
            options = replace(options, jobs=threads)
        write_json(place / "versions.json", read_json(folder / "versions.json"))
        after = study(source, place, options, voice)
    return {**judged(before, after), "under": _conditions(read_plan(folder / "plan.toml"), threads)}


def _with_threads(plan: Path, threads: int) -> None:
    """The same plan.toml with another thread count, its comments kept."""
    import tomlkit

    body = tomlkit.parse(plan.read_text(encoding="utf-8"))
    body["threads"] = threads
    plan.write_text(tomlkit.dumps(body), encoding="utf-8")


def _conditions(plan: Mapping[str, Any] | None, threads: int | None) -> str:
    """"1 thread instead of 2, instruction set default": in what the replay differed."""
    import os

    import torch

    was = int((plan or {}).get("threads", 0))
    now = threads or was
    told = [f"{now} thread{'s' * (now != 1)}" + (f" instead of {was}" if was and now != was else "")]
    told.append(f"instruction set {os.environ.get('ATEN_CPU_CAPABILITY') or torch.backends.cpu.get_cpu_capability()}")
    return ", ".join(told)


def replay_elsewhere(folder: Folder, instructions: str, threads: int | None) -> dict[str, Any]:
    """Replay in a process of its own whose arithmetic uses another instruction set ("default", "avx2", "avx512")."""
    import json
    import os
    import subprocess
    import sys

    from gnomon.methods._trust import FILES

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
