"""Infinite numbers count as missing: in the target from the first, and are listed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from gnomon.data.table import Data, Dense
from gnomon.values import finding


def finite(data: Data, names: Iterable[str] | None = None) -> tuple[Data, dict[str, np.ndarray]]:
    """The data with infinite numbers (of these columns, or of all) as missing, and the rows that held them by column; itself
    when there are none."""
    changed, held = {}, {}
    for name in data.columns if names is None else names:
        column = data.columns[name]
        if column.spec.kind != "number" or not isinstance(column, Dense):
            continue
        endless = np.isinf(column.values)
        if endless.any():
            changed[name] = replace(column, values=np.where(endless, np.nan, column.values))
            held[name] = np.flatnonzero(endless if endless.ndim == 1 else endless.any(axis=1))
    return (replace(data, columns={**data.columns, **changed}), held) if changed else (data, {})


def finite_targets(data: Data) -> Data:
    """The data without infinite targets, which no score could bear; a LOOK-OUTLIER finding lists their rows."""
    data, held = finite(data, data.targets)
    found = [finding("LOOK-OUTLIER", "warn", f"the target '{name}' holds infinite numbers; read as missing",
                     rows=data.position[rows], items=[data.items[r] for r in rows] if data.items else (), columns=(name,),
                     values={"rows": len(rows)}, source="reading") for name, rows in held.items()]
    return replace(data, findings=(*data.findings, *found)) if found else data
