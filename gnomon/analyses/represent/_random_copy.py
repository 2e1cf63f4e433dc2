"""A copy of a network with nothing learned: the baseline for what its representation knows."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from gnomon.rng import key

if TYPE_CHECKING:
    from torch import nn


def random_copy(module: nn.Module, seed: int) -> nn.Module:
    """The same network initialised anew, buffers of normalisation layers included.

    Modules that know how (`reset_parameters`) do it themselves; parameters held outright by others are redrawn as
    Gaussian noise of the same mean and spread.
    """
    import torch

    module = copy.deepcopy(module)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(key(seed, "random copy") % 2**63)
        known = set()
        for part in module.modules():
            if callable(getattr(part, "reset_parameters", None)):
                part.reset_parameters()
                known |= {id(p) for p in part.parameters()}
        for weight in module.parameters():
            if id(weight) not in known and weight.is_floating_point() and weight.numel() > 1:
                spread, mean = weight.float().std(), weight.float().mean()
                weight.copy_((torch.randn(weight.shape) * spread.cpu() + mean.cpu()).to(weight))
    return module
