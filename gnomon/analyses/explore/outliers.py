"""Values out of family."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, found, join, many, ran, sample, sampled_note
from gnomon.analyses.explore._tails import evened, limits
from gnomon.analyses.explore._views import thumbnails
from gnomon.analyses.explore.missing_values import missing_code
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Outliers against the column's own tail",
    gist="Extrapolates each column's tail from its body (exponential, or power law if heavy); lists what lies beyond.",
    use_when="Always: a slipped decimal point or a broken sensor bends means, scales and squared losses.",
    avoid_when="The rare values are the phenomenon; nothing is ever dropped for being listed.",
    paper="Hill 1975, Annals of Statistics 3(5):1163-1174; Grubbs 1969, Technometrics 11(1):1-21",
    survey=("P1",),
    cost="seconds",
)


def outliers(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Number columns with values beyond their extrapolated tail; images without content; odd lengths.

    `warn` when beyond twice the reach of the tail, else `note`. Over all columns fewer than 0.01 values are expected.
    """
    rows = sample(np.arange(len(data)), int(70000 * seconds), seed, "outliers")
    scalars = _scalars(data, rows)
    hits: dict[str, dict[str, np.ndarray]] = {"warn": {}, "note": {}}
    for name, values in scalars.items():
        plain, sure = beyond(values, 0.01 / len(scalars))
        if sure.any() and plain.mean() <= 0.02:
            hits["warn"][name] = rows[plain]
        elif plain.any():
            hits["note"][name] = rows[plain]
    findings = []
    for grade, columns in hits.items():
        if columns:
            listed = np.unique(np.concatenate(list(columns.values())))
            hold = "holds a value" if len(listed) == 1 else "hold values"
            claim = f"{many(len(listed), 'row')} {hold} far outside the family in {join(columns)}"
            findings.append(found(data, "LOOK-OUTLIER", grade, claim + sampled_note(len(rows), len(data)),
                                  rows=listed, columns=tuple(columns),
                                  values={n: len(r) for n, r in list(columns.items())[:50]}, source="outliers"))
    findings += _blank(data, rows, seconds)
    smallest = "one value beyond its column's tail, 0.01 expected over all columns (about 7 spreads, normal)"
    return Looked(tuple(findings), (ran("LOOK-OUTLIER", smallest + sampled_note(len(rows), len(data))),))


def beyond(values: np.ndarray, expected: float) -> tuple[np.ndarray, np.ndarray]:
    """(beyond the tail, beyond twice its reach), bool each. Skewed positive columns are read as logarithms."""
    none = np.zeros(len(values), dtype=bool)
    known = values[~np.isnan(values)]
    code = missing_code(known)
    known = known[known != code] if code is not None else known
    if len(known) < 100 or len(np.unique(known)) < 20:
        return none, none
    wrong_sign = values < -max(float(np.percentile(known, 80)), 0.0)
    if known.min() <= 0 and (known <= 0).mean() <= 0.01 and evened(known[known > 0])[1]:
        known = known[known > 0]  # a positive, skewed column with a few values of the wrong sign
    elif known.min() <= 0:
        wrong_sign = none
    known, logged = evened(known)
    with np.errstate(invalid="ignore", divide="ignore"):
        read = np.where(values > 0, np.log(values), np.nan) if logged else values
    low, high, low_sure, high_sure = limits(known, expected)
    skip = values == code if code is not None else none
    with np.errstate(invalid="ignore"):
        plain = ((read < low) | (read > high) | wrong_sign) & ~skip
        sure = ((read < low_sure) | (read > high_sure) | wrong_sign) & ~skip
    return plain, sure


def _scalars(data: Data, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Every scalar a row has: number columns (not blocks) and lengths of texts and sequences."""
    out = {n: data.columns[n].take(rows) for n in data.of_kind("number") if not data.columns[n].spec.shape}
    for name in data.of_kind("text", "sequence"):
        lengths = np.array([np.nan if v is None else float(len(v)) for v in data.columns[name].take(rows)])
        out[name] = lengths
    return out


def _blank(data: Data, rows: np.ndarray, seconds: float) -> list:
    """Images in which nothing can be seen."""
    out = []
    for name in data.of_kind("image"):
        few = rows[:int(650 * seconds)]
        pixels = thumbnails(data, name, few).reshape(len(few), -1)
        spread = pixels.std(axis=1)
        blank = few[spread < 0.02 * max(float(np.median(spread)), 1e-9)]
        if 0 < len(blank) <= 0.1 * len(few):
            out.append(found(data, "LOOK-OUTLIER", "warn", f"{many(len(blank), 'image')} in '{name}' of one colour",
                             rows=blank, columns=(name,), values={"blank": len(blank)}, source="outliers"))
    return out


