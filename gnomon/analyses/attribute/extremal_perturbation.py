"""Extremal perturbations: of all smooth masks of a given area, the one that keeps a network's output highest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._masks import gained, mask_chunks
from gnomon.card import Card
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Extremal perturbation",
    gist="Finds, for each of a few areas, the smooth region of that size that best keeps the output; adds them up.",
    use_when="Images under a network, when the question is which region of 5, 10 or 20 percent carries the decision.",
    avoid_when="Not an image or a signal; the cue is scattered over the whole image; seconds an image are too dear.",
    paper="Fong, Patrick & Vedaldi 2019, arXiv:1910.08485",
    survey=("I4", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("image", "number"),
    needs=("gradient",),
    tune={"areas": ((0.05, 0.1, 0.2), (0.1,), (0.025, 0.05, 0.1, 0.2, 0.4))},
    cost="minutes",
)
RATE = 0.05  # of Adam
PULL = (1.0, 30.0)  # weight of the area at the first and the last step, growing geometrically
SHARP = 20.0  # of the smooth maximum: 1 / temperature


def extremal_perturbation(model: nn.Module, x: Any, target: Any, *, areas: tuple[float, ...] = (0.05, 0.1, 0.2),
                          steps: int = 100, cell: int = 2, baseline: Any = None, chunk: int = 0) -> Any:
    """Mean over `areas` of the masks m in [0, 1] that maximise g(x m + base (1 - m)) - pull * |sort(m) - step_a|^2.

    step_a is 0 but for its last share a, where it is 1: the mask's area is held to a. g is the output's share of the way
    from the neutral row to the row. m is the smooth maximum of bumps on a grid, so its edges are no sharper than `cell`
    elements. x: a float Tensor, images (B, C, H, W) or signals (B, C, L); the result has its shape, channels alike.
    areas: shares of the image. steps: of Adam, an area. baseline: as in optimised_mask. Laws: each mask has its area; a
    planted patch of that area is found. Differs: Adam for SGD with momentum; the plain blur for its pyramid.
    """
    import torch

    if getattr(x, "ndim", 0) not in (3, 4):
        raise InputError("E-ATTRIBUTION", "an area is a part of an image (B, C, H, W) or a signal (B, C, L)",
                         do="for columns use optimised_mask or sufficient_subsets")
    if not areas or min(areas) <= 0 or max(areas) >= 1:
        raise InputError("E-ATTRIBUTION", f"areas {areas} must lie between 0 and 1", do="for instance (0.05, 0.1, 0.2)")
    found = [torch.stack([_found(call, some, base, area, steps, cell) for area in areas]).mean(0)
             for some, base, call in mask_chunks(model, x, target, baseline, chunk)]
    return torch.cat(found)


def _found(call: Any, x: Tensor, base: Tensor, area: float, steps: int, cell: int) -> Tensor:
    """The mask of one area, of x's shape."""
    import torch

    none, scale = gained(call, x, base)
    bumps, cells = _bumps(tuple(x.shape[2:]), cell, x)
    free = torch.full((len(x), cells), 0.5, device=x.device, dtype=x.dtype, requires_grad=True)
    adam = torch.optim.Adam([free], lr=RATE)
    pixels = bumps.shape[0]
    wanted = (torch.arange(pixels, device=x.device) >= round((1 - area) * pixels)).to(x.dtype)
    with torch.enable_grad():
        for step in range(steps):
            mask = _smooth_max(free, bumps)
            kept = mask.reshape(len(x), 1, *x.shape[2:])
            share = (call(base + kept * (x - base)) - none) / scale
            pull = PULL[0] * (PULL[1] / PULL[0]) ** (step / max(steps - 1, 1))
            cost = -share + pull * ((mask.sort(dim=1).values - wanted) ** 2).mean(1)
            free.grad = torch.autograd.grad(cost.sum(), free)[0]
            adam.step()
            free.data.clamp_(0, 1)
    return _smooth_max(free.detach(), bumps).reshape(len(x), 1, *x.shape[2:]).expand_as(x).contiguous()


def _bumps(size: tuple[int, ...], cell: int, x: Tensor) -> tuple[Tensor, int]:
    """(pixels, cells) how far a cell's value reaches: 1 within a cell's half diagonal, falling to 0 one cell further."""
    import torch

    pixel = torch.cartesian_prod(*[torch.arange(n) for n in size]).reshape(-1, len(size)).float()
    centres = [torch.arange(cell / 2 - 0.5, n, cell) for n in size]
    centre = torch.cartesian_prod(*centres).reshape(-1, len(size)).float()
    distance = torch.cdist(pixel, centre) / cell
    return torch.exp(-(torch.clamp(distance - 0.71, min=0) ** 2) / 0.1).to(x), len(centre)


def _smooth_max(free: Tensor, bumps: Tensor) -> Tensor:
    """(B, pixels) smooth maximum over cells of value * reach: sum z e^(z / T) / sum e^(z / T)."""
    import torch

    values = free[:, None] * bumps
    return (torch.softmax(SHARP * values, dim=2) * values).sum(2)
