"""The range test: let the rate rise step by step, and see where the loss falls and where it breaks.

Reference: Smith 2017, arXiv:1506.01186.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.methods import _kit as kit
from gnomon.methods._desk import Desk
from gnomon.methods._loop import descend
from gnomon.methods._players import Player

if TYPE_CHECKING:
    from torch import nn

LOWEST, HIGHEST = 1e-4, 0.5
ALLOWED = (5e-4, 6e-3)  # what AdamW with a warm-up and a clip is known to bear; the test chooses inside it
BROKEN = 2.0  # a smoothed loss so many times its least ends the test
SAFETY = 6.0  # the least loss is met near the edge: this far below it is safe
TEST_SHARE, FEWEST, MOST = 0.06, 32, 80  # steps of the test: this share of the run's, within bounds
FILE = "range.json"
CYCLE = 4  # batches that take turns; a mean over one turn has no noise from which batch it was


@dataclass(frozen=True)
class RangeTest:
    """rates and smoothed losses, step by step, and the rate to take."""

    rates: np.ndarray
    losses: np.ndarray
    rate: float


def chosen_rate(module: nn.Module, loss_of: Callable[[nn.Module], Any], batches: Any, seed: int, desk: Desk,
                weight_decay: float = 0.0) -> float:
    """The rate of a range test; its curve stays in desk.folder as range.json, for who asks how near the edge it was."""
    found = range_test(module, loss_of, batches, seed, desk, weight_decay)
    if desk.folder is not None:
        path = Path(desk.folder) / FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        told = {"rate": found.rate, "rates": found.rates.tolist(), "losses": found.losses.tolist()}
        path.write_text(json.dumps(told), encoding="utf-8")
    return found.rate


def range_test(module: nn.Module, loss_of: Callable[[nn.Module], Any], batches: Any, seed: int, desk: Desk,
               weight_decay: float = 0.0) -> RangeTest:
    """Train a copy while the rate rises from 1e-4 to 0.5; the module itself is left alone. Same seed, same rate."""
    steps = int(min(max(desk.steps * TEST_SHARE, FEWEST), MOST))
    trial = copy.deepcopy(module).train()
    ratio = math.log(HIGHEST / LOWEST) / (steps - 1)
    player = Player("range", trial, loss_of(trial), kit.adamw(LOWEST, weight_decay), lambda k: math.exp(ratio * k),
                    clip=1.0, explodes=math.inf)
    short = replace(desk, steps=steps, folder=None, say=lambda _: None)
    rates, raw, losses = [], [], []
    for step in descend([player], _Few(batches), seed=seed, desk=short, read_every=1):
        if step.reading is None:
            break
        raw.append(sum(v for name, v in step.reading.items() if not name.endswith(".norm")))
        if len(raw) >= CYCLE:
            rates.append(LOWEST * math.exp(ratio * (step.number - 1 - CYCLE / 2)))
            losses.append(float(np.mean(raw[-CYCLE:])))
            if losses[-1] > BROKEN * min(losses):
                break
    return RangeTest(np.array(rates), np.array(losses), pick_rate(np.array(rates), np.array(losses)))


class _Few:
    """The first few batches, again and again."""

    def __init__(self, batches: Any):
        self.batches = batches

    def draw(self, step: int) -> Any:
        return self.batches.draw(step % CYCLE)

    def split(self, batch: Any, parts: int) -> Any:
        return self.batches.split(batch, parts)

    def mask(self, batch: Any, healthy: Callable[[Any], bool]) -> int:
        return 0

    def state(self) -> dict[str, Any]:
        return {}

    def restore(self, state: Any) -> None:
        pass


def pick_rate(rates: np.ndarray, losses: np.ndarray) -> float:
    """A safe step below where the smoothed loss was least, two digits, inside what is allowed."""
    if len(rates) < 3:
        return ALLOWED[0]
    rate = float(np.clip(rates[int(losses.argmin())] / SAFETY, *ALLOWED))
    return float(f"{rate:.2g}")
