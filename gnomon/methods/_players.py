"""Who takes part in a descent: players with their losses, where batches come from, and what else must survive."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer


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
