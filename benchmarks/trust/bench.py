"""Are planted faults found, and is clean data left alone? (EVIDENCE 17: found with a lower bound of 0.90, alarms <= 5 %)

    python benchmarks/trust/bench.py [--reps 200] [--minutes 30] [--only REGEX] [--rows 400] [--twins 200] [--table]

Every planting draws a sub-sample of a real clean set (pools.py), plants one fault (plant_*.py) with its own seed, runs the
checks that could find it over all rows, and is judged against the truth (_data.judge). Plantings go round the sets of a
kind. Clean twins (twins.py) run the whole look with its split. Resumable: a cell of the table that
`results/trust.json` holds is not run again. Beside LOOK-LABEL, cleanlab on the same plantings.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import re
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import numpy as np
import plant_labels as labels
from _data import Truth, is_classes, judge, taken, values_of
from _kit import load, measured
from faults import FAULTS, Fault
from pools import KINDS, Pool, pool
from twins import TWINS

from gnomon.analyses.explore import suspect_labels
from gnomon.analyses.explore._aim import aim_of, folds_of
from gnomon.analyses.explore._kit import gathered
from gnomon.analyses.explore._lapses import each_out_of_fold, out_of_fold
from gnomon.analyses.explore._look import INPUT_CHECKS, check, without_targets
from gnomon.analyses.explore._views import full_view, quick_view
from gnomon.data.read.endless import finite
from gnomon.data.table import Data
from gnomon.rng import stream
from gnomon.values import Finding


def drawn(name: str, rows: int, rng: np.random.Generator) -> tuple[Pool, Data]:
    """A sub-sample of a pool, its rows in random order (so that nothing is sorted before it is planted so)."""
    one = pool(name)
    return one, taken(one.data, rng.permutation(len(one.data))[:rows])


def looked(data: Data, checks: Iterable[str], seed: int) -> tuple[Finding, ...]:
    """The findings of these checks, look A blind to the target, look B on all rows with the groups look A found."""
    blind, groups, parts = finite(without_targets(data))[0], {}, []
    for key in checks:
        if key in INPUT_CHECKS:
            parts.append(check(key)(blind, seed=seed))
            groups.update(parts[-1].groups)
        else:
            parts.append(check(key)(data, "target", np.arange(len(data)), groups=groups, seed=seed))
    return (*data.findings, *gathered(parts).findings)


def planted(fault: Fault, kind: str, strength: float, reps: int, rows: int) -> dict[str, Any]:
    """One cell: how often found, with the Wilson lower bound, by half, and mean recall and precision of named rows."""
    results, halves, names = [], [], fault.sets[kind]
    for i in range(reps):
        rng = stream(i, "trust", fault.name, kind, strength)
        one, clean = drawn(names[i % len(names)], rows, rng)
        try:
            data, truth = fault.plant(clean, rng, strength)
        except NotApplicable:
            continue
        after = fault.look(data, i) if fault.look else looked(data, fault.checks, i)
        hit = judge(after, truth)
        if truth.rows and not hit["found"] and not fault.slow:  # rows the clean draw had named already do not count
            hit = judge(after, truth, looked(clean, fault.checks, i))
        hit["set"], hit["possible"] = one.name, truth.possible
        if fault.known:
            hit["possible"] = fault.known(data, i)
        if "suspect_labels" in fault.checks:
            hit["possible"] = truth.possible is None and known_better(clean, data, truth, i)
            if is_classes(data):
                hit["cleanlab"] = cleanlab_overlap(truth.rows)
        results.append(hit)
        halves.append(one.half)
    return summary(results, halves)


class NotApplicable(ValueError):
    """The fault cannot be planted in this draw."""


def summary(results: list[dict[str, Any]], halves: list[str]) -> dict[str, Any]:
    found = np.array([r["found"] for r in results], dtype=bool)
    half = np.array(halves)
    row = {"plantings": len(found), "found": share(found), "lower": wilson(found), "code": share([r["code"] for r in results]),
           "recall": share([r["recall"] for r in results]), "precision": share([r["precision"] for r in results if r["code"]]),
           "grades": dict(Counter(r["grade"] for r in results if r["grade"])),
           "by_half": {h: {"found": share(found[half == h]), "lower": wilson(found[half == h])} for h in sorted(set(halves))},
           "by_set": {s: share([r["found"] for r in results if r["set"] == s]) for s in sorted({r["set"] for r in results})}}
    able = [r["found"] for r in results if r.get("possible")]
    if any(r.get("possible") is not None for r in results):
        row["identifiable"] = {"share": round(len(able) / len(results), 3), "found": share(able), "lower": wilson(able)}
    beside = [r["cleanlab"] for r in results if "cleanlab" in r]
    if beside:
        row["cleanlab"] = {"recall": share([b[0] for b in beside]), "precision": share([b[1] for b in beside]),
                           "first": share([b[2] for b in beside])}
    return row


def known_better(clean: Data, data: Data, truth: Truth, seed: int) -> bool:
    """Whether the same learner, given the right labels of all other rows, ranks the planted ones first as asked of the
    check: what it cannot do either is not identifiable from these rows."""
    aim = aim_of(clean, "target", np.arange(len(clean)))
    view = full_view(clean, aim.rows, inputs=clean.inputs, seed=seed)
    proba = out_of_fold(view, aim, folds_of(len(aim), seed, "labels"), seed)
    said = values_of(data, "target")[aim.rows]
    likely = proba[np.arange(len(aim)), said] if aim.classes else -np.abs(said - proba)
    first = np.argsort(likely, kind="stable")[:len(truth.rows)]
    return len(set(aim.rows[first].tolist()) & truth.rows) >= truth.share * len(truth.rows)


def share(hits: Iterable[Any]) -> float | None:
    hits = [float(h) for h in hits]
    return round(float(np.mean(hits)), 3) if hits else None


def wilson(hits: Iterable[Any], z: float = 1.96) -> float:
    """Lower limit of the 95 % interval of a share (Wilson 1927)."""
    hits = [float(h) for h in hits]
    return lower_limit(float(np.mean(hits)), len(hits), z) if hits else 0.0


def lower_limit(p: float, n: int, z: float = 1.96) -> float:
    return round(float(p + z * z / 2 / n - z * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n)) / (1 + z * z / n), 3)


def wilson_upper(hits: Iterable[Any]) -> float:
    return round(1 - wilson([1 - float(h) for h in hits]), 3)


LAST: dict[str, np.ndarray] = {}  # the out-of-fold probabilities that suspect_labels made last


def remembering(view: np.ndarray, aim: Any, folds: np.ndarray, seed: int) -> np.ndarray:
    each = each_out_of_fold(view, aim, folds, seed)
    LAST["proba"], LAST["labels"], LAST["rows"] = each[:2].mean(axis=0), aim.values, aim.rows
    return each


def cleanlab_overlap(truth: frozenset[int]) -> tuple[float, float, float]:
    """(recall, precision, share right among as many of its first as were planted) of cleanlab's find_label_issues on the
    very probabilities gnomon's check has just made."""
    from cleanlab.filter import find_label_issues

    proba = np.clip(LAST["proba"], 1e-9, None)
    said = find_label_issues(LAST["labels"], proba / proba.sum(axis=1, keepdims=True), n_jobs=1,
                             return_indices_ranked_by="self_confidence")
    listed = LAST["rows"][said].tolist()
    named = set(listed)
    first = len(set(listed[:len(truth)]) & truth) / len(truth)
    return len(named & truth) / len(truth), len(named & truth) / max(len(named), 1), first


