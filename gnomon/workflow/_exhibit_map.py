"""The map of the data for the report: several layouts of the same rows, coloured by target, by part and by error.

Layouts: the inputs by PCA; by UMAP where the budget is five minutes or more; and what the recommended network makes of
them, where there is one. `map_layouts` makes them, `map_exhibit` turns them into what the page reads.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np

from gnomon.data.parts import Parts
from gnomon.data.table import Data
from gnomon.rng import stream
from gnomon.workflow._folder import read_json
from gnomon.workflow._gallery import CLASSES, Gallery, shown, tasks_of

MAP_POINTS = 2000
MAP_SECONDS = 3.0  # for drawing what stands behind the points
BANDS = 7  # colours of a number on the map
UMAP_BUDGET = 300.0  # seconds of budget from which UMAP is worth its compilation
UMAP_SECONDS = 45.0  # of processor time left in the budget: what compiling and two layouts take on a slow machine
INSIDE_SECONDS = 5.0  # left of the budget: to ask the network for its representation
PLACED = "the target took no part in placing the points."
JUDGED_SHARE = 0.25  # of the points must have been judged for a colouring by error


def map_layouts(data: Data, *, seed: int = 0, budget: float = 0.0, left: float = 0.0, best: Any = None
                ) -> list[dict[str, Any]]:
    """Layouts of the same rows for `map_exhibit`. budget, left: seconds, of the study and of it now; best: the recommended
    candidate, or None. One that cannot be made is left out: a picture is never worth a study."""
    from gnomon.analyses.explore.map_points import map_points

    umap = budget >= UMAP_BUDGET and left >= UMAP_SECONDS and left >= UMAP_SECONDS * _slowness()
    try:
        points = map_points(data, seed=seed, umap=umap)
    except Exception:
        if not umap:
            raise
        points, umap = map_points(data, seed=seed), False
    out = [{**points, "technique": "PCA", "note": f"PCA of the inputs; {PLACED} Distances in a flat map are approximate."}]
    if "umap" in points:
        out.append({**points["umap"], "rows": points["rows"], "technique": "UMAP", "note": _umap_note(
            "UMAP of the inputs", points["umap"]["trust"]) + f" {PLACED.capitalize()}"})
    if left >= INSIDE_SECONDS:
        try:
            out += _inside(data, np.asarray(points["rows"]), best, seed, umap)
        except Exception:  # a network of the user's own that can no longer be built, say
            return out
    return out


def _slowness() -> float:
    """Wall seconds that a second of processor time takes now: above 1 where other programs want the processor too."""
    numbers, wall, start = np.arange(20_000.0), time.perf_counter(), time.process_time()
    while time.process_time() - start < 0.2:
        np.sort(-numbers)
    return max(1.0, (time.perf_counter() - wall) / (time.process_time() - start))


def _umap_note(what: str, trust: float) -> str:
    return (f"{what}: neighbours mean something, sizes of clusters and distances between them do not "
            f"(neighbourhoods kept: {trust:.2f}, where 1 is all and 0.5 is chance).")


def _inside(data: Data, positions: np.ndarray, best: Any, seed: int, umap: bool) -> list[dict[str, Any]]:
    """Where the recommended network puts the same rows before its last layer: by PCA, and by UMAP where asked."""
    from gnomon.analyses.represent.embedding_map import embedding_map

    found = representing(best)
    if found is None:
        return []
    label, network = found
    place = {int(p): i for i, p in enumerate(data.position)}
    held = network.embed(data, np.array([place[int(p)] for p in positions], dtype=np.int64))
    out = []
    for technique in ("PCA", "UMAP") if umap else ("PCA",):
        flat = embedding_map(held, technique=technique, most=len(held), seed=seed)
        if flat.technique != technique:
            continue
        what = f"{technique} of the last hidden layer of {label} (one of its trained copies)"
        note = _umap_note(what, flat.trust) if technique == "UMAP" else f"{what}; distances in a flat map are approximate."
        note += " It was trained on the target: that training rows lie in order is no evidence, that validation rows do is."
        out.append({"x": flat.x, "y": flat.y, "rows": positions, "explained": flat.explained, "inside": True, "note": note,
                    "technique": f"{label}, hidden layer" + (" (UMAP)" if technique == "UMAP" else "")})
    return out


def representing(best: Any) -> tuple[str, Any] | None:
    """(label, network) of the recommended candidate's weightiest deep member: its first fold and seed; None without one."""
    from gnomon.methods._learned import load_learned

    for _, run in sorted(best.members if best is not None else (), key=lambda m: -m[0]):
        if run.recipe.family == "deep" and run.folders and (read_json(run.folders[0] / "learned.json") or {}).get(
                "kind") == "network":
            return run.recipe.label, load_learned(run.folders[0])
    return None


