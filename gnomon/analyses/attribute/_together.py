"""Statements over many rows at once: typical regions by class, and clusters of explanations with their accuracy."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.analyses.attribute._intervals import mean_over_units
from gnomon.analyses.attribute._pictures import weights_of
from gnomon.analyses.attribute._terms import Terms, drawn_kind, terms_of
from gnomon.analyses.attribute.explanation_clusters import Cluster, explanation_clusters
from gnomon.analyses.attribute.typical_regions import Regions, typical_regions
from gnomon.data.draw import image_picture
from gnomon.data.table import Data

CELLS = 8  # of an image's side
NAMED, TOLD = 3, 5  # things that a cluster is told of by; that set it apart
DRAWN = 128  # px


def predicted(attempt: Any) -> tuple[list[str], np.ndarray]:
    """(n,) what each row is predicted as (a number's column for numbers), and the sign that turns its scores into
    evidence for that: of two classes the scores speak for the second."""
    question, n = attempt.question, len(attempt.scores)
    if question.classes is None:
        return [question.target] * n, np.ones(n)
    if len(question.names) > 2:
        return [question.names[c] for c in question.classes[:n]], np.ones(n)
    told = attempt.ground.predict(attempt.ground.data, np.arange(n))
    value = np.asarray((told.parts[question.part] if question.part >= 0 else told).value, dtype=int)
    return [question.names[v] for v in value], np.where(value == 1, 1.0, -1.0)


def regions_of(attempt: Any, data: Data, column: str, units: np.ndarray, seed: int) -> dict[str, Any]:
    """{"regions": ...} of an image column."""
    labels, signs = predicted(attempt)
    maps = np.stack([weights_of(attempt, i, column) for i in range(len(labels))]) * signs[:, None, None]
    pixels = data.columns[column].take(attempt.rows)
    found = typical_regions(maps, labels, units=units, cells=CELLS)
    return {"regions": {"column": column, "rows": len(labels), "found": [_region_entry(r, labels, pixels, data, attempt)
                                                                       for r in found]}} if found else {}


def _region_entry(region: Regions, labels: list[str], pixels: np.ndarray, data: Data, attempt: Any) -> dict[str, Any]:
    entry = {"label": region.label, "rows": region.rows, "aligned": region.aligned,
             "alike": {"value": region.alike, "low": region.alike_low, "high": region.alike_high},
             "cells": int(region.kept.sum()), "share": float(region.value[region.kept].sum()) if region.kept.any() else 0.0}
    if region.aligned:
        mine = [i for i, label in enumerate(labels) if label == region.label]
        kept = np.where(region.kept, region.value, 0.0)
        entry["picture"] = mean_picture(pixels[mine], kept)
    else:
        tall, wide = (-(-n // CELLS) for n in pixels.shape[-2:])
        places = data.position[attempt.rows]
        entry["patches"] = [{"row": int(places[row]), "box": [i * tall, (i + 1) * tall, j * wide, (j + 1) * wide]}
                            for row, (i, j) in region.top]
    return entry


def mean_picture(pixels: np.ndarray, weights: np.ndarray) -> dict[str, Any]:
    """The mean of these images under a coarse map, full colour at its largest weight."""
    most = float(np.abs(weights).max()) or 1.0
    tall, wide = (-(-n // m) for n, m in zip(pixels.shape[-2:], weights.shape, strict=True))
    fine = np.kron(weights / most, np.ones((tall, wide)))
    mean = pixels.astype(np.float64).mean(axis=0)
    mean = mean.round().astype(np.uint8) if pixels.dtype == np.uint8 else mean
    return image_picture(mean, size=DRAWN, weights=fine[:pixels.shape[-2], :pixels.shape[-1]])


def clusters_of(attempt: Any, held: Any, units: np.ndarray) -> dict[str, Any]:
    """{"clusters": ...} where rows' attributions speak of the same things (_terms.py)."""
    terms = terms_of(attempt, held.data, units)
    if terms is None:
        return {}
    labels, signs = predicted(attempt)
    terms = replace(terms, features=terms.features * signs[:, None])
    found = explanation_clusters(terms.features, groups=labels, seed=held.seed)
    right, what = _right(attempt, held)
    several = {c.group for c in found if c.share < 1}
    shown = [_cluster_entry(c, found, terms, right, units, held.data, attempt) for c in found if c.group in several]
    return {"clusters": {"rows": len(labels), "groups": len({c.group for c in found}), "measured": what, "found": shown}}


def _right(attempt: Any, held: Any) -> tuple[np.ndarray, str]:
    """(n,) 1 for a right class, 0 for a wrong one; of numbers the size of the error; NaN where nothing was measured."""
    question, ground = attempt.question, attempt.ground
    told = ground.predict(ground.data, np.arange(len(ground)))
    value = np.asarray((told.parts[question.part] if question.part >= 0 else told).value, dtype=float)
    truth = np.asarray(held.task.truth(held.data, attempt.rows), dtype=float)
    truth = truth[:, question.part] if truth.ndim == 2 else truth
    if question.classes is None:
        return np.abs(value - truth), "mean absolute error"
    return np.where(truth >= 0, (value == truth).astype(float), np.nan), "accuracy"


def _cluster_entry(cluster: Cluster, found: tuple[Cluster, ...], terms: Terms, right: np.ndarray, units: np.ndarray,
                   data: Data, attempt: Any) -> dict[str, Any]:
    rows = list(cluster.rows)
    rest = [r for c in found if c.group == cluster.group and c is not cluster for r in c.rows]
    scores = {name: dict(zip(("value", "low", "high"), mean_over_units(right[some], units[some]), strict=True))
              for name, some in (("score", rows), ("others", rest)) if some}
    entry = {"group": cluster.group, "size": len(rows), "share": cluster.share, "chance": cluster.chance, **scores,
             "typical": int(data.position[attempt.rows[cluster.typical]])}
    if terms.kind == "image":
        pixels = data.columns[terms.column].take(attempt.rows[rows])
        side = -(-pixels.shape[-2] // -(-pixels.shape[-2] // CELLS))
        return {**entry, "leans_on": [], "picture": mean_picture(pixels, terms.features[rows].mean(axis=0).reshape(side, -1))}
    return {**entry, **_leanings(terms, rows, rest, units, list(data.columns[terms.column].take(attempt.rows))
                                 if terms.kind == "molecule" else [])}


def _leanings(terms: Terms, rows: list[int], rest: list[int], units: np.ndarray, smiles: list[str | None]) -> dict[str, Any]:
    """What a cluster leans on, and the terms that set it apart from the rest of its group, with their mean weights in both;
    of molecules what it leans on most is drawn."""
    mean = terms.features[rows].mean(axis=0)
    apart = np.argsort(-np.abs(mean - terms.features[rest].mean(axis=0)), kind="stable")[:TOLD]
    told = [{"what": terms.names[k], **dict(zip(("value", "low", "high"),
                                                mean_over_units(terms.features[rows, k], units[rows]), strict=True)),
             "others": float(terms.features[rest, k].mean())} for k in apart]
    most = np.argsort(-np.abs(mean), kind="stable")[:NAMED]
    drawn = drawn_kind(terms.names[most[0]], [smiles[r] for r in rows], up=mean[most[0]] > 0) if smiles else None
    return {"leans_on": [terms.names[k] for k in most], "terms": told, **({"picture": drawn} if drawn else {})}
