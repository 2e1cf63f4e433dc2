"""What can be done with a finished study: explain again, accept a finding, free disk."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gnomon.errors import InputError
from gnomon.values import plain
from gnomon.workflow._folder import Folder, read_json, write_json
from gnomon.workflow._looked_at import answered
from gnomon.workflow._unfinished import unfinished
from gnomon.workflow._voice import Voice
from gnomon.workflow.options import Options
from gnomon.workflow.run import deliver


class Subject(NamedTuple):
    """What is explained: rows of which data, and the members of the recommended model that may be asked about them."""

    data: Any
    task: Any
    units: np.ndarray
    rows: np.ndarray
    members: Sequence[dict[str, Any]]
    show_rows: bool = False


def explain_again(
    folder: Folder, source: Any, options: Options, *, rows_of: Any = None, seconds: float = 60.0,
    techniques: Sequence[str] = (), named: Sequence[int] = (), say: Callable[[str], None] = lambda text: None,
    show_rows: bool = False, asked: str = "",
) -> dict[str, Any]:
    """Explanations of the delivered model, on the study's sealed (else one fold's) rows, or on rows of `rows_of`.

    techniques: by name, only these; none: what suits the model. Measures of likeness (cka, svcca ...) compare the network's
    layers instead. named: rows asked for, 0-based in the input as read.
    say: told the estimated time before anything is explained. What was found is kept in explanations.json, and with its
    pictures in explained/. show_rows: free text may be shown (and rows of a study made with --no-examples). asked: the
    command, for the page.
    """
    from gnomon.analyses.attribute._asked import known, suited
    from gnomon.analyses.attribute._explain import Explained
    from gnomon.workflow._again import reopened
    from gnomon.workflow._answers import keep_answers, keep_entries
    from gnomon.workflow._layers_compared import COMPARISONS, compare_layers

    first: list[str] = []

    def speak(text: str) -> None:
        first.append(text)
        say(text)

    techniques = known(techniques, COMPARISONS) if techniques else ()
    measures, techniques = ([t for t in techniques if (t in COMPARISONS) == of] for of in (True, False))
    subject = _subject(folder, source, options, rows_of, say)._replace(show_rows=options.show_rows or show_rows)
    learned = deliver(folder.path, subject.members)
    started = time.monotonic()  # the budget is for explaining: reading the data has no choice
    layers, unable = compare_layers(
        folder, subject.data, None if rows_of is None else subject.rows, measures, end=started + seconds, seed=options.seed,
        say=speak, reopen=lambda: reopened(folder, source, options, Voice())) if measures else ([], [])
    if named and not techniques:
        techniques = suited(learned, subject.data)
    if measures and not techniques:
        told = Explained((), (), ())
    elif techniques:
        told = _by_name(learned, subject, techniques, named, started + seconds, options.seed, speak)
    else:
        told = _by_what_suits(learned, subject, seconds, options.seed, speak)
    of = "the study's rows" if rows_of is None else "new rows"
    out = plain({"explanations": [*layers, *told.explanations], "findings": [asdict(f) for f in told.findings],
                 "not_run": [*unable, *(c.why_not for c in told.checks if c.why_not)]})
    write_json(folder / "explanations.json", {"format": 1, "of": of, **out})
    about = {"asked": asked, "estimate": "; ".join(first), "seconds": round(time.monotonic() - started, 1), "of": of}
    out["kept"] = keep_answers(folder, told, subject.data, about=about, named=named, examples=options.examples or show_rows,
                               show_rows=subject.show_rows)
    out["kept"] += keep_entries(folder, layers, about=about)
    return out


def _subject(folder: Folder, source: Any, options: Options, rows_of: Any, say: Callable[[str], None]) -> Subject:
    """The study's own rows that judged the model, or all rows of `rows_of`. Raises E-NO-MODEL where none is recommended."""
    made = read_json(folder / "delivered.json")
    if made is None:
        raise unfinished(folder, "no finished model")
    if not made["members"]:
        raise InputError(
            "E-NO-MODEL",
            f"{folder.path} recommends no model: there is nothing to explain",
            do=f"gnomon report {folder.path} says why",
        )
    if rows_of is None:
        from gnomon.workflow._reread import reread

        read = reread(folder, source, options, made["task"])
        members = made["members"] if read.fold is None else _of_fold(made["members"], read.fold)
        return Subject(read.data, read.task, read.units, read.rows, members)
    from gnomon.data.read.dispatch import read_like
    from gnomon.methods._network import task_from
    from gnomon.workflow.predict import oddities, without_inputs

    data, messages = read_like(read_json(folder / "data.json")["schema"], rows_of)
    for message in [*messages, *oddities(data, without_inputs(data))]:
        say(message)
    return Subject(data, task_from(made["task"]), np.arange(len(data)), np.arange(len(data)), made["members"])


