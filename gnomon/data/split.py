"""Which rows train, choose and judge: honest splits, inferred from the structure of the data or stated by the user.

Rows that belong together (a patient, a plate, a scaffold, copies of one specimen) form a *unit*; no unit is ever on
two sides. Sealed rows follow from the data's hash and the policy alone, never from the seed (EVIDENCE 3).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from gnomon.data._times import time_cuts, time_places
from gnomon.data.parts import Fold, Parts
from gnomon.data.policy import Policy, Tied, scope_words, within_one
from gnomon.data.table import Data, strings
from gnomon.errors import InputError
from gnomon.rng import stream

CROSS_VALIDATE_BELOW = 1000  # units: no sealed part below this (EVIDENCE 7)
HOLDOUT_FROM = 4000  # units: one validation part instead of folds from this on
HOLDOUT_COSTLY = 1000  # the same for images, where training every model five times is dear
PILOT_BELOW = 50  # units: leave one unit out, no claims of superiority
FOLDS = 5
TRAIN_WORDS, TEST_WORDS = ("train", "training", "0", "learn"), ("test", "testing", "holdout", "2")
VALID_WORDS = ("valid", "validation", "val", "dev", "1")
NUMBERED = re.compile(r"(?<=[a-z])[ _-]?\d+$")  # train0, train_1: folds of training
NAMED_FOLDS = 20  # of those at most


def join_units(*codes: np.ndarray) -> np.ndarray:
    """Rows that share any code (-1 = none) end up in one unit: connected components, int64 (n,)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(codes[0])
    rows, keys, start = [], [], n
    for code in codes:
        known = np.flatnonzero(code >= 0)
        rows.append(known)
        keys.append(start + code[known])
        start += int(code.max(initial=-1)) + 1
    row, key = np.concatenate(rows), np.concatenate(keys)
    graph = coo_array((np.ones(len(row), dtype=bool), (row, key)), shape=(start, start))
    labels = connected_components(graph, directed=False)[1][:n]
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)


def split_rows(data: Data, policy: Policy, groups: Mapping[str, Tied], labels: np.ndarray | None,
               usable: np.ndarray, *, seed: int = 0, repeats: int = 1, seal: bool = True) -> Parts:
    """The parts of `data` under `policy`.

    groups: name -> Grouping (codes (n,), kind, because) as looking found them; duplicates always stay together.
    labels: class codes (n,) to balance parts by, or None. usable: rows with a target, sorted.
    seal: keep a part of many rows for the end; False where rows of another source judge.
    """
    parts = _split(data, policy, groups, labels, usable, seed, repeats, seal)
    return replace(parts, unlabelled=np.setdiff1d(np.arange(len(data)), usable))


def _split(data: Data, policy: Policy, groups: Mapping[str, Tied], labels: np.ndarray | None, usable: np.ndarray,
           seed: int, repeats: int, seal: bool) -> Parts:
    ties = [g.codes for g in groups.values() if g.kind == "duplicate"]
    if policy.name in ("column", "rows"):
        return _given(data, policy, ties, labels, usable, seed, seal)
    unit = {"group": policy.column, "cold": policy.column, "scaffold": "scaffold", "cluster": "cluster"}.get(policy.name, "row")
    own = own_codes(data, policy, groups)
    units = join_units(np.arange(len(data)), *ties, *own)
    if policy.name == "time":
        return _by_time(data, policy, units, usable, seal)
    count, crossed = len(np.unique(units[usable])), False
    if count < 2 and own and ties:  # every unit holds the same inputs (workers, the same questions): copies cannot be tied too
        units = join_units(np.arange(len(data)), *own)
        count = len(np.unique(units[usable]))
        crossed = count > 1
    if count < 2 and own:
        inside = within_one(policy, unit, classes=labels is not None)
        parts = _split(data, inside, groups, labels, usable, seed, repeats, seal)
        return replace(parts, one_only=unit, scope=f"other rows of the same {unit}; another {unit}: not tested",
                       assumes=f"rows of one {unit} are independent of each other; nothing in the file can tell")
    if count < 2:
        raise InputError("E-SPLIT-ONE-UNIT", "every row is a copy of every other: none is left to judge by",
                         do="add data whose inputs differ, or leave out the columns that make the rows alike")
    rng = stream(data.hash, "sealed", str(policy))
    sealed = np.array([], dtype=np.int64)
    if seal and count >= CROSS_VALIDATE_BELOW:
        share = max(0.1, min(0.2, 150 / count))
        sealed = _pick(units, usable, labels, share, rng, large_to_train=policy.name in ("scaffold", "cluster"))
    develop = np.setdiff1d(usable, sealed)
    folds = _folds(data, units, develop, labels, policy, seed, repeats)
    scope, assumes = scope_words(policy, unit)
    if crossed:
        assumes = f"rows with equal inputs in different {unit}s do not tell each other's answer: they stand on both sides"
    return Parts(folds, sealed, units, unit, str(policy), policy.because, scope, assumes,
                 "holdout" if len(sealed) else "repeated_cv")


