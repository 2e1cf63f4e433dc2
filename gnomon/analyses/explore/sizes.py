"""How wide the table is, and the counts the plan asks for."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, found, ran
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="More features than rows",
    gist="Counts rows and features; with more features than rows some feature fits any target by chance.",
    use_when="Always: it decides which models can be trusted and that selection happens inside the folds.",
    avoid_when="Features are pixels or letters that one specimen holds together.",
    paper="Ambroise & McLachlan 2002, Selection bias in gene extraction, PNAS 99(10):6562-6566",
    survey=("P1",),
    cost="seconds",
)


def sizes(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """LOOK-WIDE when the number columns outnumber the rows; facts: rows, numbers, categories, kinds."""
    numbers = sum(int(np.prod(data.columns[n].spec.shape or (1,))) for n in data.of_kind("number"))
    facts = {"rows": len(data), "numbers": numbers, "categories": len(data.of_kind("category")),
             "kinds": sorted({data.kind(n) for n in data.inputs})}
    findings = ()
    if numbers > len(data):
        claim = f"{numbers:,} number columns for {len(data):,} rows: columns must be chosen inside the folds"
        findings = (found(data, "LOOK-WIDE", "note", claim, values={"columns": numbers, "rows": len(data)},
                          source="sizes"),)
    return Looked(findings, (ran("LOOK-WIDE", "one column more than rows"),), facts=facts)
