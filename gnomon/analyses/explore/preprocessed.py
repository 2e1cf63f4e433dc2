"""Signs that something was computed over all rows before the file was made."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, found, join, not_run, number_columns, ran
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Processing done over all rows",
    gist="Recognises columns standardised, squeezed to 0..1 or quantile-normalised over the whole file.",
    use_when="Always: what was fitted on all rows has seen the test rows, however mildly.",
    avoid_when="The scale was fixed before the data were taken, as with percentages.",
    paper="Kapoor & Narayanan 2023, Leakage and the reproducibility crisis, Patterns 4(9):100804",
    survey=("P1",),
    reads=("number",),
    cost="seconds",
)


def preprocessed(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """A note naming columns that carry the marks of scaling over all rows (which gnomon cannot undo)."""
    if len(data) < 30 or len(data) > 200_000 * seconds:
        return Looked(checks=(not_run("LOOK-PREPROCESSED", "too few rows, or too many for this budget"),))
    matrix, labels, _ = number_columns(data, np.arange(len(data)), seed=seed, most=int(max(50, 1e7 / len(data))))
    if not matrix.shape[1]:
        return Looked(checks=(not_run("LOOK-PREPROCESSED", "no number columns"),))
    known = ~np.isnan(matrix).any(axis=0)
    matrix, labels = matrix[:, known], np.array(labels)[known]
    many = np.array([len(np.unique(column[:1000])) > 20 for column in matrix.T], dtype=bool)
    mean, low, high = matrix.mean(axis=0), matrix.min(axis=0), matrix.max(axis=0)
    sd, sd1 = matrix.std(axis=0), matrix.std(axis=0, ddof=1)
    marks = {
        "standardised": many & (np.abs(mean) < 1e-4 * np.maximum(sd, 1e-12)) & (sd > 0)
        & (np.minimum(np.abs(sd - 1), np.abs(sd1 - 1)) < 1e-3),
        "centred": many & (np.abs(mean) < 1e-6 * np.maximum(sd, 1e-12)) & (sd > 0),
        "squeezed to 0..1": many & (low == 0) & (high == 1) & (len(data) > 30),
    }
    marks["centred"] &= ~marks["standardised"]
    findings = []
    for what, hit in marks.items():
        if hit.sum() >= 2:
            names = labels[hit]
            findings.append(found(data, "LOOK-PREPROCESSED", "note", f"{join(names)} were {what} over all rows before "
                                  "gnomon saw them; do this inside the folds instead", columns=tuple(names[:50]),
                                  values={"columns": int(hit.sum())}, source="preprocessed"))
    if matrix.shape[1] >= 50 and _same_quantiles(matrix):
        findings.append(found(data, "LOOK-PREPROCESSED", "note", "All rows have the same quantiles: they were quantile-"
                              "normalised together before gnomon saw them", source="preprocessed"))
    return Looked(tuple(findings), (ran("LOOK-PREPROCESSED", "two columns scaled exactly over these rows"),))


def _same_quantiles(matrix: np.ndarray) -> bool:
    some = np.sort(matrix[:50], axis=1)
    spread = float(some[0, -1] - some[0, 0])
    return spread > 0 and float(np.abs(some - some[0]).max()) < 1e-6 * spread