def own_codes(data: Data, policy: Policy, groups: Mapping[str, Tied], *, strict: bool = True) -> list[np.ndarray]:
    """The codes a policy ties rows by. strict: a column that is nowhere is an error, else nothing ties."""
    from gnomon.data.table import codes

    if policy.name in ("group", "cold"):
        found = groups.get(policy.column)
        if policy.column in data.columns:
            return [codes(data.columns[policy.column])]
        if found is None and strict:
            raise InputError("E-SPLIT-COLUMN", f"the split policy names the column '{policy.column}', which is absent",
                             do=f"columns: {', '.join(list(data.columns)[:12])}")
        return [] if found is None else [found.codes]
    if policy.name in ("scaffold", "cluster"):
        return [g.codes for g in groups.values() if g.kind == policy.name]
    return []


def _pick(units: np.ndarray, rows: np.ndarray, labels: np.ndarray | None, share: float, rng: np.random.Generator,
          *, large_to_train: bool = False) -> np.ndarray:
    """About `share` of `rows`, whole units, classes in proportion; large families stay in training when asked."""
    count = max(2, round(1 / share))
    return rows[_deal(units, rows, labels, count, rng, large_last=large_to_train) == 0]


def _deal(units: np.ndarray, rows: np.ndarray, labels: np.ndarray | None, count: int, rng: np.random.Generator,
          *, large_last: bool = False) -> np.ndarray:
    """Deal `rows` into `count` parts of like size, whole units at a time: part of each row (len(rows),).

    Single-row units are dealt class by class in a random order. Larger ones go, largest first, to the part that is
    emptiest in the classes they bring; with `large_last`, units larger than half a part never go to part 0.
    """
    unit, sizes = np.unique(units[rows], return_inverse=True, return_counts=True)[1:]
    label = np.zeros(len(rows), dtype=np.int64) if labels is None else np.maximum(labels[rows], -1) + 1
    classes = int(label.max(initial=0)) + 1
    table = np.zeros((len(sizes), classes))
    np.add.at(table, (unit, label), 1)
    part = np.zeros(len(sizes), dtype=np.int64)
    filled = np.zeros((count, classes))
    order = rng.permutation(len(sizes))
    weight = 1 / np.maximum(table.sum(0), 1)  # rare classes weigh as much as common ones
    limit = len(rows) / count / 2
    for u in order[np.argsort(-sizes[order], kind="stable")]:
        if sizes[u] == 1:
            break
        load = (filled * table[u] * weight).sum(1) / table[u].sum() + filled.sum(1) / len(rows)
        if large_last and sizes[u] > limit:
            load[0] = np.inf
        part[u] = load.argmin()
        filled[part[u]] += table[u]
    single = order[sizes[order] == 1]
    own = table[single].argmax(1)
    for k in range(classes):
        mine = single[own == k]
        part[mine] = _top_up(filled[:, k] if classes > 1 else filled.sum(1), len(mine), rng)
    return part[unit]


