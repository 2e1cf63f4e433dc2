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
    terms = [n for n in names if n.startswith("fit.") and not n.endswith(".norm")]  # what the loop logs: a loss in parts
    train = next((n for n in ("train", "train_loss", "loss") if n in names), None)
    valid = next((n for n in ("valid", "valid_loss", "stop", "valid_score", "stop.loss") if n in names), None)
    if "step" not in names or (train is None and not terms and valid is None):
        return None
    picked = [rows[i] for i in np.unique(np.linspace(0, len(rows) - 1, min(CURVE_POINTS, len(rows))).astype(int))]

    def number(row: Mapping[str, Any], name: str | None) -> float | None:
        try:
            value = float(row[name]) if name else float("nan")
        except (TypeError, ValueError):
            return None
        return float(f"{value:.4g}") if np.isfinite(value) else None

    def summed(row: Mapping[str, Any]) -> float | None:
        parts = [number(row, n) for n in terms]
        return None if not parts or None in parts else float(f"{sum(parts):.4g}")  # type: ignore[arg-type]

    trained = [number(r, train) if train else summed(r) for r in picked]
    return {"steps": [int(float(r["step"])) for r in picked if r["step"]], "train": trained,
            "valid": [number(r, valid) for r in picked], "valid_is": valid or ""}
