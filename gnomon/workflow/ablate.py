"""Run a candidate again without one of its parts, on the same folds with the same seeds, and compare row by row.

Out-of-fold rows only: the sealed part is never opened for it.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.validate.compare import compare
from gnomon.card import Card, load
from gnomon.data.parts import Rows
from gnomon.data.split import carve_stop
from gnomon.data.table import Data
from gnomon.errors import InputError
from gnomon.rng import key
from gnomon.tasks._task import Prediction
from gnomon.values import Recipe, plain, turned
from gnomon.workflow._again import Reopened, reopened
from gnomon.workflow._folder import Folder, read_json, write_json
from gnomon.workflow._predictions import average, scatter
from gnomon.workflow.caruana import cross_fitted
from gnomon.workflow.options import Options
from gnomon.workflow.run import parts_of

CARD = Card(
    name="Ablation",
    gist="Trains a candidate again without one part (a column, a kind of feature, augmentation, a loss term, a member of "
         "the ensemble) on the same folds and seeds; paired difference with its interval.",
    use_when="A part costs time, money or trust, and the question is what it contributes.",
    avoid_when="Two columns say the same: leaving out either alone changes nothing, though the pair matters.",
    paper="Raghu & Schmidt 2020, arXiv:2003.11755, section 2.2; Bouthillier et al. 2021, arXiv:2103.03098",
    survey=("W9",),
    tasks=("classify", "regress", "several"),
    needs=("labels",),
    cost="minutes",
)
FILE = "ablations.json"
START = ("pretrained", "weights", "start")  # options of methods that begin from weights learned before
OFF: Mapping[str, tuple[str, Any]] = {"augment": ("augmentation", "none"), "dropout": ("dropout", 0.0),
                                      "weight_decay": ("weight decay", 0.0)}


@dataclass(frozen=True)
class Part:
    """One thing that can be left out. name: "column:NAME", "view:KEY", "loss:TERM", "member:HASH", or an option's word."""

    name: str
    what: str


@dataclass(frozen=True)
class Changed:
    """A candidate without the part: what it trains on, by which recipe, for which task."""

    data: Data
    recipe: Recipe
    task: Any


def ablate(folder: Folder, source: Any, options: Options, part: str | None = None, *, candidate: str | None = None,
           voice: Any) -> dict[str, Any]:
    """Without `part`: {"candidate", "parts"}. With it: scores with and without, the paired difference (positive: the part
    helps) with its interval, and a sentence; added to the study's ablations.json.

    candidate: the beginning of a recipe's hash; None = the recommended one. Raises E-ABLATE, E-CANDIDATE, E-NO-MODEL.
    """
    again = reopened(folder, source, options, voice)
    recipe = again.recipe(candidate)
    known = parts_that(again, recipe)
    if part is None:
        return {"candidate": recipe.label, "recipe": recipe.hash, "parts": [asdict(p) for p in known]}
    chosen = named(part, known)
    started = time.perf_counter()
    with_it, rows = _on_record(again, recipe)
    without = _without(again, recipe, chosen, voice)
    task = again.bench.task
    truth = task.truth(again.bench.data, rows)
    stats = [task.measure(p, truth) for p in (with_it, without)]
    d = compare(task, *stats, again.bench.parts.units[rows], margin=None, seed=again.bench.seed)
    told = {"part": chosen.name, "candidate": recipe.label, "recipe": recipe.hash, "metric": task.metric.name,
            "with": task.score(stats[0]), "without": task.score(stats[1]), **asdict(d), "positive_means": "the part helps",
            "rows": len(rows), "units": len(np.unique(again.bench.parts.units[rows])), "unit": again.bench.parts.unit,
            "seconds": round(time.perf_counter() - started, 1)}
    told = plain({**told, "claim": words_of(told, again.bench.parts.unit)})
    earlier = [e for e in read_json(folder / FILE, []) if (e["part"], e["recipe"]) != (chosen.name, recipe.hash)]
    write_json(folder / FILE, [*earlier, told])
    return told