def _top_up(filled: np.ndarray, more: int, rng: np.random.Generator) -> np.ndarray:
    """Which part each of `more` single rows joins so that all parts end level."""
    count = len(filled)
    goal = np.full(count, (filled.sum() + more) / count)
    room = np.maximum(goal - filled, 0)
    quota = np.floor(room * more / max(room.sum(), 1e-9)).astype(int)
    rest = rng.permutation(count)[: more - quota.sum()] if more > quota.sum() else np.array([], dtype=int)
    filled_parts = np.concatenate([np.repeat(np.arange(count), quota), rest])
    if len(filled_parts) < more:
        filled_parts = np.concatenate([filled_parts, rng.integers(0, count, more - len(filled_parts))])
    return rng.permutation(filled_parts)


def _folds(data: Data, units: np.ndarray, develop: np.ndarray, labels: np.ndarray | None, policy: Policy, seed: int,
           repeats: int) -> tuple[Fold, ...]:
    """One fold (holdout) for many units, else K folds times `repeats`."""
    count = len(np.unique(units[develop]))
    if count >= (HOLDOUT_COSTLY if data.of_kind("image") else HOLDOUT_FROM):
        share = max(0.1, min(0.2, 400 / count))
        valid = _pick(units, develop, labels, share, stream(seed, "valid", str(policy)))
        return (Fold(np.setdiff1d(develop, valid), valid),)
    k = count if count <= PILOT_BELOW else min(FOLDS, count)
    folds = []
    for repeat in range(1 if k == count else repeats):
        part = _deal(units, develop, labels, k, stream(seed, "folds", str(policy), repeat))
        folds += [Fold(develop[part != i], develop[part == i], repeat) for i in range(k) if (part == i).any()]
    return tuple(folds)


def _by_time(data: Data, policy: Policy, units: np.ndarray, usable: np.ndarray, seal: bool) -> Parts:
    """Past trains, future judges: the last part is sealed when there are enough rows, else rolling origins. Rows of one time
    are kept in one part; rows without a time train only, for nothing says that they are later than others."""
    column = data.columns.get(policy.column)
    if column is None or column.spec.kind not in ("date", "number") or column.spec.shape:
        raise InputError("E-SPLIT-TIME", f"'{policy.column}' cannot order the rows: it is not a date or a number",
                         do="name a date or number column: --split time:COLUMN")
    place = time_places(column, usable)
    if place.max(initial=-1) < 1:
        raise InputError("E-SPLIT-TIME", f"'{policy.column}' holds no two different times: no row is later than another",
                         do="name another column of times, or leave --time and --split out")
    order = np.argsort(place, kind="stable")[(place < 0).sum():]
    n, undated = len(order), usable[place < 0]
    last, edges = time_cuts(place[order], FOLDS if n < CROSS_VALIDATE_BELOW else 1, seal)
    order = usable[order]
    folds = tuple(Fold(np.concatenate([undated, order[:a]]), order[a:b]) for a, b in pairwise(edges))
    scope, assumes = scope_words(policy, "row")
    return Parts(folds, order[last:], units, "row", str(policy), policy.because, scope, assumes,
                 "holdout" if last < n else "repeated_cv")


