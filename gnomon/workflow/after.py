"""What can be done with a finished study: explain again, accept a finding, free disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.errors import InputError
from gnomon.values import plain
from gnomon.workflow._folder import Folder, read_json, write_json
from gnomon.workflow._plan_file import read_plan
from gnomon.workflow.options import Options
from gnomon.workflow.run import deliver


def explain_again(
    folder: Folder, source: Any, options: Options, *, rows_of: Any = None, seconds: float = 60.0,
    techniques: Sequence[str] = (), named: Sequence[int] = (), say: Callable[[str], None] = lambda text: None,
    show_rows: bool = False, asked: str = "",
) -> dict[str, Any]:
    """Explanations of the delivered model, on the study's sealed (else first fold's) rows, or on rows of `rows_of`.

    techniques: by name, only these; none: what suits the model. named: rows asked for, 0-based in the input as read.
    say: told the estimated time before anything is explained. What was found is kept in explanations.json, and with its
    pictures in explained/. show_rows: free text may be shown (and rows of a study made with --no-examples). asked: the
    command, for the page.
    """
    import time
    from dataclasses import asdict

    first: list[str] = []

    def speak(text: str) -> None:
        first.append(text)
        say(text)

    if techniques:
        from gnomon.analyses.attribute._asked import known

        techniques = known(techniques)
    from gnomon.workflow.look import read_stage, whole_look
    from gnomon.workflow.study import stated_in_plan

    made = read_json(folder / "delivered.json")
    if not made or not made["members"]:
        raise InputError(
            "E-NO-MODEL",
            f"{folder.path} recommends no model: there is nothing to explain",
            do=f"gnomon report {folder.path} says why",
        )
    members, recipe = made["members"], made["members"][0]["recipe"]
    written = read_plan(folder / "plan.toml")
    if rows_of is None:
        roles = stated_in_plan(folder, written)
        seen = whole_look(read_stage(source, options, roles, folder.path / "cache"), options, written)
        data, task, units = seen.data, seen.task, seen.parts.units
        rows = seen.parts.test if len(seen.parts.test) else seen.parts.folds[0].valid
        members = members if len(seen.parts.test) else _of_first_fold(members)
    else:
        from gnomon.data.read.dispatch import read_like
        from gnomon.methods._network import task_from

        data, _ = read_like(read_json(folder / "data.json")["schema"], rows_of)
        task, rows, units = task_from(made["task"]), np.arange(len(data)), np.arange(len(data))
    learned = deliver(folder.path, members)
    started = time.monotonic()  # the budget is for explaining: reading the data again has no choice
    end = started + seconds
    if named and not techniques:
        from gnomon.analyses.attribute._asked import suited

        techniques = suited(learned, data)
    if techniques:
        told = _by_name(learned, task, data, rows, units, techniques, named, end, options.seed, recipe, speak)
    else:
        from gnomon.analyses.attribute._explain import explain

        speak(f"explaining by what suits the model: at most {seconds:.0f} s (--budget)")
        told = explain(learned, task, data, rows, units, seconds=seconds, seed=options.seed, recipe=recipe)
    out = plain({"explanations": list(told.explanations), "findings": [asdict(f) for f in told.findings],
                 "not_run": [c.why_not for c in told.checks if c.why_not]})
    write_json(folder / "explanations.json", {"format": 1, "of": "the study's rows" if rows_of is None else "new rows", **out})
    from gnomon.workflow._answers import keep_answers

    about = {"asked": asked, "estimate": first[0] if first else "", "seconds": round(time.monotonic() - started, 1),
             "of": "the study's rows" if rows_of is None else "new rows"}
    out["kept"] = keep_answers(folder, told, data, about=about, named=named, examples=options.examples or show_rows,
                               show_rows=options.show_rows or show_rows)
    return out


def _of_first_fold(members: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The members as trained without the first fold's rows: only these may be asked about them."""
    return [{**m, "folders": [f for f in m["folders"] if Path(f).name == "fold0"]} for m in members]


def _by_name(learned: Any, task: Any, data: Any, rows: np.ndarray, units: np.ndarray, techniques: Sequence[str],
             named: Sequence[int], end: float, seed: int, recipe: str, say: Callable[[str], None]) -> Any:
    """The techniques asked for; the estimate is said first, and the budget bounds what is begun."""
    import time

    from gnomon.analyses.attribute._asked import asked, estimates, explain_asked

    question = asked(learned, task, data, rows, units, named=named, seed=seed, end=end)
    costs = estimates(question, techniques)
    each = ", ".join(f"{name} {cost:.0f} s" if cost >= 1 else f"{name} under 1 s" for name, cost in costs.items())
    left = end - time.monotonic()
    over = "; rows, then techniques, are cut to what is left" if sum(costs.values()) > left else ""
    say(f"estimate for {len(question.case.rows)} rows: {each}; {max(left, 0):.0f} s of the budget are left{over}")
    return explain_asked(question, techniques, recipe=recipe)


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
