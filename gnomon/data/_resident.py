"""Encoded rows where the model runs; a batch is pure indexing.

A store holds all rows and offers `batch(rows, index)`: rows as numpy for counting, index as a tensor on the device.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from gnomon.data.kinds import Graphs, Tokens


def resident(array: np.ndarray, device: Any) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(array)).to(device)


@dataclass(frozen=True)
class Rows:
    """A matrix on the device; a batch is a choice of its rows."""

    values: Any

    @staticmethod
    def of(array: np.ndarray, device: Any) -> Rows:
        return Rows(resident(array, device))

    def batch(self, rows: np.ndarray, index: Any) -> Any:
        return self.values.index_select(0, index)


@dataclass(frozen=True)
class TokenRows:
    """Codes end to end on the device; lengths on the host, so that padding needs no wait for the device."""

    values: Any
    offsets: Any
    cuts: np.ndarray

    @cached_property
    def lengths(self) -> np.ndarray:
        return np.diff(self.cuts)

    def batch(self, rows: np.ndarray, index: Any) -> Tokens:
        import torch

        longest = int(self.lengths[rows].max(initial=1))
        place = torch.arange(longest, device=index.device)
        start = self.offsets.index_select(0, index)
        mask = place[None] < (self.offsets.index_select(0, index + 1) - start)[:, None]
        where = (start[:, None] + place[None]).clamp_(max=max(len(self.values) - 1, 0))
        return Tokens(self.values[where].long() * mask, mask)


@dataclass(frozen=True)
class GraphRows:
    """Atoms and bonds end to end on the device; counts on the host."""

    nodes: Any
    edges: Any
    edge_features: Any
    node_offsets: Any
    edge_offsets: Any
    node_counts: np.ndarray
    edge_counts: np.ndarray

    def batch(self, rows: np.ndarray, index: Any) -> Graphs:
        node_rows, owner, begins = _spans(self.node_offsets, index, int(self.node_counts[rows].sum()))
        edge_rows, edge_owner, _ = _spans(self.edge_offsets, index, int(self.edge_counts[rows].sum()))
        edges = self.edges.index_select(1, edge_rows) + begins.index_select(0, edge_owner)
        return Graphs(self.nodes.index_select(0, node_rows), edges, self.edge_features.index_select(0, edge_rows),
                      owner, len(rows))


def _spans(offsets: Any, index: Any, total: int) -> tuple[Any, Any, Any]:
    """(places of all members of the chosen rows, the row of each in the batch, where each row begins in the batch)."""
    import torch

    start = offsets.index_select(0, index)
    counts = offsets.index_select(0, index + 1) - start
    begins = counts.cumsum(0) - counts
    owner = torch.repeat_interleave(torch.arange(len(index), device=index.device), counts, output_size=total)
    places = torch.arange(total, device=index.device) + (start - begins).index_select(0, owner)
    return places, owner, begins


@dataclass(frozen=True)
class ImageRows:
    """Bytes on the device where they fit, else read batch by batch; standardised a batch at a time."""

    column: Any
    held: Any
    mean: Any
    inverse_sd: Any

    def batch(self, rows: np.ndarray, index: Any) -> Any:
        import torch

        if self.held is not None:
            pixels = self.held.index_select(0, index)
        else:
            pixels = torch.from_numpy(np.ascontiguousarray(self.column.take(rows), dtype=np.float32)).to(index.device)
        pixels = pixels.to(torch.float32).sub_(self.mean).mul_(self.inverse_sd)
        return pixels.to(memory_format=torch.channels_last)
