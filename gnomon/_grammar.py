"""The grammar of the command line: verbs, their words, and a study's keywords from them."""

from __future__ import annotations

import argparse
from typing import Any

STUDY_VALUES = {  # option -> (keyword, what it says)
    "--group": ("group", "column of units that belong together (patient, plate, donor ...)"),
    "--time": ("time", "column that orders rows in time"),
    "--id": ("id", "identifier column"),
    "--weight": ("weight", "column of row weights"),
    "--predict-at": ("predict_at", "columns after this one (and later dates) are not known at prediction"),
    "--split": ("split", "random, stratified, group:COL, time:COL, scaffold, cluster, cold:COL, column:COL, rows:FILE.json"),
    "--because": ("because", "why this split; printed on page 1"),
    "--for": ("scope", "what the score is for: new-groups, same-groups, later, new-site"),
    "--metric": ("metric", "headline metric"),
    "--positive": ("positive", "the positive one of two classes"),
    "--device": ("device", "auto, cpu or cuda"),
}
STUDY_LISTS = {
    "--target": ("target", "column(s) to predict"),
    "--exclude": ("exclude", "columns to leave out"),
    "--test": ("test", "file(s) of another source that judge; added later, nothing is trained again"),
    "--unlabelled": ("unlabelled", "file(s) of rows without a target: looked at, never trained on"),
    "--only": ("only", "train only these models"),
    "--skip": ("skip", "do not train these models"),
    "--trust-code": ("trust_code", "Python files of your own models that may run"),
}
STUDY_FLAGS = {
    "--explore": ("explore", "no sealed part, no verdict; the report says exploratory"),
    "--show-rows": ("show_rows", "row values of tables may stand in the report"),
}


def parser() -> argparse.ArgumentParser:
    """The whole grammar. Nothing heavy is imported for it."""
    top = argparse.ArgumentParser(prog="gnomon", description="Bring scientific data of any kind: gnomon says where to start.",
                                  epilog="gnomon study FILE --target COLUMN   is where to start")
    from gnomon import __version__

    top.add_argument("--version", action="version", version=f"gnomon {__version__}")
    verbs = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    _beginning(verbs)
    _going_on(verbs)
    _using(verbs)
    verbs.add_parser("why", help="what a code means and what to do").add_argument("code", metavar="CODE")
    one = verbs.add_parser("cards", help="the catalogue of techniques")
    one.add_argument("query", nargs="?", default="")
    one.add_argument("--json", action="store_true")
    return top


def _beginning(verbs: Any) -> None:
    """Verbs that take data and have no study yet."""
    for verb, text in (("study", "the main job: look, split, plan, train, judge, explain, report"),
                       ("plan", "look, split and write plan.toml; train nothing")):
        one = verbs.add_parser(verb, help=text, description=text)
        one.add_argument("paths", nargs="+", metavar="PATH")
        one.add_argument("--budget", default="10m", help="time to spend: 90s, 10m, 2h (default 10m)")
        one.add_argument("--out", metavar="DIR", help="the study folder (default ./NAME.study)")
        _study_words(one)
    one = verbs.add_parser("look", help="explore only", description="kinds, roles, findings; nothing is trained or written")
    one.add_argument("paths", nargs="+", metavar="PATH")
    one.add_argument("--json", action="store_true", help="print data, findings and checks as JSON")
    _study_words(one)


def _going_on(verbs: Any) -> None:
    """Verbs that work on a study itself: carry it out, again, otherwise, elsewhere."""
    for verb, text in (("run", "carry out plan.toml; finished runs are reused"), ("examine", "validate and explain again"),
                       ("report", "render report.html again"), ("clean", "free disk")):
        one = verbs.add_parser(verb, help=text, description=text)
        one.add_argument("study", metavar="STUDY")
        if verb in ("run", "examine"):
            _trust_word(one)
    one = _of_study(verbs, "replay", "run again elsewhere and judge: same, same within noise, different")
    one.add_argument("--threads", type=int, help="CPU threads to train with, instead of the plan's")
    one.add_argument("--instructions", choices=("default", "avx2", "avx512"), help="another instruction set")
    one.add_argument("--json", action="store_true")
    one = _of_study(verbs, "ablate", "train again without one part and compare; without PART: list the parts")
    one.add_argument("part", nargs="?", metavar="PART")
    one.add_argument("--candidate", metavar="HASH", help="another candidate than the recommended one")
    one = _of_study(verbs, "relabel", "suspect labels out to a file, the corrected file back in")
    one.add_argument("-o", "--out", metavar="OUT", help="the file to write (default: in the study folder)")
    one.add_argument("--rows", type=int, default=100, help="at most so many rows a target")
    one.add_argument("--take", metavar="FILE", help="the filled-in file")
    one.add_argument("--by", metavar="NAME", help="who corrected the labels (default: the user's name)")


