"""The verbs, in Python: the same arguments as on the command line, a path or a DataFrame in, plain values out."""

from __future__ import annotations

import json
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.errors import InputError
from gnomon.workflow._folder import Folder, read_json
from gnomon.workflow._voice import Voice
from gnomon.workflow.options import Options, seconds_of

QUIET = Voice()
TABLE = "a table in memory"  # stands in versions.json for a source that cannot be found again


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


def folder_for(source: Any, out: str | Path | None) -> Folder:
    """The study folder: as named, else NAME.study beside the caller, NAME from the (first) input."""
    if out is not None:
        return Folder(Path(out))
    paths = [source] if isinstance(source, (str, Path)) else source if isinstance(source, (list, tuple)) else []
    stem = Path(str(paths[0])).resolve().name if paths else "data"
    stem = re.sub(r"(\.(csv|tsv|txt|parquet|xlsx|feather|jsonl|json|smi|sdf|fasta|fa|npz|gz|bz2|zip))+$", "", stem, flags=re.I)
    return Folder(Path(f"{stem or 'data'}.study"))


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
        if name in words and not _is_table(words[name]):
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


def _is_table(source: Any) -> bool:
    """A DataFrame or a mapping of arrays, as against paths."""
    return isinstance(source, Mapping) or hasattr(source, "iloc")


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
    told = whole(_absolute(source), folder, chosen, voice, _origin(folder, source, chosen))
    write_page(folder.path)
    return Result(folder.path, told)


def _absolute(source: Any) -> Any:
    if isinstance(source, (str, Path)):
        return str(source)
    return (
        [str(p) for p in source]
        if isinstance(source, (list, tuple)) and all(isinstance(p, (str, Path)) for p in source)
        else source
    )


def _origin(folder: Folder, source: Any, options: Options) -> dict[str, Any]:
    """How to repeat: the words of the command, with paths as seen from the study folder. Written before anything is read,
    so that a study that was stopped can be gone on with."""
    from gnomon.workflow._folder import relative

    paths = [source] if isinstance(source, (str, Path)) else source if isinstance(source, (list, tuple)) else []
    seen = [relative(Path(str(p)), folder.path) for p in paths if isinstance(p, (str, Path))]
    words = {f: getattr(options, f) for f in options.__dataclass_fields__}
    for name in ("test", "unlabelled"):
        paths = None if _is_table(words[name]) else words[name]
        words[name] = TABLE if paths is None else [relative(Path(p), folder.path) for p in paths]
    by_command = len(sys.argv) > 1 and Path(sys.argv[0]).name in ("gnomon", "__main__.py")
    return {"source": seen, "options": words, **({"command": shlex.join(["gnomon", *sys.argv[1:]])} if by_command else {})}


def _command(folder: Folder) -> dict[str, str]:
    """The command a study was made with, which `gnomon run` does not replace."""
    command = read_json(folder / "versions.json", {}).get("command")
    return {"command": command} if command else {}


def look(source: Any, *, target: str | Sequence[str] | None = None, **options: Any) -> dict[str, Any]:
    """Exploration only: {"data", "findings", "checks"}, nothing trained, nothing written."""
    from dataclasses import asdict

    from gnomon.values import plain
    from gnomon.workflow.look import inputs_stage, read_stage, whole_look

    chosen = options_from({"target": target, **options})
    data = read_stage(_absolute(source), chosen, {}, None)
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
    plan_only(_absolute(source), folder, chosen, voice, _origin(folder, source, chosen))
    return folder / "plan.toml"


def _again(folder: str | Path, changes: Mapping[str, Any] | None = None) -> tuple[Folder, Any, Options]:
    """The source and options a study was made with; of the code it names, only what this process trusts already."""
    from gnomon.methods._trust import FILES

    place = Folder(Path(folder)).must_exist()
    made = read_json(place / "versions.json")
    words = {**made.get("options", {}), **(changes or {})}
    named = {Path(p).name for p in words.get("trust_code") or ()}
    words["trust_code"] = tuple(p for p in FILES if Path(p).name in named)
    for name in ("test", "unlabelled"):
        if words.get(name) == TABLE:
            raise InputError("E-SOURCE-ABSENT", f"{place.path} does not know its {name} rows (they were a DataFrame)",
                             do="call gnomon.study(...) again with the data")
        words[name] = [str((place.path / p).resolve()) for p in words.get(name) or ()]
    options = Options(**{k: tuple(v) if isinstance(v, list) else v for k, v in words.items()})
    sources = [str((place.path / p).resolve()) for p in made.get("source", [])]
    if not sources:
        raise InputError(
            "E-SOURCE-ABSENT",
            f"{place.path} does not know its input (it was a DataFrame)",
            do="call gnomon.study(...) again with the data",
        )
    return place, sources[0] if len(sources) == 1 else sources, options


def run(folder: str | Path, *, voice: Voice = QUIET) -> Result:
    """Carry out a study's plan.toml as it stands: finished runs are reused."""
    from gnomon.reporting.page import write_page
    from gnomon.workflow.study import study as whole

    place, source, options = _again(folder)
    told = whole(source, place, options, voice, {**_origin(place, source, options), **_command(place)})
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
    from gnomon.workflow.predict import predict_table, write_table

    table = predict_table(Folder(Path(folder)).must_exist(), _absolute(source), candidate=candidate, say=voice.line)
    if out is not None:
        write_table(table, Path(out))
    return table


def explain(folder: str | Path, source: Any = None, *, techniques: Sequence[str] = (), rows: Sequence[int] = (),
            seconds: float = 60.0, show_rows: bool = False, voice: Voice = QUIET) -> dict[str, Any]:
    """Explanations of the recommended model with their gates: of the study's own held-out rows, or of new ones.

    techniques: names such as "lime" or "sampled_shapley" (none: what suits the model). rows: 0-based rows of the input
    as read that are listed one by one, and drawn. seconds: the budget. show_rows: free text may be drawn. Kept in the
    study's explanations.json, with pictures in its folder `explained` ("files" names them) and in report.html.
    """
    from gnomon.reporting.asked import write_pictures
    from gnomon.workflow.after import explain_again

    new = ["NEW_FILE"] if source is not None and not isinstance(source, (str, Path)) else [str(source)] if source else []
    asked = shlex.join(["gnomon", "explain", Path(folder).name, *new, *(["--technique", *techniques] if techniques else []),
                        *(["--rows", *map(str, rows)] if rows else [])])
    told = explain_again(*_again(folder), rows_of=_absolute(source) if source is not None else None, seconds=seconds,
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
    """A candidate again without one part, same folds and seeds: the paired difference. Without `part`: the list of parts."""
    from gnomon.workflow import ablate as step

    return step.ablate(*_again(folder), part, candidate=candidate, voice=voice)


def relabel(folder: str | Path, *, take: str | Path | None = None, out: str | Path | None = None, rows: int = 100,
            by: str | None = None, voice: Voice = QUIET) -> dict[str, Any]:
    """Write the most suspect labels to a file for a person; with `take`, record that file's corrected labels.

    The next `run` (or the study's command again) trains on them and measures what they were worth.
    """
    from gnomon.workflow import relabel as step

    place, source, options = _again(folder)
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
    return replay_study(*_again(folder), threads=threads, voice=voice)


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