def words_of(told: Mapping[str, Any], unit: str) -> str:
    """One sentence, no more than the interval allows, about this predictor on these rows."""
    found = told["value"], told["low"], told["high"]
    harms = told["high"] is not None and told["high"] < 0
    value, low, high = turned(*found) if harms else found
    limits = f" [{low:.3g}, {high:.3g}]" if low is not None else " (too few units for an interval)"
    head = (f"(valid) without {told['part']} {told['candidate']} scores {told['metric']} {told['without']:.3g} instead of "
            f"{told['with']:.3g}: ")
    if low is not None and low > 0:
        return f"{head}the part {'harms' if harms else 'helps'} by {value:.3g}{limits}"
    many = f"{told['units']} {'rows' if unit == 'row' else f'units ({unit})'}"
    return f"{head}a difference of {value:.3g}{limits}, which {many} cannot tell from none"


def parts_that(again: Reopened, recipe: Recipe) -> list[Part]:
    """What can be left out of this candidate."""
    if recipe.family == "ensemble":
        members = [Part(f"member:{h}", f"{again.recipe(h).label}, weight {w}") for h, w in recipe.options["weights"].items()]
        return [*members, *_columns(again)]
    method = load(recipe.method)
    out = [*_columns(again), *_views(again, recipe)]
    takes = {**inspect.signature(method).parameters}
    if ".py:" not in recipe.model:
        takes = {**inspect.signature(load(recipe.model)).parameters, **takes}
    for option, (word, off) in OFF.items():
        now = recipe.options.get(option, takes[option].default if option in takes else off)
        if now != off and (option != "augment" or again.bench.data.of_kind("image")):
            out.append(Part(word, f"{option} = {now}"))
    out += [Part("pretraining", f"{o} = {recipe.options[o]}") for o in START if recipe.options.get(o)]
    if recipe.steps and again.bench.task.name == "several":
        out += [Part(f"loss:{t.target}", f"the loss of '{t.target}', one of {len(again.bench.task.tasks)} targets")
                for t in again.bench.task.tasks]
    return out


def _columns(again: Reopened) -> list[Part]:
    data = again.bench.data
    return [Part(f"column:{n}", f"{data.kind(n)} input") for n in data.inputs] if len(data.inputs) > 1 else []


def _views(again: Reopened, recipe: Recipe) -> list[Part]:
    """Kinds of features of a column that has several, as the fitted view has them."""
    keys = _keys(again, recipe)
    alone = {c for c in {c for _, c in keys} if sum(o == c for _, o in keys) == 1}
    return [Part(f"view:{k}", f"features of '{c}'") for k, c in dict.fromkeys(keys) if c not in alone]


def _keys(again: Reopened, recipe: Recipe) -> list[tuple[str, str]]:
    """(key, column) of the feature blocks of rich columns in the first fold's fitted view."""
    folders = again.run(recipe).folders if recipe.method != "supervised" and recipe.family == "simple" else ()
    blocks = (read_json(folders[0] / "view.json") or {"blocks": []})["blocks"] if folders else []
    return [(b["key"], b["columns"][0]) for b in blocks if b["key"] not in ("numbers", "categories", "dates")]


def named(part: str, known: Sequence[Part]) -> Part:
    """The part of this name, with or without its kind in front."""
    hits = [p for p in known if p.name == part] or [p for p in known if p.name.partition(":")[2] == part] or \
        [p for p in known if p.name.startswith("member:") and p.what.startswith(f"{part}, ")]
    if len(hits) != 1:
        import difflib

        near = difflib.get_close_matches(part, [p.name for p in known] + [p.name.partition(":")[2] for p in known], n=3)
        shown = ", ".join(p.name for p in known[:20]) + (" ..." if len(known) > 20 else "")
        raise InputError("E-ABLATE", f"no part is called '{part}'" if not hits else f"several parts are called '{part}'",
                         do=f"did you mean {', '.join(near)}?" if near else f"parts: {shown or 'none'}")
    return hits[0]