def _using(verbs: Any) -> None:
    """Verbs that use what a study found."""
    one = _of_study(verbs, "predict", "predict new data")
    one.add_argument("paths", nargs="+", metavar="PATH")
    one.add_argument("-o", "--out", required=True, metavar="OUT", help=".csv, .tsv, .parquet, .xlsx or .jsonl")
    one.add_argument("--candidate", metavar="HASH", help="another candidate than the recommended one")
    one = _of_study(verbs, "explain", "attributions with their gates")
    one.add_argument("paths", nargs="*", metavar="PATH")
    one.add_argument("--technique", nargs="+", default=[], metavar="NAME",
                     help="only these: lime sampled_shapley occlusion ..; cka svcca ..: the network's layers compared")
    one.add_argument("--rows", nargs="+", type=int, default=[], metavar="N", help="rows of the input, from 0, listed singly")
    one.add_argument("--budget", default="60s", help="time to spend; the estimate is printed first (default 60s)")
    one.add_argument("--show-rows", dest="show_rows", action="store_true", help="free text may be drawn")
    verbs.add_parser("compare", help="paired comparison of studies").add_argument("studies", nargs="+", metavar="STUDY")
    one = verbs.add_parser("accept", help="move a finding off page 1, with a reason")
    one.add_argument("study", metavar="STUDY")
    one.add_argument("code", metavar="CODE")
    one.add_argument("--because", required=True)


def _of_study(verbs: Any, verb: str, text: str) -> argparse.ArgumentParser:
    """A verb on a finished study, whose own models may run where the user says so."""
    one = verbs.add_parser(verb, help=text)
    one.add_argument("study", metavar="STUDY")
    _trust_word(one)
    return one


def _trust_word(one: argparse.ArgumentParser) -> None:
    one.add_argument("--trust-code", dest="trust_code", nargs="+", action="extend", default=[], metavar="FILE",
                     help="Python files of your own models that the study was made with")


def _study_words(one: argparse.ArgumentParser) -> None:
    for word, (name, text) in STUDY_VALUES.items():
        one.add_argument(word, dest=name, help=text)
    for word, (name, text) in STUDY_LISTS.items():
        one.add_argument(word, dest=name, nargs="+", action="extend", help=text)
    for word, (name, text) in STUDY_FLAGS.items():
        one.add_argument(word, dest=name, action="store_true", help=text)
    one.add_argument("--no-examples", dest="examples", action="store_false", help="no pictures of examples in the report")
    one.add_argument("--kinds", nargs="+", action="extend", default=[], metavar="COL=KIND")
    one.add_argument("--seed", type=int, default=0)
    one.add_argument("--jobs", type=int, default=0, help="CPU cores to use (default: all)")


def words_of(args: argparse.Namespace) -> dict[str, Any]:
    """The study's keywords from the parsed line; `--target a,b` and `--target a b` mean the same when no column is
    called "a,b"."""
    from gnomon.errors import InputError

    names = [name for name, _ in (*STUDY_VALUES.values(), *STUDY_LISTS.values(), *STUDY_FLAGS.values())]
    words = {name: getattr(args, name) for name in (*names, "examples", "seed", "jobs")}
    pairs = [pair.rpartition("=") for pair in args.kinds]
    wrong = [f"{a}{b}{c}" for a, b, c in pairs if not a or not c]
    if wrong:
        raise InputError("E-KINDS", f"--kinds {wrong[0]}: not of the form COLUMN=KIND", do='write --kinds "age=number"')
    return {k: v for k, v in words.items() if v is not None} | {"kinds": {a: c for a, _, c in pairs}}
