"""Shared by masks that are found by gradient: which elements stay, which give way to a neutral copy of the row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._backward import picker, still
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

CHUNK = 64  # rows whose masks are found together


def mask_chunks(model: nn.Module, x: Any, target: Any, baseline: Any,
                chunk: int) -> Iterator[tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]]:
    """(rows, what stands in for them, function to the explained output (B,)) chunk by chunk, the model held still."""
    import torch

    if not isinstance(x, torch.Tensor) or x.ndim < 2 or not len(x) or not x.is_floating_point():
        raise InputError("E-ATTRIBUTION", "a mask is found by gradient: rows (B, ...) as a float tensor are needed",
                         do="for codes, graphs or a model without gradient use sufficient_subsets or sampled_shapley")
    with still(model):
        for start in range(0, len(x), chunk or CHUNK):
            rows = torch.arange(start, min(start + (chunk or CHUNK), len(x)))
            some = x[rows].detach()
            pick = picker(target, rows)
            yield some, neutral(some, baseline), lambda given, pick=pick: pick(model(given))


def neutral(x: Tensor, baseline: Any) -> Tensor:
    """What a row becomes where it is masked: `baseline`, or by default an image's strong blur, of anything else zeros."""
    import torch

    if baseline is not None:
        return torch.as_tensor(baseline, dtype=x.dtype, device=x.device).expand_as(x)
    return blurred(x, max(x.shape[-2:]) / 8) if x.ndim == 4 else torch.zeros_like(x)


def blurred(x: Tensor, sd: float) -> Tensor:
    """(B, C, H, W) under a Gaussian of this standard deviation in pixels, edges continued."""
    import torch
    from torch.nn import functional as F

    reach = max(1, min(int(3 * sd), min(x.shape[-2:]) - 1))
    at = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    bell = torch.exp(-(at**2) / (2 * sd**2))
    bell, channels = (bell / bell.sum()), x.shape[1]
    wide = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), bell.expand(channels, 1, 1, -1), groups=channels)
    tall = F.pad(wide, (0, 0, reach, reach), mode="replicate")
    return F.conv2d(tall, bell[:, None].expand(channels, 1, -1, 1), groups=channels)


def grid_of(x: Tensor, cell: int) -> tuple[int, ...]:
    """The mask's own size for rows x: of images (H / cell, W / cell), of sequences (B, C, L) its length / cell."""
    return tuple(max(1, int(np.ceil(n / cell))) for n in x.shape[2:]) if x.ndim > 2 else (x.shape[1],)


def gained(model: Callable[[Tensor], Tensor], x: Tensor, base: Tensor) -> tuple[Tensor, Tensor]:
    """(B,) the output of the neutral rows, and what the whole rows add: the scale by which a mask's effect is counted."""
    import torch

    with torch.no_grad():
        none, full = model(base), model(x)
    scale = full - none
    least = 1e-3 * (full.abs() + none.abs()) + 1e-8
    return none, torch.where(scale.abs() < least, least, scale)
