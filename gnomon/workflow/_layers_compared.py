"""Layers compared by name (`gnomon explain STUDY --technique cka`): with each other, over training, between seeds.

The network is the one the study delivers (or its best), the rows are those that it was not trained on. Over training the
weights kept on the way are looked at (`snapshots` in plan.toml); where none were kept, the first run is trained once more,
and its states are believed only when it ends at the very weights the study holds.
"""

from __future__ import annotations

import copy
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.data.table import Data
from gnomon.errors import GnomonError, InputError
from gnomon.methods._snapshots import FOLDER, MOST, kept_snapshots, snapshot_weights
from gnomon.rng import stream
from gnomon.workflow._folder import Folder, read_json
from gnomon.workflow._layers_told import END, sentences

COMPARISONS = ("cka", "svcca", "pwcca", "matching", "subspace_matching")
ROWS, FEWER = 500, 150  # compared; where that takes longer than there is time
LAYERS = 12  # compared at most, spread evenly from input to output
CHUNK = 256  # rows through the network at once
DEAREST = 2.5  # times the seconds that a run took once, which training it again may take on a busier machine


@dataclass(frozen=True)
class Compared:
    """What is compared. place: the folder of the run. names: its layers. axes: where rows lie in what each gives. times: how
    often it reads a row, the readings end to end (both strands of DNA). left_out: layers that cannot be, and why."""

    place: Path
    recipe: str
    model: str
    network: Any
    data: Data
    rows: np.ndarray
    names: tuple[str, ...]
    axes: Mapping[str, int]
    times: Mapping[str, int]
    left_out: str

    def seen(self, network: Any, rows: np.ndarray | None = None) -> dict[str, np.ndarray]:
        """layer -> (n, d) what a state of the network gives, pooled over places and over the readings of a row."""
        from gnomon.analyses.represent.layers import layers

        rows = self.rows if rows is None else rows
        device = next(network.module.parameters()).device
        found = []
        for k in range(0, len(rows), CHUNK):
            batch = network.tensoriser.batch(self.data, rows[k:k + CHUNK], device)
            given = layers(network.module, [batch], self.names, rows=self.axes)
            found.append({n: np.mean(np.split(v, self.times[n]), axis=0) for n, v in given.items()})
        return {n: np.concatenate([part[n] for part in found]) for n in self.names}


