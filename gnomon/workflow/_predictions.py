"""Predictions as parquet files, and the arithmetic of averaging them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.tasks._task import Prediction
from gnomon.workflow._folder import cannot_write


def save_prediction(path: Path, rows: np.ndarray, prediction: Prediction) -> None:
    """row, value, p_0, p_1 ...; several targets as `0.value`, `0.p_0`, `1.value` ..."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"row": rows.astype(np.int64)}
    for start, part in ([("", prediction)] if not prediction.parts else
                        [(f"{i}.", p) for i, p in enumerate(prediction.parts)]):
        columns[f"{start}value"] = part.value
        if part.proba is not None:
            columns |= {f"{start}p_{k}": part.proba[:, k] for k in range(part.proba.shape[1])}
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.table(columns), draft)
        draft.replace(path)
    except OSError as error:
        raise cannot_write(path, error) from None


def load_prediction(path: Path) -> tuple[np.ndarray, Prediction]:
    """The rows and the Prediction that `save_prediction` wrote."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    names = table.column_names
    arrays = {name: table[name].to_numpy() for name in names}

    def part(start: str) -> Prediction:
        shares = [n for n in names if n.startswith(f"{start}p_")]
        proba = np.stack([arrays[n] for n in shares], axis=1) if shares else None
        return Prediction(arrays[f"{start}value"], proba)

    if "value" in arrays:
        return arrays["row"], part("")
    count = sum(name.endswith(".value") for name in names)
    return arrays["row"], Prediction(parts=tuple(part(f"{i}.") for i in range(count)))


def average(predictions: Sequence[Prediction], weights: Sequence[float] | None = None) -> Prediction:
    """The weighted mean of predictions of the same rows: probabilities are averaged, numbers are averaged."""
    weights = [1.0] * len(predictions) if weights is None else list(weights)
    if predictions[0].parts:
        return Prediction(parts=tuple(average([p.parts[i] for p in predictions], weights)
                                      for i in range(len(predictions[0].parts))))
    total = float(sum(weights))
    if predictions[0].proba is not None:
        proba = sum(w * p.proba for w, p in zip(weights, predictions, strict=True)) / total  # type: ignore[operator]
        return Prediction(proba.argmax(axis=1), proba)
    value = sum(w * p.value for w, p in zip(weights, predictions, strict=True)) / total  # type: ignore[operator]
    return Prediction(value)


def scatter(n: int, pieces: Sequence[tuple[np.ndarray, Prediction]]) -> Prediction:
    """Predictions of pieces of rows put in their places among n rows; rows in several pieces get the mean, rows in
    none NaN (value) and equal shares never: NaN too."""
    first = pieces[0][1]
    if first.parts:
        return Prediction(parts=tuple(scatter(n, [(r, p.parts[i]) for r, p in pieces]) for i in range(len(first.parts))))
    count = np.zeros(n)
    source = [p.proba if first.proba is not None else p.value for _, p in pieces]
    total = np.zeros((n, *np.shape(source[0])[1:]))
    for (rows, _), values in zip(pieces, source, strict=True):
        np.add.at(total, rows, values)
        np.add.at(count, rows, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = total / count.reshape(-1, *[1] * (total.ndim - 1))
    if first.proba is None:
        return Prediction(mean)
    return Prediction(np.nan_to_num(mean).argmax(axis=1), mean)
