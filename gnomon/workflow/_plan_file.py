"""plan.toml: the plan as a file to read and edit, a reason on each line. The file is what runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnomon.data.table import ROLES, Data
from gnomon.errors import InputError
from gnomon.methods._snapshots import MOST
from gnomon.values import Recipe, plain
from gnomon.workflow._folder import write_text
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
    """The plan file as plain values, or None when there is none; an edit that is not TOML is named with its line."""
    import tomlkit
    from tomlkit.exceptions import ParseError

    if not path.exists():
        return None
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8")).unwrap()
    except (ParseError, UnicodeDecodeError) as error:
        raise InputError("E-PLAN", f"{path} cannot be read as TOML: {error}",
                         do="undo the edit at that line, or delete the file to have a new plan") from None


def plan_of(body: Mapping[str, Any], path: Path, task: str) -> Plan:
    """The plan in a parsed plan file; what a person wrote is checked and refused in words."""
    recipes, seeds, seconds = [], {}, {}
    for i, entry in enumerate(body.get("candidate", [])):
        if not isinstance(entry, Mapping) or not entry.get("model"):
            raise InputError("E-PLAN", f"{path}: candidate {i + 1} names no model", do='add model = "..."')
        try:
            recipe = Recipe(task, str(entry["model"]), str(entry.get("method", "own_fit")), dict(entry.get("options", {})),
                            int(entry.get("steps", 0)), family=entry.get("family", "simple"))
        except (TypeError, ValueError) as error:
            raise InputError("E-PLAN", f"{path}: candidate {i + 1}: {error}", do="steps is a whole number") from None
        recipes.append(recipe)
        seeds[recipe.hash] = max(1, int(entry.get("seeds", 1)))
        seconds[recipe.hash] = float(entry.get("seconds", 0.0))
    left = tuple((str(k), str(v)) for k, v in dict(body.get("left_out", {})).items())
    return Plan(tuple(recipes), seeds, seconds, left, float(body.get("memory_mb", 0.0)),
                float(body.get("budget_seconds", 600.0)), int(body.get("threads", 0)), dict(body.get("made_for", {})),
                _whole(body.get("snapshots", 0), path))


def _whole(value: Any, path: Path) -> int:
    """How many snapshots a person asked for."""
    if not isinstance(value, int) or not 0 <= value <= MOST:
        raise InputError("E-PLAN", f"{path}: snapshots = {value!r}", do=f"write a whole number from 0 to {MOST}")
    return int(value)


def roles_of(body: Mapping[str, Any], path: Path) -> dict[str, str]:
    """The roles a plan file gives to columns."""
    roles = {}
    for name, role in dict(body.get("columns", {})).items():
        if role not in ROLES:
            raise InputError("E-PLAN", f"{path}: column '{name}' has the role '{role}'", do=f"use one of {', '.join(ROLES)}")
        roles[str(name)] = str(role)
    return roles


def digest(value: Any) -> str:
    """Twelve hex digits of any plain value."""
    import hashlib

    return hashlib.sha256(json.dumps(plain(value), sort_keys=True, default=str).encode()).hexdigest()[:12]
