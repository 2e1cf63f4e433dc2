"""plan.toml: the plan as a file to read and edit, a reason on each line. The file is what runs."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gnomon.data.table import ROLES, Data
from gnomon.errors import InputError
from gnomon.values import Recipe, plain
from gnomon.workflow._folder import write_text
from gnomon.workflow._plan_checked import check_candidate, check_sections, near, refused, settings_of
from gnomon.workflow.plan import Plan

HEAD = """The plan of this study. Edit it and type the same command again: only what changed is done anew.
[columns]  role of each column: input, target, group, time, identifier, weight, split, ignore
[split]    policy: random, stratified, group:COL, time:COL, scaffold:COL, cluster:COL, column:COL, rows:FILE.json
[[candidate]]  delete one to leave it out, copy one and change options to try another; steps = optimiser steps a fold"""


def write_plan(path: Path, plan: Plan, data: Data, split: Mapping[str, str], actions: Mapping[str, bool]) -> None:
    """Write the plan with the reasons as comments."""
    import tomlkit

    doc = tomlkit.document()
    for line in HEAD.splitlines():
        doc.add(tomlkit.comment(line))
    doc.add("budget_seconds", tomlkit.item(round(plan.budget, 1)))
    doc.add("memory_mb", _line(round(plan.memory_mb), "measured on this machine"))
    doc.add("threads", _line(plan.threads, "CPU threads for training: the fastest in a trial; other programs' load counts"))
    doc.add("snapshots", _line(plan.snapshots, "weights kept on the way, up to 6 a network, to see what was learned when"))
    doc.add("made_for", tomlkit.item(plain(plan.made_for)))
    columns = tomlkit.table()
    for name in data.columns:
        columns.add(name, _line(data.roles[name].role, data.roles[name].because))
    doc.add("columns", columns)
    part = tomlkit.table()
    part.add("policy", _line(split["policy"], split["because"]))
    doc.add("split", part)
    acts = tomlkit.table()
    for name, on in actions.items():
        acts.add(name, on)
    doc.add("actions", acts)
    candidates = tomlkit.aot()
    for recipe in plan.candidates:
        candidates.append(_candidate(recipe, plan))
    doc.add("candidate", candidates)
    left = tomlkit.table()
    for name, why in plan.left_out:
        left[name] = why
    doc.add("left_out", left)
    write_text(path, tomlkit.dumps(doc))


def _line(value: Any, why: str) -> Any:
    import tomlkit

    item = tomlkit.item(value)
    why = " ".join(str(why).split())
    return item.comment("".join(c for c in why if c.isprintable())) if why else item


def _candidate(recipe: Recipe, plan: Plan) -> Any:
    import tomlkit

    table = tomlkit.table()
    table.add("model", _line(recipe.model, recipe.because))
    table.add("method", recipe.method)
    table.add("family", recipe.family)
    if recipe.steps:
        table.add("steps", recipe.steps)
    if recipe.options:
        options = tomlkit.inline_table()
        options.update(plain(dict(recipe.options)))
        table.add("options", options)
    table.add("seeds", plan.seeds.get(recipe.hash, 1))
    table.add("seconds", _line(round(plan.seconds.get(recipe.hash, 0.0), 1), "predicted"))
    return table


def read_plan(path: Path) -> dict[str, Any] | None:
    """The plan file as plain values, or None when there is none; an edit that makes no sense is named."""
    import tomlkit
    from tomlkit.exceptions import ParseError

    if not path.exists():
        return None
    try:
        body = tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except (ParseError, UnicodeDecodeError) as error:
        raise InputError("E-PLAN", f"{path} cannot be read as TOML: {error}",
                         do="undo the edit at that line, or delete the file to have a new plan") from None
    check_sections(body, path)
    plan_of(body, path, "")  # refuses what cannot be used before anything is read or trained
    return body


def plan_of(body: Mapping[str, Any], path: Path, task: str) -> Plan:
    """The plan in a parsed plan file; what a person wrote is checked and refused in words."""
    recipes, seeds, seconds = [], {}, {}
    for i, entry in enumerate(body.get("candidate", [])):
        check_candidate(entry, i + 1, path)
        recipe = Recipe(task, entry["model"], entry.get("method", "own_fit"), dict(entry.get("options", {})),
                        entry.get("steps", 0), family=entry.get("family", "simple"))
        recipes.append(recipe)
        seeds[recipe.hash] = entry.get("seeds", 1)
        seconds[recipe.hash] = float(entry.get("seconds", 0.0))
    left = tuple((str(k), str(v)) for k, v in body.get("left_out", {}).items())
    return Plan(tuple(recipes), seeds, seconds, left, made_for=dict(body.get("made_for", {})), **settings_of(body, path))


def roles_of(body: Mapping[str, Any], path: Path) -> dict[str, str]:
    """The roles a plan file gives to columns."""
    roles = {}
    for name, role in dict(body.get("columns", {})).items():
        if role not in ROLES:
            raise InputError("E-PLAN", f"{path}: column '{name}' has the role '{role}'", do=f"use one of {', '.join(ROLES)}")
        roles[str(name)] = str(role)
    return roles


def idle_actions(body: Mapping[str, Any], path: Path, data: Data, able: Collection[str], before: Collection[str]) -> None:
    """Refuse a line of [actions] about what nothing would be done anyway. able: lines of this look; before: of the last one,
    which may outlive their cause."""
    for name, on in body.get("actions", {}).items():
        column = name.removeprefix("set aside ")
        if name in able or name in before:
            continue
        if column not in data.columns:
            raise refused(path, f'[actions] "{name}" is nothing that gnomon did', near(name, able, "delete the line"))
        if on and data.roles[column].role != "ignore":
            raise refused(path, f'[actions] "{name}": gnomon found no cause to', f'write it as [columns] "{column}" = "ignore"')


def digest(value: Any) -> str:
    """Twelve hex digits of any plain value."""
    import hashlib

    return hashlib.sha256(json.dumps(plain(value), sort_keys=True, default=str).encode()).hexdigest()[:12]
