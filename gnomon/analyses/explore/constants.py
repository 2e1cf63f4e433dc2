"""Columns in which nothing varies."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, found, join, ran
from gnomon.card import Card
from gnomon.data.table import Data, missing

CARD = Card(
    name="Constant columns",
    gist="Finds input columns with one value in every row, or no value at all.",
    use_when="Always: they cost time and can hide that a file was cut or filtered.",
    avoid_when="A constant is the condition of the experiment and should stand in the report: it is kept there.",
    paper="Breck et al. 2019, Data validation for machine learning, MLSys",
    survey=("P1",),
    cost="seconds",
)


def constants(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Input columns without variation; they are excluded. Constant columns of a block are only counted."""
    exclude, inside = {}, 0
    for name in data.inputs:
        column, kind = data.columns[name], data.kind(name)
        if kind == "image":
            continue
        values = column.take(np.arange(len(data)))
        if kind == "number" and values.ndim == 2:
            inside += int((np.nanmax(values, axis=0) == np.nanmin(values, axis=0)).sum()) if len(values) else 0
            continue
        gone = missing(column)
        if gone.all():
            exclude[name] = "holds no value at all"
        elif not gone.any() and len(values) > 1 and (values[1:] == values[0]).all():
            exclude[name] = "has the same value in every row"
    findings = []
    if exclude:
        verb = "does" if len(exclude) == 1 else "do"
        findings.append(found(data, "LOOK-CONSTANT", "note", f"{join(exclude)} {verb} not vary",
                              columns=tuple(exclude), source="constants"))
    if inside:
        findings.append(found(data, "LOOK-CONSTANT", "note", f"{inside:,} columns of the number block do not vary",
                              values={"columns": inside}, source="constants"))
    return Looked(tuple(findings), (ran("LOOK-CONSTANT", "any column with one value"),), exclude=exclude)
