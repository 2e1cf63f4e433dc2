"""Raw counts, as sequencing gives them."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, found, not_run, number_columns, ran, sample
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Raw counts",
    gist="Recognises tables of whole, non-negative, overdispersed numbers whose row totals vary: raw counts.",
    use_when="Gene, peak, word or event counts: depth differs between rows and hides everything else.",
    avoid_when="Counts were already normalised; then they are no longer whole numbers.",
    paper="Hafemeister & Satija 2019, Genome Biology 20:296",
    survey=("P1",),
    reads=("number",),
    cost="seconds",
)
CEILING = 0.25  # share of columns with one and the same largest value, which pixels, grades and percentages have
ALIKE = 0.05  # relative spread of row totals below which dividing by them changes nothing


def raw_counts(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """A note when twenty or more number columns look like raw counts."""
    rows = sample(np.arange(len(data)), 2000, seed, "counts")
    matrix, _, _ = number_columns(data, rows, seed=seed, most=2000)
    if matrix.shape[1] < 20 or len(rows) < 10:
        return Looked(checks=(not_run("LOOK-COUNTS", "fewer than 20 number columns"),))
    whole = ~np.isnan(matrix).any(axis=0) & (matrix >= 0).all(axis=0) & (matrix == np.round(matrix)).all(axis=0)
    counts = matrix[:, whole]
    check = ran("LOOK-COUNTS", "nine in ten of 20 number columns or more being overdispersed whole numbers without a "
                "common largest value")
    if whole.mean() < 0.9 or counts.max(initial=0) < 10 or len(np.unique(counts)) < 10:
        return Looked(checks=(check,), facts={"raw_counts": False})
    mean, spread, top = counts.mean(axis=0), counts.var(axis=0), counts.max(axis=0)
    varied = mean > 0
    bounded = (top[varied] == top.max()).mean() > CEILING
    if bounded or np.median(spread[varied] / mean[varied]) < 1.0:
        return Looked(checks=(check,), facts={"raw_counts": False})
    totals = counts.sum(axis=1)
    differ = float(totals.std() / totals.mean())
    claim = (f"The numbers are raw counts and row totals differ (by {differ:.0%}); normalise by the total and take logarithms"
             if differ >= ALIKE else "The numbers are raw counts, of row totals that are alike; take logarithms")
    finding = found(data, "LOOK-COUNTS", "note", claim, values={"columns": int(whole.sum()), "total_cv": differ},
                    source="raw_counts")
    return Looked((finding,), (check,), facts={"raw_counts": True})
