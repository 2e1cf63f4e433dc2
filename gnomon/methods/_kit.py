"""What supervised and its siblings share: batches of rows, optimiser and schedule, judging, keeping the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.data.kinds import Batch
from gnomon.data.table import Data
from gnomon.data.tensors import Tensoriser
from gnomon.data.weights import row_weights, too_few
from gnomon.methods._checkpoint import copied
from gnomon.methods._modes import evaluating
from gnomon.rng import stream

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

JUDGE_ROWS = 1024  # rows a forward pass without gradients
LENGTHS_ALIKE = 16  # batches among which rows are sorted by length


def batch_rows(n: int) -> int:
    """Rows a step by the number of training rows: about 100 steps an epoch where there is enough, 32 to 256 rows."""
    return int(min(max(2 ** round(math.log2(max(n, 1) / 100)), 32), 256, max(n, 1)))


class RowBatches:
    """Batches of training rows, each epoch in its own order; batch k depends on the seed and k alone.

    lengths: (n,) of `rows`; rows of like length then share batches, which saves padding.
    """

    def __init__(self, data: Data, rows: np.ndarray, tensors: Tensoriser, truth: Tensor, weight: Tensor, *, batch: int,
                 seed: int, device: str, lengths: np.ndarray | None = None):
        self.data, self.rows, self.tensors, self.truth, self.weight = data, rows, tensors, truth, weight
        self.batch, self.seed, self.device, self.lengths = min(batch, len(rows)), seed, device, lengths
        self.per_epoch = max(len(rows) // self.batch, 1)
        self.masked: set[int] = set()  # places in `rows`
        self._epoch = (-1, np.empty(0, dtype=np.int64))

    def draw(self, step: int) -> Batch:
        epoch, place = divmod(step, self.per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._order(epoch))
        return self.of(self._epoch[1][place * self.batch:(place + 1) * self.batch])

    def of(self, places: np.ndarray) -> Batch:
        """The batch of these places in `rows`."""
        import torch

        rows = self.rows[places]
        index = torch.from_numpy(np.ascontiguousarray(places)).to(self.device, non_blocking=True)
        inputs = self.tensors.batch(self.data, rows, self.device)
        return Batch(inputs, self.truth.index_select(0, index), self.weight.index_select(0, index), places)

    def _order(self, epoch: int) -> np.ndarray:
        """A permutation; where lengths matter, sorted by length within stretches of several batches."""
        dice = stream(self.seed, "order", epoch)
        order = dice.permutation(len(self.rows))
        if self.lengths is None or self.per_epoch < 2:
            return order
        stretch = self.batch * min(LENGTHS_ALIKE, max(self.per_epoch // 4, 1))  # few batches: still mix them
        whole = order[:self.per_epoch * self.batch]
        pieces = [whole[i:i + stretch] for i in range(0, len(whole), stretch)]
        pieces = [p[np.argsort(self.lengths[p], kind="stable")] for p in pieces]
        batches = np.concatenate(pieces).reshape(self.per_epoch, self.batch)
        return batches[dice.permutation(self.per_epoch)].ravel()

    def split(self, batch: Batch, parts: int) -> list[tuple[float, Batch]]:
        whole = float(batch.weight.sum())
        pieces = [self.of(p) for p in np.array_split(batch.rows, min(parts, len(batch.rows)))]
        return [(float(p.weight.sum()) / whole if whole else 1 / len(pieces), p) for p in pieces]

    def mask(self, batch: Batch, healthy: Callable[[Batch], bool]) -> int:
        """Halve and halve again until the rows to blame stand alone; those weigh nothing and are not drawn again."""
        before = len(self.masked)
        bad = [p for p in self._unhealthy(np.asarray(batch.rows), healthy)]
        if len(bad) < max(len(batch.rows) // 2, 2):  # when most are bad it is the model that is ill, not the rows
            self.masked |= set(bad)
            self._drop()
        return len(self.masked) - before

    def _unhealthy(self, places: np.ndarray, healthy: Callable[[Batch], bool]) -> list[int]:
        if healthy(self.of(places)):
            return []
        if len(places) == 1:
            return [int(places[0])]
        middle = len(places) // 2
        return self._unhealthy(places[:middle], healthy) + self._unhealthy(places[middle:], healthy)

    def _drop(self) -> None:
        """Masked rows are replaced by their neighbours in the list of rows, so that nothing else moves."""
        good = np.setdiff1d(np.arange(len(self.rows)), list(self.masked))
        if not len(good):
            return
        for place in self.masked:
            other = int(good[np.searchsorted(good, place) % len(good)])
            self.rows = self.rows.copy()
            self.rows[place] = self.rows[other]
            self.truth, self.weight = self.truth.clone(), self.weight.clone()
            self.truth[place], self.weight[place] = self.truth[other], 0.0

    def state(self) -> Mapping[str, Any]:
        return {"masked": sorted(self.masked)}

    def restore(self, state: Mapping[str, Any]) -> None:
        new = set(state["masked"]) - self.masked
        if new:
            self.masked |= new
            self._drop()


def adamw(rate: float, weight_decay: float) -> Callable[[nn.Module], Optimizer]:
    """AdamW, fused, its decay on weight matrices and kernels only: not on biases, norms, scales and embeddings.

    A module may set `rate_factor` on a parameter. Reference: Loshchilov & Hutter 2019, arXiv:1711.05101.
    """

    def make(module: nn.Module) -> Optimizer:
        import torch
        from torch import nn

        tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
        groups: dict[tuple[float, float], list[Any]] = {}
        for weight in module.parameters():
            if weight.requires_grad:
                free = weight.ndim < 2 or id(weight) in tables or getattr(weight, "undecayed", False)
                kind = (getattr(weight, "rate_factor", 1.0), 0.0 if free else weight_decay)
                groups.setdefault(kind, []).append(weight)
        listed = [{"params": p, "lr": rate * factor, "weight_decay": decay} for (factor, decay), p in groups.items()]
        fused = all(w.is_floating_point() and w.device.type in ("cpu", "cuda") for w in module.parameters())
        return torch.optim.AdamW(listed, lr=rate, betas=(0.9, 0.99), fused=fused)

    return make


def warm_cosine(steps: int, warm: float = 0.05) -> Callable[[int], float]:
    """A straight rise over the first share `warm` of the steps, then half a cosine down to 0."""
    rise = max(round(steps * warm), 1)

    def factor(step: int) -> float:
        if step < rise:
            return (step + 1) / (rise + 1)
        return 0.5 * (1 + math.cos(math.pi * min((step - rise) / max(steps - rise, 1), 1.0)))

    return factor


def truth_tensor(task: Any, data: Data, rows: np.ndarray, device: str) -> Tensor:
    """What the task wants, on the device: codes as int64, numbers as float64 (so that far-off means cost no digits)."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(task.truth(data, rows))).to(device)


