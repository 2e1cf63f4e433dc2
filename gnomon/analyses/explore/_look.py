"""Looking at the data before anything is trained: look A (inputs, all rows), look B (target, training rows).

Look A decides the split, so it must not see a target: the target columns are taken out before any check runs.
Look B sees the target of the training rows only (EVIDENCE 2). Work is bounded by counts that follow from `seconds`,
never by the clock, so that the same data always give the same findings.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import Grouping, Looked, found, gathered
from gnomon.analyses.explore.map_points import map_points
from gnomon.data.read.endless import finite
from gnomon.data.table import Data

__all__ = ["Grouping", "Looked", "look_inputs", "look_target", "map_points"]
INPUT_CHECKS = ("identifiers", "duplicates", "near_duplicates", "groups", "scaffolds", "unit_of_analysis",
                "time_order", "drift", "missing_values", "censored", "outliers", "mixed_units", "constants", "sizes",
                "raw_counts", "preprocessed", "kind_doubts")
OF_UNITS = ("unit_of_analysis", "drift")  # those that also take the groups found before them
TARGET_CHECKS = ("leaks", "replicates", "suspect_labels", "target_shape", "confounding", "missing_informative",
                 "order_drift", "event_time", "shortcuts")


def look_inputs(data: Data, *, seed: int = 0, seconds: float = 15.0) -> Looked:
    """Look A: inputs, groups, time and duplicates over all rows. Never sees a target column."""
    blind, endless = finite(without_targets(data))
    infinite = Looked(tuple(found(data, "LOOK-OUTLIER", "warn", f"'{name}' holds infinite numbers; read as missing",
                                  rows=rows, columns=(name,)) for name, rows in endless.items()))
    parts = [infinite]
    for key in INPUT_CHECKS:
        units = {"groups": gathered(parts).groups} if key in OF_UNITS else {}
        parts.append(check(key)(blind, seed=seed, seconds=seconds, **units))
    return gathered(parts)


def look_target(data: Data, target: tuple[str, ...], rows: np.ndarray, *, groups: Mapping[str, Grouping],
                seed: int = 0, seconds: float = 15.0) -> Looked:
    """Look B: what only the target shows, on the training rows. groups: what look A found (`Looked.groups`)."""
    rows = np.asarray(rows, dtype=np.int64)
    data, _ = finite(data)
    share = seconds / max(len(target), 1)
    return gathered(check(key)(data, name, rows, groups=groups, seed=seed, seconds=share)
                    for name in target for key in TARGET_CHECKS)


def without_targets(data: Data) -> Data:
    """The data without its target columns."""
    kept = {name: column for name, column in data.columns.items() if data.roles[name].role != "target"}
    return replace(data, columns=kept, roles={name: data.roles[name] for name in kept})


def check(key: str) -> Any:
    """The function of one check."""
    return getattr(importlib.import_module(f"gnomon.analyses.explore.{key}"), key)
