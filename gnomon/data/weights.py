"""Row weights: one reader for every model, and what is refused or told of them before anything is split."""

from __future__ import annotations

import numpy as np

from gnomon.data.table import Data
from gnomon.errors import InputError, TrainingError
from gnomon.values import Finding, finding

SHOWN = 5  # rows that an error names


def row_weights(data: Data, rows: np.ndarray) -> np.ndarray | None:
    """The product of the weight columns of these rows (n,), None where there is none. A row without a weight counts as the
    mean of those that have one."""
    names = data.named("weight")
    if not names:
        return None
    return np.prod([filled(data.columns[n].take(rows)) for n in names], axis=0)


def filled(weights: np.ndarray) -> np.ndarray:
    """Weights with the mean of the known ones where they are missing; negative ones, of new data say, count as 0."""
    weights = np.maximum(np.asarray(weights, dtype=np.float64), 0.0)
    known = weights[np.isfinite(weights)]
    return np.where(np.isfinite(weights), weights, known.mean() if len(known) else 1.0)


def too_few(target: str, known: int, weighing: int) -> TrainingError:
    """The error of a fit with fewer than two rows that have the target and weigh anything."""
    weight = "" if weighing == known else f", {weighing} of them with a weight above 0"
    return TrainingError("E-TRUTH-FEW", f"'{target}' is known in {known} training rows{weight}; at least 2 are needed",
                         do="drop this target, or give more labelled rows" + (" of some weight" if weight else ""))


def checked_weights(data: Data, usable: np.ndarray) -> list[Finding]:
    """LOOK-MISSING of rows that weigh nothing or have no weight. Refused by name: weights that are no numbers from 0 up, and
    those that leave no row with a target (`usable`) any weight."""
    out = []
    for name in data.named("weight"):
        column = data.columns[name]
        if column.spec.kind != "number" or column.spec.shape:
            raise _refused(name, f"is read as {column.spec.kind}, not as a number")
        weights = column.take(np.arange(len(data))).astype(np.float64)
        below = np.flatnonzero((weights < 0) | np.isinf(weights))
        if len(below):
            first = ", ".join(f"{data.position[i]} ({weights[i]:.3g})" for i in below[:SHOWN])
            raise _refused(name, f"is negative or endless in {len(below):,} of {len(data):,} rows (counted from 0): {first}"
                           + (" ..." if len(below) > SHOWN else ""))
        if len(usable) and not np.nan_to_num(weights[usable]).any():
            raise _refused(name, "is 0 or missing in every row with a target: nothing is left to learn from")
        told = _weightless(data, name, np.flatnonzero(weights == 0), np.flatnonzero(np.isnan(weights)))
        out += [told] if told else []
    return out


def _refused(name: str, why: str) -> InputError:
    return InputError("E-COLUMN-KIND", f"the weight column '{name}' {why}",
                      do=f"give weights from 0 up (a row of weight 0 is not learned from), or leave it out: --exclude {name}")


def _weightless(data: Data, name: str, zero: np.ndarray, gone: np.ndarray) -> Finding | None:
    if not len(zero) and not len(gone):
        return None
    weighs = "has weight 0 and is" if len(zero) == 1 else "have weight 0 and are"
    counts = "has none and counts" if len(gone) == 1 else "have none and count"
    parts = [f"{len(zero):,} {weighs} not learned from"] if len(zero) else []
    parts += [f"{len(gone):,} {counts} as the mean of the others"] if len(gone) else []
    return finding("LOOK-MISSING", "note", f"Of {len(data):,} rows, by '{name}': {'; '.join(parts)}.", columns=(name,),
                   rows=data.position[np.union1d(zero, gone)], values={"zero": len(zero), "missing": len(gone)},
                   source="weights")
