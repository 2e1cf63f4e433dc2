"""Rows to be drawn with what was found: one weight an atom, a pixel or a letter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gnomon.analyses.attribute._gates import flat
from gnomon.analyses.attribute._ground import Ground
from gnomon.data.table import Data

DRAWN = ("molecule", "image", "sequence", "text")


def pictures_of(attempt: Any, data: Data, task: Any, most: int, first: Sequence[int] = ()) -> list[dict[str, Any]]:
    """At most `most` rows, those in `first` (positions in the input) before the others:
    {row, kind, column, weights, prediction, truth, technique, about}.

    row: 0-based position in the input as read. weights: (atoms,), (H, W) or (letters,) float32, positive where the
    explained output (`about`) is raised. covered: of masks, the share of the row under it. Empty for tables,
    whose rows are not drawn.
    """
    ground = attempt.ground
    if not isinstance(ground, Ground):
        return []
    prediction = ground.predict(ground.data, np.arange(len(ground)))
    truth = np.asarray(task.truth(data, attempt.rows))
    out = []
    telling = [row for row, scores in enumerate(attempt.scores) if not flat(scores)]
    telling.sort(key=lambda row: int(data.position[attempt.rows[row]]) not in first)  # stable
    for row in telling[:most]:
        for column in dict.fromkeys(p.column for p in ground.pieces[row] if p.span):
            kind = data.kind(column)
            if kind in DRAWN:
                out.append({"row": int(data.position[attempt.rows[row]]), "kind": kind, "column": column,
                            "weights": weights_of(attempt, row, column),
                            "prediction": attempt.question.shown(prediction, row),
                            "truth": shown_truth(task, truth, row, attempt.question),
                            "technique": attempt.technique, "about": attempt.question.what,
                            **({} if attempt.covered is None else {"covered": float(attempt.covered[row])})})
    return out


def patches_of(entry: Mapping[str, Any], attempt: Any) -> list[dict[str, Any]]:
    """The patches that carry a class whose images are not aligned: {row, kind, column, box, label, technique, about}."""
    told = entry.get("regions") or {}
    return [{"row": p["row"], "kind": "image", "column": told["column"], "box": p["box"], "label": r["label"],
             "technique": attempt.technique, "about": attempt.question.what}
            for r in told.get("found") or () for p in r.get("patches") or ()]


def weights_of(attempt: Any, row: int, column: str) -> np.ndarray:
    """A row's scores at the finest grain: an atom, a pixel or a letter each; a piece's score is spread evenly."""
    if column in attempt.fine:
        return attempt.fine[column][row].astype(np.float32)
    ground, scores = attempt.ground, attempt.scores[row]
    pieces = [(p.span, s) for p, s in zip(ground.pieces[row], scores, strict=True) if p.column == column and p.span]
    if ground.data.kind(column) == "image":
        out = np.zeros(ground.data.columns[column].spec.shape[-2:], dtype=np.float32)
        for (top, bottom, left, right), score in pieces:
            out[top:bottom, left:right] = score / ((bottom - top) * (right - left))
        return out
    text = ground.data.columns[column].take(np.array([row]))[0] or ""
    length = len(pieces) if ground.data.kind(column) == "molecule" else len(text)
    out = np.zeros(length, dtype=np.float32)
    for (start, stop), score in pieces:
        out[start:stop] = score / max(stop - start, 1)
    return out


def shown_truth(task: Any, truth: np.ndarray, row: int, question: Any) -> str:
    """What was measured, for people; "" when it was not."""
    value = float(truth[row] if truth.ndim == 1 else truth[row, max(question.part, 0)])
    if not np.isfinite(value) or (question.classes is not None and value < 0):
        return ""
    return question.names[int(value)] if question.classes is not None else f"{value:.4g}"
