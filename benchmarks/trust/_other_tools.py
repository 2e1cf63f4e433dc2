"""deepchecks and evidently on one table after another, in a Python of their own that has them and not gnomon (others.py).

A line of JSON comes in on stdin, {"path", "target", "classes", "group", "columns"}: arrays by column in an npz file, one of
them `part` ("old" or "new"), which divides it into training and test rows; the checks asked (a name of CHECKS) and the
columns planted.
A line goes out: per tool and check whether a condition failed (a warning counts), whether every planted column was named
as failing, and the size of the statistic behind it, that of the planted column where there is one, else the largest. Every
check keeps its default conditions.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any

warnings.filterwarnings("ignore")
ANSWERS = os.fdopen(os.dup(1), "w")
sys.stdout = sys.stderr  # progress bars are no answers

import numpy as np
import pandas as pd
from deepchecks.core.errors import DeepchecksBaseError
from deepchecks.tabular import Dataset, checks
from deepchecks.tabular.suites import data_integrity, train_test_validation
from evidently import DataDefinition, Report
from evidently import Dataset as Table
from evidently.metrics import DuplicatedRowCount, MissingValueCount
from evidently.presets import DataDriftPreset, DataSummaryPreset

OUTSIDE = {"OutlierSampleDetection": lambda: checks.OutlierSampleDetection().add_condition_outlier_ratio_less_or_equal(),
           "ClassImbalance": lambda: checks.ClassImbalance().add_condition_class_ratio_less_than(),
           "PercentOfNulls": lambda: checks.PercentOfNulls().add_condition_percent_of_nulls_not_greater_than()}
LEAKS = ("FeatureLabelCorrelation", "FeatureLabelCorrelationChange")
# fault -> what of deepchecks could find it (those of OUTSIDE are in none of its default suites)
CHECKS = {"copies": ("DataDuplicates", "TrainTestSamplesMix"), "conflict": ("ConflictingLabels",), "leaks": LEAKS,
          "gaps": (*LEAKS, "PercentOfNulls"), "values": ("MixedNulls", "MixedDataTypes", "OutlierSampleDetection"),
          "uneven": ("ClassImbalance",), "inputs": ("FeatureDrift", "MultivariateDrift"), "target": ("LabelDrift",),
          "dated": ("FeatureDrift",), "any": ()}
SIZES: dict[str, Callable[[Any], Any]] = {  # check -> a number, or numbers by column
    "DataDuplicates": float, "TrainTestSamplesMix": lambda v: v["ratio"],
    "ConflictingLabels": lambda v: v["percent_of_conflicting_samples"], "FeatureLabelCorrelation": dict,
    "FeatureLabelCorrelationChange": lambda v: v["train"], "OutlierSampleDetection": lambda v: float((v > 0.7).mean()),
    "ClassImbalance": lambda v: 1 - min(v.values()) / max(v.values()), "PercentOfNulls": lambda v: v.iloc[:, 0].to_dict(),
    "FeatureDrift": lambda v: {c: d["Drift score"] for c, d in v.items()}, "LabelDrift": lambda v: v["Drift score"],
    "MultivariateDrift": lambda v: v["domain_classifier_drift_score"]}


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    held = np.load(asked["path"])
    frame = pd.DataFrame({n: held[n].astype(object) if held[n].dtype.kind == "U" else held[n] for n in held.files})
    return {"deepchecks": by_deepchecks(frame, asked), "evidently": by_evidently(frame, asked)}


# ---- deepchecks ----------------------------------------------------------------------------------------------------
def by_deepchecks(frame: pd.DataFrame, asked: dict[str, Any]) -> dict[str, Any]:
    old, new = frame["part"] == "old", frame["part"] == "new"
    whole, train, test = (dataset(frame[rows], asked) for rows in (old | new, old, new))
    wanted, out = CHECKS[asked["group"]], {}
    for suite, given in ((data_integrity(), (whole,)), (train_test_validation(), (train, test))):
        for check in suite.checks.values():
            name = type(check).__name__
            if (wanted and name not in wanted) or name in OUTSIDE or shown_already(name, out):
                continue
            out[name] = said(name, check, given, asked["columns"])
    for name in [n for n in OUTSIDE if not wanted or n in wanted]:
        if name != "ClassImbalance" or asked["classes"]:
            out[name] = said(name, OUTSIDE[name](), (whole,), asked["columns"])
    return out


def shown_already(name: str, out: dict[str, Any]) -> bool:
    """The slow drift of all columns together is asked only where no single column's showed it."""
    return name == "MultivariateDrift" and out.get("FeatureDrift", {}).get("failed", False)


