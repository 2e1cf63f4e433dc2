"""The stages before training: read, look without the target, split, look with it, ask. Each takes values, gives values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import Grouping, Looked, join, many
from gnomon.analyses.explore._look import look_inputs, look_target
from gnomon.analyses.explore._names import SITE, has
from gnomon.analyses.validate._findings import one_unit, unnamed_units
from gnomon.data.blocks import apart, members
from gnomon.data.parts import Parts
from gnomon.data.policy import STRUCTURE, Policy, checked_policy, choose_policy, parse_policy
from gnomon.data.read.beside import behind
from gnomon.data.read.dispatch import read_data
from gnomon.data.split import split_rows
from gnomon.data.table import Data, Role, missing, strings
from gnomon.data.weights import checked_weights
from gnomon.errors import InputError
from gnomon.values import Action, Finding
from gnomon.workflow._predict_at import known_at
from gnomon.workflow._split_told import undated, units_kept
from gnomon.workflow.ask import ask_task, class_codes, usable_rows
from gnomon.workflow.options import SCOPES, Options
from gnomon.workflow.outside import COPY_CODES, Outside, adjoin, outside_stage

LOOK_SECONDS = 15.0
TOGETHER = "keep copies together"  # a line of plan.toml's [actions]
KEPT = "kept as an input: nothing shows that it would not be known at prediction"
ASIDE = "set aside "  # a line of plan.toml's [actions], with the name of a column
LEAKS = ("leaks", "row order")  # sources of findings on columns that stay inputs unless somebody takes them out
SAY_ASIDE = ("LOOK-LEAK", "LOOK-ID", "LOOK-CONSTANT")  # codes whose claim ends with what became of the columns
LINES = 5  # lines of plan.toml that an action names
FEW_PLACES = 6  # sites below which no test over sites is made


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
    training: Data  # the training source alone; `data` itself where no other source was named
    copies: np.ndarray | None = None  # test rows of another source whose input stands in training too
    own_policy: str = ""  # the split policy by the command's words and the data, whatever a person wrote into plan.toml


def read_stage(source: Any, options: Options, roles: Mapping[str, str], cache: Path | None) -> Data:
    """Read the input; roles in plan.toml or stated by the user win over inferred ones."""
    stated = {**roles, **options.stated_roles()}
    target = options.target or tuple(n for n, r in roles.items() if r == "target")
    data = read_data(source, target=target, roles={n: r for n, r in stated.items() if r != "target"},
                     kinds=options.kinds, cache=cache, seed=options.seed)
    return data if options.predict_at is None else known_at(data, options.predict_at)


def inputs_stage(data: Data, options: Options, unlabelled: Data | None = None) -> Looked:
    """Look A, over all rows (those without a target too), blind to targets; its groupings are of the training rows."""
    if unlabelled is None:
        return look_inputs(data, seed=options.seed, seconds=LOOK_SECONDS)
    looked = look_inputs(behind(data, [unlabelled]), seed=options.seed, seconds=LOOK_SECONDS)
    return replace(looked, groups={k: replace(g, codes=g.codes[:len(data)]) for k, g in looked.groups.items()})


def whole_look(data: Data, options: Options, plan: Mapping[str, Any] | None = None, outside: Outside | None = None) -> Seen:
    """Look A, the split, look B on training rows, what findings change, and the task.

    Rows of other sources (`outside`; read here when None and the options name some) touch neither split nor choice.
    """
    outside = outside_stage(data, options, None) if outside is None else outside
    first = inputs_stage(data, options, outside.unlabelled)
    data = _adopt_groups(data, first, options)
    data, few = _few_places(data, options)
    first = replace(first, groups={k: g for k, g in first.groups.items() if k not in few})
    usable = usable_rows(data)
    if not data.targets:
        ask_task(data, usable)  # raises, naming the columns
    if not len(usable):
        ask_task(data, np.arange(len(data)), metric=options.metric)
    weights = checked_weights(data, usable)
    labels = class_codes(data)
    own = _own_policy(data, first, options)
    policy = _policy(data, own, plan)
    if policy.name == "cluster" and first.facts.get("variant_library"):
        alone = Grouping(np.zeros(len(data), dtype=np.int64), "variants of one parent", "cluster")
        first = replace(first, groups={**first.groups, "family": alone})
    data = _known_places(data, policy, options)
    ask_task(data, usable, metric=options.metric, positive=options.positive)  # refuse before spending time
    tied = _copies_kept(first, plan)
    parts = split_rows(data, policy, first.groups if tied else _without_copies(first.groups), labels, usable,
                       seed=options.seed, repeats=_repeats(len(usable)), seal=outside.test is None)
    second = look_target(data, data.targets, parts.develop, groups=first.groups, seed=options.seed, seconds=LOOK_SECONDS)
    data, actions = _exclude(data, {**first.exclude, **second.exclude}, plan)
    task = ask_task(data, parts.develop, metric=options.metric, positive=options.positive)
    kept = units_kept(first.findings, first.groups, parts, policy, known=options.scope == "same-groups")
    findings = (*_units_told(data, policy, parts, outside),
                *_with_actions([*data.findings, *weights, *kept, *second.findings], actions, tied, policy,
                               _parted(parts, first.groups)))
    actions |= {} if tied is None else {TOGETHER: tied}
    seen = Seen(data, parts, task, labels, findings, (*first.checks, *second.checks), first.groups,
                {**first.facts, **second.facts}, policy, actions, data, own_policy=str(own))
    return _with_outside(seen, outside, options) if outside else seen


def _units_told(data: Data, policy: Policy, parts: Parts, outside: Outside) -> list[Finding]:
    """What the column that names the units cannot settle: one value only, or rows without one."""
    column = data.columns.get(policy.column) if policy.name in ("group", "cold") else None
    unnamed = int(missing(column).sum()) if column is not None else 0
    told = (one_unit(parts.one_only) if outside.test is None else None, unnamed_units(policy.column, unnamed, len(data)),
            undated(data, policy))
    return [f for f in told if f is not None]


def _with_outside(seen: Seen, outside: Outside, options: Options) -> Seen:
    """The rows of other sources behind the training rows, once everything about these is settled."""
    whole = adjoin(seen.data, seen.parts, seen.labels, seen.policy, outside, options.seed)
    return replace(seen, data=whole.data, parts=whole.parts, labels=whole.labels, findings=(*seen.findings, *whole.findings),
                   checks=(*seen.checks, *whole.checks), copies=whole.copies)


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


def _few_places(data: Data, options: Options) -> tuple[Data, list[str]]:
    """Columns that name fewer than FEW_PLACES sites stay inputs: so few cannot judge new sites (EVIDENCE 6), and the next
    rows come from the same ones unless the user says otherwise."""
    few = [] if options.scope in ("new-site", "new-groups") or options.split else [
        n for n in data.named("group") if not data.roles[n].stated and has(n, SITE)
        and len(np.unique(strings(data.columns[n])[~missing(data.columns[n])])) < FEW_PLACES]
    for name in few:
        data = data.with_role(name, "input", f"fewer than {FEW_PLACES} places, taken to be those of the next rows too; for a "
                              "score on new ones: --for new-site", stated=True)
    return data, few


def _known_places(data: Data, policy: Policy, options: Options) -> Data:
    """Group columns that the next rows share become inputs, for models and floors alike: places, where another column is
    the unit; every one, where the user says the groups are the same. Stated roles stay."""
    for name in data.named("group"):
        if data.roles[name].stated or name == policy.column:
            continue
        if options.scope == "same-groups":
            data = data.with_role(name, "input", "the same groups come at prediction: --for same-groups", stated=True)
        elif has(name, SITE) and options.scope != "new-site":
            data = data.with_role(name, "input", f"a place that the next rows come from too; for new ones: --group {name}",
                                  stated=True)
    return data


def _own_policy(data: Data, looked: Looked, options: Options) -> Policy:
    """The split policy by the command's words, else by the structure of the data."""
    if options.scope is not None and options.scope not in SCOPES:
        raise InputError("E-SCOPE", f"--for {options.scope}: unknown", do=f"use one of {', '.join(SCOPES)}")
    if options.split:
        return checked_policy(parse_policy(options.split, options.because), data)
    first = SITE if options.scope == "new-site" else ()  # new sites are held out, not the patients of known ones
    ranked = dict(sorted(looked.groups.items(), key=lambda item: not has(item[0], first)))
    inferred = choose_policy(data, ranked, wanted=options.scope)
    if options.group:
        return replace(inferred, name="group", column=options.group, because="stated by the user: --group", stated=True)
    if options.time and options.scope in (None, "later"):
        return replace(inferred, name="time", column=options.time, because="stated by the user: --time", stated=True)
    return inferred