def _of_fold(members: Sequence[dict[str, Any]], fold: int) -> list[dict[str, Any]]:
    """The members as trained without this fold's rows: only these may be asked about them."""
    return [{**m, "folders": [f for f in m["folders"] if Path(f).name == f"fold{fold}"]} for m in members]


def _by_name(learned: Any, subject: Subject, techniques: Sequence[str], named: Sequence[int], end: float, seed: int,
             say: Callable[[str], None]) -> Any:
    """The techniques asked for; the estimate is said first, and the budget bounds what is begun."""
    from gnomon.analyses.attribute._asked import asked, explain_asked, priced

    whole = asked(learned, subject.task, subject.data, subject.rows, subject.units, named=named, seed=seed, end=end,
                  show_rows=subject.show_rows)
    question, costs = priced(whole, techniques)
    each = ", ".join(f"{name} {cost:.0f} s" if cost >= 1 else f"{name} under 1 s" for name, cost in costs.items())
    left = end - time.monotonic()
    over = "; rows, then techniques, are cut to what is left" if sum(costs.values()) > left else ""
    say(f"estimate for {len(question.case.rows)} rows: {each}; {max(left, 0):.0f} s of the budget are left{over}")
    return explain_asked(question, techniques, recipe=subject.members[0]["recipe"])


def _by_what_suits(learned: Any, subject: Subject, seconds: float, seed: int, say: Callable[[str], None]) -> Any:
    """The explanations that suit the model, as many as the budget allows."""
    from gnomon.analyses.attribute._explain import explain

    say(f"explaining by what suits the model: at most {seconds:.0f} s (--budget)")
    return explain(learned, subject.task, subject.data, subject.rows, subject.units, seconds=seconds, seed=seed,
                   recipe=subject.members[0]["recipe"], show_rows=subject.show_rows)


def accept_finding(folder: Folder, code: str, because: str) -> None:
    """Put it on record that a person looked at a finding; it leaves page 1 and stays in the report."""
    report = read_json(folder / "report.json")
    if not report:
        raise InputError("E-STUDY-UNFINISHED", f"{folder.path} has no report yet", do=f"gnomon run {folder.path}")
    code, codes = code.strip().upper(), sorted({f["code"] for f in report["findings"]})
    if code not in codes:
        raise InputError("E-CODE-ABSENT", f"this study has no finding {code}", do=f"it has: {', '.join(codes) or 'none'}")
    if not because.strip():
        raise InputError("E-BECAUSE", "a finding is accepted with a reason", do='--because "..."')
    accepted = read_json(folder / "accepted.json", {})
    write_json(folder / "accepted.json", {**accepted, code: because.strip()})
    advice = [a for a in report["advice"] if not answered(a["because"], folder)]
    write_json(folder / "report.json", {**report, "findings": with_accepted(report["findings"], folder), "advice": advice})


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
            for name in ("estimators.skops", "weights.safetensors", "view.npz", "learned.json", "view.json",
                         "snapshots"):
                freed += _remove(place / name)
    return freed


def _remove(path: Path) -> int:
    if not path.exists():
        return 0
    size = path.stat().st_size if path.is_file() else sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
    path.unlink() if path.is_file() else shutil.rmtree(path)
    return size
