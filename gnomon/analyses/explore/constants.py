"""Columns in which nothing varies."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.explore._kit import Looked, ends, found, join, many, ran
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
    """Input columns without variation; they are excluded. Those without a value reading may have set aside already: they are
    named all the same. Columns of a block are only counted."""
    empty = [n for n in data.named("ignore") if not data.roles[n].stated and data.kind(n) != "image" and len(data)
             and missing(data.columns[n]).all()]
    exclude, inside, hollow = {}, 0, 0
    for name in data.inputs:
        column, kind = data.columns[name], data.kind(name)
        if kind == "image":
            continue
        values = column.take(np.arange(len(data)))
        if kind == "number" and values.ndim == 2:
            least, largest = ends(values)
            inside += int((least == largest).sum())
            hollow += int((least > largest).sum()) if len(values) else 0
            continue
        gone = missing(column)
        if gone.all():
            exclude[name] = "holds no value at all"
            empty.append(name)
        elif not gone.any() and len(values) > 1 and (values[1:] == values[0]).all():
            exclude[name] = "has the same value in every row"
    same = [n for n in exclude if n not in empty]
    claims = [(f"{join(same)} {'does' if len(same) == 1 else 'do'} not vary", tuple(same)),
              (f"{join(empty)} {'holds' if len(empty) == 1 else 'hold'} no value in any row", tuple(empty))]
    findings = [found(data, "LOOK-CONSTANT", "note", claim, columns=columns, source="constants")
                for claim, columns in claims if columns]
    for count, one, more in ((inside, "does not vary", "do not vary"), (hollow, "holds no value", "hold no value")):
        if count:
            claim = f"{many(count, 'column')} of the number block {one if count == 1 else more}"
            findings.append(found(data, "LOOK-CONSTANT", "note", claim, values={"columns": count}, source="constants"))
    return Looked(tuple(findings), (ran("LOOK-CONSTANT", "any column with one value, or none"),), exclude=exclude)
