"""Learning dynamics: when each layer of a network came to hold what it holds at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.represent.cka import cka
from gnomon.analyses.represent.similarity_matrix import similarity_matrix
from gnomon.card import Card
from gnomon.errors import InputError

CARD = Card(
    name="Learning dynamics",
    gist="Compares each layer with itself at the end of training and at every other kept step: what converged first?",
    use_when="States of the weights were kept over a run (snapshots = 6 in plan.toml): which layers are done early, when did "
             "the representation last change, could lower layers be frozen?",
    avoid_when="Only the first and the last state are there; or the likeness at step 0 is already near 1, as with inputs of "
               "few directions: nothing can be seen to converge then.",
    paper="Raghu, Gilmer, Yosinski & Sohl-Dickstein 2017, arXiv:1706.05806 (section 4.1, bottom-up convergence); "
          "Morcos, Raghu & Bengio 2018, arXiv:1806.05759",
    survey=("I13", "W8"),
    cost="seconds",
)
HALF = 0.5  # of the way from the first likeness to full likeness


@dataclass(frozen=True)
class Dynamics:
    """layers (L,), times (T,), the last one the end. final (L, T): likeness of a layer at each time to itself at the end, so
    that the last column is 1. between (L, T, T): of each time to each other."""

    layers: tuple[str, ...]
    times: tuple[Any, ...]
    final: np.ndarray
    between: np.ndarray

    def half_way(self) -> dict[str, Any]:
        """layer -> the first time from which on it has come half of the way from its likeness at the start to 1, for good."""
        short = self.final < self.final[:, :1] + HALF * (1 - self.final[:, :1])
        last = np.array([np.flatnonzero(row).max(initial=-1) for row in short])
        return {layer: self.times[min(int(k) + 1, len(self.times) - 1)] for layer, k in zip(self.layers, last, strict=True)}


def learning_dynamics(states: Mapping[Any, Mapping[str, Any]], *, measure: Callable[[Any, Any], Any] = cka) -> Dynamics:
    """Compare layers over time. states: time -> {layer: (n, d) activations}, in order, of the same rows; the last is the end.

    Equation: final[l, t] = s(A_l(t), A_l(end)), between[l, t, u] = s(A_l(t), A_l(u)), s = `measure`: f(x, y) -> a number or
    something with a `value` (cka, svcca, pwcca, matching; of one that is not symmetric the mean of both directions). Laws:
    a layer that never changes is 1 throughout; so is one that is only turned, where the measure does not see that.
    Raises E-ACTIVATIONS when there are fewer than two times or a time lacks a layer.
    """
    times = tuple(states)
    layers = tuple(states[times[-1]]) if times else ()
    if len(times) < 2 or any(set(state) != set(layers) for state in states.values()):
        raise InputError("E-ACTIVATIONS", f"two or more times with the same layers were wanted; there are {len(times)}",
                         do="take the activations of the same layers at each time")
    between = np.stack([similarity_matrix({str(k): states[t][layer] for k, t in enumerate(times)}, measure=measure).values
                        for layer in layers])
    return Dynamics(layers, times, between[:, :, -1], between)
