"""Rows of another source: the external test set that judges (`--test`) and rows without a target (`--unlabelled`).

The split, the target's look and every choice rest on the training source alone, so that a study to which a test set is
added later reuses all it has learned. Here the rows of the other sources are put behind the training rows, the external
ones are sealed, and what they share with the training rows is found: copies, and units such as patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import found, join, many
from gnomon.analyses.explore._look import without_targets
from gnomon.data.parts import Parts
from gnomon.data.policy import Policy
from gnomon.data.read.beside import behind, blank_targets, read_beside, source_name, target_known
from gnomon.data.split import join_units, own_codes
from gnomon.data.table import Data, codes, missing
from gnomon.errors import InputError
from gnomon.values import Check, Finding
from gnomon.workflow.options import Options

TEST_SOURCE, READING = "training rows against the test set", "reading another source"  # where its findings come from
COPY_CODES = {"duplicates": "LOOK-DUPLICATE", "near-duplicates": "LOOK-NEAR-DUPLICATE"}


@dataclass(frozen=True)
class Outside:
    """Data of the other sources in the form of the training rows, and what reading them found."""

    test: Data | None = None
    unlabelled: Data | None = None
    findings: tuple[Finding, ...] = ()

    def __bool__(self) -> bool:
        return self.test is not None or self.unlabelled is not None


@dataclass(frozen=True)
class Adjoined:
    """All rows in one Data, the parts over them, and what the sources have in common.

    copies: test rows (of `data`) whose input, or nearly, stands among the training rows.
    """

    data: Data
    parts: Parts
    labels: np.ndarray | None
    findings: tuple[Finding, ...] = ()
    checks: tuple[Check, ...] = ()
    copies: np.ndarray | None = None


def named(source: Any) -> bool:
    """Whether a source was given: paths, or a table."""
    return source is not None and (not isinstance(source, (tuple, list, str)) or len(source) > 0)


def outside_stage(data: Data, options: Options, cache: Path | None) -> Outside:
    """Read `--test` and `--unlabelled`; a test set without any known target is refused."""
    test = unlabelled = None
    findings: list[Finding] = []
    if named(options.test):
        test, told = read_beside(data, options.test, "--test", cache=cache and cache / "test", seed=options.seed)
        findings += told
        _must_judge(data, test, told)
    if named(options.unlabelled):
        unlabelled, told = read_beside(data, options.unlabelled, "--unlabelled", cache=cache and cache / "unlabelled",
                                       seed=options.seed)
        findings += [f for f in told if not any(f"'{t}' is missing" in f.claim for t in data.targets)]
        known = len(target_known(unlabelled))
        if known:
            findings.append(found(unlabelled, "LOOK-KIND", "note", f"{source_name(unlabelled)} (--unlabelled) holds the "
                                  f"target in {many(known, 'row')}: it is not used", columns=data.targets))
        unlabelled = blank_targets(unlabelled)
    return Outside(test, unlabelled, tuple(findings))


def _must_judge(data: Data, test: Data, told: list[Finding]) -> None:
    if len(target_known(test)):
        return
    which = join(data.targets)
    spare = next((f.claim.rpartition("does not know them: ")[2] for f in told if "does not know them" in f.claim), "")
    hint = f" (is it one of {spare}?)" if spare else ""
    raise InputError("E-TEST-TARGET", f"--test {source_name(test)} has no value of the target {which} that training knows, so "
                     "it cannot judge", do=f"give its target column the name {which}{hint}; rows without one: --unlabelled")


def adjoin(data: Data, parts: Parts, labels: np.ndarray | None, policy: Policy, outside: Outside,
           seed: int) -> Adjoined:
    """The outside rows behind the training rows: test rows sealed, rows without target listed, copies found.

    data, parts, labels: of the training source.
    """
    n = len(data)
    others = [d for d in (outside.test, outside.unlabelled) if d is not None]
    whole = behind(data, others)
    m = len(outside.test) if outside.test is not None else 0
    test, rest = np.arange(n, n + m), np.arange(n + m, len(whole))
    ties, checks = _ties(whole, n, m, policy, seed)
    units = _units(parts.units, whole, policy, ties, n)
    findings: list[Finding] = [*whole.findings[len(data.findings):], *outside.findings]
    copies = None
    unlabelled = np.concatenate([parts.unlabelled, rest])
    if m:
        sealed = test[target_known(whole.take(test))]
        copies, told = _copies(whole, sealed, n, ties)
        findings += told + _shared(whole, parts, policy, sealed, n, ties)
        seen_twice = np.intersect1d(unlabelled, _alike(ties, unlabelled, sealed))
        if len(seen_twice):
            findings.append(found(whole, "LOOK-DUPLICATE", "note", f"{many(len(seen_twice), 'row')} without target repeat a "
                                  "test row's inputs and are set aside: the test stays unseen", rows=seen_twice))
            unlabelled = np.setdiff1d(unlabelled, seen_twice)
        parts = replace(parts, **_judged_by(outside.test, parts, sealed))
    if labels is not None:
        labels = np.concatenate([labels, np.full(len(whole) - n, -1, dtype=labels.dtype)])
    return Adjoined(replace(whole, findings=data.findings), replace(parts, units=units, unlabelled=unlabelled), labels,
                    tuple(findings), checks, copies)


def _judged_by(test: Data | None, parts: Parts, sealed: np.ndarray) -> dict[str, Any]:
    """What the report says of a study that another source judges (EVIDENCE 5)."""
    name = source_name(test)  # type: ignore[arg-type]
    unit = "" if parts.unit == "row" else f" (unit: {parts.unit})"
    return {
        "test": sealed, "policy": "external", "folds_by": parts.fold_policy, "estimator": "holdout",
        "test_hash": test.hash,  # type: ignore[union-attr]
        "one_only": "",  # the other source judges
        "because": f"{name} was named as the test set (--test); folds within the training rows follow {parts.policy}: "
                   f"{parts.because}",
        "scope": f"the rows of {name}: data from another source than the training rows; a third source: not tested",
        "assumes": f"each row of {name}{unit} is an independent specimen, measured as the training rows were, and its targets "
                   "shaped neither the training data nor any choice made on them",
    }


def _ties(whole: Data, n: int, m: int, policy: Policy, seed: int) -> tuple[dict[str, Any], tuple[Check, ...]]:
    """Groupings over all rows: copies, near-copies and, where the policy asks, scaffolds or families. The outside rows
    come first, for checks that look at a first part of large data only."""
    from gnomon.analyses.explore._look import check
    from gnomon.workflow.look import LOOK_SECONDS

    order = np.concatenate([np.arange(n, len(whole)), np.arange(n)])
    place = np.argsort(order)
    blind = without_targets(whole.take(order))
    ties: dict[str, Any] = {}
    checks: list[Check] = []
    for key in ("duplicates", "near_duplicates", *(("scaffolds",) if policy.name == "scaffold" else ())):
        looked = check(key)(blind, seed=seed, seconds=LOOK_SECONDS)
        checks += [replace(c, code=c.code) for c in looked.checks if key != "scaffolds"]
        for name, grouping in looked.groups.items():
            ties[name] = replace(grouping, codes=grouping.codes[place])
        ties |= {f"grade {f.code}": "warn" if f.values.get("unexpected") else f.grade for f in looked.findings}
    said = "between the training rows and " + ("the test rows" if m else "the rows without target")
    return ties, tuple(replace(c, smallest_effect_it_would_find=f"{c.smallest_effect_it_would_find}, {said}")
                       for c in checks if c.ran)


def _units(own: np.ndarray, whole: Data, policy: Policy, ties: Mapping[str, Any], n: int) -> np.ndarray:
    """Units of the training rows as they were. Of the others: rows tied by a copy or by the policy's own column, under the
    training unit's number where the tie leads there."""
    each = [ties[k].codes for k in COPY_CODES if k in ties]
    if policy.name not in ("column", "rows", "time"):
        each += own_codes(whole, policy, {k: g for k, g in ties.items() if hasattr(g, "codes")}, strict=False)
    joint = join_units(np.arange(len(whole)), *each)
    known, first = np.unique(joint[:n], return_index=True)
    place = np.minimum(np.searchsorted(known, joint[n:]), len(known) - 1)
    inside = known[place] == joint[n:]
    return np.concatenate([own, np.where(inside, own[first[place]], joint[n:] + int(own.max(initial=-1)) + 1)])


