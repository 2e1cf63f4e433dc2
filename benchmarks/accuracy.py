"""gnomon against each field's own simple model (and peers, published figures) on real data, on the same splits.

    python benchmarks/accuracy.py [--splits N] [--rivals | --studies | --table] [SET ...]

Studies run with the budget of their set (60 s; images 120 s), one process each; several of these commands may run at once.
Writes results/accuracy.json and results/rivals.json, one measurement at a time, and prints the table: `worse by` is
rival minus gnomon in the metric's direction, `upper` its paired one-sided 95 % limit over splits, `3 %` the bar.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _kit import load, measured, paired_upper
from _rivals import score
from _sets import Set, answers, frame, sets

SEALED = 100  # test rows


def study(one: Set, split: int, budget: int) -> dict[str, Any]:
    """One study in a process of its own; test scores of what it recommends and of every candidate.

    From SEALED test rows on they are the study's sealed part; fewer are kept in a file of their own and predicted after a
    cross-validated study of the others, as a scientist with so few rows would do.
    """
    lists = one.splits(split)
    with tempfile.TemporaryDirectory() as scratch:
        words = ["--budget", f"{budget}s", "--out", f"{scratch}/s.study", "--metric", one.metric, *one.words]
        words += ["--target", one.target] if one.target else []
        words += ["--exclude", *one.drop] if one.drop else []
        if len(lists["test"]) >= SEALED:
            (Path(scratch) / "rows.json").write_text(json.dumps(lists))
            path = new = one.path()
            words += ["--split", f"rows:{scratch}/rows.json", "--because", "the benchmark's split"]
        else:
            path, new = Path(scratch) / "train.csv", Path(scratch) / "test.csv"
            frame(one).iloc[lists["train"]].to_csv(path, index=False)
            frame(one).iloc[lists["test"]].to_csv(new, index=False)
        done = subprocess.run([sys.executable, "-m", "gnomon", "study", str(path), *words], capture_output=True, text=True,
                              check=False, env={**os.environ, "GNOMON_STATE": f"{scratch}/state"})
        if done.returncode:
            return {"failed": done.stderr[-800:]}
        rows = np.asarray(lists["test"]) if new == path else np.arange(len(lists["test"]))
        return read_report(Path(scratch) / "s.study", one, new, rows, answers(one)[lists["test"]])


def read_report(folder: Path, one: Set, new: Path, rows: np.ndarray, truth: np.ndarray) -> dict[str, Any]:
    """What the study says, and the test score of each of its candidates. Without a signal nothing is recommended: the floor."""
    report = json.loads((folder / "report.json").read_text())
    verdict, tests = report["verdict"], all_tests(folder, one, new, rows, truth)
    floor = next(c["recipe"]["hash"] for c in report["candidates"] if c["family"] == "floor")
    told = verdict["recommended"] or floor
    return {"score": tests.get(told), "recommended": told, "chosen": verdict["chosen_on_validation"],
            "outcome": verdict["outcome"], "seconds": report["cost"]["seconds"],
            "candidates": {c["recipe"]["hash"]: {
                "label": c["label"], "family": c["family"], "cut": c["cut"], "valid": (c["valid"] or {}).get("value"),
                "test": tests.get(c["recipe"]["hash"])} for c in report["candidates"]}}


def all_tests(folder: Path, one: Set, new: Path, rows: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Test score of every candidate, by the metrics the rivals are scored with; for the bench only."""
    from gnomon.data.read.dispatch import read_like
    from gnomon.methods._network import task_from
    from gnomon.workflow._folder import read_json
    from gnomon.workflow.run import deliver

    made = read_json(folder / "delivered.json")
    data, _ = read_like(read_json(folder / "data.json")["schema"], str(new))
    names = np.asarray(task_from(made["task"]).out.categories, dtype=object)
    out = {}
    for recipe, members in made["candidates"].items():
        told = deliver(folder, members).predict(data, rows) if members else None
        out[recipe] = scored(one, told, names, truth)
    return out


