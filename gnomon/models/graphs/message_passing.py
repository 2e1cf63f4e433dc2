"""Directed message passing: what is passed on along a bond never comes straight back."""

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
    name="Directed message passing (D-MPNN)",
    gist="hidden states live on directed bonds, so messages do not echo; summed over atoms, joined with descriptors",
    use_when="one number or class a molecule from SMILES, from a few hundred molecules on",
    avoid_when="fewer than about 200 molecules, or a forest on fingerprints already reaches the replicate spread",
    paper="Yang et al. 2019, J. Chem. Inf. Model. 59:3370, arXiv:1904.01561; Gilmer et al. 2017, arXiv:1704.01212",
    survey=("G1",),
    tasks=("classify", "regress", "several"),
    reads=("molecule",),
    gives=("gradient", "embed"),
    tune={"hidden": (96, 128, 200, 300), "depth": (2, 3, 4, 5), "dropout": (0.0, 0.1, 0.2),
          "readout": ("mean", "norm", "mean+sum")},
)


def message_passing(inputs: Mapping[str, Spec], out: Spec, *, hidden: int = 128, depth: int = 3, dropout: float = 0.1,
                    readout: Literal["mean", "sum", "norm", "mean+sum"] = "mean+sum") -> nn.Module:
    """A network over any inputs of which at least one is a molecule; each molecule column has its own passes.

    For a bond from atom v to atom w with features e_vw:
        h0_vw = act(W_i [x_v, e_vw]);   m_vw = sum over neighbours k of v but w of h_kv;   h_vw = act(h0_vw + W_h m_vw)
    `depth` - 1 times; then h_v = act(W_o [x_v, sum over k of h_kv]) and the readout over atoms.

    hidden: width; time grows with its square. depth: how many bonds far an atom is seen. dropout: in every layer.
    readout: "sum" and "norm" follow the size of the molecule, "mean" does not, "mean+sum" offers both.
    Differs: W_h has a bias; sums are divided by a typical molecule of 25 atoms rather than 100 ("norm").
    """
    from gnomon.models._fuse import fuse

    encoder = partial(_encoder, hidden=hidden, depth=depth, dropout=dropout, readout=readout)
    return fuse(inputs, out, {"graph": encoder}, hidden=hidden, dropout=dropout)


def _encoder(spec: Spec, *, hidden: int, depth: int, dropout: float, readout: Readout) -> nn.Module:
    from gnomon.models.graphs._directed import DirectedMessages

    return DirectedMessages(*spec.shape, hidden=hidden, depth=depth, dropout=dropout, readout=readout)
