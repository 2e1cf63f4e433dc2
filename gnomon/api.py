"""The verbs, in Python: the same arguments as on the command line, a path or a DataFrame in, plain values out."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.errors import InputError
from gnomon.workflow._folder import Folder
from gnomon.workflow._voice import Voice
from gnomon.workflow.options import Options, seconds_of
from gnomon.workflow.origin import absolute, again, command, folder_for, is_table, origin

QUIET = Voice()


@dataclass(frozen=True)
class Result:
    """A finished study: its folder and its report (the content of report.json)."""

    folder: Path
    report: Mapping[str, Any]

    @property
    def page(self) -> Path:
        """report.html."""
        return self.folder / "report.html"

    @property
    def claim(self) -> str:
        """The verdict in one sentence."""
        return (self.report.get("verdict") or {}).get("claim", "exploratory: no verdict")

    def predict(self, source: Any, **rest: Any) -> Any:
        """Predictions for new data as a DataFrame."""
        return predict(self.folder, source, **rest)

    def __repr__(self) -> str:
        return f"Result({str(self.folder)!r}: {self.claim})"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(self.claim)} <a href='{escape(str(self.page))}'>report</a></p>"


def options_from(words: Mapping[str, Any]) -> Options:
    """Options from keyword arguments: a single name may stand for a list, a length of time may be text."""
    allowed = set(Options.__dataclass_fields__)
    words = {("scope" if k == "for_" else k): v for k, v in words.items() if v is not None}
    unknown = set(words) - allowed
    if unknown:
        raise InputError(
            "E-OPTION", f"unknown option: {', '.join(sorted(unknown))}", do=f"options: {', '.join(sorted(allowed))}"
        )
    for name in ("target", "test", "exclude", "unlabelled", "only", "skip", "trust_code"):
        if name in words and not is_table(words[name]):
            one = words[name]
            words[name] = (str(one),) if isinstance(one, (str, Path)) else tuple(map(str, one))
    if "budget" in words:
        words["budget"] = seconds_of(words["budget"])
    if words.get("trust_code"):
        trust(*words["trust_code"])
    return Options(**words)


def trust(*files: str | Path) -> None:
    """Run these Python files and let their functions build models in this process, for studies made with them before.

    What a study folder says about code is never enough: it may be a stranger's. Raises E-FILE-ABSENT, E-TRUST.
    """
    from gnomon.methods import _trust

    for file in files:
        _trust.trust(file)


def study(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    budget: str | float = "10m",
    voice: Voice = QUIET,
    **options: Any,
) -> Result:
    """The main job, all stages, from a path (or several, or a DataFrame) to a report. Typing it again resumes.

    target: the column(s) to predict. out: the study folder. budget: seconds, or "90s", "10m", "2h".
    Further keywords are those of the command line: group, time, id, weight, exclude, split, because, for_, kinds,
    metric, positive, only, skip, explore, examples, show_rows, trust_code, seed, jobs, device; and test (an external test
    set) and unlabelled (rows without a target), each a path, several, or a DataFrame.
    Raises InputError for input that cannot be used, TrainingError when nothing could be trained.
    """
    from gnomon.reporting.page import write_page
    from gnomon.workflow.study import study as whole

    folder = folder_for(source, out)
    chosen = options_from({"target": target, "budget": budget, **options})
    told = whole(absolute(source), folder, chosen, voice, origin(folder, source, chosen))
    write_page(folder.path)
    return Result(folder.path, told)


def look(source: Any, *, target: str | Sequence[str] | None = None, **options: Any) -> dict[str, Any]:
    """Exploration only: {"data", "findings", "checks"}, nothing trained, nothing written."""
    from dataclasses import asdict

    from gnomon.values import plain
    from gnomon.workflow.look import inputs_stage, read_stage, whole_look

    chosen = options_from({"target": target, **options})
    data = read_stage(absolute(source), chosen, {}, None)
    if data.targets:
        seen = whole_look(data, chosen)
        data, findings, checks = seen.data, seen.findings, seen.checks
        split = {"policy": seen.parts.policy, "because": seen.parts.because, "for": seen.parts.scope}
    else:
        looked = inputs_stage(data, chosen)
        findings, checks, split = (*data.findings, *looked.findings), looked.checks, None
    columns = [
        {"name": n, "kind": data.kind(n), "role": data.roles[n].role, "because": data.roles[n].because} for n in data.columns
    ]
    return plain(
        {
            "format": 1,
            "data": {
                "paths": list(data.paths),
                "rows": len(data),
                "hash": data.hash,
                "sampled": data.sampled,
                "columns": columns,
            },
            "split": split,
            "findings": [asdict(f) for f in findings],
            "checks": [asdict(c) for c in checks],
        }
    )


def plan(
    source: Any,
    *,
    target: str | Sequence[str] | None = None,
    out: str | Path | None = None,
    budget: str | float = "10m",
    voice: Voice = QUIET,
    **options: Any,
) -> Path:
    """Look, split and write plan.toml; train nothing. Returns its path; `run` (or `study` again) carries it out."""
    from gnomon.workflow.study import plan_only

    folder = folder_for(source, out)
    chosen = options_from({"target": target, "budget": budget, **options})
    plan_only(absolute(source), folder, chosen, voice, origin(folder, source, chosen))
    return folder / "plan.toml"


def run(folder: str | Path, *, voice: Voice = QUIET) -> Result:
    """Carry out a study's plan.toml as it stands: finished runs are reused."""
    from gnomon.reporting.page import write_page
    from gnomon.workflow.study import study as whole

    place, source, options = again(folder)
    told = whole(source, place, options, voice, {**origin(place, source, options), **command(place)})
    write_page(place.path)
    return Result(place.path, told)


