"""The command line: words in, lines out. Results on stdout, progress on stderr, and it never asks a question."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from gnomon._grammar import parser, words_of


def voice() -> Any:
    """Stage lines on stdout; one overwritten progress line on stderr, and only on a terminal."""
    from gnomon.workflow._voice import Voice

    live = sys.stderr.isatty()

    def line(stage: str, text: str) -> None:
        if live:
            sys.stderr.write("\r\x1b[K")
        print(f"{stage:<8}{text}", flush=True)

    def say(text: str) -> None:
        if live:
            sys.stderr.write(f"\r\x1b[K{text[:100]}")
            sys.stderr.flush()

    return Voice(line, say)


def _one_or_many(paths: Sequence[str]) -> Any:
    return paths[0] if len(paths) == 1 else list(paths)


def do_study(args: argparse.Namespace) -> None:
    from gnomon import api

    result = api.study(_one_or_many(args.paths), out=args.out, budget=args.budget, voice=voice(), **words_of(args))
    print(f"report: {result.page}")


def do_plan(args: argparse.Namespace) -> None:
    from gnomon import api

    print(f"plan: {api.plan(_one_or_many(args.paths), out=args.out, budget=args.budget, voice=voice(), **words_of(args))}")


def do_look(args: argparse.Namespace) -> None:
    from gnomon import api

    seen = api.look(_one_or_many(args.paths), **words_of(args))
    if args.json:
        print(api.as_json(seen))
        return
    data = seen["data"]
    print(f"{data['rows']:,} rows, {len(data['columns'])} columns" + (f"; {data['sampled']}" if data["sampled"] else ""))
    for c in data["columns"]:
        print(f"  {c['name'][:40]:<40} {c['kind']:<9} {c['role']:<10} {c['because'][:90]}")
    if seen["split"]:
        print(f"split by {seen['split']['policy']}: {seen['split']['because']}")
    for f in seen["findings"]:
        print(f"  {f['grade']:<5} {f['code']:<24} {f['claim']}")
    print(f"{sum(c['ran'] for c in seen['checks'])} checks ran, {sum(not c['ran'] for c in seen['checks'])} did not")


def do_run(args: argparse.Namespace) -> None:
    from gnomon import api

    print(f"report: {api.run(args.study, voice=voice()).page}")


def do_report(args: argparse.Namespace) -> None:
    from gnomon import api

    print(f"report: {api.report(args.study)}")


def do_clean(args: argparse.Namespace) -> None:
    from gnomon import api

    print(f"freed {api.clean(args.study) / 1e6:.1f} MB")


def do_replay(args: argparse.Namespace) -> None:
    from gnomon import api

    outcome = api.replay(args.study, threads=args.threads, instructions=args.instructions,
                         voice=api.QUIET if args.json else voice())
    print(api.as_json(outcome) if args.json else f"{outcome['judged']}: {outcome['why']} ({outcome['under']})")


def do_ablate(args: argparse.Namespace) -> None:
    from gnomon import api

    told = api.ablate(args.study, args.part, candidate=args.candidate, voice=voice())
    if args.part:
        print(told["claim"])
        return
    print(f"parts of {told['candidate']} ({told['recipe']}):")
    for part in told["parts"]:
        print(f"  {part['name']:<40} {part['what']}")


def do_relabel(args: argparse.Namespace) -> None:
    from gnomon import api
    from gnomon.analyses.explore._kit import many

    told = api.relabel(args.study, take=args.take, out=args.out, rows=args.rows, by=args.by, voice=voice())
    if args.take:
        _say_taken(told, args.study)
        return
    why = "" if told["stands"] else " (hard cases alone could explain as many: expect to confirm some)"
    pictures = f", pictures: {told['page']}" if told["page"] else ""
    print(f"{many(told['rows'], 'suspect label')}{why}: {told['file']}{pictures}")
    for note in told["notes"]:
        print(f"  {note}")
    print(f"fill in 'new label', then: gnomon relabel {args.study} --take {told['file']}")


def _say_taken(told: dict[str, Any], study: str) -> None:
    from gnomon.analyses.explore._kit import many

    print(f"{many(told['corrected'], 'label')} corrected, {told['confirmed']} confirmed, {told['left']} left open"
          + (f", {told['taken_back']} corrected before and now as they came" if told["taken_back"] else "")
          + (f"; {told['sealed']} of sealed rows, whose score stays by the labels as they came" if told["sealed"] else ""))
    if told["corrected"] or told["taken_back"]:
        print(f"gnomon run {study}   trains on them; its report says what they were worth (VALID-RELABELLED)")
    elif told["sealed"]:
        print(f"gnomon run {study}   shows the score by the corrected labels beside")
    else:
        print("no label changes; the confirmed ones will not be asked for again")


def do_predict(args: argparse.Namespace) -> None:
    from gnomon import api

    table = api.predict(args.study, _one_or_many(args.paths), candidate=args.candidate, out=args.out, voice=voice())
    print(f"{len(table):,} predictions: {args.out}")


def do_explain(args: argparse.Namespace) -> None:
    from gnomon import api
    from gnomon.workflow._voice import Voice
    from gnomon.workflow.options import seconds_of

    told_first = Voice(say=lambda text: print(text, file=sys.stderr, flush=True))  # the estimate is wanted in a log too
    told = api.explain(args.study, _one_or_many(args.paths) if args.paths else None, techniques=args.technique,
                       rows=args.rows, seconds=seconds_of(args.budget), show_rows=args.show_rows, voice=told_first)
    for entry in told["explanations"]:
        missed = [f"{'failed' if g['low'] is not None else 'could not judge'} {g['name']}" for g in entry["gates"]
                  if not g["passed"]]
        state = f"withheld: {', '.join(missed)}" if entry["withheld"] else "passed its gates" if entry["gates"] else ""
        print(f"{entry['technique']}  {state}")
        for gate in entry["gates"] if args.technique else []:
            print(f"  {gate['name']}: {gate['says']}")
        for item in [] if entry["withheld"] else entry["importances"][:10]:
            value = "could not be told" if item["value"] is None else f"{item['value']:.4g} {_limits(item)}"
            print(f"  {item['what'][:50]:<50} {value}")
        for text in entry.get("sentences", []):
            print(f"  {text}")
        for row in entry.get("by_row", []):
            print(f"  row {row['row']}: " + ", ".join(f"{p['what']} {p['value']:+.3g}" for p in row["pieces"][:6]))
        for check in entry["other_checks"] if args.technique else []:
            means = f" ({check['means']})" if check.get("means") and check["value"] is not None else ""
            value = check["value"]
            print(f"  {check['name']}: {check.get('says') or (f'{value:.2f}' if isinstance(value, float) else value)}{means}")
    for why in told["not_run"]:
        print(f"not run: {why}")
    for name in told["files"][:12]:
        print(f"drawn: {name}")
    if told["kept"]:
        print(f"report: {args.study}/report.html#asked")


def _limits(item: dict[str, Any]) -> str:
    return "" if item["low"] is None else f"[{item['low']:.4g}, {item['high']:.4g}]"


def do_compare(args: argparse.Namespace) -> None:
    from gnomon import api

    print(api.as_json(api.compare(*args.studies)))


def do_accept(args: argparse.Namespace) -> None:
    from gnomon import api

    api.accept(args.study, args.code, because=args.because)
    print(f"{args.code} accepted: off page 1, on record with its reason")


def do_why(args: argparse.Namespace) -> None:
    from gnomon.codes import explain_code

    print(explain_code(args.code))


def do_cards(args: argparse.Namespace) -> None:
    import json
    from dataclasses import asdict

    from gnomon.card import catalogue

    query = args.query.lower()
    chosen = [c for c in catalogue().values() if query in f"{c.key} {c.name} {c.gist} {' '.join(c.survey)}".lower()]
    if args.json:
        print(json.dumps([asdict(c) for c in chosen], indent=1, ensure_ascii=False))
        return
    for card in chosen:
        print(f"{card.key:<26} {card.name}: {card.gist}")
        if len(chosen) <= 3:
            print(f"  use when   {card.use_when}\n  avoid when {card.avoid_when}\n  paper      {card.paper}\n"
                  f"  survey     {', '.join(card.survey)}   cost {card.cost}   {card.module}")


def main(argv: Sequence[str] | None = None) -> int:
    """0 done; 2 the input is at fault; 3 nothing could be trained; 130 stopped by the user, resumable."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # shared cores: spinning threads cost 3-5 times (measured)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a Cholesky of 277 rows: 148 ms with two contended threads
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    args = parser().parse_args(argv)
    action: Callable[[argparse.Namespace], None] = globals()[f"do_{'run' if args.verb == 'examine' else args.verb}"]
    import warnings

    from gnomon.errors import GnomonError

    warnings.filterwarnings("ignore", message="The number of unique classes")  # rare classes have a finding of their own
    try:
        if args.verb not in ("study", "plan", "look") and getattr(args, "trust_code", None):
            from gnomon.api import trust

            trust(*args.trust_code)
        action(args)
    except GnomonError as error:
        print(f"\n{error}\n  more: gnomon why {error.code}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("\nstopped; finished runs are kept: type the same command to go on", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 0
    except OSError as error:
        if error.errno != 28:
            raise
        print("\nE-DISK-FULL  no space left on the disk\n  do: free some space, then type the command again", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
