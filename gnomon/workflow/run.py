"""Run one candidate on one fold with one seed, keep what it learned, and never do it twice."""

from __future__ import annotations

import inspect
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.card import catalogue, load
from gnomon.data.parts import Parts, Rows
from gnomon.data.split import carve_stop
from gnomon.data.table import Data
from gnomon.errors import GnomonError, InputError, TrainingError
from gnomon.methods._desk import Desk
from gnomon.methods._trust import RUN_HERE, file_hash, trust
from gnomon.tasks._task import Prediction
from gnomon.tasks.logit_adjustment import decided
from gnomon.values import Recipe
from gnomon.workflow._floors import floor_prediction, same_by_level
from gnomon.workflow._folder import Folder, read_json, write_json
from gnomon.workflow._predictions import average, load_prediction, save_prediction, scatter


@dataclass(frozen=True)
class Bench:
    """What every run of a study shares."""

    data: Data
    task: Any
    parts: Parts
    labels: np.ndarray | None
    folder: Folder
    desk: Desk
    seed: int
    key: str  # digest of data, roles and split: a run made for another is not reused
    trusted: Mapping[str, str]  # the user's own code: file -> hash, only with --trust-code
    mended: Data | None = None  # the same rows with labels a person corrected: training reads these, judging never does


@dataclass(frozen=True)
class Run:
    """One candidate with all its folds and seeds: out-of-fold predictions, and where the learned things lie."""

    recipe: Recipe
    rows: np.ndarray  # rows predicted out of fold, sorted
    oof: Prediction  # mean over seeds and repeats
    by_seed: tuple[Prediction, ...]
    folders: tuple[Path, ...]
    seconds: float
    peak_mb: float
    cut: str = ""


def execute(bench: Bench, recipe: Recipe, seeds: int, *, enough: Callable[[float], bool] = lambda seconds: False,
            ledger: Any = None) -> Run | None:
    """All folds of `seeds` seeds; finished ones are loaded. None when the clock ran out before one seed was whole.

    enough(seconds) is asked between folds, with what the folds left of this seed need at the pace of the last one: once it
    says yes, no further fold starts.
    """
    if recipe.model == "floor":
        return floor_run(bench, recipe)
    done: list[Prediction] = []
    folders: list[Path] = []
    seconds, pace, peak, cut = 0.0, 0.0, 0.0, ""
    rows, count = valid_rows(bench.parts), len(bench.parts.folds)
    for number in range(seeds):
        pieces = []
        for k in range(count):
            place = bench.folder.path / "runs" / recipe.hash / str(number) / f"fold{k}"
            finished = _finished(bench, recipe, place)
            if finished is None and enough(pace * (count - k)):
                cut = f"stopped by the budget after {number} of {seeds} seeds"
                break
            finished = finished or _one(bench, recipe, k, number, place, ledger)
            pieces.append(load_prediction(place / "predictions.parquet"))
            pace, peak = finished["seconds"], max(peak, finished["peak_mb"])
            seconds += pace
            folders.append(place)
        if cut:
            break
        done.append(scatter(len(bench.data), pieces).take(rows))
    if not done:
        return None
    whole = count * len(done)
    return Run(recipe, rows, average(done), tuple(done), tuple(folders[:whole]), seconds, peak, cut)


def valid_rows(parts: Parts) -> np.ndarray:
    """Every row that some fold scores, sorted."""
    return np.unique(np.concatenate([fold.valid for fold in parts.folds]))


def floor_run(bench: Bench, recipe: Recipe) -> Run:
    """What knowing nothing but the training targets, and the columns its options name, scores on each fold."""
    started = time.perf_counter()
    pieces = [(fold.valid, floor_prediction(bench.task, bench.data, recipe.options, fold.train, fold.valid))
              for fold in bench.parts.folds]
    rows = valid_rows(bench.parts)
    oof = scatter(len(bench.data), pieces).take(rows)
    if len(pieces) > 1 and "latest" not in recipe.options and not bench.parts.fold_policy.startswith("time"):
        oof = same_by_level(oof, bench.data, recipe.options, rows)
    return Run(recipe, rows, oof, (oof,), (), time.perf_counter() - started, 0.0)


def _finished(bench: Bench, recipe: Recipe, place: Path) -> dict[str, Any] | None:
    """The record of a finished run that was made for this data, split and code; else None."""
    record = read_json(place / "run.json")
    if record and record["key"] == bench.key and record["code"] == code_version(recipe, bench.trusted):
        return record
    return None


def _one(bench: Bench, recipe: Recipe, k: int, number: int, place: Path, ledger: Any) -> dict[str, Any]:
    """Fit one fold, predict its validation rows, save. `run.json` is written last: it says the run is whole."""
    started = time.perf_counter()
    fold = bench.parts.folds[k]
    try:
        learned = fit(bench, recipe, fold.train, number, k, place)
    except TrainingError as error:
        if error.code == "E-DEADLINE" and ledger is not None:  # its seconds are spent: the same command must not begin again
            ledger.note("cut", recipe=recipe.hash, model=recipe.model, seed=number, fold=k,
                        seconds=round(time.perf_counter() - started, 4))
        raise
    prediction = learned.predict(bench.data, fold.valid)
    learned.save(place)
    save_prediction(place / "predictions.parquet", fold.valid, prediction)
    recipe_as_written = {"task": recipe.task, "model": recipe.model, "method": recipe.method,
                         "options": dict(recipe.options), "steps": recipe.steps, "because": recipe.because}
    write_json(place.parents[1] / "recipe.json", recipe_as_written)
    record = {"key": bench.key, "code": code_version(recipe, bench.trusted), "fold": k, "seed": number,
              "seconds": round(time.perf_counter() - started, 4), "peak_mb": peak_mb()}
    write_json(place / "run.json", record)
    if ledger is not None:
        ledger.note("run", recipe=recipe.hash, model=recipe.model, seed=number, fold=k, seconds=record["seconds"])
    return record


