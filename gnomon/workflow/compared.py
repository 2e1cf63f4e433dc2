"""Compare finished studies: predictors on the rows that judged both, or methods over several splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gnomon.errors import InputError
from gnomon.values import plain
from gnomon.workflow._folder import Folder, read_json
from gnomon.workflow._predictions import load_prediction
from gnomon.workflow._unfinished import unfinished


def compare_studies(folders: Sequence[Folder]) -> dict[str, Any]:
    """Studies of one data set and target compared.

    One split: the delivered predictors, pairwise, on the rows that judged. Different splits: the methods that all of them
    trained, over the resplits. p-values are Holm-corrected over the pairs, and a pair is called better by the corrected
    one. Raises E-COMPARE when data or target differ.
    """
    if len(folders) < 2:
        raise InputError("E-COMPARE", "one study cannot be compared", do="name two or more study folders")
    loaded = [_judged_rows(folder) for folder in folders]
    first = loaded[0]
    for folder, one in zip(folders[1:], loaded[1:], strict=True):
        for what in ("data", "target"):
            if one[what] != first[what]:
                raise InputError(
                    "E-COMPARE",
                    f"{folder.path} differs from {folders[0].path} in its {what}: rows cannot be paired",
                    do="study the same file with the same --target and the same --split",
                )
    if any(one["folds"] != first["folds"] or one["rows"] != first["rows"] for one in loaded):
        return _over_resplits(folders, first)
    return _same_split(folders, loaded)


def _same_split(folders: Sequence[Folder], loaded: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The delivered predictors on the rows that judged them all."""
    from dataclasses import asdict
    from itertools import combinations

    from gnomon.analyses.validate.compare import compare
    from gnomon.methods._network import task_from

    task, units = task_from(loaded[0]["task"]), loaded[0]["units"]
    stats = [task.measure(one["prediction"], one["truth"]) for one in loaded]
    pairs = [{"a": str(folders[i].path), "b": str(folders[j].path), "positive_means": "a better",
              **{k: v for k, v in asdict(compare(task, stats[i], stats[j], units, margin=None)).items()
                 if k != "positive_means"}} for i, j in combinations(range(len(folders)), 2)]
    pairs = [{**p, **_said(p, task.metric.name, len(np.unique(units)))} for p in holm(pairs)]
    return plain({"of": "delivered predictors", "metric": task.metric.name, "pairs": pairs,
                  "scores": {str(f.path): task.score(s) for f, s in zip(folders, stats, strict=True)},
                  "correction": "Holm over the pairs",
                  "scope": "these predictors on these rows; nothing is said of the methods behind them, which takes 5 or more "
                           "resplits"})


def _said(pair: Mapping[str, Any], metric: str, units: int) -> dict[str, str]:
    """Outcome and sentence: better only by the corrected p; the interval is of this pair alone."""
    if pair["low"] is None or pair["p"] is None:
        return {"outcome": "undetermined", "claim": f"{units} units are too few to compare the two"}
    gap = f"{abs(pair['value']):.3g} [{min(abs(pair['low']), abs(pair['high'])):.3g}, " \
          f"{max(abs(pair['low']), abs(pair['high'])):.3g}]"
    better, worse = (pair["a"], pair["b"]) if pair["value"] >= 0 else (pair["b"], pair["a"])
    if pair["p_corrected"] < 0.05 and pair["low"] * pair["high"] > 0:
        return {"outcome": "better" if pair["value"] > 0 else "worse",
                "claim": f"the predictor of {better} beats that of {worse} on these {units} units: {metric} better by {gap}"}
    why = " after correction for the number of pairs" if pair["p"] < 0.05 else ""
    return {"outcome": "undetermined", "claim": f"{pair['a']} and {pair['b']} cannot be told apart on these {units} units{why}"
            f": {metric} differs by {pair['value']:.3g} [{pair['low']:.3g}, {pair['high']:.3g}]"}


def _over_resplits(folders: Sequence[Folder], first: Mapping[str, Any]) -> dict[str, Any]:
    """Methods that every study trained, on the splits of each."""
    from gnomon.workflow._resplits import compare_methods, method_words

    reports = [read_json(folder / "report.json") for folder in folders]
    metric = reports[0]["task"]["targets"][0]["metric"]
    pairs = [{**p, "claim": method_words(p, metric)} for p in holm(compare_methods(reports))]
    if not pairs:
        raise InputError("E-COMPARE", "these studies have different splits and share no two candidates",
                         do="study the same file with the same --split to compare predictors, or train the same models in each")
    return plain({"of": "methods over resplits", "metric": metric, "pairs": pairs, "scores": {},
                  "correction": "Holm over the pairs",
                  "scope": "validation scores of the candidates that all studies trained, each on its own split"})


def holm(pairs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Adds `p_corrected` (Holm 1979) to each pair."""
    known = sorted((p for p in pairs if p["p"] is not None), key=lambda p: p["p"])
    so_far = 0.0
    for rank, pair in enumerate(known):
        so_far = max(so_far, min(1.0, pair["p"] * (len(known) - rank)))
        pair["p_corrected"] = so_far
    return pairs


def _judged_rows(folder: Folder) -> dict[str, Any]:
    """The delivered model's predictions of the rows that judged, as saved at the verdict."""
    made, data = read_json(folder / "delivered.json"), read_json(folder / "data.json")
    path = folder / "judged.parquet"
    if not made or not path.exists():
        raise unfinished(folder, "no verdict")
    import pyarrow.parquet as pq

    rows, prediction = load_prediction(path)
    extra = pq.read_table(folder / "judged_truth.parquet")
    names = [n for n in extra.column_names if n.startswith("truth")]
    truth = np.stack([extra[n].to_numpy() for n in names], axis=1)
    return {
        "task": made["task"],
        "target": _aims(made["task"]),
        "data": data["hash"],
        "folds": _folds_key(folder),
        "rows": rows.tolist(),
        "prediction": prediction,
        "truth": truth[:, 0] if len(names) == 1 else truth,
        "units": extra["unit"].to_numpy(),
    }


def _aims(task: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(target, kind of task, metric) of each target; scales learned from training rows are left out."""
    return [(t["target"], t["name"], t["metric"]) for t in task.get("tasks", [task])]


def _folds_key(folder: Folder) -> str:
    """Which rows each fold scored: equal for equal splits."""
    import hashlib

    import pyarrow.parquet as pq

    table = pq.read_table(folder / "split.parquet")
    names = sorted(n for n in table.column_names if n.startswith("fold") or n == "test")
    return hashlib.sha256("|".join(str(table[n].to_pylist()) for n in names).encode()).hexdigest()[:16]
