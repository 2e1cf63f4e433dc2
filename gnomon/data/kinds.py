"""What a batch of each kind looks like when a model sees it. Nothing else belongs here.

Models receive `inputs: dict[str, Tensor | Tokens | Graphs]`, keyed by tensor name; see `data/tensors.py` for how
columns become these, whole batches at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import Tensor


class Tokens(NamedTuple):
    """Padded sequences: ids (B, L) int64 with 0 = padding; mask (B, L) bool, True where a token stands."""

    ids: Tensor
    mask: Tensor


class Graphs(NamedTuple):
    """Graphs end to end: nodes (N, F) float; edges (2, E) int64, source and target, each bond in both directions
    at positions 2k and 2k + 1; edge_features (E, G) float; owner (N,) int64, the graph of each node; count, how many."""

    nodes: Tensor
    edges: Tensor
    edge_features: Tensor
    owner: Tensor
    count: int


class Batch(NamedTuple):
    """What a step sees: inputs by tensor name, truth as the task wants it, one weight a row, and which rows they are."""

    inputs: dict[str, Any]
    truth: Any
    weight: Tensor
    rows: Any
