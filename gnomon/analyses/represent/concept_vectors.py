"""Testing with concept activation vectors: does a concept, given by examples, push an output up inside the network?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.represent._watch import layer_slopes
from gnomon.analyses.represent.layers import layers
from gnomon.card import Card
from gnomon.errors import InputError
from gnomon.rng import stream

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Concept activation vectors (TCAV)",
    gist="A linear direction for a concept in a layer, and the share of rows whose output rises along it, tested.",
    use_when="You can give examples of a concept (stripes, a stain, a domain) and ask whether an output uses it.",
    avoid_when="Fewer than about 20 examples, or random examples that differ from the concept's in anything else.",
    paper="Kim et al. 2018, arXiv:1711.11279; Holm 1979, Scand. J. Stat. 6",
    survey=("I11",),
    needs=("gradient",),
    cost="seconds",
)
RIDGE = 0.1  # penalty of the linear classifier, as a share of the examples' mean squared length


@dataclass(frozen=True)
class ConceptVector:
    """tcav: share of rows whose output rises along the concept's direction, mean over repeats (sd beside it);
    0.5 = neither. pull: mean slope of the output along the unit direction. accuracy: of the linear classifier, each
    example left out in turn. p: against random concepts; adjusted: by Holm over the concepts given."""

    concept: str
    tcav: float
    sd: float
    pull: float
    accuracy: float
    p: float
    adjusted: float
    significant: bool
    vector: np.ndarray


def concept_vectors(model: nn.Module, x: Any, target: Any, concepts: Mapping[str, Any], random: Any, *, layer: str,
                    repeats: int = 10, nulls: int = 199, level: float = 0.05, chunk: int = 64,
                    seed: int = 0) -> tuple[ConceptVector, ...]:
    """One ConceptVector a concept, in the order given.

    x: rows of the class (or any rows) whose output is asked about. target: that output, an int or `f(raw) -> (B,)`.
    concepts: name -> examples; random: a pool of other examples, at least twice as many as a concept has; both in the
    form of x. layer: the module's name. repeats: random sets a concept is told apart from; its score is their mean.
    nulls: random concepts for the test. Raises E-CONCEPT-FEW, E-LAYER-ABSENT.

    Differs: the classifier is ridge regression on +-1 (closed form, exact leave-one-out accuracy). The paper compares
    scores of repeats by a t-test; repeats share the concept's examples, so that test finds random concepts significant.
    Here the concept's mean slope is compared with that of `nulls` sets of as many examples drawn from the concept and
    the pool together: an exact randomisation test.
    """
    flat = {name: layers(model, given, (layer,), chunk=chunk, pool="flat")[layer].astype(np.float64)
            for name, given in {**concepts, None: random}.items()}
    slopes = layer_slopes(model, x, layer, target, chunk=chunk)[1].flatten(1).double().cpu().numpy()
    found = [_tested(name, flat[name], flat[None], slopes, repeats, nulls, seed) for name in concepts]
    adjusted = holm(np.array([f["p"] for f in found]))
    return tuple(ConceptVector(**f, adjusted=float(a), significant=bool(a <= level))
                 for f, a in zip(found, adjusted, strict=True))


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's step-down adjusted p values: the k-th smallest times (m - k + 1), never falling."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    out = np.empty(len(p))
    out[order] = np.minimum(stepped, 1.0)
    return out


def _tested(name: str, concept: np.ndarray, pool: np.ndarray, slopes: np.ndarray, repeats: int, nulls: int,
            seed: int) -> dict[str, Any]:
    size = len(concept)
    if size < 5 or len(pool) < 2 * size:
        raise InputError("E-CONCEPT-FEW", f"concept '{name}' has {size} examples, the random pool {len(pool)}; wanted are "
                         "at least 5, and twice as many random ones", do="give more examples, or a larger pool")
    space = _Space(np.concatenate([concept, pool]), slopes)
    own = [space.direction(np.arange(size), space.others(np.arange(size), size, seed, name, r)) for r in range(repeats)]
    pulls = np.array([space.pull(d) for d in own])
    null = np.empty(nulls)
    for k in range(nulls):
        drawn = np.sort(stream(seed, "random concept", name, k).permutation(size + len(pool))[:size])
        null[k] = np.mean([space.pull(space.direction(drawn, space.others(drawn, size, seed, name, k, r)))
                           for r in range(repeats)])
    scores = np.array([space.risen(d) for d in own])
    vector = np.mean([space.vector(d) for d in own], axis=0)
    return {"concept": name, "tcav": float(scores.mean()), "sd": float(scores.std()), "pull": float(pulls.mean()),
            "accuracy": float(np.mean([d.accuracy for d in own])), "vector": vector / max(np.linalg.norm(vector), 1e-300),
            "p": float((1 + (np.abs(null) >= abs(pulls.mean()) - 1e-12).sum()) / (nulls + 1))}


@dataclass(frozen=True)
class _Direction:
    """weight: (2m,) what each example adds to the (unit) direction, after the mean example is taken off."""

    rows: np.ndarray
    weight: np.ndarray
    accuracy: float


class _Space:
    """Examples and slopes by their inner products only, so that a fit costs the same in any width of layer."""

    def __init__(self, examples: np.ndarray, slopes: np.ndarray):
        self.examples = examples
        self.inner = examples @ examples.T
        self.along = examples @ slopes.T  # (examples, rows)
        self.mean_along = self.along.mean(axis=1)

    def others(self, taken: np.ndarray, count: int, *names: Any) -> np.ndarray:
        """As many examples that are not taken."""
        left = np.setdiff1d(np.arange(len(self.examples)), taken, assume_unique=True)
        return left[stream(names[0], "told from", *names[1:]).permutation(len(left))[:count]]

    def direction(self, positive: np.ndarray, negative: np.ndarray) -> _Direction:
        """Ridge regression of +-1 on the examples, in its dual form, with exact leave-one-out predictions."""
        rows = np.concatenate([positive, negative])
        sign = np.concatenate([np.ones(len(positive)), -np.ones(len(negative))])
        inner = self.inner[np.ix_(rows, rows)]
        inner = inner - inner.mean(axis=0) - inner.mean(axis=1, keepdims=True) + inner.mean()
        penalty = RIDGE * max(float(np.trace(inner)) / len(rows), 1e-300)
        solved = np.linalg.inv(inner + penalty * np.eye(len(rows)))
        weight = solved @ sign
        left_out = sign - weight / np.diag(solved)
        length = np.sqrt(max(float(weight @ inner @ weight), 1e-300))
        weight = weight / length
        return _Direction(rows, weight - weight.mean(), float((np.sign(left_out) == sign).mean()))

    def pull(self, d: _Direction) -> float:
        return float(d.weight @ self.mean_along[d.rows])

    def risen(self, d: _Direction) -> float:
        return float((d.weight @ self.along[d.rows] > 0).mean())

    def vector(self, d: _Direction) -> np.ndarray:
        return d.weight @ self.examples[d.rows]