def dataset(frame: pd.DataFrame, asked: dict[str, Any]) -> Any:
    frame = frame.drop(columns="part").reset_index(drop=True)
    dates = [c for c in frame.columns if frame[c].dtype.kind == "M"]
    words = [c for c in frame.columns if frame[c].dtype.kind == "O" and c != asked["target"]]
    kind = "regression" if not asked["classes"] else "binary" if frame[asked["target"]].nunique() == 2 else "multiclass"
    return Dataset(frame, label=asked["target"], cat_features=words, label_type=kind,
                   datetime_name=dates[0] if dates else None)


def said(name: str, check: Any, given: tuple[Any, ...], columns: list[str]) -> dict[str, Any]:
    try:
        result = check.run(*given, with_display=False)
    except DeepchecksBaseError as error:  # a check that does not fit the data says so by raising, and is no alarm
        return {"failed": False, "named": False, "size": 0.0, "not_run": f"{type(error).__name__}: {error}"[:120]}
    bad = [c.details for c in result.conditions_results if c.category.name in ("FAIL", "WARN")]
    size = SIZES[name](result.value) if name in SIZES else float(bool(bad))
    return {"failed": bool(bad), "named": bool(bad) and all(any(repr(c) in d for d in bad) for c in columns),
            "size": sized(size, columns)}


def sized(size: Any, columns: list[str]) -> float:
    """Of sizes by column the least of the planted columns, or the largest of all."""
    if not isinstance(size, dict):
        return float(size)
    known = [float(v) for c, v in size.items() if not columns or c in columns]
    known = [v for v in known if np.isfinite(v)] or [0.0]
    return min(known) if columns else max(known)


# ---- evidently -----------------------------------------------------------------------------------------------------
def by_evidently(frame: pd.DataFrame, asked: dict[str, Any]) -> dict[str, Any]:
    old, new = (frame[frame["part"] == p].drop(columns="part").reset_index(drop=True) for p in ("old", "new"))
    whole, group, target = frame.drop(columns="part"), asked["group"], asked["target"]
    inputs = [c for c in whole.columns if c != target and whole[c].dtype.kind != "M"]
    if group == "copies":
        return tests([DuplicatedRowCount()], whole, None, asked)
    if group == "gaps":
        return tests([MissingValueCount(column=c) for c in asked["columns"]], whole, None, asked)
    if group in ("inputs", "target", "dated"):
        columns = [target] if group == "target" else inputs
        return tests([DataDriftPreset(columns=columns)], new, old, {**asked, "columns": asked["columns"] or []})
    if group == "any":
        return {**tests([DataSummaryPreset()], whole, None, asked), **tests([DataDriftPreset()], new, old, asked)}
    return {}  # its presets hold no test of such a fault


def tests(metrics: list[Any], current: pd.DataFrame, reference: pd.DataFrame | None, asked: dict[str, Any]) -> dict[str, Any]:
    """Failed default tests by their metric; sizes: rows twice, share missing, 1 - p of a column's drift."""
    ran = Report(metrics, include_tests=True).run(table(current, asked), None if reference is None else table(reference, asked))
    told = ran.dict()
    values = {m["id"]: m["value"] for m in told["metrics"]}
    out: dict[str, Any] = {}
    for test in told["tests"]:
        about = test["metric_config"]
        metric, column = about["params"]["type"].split(":")[-1], about["params"].get("column")
        if metric == "ValueDrift":
            metric = "ValueDrift of the target" if column == asked["target"] else metric
        one = out.setdefault(metric, {"failed": False, "columns": [], "sizes": {}})
        bad = test["status"].name in ("FAIL", "ERROR")
        one["failed"] |= bad
        one["columns"] += [column] if bad and column else []
        one["sizes"][str(column)] = size_of(metric, values[about["metric_id"]], about["params"])
    return {m: {"failed": o["failed"], "named": o["failed"] and set(asked["columns"]) <= set(o["columns"]),
                "size": sized(o["sizes"].get("None", o["sizes"]), asked["columns"])} for m, o in out.items()}


def size_of(metric: str, value: Any, params: dict[str, Any]) -> float:
    if metric.startswith("ValueDrift"):
        return 1 - float(value) if "p_value" in params["method"] else float(value)
    if isinstance(value, dict):
        return float(value.get("share", value.get("count", 0.0)))
    return float(value)


def table(frame: pd.DataFrame, asked: dict[str, Any]) -> Any:
    kinds = {c: frame[c].dtype.kind for c in frame.columns}
    words = [c for c, k in kinds.items() if k == "O"]
    return Table.from_pandas(frame, data_definition=DataDefinition(
        numerical_columns=[c for c, k in kinds.items() if k == "f"], categorical_columns=words,
        datetime_columns=[c for c, k in kinds.items() if k == "M"]))


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=ANSWERS, flush=True)
