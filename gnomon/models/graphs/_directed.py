"""The layers of directed message passing (equations in message_passing.py)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gnomon.data.kinds import Graphs
from gnomon.models.graphs._kit import Readout, read_out, sum_by


class DirectedMessages(nn.Module):
    """Graphs -> (count, width). Hidden states live on directed edges; the reverse of edge i is edge i ^ 1."""

    def __init__(self, node_features: int, edge_features: int, *, hidden: int, depth: int, dropout: float,
                 readout: Readout):
        super().__init__()
        self.depth = depth
        self.readout: Readout = readout
        self.width = 2 * hidden if readout == "mean+sum" else hidden
        self.from_node = nn.Linear(node_features, hidden)
        self.from_edge = nn.Linear(edge_features, hidden, bias=False)
        self.message = nn.Linear(hidden, hidden)
        self.node = nn.Linear(node_features, hidden)
        self.arrived = nn.Linear(hidden, hidden, bias=False)
        self.dropout = nn.Dropout(dropout)

    def nodes(self, graphs: Graphs) -> Tensor:
        """The hidden state of every atom, (N, hidden)."""
        source, target = graphs.edges
        count = len(graphs.nodes)
        # W [x_source, e] = W_x x_source + W_e e: the first product is made once an atom, not once a bond
        start = self.from_node(graphs.nodes).index_select(0, source) + self.from_edge(graphs.edge_features)
        state = start.relu()
        for _ in range(self.depth - 1):
            arriving = sum_by(state, target, count).index_select(0, source)
            state = self.dropout((start + self.message(arriving - _reversed(state))).relu())
        return self.dropout((self.node(graphs.nodes) + self.arrived(sum_by(state, target, count))).relu())

    def forward(self, graphs: Graphs) -> Tensor:
        return read_out(self.nodes(graphs), graphs.owner, graphs.count, self.readout)


def _reversed(state: Tensor) -> Tensor:
    """The state of each edge's reverse: edges 2k and 2k + 1 change places."""
    return torch.flip(state.view(-1, 2, state.shape[1]), (1,)).reshape(state.shape)
