"""Shared by graph networks: sums over the atoms of each graph, and what is read out of them."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Readout = Literal["mean", "sum", "norm", "mean+sum"]
TYPICAL = 25.0  # atoms of an ordinary molecule: what a sum is divided by, to be of order one


def sum_by(values: Tensor, index: Tensor, count: int) -> Tensor:
    """(n, H) summed where `index` (n,) is equal: (count, H)."""
    return values.new_zeros(count, values.shape[1]).index_add(0, index, values)


def read_out(nodes: Tensor, owner: Tensor, count: int, readout: Readout) -> Tensor:
    """One vector a graph, whatever the order of its nodes: (count, H), or (count, 2H) for "mean+sum".

    "sum" keeps the size of a graph, "mean" forgets it; "norm" is the sum over TYPICAL nodes. A graph without nodes
    gives zeros.
    """
    total = sum_by(nodes, owner, count)
    if readout == "sum":
        return total
    if readout == "norm":
        return total / TYPICAL
    sizes = torch.bincount(owner, minlength=count).clamp(min=1).to(nodes.dtype)[:, None]
    return total / sizes if readout == "mean" else torch.cat([total / sizes, total / TYPICAL], dim=1)
