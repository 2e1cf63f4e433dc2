"""The layers of the graph isomorphism network with edge features (equation in gin.py)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnomon.data.kinds import Graphs
from gnomon.models.graphs._kit import Readout, read_out, sum_by


class Layer(nn.Module):
    def __init__(self, edge_features: int, hidden: int, dropout: float):
        super().__init__()
        self.edge = nn.Linear(edge_features, hidden)
        self.own = nn.Parameter(torch.zeros(()))
        self.norm = nn.LayerNorm(hidden)
        self.net = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Dropout(dropout), nn.Linear(hidden, hidden))

    def forward(self, state: Tensor, graphs: Graphs) -> Tensor:
        source, target = graphs.edges
        said = (state.index_select(0, source) + self.edge(graphs.edge_features)).relu()
        return state + self.net(self.norm((1 + self.own) * state + sum_by(said, target, len(state))))


class Gine(nn.Module):
    """Graphs -> (count, width)."""

    def __init__(self, node_features: int, edge_features: int, *, hidden: int, depth: int, dropout: float,
                 readout: Readout):
        super().__init__()
        self.readout: Readout = readout
        self.width = 2 * hidden if readout == "mean+sum" else hidden
        self.start = nn.Linear(node_features, hidden)
        self.layers = nn.ModuleList(Layer(edge_features, hidden, dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(hidden)

    def nodes(self, graphs: Graphs) -> Tensor:
        """The hidden state of every atom, (N, hidden)."""
        state = self.start(graphs.nodes)
        for layer in self.layers:
            state = layer(state, graphs)
        return self.norm(state)

    def forward(self, graphs: Graphs) -> Tensor:
        return read_out(self.nodes(graphs).relu(), graphs.owner, graphs.count, self.readout)
