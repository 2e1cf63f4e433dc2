"""The target itself: uneven classes, few units, bounds, other scales, far values."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import Aim, aim_of, group_of
from gnomon.analyses.explore._kit import Grouping, Looked, found, many, not_run, ran
from gnomon.analyses.explore.censored import piled
from gnomon.analyses.explore.groups import named_rows
from gnomon.analyses.explore.mixed_units import TwoScales, two_scales
from gnomon.analyses.explore.outliers import beyond
from gnomon.card import Card
from gnomon.data.table import Data
from gnomon.values import Finding

CARD = Card(
    name="Shape of the target",
    gist="Class balance, number of independent units, spikes at a bound, two scales and far values in the target.",
    use_when="Always, with a target: it sets the metric, the split and what can be claimed at all.",
    avoid_when="The target is an image, a text or a mask; only its presence is counted then.",
    paper="He & Garcia 2009, Learning from imbalanced data, IEEE TKDE 21(9):1263-1284",
    survey=("P1",),
    needs=("labels",),
    cost="seconds",
)
SMALL, PILOT = 1000, 50  # units below which cross-validation replaces a sealed part; below which it is a pilot
FEW_OF_A_CLASS = 10  # rows of a class below which it is a pilot as well


def target_shape(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
                 seconds: float = 15.0) -> Looked:
    """LOOK-IMBALANCE, LOOK-SMALL, LOOK-CENSORED, and LOOK-UNITS and LOOK-OUTLIER on the target."""
    aim = aim_of(data, target, rows)
    if aim is None:
        return Looked(checks=(not_run("LOOK-IMBALANCE", "the target is neither a number nor a category"),))
    findings, facts = _small(data, aim, groups)
    checks = [ran("LOOK-SMALL", f"{SMALL:,} units")]
    if aim.classes:
        more, balance = _imbalance(data, aim)
        return Looked((*findings, *more), (*checks, ran("LOOK-IMBALANCE", "a class three times as large as another")),
                      facts={**facts, **balance})
    checks += [ran("LOOK-CENSORED", "3 % of values at the largest or smallest"),
               ran("LOOK-OUTLIER", "one target beyond its own tail"), ran("LOOK-UNITS", "1 % in another unit")]
    return Looked((*findings, *_bounds(data, aim), *_scales(data, aim), *_far(data, aim)), tuple(checks), facts=facts)


def _small(data: Data, aim: Aim, groups: Mapping[str, Grouping]) -> tuple[list, dict]:
    named = group_of(groups)
    inside = aim.rows if named is None else named_rows(data, named[0], aim.rows)
    if named is None or 2 * len(inside) < len(aim):  # where most rows name no unit, rows are the units
        units, what = len(aim), "rows"
    else:
        unnamed = len(aim) - len(inside)  # each is a unit of its own, as it is to the split and the verdict
        units = len(np.unique(named[1].codes[inside])) + unnamed
        what = f"units ('{named[0]}'" + (f"; {many(unnamed, 'row')} without one" if unnamed else "") + ")"
    counts = np.bincount(aim.values) if aim.classes else None
    fewest = None if counts is None else int(counts.min())
    facts = {"training_units": units} | ({} if fewest is None else {"fewest_of_a_class": fewest})
    if units < PILOT or (fewest is not None and fewest < FEW_OF_A_CLASS):
        claim = f"'{aim.name}' has only {units:,} {what}" if units < PILOT or counts is None else _rare(aim, counts)
        claim += " to learn from: a pilot, nothing can be claimed as better"
        return [_note(data, "LOOK-SMALL", "warn", claim, aim, facts)], facts
    if units < SMALL:
        claim = f"'{aim.name}' has {units:,} {what} to learn from: intervals will be wide"
        return [_note(data, "LOOK-SMALL", "note", claim, aim, facts)], facts
    return [], facts


def _rare(aim: Aim, counts: np.ndarray) -> str:
    """The rarest class by name, and how many others are hardly commoner."""
    rarest, others = aim.classes[int(counts.argmin())], int((counts < FEW_OF_A_CLASS).sum()) - 1
    also = f" (and {many(others, 'other')} under {FEW_OF_A_CLASS})" if others else ""
    return f"class '{rarest}' of '{aim.name}' has {many(int(counts.min()), 'row')}{also}"


def _note(data: Data, code: str, grade: str, claim: str, aim: Aim, facts: dict) -> Finding:
    return found(data, code, grade, claim, columns=(aim.name,), values=facts, source="target_shape")


def _imbalance(data: Data, aim: Aim) -> tuple[list, dict]:
    counts = np.bincount(aim.values, minlength=len(aim.classes))
    ratio = float(counts.max() / max(counts.min(), 1))
    facts = {"classes": len(aim.classes), "imbalance": ratio, "majority": float(counts.max() / counts.sum())}
    if ratio < 3:
        return [], facts
    grade = "warn" if ratio > 20 else "note"
    claim = f"The largest class of '{aim.name}' is {ratio:.0f} times the smallest: accuracy alone would flatter"
    return [_note(data, "LOOK-IMBALANCE", grade, claim, aim, facts)], facts


def _bounds(data: Data, aim: Aim) -> list:
    """Spikes at the largest or smallest value of a continuous target, or a column read as censored."""
    out = []
    if data.columns[aim.name].spec.detail == "censored":
        out.append(found(data, "LOOK-CENSORED", "note", f"'{aim.name}' holds bounds such as 'greater than', not values",
                         columns=(aim.name,), source="reading"))
    for word, at in piled(aim.values):
        claim = f"{at.mean():.0%} of '{aim.name}' lie exactly at the {word} value: perhaps a limit of measurement"
        out.append(found(data, "LOOK-CENSORED", "note", claim, rows=aim.rows[at], columns=(aim.name,),
                         values={"share": float(at.mean()), "end": word}, source="target_shape"))
    return out


def _scales(data: Data, aim: Aim) -> list:
    """The target in two units; a negative logarithm of a concentration (pIC50) mixed with plain nanomolar values."""
    hit = two_scales(aim.values)
    if hit is None and re.search(r"\bp_?(ic50|ec50|ki|kd|xc50|chembl|act)", aim.name, re.IGNORECASE):
        far = aim.values > 15
        what = "negative logarithms and plain concentrations"
        hit = TwoScales(what, np.flatnonzero(far), 0.0) if 0 < far.mean() < 0.5 else None
    if hit is None:
        return []
    claim = f"The target '{aim.name}' may hold two units ({hit.what}) in one column"
    return [found(data, "LOOK-UNITS", "warn", claim, rows=aim.rows[hit.rows], columns=(aim.name,),
                  values={"rows": len(hit.rows)}, source="target_shape")]


def _far(data: Data, aim: Aim) -> list:
    plain, sure = beyond(aim.values, 0.01)
    hit, grade = plain, "warn" if sure.any() and plain.mean() <= 0.02 else "note"
    if not hit.any():
        return []
    lie = "lies" if hit.sum() == 1 else "lie"
    claim = f"{many(int(hit.sum()), 'value')} of the target '{aim.name}' {lie} far outside the family"
    return [found(data, "LOOK-OUTLIER", grade, claim, rows=aim.rows[hit], columns=(aim.name,),
                  values={"rows": int(hit.sum())}, source="target_shape")]
