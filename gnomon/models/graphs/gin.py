"""Graph isomorphism network with bond features: as discerning as neighbourhood comparison can be."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from gnomon.card import Card
from gnomon.data.table import Spec

if TYPE_CHECKING:
    from torch import nn

    from gnomon.models.graphs._kit import Readout

CARD = Card(
    name="Graph isomorphism network with edge features (GINE)",
    gist="atoms sum what their neighbours and bonds say and pass it through a small network, a few times",
    use_when="one number or class a molecule; a second opinion, and ensemble member, beside directed message passing",
    avoid_when="fewer than about 200 molecules, or a forest on fingerprints already reaches the replicate spread",
    paper="Xu et al. 2019, arXiv:1810.00826; Hu et al. 2020, arXiv:1905.12265",
    survey=("G1",),
    tasks=("classify", "regress", "several"),
    reads=("molecule",),
    gives=("gradient", "embed"),
    tune={"hidden": (96, 128, 200), "depth": (3, 4, 5), "dropout": (0.0, 0.1, 0.2)},
)


def gin(inputs: Mapping[str, Spec], out: Spec, *, hidden: int = 128, depth: int = 4, dropout: float = 0.1,
        readout: Literal["mean", "sum", "norm", "mean+sum"] = "mean+sum") -> nn.Module:
    """A network over any inputs of which at least one is a molecule.

        h_v <- h_v + MLP(norm((1 + eps) h_v + sum over neighbours u of relu(h_u + W e_uv)))        `depth` times

    hidden: width. depth: how many bonds far an atom is seen. dropout: in every layer and before the output.
    Differs: a residual path and LayerNorm in place of BatchNorm, so that one molecule never depends on its batch.
    """
    from gnomon.models._fuse import fuse

    encoder = partial(_encoder, hidden=hidden, depth=depth, dropout=dropout, readout=readout)
    return fuse(inputs, out, {"graph": encoder}, hidden=hidden, dropout=dropout)


def _encoder(spec: Spec, *, hidden: int, depth: int, dropout: float, readout: Readout) -> nn.Module:
    from gnomon.models.graphs._gine import Gine

    return Gine(*spec.shape, hidden=hidden, depth=depth, dropout=dropout, readout=readout)
