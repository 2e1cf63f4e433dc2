"""Units and circumstances: rows that belong together, batches, time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from _data import (
    Truth,
    column,
    fine_columns,
    is_classes,
    repeated,
    specimen,
    values_of,
    with_column,
    with_values,
)
from plant_copies import altered, long_enough

from gnomon.data.table import Data

NAMES = ("patient_id", "donor", "plate", "subject", "animal_id", "mouse", "participant_id", "video", "PatientID",
         "sample_donor")
SITES = ("site", "batch", "scanner", "hospital", "instrument", "run_batch", "center")


def unit_column(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A column that names units of about `strength` rows."""
    name = str(rng.choice(NAMES))
    unit = rng.integers(0, max(6, int(len(data) / strength)), len(data))
    return with_column(data, name, column(np.array([f"u{v:03d}" for v in unit]))), Truth(("LOOK-GROUP",), columns=(name,))


def finer_rows(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    data, truth = unit_column(data, rng, strength)
    return data, replace(truth, codes=("LOOK-UNIT-OF-ANALYSIS",))


def unit_files(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """File names with a unit and a part within it, in one of several builds."""
    unit = np.sort(rng.integers(0, max(6, int(len(data) / strength)), len(data)))
    build = str(rng.choice(["P{0:03d}_slice{1}.png", "case{0}_z{1:02d}.tif", "mouse-{0:02d}-frame{1:04d}.png",
                            "patient{0:03d}/img{1}.png", "donor{0}_fov{1}.png"]))
    within = np.arange(len(unit)) - np.searchsorted(unit, unit)
    return replace(data, items=tuple(build.format(u, w) for u, w in zip(unit, within, strict=True))), Truth(
        ("LOOK-GROUP",))


def families(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Eight families of five rows known only by near-identical content: pictures shifted by one pixel and brightened,
    texts, sequences and molecules as near copies (strength: the share changed); numbers with that much noise."""
    rows = np.sort(rng.choice(long_enough(data), 8, replace=False))
    copies = len(data) + np.arange(32)
    data, name = repeated(data, np.repeat(rows, 4)), specimen(data)
    truth = Truth(("LOOK-NEAR-DUPLICATE", "LOOK-DUPLICATE"), frozenset([*rows.tolist(), *copies.tolist()]))
    if not name:
        for n in fine_columns(data):
            values = values_of(data, n)
            values[copies] += strength * np.nanstd(values) * rng.normal(size=len(copies))
            data = with_values(data, n, values)
        return data, truth
    values = values_of(data, name)
    for i in copies:
        if data.kind(name) == "image":
            moved = np.roll(values[i].astype(float), int(rng.choice([-1, 0, 1])), axis=2) * (1 + rng.uniform(-0.1, 0.1))
            values[i] = np.clip(moved, 0, 255).astype(values.dtype)
        else:
            values[i] = altered(values[i], data.kind(name), rng, strength)
    return with_values(data, name, values), truth


def confounded(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A site or batch of four levels that follows the target (its class, or quarter) in a share `strength` of rows."""
    y = values_of(data, "target").astype(float)
    part = y.astype(int) % 4 if is_classes(data) else np.searchsorted(np.quantile(y, [0.25, 0.5, 0.75]), y)
    level = np.where(rng.random(len(y)) < strength, part, rng.integers(0, 4, len(y)))
    name = str(rng.choice(SITES))
    return with_column(data, name, column(np.array(list("ABCD"))[level])), Truth(("LOOK-CONFOUND",), columns=(name,),
                                                                                 least="warn")


def dated_drift(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A date, and one number column that rises by `strength` spreads over the whole time. Without numbers one is added."""
    n = len(data)
    day = np.datetime64("2019-01-01", "ns") + rng.integers(0, 900, n).astype("timedelta64[D]")
    late = np.argsort(np.argsort(day)) / n
    names = fine_columns(data, 50)
    name = str(rng.choice(names)) if names else "x17"
    values = values_of(data, name) if names else rng.normal(size=n)
    values = values + strength * np.nanstd(values) * late
    data = with_values(data, name, values) if names else with_column(data, name, values)
    return with_column(data, "date", day), Truth(("LOOK-DRIFT",), columns=(name, "date"))


def time_order(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A column of dates."""
    day = np.datetime64("2019-01-01", "ns") + rng.integers(0, 900, len(data)).astype("timedelta64[D]")
    return with_column(data, "taken", day), Truth(("LOOK-TIME",), columns=("taken",))


def batch_drift(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A batch of four levels, one of which reads a column `strength` spreads higher."""
    level = rng.integers(0, 4, len(data))
    names, batch = fine_columns(data, 50), str(rng.choice(SITES))
    name = str(rng.choice(names)) if names else "x17"
    values = values_of(data, name) if names else rng.normal(size=len(data))
    values = values + strength * np.nanstd(values) * (level == 2)
    data = with_values(data, name, values) if names else with_column(data, name, values)
    return with_column(data, batch, column(np.array(list("ABCD"))[level])), Truth(("LOOK-DRIFT",), columns=(name, batch))