def alarms(kind: str, twin: str, reps: int, rows: int) -> dict[str, Any]:
    """Share of clean twins with any warn or block over all codes, by whole_look with its own split."""
    from gnomon.workflow.look import whole_look
    from gnomon.workflow.options import Options

    any_bad, codes, by_set = [], Counter(), {}
    for i in range(reps):
        rng = stream(i, "trust twins", kind, twin)
        one, clean = drawn(KINDS[kind][i % len(KINDS[kind])], rows, rng)
        seen = whole_look(TWINS[twin](clean, rng), Options(seed=i))
        bad = {f.code for f in seen.findings if f.grade in ("warn", "block")}
        any_bad.append(bool(bad))
        codes.update(bad)
        by_set.setdefault(one.name, []).append(bool(bad))
    return {"twins": reps, "alarms": share(any_bad), "upper": wilson_upper(any_bad), "codes": dict(codes),
            "by_set": {s: share(v) for s, v in by_set.items()}}


def silence(kind: str, reps: int, rows: int) -> dict[str, Any]:
    """No signal: how often shuffled targets are called so, and real ones not (a forest, five folds, no_signal)."""
    from gnomon.analyses.validate.no_signal import no_signal
    from gnomon.tasks._task import Prediction
    from gnomon.tasks.classify import classify
    from gnomon.tasks.regress import regress

    quiet, heard = [], []
    for i in range(reps):
        rng = stream(i, "trust silence", kind)
        _, clean = drawn(KINDS[kind][i % len(KINDS[kind])], rows, rng)
        for shuffled, out in ((True, quiet), (False, heard)):
            data = labels.no_signal(clean, rng, 0)[0] if shuffled else clean
            aim = aim_of(data, "target", np.arange(len(data)))
            folds = folds_of(len(aim), i, "silence")
            guess = out_of_fold(quick_view(data, aim.rows, inputs=data.inputs), aim, folds, i)
            if aim.classes:
                task = classify("target", aim.classes, metric="log_loss")
                floor = np.zeros_like(guess)
                for fold in range(5):
                    known = np.bincount(aim.values[folds != fold], minlength=guess.shape[1])
                    floor[folds == fold] = known / known.sum()
                ours, base = Prediction(guess.argmax(1), guess), Prediction(floor.argmax(1), floor)
            else:
                task, floor = regress("target", metric="rmse"), np.zeros_like(guess)
                for fold in range(5):
                    floor[folds == fold] = aim.values[folds != fold].mean()
                ours, base = Prediction(value=guess), Prediction(value=floor)
            said = no_signal(task, [task.measure(ours, aim.values)], task.measure(base, aim.values), None, seed=i)
            out.append(said.signal)
    return {"plantings": reps, "found": share([not s for s in quiet]), "lower": wilson([not s for s in quiet]),
            "heard": share(heard)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=200)
    parser.add_argument("--slow", type=int, default=200, help="plantings of a fault that needs models")
    parser.add_argument("--twins", type=int, default=200)
    parser.add_argument("--rows", type=int, default=400)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--out", default="trust", help="name of the result file")
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    suspect_labels.each_out_of_fold = remembering  # cleanlab is asked with the same probabilities
    end = time.monotonic() + 60 * (0 if args.table else args.minutes)
    for key, do in jobs(args):
        if re.search(args.only, f"{key['fault']} {key['kind']} {key['strength']}") and time.monotonic() < end:
            print(line(measured(args.out, key, do)), flush=True)
    if args.table:
        rows = load(args.out)["rows"]
        print("\n".join([*map(line, rows), counted(rows), by_fault(rows)]))


