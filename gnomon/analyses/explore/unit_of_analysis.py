"""How many independent units there are behind the rows."""

from __future__ import annotations

from gnomon.analyses.explore._kit import Looked, found, not_run, ran
from gnomon.analyses.explore.groups import groups
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


def unit_of_analysis(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """A note when rows are finer than the first unit found; a warning when those units are fewer than ten."""
    found_groups = groups(data, seed=seed, seconds=seconds).groups
    if not found_groups:
        why = "no column or file name says which rows belong together"
        return Looked(checks=(not_run("LOOK-UNIT-OF-ANALYSIS", why),))
    name, grouping = next(iter(found_groups.items()))
    check = ran("LOOK-UNIT-OF-ANALYSIS", f"{MANY} rows a unit")
    if grouping.count == 1 or len(data) < MANY * grouping.count:
        return Looked(checks=(check,), facts={"units": grouping.count})
    each = len(data) / grouping.count
    claim = f"Rows are finer than the independent unit '{name}': {grouping.count:,} units of {each:.1f} rows on average"
    finding = found(data, "LOOK-UNIT-OF-ANALYSIS", "warn" if grouping.count < 10 else "note", claim,
                    columns=(name,) if name in data.columns else (),
                    values={"units": grouping.count, "rows_a_unit": each}, source="unit_of_analysis")
    return Looked((finding,), (check,), facts={"units": grouping.count})
