"""SmoothGrad: the gradient averaged over noisy copies of the input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._backward import by_chunks
from gnomon.card import Card
from gnomon.rng import stream

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="SmoothGrad",
    gist="Adds noise to the input many times and averages the gradients: the fast wiggles of the network cancel.",
    use_when="Gradients of an image or signal network look like noise, and a map is wanted that the eye can read.",
    avoid_when="The inputs are codes, counts or bits, where noise makes no sense; smoother is not more faithful.",
    paper="Smilkov et al. 2017, arXiv:1706.03825",
    survey=("I1",),
    tasks=("classify", "regress", "several"),
    needs=("gradient",),
    tune={"noise": (0.05, 0.1, 0.15, 0.2)},
    cost="seconds",
)


def smoothgrad(model: nn.Module, x: Any, target: Any, *, draws: int = 32, noise: float = 0.15,
               times_input: bool = False, seed: int = 0, chunk: int = 0) -> Any:
    """Mean over `draws` of d output / d x at x + e, with e normal of sd `noise` * (largest - smallest value of the row).

    model, x, target, times_input: as in saliency; so is the form of what is returned. draws: passes; the noise of the
    mean falls with their root. noise: 0 gives the plain gradient; about 0.1-0.2 as in the paper. chunk: rows at a time.
    Differs: all rows share their draws, so a row's map does not depend on which others are explained with it; of
    embedded codes the vectors are moved.
    """
    def one(leaves: Any) -> dict[str, Any]:
        sums: dict[Any, Any] = {}
        for draw in range(draws if noise else 1):

            def shaken(key: Any, value: Any, _: Any, draw: int = draw) -> Any:
                return value + noise * _noise(leaves, key, value, stream(seed, "smoothgrad", draw, str(key)))

            for key, slope in leaves.slopes(shaken if noise else None).items():
                sums[key] = sums.get(key, 0) + slope / (draws if noise else 1)
        return leaves.placed({k: g * leaves.values[k] for k, g in sums.items()} if times_input else sums)

    return by_chunks(model, x, target, one, chunk=chunk)


def _noise(leaves: Any, key: Any, value: Tensor, dice: np.random.Generator) -> Tensor:
    """Standard normal numbers times each row's range. Atoms and bonds are numbered within their molecule."""
    import torch

    def drawn(shape: tuple[int, ...]) -> Tensor:
        return torch.from_numpy(dice.standard_normal(shape, dtype=np.float32)).to(value)

    if not isinstance(key, tuple) or key[1] not in ("nodes", "edges"):
        rows = value.flatten(1)
        span = (rows.amax(1) - rows.amin(1)) if rows.shape[1] else rows.new_zeros(len(rows))
        return drawn(value.shape[1:]) * span.reshape(-1, *[1] * (value.ndim - 1))
    graphs = leaves.inputs[key[0]]
    owner = graphs.owner if key[1] == "nodes" else graphs.owner[graphs.edges[0]]
    if not value.numel():
        return torch.zeros_like(value)
    first = torch.zeros(graphs.count + 1, dtype=torch.long, device=value.device)
    first[1:] = torch.bincount(owner, minlength=graphs.count).cumsum(0)
    place = torch.arange(len(owner), device=value.device) - first[owner]
    extremes = [value.new_zeros(graphs.count).scatter_reduce(0, owner, ends, way, include_self=False)
                for ends, way in ((value.amax(1), "amax"), (value.amin(1), "amin"))]
    return drawn((int(place.max()) + 1, value.shape[1]))[place] * (extremes[0] - extremes[1])[owner][:, None]