def _policy(data: Data, own: Policy, plan: Mapping[str, Any] | None) -> Policy:
    """Plan.toml's policy where a person changed that line, and the command says nothing that it did not say by then."""
    written, ours = (plan or {}).get("split", {}).get("policy"), (plan or {}).get("made_for", {}).get("split_by")
    if not written or written == (ours or str(own)) or (own.stated and str(own) != ours):
        return own
    return checked_policy(parse_policy(str(written), "stated in plan.toml"), data)


def _exclude(data: Data, exclude: Mapping[str, str], plan: Mapping[str, Any] | None
             ) -> tuple[Data, dict[str, bool]]:
    """Set aside columns with structural evidence of leaking, unless plan.toml or the user says to keep them. A member of a
    block leaves it: the rest stays an input."""
    actions, inside = {}, members(data)
    written = (plan or {}).get("actions", {})
    for name in exclude:
        home = inside.get(name, name)
        if home not in data.columns or data.roles[home].role != "input":
            continue
        line = ASIDE + name
        actions[line] = bool(written.get(line, True)) and not data.roles[home].stated
    out = {name: Role("ignore", why) for name, why in exclude.items() if actions.get(ASIDE + name)}
    data = replace(apart(data, out), as_read=data.read_hash) if inside.keys() & out else data
    return replace(data, roles={**data.roles, **out}), actions


