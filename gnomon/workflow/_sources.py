"""What is examined once rows of another source were scored: the score without copies, and how the sources differ."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import join
from gnomon.analyses.validate._shift_parts import moved_features, relation, target_moved
from gnomon.analyses.validate.interval import interval
from gnomon.analyses.validate.ood import Ood, ood_finding
from gnomon.analyses.validate.shift import TOO_FEW, shift, sources_finding
from gnomon.data.table import missing
from gnomon.rng import stream
from gnomon.values import Finding, finding
from gnomon.workflow._matrix import axes_pair
from gnomon.workflow.ledger import Ledger
from gnomon.workflow.run import Bench
from gnomon.workflow.verdict import Verdict, predict_rows

MOST_ROWS = 3000  # of a side compared
LEAST_NEW = 3  # test rows that are not in training too, below which nothing judges
SMALLEST = "an area of 0.6 for telling the sources apart"


def without_copies(bench: Bench, verdict: Verdict, copies: np.ndarray | None) -> Finding | None:
    """VALID-TEST-COPIES: the score on the test rows whose input is not in training, beside the one on all."""
    if copies is None or not len(copies):
        return None
    judged = verdict.shown
    keep = np.flatnonzero(~np.isin(verdict.rows, copies))
    stats = verdict.stats[judged.recipe.hash]
    whole = verdict.tests[judged.recipe.hash]
    head = (f"{len(verdict.rows) - len(keep):,} of {len(verdict.rows):,} test rows stand in training too, or nearly; on all "
            f"{judged.recipe.label} scores {whole.metric} {whole.value:.3g}")
    if len(keep) < LEAST_NEW:
        return finding("VALID-TEST-COPIES", "block", f"{head}: nothing new is left to judge by.", rows=[])
    alone = interval(bench.task, stats.take(keep), bench.parts.units[verdict.rows][keep], unit=bench.parts.unit,
                     seed=bench.seed)
    limits = f" [{alone.low:.3g}, {alone.high:.3g}]" if alone.low is not None else ""
    sign = 1 if bench.task.metric.higher_is_better else -1
    outside = alone.low is not None and not alone.low <= whole.value <= alone.high
    grade = "warn" if outside and sign * (whole.value - alone.value) > 0 else "note"
    return finding("VALID-TEST-COPIES", grade, f"{head}, without them {alone.value:.3g}{limits} ({alone.n_rows:,} rows).",
                   rows=bench.data.position[copies],
                   values={"all": whole.value, "without_copies": alone.value, "low": alone.low, "high": alone.high,
                           "level": alone.level, "n_rows": alone.n_rows, "n_units": alone.n_units, "copies": len(copies)})


def changed_test(bench: Bench) -> Finding | None:
    """VALID-TEST-CHANGED: this study scored another external test set before."""
    if not bench.parts.test_hash:
        return None
    past = {e["data"] for e in Ledger(bench.folder / "ledger.jsonl").openings() if e.get("split") == "external"}
    others = past - {bench.parts.test_hash}
    if not others:
        return None
    count = "once" if len(others) == 1 else f"{len(others)} times"
    return finding("VALID-TEST-CHANGED", "warn", "This study was judged before on an external test set of other content "
                   f"({count}): if rows were changed or left out after their score was seen, it is no score of new data.",
                   values={"test_sets_before": len(others)})


def other_sources(bench: Bench, notes: Any, view: Any, rows: np.ndarray, x: np.ndarray, verdict: Verdict) -> None:
    """VALID-SHIFT for the external test set, with its targets, and for the rows without target, without."""
    if bench.parts.test_hash:
        notes.add(_told(bench, notes, view, bench.parts.test, lambda: _test_shift(bench, view, rows, x, verdict)))
    extra = bench.parts.unlabelled
    if len(extra) >= 20:
        notes.add(_told(bench, notes, view, extra, lambda: _inputs_shift(bench, view, rows, x, extra)))


def _told(bench: Bench, notes: Any, view: Any, others: np.ndarray, do: Callable[[], Finding | None]) -> Finding | None:
    """The finding of the check, which names the columns that it could not compare."""
    gone = _absent(bench, view, _sampled(others, bench.seed))
    return notes.run("VALID-SHIFT", SMALLEST + (f"; not compared: {join(gone)}, which the other source lacks" if gone else ""),
                     do, TOO_FEW)


def _sampled(rows: np.ndarray, seed: int) -> np.ndarray:
    return np.sort(stream(seed, "other source").permutation(rows)[:MOST_ROWS])


def _compared(bench: Bench, view: Any, rows: np.ndarray, x: np.ndarray, others: np.ndarray
              ) -> tuple[Any, Any, Any, tuple[str, ...]]:
    """(shift, moved features, both sides on common axes, columns that the other source lacks): what it lacks altogether is
    no shift, and is left out of all of them."""
    gone = _absent(bench, view, others)
    kept = [j for j, s in enumerate(view.source) if s not in gone]
    x, z = x[:, kept], np.asarray(view.transform(bench.data, others), dtype=np.float32)[:, kept]
    units = bench.parts.units
    counts = (len(np.unique(units[rows])), len(np.unique(units[others])))
    if not kept:
        return None, [], (x, z), gone
    sides = axes_pair(x, z, bench.seed)
    found = shift(*sides, units[rows], units[others], shared=True, seed=bench.seed)
    names = [n if n == s else f"{s}: {n}" for n, s in zip(view.names, view.source, strict=True)]
    return found, moved_features(x, z, [names[j] for j in kept], counts), sides, gone


def _absent(bench: Bench, view: Any, rows: np.ndarray) -> tuple[str, ...]:
    """Columns that the other source lacks altogether, which was said when it was read."""
    there = [s for s in dict.fromkeys(view.source) if s in bench.data.columns]
    columns = {s: bench.data.columns[s] for s in there}
    return tuple(s for s, c in columns.items() if c.spec.kind != "image" and missing(c, rows).all())


def unlike_rows(bench: Bench, view: Any, rule: Ood) -> Finding | None:
    """VALID-OOD of the external test set: more of its rows than usual are unlike anything trained on."""
    rows = bench.parts.test
    test = _sampled(rows, bench.seed)
    flagged = rule.flag(np.asarray(view.transform(bench.data, test), dtype=np.float32))
    what = "test rows" if len(test) == len(rows) else f"test rows drawn from {len(rows):,}"
    return ood_finding(flagged, rule, bench.parts.units[test], bench.data.position[test], what=what,
                       lacking=_absent(bench, view, test))


def _inputs_shift(bench: Bench, view: Any, rows: np.ndarray, x: np.ndarray, extra: np.ndarray) -> Finding | None:
    found, moved, _, gone = _compared(bench, view, rows, x, _sampled(extra, bench.seed))
    return sources_finding(found, moved, None, None, what="rows without target", lacking=gone)


def _test_shift(bench: Bench, view: Any, rows: np.ndarray, x: np.ndarray, verdict: Verdict) -> Finding | None:
    """Errors out of fold in training against errors on the test rows, by the model that is judged. The relation is tested
    on test rows of new units only: those of units met in training are easier, whatever they mean; and not where inputs are
    lacking, without which the model errs more, whatever the rest means."""
    judged = verdict.shown
    scored = judged.members[0][1].rows
    place = np.searchsorted(scored, rows)
    mine = np.flatnonzero((place < len(scored)) & (scored[np.minimum(place, len(scored) - 1)] == rows))
    test = _sampled(bench.parts.test, bench.seed)
    found, moved, sides, gone = _compared(bench, view, rows, x, test)
    truths = bench.task.truth(bench.data, rows[mine]), bench.task.truth(bench.data, test)
    predictions = judged.oof.take(place[mine]), predict_rows(bench, judged, test)
    units, several = bench.parts.units, bench.task.name == "several"
    target = target_moved(bench.task, *truths, predictions, (units[rows[mine]], units[test]))
    if gone:
        return sources_finding(found, moved, replace(target, expected=None) if target else None, None, several=several,
                               lacking=gone)
    new = np.flatnonzero(~np.isin(units[test], units[bench.parts.develop]))
    same = relation(bench.task, (sides[0][mine], sides[1][new]), (truths[0], truths[1][new]),
                    (predictions[0], predictions[1].take(new)), (units[rows[mine]], units[test[new]]), seed=bench.seed)
    return sources_finding(found, moved, target, same, several=several)