def _on_record(again: Reopened, recipe: Recipe) -> tuple[Prediction, np.ndarray]:
    """The candidate's out-of-fold predictions, and the rows they are of."""
    if recipe.family != "ensemble":
        run = again.run(recipe)
        return run.oof, run.rows
    runs = [again.run(again.recipe(h)) for h in recipe.options["weights"]]
    return _joined(again, [r.oof for r in runs], runs[0].rows), runs[0].rows


def _joined(again: Reopened, predictions: Sequence[Prediction], rows: np.ndarray) -> Prediction:
    """The ensemble of these, its weights cross-fitted; of one, itself."""
    bench = again.bench
    if len(predictions) == 1:
        return predictions[0]
    return cross_fitted(bench.task, bench.task.truth(bench.data, rows), list(predictions), bench.parts.units[rows],
                        seed=bench.seed)


def _without(again: Reopened, recipe: Recipe, part: Part, voice: Any) -> Prediction:
    kind, _, name = part.name.partition(":")
    if recipe.family != "ensemble":
        return _again_without(again, recipe, changed(again, recipe, part), voice)
    members = [again.recipe(h) for h in recipe.options["weights"] if kind != "member" or h != name]
    if kind == "member":
        runs = [again.run(m) for m in members]
        return _joined(again, [r.oof for r in runs], runs[0].rows)
    rows = again.run(members[0]).rows
    return _joined(again, [_again_without(again, m, changed(again, m, part), voice) for m in members], rows)


def changed(again: Reopened, recipe: Recipe, part: Part) -> Changed:
    """The candidate without the part."""
    bench, (kind, _, name) = again.bench, part.name.partition(":")
    whole = Changed(bench.mended or bench.data, recipe, bench.task)
    if kind == "column":
        return replace(whole, data=whole.data.with_role(name, "ignore", "left out by ablation"))
    if kind == "view":
        rest = dict.fromkeys(k for k, _ in _keys(again, recipe) if k != name)
        return replace(whole, recipe=_with(recipe, view="+".join(rest)))
    if kind == "loss":
        return replace(whole, task=WithoutTerm(bench.task, name))
    if kind == "pretraining":
        return replace(whole, recipe=replace(recipe, options={k: v for k, v in recipe.options.items() if k not in START}))
    option, off = next((o, off) for o, (word, off) in OFF.items() if word == kind)
    return replace(whole, recipe=_with(recipe, **{option: off}))


def _with(recipe: Recipe, **options: Any) -> Recipe:
    return replace(recipe, options={**recipe.options, **options})


class WithoutTerm:
    """A task of several targets whose loss lacks one target's terms; everything else is the task's own."""

    def __init__(self, task: Any, target: str):
        self.task, self.left_out = task, target

    def __getattr__(self, name: str) -> Any:
        return getattr(self.task, name)

    def loss(self, raw: Any, truth: Any, weight: Any) -> Mapping[str, Any]:
        terms = self.task.loss(raw, truth, weight)
        return {n: v for n, v in terms.items() if n.rpartition(".")[0] != self.left_out}


def _again_without(again: Reopened, recipe: Recipe, less: Changed, voice: Any) -> Prediction:
    """Out-of-fold predictions: the very folds, stopping rows and seeds of the whole candidate, so that only the part
    differs."""
    bench, done = again.bench, []
    method, method_options, build = parts_of(less.recipe, bench.trusted)
    rows = again.run(recipe).rows
    for number in range(max(1, again.seeds(recipe))):
        pieces = []
        for k, fold in enumerate(bench.parts.folds):
            voice.say(f"seed {number + 1}, fold {k + 1} of {len(bench.parts.folds)}")
            kept, stop = carve_stop(bench.parts.units, fold.train, bench.labels, bench.seed, recipe.hash, number, k)
            seed = key(bench.seed, recipe.hash, number, k) % 2**31
            desk = replace(bench.desk, steps=recipe.steps, folder=None, deadline=None)
            learned = method(less.task, build, less.data, Rows(kept, stop), seed, desk, **method_options)
            pieces.append((fold.valid, learned.predict(less.data, fold.valid)))
        done.append(scatter(len(bench.data), pieces).take(rows))
    return average(done)