def _given(data: Data, policy: Policy, ties: list[np.ndarray], labels: np.ndarray | None, usable: np.ndarray,
           seed: int, seal: bool) -> Parts:
    """Parts named by a column or by a JSON file {"train": [...], "valid": [...], "test": [...]}; rows named test neither
    train nor judge where another source is the test."""
    train, valid, test = _from_file(data, policy) if policy.name == "rows" else _from_column(data, policy)
    named = _numbered(data, policy, train) if policy.name == "column" and not len(valid) else {}
    train, valid, test = (np.intersect1d(rows, usable) for rows in (train, valid, test if seal else test[:0]))
    if not len(train):
        raise InputError("E-SPLIT-EMPTY", f"the split {policy} leaves no training row with a target",
                         do="check the values of the split column or file")
    units = join_units(np.arange(len(data)), *ties)
    inside = replace(policy, name="stratified" if labels is not None else "random")
    folds: tuple[Fold, ...] = tuple(Fold(np.setdiff1d(train, rows), rows) for part in named.values()
                                    if len(rows := np.intersect1d(part, train)))
    given = len(folds) > 1 or len(valid) > 0
    if len(folds) < 2:
        folds = (Fold(train, valid),) if len(valid) else _folds(data, units, train, labels, inside, seed, 1)
    scope, assumes = scope_words(policy, "row")
    return Parts(folds, test, units, "row", str(policy), policy.because, scope, assumes,
                 "holdout" if len(test) else "repeated_cv", folds_by="" if given else inside.name)


def _from_file(data: Data, policy: Policy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    path = Path(policy.column)
    try:
        parts = json.loads(path.read_text(encoding="utf-8"))
        lists = [np.asarray(parts.get(name, []), dtype=np.int64) for name in ("train", "valid", "test")]
    except (OSError, ValueError, AttributeError) as error:
        raise InputError("E-SPLIT-FILE", f"{path}: not a JSON file of row lists ({error})",
                         do='write {"train": [0, 1, ...], "valid": [...], "test": [...]}, rows counted from 0') from None
    seen = np.concatenate(lists)
    if len(np.unique(seen)) < len(seen):
        raise InputError("E-SPLIT-FILE", f"{path}: some row is in two parts", do="list each row once")
    place = {int(p): i for i, p in enumerate(data.position)}  # rows dropped at reading are simply absent
    found = [np.array([place[int(p)] for p in rows if int(p) in place], dtype=np.int64) for rows in lists]
    return found[0], found[1], found[2]


def _from_column(data: Data, policy: Policy) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if policy.column not in data.columns:
        raise InputError("E-SPLIT-COLUMN", f"the split column '{policy.column}' is absent",
                         do=f"columns: {', '.join(list(data.columns)[:12])}")
    words = np.array([NUMBERED.sub("", w) for w in _words(data, policy)])
    parts = [np.flatnonzero(np.isin(words, names)) for names in (TRAIN_WORDS, VALID_WORDS, TEST_WORDS)]
    if not len(parts[0]) or not (len(parts[2]) or len(parts[1])):
        shown = ", ".join(sorted(set(words))[:6])
        raise InputError("E-SPLIT-COLUMN", f"'{policy.column}' should say train, valid or test, it says {shown}",
                         do="rename the values, or pass --split group:... to keep its values apart")
    return parts[0], parts[1], parts[2]


def _words(data: Data, policy: Policy) -> np.ndarray:
    return np.array([str(v).strip().lower() for v in strings(data.columns[policy.column])])


def _numbered(data: Data, policy: Policy, train: np.ndarray) -> dict[str, np.ndarray]:
    """The rows of each of train0, train1 ...: folds that somebody fixed already; {} where training is one part."""
    words = _words(data, policy)[train]
    names = np.unique(words)
    if not 2 <= len(names) <= NAMED_FOLDS or not all(NUMBERED.search(w) for w in names):
        return {}
    return {str(name): train[words == name] for name in names}


def carve_stop(units: np.ndarray, rows: np.ndarray, labels: np.ndarray | None, seed: int, *names: object,
               share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Rows to fit on and rows, of other units, that decide when to stop: about `share` of `rows`."""
    if len(np.unique(units[rows])) < 2 / share:
        return rows, rows[:0]
    stop = _pick(units, rows, labels, share, stream(seed, "stop", *names))
    return np.setdiff1d(rows, stop), stop