def scored(one: Set, told: Any, names: np.ndarray, truth: np.ndarray) -> float:
    """The set's metric; of the floor (told None) on the test rows' own mean or commonest class: the most it could reach."""
    if told is None:
        if one.metric in ("spearman", "roc_auc"):
            return {"spearman": 0.0, "roc_auc": 0.5}[one.metric]
        values, counts = np.unique(truth, return_counts=True)
        guess = np.full(len(truth), truth.mean() if one.metric == "rmse" else values[counts.argmax()])
        return score(one.metric, truth, guess, None)
    if told.proba is None:
        return score(one.metric, truth, told.value, None)
    order = np.argsort(names.astype(str))
    return score(one.metric, truth.astype(str), names[told.value].astype(str), told.proba[:, order])


def rival(name: str, key: str, split: int) -> dict[str, Any]:
    """One rival on one split, in a process of its own."""
    words = [sys.executable, str(Path(__file__).with_name("_rivals.py")), name, key, str(split)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return json.loads(done.stdout.splitlines()[-1]) if not done.returncode else {"failed": done.stderr[-800:]}


def table(names: list[str]) -> None:
    """Per set and rival: gnomon, what it chose on validation, the best simple one on validation, the rival."""
    studies, others = load("accuracy")["rows"], load("rivals")["rows"]
    heads = (("splits", 7), ("gnomon", 9), ("chosen", 9), ("simple", 9), ("rival", 9), ("worse by", 10), ("upper", 9),
             ("3 %", 8))
    print(f"{'set':<15}" + "".join(f"{text:>{width}}" for text, width in heads) + "  rival")
    for name in names:
        one = sets()[name]
        mine = {r["split"]: r for r in studies if r["set"] == name and r.get("score") is not None}
        for who in one.rivals:
            theirs = {r["split"]: r["score"] for r in others
                      if r["set"] == name and r["rival"] == who and r.get("score") is not None}
            both = sorted(set(mine) & set(theirs))
            if not both:
                continue
            a, b = [mine[k]["score"] for k in both], [theirs[k] for k in both]
            gap, upper = paired_upper(a, b, one.higher)
            chosen = np.mean([mine[k]["candidates"][mine[k]["chosen"]]["test"] for k in both])
            simple = np.mean([best_simple(mine[k], one) for k in both])
            good = "ok" if upper <= 0.03 * abs(np.mean(b)) or (len(both) == 1 and gap <= 0) else "SHORT"
            print(f"{name:<15}{len(both):>7}{np.mean(a):>9.3f}{chosen:>9.3f}{simple:>9.3f}{np.mean(b):>9.3f}{gap:>10.3f}"
                  f"{upper:>9.3f}{0.03 * abs(np.mean(b)):>8.3f}  {who} {good} {one.published}")


def best_simple(row: dict[str, Any], one: Set) -> float:
    """Test score of the simple model that is best on validation."""
    simple = [c for c in row["candidates"].values() if c["family"] == "simple" and c["valid"] is not None]
    return (max if one.higher else min)(simple, key=lambda c: c["valid"])["test"]


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("sets", nargs="*")
    words.add_argument("--splits", type=int, default=15, help="at most so many (each set has its own number)")
    words.add_argument("--rivals", action="store_true", help="measure the rivals only")
    words.add_argument("--studies", action="store_true", help="run the studies only")
    words.add_argument("--table", action="store_true", help="print the table only")
    args = words.parse_args()
    names = args.sets or list(sets())
    for split in range(0 if args.table else args.splits):
        for name in names:
            one = sets()[name]
            if split >= one.count:
                continue
            if not args.rivals:
                key = {"set": name, "split": split, "budget": one.budget}
                row = measured("accuracy", key, lambda one=one, split=split: study(one, split, one.budget))
                print(name, split, row.get("score"), row.get("outcome"), row.get("failed", "")[-300:], flush=True)
            for who in () if args.studies else one.rivals:
                key = {"set": name, "split": split, "rival": who}
                row = measured("rivals", key, lambda who=who, name=name, split=split: rival(who, name, split))
                print(name, split, who, row.get("score"), row.get("failed", "")[-300:], flush=True)
    table(names)


if __name__ == "__main__":
    main()
