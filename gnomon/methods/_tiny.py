"""Can this network learn a few rows by heart? If not, no long run will help."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.data.parts import Rows
from gnomon.data.table import Data
from gnomon.methods import _kit as kit
from gnomon.methods._desk import Desk
from gnomon.methods._loop import descend
from gnomon.methods._players import Player
from gnomon.rng import stream

if TYPE_CHECKING:
    from torch import nn

ROWS, STEPS = 32, 300
RATE = 2e-3
LEARNED = 0.1  # share of the loss of knowing nothing at which the rows count as learned


@dataclass(frozen=True)
class Tiny:
    """What came of it. share: the least loss reached over the loss of knowing nothing; steps taken; rows used."""

    share: float
    steps: int
    rows: np.ndarray
    twins: int  # rows whose inputs equal another's while the target differs: these cannot be learned by anything
    norm: float  # of the first gradient

    @property
    def learned(self) -> bool:
        return self.share <= LEARNED


def overfit(task: Any, build: Callable[..., nn.Module], data: Data, rows: np.ndarray, seed: int, desk: Desk, *,
            molecules: str = "graph", steps: int = STEPS) -> Tiny:
    """Train on 32 rows without dropout, decay, augmentation and schedule until a tenth of the naive loss is left."""
    import torch
    from torch import nn

    from gnomon.methods.labelled.supervised import prepare

    few = spread_rows(task, data, kit.labelled(task, data, np.asarray(rows)), seed)
    short = replace(desk, steps=steps, folder=None, precision="float32", say=lambda _: None)
    made = prepare(task, build, data, Rows(few, few[:0]), seed, short, batch=len(few), augment="none",
                   molecules=molecules)
    for module in made.module.modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = 0.0
    naive = naive_loss(task, made.batches.truth)
    player = Player("fit", made.module.train(), made.loss_of(made.module), kit.adamw(RATE, 0.0),
                    lambda k: min(1.0, (k + 1) / 20), clip=1.0, explodes=math.inf)
    least, norm, taken = math.inf, math.nan, 0
    for step in descend([player], made.batches, seed=seed, desk=short, read_every=5):
        taken = step.number
        if step.reading is None:
            continue
        norm = step.reading["fit.norm"] if math.isnan(norm) else norm
        least = min(least, sum(v for name, v in step.reading.items() if not name.endswith(".norm")))
        if least <= LEARNED * naive * 0.5:
            break
    with torch.no_grad():
        twins = conflicting(made.batches.of(np.arange(len(few))), task)
    return Tiny(least / naive, taken, few, twins, norm)


def spread_rows(task: Any, data: Data, rows: np.ndarray, seed: int) -> np.ndarray:
    """32 rows with targets as different as can be: classes in turn, or evenly through the sorted numbers."""
    rows = stream(seed, "tiny").permutation(rows)
    truth = task.truth(data, rows).astype(float)
    first = truth[:, 0] if truth.ndim == 2 else truth
    if task.name == "classify":
        turn = np.empty(len(rows), dtype=np.int64)
        for code in np.unique(first):
            mine = np.flatnonzero(first == code)
            turn[mine] = np.arange(len(mine))
        order = np.argsort(turn, kind="stable")[:ROWS]
    else:
        order = np.argsort(first, kind="stable")[np.linspace(0, len(rows) - 1, min(ROWS, len(rows))).astype(int)]
    return np.unique(rows[order])


def naive_loss(task: Any, truth: Any) -> float:
    """The loss of the best constant answer on these rows, found by descending it from zero."""
    import torch

    raw = torch.zeros(1, task.out.shape[0], device=truth.device, requires_grad=True)
    weight = torch.ones(len(truth), device=truth.device)
    optimiser = torch.optim.LBFGS([raw], max_iter=50)

    def closure() -> Any:
        optimiser.zero_grad()
        loss = sum(task.loss(raw.expand(len(truth), -1), truth, weight).values())
        loss.backward()  # type: ignore[union-attr]
        return loss

    optimiser.step(closure)
    return max(float(closure().detach()), 1e-6)


def conflicting(batch: Any, task: Any) -> int:
    """Rows of the batch with the same tensors as another row and a different target."""
    seen: dict[bytes, bytes] = {}
    bad = 0
    plain = [v.cpu().numpy() for v in batch.inputs.values() if hasattr(v, "cpu")]
    if len(plain) < len(batch.inputs):
        return 0
    truth = batch.truth.cpu().numpy()
    for i in range(len(truth)):
        key = b"".join(np.ascontiguousarray(p[i]).tobytes() for p in plain)
        bad += seen.setdefault(key, truth[i].tobytes()) != truth[i].tobytes()
    return bad
