"""The loop, once: `for step in descend(players, batches): ...`. Every method that descends a gradient runs on it.

One player is supervised learning, a VAE, a flow; two or three are a GAN, domain adaptation, an actor and its critics.
Each step draws its dice from H(seed, stream, step), and one atomic checkpoint holds players, optimisers, whatever else
`keep` names and the batches' own state: a run that was killed and resumed equals an unbroken one bit for bit.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gnomon.errors import TrainingError
from gnomon.methods._desk import Desk
from gnomon.methods._device import autocast, out_of_memory, own_dice, seed_dice
from gnomon.methods._modes import evaluating
from gnomon.methods._players import Batches, Keeps, Player
from gnomon.methods._run_state import RunState, Saving
from gnomon.methods._snapshots import Snapshots
from gnomon.rng import key

if TYPE_CHECKING:
    from torch import Tensor

    from gnomon.methods._log import Log

MOST_REMEDIES = 8  # a run that needs more than this is not worth going on with
MOST_PARTS = 64
SNAPSHOTS = 2  # readings between two states kept to go back to


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
    at = RunState(players, batches, keep or {})
    saving = Saving(at, desk, stamp, log)
    run = _Run(at, saving, seed, desk, log, read_every or max(5, min(25, desk.steps // 40)))
    saving.resume()
    snapshots = Snapshots(at, desk)
    snapshots.see()
    with own_dice(desk.device):
        while at.step < desk.steps:
            reading = run.take()
            yield Step(at.step, reading)
            snapshots.see()
            if saving.due and run.good is None:  # what was not read may hold trouble; a reading comes when saving is due
                saving.save()
        saving.save()


class _Run:
    """The steps of one descent, and the remedies when one goes wrong. at: all that a remedy can go back to."""

    def __init__(self, at: RunState, saving: Saving, seed: int, desk: Desk, log: Log | None, read_every: int):
        from torch import device

        self.at, self.saving, self.seed, self.desk, self.log, self.read_every = at, saving, seed, desk, log, read_every
        self.players, self.optimisers, self.batches = at.players, at.optimisers, at.batches
        self.on_cpu = device(desk.device).type == "cpu"
        self.rates = [[g["lr"] for g in o.param_groups] for o in self.optimisers]
        self.parameters = [[w for g in o.param_groups for w in g["params"]] for o in self.optimisers]
        self.unread: list[dict[str, Any]] = []
        self.good: dict[str, Any] | None = None

    # -- one step ---------------------------------------------------------------------------------------------------

    def take(self) -> Mapping[str, float] | None:
        """One step of all players whose turn it is; a reading when one is due."""
        if self.good is None:
            self.good = self.at.copy()
        seed_dice(self.desk.device, key(self.seed, "step", self.at.step))
        batch = self.batches.draw(self.at.step)
        found: dict[str, Any] = {}
        for i, player in enumerate(self.players):
            if self.at.step % player.every == 0:
                terms, norm = self._play(i, batch)
                found |= {f"{player.name}.{term}": value for term, value in terms.items()}
                found[f"{player.name}.norm"] = norm
        self.unread.append(found)
        self.at.step += 1
        wanted = self.at.step % self.read_every == 0 or self.at.step == self.desk.steps or self.saving.due
        if not wanted and not self._bad_now(found):
            return None
        return self._read(batch)

    def _play(self, i: int, batch: Any) -> tuple[dict[str, Tensor], Any]:
        """Forward, backward and update of one player; a batch that does not fit is taken in halves."""
        player, optimiser = self.players[i], self.optimisers[i]
        factor = player.schedule(self.at.step) * self.at.rate
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
        pieces = [(1.0, batch)] if self.at.parts == 1 else self.batches.split(batch, self.at.parts)
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

        if self.at.parts >= MOST_PARTS:
            raise TrainingError("E-MEMORY", f"a step does not fit into memory even in {self.at.parts} parts: {error}",
                                do="choose a smaller model or batch in plan.toml") from error
        self.at.parts *= 2
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        self.desk.say(f"out of memory: each batch is now taken in {self.at.parts} parts")

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
            self._not_finite(batch, self.at.step - len(ends) + sum(end <= first for end in ends))
            return None
        reading = {name: float(np.mean([v for n, v in zip(names, values, strict=True) if n == name]))
                   for name in dict.fromkeys(names)}
        for player in self.players:
            loss = sum(v for n, v in reading.items() if n.startswith(f"{player.name}.") and not n.endswith(".norm"))
            first_loss = self.at.first.setdefault(player.name, _first(player.name, names, values))
            if loss > player.explodes * max(abs(first_loss), 1e-3):
                self._go_back(f"the loss of '{player.name}' exploded from {first_loss:.3g} to {loss:.3g}", slower=True)
                return None
        if self.at.step % (SNAPSHOTS * self.read_every) == 0 or self.at.step == self.desk.steps or self.saving.due:
            self.good = None  # taken anew when the next step begins: what the caller does now belongs to it
        if self.log is not None:
            self.log.write(self.at.step, {"rate": self.optimisers[0].param_groups[0]["lr"], **reading})
        return reading

    def _not_finite(self, batch: Any, step: int) -> None:
        """A loss or gradient that is not finite in `step`: find rows to blame, else slow down; either way go back."""
        import torch

        batch = batch if step == self.at.step - 1 else self.batches.draw(step)
        self.at.restore_modules(self.good)  # type: ignore[arg-type]

        def healthy(piece: Any) -> bool:
            with torch.no_grad(), autocast(self.desk):  # rows by themselves: no norm over the batch
                totals = [torch.as_tensor(sum(p.loss(piece).values())) for p in self.players]
                return all(bool(torch.isfinite(total)) for total in totals)

        with ExitStack() as stack:
            for player in self.players:
                stack.enter_context(evaluating(player.module))
            gone = self.batches.mask(batch, healthy)
        if gone:
            rows = f"{gone} training row{'s' * (gone > 1)}"
            self._go_back(f"{rows} gave a loss that is not a number; left out", slower=False)
        else:
            self._go_back("a loss or gradient was not a number", slower=True)

    def _go_back(self, why: str, *, slower: bool) -> None:
        self.at.remedies += 1
        if self.at.remedies > MOST_REMEDIES:
            raise TrainingError("E-DIVERGED", f"training failed {self.at.remedies} times; last: {why}",
                                do="look at the inputs for extreme values, or set a smaller rate in plan.toml")
        rate, remedies = self.at.rate, self.at.remedies
        self.at.restore(self.good)  # type: ignore[arg-type]
        self.at.rate, self.at.remedies = (rate / 2 if slower else rate), remedies
        then = f"rate halved to {self.at.rate:g} of the planned" if slower else "going on"
        if self.log is not None:
            self.log.write(self.at.step, {"trouble": float(remedies)})
        self.desk.say(f"step {self.at.step}: {why}; back to the last good state, {then}")


def _first(player: str, names: Sequence[str], values: Sequence[float]) -> float:
    """A player's loss in the first step among these."""
    seen: dict[str, float] = {}
    for name, value in zip(names, values, strict=True):
        if name.startswith(f"{player}.") and not name.endswith(".norm"):
            seen.setdefault(name, value)
    return sum(seen.values())
