"""The sequence that drives an output most: letters relaxed to probabilities and climbed, then single mutations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import still
from gnomon.analyses.attribute._backward_leaves import gradients
from gnomon.card import Card
from gnomon.rng import key

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Optimal sequences",
    gist="DNA, RNA or protein letters that raise an output or unit as far as single mutations can take them.",
    use_when="You want to see what a sequence network looks for, or to propose a sequence worth making.",
    avoid_when="As a prediction: the model has never seen such sequences; measure them before believing the score.",
    paper="Lanchantin et al. 2017, arXiv:1608.03644; Linder & Seelig 2021, BMC Bioinformatics 22",
    survey=("I10",),
    reads=("sequence",),
    needs=("gradient",),
    cost="seconds",
)
COLD, WARM = 0.2, 1.0  # temperature of the relaxed letters at the end and at the start
MOST_SWEEPS = 20


@dataclass(frozen=True)
class OptimalSequence:
    """codes: (count, L) letters, best first. value: (count,) of each. relaxed: (count,) right after the relaxed climb,
    before mutations. local: whether no single mutation raises it further."""

    codes: Any
    value: Any
    relaxed: Any
    local: tuple[bool, ...]

    def texts(self, letters: str) -> list[str]:
        """The sequences as strings."""
        return ["".join(letters[k] for k in row) for row in self.codes.tolist()]


def optimal_sequence(score: Callable[[Tensor], Tensor], length: int, letters: int, *, model: nn.Module | None = None,
                     count: int = 4, steps: int = 200, rate: float = 0.1, seed: int = 0) -> OptimalSequence:
    """Sequences of `length` letters (codes 0 .. letters - 1) with a high score.

    score: `f(one_hot (B, L, letters)) -> (B,)`, differentiable; it may transpose and pick an output or a unit. model:
    put in evaluation mode meanwhile. count: starts, all climbed in one batch. steps, rate: of Adam on the letters'
    logits; their softmax cools from 1 to 0.2. Then the best single mutation is taken until none raises the score (at
    most 20 sweeps of L x (letters - 1) scores each). Raises E-ATTRIBUTION where the score has no gradient.
    """
    import torch

    dice = torch.Generator().manual_seed(key(seed, "optimal sequence") % 2**63)
    logits = torch.randn(count, length, letters, generator=dice).requires_grad_(True)
    optimiser = torch.optim.Adam([logits], lr=rate)
    with still(model or torch.nn.Identity()):
        for step in range(steps):
            heat = WARM + (COLD - WARM) * step / max(steps - 1, 1)
            with torch.enable_grad():
                value = score(torch.softmax(logits / heat, dim=-1).clone())  # which a model may change in place
                logits.grad = -gradients(value, {"logits": logits})["logits"]
            optimiser.step()
        codes = logits.detach().argmax(dim=-1)
        with torch.no_grad():
            relaxed = score(_hot(codes, letters))
            done = [_mutated(score, row, letters) for row in codes]
    value = torch.stack([v for _, v, _ in done])
    order = value.argsort(descending=True)
    return OptimalSequence(torch.stack([c for c, _, _ in done])[order], value[order], relaxed[order],
                           tuple(done[i][2] for i in order.tolist()))


def _hot(codes: Tensor, letters: int) -> Tensor:
    import torch

    return torch.nn.functional.one_hot(codes, letters).float()


def _mutated(score: Callable[[Tensor], Tensor], codes: Tensor, letters: int) -> tuple[Tensor, Tensor, bool]:
    """Greedy ascent over all single mutations: (codes, score, whether a local maximum was reached)."""
    import torch

    value, places = score(_hot(codes[None], letters))[0], torch.arange(len(codes)).repeat_interleave(letters)
    for _ in range(MOST_SWEEPS):
        near = codes.repeat(len(places), 1)
        near[torch.arange(len(places)), places] = torch.arange(letters).repeat(len(codes))
        told = torch.cat([score(_hot(part, letters)) for part in near.split(512)])
        if told.max() <= value + 1e-6 * value.abs():
            return codes, value, True
        value, codes = told.max(), near[told.argmax()]
    return codes, value, False
