"""Learn from labelled rows by descending the task's loss."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.card import Card
from gnomon.data.parts import Rows
from gnomon.data.table import Data
from gnomon.data.tensors import Tensoriser, fit_tensors
from gnomon.errors import InputError, TrainingError
from gnomon.methods import _kit as kit
from gnomon.methods._checkpoint import CHECKPOINT, read_checkpoint
from gnomon.methods._desk import Desk
from gnomon.methods._device import seed_dice
from gnomon.methods._kit import batch_rows
from gnomon.methods._log import Log
from gnomon.methods._loop import descend
from gnomon.methods._network import Network, describe_builder, precision_pays, task_state
from gnomon.methods._players import Player
from gnomon.methods._probe import ROWS, layer_readings
from gnomon.rng import key

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Supervised learning",
    gist="Descends the task's loss by AdamW, warm-up and cosine; keeps the weights that did best on rows held back.",
    use_when="Rows have labels, and there are at least a few hundred of them.",
    avoid_when="Labels are few beside many unlabelled rows, or the model fits itself.",
    paper="Loshchilov & Hutter 2019, arXiv:1711.05101",
    survey=("M1", "M7", "M11", "P4", "P6", "R6"),
    needs=("labels", "gradient"),
    gives=("steps",),
    tune={"rate": (1e-4, 1e-2), "weight_decay": (1e-4, 0.3), "batch": (32, 64, 128, 256)},
    cost="minutes",
)
CLIP = 1.0  # largest gradient norm
EPOCHS = 60  # passes over the rows when the desk does not say how many steps
RISEN = 1.3  # a stopping loss so many times its best, for a third of the steps, ends the run


def supervised(task: Any, build: Callable[..., nn.Module], data: Data, rows: Rows, seed: int, desk: Desk, *,
               rate: float | None = None, weight_decay: float = 0.02, batch: int | None = None, augment: str = "auto",
               molecules: str = "graph") -> Network:
    """Train `build(specs, task.out)` for desk.steps steps on rows.fit; rows.stop choose among its states.

    rate: of AdamW; None = by a short range test, the same for the same seed. batch: rows a step; None = by their
    number.
    augment: images only: "none", "shift", "flip", "turn" (see data/augment), or "auto": what the training images bear.
    molecules: read as "graph" or as "tokens" of their SMILES. With desk.folder the run resumes from its checkpoint.
    Raises E-LABELS-NONE, E-INPUTS-NONE, E-MODEL-KIND; TrainingError E-DIVERGED, E-MEMORY.
    """
    with _threads(desk.threads):
        made = prepare(task, build, data, rows, seed, desk, batch=batch, augment=augment, molecules=molecules)
        about = (data.hash, task_state(task), describe_builder(build), made.inputs, made.module, made.desk.steps,
                 made.desk.precision, rows.fit.tolist(), rows.stop.tolist(), rate, weight_decay,
                 made.batches.batch, augment)
        stamp = f"{key(seed, *about):x}"
        log = Log(desk.folder)
        _train(task, data, rows, seed, made, log, stamp, _rate(made, seed, rate, weight_decay, stamp), weight_decay)
        log.close()
    made.module.eval()
    return Network(task, made.module, made.tensors, describe_builder(build), made.desk, made.inputs)


@dataclass(frozen=True)
class Made:
    """All that training needs, built once. loss_of: module -> batch -> loss terms."""

    tensors: Tensoriser
    module: nn.Module
    batches: kit.RowBatches
    loss_of: Callable[[nn.Module], Callable[[Any], Any]]
    desk: Desk
    inputs: tuple[str, ...]


def prepare(task: Any, build: Callable[..., nn.Module], data: Data, rows: Rows, seed: int, desk: Desk, *,
            batch: int | None = None, augment: str = "auto", molecules: str = "graph") -> Made:
    """Tensors, module, batches and loss for these rows."""
    import torch

    fit = kit.labelled(task, data, rows.fit)
    if not len(fit):
        raise InputError("E-LABELS-NONE", f"none of {len(rows.fit)} training rows has a value of '{task.target}'",
                         do="name the target column with --target")
    inputs = readable(build, data, molecules)
    tensors = fit_tensors(data, fit, inputs, molecules=molecules)
    specs = tensors.specs
    desk = _fitting(desk, specs, len(fit), batch)
    before = torch.get_rng_state()
    seed_dice("cpu", key(seed, "weights"))  # weights are drawn on the CPU: the same on every device
    module = build(specs, task.out)
    images = [name for name, spec in specs.items() if spec.kind == "image"]
    module = module.to(desk.device, memory_format=torch.channels_last) if images else module.to(desk.device)
    _wake(module, tensors, data, fit, desk.device)
    torch.set_rng_state(before)
    changes = {name: _augmentation(augment, task, data, fit, tensors, name) for name in images}
    batches = kit.RowBatches(data, fit, tensors, kit.truth_tensor(task, data, fit, desk.device),
                             kit.weight_tensor(data, fit, desk.device), batch=batch or batch_rows(len(fit)), seed=seed,
                             device=desk.device, lengths=_lengths(tensors, data, fit, desk.device))
    return Made(tensors, module, batches, loss_maker(task, changes), desk, inputs)


def _wake(module: nn.Module, tensors: Any, data: Data, rows: np.ndarray, device: str) -> None:
    """Layers of a user's own that learn their width from the first batch (LazyLinear and the like) get one."""
    import torch
    from torch.nn.parameter import is_lazy

    if any(is_lazy(p) for p in (*module.parameters(), *module.buffers())):
        with torch.no_grad():
            module(tensors.batch(data, rows[:4], device))


