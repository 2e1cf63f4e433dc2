"""Learning curves for the report, read from the runs' log.csv."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CURVES, CURVE_POINTS = 24, 150


def read_curves(runs: Sequence[Path]) -> list[dict[str, Any]]:
    """Training and validation loss by step from the runs' log.csv; the folders' names say recipe, seed and fold."""
    out = []
    for folder in runs:
        log = Path(folder) / "log.csv"
        if len(out) >= CURVES or not log.is_file():
            continue
        curve = read_curve(log)
        if curve:
            recipe, seed, fold = Path(folder).parts[-3:]
            out.append({"recipe": recipe, "seed": seed, "fold": fold.removeprefix("fold"), **curve})
    return out


def read_curve(log: Path) -> dict[str, Any] | None:
    """`step`, a training column (train, train_loss, loss) and a validation one (valid, valid_loss, ...), thinned."""
    with open(log, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = list(rows[0]) if rows else []
    train = next((n for n in ("train", "train_loss", "loss") if n in names), None)
    valid = next((n for n in ("valid", "valid_loss", "stop", "valid_score") if n in names), None)
    if "step" not in names or (train is None and valid is None):
        return None
    picked = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, min(CURVE_POINTS, len(rows))).astype(int))]

    def number(row: Mapping[str, Any], name: str | None) -> float | None:
        try:
            value = float(row[name]) if name else float("nan")
        except (TypeError, ValueError):
            return None
        return float(f"{value:.4g}") if np.isfinite(value) else None

    return {"steps": [int(float(r["step"])) for r in picked if r["step"]], "train": [number(r, train) for r in picked],
            "valid": [number(r, valid) for r in picked], "valid_is": valid or ""}