def fit(bench: Bench, recipe: Recipe, train: np.ndarray, number: int, k: int | str, place: Path | None,
        data: Data | None = None) -> Any:
    """Train a recipe on these rows; `data` may differ from the bench's (permuted labels, a column removed)."""
    from gnomon.rng import key

    method, method_options, build = parts_of(recipe, bench.trusted)
    kept, stop = carve_stop(bench.parts.units, train, bench.labels, bench.seed, recipe.hash, number, k)
    first = (number, k) == (0, 0)  # of a recipe, one run's states over time are enough to look at
    desk = replace(bench.desk, steps=recipe.steps, folder=place, snapshots=bench.desk.snapshots if first else 0)
    seed = key(bench.seed, recipe.hash, number, k) % 2**31
    data = data or bench.mended or bench.data
    return method(bench.task, build, data, Rows(kept, stop), seed, desk, **method_options)


def parts_of(recipe: Recipe, trusted: Mapping[str, str]) -> tuple[Callable[..., Any], dict[str, Any], Callable[..., Any]]:
    """(method, its options, the model's builder with its options bound)."""
    method = load(recipe.method)
    takes = set(inspect.signature(method).parameters)
    builder = _users_own(recipe.model, trusted) if ".py:" in recipe.model else load(recipe.model)
    options = {k: tuple(v) if isinstance(v, list) else v for k, v in recipe.options.items()}
    model_options = {k: v for k, v in options.items() if k not in takes}
    unknown = set(model_options) - set(inspect.signature(builder).parameters)
    if unknown:
        raise InputError("E-PLAN-OPTION", f"'{recipe.model}' has no option {', '.join(sorted(unknown))}",
                         do=f"options: {', '.join(sorted(inspect.signature(builder).parameters))}")
    return method, {k: v for k, v in options.items() if k in takes}, partial(builder, **model_options)


def _users_own(name: str, trusted: Mapping[str, str]) -> Callable[..., Any]:
    """`file.py:function` of the user's, run only when the file was named with --trust-code and has not changed since."""
    file, _, function = name.rpartition(":")
    path = next((Path(p) for p in trusted if Path(p).name == Path(file).name), None)
    if path is None:
        raise InputError("E-TRUST", f"the plan asks for code in '{file}', which was not trusted",
                         do=f"read it; if you trust it: --trust-code {file}")
    if file_hash(path) != trusted[str(path)]:
        raise InputError("E-TRUST", f"'{path}' changed while the study ran", do="type the command again")
    build = RUN_HERE.get((trust(path), function))
    if build is None:
        raise InputError("E-TRUST", f"'{path}' has no function '{function}'", do="name one of its functions")
    return build


@cache
def _source_hash(key: str) -> str:
    module = catalogue()[key].module
    root = Path(sys.modules["gnomon"].__file__).parent  # type: ignore[arg-type]
    return file_hash(root.joinpath(*module.split(".")[1:]).with_suffix(".py"))


def code_version(recipe: Recipe, trusted: Mapping[str, str]) -> str:
    """Changes when the files of the recipe's model or method change, so that stale runs are not reused."""
    model = next((h for p, h in trusted.items() if Path(p).name == Path(recipe.model.split(":")[0]).name), None)
    return f"{model or _source_hash(recipe.model)}-{_source_hash(recipe.method)}"


def peak_mb() -> float:
    """The most memory this process has held, in MB (Linux counts kilobytes, macOS bytes)."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(most / (1 if sys.platform == "darwin" else 1024) / (1024 if sys.platform == "darwin" else 1), 1)


@dataclass(frozen=True)
class Delivered:
    """What `predict` uses: the weighted mean of everything learned, each fold's and each seed's model by itself.
    tilt: weights of the classes in the decision (gnomon.tasks.logit_adjustment)."""

    members: tuple[Any, ...]
    weights: tuple[float, ...]
    tilt: tuple[float, ...] = ()

    def predict(self, data: Data, rows: np.ndarray) -> Prediction:
        return decided(average([one.predict(data, rows) for one in self.members], self.weights), self.tilt)


def weighed(groups: Sequence[tuple[float, Sequence[Any]]], tilt: Sequence[float] = ()) -> Delivered:
    """Members of each group share the group's weight evenly."""
    return Delivered(tuple(one for _, group in groups for one in group),
                     tuple(weight / len(group) for weight, group in groups for _ in group), tuple(tilt))


def deliver(bench_folder: Path, described: Sequence[Mapping[str, Any]]) -> Delivered:
    """Load the members named in delivered.json: [{"weight", "folders"}], folders relative to the study."""
    from gnomon.methods._learned import load_learned

    groups = []
    for member in described:
        places = [inside(bench_folder, str(f)) for f in member["folders"]]
        gone = [p for p in places if not (p / "learned.json").exists()]
        if gone:
            raise GnomonError("E-STUDY-FILE", f"{gone[0]} is missing: the model cannot be loaded",
                              do="type the study's command again")
        groups.append((float(member["weight"]), [load_learned(p) for p in places]))
    return weighed(groups, described[0].get("tilt", ()) if described else ())


def inside(base: Path, name: str) -> Path:
    """A path inside the study; one that points out of it is refused, for the folder may be a stranger's."""
    path = (base / name).resolve()
    if not path.is_relative_to(base.resolve()):
        raise InputError("E-STUDY-FILE", f"{base / 'delivered.json'} points outside the study: '{name}'",
                         do="do not use this folder")
    return path