def jobs(args: argparse.Namespace) -> Iterable[tuple[dict[str, Any], Callable[[], dict[str, Any]]]]:
    for fault in FAULTS:
        for kind in fault.sets:
            for strength in fault.strengths:
                reps = fault.times * (args.slow if fault.slow else args.reps)
                key = {"fault": fault.name, "kind": kind, "strength": strength, "reps": reps,
                       "sets": list(fault.sets[kind])}
                yield key, lambda f=fault, k=kind, s=strength, n=reps: planted(f, k, s, n, args.rows)
    for kind in KINDS:
        for twin in TWINS:
            key = {"fault": "clean", "kind": kind, "strength": twin, "reps": args.twins}
            yield key, lambda k=kind, t=twin: alarms(k, t, args.twins, args.rows)
        key = {"fault": "labels.no_signal", "kind": kind, "strength": 0, "reps": args.slow}
        yield key, lambda k=kind: silence(k, args.slow, args.rows)


def line(row: dict[str, Any]) -> str:
    """One cell: ok; "ok*" = found wherever one who knows the fault could; listed = not identifiable (one who knows the fault
    could name fewer than half, or a stated reason); LOW: the bar is missed."""
    head = f"{row['fault']:24s} {row['kind']:9s} {row['strength']!s:9s}"
    if "alarms" in row:
        bar = "ok" if row["alarms"] <= 0.05 else "LOW"
        rest = f"{row['codes']} {row['by_set']}"
        return f"{bar:7s}{head} alarms {row['alarms']:.3f} (up to {row['upper']:.3f}) of {row['twins']} {rest}"
    told = ("code", "recall", "precision", "by_half", "by_set", "cleanlab", "heard")
    rest = json.dumps({k: row[k] for k in told if k in row})
    word, why = verdict(row)
    return f"{word:7s}{head} found {row['found']:.3f} (from {row['lower']:.3f}) of {row['plantings']} {why} {rest}"


