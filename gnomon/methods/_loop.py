"""The loop, once: `for step in descend(players, batches): ...`. Every method that descends a gradient runs on it.

One player is supervised learning, a VAE, a flow; two or three are a GAN, domain adaptation, an actor and its critics.
Each step draws its dice from H(seed, stream, step), and one atomic checkpoint holds players, optimisers, whatever else
`keep` names and the batches' own state: a run that was killed and resumed equals an unbroken one bit for bit.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from gnomon.errors import TrainingError
from gnomon.methods._checkpoint import copied, read_checkpoint, write_checkpoint
from gnomon.methods._desk import Desk
from gnomon.methods._device import autocast, out_of_memory, own_dice, seed_dice
from gnomon.rng import key

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

    from gnomon.methods._log import Log

MOST_REMEDIES = 8  # a run that needs more than this is not worth going on with
MOST_PARTS = 64
SNAPSHOTS = 2  # readings between two states kept to go back to
CHECKPOINT = "checkpoint.safetensors"


def constant(_: int) -> float:
    """The schedule that leaves the rate alone."""
    return 1.0


@dataclass(frozen=True)
class Player:
    """One that descends. loss: batch -> named terms whose sum is minimised; only `module`'s parameters move.

    optimiser: module -> torch Optimizer. schedule: step -> factor on its rates. every: plays in each so many-th step.
    clip: largest gradient norm. explodes: a loss so many times that of the first step is undone, and the rate halved.
    """

    name: str
    module: nn.Module
    loss: Callable[[Any], Mapping[str, Tensor]]
    optimiser: Callable[[nn.Module], Optimizer]
    schedule: Callable[[int], float] = constant
    every: int = 1
    clip: float = math.inf
    explodes: float = 10.0


class Batches(Protocol):
    """Where batches come from. A batch of step k must depend on k and the state alone."""

    def draw(self, step: int) -> Any: ...
    def split(self, batch: Any, parts: int) -> Sequence[tuple[float, Any]]:
        """The batch in `parts` smaller ones, each with its share of the loss."""
        ...

    def mask(self, batch: Any, healthy: Callable[[Any], bool]) -> int:
        """Leave out from now on the rows of this batch whose loss is not finite by itself; how many there were."""
        ...

    def state(self) -> Mapping[str, Any]: ...
    def restore(self, state: Mapping[str, Any]) -> None:
        """Back to that state; rows masked meanwhile stay masked."""
        ...


class Keeps(Protocol):
    """Whatever else must survive: a teacher, a replay buffer, the best weights so far."""

    def state_dict(self) -> Mapping[str, Any]: ...
    def load_state_dict(self, state: Any) -> Any: ...


class Step(NamedTuple):
    """After step `number` (from 1). reading: mean loss terms and norms since the last reading, or None between."""

    number: int
    reading: Mapping[str, float] | None


def descend(players: Sequence[Player], batches: Batches, keep: Mapping[str, Keeps] | None = None, *, seed: int,
            desk: Desk, stamp: str = "", log: Log | None = None, read_every: int = 0) -> Iterator[Step]:
    """Take desk.steps steps and yield after each; what the caller does in between belongs to the step just taken.

    stamp: says what is being trained; a checkpoint in desk.folder with another stamp is not resumed.
    read_every: steps between readings of losses and norms (each waits for the device); 0 = by the number of steps.
    """
    run = _Run(players, batches, keep or {}, seed, desk, stamp, log, read_every or max(5, min(25, desk.steps // 40)))
    run.resume()
    with own_dice(desk.device):
        while run.step < desk.steps:
            reading = run.take()
            yield Step(run.step, reading)
            run.save_if_due()
        run.save_if_due(final=True)


class _Run:
    """The state of one descent."""

    def __init__(self, players: Sequence[Player], batches: Batches, keep: Mapping[str, Keeps], seed: int, desk: Desk,
                 stamp: str, log: Log | None, read_every: int):
        from torch import device

        self.players, self.batches, self.keep, self.desk, self.log = tuple(players), batches, keep, desk, log
        self.seed, self.stamp, self.read_every = seed, stamp, read_every
        self.on_cpu = device(desk.device).type == "cpu"
        self.optimisers = [p.optimiser(p.module) for p in players]
        self.rates = [[g["lr"] for g in o.param_groups] for o in self.optimisers]
        self.parameters = [[w for g in o.param_groups for w in g["params"]] for o in self.optimisers]
        self.step, self.parts, self.rate, self.remedies = 0, 1, 1.0, 0
        self.first: dict[str, float] = {}
        self.unread: list[dict[str, Any]] = []
        self.good: tuple[dict[str, Any], int] | None = None
        self.saved_at = time.monotonic()
        self.path = None if desk.folder is None else Path(desk.folder) / CHECKPOINT

    # -- one step ---------------------------------------------------------------------------------------------------

    def take(self) -> Mapping[str, float] | None:
        """One step of all players whose turn it is; a reading when one is due."""
        if self.good is None:
            self.good = self._snapshot()
        seed_dice(self.desk.device, key(self.seed, "step", self.step))
        batch = self.batches.draw(self.step)
        found: dict[str, Any] = {}
        for i, player in enumerate(self.players):
            if self.step % player.every == 0:
                terms, norm = self._play(i, batch)
                found |= {f"{player.name}.{term}": value for term, value in terms.items()}
                found[f"{player.name}.norm"] = norm
        self.unread.append(found)
        self.step += 1
        wanted = self.step % self.read_every == 0 or self.step == self.desk.steps or self._save_due()
        if not wanted and not self._bad_now(found):
            return None
        return self._read(batch)

    def _play(self, i: int, batch: Any) -> tuple[dict[str, Tensor], Any]:
        """Forward, backward and update of one player; a batch that does not fit is taken in halves."""
        player, optimiser = self.players[i], self.optimisers[i]
        factor = player.schedule(self.step) * self.rate
        for group, rate in zip(optimiser.param_groups, self.rates[i], strict=True):
            group["lr"] = rate * factor
        while True:
            try:
                optimiser.zero_grad(set_to_none=True)
                terms = self._backward(i, batch)
                return terms, self._update(i)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._halve(error)

    def _backward(self, i: int, batch: Any) -> dict[str, Tensor]:
        player = self.players[i]
        only = self.parameters[i] if len(self.players) > 1 else None
        pieces = [(1.0, batch)] if self.parts == 1 else self.batches.split(batch, self.parts)
        sums: dict[str, Tensor] = {}
        for share, piece in pieces:
            with autocast(self.desk):
                terms = player.loss(piece)
            total = sum(terms.values())
            (total if share == 1.0 else total * share).backward(inputs=only)  # type: ignore[union-attr]
            for name, value in terms.items():
                value = value.detach()
                sums[name] = value if len(pieces) == 1 else sums.get(name, 0) + value * share
        return sums

    def _update(self, i: int) -> Any:
        """Clip, and step unless a gradient is not finite: a bad batch never reaches the weights. The norm."""
        import torch

        optimiser, clip = self.optimisers[i], self.players[i].clip
        gradients = [w.grad for w in self.parameters[i] if w.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        if self.on_cpu:
            size = norm.item()
            if math.isfinite(size):
                if size > clip:
                    torch._foreach_mul_(gradients, clip / size)
                optimiser.step()
            return norm
        scale = torch.where(torch.isfinite(norm), (clip / norm.clamp_min(1e-12)).clamp_max(1.0), 0.0)
        if getattr(optimiser, "_step_supports_amp_scaling", False):  # fused: the update itself scales, or does nothing
            optimiser.grad_scale, optimiser.found_inf = 1 / scale.clamp_min(1e-20), (~torch.isfinite(norm)).float()
            optimiser.step()
            del optimiser.grad_scale, optimiser.found_inf
            return norm
        torch._foreach_mul_(gradients, scale)
        for gradient in gradients:
            gradient.nan_to_num_(0.0, 0.0, 0.0)
        optimiser.step()
        return norm

    def _halve(self, error: BaseException) -> None:
        """The batch did not fit: from now on take it in twice as many parts, adding up gradients."""
        import torch

        if self.parts >= MOST_PARTS:
            raise TrainingError("E-MEMORY", f"a step does not fit into memory even in {self.parts} parts: {error}",
                                do="choose a smaller model or batch in plan.toml") from error
        self.parts *= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.desk.say(f"out of memory: each batch is now taken in {self.parts} parts")

    # -- readings and remedies --------------------------------------------------------------------------------------

    def _bad_now(self, found: Mapping[str, Any]) -> bool:
        """On a CPU looking costs nothing, so trouble is met in the step it arises."""
        return self.on_cpu and not all(math.isfinite(v.item()) for name, v in found.items() if name.endswith(".norm"))

    def _read(self, batch: Any) -> Mapping[str, float] | None:
        """Means since the last reading (one wait for the device). Trouble: back to the last good state."""
        import torch

        names = [name for row in self.unread for name in row]
        values = torch.stack([v.float() for row in self.unread for v in row.values()]).tolist()
        ends = list(itertools.accumulate(len(row) for row in self.unread))
        self.unread = []
        if not all(map(math.isfinite, values)):
            first = next(i for i, v in enumerate(values) if not math.isfinite(v))
            self._not_finite(batch, self.step - len(ends) + sum(end <= first for end in ends))
            return None
        reading = {name: float(np.mean([v for n, v in zip(names, values, strict=True) if n == name]))
                   for name in dict.fromkeys(names)}
        for player in self.players:
            loss = sum(v for n, v in reading.items() if n.startswith(f"{player.name}.") and not n.endswith(".norm"))
            first_loss = self.first.setdefault(player.name, _first(player.name, names, values))
            if loss > player.explodes * max(abs(first_loss), 1e-3):
                self._go_back(f"the loss of '{player.name}' exploded from {first_loss:.3g} to {loss:.3g}", slower=True)
                return None
        if self.step % (SNAPSHOTS * self.read_every) == 0 or self.step == self.desk.steps or self._save_due():
            self.good = None  # taken anew when the next step begins: what the caller does now belongs to it
        if self.log is not None:
            self.log.write(self.step, {"rate": self.optimisers[0].param_groups[0]["lr"], **reading})
        return reading

    def _not_finite(self, batch: Any, step: int) -> None:
        """A loss or gradient that is not finite in `step`: find rows to blame, else slow down; either way go back."""
        import torch

        batch = batch if step == self.step - 1 else self.batches.draw(step)
        self._restore(self.good[0], self.good[1], players_only=True)  # type: ignore[index]

        def healthy(piece: Any) -> bool:
            with torch.no_grad(), autocast(self.desk):  # rows by themselves: no norm over the batch
                totals = [torch.as_tensor(sum(p.loss(piece).values())) for p in self.players]
                return all(bool(torch.isfinite(total)) for total in totals)

        modes = [(m, m.training) for p in self.players for m in p.module.modules()]
        for player in self.players:
            player.module.eval()
        gone = self.batches.mask(batch, healthy)
        for module, training in modes:
            module.training = training
        if gone:
            rows = f"{gone} training row{'s' * (gone > 1)}"
            self._go_back(f"{rows} gave a loss that is not a number; left out", slower=False)
        else:
            self._go_back("a loss or gradient was not a number", slower=True)

    def _go_back(self, why: str, *, slower: bool) -> None:
        self.remedies += 1
        if self.remedies > MOST_REMEDIES:
            raise TrainingError("E-DIVERGED", f"training failed {self.remedies} times; last: {why}",
                                do="look at the inputs for extreme values, or set a smaller rate in plan.toml")
        state, step = self.good  # type: ignore[misc]
        rate, remedies = self.rate, self.remedies
        self._restore(state, step)
        self.rate, self.remedies = (rate / 2 if slower else rate), remedies
        then = f"rate halved to {self.rate:g} of the planned" if slower else "going on"
        if self.log is not None:
            self.log.write(step, {"trouble": float(remedies)})
        self.desk.say(f"step {step}: {why}; back to the last good state, {then}")

    # -- state ------------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {"players": [p.module.state_dict() for p in self.players],
                "optimisers": [o.state_dict() for o in self.optimisers],
                "keep": {name: thing.state_dict() for name, thing in self.keep.items()},
                "batches": dict(self.batches.state()), "first": dict(self.first),
                "loop": {"step": self.step, "parts": self.parts, "rate": self.rate, "remedies": self.remedies}}

    def _snapshot(self) -> tuple[dict[str, Any], int]:
        return copied(self.state()), self.step

    def _restore(self, state: Mapping[str, Any], step: int, *, players_only: bool = False) -> None:
        state = copied(state)
        for player, weights in zip(self.players, state["players"], strict=True):
            player.module.load_state_dict(weights)
        if players_only:
            return
        for optimiser, memory in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(memory)
        for name, thing in self.keep.items():
            thing.load_state_dict(state["keep"][name])
        self.batches.restore(state["batches"])
        self.first = dict(state["first"])
        loop = state["loop"]
        self.step, self.parts, self.rate, self.remedies = step, loop["parts"], loop["rate"], loop["remedies"]

    def resume(self) -> None:
        """Go on from desk.folder's checkpoint, when there is one of this very run."""
        if self.path is None:
            return
        found = read_checkpoint(self.path, self.stamp, self.desk.device)
        if found is not None:
            self._restore(found, found["loop"]["step"])
            self.desk.say(f"resumed at step {self.step} of {self.desk.steps}")
        if self.log is not None:
            self.log.rewind(self.step)

    def _save_due(self) -> bool:
        return self.path is not None and time.monotonic() - self.saved_at >= self.desk.checkpoint_seconds

    def save_if_due(self, *, final: bool = False) -> None:
        if self.path is None or not (final or (self._save_due() and self.good is None)):
            return  # what was not read may hold trouble; a reading comes at once when saving is due
        if self.log is not None:
            self.log.flush()
        write_checkpoint(self.path, self.state(), self.stamp)
        self.saved_at = time.monotonic()


def _first(player: str, names: Sequence[str], values: Sequence[float]) -> float:
    """A player's loss in the first step among these."""
    seen: dict[str, float] = {}
    for name, value in zip(names, values, strict=True):
        if name.startswith(f"{player}.") and not name.endswith(".norm"):
            seen.setdefault(name, value)
    return sum(seen.values())