def weight_tensor(data: Data, rows: np.ndarray, device: str) -> Tensor:
    """(n,) float32: the rows' weights, with mean 1."""
    import torch

    weight = row_weights(data, rows)
    weight = np.ones(len(rows)) if weight is None else weight
    if len(rows) and not weight.any():
        raise too_few(" and ".join(data.targets) or "the target", len(rows), 0)
    weight = weight / weight.mean() if len(rows) else weight
    return torch.from_numpy(weight.astype(np.float32)).to(device)


def labelled(task: Any, data: Data, rows: np.ndarray) -> np.ndarray:
    """The rows that have at least one label."""
    truth = task.truth(data, rows)
    known = truth >= 0 if truth.dtype.kind in "iu" else np.isfinite(truth)
    return rows[known.any(axis=1) if known.ndim == 2 else known]


def task_loss(task: Any, raw: Tensor, truth: Tensor, weight: Tensor) -> Mapping[str, Tensor]:
    """The task's loss; a module in training may return (B, M, K), M members that each answer by themselves."""
    if raw.ndim == 2:
        return task.loss(raw, truth, weight)
    members = raw.shape[1]
    return task.loss(raw.flatten(0, 1), truth.repeat_interleave(members, 0), weight.repeat_interleave(members, 0))


def raw_outputs(module: nn.Module, data: Data, rows: np.ndarray, tensors: Tensoriser, desk: Any, *,
                embed: bool = False) -> np.ndarray:
    """(n, K) raw outputs (or (n, d) embeddings) in evaluation mode, in pieces; the module's mode is left as it was."""
    import torch

    from gnomon.methods._device import autocast

    rows, out = np.asarray(rows), []
    call = module.embed if embed else module
    with evaluating(module), torch.inference_mode(), autocast(desk):
        for i in range(0, max(len(rows), 1), JUDGE_ROWS):
            out.append(call(tensors.batch(data, rows[i:i + JUDGE_ROWS], desk.device)).float())
    return torch.cat(out).cpu().numpy()


@dataclass
class Best:
    """The best weights so far, by the stopping rows. Lives in `keep`, so it survives with the run."""

    module: nn.Module
    badness: float = math.inf
    step: int = 0
    weights: dict[str, Any] = field(default_factory=dict)

    def see(self, badness: float, step: int) -> bool:
        """Remember the weights when they are the best so far."""
        if not badness < self.badness:
            return False
        self.badness, self.step, self.weights = badness, step, copied(self.module.state_dict())
        return True

    def put_back(self) -> None:
        if self.weights:
            self.module.load_state_dict(self.weights)

    def state_dict(self) -> Mapping[str, Any]:
        return {"badness": self.badness, "step": self.step, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.badness, self.step, self.weights = state["badness"], state["step"], dict(state["weights"])


@dataclass
class Known:
    """Small plain facts that must survive with a run."""

    facts: dict[str, Any]

    def state_dict(self) -> Mapping[str, Any]:
        return self.facts

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.facts = dict(state)


def judge(task: Any, module: nn.Module, data: Data, rows: np.ndarray, tensors: Tensoriser, desk: Any
          ) -> tuple[float, float]:
    """(loss, headline score) on these rows."""
    import torch

    raw = raw_outputs(module, data, rows, tensors, desk)
    truth = task.truth(data, rows)
    terms = task.loss(torch.from_numpy(raw), torch.from_numpy(truth), torch.ones(len(rows)))
    return float(sum(terms.values())), float(task.score(task.measure(task.read(raw), truth)))


def judging_steps(steps: int, per_epoch: int) -> Sequence[int]:
    """After which steps to look at the stopping rows: about once an epoch, 6 to 40 times, always after the last."""
    times = int(min(max(steps / max(per_epoch, 1), 6), 40))
    return sorted({max(round(steps * (i + 1) / times), 1) for i in range(times)})