def map_exhibit(gallery: Gallery, points: Any, task: Any, parts: Parts, judged: list[dict[str, Any]], *,
                seed: int = 0) -> dict[str, Any] | None:
    """`exhibits["map"]`. Sealed rows have no target here: they are grey, and named as sealed."""
    data = gallery.data
    layouts = [points] if isinstance(points, Mapping) else list(points)
    place = {int(p): i for i, p in enumerate(data.position)}
    position = np.asarray(layouts[0]["rows"])
    keep = np.sort(stream(seed, "map points").permutation(len(position))[:MAP_POINTS])
    rows = np.array([place[int(p)] for p in position[keep]], dtype=np.int64)
    if len(rows) < 3:
        return None
    sealed = np.isin(rows, parts.test)
    colours = [c for t in tasks_of(task)[:4] if (c := _coloured(data, t, rows, sealed))]
    if len(parts.test) or any(entry.get("inside") for entry in layouts):
        train = np.isin(rows, parts.folds[0].train)
        codes = np.where(sealed, 2, np.where(train, 0, 1))
        levels = ["train", "validation", *(["test (sealed)"] if len(parts.test) else [])]
        colours.append({"name": "part", "kind": "category", "levels": levels, "codes": codes.tolist(), "rest": ""})
    colours += _missed(judged, rows)
    order = stream(seed, "map pictures").permutation(len(rows))
    drawn = _drawn(gallery, rows, order) if gallery.open else {}
    return {"layouts": [_layout(entry, keep) for entry in layouts], "of": len(data), "colours": colours,
            "pictures": [drawn.get(i, -1) for i in range(len(rows))],
            "labels": _labels(data, task, rows, sealed) if gallery.open else None,
            "rows": position[keep].tolist() if gallery.open else None}


def _drawn(gallery: Gallery, rows: np.ndarray, order: np.ndarray) -> dict[int, int]:
    """Point -> its picture, in this order for MAP_SECONDS: the others show their label only."""
    until, drawn = time.monotonic() + MAP_SECONDS, {}
    for i in order.tolist():
        if time.monotonic() > until:
            break
        drawn[i] = gallery.add(int(rows[i]))
    return drawn


def _layout(points: Mapping[str, Any], keep: np.ndarray) -> dict[str, Any]:
    """Coordinates as whole numbers 0 to 1000; axes say their share of the spread where known."""
    def whole(values: Any) -> list[int]:
        v = np.asarray(values, dtype=float)[keep]
        low, high = float(np.min(v)), float(np.max(v))
        return [round(1000 * (x - low) / max(high - low, 1e-12)) for x in v.tolist()]

    shares = points.get("explained") or []
    axes = [f"axis {k + 1}" + (f", {shares[k]:.0%} of the spread" if k < len(shares) else "") for k in range(2)]
    return {"technique": str(points.get("technique", "PCA")), "axes": axes,
            "note": str(points.get("note", "")), "x": whole(points["x"]), "y": whole(points["y"])}


def _coloured(data: Data, task: Any, rows: np.ndarray, sealed: np.ndarray) -> dict[str, Any] | None:
    """The target as colours: classes, or bands with equal numbers of rows; sealed rows have none."""
    truth = np.asarray(task.truth(data, rows), dtype=float)
    hidden = sealed | ~np.isfinite(truth)
    if task.name == "classify":
        if len(task.out.categories) > CLASSES:
            return None
        codes = np.where(hidden | (truth < 0), -1, np.nan_to_num(truth, nan=-1)).astype(int)
        levels, kind = list(map(str, task.out.categories)), "category"
    else:
        if hidden.all():
            return None
        codes, levels = bands(truth, ~hidden)
        kind = "number"
    rest = "sealed test rows" if sealed.any() else "no value"
    return {"name": task.target, "kind": kind, "levels": levels, "codes": codes.tolist(), "rest": rest}


def bands(values: np.ndarray, known: np.ndarray, count: int = BANDS) -> tuple[np.ndarray, list[str]]:
    """Codes of `count` bands with equal numbers of known values, -1 elsewhere, and what each band holds."""
    edges = np.unique([float(f"{q:.3g}") for q in np.quantile(values[known], np.linspace(0, 1, count + 1)[1:-1])])
    codes = np.where(known, np.searchsorted(edges, np.nan_to_num(values), side="right"), -1)
    if not len(edges):
        return codes, ["all equal"]
    said = [f"{edge:g}".replace("-", "\N{MINUS SIGN}") for edge in edges]
    return codes, [f"below {said[0]}", *(f"{a} to {b}" for a, b in pairwise(said)), f"{said[-1]} and above"]


def _missed(judged: list[dict[str, Any]], rows: np.ndarray) -> list[dict[str, Any]]:
    """Where the model errs, when at least a quarter of the points were judged (one target only)."""
    if len(judged) != 1:
        return []
    j = judged[0]
    place = {int(r): i for i, r in enumerate(j["rows"])}
    at = np.array([place.get(int(r), -1) for r in rows])
    known = at >= 0
    if known.mean() < JUDGED_SHARE:
        return []
    if j["kind"] == "category":
        right = (j["value"] == j["truth"])[at]
        codes, levels = np.where(known, np.where(right, 0, 1), -1), ["predicted right", "predicted wrong"]
        kind = "category"
    else:
        codes, levels = bands(j["size"][at], known)
        kind = "number"
    return [{"name": "size of the error" if kind == "number" else "right or wrong", "kind": kind, "levels": levels,
             "codes": codes.tolist(), "rest": "not judged"}]


def _labels(data: Data, task: Any, rows: np.ndarray, sealed: np.ndarray) -> list[str]:
    """Each point's target(s) as text; sealed rows keep theirs."""
    tasks = tasks_of(task)[:4]
    columns = [[shown(t, v) for v in np.asarray(t.truth(data, rows), dtype=float)] for t in tasks]
    if len(tasks) == 1:
        said = columns[0]
    else:
        said = ["; ".join(f"{t.target}: {v}" for t, v in zip(tasks, values, strict=True) if v)
                for values in zip(*columns, strict=True)]
    return ["sealed" if s else text for s, text in zip(sealed, said, strict=True)]
