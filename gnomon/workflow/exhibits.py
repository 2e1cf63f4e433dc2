"""What the report shows beside its numbers: pictures, curves and counts, gathered from data and predictions.

`exhibits.json` (format 1); everything is plain JSON, every part may be absent, and the page leaves out what is:

    {"format": 1, "examples": bool, "show_rows": bool,
     "pictures": [PICTURE],                      see gnomon/data/draw.py; referred to by index, -1 = none
     "map": {"layouts": [{"technique", "note", "axes": [text, text], "x": [0..1000], "y": [0..1000]}], "of": rows in the data,
             "colours": [{"name", "kind": "number|category", "levels": [text], "codes": [int, -1: none], "rest": text}],
             "pictures": [index], "rows": [position in the input] or null, "labels": [text] or null},
     "targets": [{"column", "kind": "number|category", "unit", "edges": [float], "labels": [text],
                  "counts": [int or null = hidden], "missing": n, "of": "rows not sealed"}],
     "curves": [{"recipe", "seed", "fold", "steps": [int], "train": [float], "valid": [float], "valid_is": text}],
     "reliability": [{"target", "of", "bins": [{"predicted", "observed", "low", "high", "n"}], "slope": [v, low, high],
                      "intercept": [v, low, high], "error": [v, low, high]}],
     "scatter": [{"target", "unit", "range": [low, high], "truth": [..], "predicted": [..], "pictures": [index],
                  "bins": [{"predicted", "truth", "low", "high", "n"}], "half_within", "nine_in_ten_within",
                  "n": points, "of": rows}],
     "confusion": [{"target", "labels", "counts": [[int or null = hidden]], "n"}],
     "coverage": as `conformal.coverage` measured it, or null,
     "subgroups": [{"column", "group", "n_units", "n_rows", "few", "value", "low", "high", "gap"}],
     "errors": [{"target", "row", "truth", "predicted", "size", "picture", "sure"}] or null (rows may not be shown),
     "explained": [{"technique", "recipe", "about", "pictures": [{"picture", "row", "truth", "predicted"}],
                    "patches": [{"picture", "row", "label"}]}],
     "judged": {"rows": n, "part": "the sealed test rows" or "rows predicted out of fold"}}

Privacy: without `show_rows` there are no identifiers, dates, free text or row values of tables here, and counts of 1 to
4 are null, as is one more where a sum would tell a single one. Images, molecules and sequences are drawn, with their
target, unless `examples` is False. Targets of sealed rows appear only where the verdict has judged them (scatter,
confusion, errors), never on the map or in the histogram.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.parts import Parts
from gnomon.data.table import Data
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.values import plain
from gnomon.workflow._cells import FEWEST, shown_counts
from gnomon.workflow._exhibit_curves import read_curves
from gnomon.workflow._exhibit_map import map_exhibit
from gnomon.workflow._gallery import CLASSES, LARGE, Gallery, shown, tasks_of

BUDGET = 2_400_000  # bytes of pictures
SCATTER_POINTS, WORST = 800, 24


def build_exhibits(data: Data, task: Any, parts: Parts, rows: np.ndarray, prediction: Prediction | None, *,
                   pictures: Sequence[Mapping[str, Any]] = (), map_points: Any = None, runs: Sequence[Path] = (),
                   folder: Path | None = None, calibration: Mapping[str, Any] | None = None,
                   coverage: Mapping[str, Any] | None = None, subgroups: Sequence[Mapping[str, Any]] = (),
                   show_rows: bool = False, examples: bool = True, seed: int = 0) -> dict[str, Any]:
    """Everything for exhibits.json (see above).

    rows: the rows that judged (sealed, or all out-of-fold rows); prediction: the delivered model's, for those rows; None
    when nothing was judged. pictures: what `explain` returned ({row, kind, column, weights, truth, prediction,
    technique, about}; rows as positions in the input). map_points: what `map_points` returned, or a list of such with
    "technique" set. runs: folders runs/HASH/SEED/foldK (under `folder` where relative) that may hold log.csv.
    calibration, coverage, subgroups: as examined.
    """
    rows = np.asarray(rows, dtype=np.int64)
    gallery = Gallery(data, examples, show_rows, BUDGET)
    judged = _judged(data, task, rows, prediction)
    errors = _errors(gallery, judged, data) if gallery.open and judged else None
    explained = explained_exhibit(gallery, pictures, data)  # drawn before the map, which takes what room is left
    scatter = [_scatter(gallery, j, seed) for j in judged if j["kind"] == "number"]
    sealed = len(parts.test) > 0
    return plain({
        "format": 1, "examples": examples, "show_rows": show_rows, "errors": errors, "explained": explained,
        "scatter": [s for s in scatter if s],
        "confusion": [c for c in (_confusion(j, show_rows) for j in judged if j["kind"] == "category") if c],
        "targets": [_target(data, t, parts, show_rows) for t in tasks_of(task)],
        "map": map_exhibit(gallery, map_points, task, parts, judged, seed=seed) if map_points else None,
        "reliability": _reliability(calibration, task), "coverage": dict(coverage) if coverage else None,
        "subgroups": [_subgroup(s) for s in subgroups],
        "curves": read_curves([Path(folder or "") / run for run in runs]),
        "judged": {"rows": len(rows), "part": "the sealed test rows" if sealed else "rows predicted out of fold"},
        "pictures": gallery.pictures})


def _judged(data: Data, task: Any, rows: np.ndarray, prediction: Prediction | None) -> list[dict[str, Any]]:
    """Per target: its rows with a known truth, the truth, the prediction and the size of the error."""
    out: list[dict[str, Any]] = []
    if prediction is None:
        return out
    for i, t in enumerate(tasks_of(task)):
        part = prediction.parts[i] if prediction.parts else prediction
        truth = np.asarray(t.truth(data, rows), dtype=float)
        value = np.asarray(part.value, dtype=float)
        known = np.flatnonzero(np.isfinite(truth) & np.isfinite(value) & ((truth >= 0) | (t.name != "classify")))
        if not len(known):
            continue
        entry = {"target": t.target, "rows": rows[known], "truth": truth[known], "value": value[known], "task": t,
                 "kind": "category" if t.name == "classify" else "number", "sure": None,
                 "size": np.abs(value - truth)[known]}
        if t.name == "classify":
            proba = np.asarray(part.proba)[known]
            entry["size"] = 1 - proba[np.arange(len(known)), truth[known].astype(int)]
            entry["sure"] = proba.max(axis=1)
        out.append(entry)
    return out


def _errors(gallery: Gallery, judged: list[dict[str, Any]], data: Data) -> list[dict[str, Any]]:
    """The worst rows of each target, each drawn."""
    out = []
    for j in judged:
        worst = np.argsort(-j["size"], kind="stable")[:max(4, WORST // len(judged))]
        if j["kind"] == "category":
            worst = worst[j["value"][worst] != j["truth"][worst]]
        for i in worst:
            out.append({"target": j["target"], "row": int(data.position[j["rows"][i]]), "size": float(j["size"][i]),
                        "truth": shown(j["task"], j["truth"][i]), "predicted": shown(j["task"], j["value"][i]),
                        "sure": None if j["sure"] is None else float(j["sure"][i]),
                        "picture": gallery.add(j["rows"][i], size=LARGE)})
    return out


def explained_exhibit(gallery: Gallery, pictures: Sequence[Mapping[str, Any]], data: Data, *,
                      beside: bool = False) -> list[dict[str, Any]]:
    """Rows with their weights laid over them; one scale a technique: its 98th percentile is full colour.
    beside: images also as they are."""
    place = {int(p): i for i, p in enumerate(data.position)}
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for p in pictures if gallery.examples else ():
        if int(p["row"]) in place and (p["kind"] != "text" or gallery.show_rows):
            groups.setdefault((str(p["technique"]), str(p.get("about", ""))), []).append(p)
    out = []
    for (technique, about), members in groups.items():
        patches = [{"label": str(p["label"]), "row": int(p["row"]),
                    "picture": gallery.add_crop(place[int(p["row"])], str(p["column"]), p["box"])}
                   for p in members if "box" in p]
        members = [p for p in members if "box" not in p]
        size = np.concatenate([np.abs(np.asarray(p["weights"], dtype=float)).ravel() for p in members] or [np.zeros(1)])
        full = float(np.percentile(size[size > 0], 98)) if (size > 0).any() else 1.0
        drawn = []
        for p in members:
            weights = np.clip(np.asarray(p["weights"], dtype=float) / full, -1, 1)
            row = place[int(p["row"])]
            drawn.append({"picture": gallery.add(row, size=LARGE, column=str(p["column"]), weights=weights),
                          **({"plain": gallery.add(row, size=LARGE, column=str(p["column"]))}
                             if beside and p["kind"] == "image" else {}),
                          "row": int(p["row"]), "truth": str(p.get("truth", "")),
                          "predicted": _text(p.get("prediction")),
                          **({"covered": float(p["covered"])} if "covered" in p else {})})
        out.append({"technique": technique, "about": about, "recipe": str(members[0].get("recipe", "")) if members else "",
                    "pictures": [s for s in drawn if s["picture"] >= 0],
                    "patches": [s for s in patches if s["picture"] >= 0]})
    return [entry for entry in out if entry["pictures"] or entry["patches"]]


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def _scatter(gallery: Gallery, j: dict[str, Any], seed: int) -> dict[str, Any] | None:
    """Predicted against measured: points where rows may be shown, bins of at least 20 rows always."""
    truth, value = j["truth"], j["value"]
    if len(truth) < FEWEST:
        return None
    some = np.sort(stream(seed, "scatter").permutation(len(truth))[:SCATTER_POINTS])
    points: dict[str, Any] = {}
    if gallery.open:
        points = {"truth": [float(f"{v:.4g}") for v in truth[some]],
                  "predicted": [float(f"{v:.4g}") for v in value[some]],
                  "pictures": [gallery.add(r) for r in j["rows"][some]]}
    both = np.concatenate([truth, value])
    low, high = np.percentile(both, [0.5, 99.5]) if not gallery.open else (both.min(), both.max())
    return {"target": j["target"], "unit": j["task"].metric.unit, "range": [_two(low), _two(high)], **points,
            "bins": _bins(truth, value), "half_within": _two(np.median(j["size"])), "n": len(points.get("truth", ())),
            "nine_in_ten_within": _two(np.percentile(j["size"], 90)), "of": len(truth)}


def _bins(truth: np.ndarray, value: np.ndarray) -> list[dict[str, Any]]:
    """Rows by predicted value, at least 20 a bin: mean prediction, mean truth, and the middle 80 % of the truth."""
    count = min(10, len(truth) // 20)
    if count < 2:
        return []
    pieces = np.array_split(np.argsort(value, kind="stable"), count)
    return [{"predicted": float(f"{value[p].mean():.4g}"), "truth": float(f"{truth[p].mean():.4g}"), "n": len(p),
             "low": float(f"{np.percentile(truth[p], 10):.3g}"), "high": float(f"{np.percentile(truth[p], 90):.3g}")}
            for p in pieces]


def _two(value: float) -> float:
    """Three digits: enough to read, too few to name a row."""
    return float(f"{value:.3g}")


def _confusion(j: dict[str, Any], show_rows: bool) -> dict[str, Any] | None:
    labels = list(j["task"].out.categories)
    if len(labels) > CLASSES:
        return None
    counts = np.zeros((len(labels), len(labels)), dtype=int)
    np.add.at(counts, (j["truth"].astype(int), j["value"].astype(int)), 1)
    return {"target": j["target"], "labels": labels, "n": len(j["truth"]),
            "counts": [shown_counts(row, show_rows) for row in counts]}


def _target(data: Data, task: Any, parts: Parts, show_rows: bool) -> dict[str, Any]:
    """How the target is spread over the rows that are not sealed."""
    rows = parts.develop
    truth = np.asarray(task.truth(data, rows), dtype=float)
    head = {"column": task.target, "unit": task.metric.unit, "of": "rows not sealed" if len(parts.test) else "all rows"}
    if task.name == "classify":
        known = truth[np.isfinite(truth) & (truth >= 0)].astype(int)
        counts = np.bincount(known, minlength=len(task.out.categories))
        return {**head, "kind": "category", "labels": list(task.out.categories), "counts": shown_counts(counts, show_rows),
                "missing": len(truth) - len(known)}
    known = truth[np.isfinite(truth)]
    edges = nice_edges(known)
    counts = np.histogram(known, edges)[0] if len(edges) > 1 else np.array([])
    return {**head, "kind": "number", "edges": edges.tolist(), "counts": shown_counts(counts, show_rows),
            "missing": len(truth) - len(known)}


def nice_edges(values: np.ndarray, most: int = 24) -> np.ndarray:
    """Histogram edges at round numbers (steps of 1, 2 or 5 times a power of ten), at most about `most` bins."""
    if not len(values):
        return np.array([])
    low, high = float(values.min()), float(values.max())
    if low == high:
        return np.array([low - 0.5, low + 0.5])
    rough = (high - low) / min(most, max(6, int(np.sqrt(len(values)))))
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * next(s for s in (1, 2, 5, 10) if s * power >= rough * 0.999)
    first, last = np.floor(low / step), np.ceil(high / step)
    last += float(last * step <= high)  # the largest value lies inside the last bin
    return np.round(np.arange(first, last + 1) * step, 12)


def _reliability(found: Mapping[str, Any] | None, task: Any) -> list[dict[str, Any]]:
    """The calibration of one target (`asdict(Calibrated)`), or of several by name."""
    if not found:
        return []
    by_target = {task.target: found} if "bins" in found else found
    out = []
    for target, c in by_target.items():
        names = ("predicted", "observed", "low", "high", "n")
        bins = [dict(zip(names, b, strict=True)) for b in c["bins"] if b[4] >= FEWEST]
        out.append({"target": target, "of": c["of"], "bins": bins, "n": c["n_rows"],
                    **{short: [c[long], c[f"{long}_low"], c[f"{long}_high"]]
                       for short, long in (("slope", "slope"), ("intercept", "intercept"), ("error", "ece"))}})
    return out


def _subgroup(s: Mapping[str, Any]) -> dict[str, Any]:
    """One sub-group; counts under 5 become null."""
    hide = int(s["n_rows"]) < FEWEST
    counts = {k: None if hide else int(s[k]) for k in ("n_units", "n_rows")}
    return {"column": s["column"], "group": s["group"], **counts, "few": bool(s["few"]),
            **{k: s.get(k) for k in ("value", "low", "high", "gap", "bias", "bias_low", "bias_high")}}
