"""What a training run must not lose, copied to go back to and written to go on from: resumed equals unbroken."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gnomon.methods._checkpoint import CHECKPOINT, copied, read_checkpoint, write_checkpoint
from gnomon.methods._desk import Desk
from gnomon.methods._players import Batches, Keeps, Player

if TYPE_CHECKING:
    from gnomon.methods._log import Log


class RunState:
    """Players, their optimisers, the batches' own state, whatever `keep` names, and how far the run has come.

    step: steps taken. parts: pieces in which a batch fits into memory. rate: factor on the planned rates.
    remedies: times trouble was met. first: each player's loss in the first step.
    """

    def __init__(self, players: Sequence[Player], batches: Batches, keep: Mapping[str, Keeps]):
        self.players, self.batches, self.keep = tuple(players), batches, keep
        self.optimisers = [p.optimiser(p.module) for p in players]
        self.step, self.parts, self.rate, self.remedies = 0, 1, 1.0, 0
        self.first: dict[str, float] = {}

    def whole(self) -> dict[str, Any]:
        """All of it as nested mappings and lists; the tensors are the living ones."""
        return {"players": [p.module.state_dict() for p in self.players],
                "optimisers": [o.state_dict() for o in self.optimisers],
                "keep": {name: thing.state_dict() for name, thing in self.keep.items()},
                "batches": dict(self.batches.state()), "first": dict(self.first),
                "loop": {"step": self.step, "parts": self.parts, "rate": self.rate, "remedies": self.remedies}}

    def copy(self) -> dict[str, Any]:
        """All of it as it is now, whatever comes."""
        return copied(self.whole())

    def restore(self, state: Mapping[str, Any]) -> None:
        """Back to a state that `whole` or `copy` gave."""
        state = copied(state)
        self.restore_modules(state)
        for optimiser, memory in zip(self.optimisers, state["optimisers"], strict=True):
            optimiser.load_state_dict(memory)
        for name, thing in self.keep.items():
            thing.load_state_dict(state["keep"][name])
        self.batches.restore(state["batches"])
        self.first, loop = dict(state["first"]), state["loop"]
        self.step, self.parts, self.rate, self.remedies = (loop[k] for k in ("step", "parts", "rate", "remedies"))

    def restore_modules(self, state: Mapping[str, Any]) -> None:
        """The players' weights alone back to that state."""
        for player, weights in zip(self.players, state["players"], strict=True):
            player.module.load_state_dict(weights)


class Saving:
    """The checkpoint of one run in desk.folder, written now and then; nothing at all without a folder."""

    def __init__(self, state: RunState, desk: Desk, stamp: str, log: Log | None):
        self.state, self.desk, self.stamp, self.log = state, desk, stamp, log
        self.path = None if desk.folder is None else Path(desk.folder) / CHECKPOINT
        self.saved_at = time.monotonic()

    @property
    def due(self) -> bool:
        """Whether the last checkpoint lies desk.checkpoint_seconds back."""
        return self.path is not None and time.monotonic() - self.saved_at >= self.desk.checkpoint_seconds

    def resume(self) -> None:
        """Go on from the checkpoint, when there is one of this very run."""
        if self.path is None:
            return
        found = read_checkpoint(self.path, self.stamp, self.desk.device)
        if found is not None:
            self.state.restore(found)
            self.desk.say(f"resumed at step {self.state.step} of {self.desk.steps}")
        if self.log is not None:
            self.log.rewind(self.state.step)

    def save(self) -> None:
        """The state to disk, the log before it: a log may be longer than its checkpoint, never shorter."""
        if self.path is None:
            return
        if self.log is not None:
            self.log.flush()
        write_checkpoint(self.path, self.state.whole(), self.stamp)
        self.saved_at = time.monotonic()
