"""A few states of the weights over a run, kept for looking at what was learned when; never needed to go on from.

Files in the run's own folder: snapshots/step000120.safetensors, the weights of every player as PLAYER/KEY. A run that was
killed and resumed leaves the same ones as an unbroken run, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.methods._desk import Desk

if TYPE_CHECKING:
    from gnomon.methods._run_state import RunState

FOLDER = "snapshots"  # its name in the folder of a run
MOST = 6  # states kept, the one before the first step among them
FIRST = 0.01  # share of the steps after which the first one is kept; the others follow in equal ratios, the last at the end


def snapshot_steps(steps: int, count: int) -> tuple[int, ...]:
    """0 and up to `count` - 1 steps in equal ratios from a hundredth of `steps` to all of them."""
    count = min(count, MOST)
    if count < 1 or steps < 1:
        return ()
    later = np.geomspace(steps, max(1.0, FIRST * steps), count - 1).round().astype(int) if count > 1 else ()
    return tuple(sorted({0, *(int(s) for s in later)}))


class Snapshots:
    """The snapshots of one run in desk.folder; nothing at all without a folder or a wish for them."""

    def __init__(self, state: RunState, desk: Desk):
        self.state = state
        self.steps = frozenset(snapshot_steps(desk.steps, desk.snapshots)) if desk.folder is not None else frozenset()
        self.folder = None if desk.folder is None else Path(desk.folder) / FOLDER
        self.seen = -1

    def see(self) -> None:
        """Keep the weights as they are where this step is one of those; drop later ones where the run went back."""
        step = self.state.step
        if not self.steps or self.folder is None:
            return
        if self.seen < 0 or step < self.seen:  # begun, resumed, or back to an earlier state: later ones are of another course
            for old, path in kept_snapshots(self.folder).items():
                if old > step or not step:
                    path.unlink()
        self.seen = step
        if step in self.steps:
            self._write(self.folder, step)

    def _write(self, folder: Path, step: int) -> None:
        from safetensors.torch import save_file

        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"step{step:06d}.safetensors"
        weights = {f"{p.name}/{k}": v.detach().to("cpu", copy=True).contiguous()
                   for p in self.state.players for k, v in p.module.state_dict().items()}
        beside = path.with_name(path.name + ".part")
        save_file(weights, beside)
        os.replace(beside, path)


def kept_snapshots(folder: Path) -> dict[int, Path]:
    """step -> file, in order. folder: `snapshots` of a run."""
    found = {int(p.stem.removeprefix("step")): p for p in folder.glob("step*.safetensors")}
    return {step: found[step] for step in sorted(found)}


def snapshot_weights(path: Path, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """The weights of the first player that has exactly these keys; None where none has."""
    from safetensors.torch import load_file

    held: dict[str, dict[str, Any]] = {}
    for name, value in load_file(path, device="cpu").items():
        player, _, key = name.partition("/")
        held.setdefault(player, {})[key] = value
    return next((weights for weights in held.values() if set(weights) == set(wanted)), None)