def compare_layers(folder: Folder, data: Data, rows: np.ndarray | None, measures: Sequence[str], *, end: float, seed: int,
                   say: Callable[[str], None], reopen: Callable[[], Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """(an entry for each measure, what was not run and why). rows: to compare on; None: those held out of the network's fold.
    end: by the monotonic clock. reopen: gives the study's bench again, should its run have to be trained once more."""
    what = _what(folder, data, rows, seed)
    not_run = _with_snapshots(what, say, end, reopen)
    entries = []
    for name in measures:
        fewer, cost = _affordable(what, name, end)
        if fewer is None:
            not_run.append(f"{name} would take about {cost:.0f} s for {FEWER} rows, more than was left (--budget)")
            continue
        say(f"estimate for {len(fewer.rows)} rows and {len(what.names)} layers: {name} {max(cost, 1):.0f} s")
        entries.append(_entry(fewer, name, seed))
    return entries, not_run


def _what(folder: Folder, data: Data, rows: np.ndarray | None, seed: int) -> Compared:
    """The network of most weight in what is delivered, else the best deep candidate, and its layers."""
    from gnomon.analyses.represent._watch import called_once
    from gnomon.methods._learned import load_learned
    from gnomon.workflow._predictions import load_prediction

    place = _place(folder)
    network = load_learned(place)
    held = load_prediction(place / "predictions.parquet")[0] if rows is None else rows
    held = np.sort(stream(seed, "compared rows").permutation(held)[:ROWS])
    device = next(network.module.parameters()).device
    few = (network.tensoriser.batch(data, held[:count], device) for count in (4, 3))
    axes, unable = called_once(network.module, *few)
    able = list(axes)
    if not able:
        raise InputError("E-ACTIVATIONS", "no layer of the network is called once in a pass and gives a tensor a row",
                         do="take its activations with gnomon.load('layers') and compare those")
    picked = np.unique(np.linspace(0, len(able) - 1, min(LAYERS, len(able))).round().astype(int))
    names = tuple(able[i] for i in picked)
    left_out = f"{', '.join(unable)}: called several times in a pass, never, or giving no tensor a row" if unable else ""
    times = _times(network, network.tensoriser.batch(data, np.repeat(held[:1], 4), device), names, axes)
    return Compared(place, place.parts[-3], _model(place), network, data, held, names, axes, times, left_out)


def _times(network: Any, same: Any, names: Sequence[str], axes: Mapping[str, int]) -> dict[str, int]:
    """How often each layer reads a row: what it gives for four times the `same` row is then so many runs of four alike."""
    from gnomon.analyses.represent.layers import layers

    out = {}
    for name, given in layers(network.module, [same], names, rows=axes).items():
        times, rest = divmod(len(given), 4)
        runs = given.reshape(times, 4, -1) if times and not rest else None
        out[name] = times if runs is not None and np.allclose(runs, runs[:, :1], rtol=1e-4, atol=1e-6) else 1
    return out


def _place(folder: Folder) -> Path:
    made, report = read_json(folder / "delivered.json") or {}, read_json(folder / "report.json") or {}
    members = sorted(made.get("members") or (), key=lambda m: -float(m["weight"]))
    wanted = [Path(f).parts[-3] for m in members for f in m["folders"] if len(Path(f).parts) >= 3]
    deep = [c for c in report.get("candidates") or () if c.get("family") == "deep" and (c.get("valid") or {}).get("value")]
    up = bool(((report.get("task") or {}).get("targets") or [{}])[0].get("higher_is_better"))
    deep.sort(key=lambda c: -c["valid"]["value"] if up else c["valid"]["value"])
    for recipe in dict.fromkeys([*wanted, *(c["recipe"]["hash"] for c in deep)]):
        place = folder.path / "runs" / recipe / "0" / "fold0"
        if (read_json(place / "learned.json") or {}).get("kind") == "network":
            return place
    raise InputError("E-LAYER-ABSENT", f"{folder.path} holds no trained network: there are no layers to compare",
                     do="a larger --budget, or --only with the name of a network")


def _model(place: Path) -> str:
    return str((read_json(place.parents[1] / "recipe.json") or {}).get("model", ""))


def _affordable(what: Compared, name: str, end: float) -> tuple[Compared | None, float]:
    """The rows that there is time for (all, or fewer), and the seconds: measured on one pass and one pair of layers."""
    started, seconds = time.monotonic(), 0.0
    shown = what.seen(what.network)
    passed, states = time.monotonic() - started, len(_states(what)) + len(_seeds(what))
    widest = max(shown, key=lambda n: shown[n].size)
    started = time.monotonic()
    _measure(name)(shown[widest], shown[widest])
    pair, many = time.monotonic() - started, len(what.names)
    pairs = many * (many + 1) / 2 + many * (states * (states + 1) / 2 + 2 * states + 1)
    for count in dict.fromkeys((len(what.rows), min(FEWER, len(what.rows)))):
        seconds = (states * passed + pairs * pair) * count / len(what.rows)
        if time.monotonic() + seconds <= end:
            return replace(what, rows=what.rows[:: max(1, len(what.rows) // count)][:count]), seconds
    return None, seconds


def _measure(name: str) -> Callable[[Any, Any], Any]:
    """The measure; CKA without the bias that flatters few rows."""
    from gnomon.card import load

    return partial(load(name), unbiased=True) if name == "cka" else load(name)


def _states(what: Compared) -> dict[Any, Any]:
    """time -> the network as it was then; the state that was kept last."""
    out: dict[Any, Any] = {}
    for step, path in kept_snapshots(what.place / FOLDER).items():
        weights = snapshot_weights(path, what.network.module.state_dict())
        if weights is not None:
            module = copy.deepcopy(what.network.module)
            module.load_state_dict(weights)
            out[step] = replace(what.network, module=module.eval())
    return {**out, END: what.network}


def _seeds(what: Compared) -> dict[str, Path]:
    """name -> folder of the same fold trained from other first weights."""
    others = sorted(what.place.parents[1].glob(f"*/{what.place.name}"), key=lambda p: (len(p.parts[-2]), p.parts[-2]))
    return {f"seed {p.parts[-2]}": p for p in others
            if p != what.place and (read_json(p / "learned.json") or {}).get("kind") == "network"}


def _entry(what: Compared, name: str, seed: int) -> dict[str, Any]:
    """One measure's answer, as explained/NAME_layers.json keeps it."""
    from gnomon.analyses.represent.learning_dynamics import learning_dynamics
    from gnomon.analyses.represent.similarity_matrix import similarity_matrix
    from gnomon.methods._learned import load_learned

    measure = _measure(name)
    states = {t: what.seen(network) for t, network in _states(what).items()}
    last = states[END]
    alike = [n for n in last if len(last[n]) == len(what.rows)]
    told: dict[str, Any] = {"rows": len(what.rows), "model": what.model, "layers": list(what.names), "left_out": what.left_out}
    if len(alike) > 1:
        told["matrix"] = _matrix(similarity_matrix({n: last[n] for n in alike}, measure=measure))
    if len(states) > 1:
        course = learning_dynamics(states, measure=measure)
        told["course"] = {"times": list(course.times), "final": _round(course.final), "between": _round(course.between),
                          "half_way": course.half_way()}
    seeds = {n: what.seen(load_learned(p)) for n, p in _seeds(what).items()}
    if seeds:
        likeness = [[_number(measure(last[layer], seen[layer])) for seen in seeds.values()] for layer in what.names]
        told["seeds"] = {"names": list(seeds), "values": _round(np.array(likeness))}
    return {"technique": name, "recipe": what.recipe, "importances": [], "over": "rows", "gates": [], "withheld": False,
            "pieces": "layers", "compared": told, "sentences": sentences(told),
            "other_checks": _checks(what, measure, last, alike, seed)}


def _matrix(found: Any) -> dict[str, Any]:
    from gnomon.analyses.represent.similarity_tree import similarity_tree

    tree = similarity_tree(found.values, found.names)
    return {"names": list(found.names), "values": _round(found.values), "order": list(tree.order), "newick": tree.newick(),
            "joins": _round(tree.joins), "fidelity": round(tree.fidelity, 3)}


def _checks(what: Compared, measure: Any, last: Mapping[str, np.ndarray], alike: Sequence[str], seed: int) -> list[Any]:
    """What rows that belong to nothing give, and how far two halves of the rows differ."""
    dice = stream(seed, "compared by chance")
    chance = np.mean([_number(measure(last[n], last[n][dice.permutation(len(last[n]))])) for n in what.names])
    out = [{"name": "chance", "value": float(chance),
            "says": f"{round(chance, 2) + 0.0:.2f} on average between a layer and itself with its rows shuffled",
            "means": "what likeness means nothing: values near it are none"}]
    if len(alike) > 1:
        order = dice.permutation(len(what.rows))
        halves = np.array_split(order, 2)
        values = np.array([[_number(measure(last[a][h], last[b][h])) for a, b in pairwise(alike)]
                           for h in halves])
        gap = float(np.abs(values[0] - values[1]).max())
        out.append({"name": "halves of the rows", "value": gap,
                    "says": f"between neighbouring layers two halves of the rows differ by {gap:.2f} at most",
                    "means": "differences in likeness no larger than this are noise"})
    return out


def _number(found: Any) -> float:
    return float(getattr(found, "value", found))


def _round(values: np.ndarray) -> list[Any]:
    return np.round(values, 4).tolist()


def _with_snapshots(what: Compared, say: Callable[[str], None], end: float, reopen: Callable[[], Any]) -> list[str]:
    """Snapshots of the run, trained once more where it kept none; or why there are none."""
    if kept_snapshots(what.place / FOLDER):
        return []
    took = float((read_json(what.place / "run.json") or {}).get("seconds", 0.0))
    wish = "snapshots = 6 in plan.toml keeps the weights while a study trains"
    if time.monotonic() + DEAREST * took > end:
        return [f"over training: no weights were kept on the way, and training again takes about {took:.0f} s (--budget "
                f"{4 * DEAREST * took:.0f}s); {wish}"]
    say(f"training {what.model} once more to look at it on the way: about {took:.0f} s")
    scratch = what.place / ".again"
    try:
        why = _again(what, scratch, end, reopen())
    except GnomonError as error:
        why = str(error)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return [f"over training: {why}; {wish}"] if why else []


def _again(what: Compared, scratch: Path, end: float, again: Any) -> str:
    """Train the first run as it was trained, and keep its snapshots when it ends at the same weights; else why not."""
    import torch

    from gnomon.workflow.run import fit

    bench = replace(again.bench, desk=replace(again.bench.desk, snapshots=MOST, deadline=end))
    learned = fit(bench, again.recipe(what.recipe), bench.parts.folds[0].train, 0, 0, scratch)
    old, new = what.network.module.state_dict(), learned.module.state_dict()
    if old.keys() != new.keys() or not all(torch.equal(old[k].cpu(), new[k].cpu()) for k in old):
        return "trained again it ends at other weights (another machine, version or data), so its way there is not this one's"
    os.replace(scratch / FOLDER, what.place / FOLDER)
    return ""
