"""The stages before training: read, look without the target, split, look with it, ask. Each takes values, gives values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import Looked
from gnomon.analyses.explore._look import look_inputs, look_target
from gnomon.data.parts import Parts
from gnomon.data.read.dispatch import read_data
from gnomon.data.split import Policy, choose_policy, parse_policy, split_rows
from gnomon.data.table import Data, Role
from gnomon.errors import InputError
from gnomon.values import Action, Finding
from gnomon.workflow.ask import ask_task, class_codes, usable_rows
from gnomon.workflow.options import SCOPES, Options

LOOK_SECONDS = 15.0


@dataclass(frozen=True)
class Seen:
    """Everything known before a model is trained."""

    data: Data
    parts: Parts
    task: Any
    labels: np.ndarray | None
    findings: tuple[Finding, ...]
    checks: tuple[Any, ...]
    groups: Mapping[str, Any]
    facts: Mapping[str, Any]
    policy: Policy
    actions: Mapping[str, bool]


def read_stage(source: Any, options: Options, roles: Mapping[str, str], cache: Path | None) -> Data:
    """Read the input; roles in plan.toml or stated by the user win over inferred ones."""
    stated = {**roles, **options.stated_roles()}
    target = options.target or tuple(n for n, r in roles.items() if r == "target")
    data = read_data(source, target=target, roles={n: r for n, r in stated.items() if r != "target"},
                     kinds=options.kinds, cache=cache, seed=options.seed)
    return _later_columns(data, options)


def _later_columns(data: Data, options: Options) -> Data:
    """`--predict-at COL`: columns after it are recorded later, so they cannot be inputs."""
    if options.predict_at is None:
        return data
    names = list(data.columns)
    if options.predict_at not in names:
        raise InputError("E-COLUMN-ABSENT", f"--predict-at names the column '{options.predict_at}', which is absent",
                         do=f"columns: {', '.join(names[:12])}")
    for name in names[names.index(options.predict_at) + 1:]:
        if data.roles[name].role == "input":
            data = data.with_role(name, "ignore", f"stands after '{options.predict_at}': not known at prediction", stated=True)
    return data


def inputs_stage(data: Data, options: Options) -> Looked:
    """Look A, over all rows, blind to targets."""
    return look_inputs(data, seed=options.seed, seconds=LOOK_SECONDS)


def whole_look(data: Data, options: Options, plan: Mapping[str, Any] | None = None) -> Seen:
    """Look A, the split, look B on training rows, what findings change, and the task."""
    first = inputs_stage(data, options)
    data = _adopt_groups(data, first, options)
    usable = usable_rows(data)
    if not data.targets:
        ask_task(data, usable)  # raises, naming the columns
    if not len(usable):
        ask_task(data, np.arange(len(data)), metric=options.metric)
    labels = class_codes(data)
    policy = _policy(data, first, options, plan)
    ask_task(data, usable, metric=options.metric, positive=options.positive)  # refuse before spending time
    parts = split_rows(data, policy, first.groups, labels, usable, seed=options.seed, repeats=_repeats(len(usable)))
    second = look_target(data, data.targets, parts.develop, groups=first.groups, seed=options.seed, seconds=LOOK_SECONDS)
    data, actions, acted = _exclude(data, {**first.exclude, **second.exclude}, plan)
    task = ask_task(data, parts.develop, metric=options.metric, positive=options.positive)
    findings = _with_actions([*data.findings, *first.findings, *second.findings], acted, first, policy)
    return Seen(data, parts, task, labels, findings, (*first.checks, *second.checks), first.groups,
                {**first.facts, **second.facts}, policy, actions)


def _repeats(rows: int) -> int:
    """Small data are cross-validated over several partitions, for one partition's luck is large."""
    return 3 if rows < 300 else 1


def _adopt_groups(data: Data, looked: Looked, options: Options) -> Data:
    """A column that looking recognised as a grouping becomes one, unless its role was stated."""
    for name, found in looked.groups.items():
        if found.kind == "group" and name in data.columns and not data.roles[name].stated \
                and data.roles[name].role == "input":
            data = data.with_role(name, "group", found.because)
    return data


def _policy(data: Data, looked: Looked, options: Options, plan: Mapping[str, Any] | None) -> Policy:
    if options.scope is not None and options.scope not in SCOPES:
        raise InputError("E-SCOPE", f"--for {options.scope}: unknown", do=f"use one of {', '.join(SCOPES)}")
    if options.split:
        return parse_policy(options.split, options.because)
    inferred = choose_policy(data, looked.groups, wanted=options.scope)
    written = (plan or {}).get("split", {}).get("policy")
    if written and written != str(inferred):
        return parse_policy(str(written), "stated in plan.toml")
    if options.group:
        return replace(inferred, name="group", column=options.group, because="stated by the user: --group", stated=True)
    if options.time and options.scope in (None, "later"):
        return replace(inferred, name="time", column=options.time, because="stated by the user: --time", stated=True)
    return inferred


def _exclude(data: Data, exclude: Mapping[str, str], plan: Mapping[str, Any] | None
             ) -> tuple[Data, dict[str, bool], dict[str, str]]:
    """Set aside columns with structural evidence of leaking, unless plan.toml or the user says to keep them."""
    actions, acted = {}, {}
    written = (plan or {}).get("actions", {})
    for name, why in exclude.items():
        if name not in data.columns or data.roles[name].role != "input":
            continue
        line = f"set aside {name}"
        actions[line] = bool(written.get(line, True)) and not data.roles[name].stated
        if actions[line]:
            data = replace(data, roles={**data.roles, name: Role("ignore", why)})
            acted[name] = line
    return data, actions, acted


def _with_actions(findings: list[Finding], acted: Mapping[str, str], looked: Looked, policy: Policy) -> tuple[Finding, ...]:
    """Findings with what was done about them."""
    out = []
    for f in findings:
        hit = [acted[c] for c in f.columns if c in acted]
        if f.action is None and hit:
            f = replace(f, action=Action("set aside: not used as an input", f'[actions] "{hit[0]}" = false'))
        elif f.action is None and f.code in ("LOOK-DUPLICATE", "LOOK-NEAR-DUPLICATE") and any(
                g.kind == "duplicate" for g in looked.groups.values()):
            f = replace(f, action=Action("kept together: no copy is on both sides of the split"))
        elif f.action is None and f.code == "LOOK-GROUP" and policy.name == "group":
            f = replace(f, action=Action(f"split by {policy}", f'[split] policy = "{policy}"'))
        out.append(f)
    return tuple(out)