def verdict(row: dict[str, Any]) -> tuple[str, str]:
    """(ok, ok*, listed or LOW; why)."""
    known = row.get("identifiable")
    why = ""
    if known and known["share"] < 1:
        why = f"[who knows the fault can name {known['share']:.0%}; of these found {known['found']} from {known['lower']}]"
    if row["lower"] >= 0.9:
        return "ok", why
    reason = next((f.hopeless[row["strength"]] for f in FAULTS if f.name == row["fault"] and row["kind"] in f.sets
                   and list(f.sets[row["kind"]]) == row["sets"] and row["strength"] in f.hopeless), "")
    if reason:
        return "listed", f"[{reason}]"
    if known and known["share"] < 1 and known["lower"] >= 0.9:
        return "ok*", why
    return ("listed" if known and known["share"] < 0.5 else "LOW"), why


def counted(rows: list[dict[str, Any]]) -> str:
    """How many cells pass, are listed, miss the bar."""
    said = Counter(("ok" if r["alarms"] <= 0.05 else "LOW") if "alarms" in r else verdict(r)[0] for r in rows)
    return f"{len(rows)} cells: " + ", ".join(f"{said[k]} {k}" for k in ("ok", "ok*", "listed", "LOW"))


def by_fault(rows: list[dict[str, Any]]) -> str:
    """The same by fault and kind (EVIDENCE 17), strengths together, listed cells aside: of the plantings that one who knows the
    fault could name."""
    whole: dict[tuple[str, str], list[float]] = {}
    for r in rows:
        if "alarms" not in r and verdict(r)[0] != "listed":
            known = r.get("identifiable") or {"share": 1.0, "found": r["found"]}
            able = known["share"] * r["plantings"]
            sums = whole.setdefault((r["fault"], r["kind"]), [0.0, 0.0])
            sums[0], sums[1] = sums[0] + able, sums[1] + able * known["found"]
    below = {key: (found / able, limit) for key, (able, found) in whole.items()
             if (limit := lower_limit(found / able, round(able))) < 0.9}
    said = "; ".join(f"{fault} {kind} {share:.3f} (from {limit:.3f})" for (fault, kind), (share, limit) in below.items())
    return f"{len(whole)} faults and kinds: {len(whole) - len(below)} ok" + (f", LOW: {said}" if said else "")


if __name__ == "__main__":
    main()
