"""Two networks teach each other: each learns from the rows that the other finds easy."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.card import Card, load
from gnomon.data.parts import Rows
from gnomon.data.table import Data
from gnomon.errors import TrainingError
from gnomon.methods import _kit as kit
from gnomon.methods._desk import Desk
from gnomon.methods._device import seed_dice
from gnomon.methods._log import Log
from gnomon.methods._loop import descend
from gnomon.methods._network import Network, describe_builder, task_state
from gnomon.methods._noise import classes_only, confident_joint, noise_rate, out_of_fold
from gnomon.methods._players import Player
from gnomon.methods._probe import ROWS, layer_readings
from gnomon.methods.labelled.supervised import CLIP, Made, _rate, _threads, prepare
from gnomon.rng import key

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Co-teaching",
    gist="Two networks pick, batch by batch, the rows of small loss for each other: wrong labels are learned late and "
         "are passed over.",
    use_when="Many labels are wrong (10 % and more), and a deep network would learn them by heart.",
    avoid_when="Labels are clean: hard rows are passed over and the score falls; classes are rare.",
    paper="Han et al. 2018, Co-teaching, NeurIPS, arXiv:1804.06872",
    survey=("M10",),
    tasks=("classify",),
    needs=("labels", "gradient", "steps"),
    tune={"noise": (0.05, 0.45), "warm": (0.1, 0.5)},
    cost="minutes",
)
KEPT = 64  # batches whose second half waits; more never wait in one step
FOLDS = 4  # for the estimate of the noise


def co_teaching(task: Any, build: Callable[..., nn.Module], data: Data, rows: Rows, seed: int, desk: Desk, *,
                noise: float | None = None, warm: float = 0.25, rate: float | None = None, weight_decay: float = 0.02,
                batch: int | None = None, augment: str = "auto", molecules: str = "graph") -> Network:
    """Train two networks for desk.steps steps; in step t each descends the loss of the R(t) B rows of its batch that
    the *other* finds easiest, R(t) = 1 - noise * min(t / (warm * steps), 1).

    noise: share of wrong labels; None = estimated from the confident joint of a quick model. warm: share of the steps
    over which more and more rows are passed over. rate: None = by a range test. Returns the network that does better
    on rows.stop.
    Raises E-MODEL-TASK unless the task is classification; TrainingError E-DIVERGED, E-DEADLINE.
    Differs: AdamW and a cosine instead of Adam and a straight line; the better one of the pair at its best step, by
    stopping rows whose labels may be wrong too.
    """
    classes_only(task, "co_teaching")
    noise = estimated_noise(task, data, rows, seed, desk) if noise is None else noise
    with _threads(desk.threads):
        made = prepare(task, build, data, rows, seed, desk, batch=batch, augment=augment, molecules=molecules)
        peer = twin(build, made, task, seed)
        about = (data.hash, task_state(task), describe_builder(build), made.desk.steps, made.desk.precision,
                 rows.fit.tolist(), rows.stop.tolist(), noise, warm, rate, weight_decay, made.batches.batch, augment)
        pair = Pair(made, (made.module, peer), noise, warm * made.desk.steps)
        best = _train(task, data, rows, seed, made, pair, f"{key(seed, 'co-teaching', *about):x}", rate, weight_decay)
    module = pair.modules[best].eval()
    return Network(task, module, made.tensors, describe_builder(build), made.desk, made.inputs)


def estimated_noise(task: Any, data: Data, rows: Rows, seed: int, desk: Desk) -> float:
    """The share of wrong labels by a quick model's confident joint: logistic on words, else a forest; at most 0.6."""
    from gnomon.methods.labelled.own_fit import own_fit

    model = load("logistic" if data.of_kind("text") else "forest")
    seen = kit.labelled(task, data, rows.all)
    train = lambda part, k: own_fit(task, model, data, part, key(seed, "noise", k) % 2**31, desk)  # noqa: E731
    rate = noise_rate(confident_joint(out_of_fold(task, train, data, seen, FOLDS, seed), task.truth(data, seen)))
    desk.say(f"about {rate:.0%} of the training labels look wrong or are hard to tell; so many rows are passed over")
    return min(rate, 0.6)


def twin(build: Callable[..., nn.Module], made: Made, task: Any, seed: int) -> nn.Module:
    """The same network with other first weights, on the same device."""
    import torch

    before = torch.get_rng_state()
    seed_dice("cpu", key(seed, "weights", "peer"))
    module = build(made.tensors.specs, task.out)
    torch.set_rng_state(before)
    return module.to(made.desk.device)


