"""Meaningful perturbations: the smallest smooth mask whose removal destroys a network's output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._masks import gained, grid_of, mask_chunks
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Optimised mask (meaningful perturbations)",
    gist="Learns by gradient which few, connected parts to blur away so that the output falls the most.",
    use_when="Images or signals under a network, and a region is wanted rather than speckles.",
    avoid_when="The knobs of size and smoothness change the region: extremal perturbation fixes the area instead.",
    paper="Fong & Vedaldi 2017, arXiv:1704.03296",
    survey=("I4", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("image", "number"),
    needs=("gradient",),
    tune={"sparsity": (0.05, 0.1, 0.3, 1.0), "smoothness": (0.0, 0.05, 0.2)},
    cost="seconds",
)
RATE, POWER = 0.1, 3.0  # of Adam; the exponent of the paper's total variation


def optimised_mask(model: nn.Module, x: Any, target: Any, *, sparsity: float = 0.3, smoothness: float = 0.05,
                   steps: int = 150, cell: int = 2, baseline: Any = None, chunk: int = 0) -> Any:
    """d in [0, 1] of x's shape, 1 = deleted, that minimises g(x (1 - d) + base d) + sparsity mean(d) + smoothness TV(d)^3.

    g is the output's share of the way from the neutral row (0) to the row (1). model: an nn.Module with a gradient. x: a
    float Tensor: images (B, C, H, W), signals (B, C, L) or numbers (B, D); a mask is shared by the channels. cell:
    elements a side of one mask cell. baseline: what the deleted becomes (default: an image's blur, else 0). steps: of
    Adam. Rows are optimised together, each by itself. Laws: elements the output does not see get 0; a planted patch
    stands out. Differs: the output is scaled a row (so that sparsity means the same for all), no jitter.
    """
    import torch

    found = [_found(call, some, base, (sparsity, smoothness), steps, cell)
             for some, base, call in mask_chunks(model, x, target, baseline, chunk)]
    return torch.cat(found)


def _found(call: Any, x: Tensor, base: Tensor, weights: tuple[float, float], steps: int, cell: int) -> Tensor:
    import torch

    none, scale = gained(call, x, base)
    free = torch.zeros(len(x), *grid_of(x, cell), device=x.device, dtype=x.dtype, requires_grad=True)
    adam = torch.optim.Adam([free], lr=RATE)
    with torch.enable_grad():
        for _ in range(steps):
            mask = torch.sigmoid(4 * free)
            gone = shown(mask, x)
            share = (call(x + gone * (base - x)) - none) / scale
            cost = share + weights[0] * mask.flatten(1).mean(1) + weights[1] * _variation(mask)
            adam.zero_grad()
            free.grad = torch.autograd.grad(cost.sum(), free)[0]
            adam.step()
    return shown(torch.sigmoid(4 * free.detach()), x).expand_as(x).contiguous()


def shown(mask: Tensor, x: Tensor) -> Tensor:
    """A mask (B, cells ...) at the size of x, one channel."""
    from torch.nn import functional as F

    if x.ndim == 2:
        return mask
    mode = "bilinear" if x.ndim == 4 else "linear"
    return F.interpolate(mask[:, None], size=x.shape[2:], mode=mode, align_corners=False)


def _variation(mask: Tensor) -> Tensor:
    """(B,) mean of |neighbours' difference| to the power; 0 for a table's columns, which have no neighbours."""
    if mask.ndim == 2 and mask.shape[1] < 2:
        return mask.new_zeros(len(mask))
    dims = range(1, mask.ndim)
    return sum((mask.diff(dim=d).abs() ** POWER).flatten(1).mean(1) if mask.shape[d] > 1 else mask.new_zeros(len(mask))
               for d in dims)