def loss_maker(task: Any, changes: dict[str, Any]) -> Callable[[nn.Module], Callable[[Any], Any]]:
    """module -> (batch -> loss terms), images changed at random on the way in while the module trains."""
    changes = {name: change for name, change in changes.items() if change is not None}

    def of(module: nn.Module) -> Callable[[Any], Any]:
        def loss(batch: Any) -> Any:
            inputs = batch.inputs
            if changes and module.training:
                inputs = inputs | {name: change(inputs[name]) for name, change in changes.items()}
            return kit.task_loss(task, module(inputs), batch.truth, batch.weight)

        return loss

    return of


def _train(task: Any, data: Data, rows: Rows, seed: int, made: Made, log: Log, stamp: str, rate: float,
           weight_decay: float) -> None:
    """The usual rhythm: step, now and then look at the stopping rows, keep the best, stop when there is no hope."""
    module, desk = made.module, made.desk
    stop = kit.labelled(task, data, rows.stop) if len(rows.stop) else rows.stop
    looks = set(kit.judging_steps(desk.steps, made.batches.per_epoch))
    few = made.tensors.batch(data, stop[:ROWS], desk.device) if len(stop) else None
    best, known = kit.Best(module), kit.Known({"rate": rate})
    player = Player("fit", module, made.loss_of(module), kit.adamw(rate, weight_decay), kit.warm_cosine(desk.steps),
                    clip=CLIP)
    module.train()
    for step in descend([player], made.batches, {"best": best, "known": known}, seed=seed, desk=desk, stamp=stamp,
                        log=log):
        if desk.deadline is not None and time.monotonic() > desk.deadline:
            raise TrainingError("E-DEADLINE", f"the budget ended at step {step.number} of {desk.steps}",
                                do="type the command again with a larger --budget: it goes on from there")
        if step.number not in looks or not len(stop):
            continue
        loss, score = kit.judge(task, module, data, stop, made.tensors, desk)
        best.see(_badness(task, loss, score), step.number)
        layers = layer_readings(module, few) if desk.folder is not None else {}
        log.write(step.number, {"stop.loss": loss, f"stop.{task.metric.name}": score, **layers})
        desk.say(f"step {step.number} of {desk.steps}, {task.metric.name} {score:.4g} (stopping rows)")
        if step.number - best.step > desk.steps / 3 and _badness(task, loss, score) > RISEN * best.badness:
            break
    best.put_back()