@dataclass
class Pair:
    """The two networks and what waits between their turns. ramp: steps until `noise` of each batch is passed over."""

    made: Made
    modules: tuple[nn.Module, nn.Module]
    noise: float
    ramp: float
    step: int = 0
    waiting: dict[bytes, tuple[Tensor, ...]] = field(default_factory=dict)  # losses of both, then what each may learn

    def state_dict(self) -> Mapping[str, Any]:
        return {"step": self.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.step = int(state["step"])
        self.waiting.clear()

    def loss(self, which: int) -> Callable[[Any], Mapping[str, Tensor]]:
        """batch -> the mean cross-entropy of network `which` on the rows that the other chose."""

        def of(batch: Any) -> Mapping[str, Tensor]:
            name = np.ascontiguousarray(batch.rows).tobytes()
            if which == 0 or name not in self.waiting:
                self._look(batch, name)
            mine, chosen = self.waiting[name][which], self.waiting[name][2 + which]
            if which == 1:
                del self.waiting[name]
            weight = batch.weight * chosen * (batch.truth >= 0)
            return {"cross_entropy": (mine * weight).sum() / weight.sum().clamp_min(1e-8)}

        return of

    def _look(self, batch: Any, name: bytes) -> None:
        """Each row's loss under both networks, and whom each chooses for the other."""
        losses = [row_losses(self.made, module, batch) for module in self.modules]
        keep = 1 - self.noise * min(self.step / max(self.ramp, 1.0), 1.0)
        picked = [easiest(loss.detach(), keep) for loss in losses]
        self.waiting[name] = (losses[0], losses[1], picked[1], picked[0])
        while len(self.waiting) > KEPT:
            self.waiting.pop(next(iter(self.waiting)))


def easiest(losses: Tensor, keep: float) -> Tensor:
    """(B,) 1.0 for the ceil(keep * B) rows of smallest loss, else 0.0; a loss that is no number is never among them."""
    import torch

    count = max(1, math.ceil(keep * len(losses) - 1e-9))
    order = torch.nan_to_num(losses, nan=math.inf).argsort(stable=True)
    chosen = torch.zeros_like(losses)
    chosen[order[:count]] = 1.0
    return chosen


def row_losses(made: Made, module: nn.Module, batch: Any) -> Tensor:
    """(B,) cross-entropy of each row, augmented as in training; members (B, M, K) are averaged."""
    from torch.nn.functional import cross_entropy

    heard = _Heard(module)
    made.loss_of(heard)(batch)  # type: ignore[arg-type]
    raw, truth = heard.raw.float(), batch.truth.long().clamp_min(0)
    if raw.ndim == 2:
        return cross_entropy(raw, truth, reduction="none")
    each = cross_entropy(raw.flatten(0, 1), truth.repeat_interleave(raw.shape[1], 0), reduction="none")
    return each.view(raw.shape[:2]).mean(dim=1)


class _Heard:
    """A module whose last raw output is kept, so that rows can be weighed by it."""

    def __init__(self, module: nn.Module):
        self.module, self.raw = module, None

    @property
    def training(self) -> bool:
        return self.module.training

    def __call__(self, inputs: Any) -> Any:
        self.raw = self.module(inputs)
        return self.raw


def _train(task: Any, data: Data, rows: Rows, seed: int, made: Made, pair: Pair, stamp: str,
           rate: float | None, weight_decay: float) -> int:
    """Step, look at the stopping rows, keep the best of each; which of the two is better."""
    desk, log = made.desk, Log(made.desk.folder)
    stop = kit.labelled(task, data, rows.stop) if len(rows.stop) else rows.stop
    looks = set(kit.judging_steps(desk.steps, made.batches.per_epoch))
    few = made.tensors.batch(data, stop[:ROWS], desk.device) if len(stop) else None
    best = [kit.Best(module) for module in pair.modules]
    rate = _rate(made, seed, rate, weight_decay, stamp)
    keep = {"fit": best[0], "peer": best[1], "pair": pair, "known": kit.Known({"rate": rate})}
    players = [Player(name, module.train(), pair.loss(i), kit.adamw(rate, weight_decay), kit.warm_cosine(desk.steps),
                      clip=CLIP) for i, (name, module) in enumerate(zip(("fit", "peer"), pair.modules, strict=True))]
    for step in descend(players, made.batches, keep, seed=seed, desk=desk, stamp=stamp, log=log):
        pair.step = step.number
        if desk.deadline is not None and time.monotonic() > desk.deadline:
            raise TrainingError("E-DEADLINE", f"the budget ended at step {step.number} of {desk.steps}",
                                do="type the command again with a larger --budget: it goes on from there")
        if step.number in looks and len(stop):
            for i, (kept, module) in enumerate(zip(best, pair.modules, strict=True)):
                loss, score = kit.judge(task, module, data, stop, made.tensors, desk)
                kept.see((1 - score) + 0.1 * loss if task.metric.higher_is_better else loss, step.number)
                layers = layer_readings(module, few) if desk.folder is not None and not i else {}  # one tells of both
                log.write(step.number, {f"stop{i or ''}.loss": loss, f"stop{i or ''}.{task.metric.name}": score, **layers})
    for kept in best:
        kept.put_back()
    log.close()
    return int(best[1].badness < best[0].badness)