examine = run  # examining needs the runs: what is missing is done, what is there is reused


def report(folder: str | Path) -> Path:
    """Render report.html again from the study folder."""
    from gnomon.reporting.page import write_page

    place = Folder(Path(folder)).must_exist()
    if not (place / "report.json").exists():
        raise InputError("E-STUDY-UNFINISHED", f"{place.path} has no report.json yet", do=f"gnomon run {place.path}")
    return write_page(place.path)


def predict(
    folder: str | Path, source: Any, *, candidate: str | None = None, out: str | Path | None = None, voice: Voice = QUIET
) -> Any:
    """Predictions for new data: a DataFrame with row, prediction, low, high, p_<class>, ood_score, ood; written to `out`."""
    from gnomon.workflow._outputs import replaces_nothing
    from gnomon.workflow.predict import predict_table, write_table

    place = Folder(Path(folder)).must_exist()
    if out is not None:
        replaces_nothing(Path(out), place, source)
    table = predict_table(place, absolute(source), candidate=candidate, say=voice.line)
    if out is not None:
        write_table(table, Path(out))
    return table


def explain(folder: str | Path, source: Any = None, *, techniques: Sequence[str] = (), rows: Sequence[int] = (),
            seconds: float = 60.0, show_rows: bool = False, voice: Voice = QUIET) -> dict[str, Any]:
    """Explanations of the recommended model with their gates: of the study's own held-out rows, or of new ones.

    techniques: names such as "lime" or "sampled_shapley" (none: what suits the model), or measures such as "cka", by which the
    network's layers are compared over training, with each other and between seeds. rows: 0-based rows of the input
    as read that are listed one by one, and drawn. seconds: the budget. show_rows: free text may be drawn. Kept in the
    study's explanations.json, with pictures in its folder `explained` ("files" names them) and in report.html.
    """
    from gnomon.reporting.asked import write_pictures
    from gnomon.workflow.after import explain_again

    new = ["NEW_FILE"] if source is not None and not isinstance(source, (str, Path)) else [str(source)] if source else []
    asked = shlex.join(["gnomon", "explain", Path(folder).name, *new, *(["--technique", *techniques] if techniques else []),
                        *(["--rows", *map(str, rows)] if rows else [])])
    told = explain_again(*again(folder), rows_of=absolute(source) if source is not None else None, seconds=seconds,
                         techniques=techniques, named=rows, say=voice.say, show_rows=show_rows, asked=asked)
    files = write_pictures(Path(folder), told["kept"])
    if (Path(folder) / "report.json").exists():
        report(folder)
    return {**told, "files": files}


def compare(*folders: str | Path) -> dict[str, Any]:
    """Paired comparison of the recommended models of several studies of the same data and split."""
    from gnomon.workflow.compared import compare_studies

    return compare_studies([Folder(Path(f)).must_exist() for f in folders])


def ablate(folder: str | Path, part: str | None = None, *, candidate: str | None = None, voice: Voice = QUIET
           ) -> dict[str, Any]:
    """A candidate again without one part, same folds and seeds: the paired difference, kept in ablations.json and shown in
    report.html. Without `part`: the list of parts."""
    from gnomon.workflow import ablate as step

    told = step.ablate(*again(folder), part, candidate=candidate, voice=voice)
    if part is not None:
        report(folder)
    return told


def relabel(folder: str | Path, *, take: str | Path | None = None, out: str | Path | None = None, rows: int = 100,
            by: str | None = None, voice: Voice = QUIET) -> dict[str, Any]:
    """Write the most suspect labels to a file for a person; with `take`, record that file's corrected labels.

    The next `run` (or the study's command again) trains on them and measures what they were worth.
    """
    from gnomon.workflow import relabel as step

    place, source, options = again(folder)
    if take is not None:
        return step.take(place, source, options, Path(take), who=by, voice=voice)
    return step.relabel(place, source, options, most=rows, out=Path(out) if out else None, voice=voice)


def replay(folder: str | Path, *, threads: int | None = None, instructions: str | None = None, voice: Voice = QUIET
           ) -> dict[str, Any]:
    """Run a study again from its plan in a scratch folder and judge: same, same within noise, or different.

    threads: CPU threads instead of the plan's. instructions: "default", "avx2" or "avx512": in a process of its own.
    """
    from gnomon.workflow.replay import replay_elsewhere, replay_study

    if instructions is not None:
        return replay_elsewhere(Folder(Path(folder)).must_exist(), instructions, threads)
    return replay_study(*again(folder), threads=threads, voice=voice)


def accept(folder: str | Path, code: str, *, because: str) -> None:
    """Move a finding off page 1 for good, with the reason on record."""
    from gnomon.workflow.after import accept_finding

    place = Folder(Path(folder)).must_exist()
    accept_finding(place, code, because)
    report(place.path)


def clean(folder: str | Path) -> int:
    """Free disk: remove caches, checkpoints and weights that neither the winner nor the ensemble needs. Bytes freed."""
    from gnomon.workflow.after import clean_study

    return clean_study(Folder(Path(folder)).must_exist())


def why(code: str) -> str:
    """What a finding or error code means, and what to do."""
    from gnomon.codes import explain_code

    return explain_code(code)


def as_json(value: Any) -> str:
    """Plain values as JSON text."""
    from gnomon.values import plain

    return json.dumps(plain(value), indent=1, ensure_ascii=False)
