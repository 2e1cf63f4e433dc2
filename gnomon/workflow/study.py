"""The main job: the stages in order, each a function of what came before, each leaving its files in the study folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import many
from gnomon.data.parts import folds_words
from gnomon.methods._desk import Desk
from gnomon.methods._network import precision_pays
from gnomon.methods._trust import trust
from gnomon.workflow._folder import FORMAT, Folder, read_json, write_json, write_text
from gnomon.workflow._plan_file import digest, idle_actions, read_plan, roles_of
from gnomon.workflow._voice import Voice
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.look import Seen, read_stage, whole_look
from gnomon.workflow.options import Options, device_of, threads_of
from gnomon.workflow.outside import READING, TEST_SOURCE, outside_stage
from gnomon.workflow.plan import Plan
from gnomon.workflow.planning import plan_stage
from gnomon.workflow.run import Bench
from gnomon.workflow.training import run_stage

NOWHERE: Mapping[str, Any] = {}


def study(source: Any, folder: Folder, options: Options, voice: Voice, origin: Mapping[str, Any] = NOWHERE) -> dict[str, Any]:
    """Run every stage, or what of them is not done yet; returns the report as a dict (report.json).

    origin: what versions.json keeps of the command: its source and words.
    """
    folder.open()
    with folder.busy():
        write_json(folder / "versions.json", {**versions(options), **origin})
        ledger = Ledger(folder / "ledger.jsonl")
        written = read_plan(folder / "plan.toml")
        roles = stated_in_plan(folder, written)
        seen = timed(ledger, "look", lambda: _look(source, folder, options, roles, written, voice))
        if options.explore:
            from gnomon.workflow.explore import explore_report

            return explore_report(folder, seen, options, ledger)
        bench = bench_of(seen, folder, options, voice)
        plan = timed(ledger, "plan", lambda: plan_stage(bench, seen, options, written, ledger, voice))
        bench = replace(bench, desk=replace(bench.desk, threads=plan.threads or bench.desk.threads,
                                                  snapshots=plan.snapshots))
        runs, cuts, found = run_stage(bench, plan, options, ledger, voice)
        from gnomon.workflow._relabel_gain import with_gain
        from gnomon.workflow.conclude import conclude

        seen = replace(seen, findings=(*seen.findings, *found.findings), checks=(*seen.checks, *found.checks))
        return with_gain(conclude(bench, seen, plan, runs, cuts, options, ledger, voice), bench, seen)


def timed(ledger: Ledger, name: str, do: Callable[[], Any]) -> Any:
    """Run a stage and charge its seconds once: doing it again after an interruption costs the budget nothing."""
    started = time.perf_counter()
    out = do()
    if not any(e.get("event") == "stage" and e.get("name") == name for e in ledger.lines()):
        ledger.note("stage", name=name, seconds=round(time.perf_counter() - started, 3))
    return out


def versions(options: Options) -> dict[str, Any]:
    """What made this study: format, gnomon, Python and library versions, seed."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    names = ("gnomon", "torch", "numpy", "scipy", "pandas", "scikit-learn", "rdkit", "lightgbm", "timm")
    return {"format": FORMAT, "python": platform.python_version(), "seed": options.seed,
            "machine": platform.machine(), "libraries": {n: installed(n) for n in names}}


def _look(source: Any, folder: Folder, options: Options, roles: Mapping[str, str], written: Any, voice: Voice) -> Seen:
    voice.say("reading")
    data = read_stage(source, options, roles, folder.path / "cache")
    voice.say("looking")
    outside = outside_stage(data, options, folder.path / "cache")
    seen = whole_look(data, options, written, outside)
    told = read_json(folder / "data.json", {})
    if written and "actions" in told:
        idle_actions(written, folder / "plan.toml", seen.data, seen.actions, told["actions"])
    save_look(folder, seen, roles)
    _say_seen(seen, told.get("test"), read_json(folder / "data.json")["test"], voice)
    return seen


