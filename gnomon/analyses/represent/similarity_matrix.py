"""Every representation against every other: layers, seeds, models, training times, groups of inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.represent.cka import cka
from gnomon.card import Card

CARD = Card(
    name="Matrix of similarities",
    gist="Compares each of several representations of the same rows with each other one, by CKA or any other measure.",
    use_when="Layers of one network against those of another, seeds among themselves, a layer over training time.",
    avoid_when="The representations are of different rows: nothing pairs them.",
    paper="Kornblith, Norouzi, Lee & Hinton 2019, arXiv:1905.00414 (figures 2 to 5)",
    survey=("I13", "W8"),
    cost="seconds",
)


@dataclass(frozen=True)
class Similarities:
    """values (len(names), len(others))."""

    names: tuple[str, ...]
    others: tuple[str, ...]
    values: np.ndarray


def similarity_matrix(one: Mapping[str, Any], other: Mapping[str, Any] | None = None, *,
                      measure: Callable[[Any, Any], Any] = cka) -> Similarities:
    """name -> (n, d) against name -> (n, d'); None: `one` against itself.

    measure: f(x, y) -> a number, or something with a `value` (svcca, pwcca, matching, subspace_matching; with options by
    functools.partial). Against itself the upper triangle is computed and mirrored, as `similarity_tree` wants it; of a
    measure that is not symmetric (pwcca) the mean of both directions is taken. Raises what the measure raises.
    """
    def told(x: Any, y: Any) -> float:
        found = measure(x, y)
        return float(getattr(found, "value", found))

    mirrored = getattr(measure, "func", measure) is cka
    names, others = tuple(one), tuple(one if other is None else other)
    values = np.zeros((len(names), len(others)))
    for i, a in enumerate(names):
        for j, b in enumerate(others):
            if other is not None:
                values[i, j] = told(one[a], other[b])
            elif j >= i:
                there = told(one[a], one[b])
                values[i, j] = values[j, i] = there if i == j or mirrored else (there + told(one[b], one[a])) / 2
    return Similarities(names, others, values)
