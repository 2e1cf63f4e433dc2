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

OF_RECORD = ("VALID-TEST-REUSED", "VALID-TEST-CHANGED")  # findings about what a test met before


def replay_study(folder: Folder, source: Any, options: Options, *, threads: int | None = None, voice: Any) -> dict[str, Any]:
    """The same plan, from nothing, in a scratch folder; judged against the report on record.

    threads: CPU threads to train with instead of the plan's. same: every candidate again, every score equal to 9 digits, the
    same findings; same within noise: within the interval on record, the same recommendation and warnings; else different.
    `under` says how this run differed from the one on record. Raises E-STUDY-UNFINISHED, E-OPTION.
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
    """Same, same within noise, or different, and in what: validation and test scores, the headline, the findings."""
    if before["data"]["hash"] != after["data"]["hash"]:
        return {"judged": "different", "why": "the data changed since"}
    old, new = _scores(before), _scores(after)
    unlike, grave = _unlike(before.get("findings") or (), after.get("findings") or ())
    if not old and not new:
        return _findings_judged(unlike, len(before["findings"]))
    shared = [k for k in old if k in new]
    far = [k for k in shared if abs(old[k]["value"] - new[k]["value"]) > 1e-9 * max(1, abs(old[k]["value"]))]
    other = _otherwise(before, after)
    if not far and not other and not unlike:
        return {"judged": "same", "why": f"all {len(shared)} scores of {len(_candidates(before))} candidates are the same to "
                                         "nine digits, and so are the findings"}
    out = [k for k in far if old[k].get("low") is None or not old[k]["low"] <= new[k]["value"] <= old[k]["high"]]
    if out:
        other.insert(0, f"{len(out)} of {len(shared)} scores left their interval: {_named(before, out)}")
    told = [] if len(far) == len(out) else [
        f"{len(far) - len(out)} of {len(shared)} scores differ, all inside their intervals"]
    told += [] if far or not shared else [f"all {len(shared)} scores are the same to nine digits"]
    told += [f"findings are not the same: {', '.join(unlike)}"] if unlike else []
    return {"judged": "different" if other or grave else "same within noise", "why": "; ".join([*other, *told])}


def _candidates(report: Mapping[str, Any]) -> list[str]:
    """Hashes of the candidates that were scored."""
    return [c["recipe"]["hash"] for c in report["candidates"] if c["valid"]]


def _scores(report: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """Every score by (candidate, part), and the headline, which is of none."""
    found = {(c["recipe"]["hash"], part): c.get(part) for c in report["candidates"] for part in ("valid", "test")}
    found["", "headline"] = (report.get("verdict") or {}).get("headline")
    return {key: e for key, e in found.items() if e and e.get("value") is not None}


def _named(report: Mapping[str, Any], keys: Sequence[tuple[str, str]]) -> str:
    """Scores by candidate and part."""
    said = [f"{_labels(report, [of])} ({part})" if of else part for of, part in keys[:5]]
    return ", ".join(said) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")


def _labels(report: Mapping[str, Any], hashes: Sequence[str]) -> str:
    """Candidates by label and the start of their hash."""
    named = {c["recipe"]["hash"]: f"{c.get('label', 'candidate')} {c['recipe']['hash'][:6]}" for c in report["candidates"]}
    return ", ".join(named.get(h, h[:6]) for h in hashes[:5]) + (f" and {len(hashes) - 5} more" if len(hashes) > 5 else "")


def _otherwise(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What came out otherwise beside the scores: candidates gone or new, a test or headline there only once, the
    recommendation, the verdict."""
    was, now = before["verdict"] or {}, after["verdict"] or {}
    mine, theirs = _candidates(before), _candidates(after)
    missing, extra = [h for h in mine if h not in theirs], [h for h in theirs if h not in mine]
    told = []
    if missing:
        told.append(f"{len(missing)} of {len(mine)} candidates did not come out: {_labels(before, missing)}")
    if extra:
        told.append(f"{len(extra)} came out that {'was' if len(extra) == 1 else 'were'} not there: {_labels(after, extra)}")
    old, new = ({k for k in _scores(r) if not k[0] or (k[0] in mine and k[0] in theirs)} for r in (before, after))
    if once := sorted(old ^ new):
        told.append(f"scored only once: {_named(before, once)}")
    picks = [(report, verdict.get("recommended")) for report, verdict in ((before, was), (after, now))]
    if picks[0][1] != picks[1][1]:
        first, second = (_labels(report, [pick]) if pick else "no model" for report, pick in picks)
        told.append(f"{first} was recommended, now {second}")
    if was.get("outcome") != now.get("outcome"):
        told.append(f"the verdict was '{was.get('outcome')}', is '{now.get('outcome')}'")
    return told


def _unlike(before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> tuple[list[str], bool]:
    """Codes of the findings that are in one report only, by what they say of which columns and rows; and whether a warning is
    among them that the other report has not in any words. What a test met before is of the record, not of the study."""
    said, warned = [], []
    for told in (before, after):
        kept = [f for f in told if f["code"] not in OF_RECORD]
        said.append({(f["code"], f["grade"], f["claim"], tuple(f["columns"]), tuple(f["rows"])) for f in kept})
        warned.append({(f["code"], f["grade"], tuple(f["columns"])) for f in kept if f["grade"] in ("block", "warn")})
    return sorted({key[0] for key in said[0] ^ said[1]}), warned[0] != warned[1]


def _findings_judged(unlike: Sequence[str], count: int) -> dict[str, Any]:
    """An exploratory study has no scores: its findings are compared."""
    if unlike:
        return {"judged": "different", "why": f"the data are the same, findings are not: {', '.join(unlike)}"}
    return {"judged": "same", "why": f"the data and all {count} findings are the same (no candidate was judged)"}
