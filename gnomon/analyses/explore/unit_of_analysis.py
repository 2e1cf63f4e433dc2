"""How many independent units there are behind the rows."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import group_of
from gnomon.analyses.explore._kit import Grouping, Looked, found, not_run, ran
from gnomon.analyses.explore.groups import groups as groups_in
from gnomon.analyses.explore.groups import named_rows
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Unit of analysis",
    gist="Compares rows with the independent units behind them: cells with animals, slices with patients.",
    use_when="Groups were found or stated: intervals and sample sizes count units, not rows.",
    avoid_when="Every row is an independent specimen.",
    paper="Lazic 2010, The problem of pseudoreplication in neuroscientific studies, BMC Neuroscience 11:5",
    survey=("P1", "P7"),
    cost="seconds",
)
MANY = 1.5  # rows a unit from which on rows are finer than the unit


def unit_of_analysis(data: Data, *, groups: Mapping[str, Grouping] | None = None, seed: int = 0,
                     seconds: float = 15.0) -> Looked:
    """A note when rows are finer than the first unit found; a warning when those units are fewer than ten. Rows that name
    no unit do not count. groups: what `groups` found; None = it is run here."""
    named = group_of(groups_in(data, seed=seed, seconds=seconds).groups if groups is None else groups)
    if named is None:
        why = "no column or file name says which rows belong together"
        return Looked(checks=(not_run("LOOK-UNIT-OF-ANALYSIS", why),))
    name, grouping = named
    rows = named_rows(data, name)
    units = len(np.unique(grouping.codes[rows]))
    check = ran("LOOK-UNIT-OF-ANALYSIS", f"{MANY} rows a unit")
    if units <= 1 or len(rows) < MANY * units:
        return Looked(checks=(check,), facts={"units": units})
    each = len(rows) / units
    claim = f"Rows are finer than the independent unit '{name}': {units:,} units of {each:.1f} rows on average"
    finding = found(data, "LOOK-UNIT-OF-ANALYSIS", "warn" if units < 10 else "note", claim,
                    columns=(name,) if name in data.columns else (),
                    values={"units": units, "rows_a_unit": each}, source="unit_of_analysis")
    return Looked((finding,), (check,), facts={"units": units})
