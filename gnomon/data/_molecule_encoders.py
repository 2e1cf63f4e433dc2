"""A molecule column as tensors: graphs of atoms and bonds, and computed properties beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.data._encoder import OneColumn, State, plain_state
from gnomon.data._resident import GraphRows, Rows, resident
from gnomon.data._scales import Scale, fit_scale
from gnomon.data.table import Data, Spec, strings


@dataclass(frozen=True)
class Molecules(OneColumn):
    """A molecule column as Graphs of atoms and bonds."""

    shape: tuple[int, int]  # features of an atom, of a bond
    kind = "graph"

    @property
    def spec(self) -> Spec:
        return Spec("graph", shape=self.shape)

    def load(self, data: Data, device: Any) -> GraphRows:
        found = _molecules(data, self.column)
        nodes, edges, bonds = (resident(a, device) for a in (found.nodes, found.edges, found.edge_features))
        node_offsets, edge_offsets = (resident(a, device) for a in (found.node_offsets, found.edge_offsets))
        return GraphRows(nodes, edges, bonds, node_offsets, edge_offsets, np.diff(found.node_offsets),
                         np.diff(found.edge_offsets))

    def state(self) -> State:
        return plain_state(self), {}


@dataclass(frozen=True)
class Descriptors:
    """A molecule column's computed properties as (n, d) float32, robustly scaled; those constant in training go."""

    column: str
    names: tuple[str, ...]
    kept: np.ndarray
    scale: Scale
    kind = "descriptors"

    @property
    def spec(self) -> Spec:
        return Spec("numbers", shape=(len(self.names),))

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.column,) * len(self.names)

    def load(self, data: Data, device: Any) -> Rows:
        return Rows.of(self.scale(_molecules(data, self.column).descriptors[:, self.kept]), device)

    def state(self) -> State:
        return plain_state(self), {"kept": self.kept, **self.scale.arrays}


def fit_graph(data: Data, column: str) -> Molecules:
    found = _molecules(data, column)
    return Molecules(column, (found.nodes.shape[1], found.edge_features.shape[1]))


def fit_descriptors(data: Data, rows: np.ndarray, column: str) -> Descriptors | None:
    found = _molecules(data, column)
    values = found.descriptors[rows]
    kept = np.flatnonzero(values.std(axis=0) > 0)
    if not len(kept):
        return None
    return Descriptors(column, tuple(found.names[j] for j in kept), kept, fit_scale(values[:, kept]))


def _molecules(data: Data, column: str) -> Any:
    from gnomon.data.molecules import molecule_graphs

    return molecule_graphs(strings(data.columns[column]).tolist())