def _say_seen(seen: Seen, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None, voice: Voice) -> None:
    """The LOOK and SPLIT lines, and what the other sources lack or share."""
    n = len(seen.training)
    kinds = ", ".join(dict.fromkeys(seen.data.kind(c) for c in seen.data.inputs))
    hot = [f for f in seen.findings if f.grade in ("warn", "block")]
    first = f"; first: {hot[0].claim}" if hot else ""
    voice.line("LOOK", f"{n:,} rows, {kinds} -> {seen.task.target}. {len(hot)} finding{'s' * (len(hot) != 1)}{first}")
    if before and now and before["hash"] != now["hash"]:
        voice.line("NOTE", f"the test set changed since this study last ran ({before['rows']:,} rows then, {now['rows']:,} "
                           "now): what was scored on the old one stays in the ledger")
    told = [f for f in seen.findings if f.source == TEST_SOURCE or (f.source == READING and f in hot)]
    for f in [f for f in told if f not in hot[:1]][:3]:
        voice.line("NOTE", f.claim)
    p = seen.parts
    crossed = folds_words(len(p.folds), p.repeats)
    if p.policy == "external":
        voice.line("SPLIT", f"test sealed: {many(len(p.test), 'row')} of another source; "
                            f"{crossed} by {p.fold_policy} "
                            f"within training: for {p.scope}")
        return
    sealed = f"test sealed ({len(p.test):,} rows)" if len(p.test) else f"{crossed}, no sealed part at this size"
    voice.line("SPLIT", f"by {p.policy}, {sealed}: for {p.scope}. Because {p.because}")


def stated_in_plan(folder: Folder, written: Mapping[str, Any] | None) -> dict[str, str]:
    """Roles a person wrote into plan.toml: those that differ from what the last look decided, now or earlier. A column that
    it did not know is among them: reading finds it, or refuses it with the nearest name."""
    before = read_json(folder / "data.json", {})
    if not written or "roles" not in before:
        return {}
    now = roles_of(written, folder / "plan.toml")
    changed = {name: role for name, role in now.items() if before["roles"].get(name) != role}
    return {**{n: r for n, r in before.get("stated", {}).items() if now.get(n) == r}, **changed}


def save_look(folder: Folder, seen: Seen, stated: Mapping[str, str]) -> None:
    """data.json, split.parquet and findings.jsonl."""
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    from gnomon.data.read.dispatch import schema
    from gnomon.values import plain

    data, parts = seen.data, seen.parts
    test = {"rows": len(parts.test), "hash": parts.test_hash} if parts.test_hash else None
    write_json(folder / "data.json", {"format": FORMAT, "hash": data.read_hash, "rows": len(data), "sampled": data.sampled,
                                      "training": {"rows": len(seen.training), "hash": seen.training.read_hash}, "test": test,
                                      "paths": data.paths, "schema": schema(data), "stated": dict(stated),
                                      "actions": list(seen.actions),
                                      "roles": {n: r.role for n, r in data.roles.items()}})
    columns = {"row": np.arange(len(data)), "position": data.position, "unit": parts.units,
               "test": np.isin(np.arange(len(data)), parts.test),
               "unlabelled": np.isin(np.arange(len(data)), parts.unlabelled)}
    for k, fold in enumerate(parts.folds):
        part = np.full(len(data), "", dtype=object)
        part[fold.train], part[fold.valid] = "train", "valid"
        columns[f"fold{k}"] = part
    pq.write_table(pa.table(columns), folder / "split.parquet")
    write_text(folder / "findings.jsonl", "".join(json.dumps(plain(asdict(f)), ensure_ascii=False) + "\n"
                                                  for f in seen.findings))


def bench_of(seen: Seen, folder: Folder, options: Options, voice: Voice) -> Bench:
    """What all runs share; heavy settings are made here, once."""
    import torch

    from gnomon.workflow.relabel import mended

    threads = threads_of(options.jobs)
    torch.set_num_threads(threads)
    device = device_of(options.device)
    precision = "bfloat16" if precision_pays(device) else "float32"
    trusted = {str(Path(p).resolve()): trust(p) for p in options.trust_code}
    data, mending = mended(seen, folder)
    # of the training rows alone: a test set that is named later must not make what was learned worthless
    key = digest([seen.training.hash, {n: [r.role, seen.data.kind(n)] for n, r in seen.data.roles.items()},
                  seen.parts.fold_policy, [[len(f.train), int(f.train.sum()), int(f.valid.sum())] for f in seen.parts.folds],
                  seen.task.metric.name, seen.task.target, options.seed, *([mending] if mending else [])])
    return Bench(seen.data, seen.task, seen.parts, seen.labels, folder,
                 Desk(device=device, precision=precision, threads=threads, say=voice.say), options.seed, key, trusted, data)


def plan_only(source: Any, folder: Folder, options: Options, voice: Voice, origin: Mapping[str, Any] = NOWHERE) -> Plan:
    """Read, look, split and plan; nothing is trained."""
    folder.open()
    with folder.busy():
        write_json(folder / "versions.json", {**versions(options), **origin})
        ledger = Ledger(folder / "ledger.jsonl")
        written = read_plan(folder / "plan.toml")
        roles = stated_in_plan(folder, written)
        seen = timed(ledger, "look", lambda: _look(source, folder, options, roles, written, voice))
        bench = bench_of(seen, folder, options, voice)
        return timed(ledger, "plan", lambda: plan_stage(bench, seen, options, written, ledger, voice))