def _rate(made: Made, seed: int, rate: float | None, weight_decay: float, stamp: str) -> float:
    """The rate as given, else as the checkpoint knows it, else by the range test."""
    if rate is not None:
        return rate
    found = None
    if made.desk.folder is not None:
        found = read_checkpoint(Path(made.desk.folder) / CHECKPOINT, stamp)
    if found is not None:
        return float(found["keep"]["known"]["rate"])
    from gnomon.methods._rate import chosen_rate

    return chosen_rate(made.module, made.loss_of, made.batches, seed, made.desk, weight_decay)


def _badness(task: Any, loss: float, score: float) -> float:
    """What the stopping rows are judged by: the loss; where the headline counts right answers, mostly those."""
    if task.metric.name in ("accuracy", "macro_f1", "balanced_accuracy", "mcc"):
        return (1 - score) + 0.1 * loss
    return loss


def readable(build: Callable[..., Any], data: Data, molecules: str = "graph") -> tuple[str, ...]:
    """The input columns that this builder's card says it reads, with those of tables; all, where it has no card."""
    from gnomon.card import catalogue

    card = catalogue().get(describe_builder(build).get("key", ""))
    kinds = {*card.reads, "number", "category", "date"} if card and card.reads else None  # `fuse` joins tables in
    if kinds and molecules == "tokens" and "sequence" in kinds:
        kinds.add("molecule")
    return tuple(c for c in data.inputs if kinds is None or data.kind(c) in kinds)


def steps_per_second(task: Any, build: Callable[..., nn.Module], data: Data, rows: np.ndarray, desk: Desk, *,
                     batch: int | None = None, augment: str = "auto", molecules: str = "graph") -> float:
    """Optimiser steps a second here with real rows, looks at the stopping rows included. Takes about a second."""
    import torch

    rows = np.asarray(rows)
    with _threads(desk.threads):
        made = prepare(task, build, data, Rows(rows, rows[:0]), 0, replace(desk, steps=80, folder=None), batch=batch,
                       augment=augment, molecules=molecules)
        made.module.train()
        player = Player("fit", made.module, made.loss_of(made.module), kit.adamw(1e-4, 0.0), clip=CLIP)
        times = []
        for _ in descend([player], made.batches, seed=0, desk=made.desk, read_every=1):
            times.append(time.perf_counter())
            lasted = times[-1] - times[min(3, len(times) - 1)]
            if (len(times) > 12 and lasted > 0.7) or lasted > 4:
                break
        if torch.cuda.is_available():
            torch.cuda.synchronize()
    taken = np.diff(times[min(3, len(times) - 2):])
    return float(0.87 / max(taken.mean(), 1e-6))


def _fitting(desk: Desk, specs: Any, n: int, batch: int | None) -> Desk:
    """The desk with its steps filled in, and bfloat16 only where it pays: convolutions, attention, able machines."""
    steps = desk.steps or max(100, EPOCHS * n // (batch or batch_rows(n)))
    wide = any(spec.kind in ("image", "tokens") for spec in specs.values()) or str(desk.device).startswith("cuda")
    precision = desk.precision if wide and precision_pays(desk.device) else "float32"
    return replace(desk, steps=steps, precision=precision)


def _augmentation(how: str, task: Any, data: Data, rows: np.ndarray, tensors: Tensoriser, name: str) -> Any:
    if how == "none":
        return None
    from gnomon.data.augment.affine import borne, preset

    if how == "auto":
        codes = task.truth(data, rows) if task.name == "classify" else np.zeros(len(rows), dtype=np.int64)
        how = borne(data.columns[tensors.sources[name][0]], rows, codes)
    return preset(how)


def _lengths(tensors: Tensoriser, data: Data, rows: np.ndarray, device: str) -> np.ndarray | None:
    """Tokens a row, where rows of like length should share batches."""
    for name, spec in tensors.specs.items():
        if spec.kind == "tokens":
            return tensors.load(data, device)[name].lengths[rows]
    return None


class _threads:
    """Use so many CPU threads inside, and as many as before afterwards."""

    def __init__(self, count: int):
        self.count = count

    def __enter__(self) -> None:
        import torch

        self.before = torch.get_num_threads()
        torch.set_num_threads(max(1, self.count))

    def __exit__(self, *_: object) -> None:
        import torch

        torch.set_num_threads(self.before)