def _copies_kept(looked: Looked, plan: Mapping[str, Any] | None) -> bool | None:
    """Whether copies stay on one side of the split: yes, unless plan.toml says otherwise; None where there are none."""
    if not any(g.kind == "duplicate" for g in looked.groups.values()):
        return None
    return bool((plan or {}).get("actions", {}).get(TOGETHER, True))


def _without_copies(groups: Mapping[str, Grouping]) -> dict[str, Grouping]:
    return {k: g for k, g in groups.items() if g.kind != "duplicate"}


def _parted(parts: Parts, groups: Mapping[str, Grouping]) -> dict[str, int]:
    """Code -> judged rows (sealed ones, or those of any fold's validation) of which a copy trains beside them."""
    out = {}
    for key, code in COPY_CODES.items():
        if key in groups:
            group = groups[key].codes
            sides = [(f.train, f.valid) for f in parts.folds] + [(parts.develop, parts.test)]
            hit = [judged[(group[judged] >= 0) & np.isin(group[judged], group[train])] for train, judged in sides]
            out[code] = len(np.unique(np.concatenate(hit)))
    return out


def _of_copies(f: Finding, tied: bool, parted: int) -> Finding:
    """The finding with what became of the copies. A split that was given, or time, may part them: then they weigh more."""
    if not tied:
        return replace(f, action=Action("copies may be on both sides of the split: plan.toml says so",
                                        f'[actions] "{TOGETHER}" = true'))
    if parted:
        return replace(f, grade="warn" if f.values.get("unexpected") else f.grade, action=Action(
            f"left as the split has them: {many(parted, 'judged row')} with a copy among the training rows",
            '[split] policy = "random"'))
    return replace(f, action=Action("kept together: no copy is on both sides of the split", f'[actions] "{TOGETHER}" = false'))


def _with_actions(findings: list[Finding], actions: Mapping[str, bool], tied: bool | None, policy: Policy,
                  parted: Mapping[str, int]) -> tuple[Finding, ...]:
    """Findings with what was done about them, and the line of plan.toml that undoes it. actions: "set aside COLUMN" -> done."""
    out = []
    for f in findings:
        if f.action is None and any(ASIDE + c in actions for c in f.columns):
            f = _of_columns(f, actions)
        elif f.action is None and f.code == "LOOK-LEAK" and f.columns and f.source in LEAKS:
            f = replace(f, claim=f"{f.claim}; kept: check when it is known", action=Action(
                KEPT, "; ".join(f'[columns] "{c}" = "ignore"' for c in f.columns[:LINES])))
        elif f.action is None and f.code in parted and tied is not None:
            f = _of_copies(f, tied, parted.get(f.code, 0))
        elif f.action is None and f.code == "LOOK-GROUP" and policy.name in STRUCTURE and policy.column in f.columns:
            f = replace(f, action=Action(f"split by {policy}", '[split] policy = "random"'))
        out.append(f)
    return tuple(out)


def _of_columns(f: Finding, actions: Mapping[str, bool]) -> Finding:
    """The finding with what became of the columns that it, or another on them, would set aside. Where somebody had them
    kept it says so, and what it claims of them stands."""
    aside = [c for c in f.columns if actions.get(ASIDE + c)]
    kept = [c for c in f.columns if actions.get(ASIDE + c) is False]
    if not aside:
        done, said = "kept as an input: you said so", "kept, as you said"
    else:
        done, said = "set aside: not used as an input", "set aside"
        if kept:
            done, said = (f"{text}, but for {join(kept)}: kept, as you said" for text in (done.split(":")[0], said))
    line = "; ".join(f'[actions] "{ASIDE}{c}" = {"false" if aside else "true"}' for c in (aside or kept)[:LINES])
    return replace(f, claim=f"{f.claim}; {said}" if f.code in SAY_ASIDE else f.claim, action=Action(done, line))