def _alike(ties: Mapping[str, Any], rows: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Those of `rows` that are copies, or nearly, of one of `others`."""
    hit = [rows[np.isin(ties[k].codes[rows], ties[k].codes[others])] for k in COPY_CODES if k in ties]
    return np.unique(np.concatenate(hit)) if hit else np.empty(0, dtype=np.int64)


def _copies(whole: Data, sealed: np.ndarray, n: int, ties: Mapping[str, Any]) -> tuple[np.ndarray, list[Finding]]:
    """Test rows that stand in training too, exactly or nearly; one finding each, the test rows first, then their twins."""
    training = np.arange(n)
    seen, out = np.empty(0, dtype=np.int64), []
    for key, code in COPY_CODES.items():
        if key not in ties:
            continue
        group = ties[key].codes
        mine = np.setdiff1d(sealed[np.isin(group[sealed], group[training])], seen)
        if not len(mine):
            continue
        twins = training[np.isin(group[training], group[mine])]
        nearly = "are almost copies of" if key == "near-duplicates" else "are copies of"
        claim = (f"{len(mine):,} of {many(len(sealed), 'test row')} {nearly} training rows ({ties[key].because}): the report "
                 "gives the score without them beside the one on all rows")
        grade = "note" if ties.get(f"grade {code}") == "note" and code == "LOOK-DUPLICATE" else "warn"
        out.append(found(whole, code, grade, claim, rows=[*mine, *twins], source=TEST_SOURCE,
                         values={"test_rows": len(mine), "training_rows": len(twins),
                                 "share_of_test": len(mine) / len(sealed)}))
        seen = np.union1d(seen, mine)
    return seen, out


def _shared(whole: Data, parts: Parts, policy: Policy, sealed: np.ndarray, n: int, ties: Mapping[str, Any]) -> list[Finding]:
    """Units that stand on both sides: the same patient, plate or scaffold. And unit columns that the test set lacks."""
    out = []
    for name in whole.named("group"):
        column = whole.columns[name]
        if missing(column, sealed).all():
            if name == parts.unit:
                out.append(found(whole, "LOOK-GROUP", "warn", f"the test set does not have '{name}': each of its rows counts "
                                 "as independent, and intervals are too short if several belong together", columns=(name,),
                                 source=TEST_SOURCE))
            continue
        group = codes(column)
        hit = sealed[np.isin(group[sealed], group[:n]) & (group[sealed] >= 0)]
        if len(hit):
            count = len(np.unique(group[hit]))
            out.append(found(whole, "LOOK-GROUP", "warn" if name == parts.unit else "note",
                             f"{many(len(hit), 'test row')} have a '{name}' that is in training too ({count} of them): for "
                             f"those the score is not one for new '{name}'", rows=hit, columns=(name,), source=TEST_SOURCE))
    if policy.name == "scaffold" and "scaffold" in ties:
        group = ties["scaffold"].codes
        share = float(np.isin(group[sealed], group[:n]).mean())
        out.append(found(whole, "LOOK-GROUP", "note", f"{share:.0%} of the test molecules have a scaffold that is in training "
                         "too: for those the score is not one for new chemical series", values={"share": share},
                         source=TEST_SOURCE))
    return out
