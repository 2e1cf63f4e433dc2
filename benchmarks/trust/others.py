"""The planted faults of tables under other checkers: deepchecks and evidently beside gnomon, on the very same plantings.

    GNOMON_OTHERS=/path/to/python python benchmarks/trust/others.py [--reps 40] [--twins 20] [--only REGEX] [--table]

GNOMON_OTHERS names a Python that has deepchecks and evidently, apart from gnomon's (deepchecks 0.19 needs
`pip install deepchecks evidently "scikit-learn<1.6" "pandas<2.3" "numpy<2" "category-encoders<2.7" "setuptools<81"`). Plantings
are the first `--reps` of bench.py's, drawn with its seeds. Of deepchecks the suites data_integrity and
train_test_validation run, of evidently DataSummaryPreset and DataDriftPreset, all with default conditions; of a planting
only the checks that could find its fault are run, since checks do not know of one another. Training and test rows: where
a fault lies between them as planted, of a dated drift the early 70 % and the rest, else 70 % at random.

Found means for gnomon what bench.py means by it: the rows or the column are named. For the others it is easier: a
condition of the right kind failed, and where a column was planted its message names it; rows need not be named. Beside it
"+outside": counting checks that are in none of the default suites, with their own default conditions; and "at 5 %": each
check's threshold moved to where it fires on at most 5 % of the clean twins, the best of the checks counted. Alarms: a share
of clean twins, all checks together; gnomon's are its warn and block. Writes results/trust_others.json.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import numpy as np
from _data import Truth, judge, values_of
from _kit import load, measured
from bench import drawn, looked, share, wilson
from faults import FAULTS, Fault
from pools import KINDS
from twins import TWINS

from gnomon.data.table import Data, strings
from gnomon.rng import stream

NAME, ROWS, TRAIN = "trust_others", 400, 0.7
GROUPS = {"copies.exact": "copies", "copies.near": "copies", "copies.conflict": "conflict", "copies.conflict_few": "conflict",
          "leaks.direct": "leaks", "leaks.text": "leaks", "leaks.noisy": "leaks", "leaks.row_order": "leaks",
          "leaks.gaps": "gaps", "values.sentinel": "values", "values.units": "values", "values.slipped": "values",
          "labels.uneven": "uneven", "after.covariate": "inputs", "after.label": "target", "groups.dated_drift": "dated"}
OUTSIDE = ("OutlierSampleDetection", "ClassImbalance", "PercentOfNulls")  # in none of deepchecks' default suites
TOOLS = ("deepchecks", "evidently")


class Other:
    """The other Python, asked one table at a time."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[str] | None = None
        self.folder = tempfile.TemporaryDirectory()

    def ask(self, data: Data, group: str, columns: Iterable[str], new: np.ndarray, target: str = "target") -> dict[str, Any]:
        if self.child is None:
            self.child = subprocess.Popen([os.environ["GNOMON_OTHERS"], "-W", "ignore", str(Path(__file__).with_name(
                "_other_tools.py"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        path = Path(self.folder.name) / "table.npz"
        np.savez(path, **table_of(data, new))
        asked = {"path": str(path), "target": target, "classes": data.columns[target].spec.kind == "category",
                 "group": group, "columns": list(columns)}
        print(json.dumps(asked), file=self.child.stdin, flush=True)
        return json.loads(self.child.stdout.readline())


def table_of(data: Data, new: np.ndarray) -> dict[str, np.ndarray]:
    """The inputs and the target by name, with the column `part`."""
    names = [n for n in data.columns if data.roles[n].role != "ignore"]
    told = {n: strings(data.columns[n]).astype(str) if data.kind(n) == "category" else values_of(data, n) for n in names}
    return {**told, "part": np.where(new, "new", "old")}


def new_rows(data: Data, group: str, i: int) -> np.ndarray:
    """bool (n,): the rows that the others are given as test rows."""
    if "part" in data.columns:
        return strings(data.columns["part"]).astype(str) == "new"
    if group == "dated":
        return np.argsort(np.argsort(values_of(data, "date"), kind="stable")) >= TRAIN * len(data)
    return stream(i, "trust others part").random(len(data)) >= TRAIN


def planted(other: Other, fault: Fault, strength: float, reps: int) -> dict[str, Any]:
    """One cell: gnomon's share found, and of every check of the others what it said of each planting."""
    ours, theirs, group = [], [], GROUPS[fault.name]
    for i in range(reps):
        rng, names = stream(i, "trust", fault.name, "table", strength), fault.sets["table"]
        clean = drawn(names[i % len(names)], ROWS, rng)[1]
        data, truth = fault.plant(clean, rng, strength)
        ours.append(named_by_gnomon(fault, clean, data, truth, i))
        columns = [c for c in truth.columns if c not in ("target", "date")]  # neither is called by its name there
        theirs.append(other.ask(data, group, columns, new_rows(data, group, i)))
    return {"plantings": reps, "gnomon": share(ours), "lower": wilson(ours), "checks": told(theirs),
            "columns": bool(columns)}


def named_by_gnomon(fault: Fault, clean: Data, data: Data, truth: Truth, i: int) -> bool:
    """As bench.py judges: rows that the clean draw had named already do not count."""
    after = fault.look(data, i) if fault.look else looked(data, fault.checks, i)
    if judge(after, truth)["found"] or not truth.rows or fault.slow:
        return judge(after, truth)["found"]
    return judge(after, truth, looked(clean, fault.checks, i))["found"]


def told(answers: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """tool -> check -> what it said of each: failed, named, size."""
    out: dict[str, dict[str, Any]] = {}
    for tool in TOOLS:
        names = dict.fromkeys(n for a in answers for n in a[tool])
        blank = {"failed": False, "named": False, "size": 0.0}
        out[tool] = {n: {k: [round(float(a[tool].get(n, blank)[k]), 5) for a in answers] for k in blank} for n in names}
    return out


def twins(other: Other, twin: str, reps: int) -> dict[str, Any]:
    """Clean twins: the share with any alarm, of each tool, and what each check said."""
    from gnomon.workflow.look import whole_look
    from gnomon.workflow.options import Options

    ours, theirs = [], []
    for i in range(reps):
        rng = stream(i, "trust twins", "table", twin)
        data = TWINS[twin](drawn(KINDS["table"][i % len(KINDS["table"])], ROWS, rng)[1], rng)
        ours.append(any(f.grade in ("warn", "block") for f in whole_look(data, Options(seed=i)).findings))
        theirs.append(other.ask(data, "any", (), new_rows(data, "any", i)))
    return {"twins": reps, "gnomon": share(ours), "checks": told(theirs)}


# ---- the table -----------------------------------------------------------------------------------------------------
def found(row: dict[str, Any], tool: str, outside: bool) -> np.ndarray:
    """bool per planting: a condition failed (and named the column)."""
    ones = [c["named" if row["columns"] else "failed"] for n, c in row["checks"][tool].items() if outside or n not in OUTSIDE]
    return np.any(np.array(ones, dtype=bool), axis=0) if ones else np.zeros(row["plantings"], dtype=bool)


def at_five_percent(row: dict[str, Any], tool: str, clean: list[dict[str, Any]]) -> float:
    """The share found by the best check whose threshold fires on at most 5 % of the clean twins."""
    best = 0.0
    for name, one in row["checks"][tool].items():
        known = np.concatenate([c["checks"][tool].get(name, {"size": []})["size"] for c in clean])
        if len(known):
            limit = np.quantile(known, 0.95, method="higher")
            best = max(best, float((np.array(one["size"]) > limit).mean()))
    return best


def lines(rows: list[dict[str, Any]]) -> Iterable[str]:
    clean = [r for r in rows if r["fault"] == "clean"]
    yield f"{'fault':20s}{'strength':>9s}{'sets':>5s}{'gnomon':>8s}{'deepchecks':>12s}{'+outside':>10s}{'at 5 %':>8s}" \
          f"{'evidently':>11s}{'at 5 %':>8s}"
    for r in (r for r in rows if r["fault"] != "clean"):
        told = [found(r, TOOLS[0], False).mean(), found(r, TOOLS[0], True).mean(), at_five_percent(r, TOOLS[0], clean),
                found(r, TOOLS[1], False).mean(), at_five_percent(r, TOOLS[1], clean)]
        yield f"{r['fault']:20s}{r['strength']!s:>9s}{len(r['sets']):5d}{r['gnomon']:8.2f}" + "".join(
            f"{v:{w}.2f}" for v, w in zip(told, (12, 10, 8, 11, 8), strict=True))
    for r in clean:
        yield f"clean, {r['strength']}, {r['twins']} twins with an alarm: gnomon {r['gnomon']:.2f}"
        for tool in TOOLS:
            ones = {n: np.array(c["failed"], dtype=bool) for n, c in r["checks"][tool].items() if n not in OUTSIDE}
            often = {n: round(float(v.mean()), 2) for n, v in ones.items() if v.any()}
            yield f"  {tool} {np.any(list(ones.values()), axis=0).mean():.2f}, by check {often}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reps", type=int, default=40)
    parser.add_argument("--twins", type=int, default=20)
    parser.add_argument("--only", default="")
    parser.add_argument("--table", action="store_true", help="print what is there, run nothing")
    args = parser.parse_args()
    if not args.table:
        other = Other()
        for key, do in jobs(other, args):
            if re.search(args.only, f"{key['fault']} {key['strength']}"):
                row = measured(NAME, key, do)
                print(row["fault"], row["strength"], "gnomon", row["gnomon"], f"{row['took_s']:.0f} s", flush=True)
    print("\n".join(lines(load(NAME)["rows"])))


def jobs(other: Other, args: argparse.Namespace) -> Iterable[tuple[dict[str, Any], Any]]:
    for twin in TWINS:
        yield {"fault": "clean", "strength": twin, "reps": args.twins}, lambda t=twin: twins(other, t, args.twins)
    for fault in FAULTS:
        if fault.name in GROUPS and "table" in fault.sets:
            for strength in fault.strengths:
                yield ({"fault": fault.name, "strength": strength, "reps": args.reps, "sets": list(fault.sets["table"])},
                       lambda f=fault, s=strength: planted(other, f, s, args.reps))


if __name__ == "__main__":
    main()
