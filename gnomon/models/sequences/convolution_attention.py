"""Convolutions that find motifs, and attention that decides which of them count."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

from gnomon.card import Card
from gnomon.data.table import Spec

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Convolutional network with attention pooling",
    gist="a wide first convolution finds motifs, dilated ones see their surroundings, attention weighs the positions",
    use_when="one number or class a sequence: DNA, RNA, protein, text, aligned variants; some hundred rows or more",
    avoid_when="what counts are relations over hundreds of positions, or k-mer counts with a linear model do",
    paper="Zhou & Troyanskaya 2015, doi:10.1038/nmeth.3547; Bahdanau et al. 2015, arXiv:1409.0473",
    survey=("S4",),
    tasks=("classify", "regress", "several"),
    reads=("sequence", "text"),
    gives=("gradient", "embed"),
    tune={"hidden": (48, 64, 96, 128), "depth": (1, 2, 3), "dropout": (0.1, 0.2, 0.3, 0.5), "kernel": (3, 5, 9, 13)},
)


def convolution_attention(inputs: Mapping[str, Spec], out: Spec, *, hidden: int = 64, depth: int = 2,
                          dropout: float = 0.2, kernel: int = 0,
                          strands: Literal["auto", "one", "both"] = "auto") -> nn.Module:
    """A network over any inputs of which at least one is a sequence or a text.

    Pooled three ways: mean of the first convolution (how often each motif occurs), maximum and attention of the last
    layer (whether, and where). Aligned sequences also go through weights of their own for each symbol and position;
    texts also through a bag of word vectors, which is what holds with little data.

    hidden: channels, a multiple of 4. depth: residual blocks of dilation 1, 2, 4, 8. dropout: twice that, at most 0.6,
    on words. kernel: length of the first convolution; 0 = 11 for DNA and RNA, 7 for proteins, 3 for texts.
    strands: "both" reads DNA and its reverse complement with the same weights and keeps the larger of each feature, so
    that the two give exactly the same; "auto" does so for DNA that is not aligned.
    """
    from gnomon.models._fuse import fuse

    encoder = partial(_encoder, hidden=hidden, depth=depth, dropout=dropout, kernel=kernel, strands=strands)
    return fuse(inputs, out, {"tokens": encoder}, hidden=2 * hidden, dropout=dropout)


def _encoder(spec: Spec, *, hidden: int, depth: int, dropout: float, kernel: int, strands: str) -> nn.Module:
    from gnomon.models.sequences._convolutions import ConvolutionAttention, both_strands
    from gnomon.models.sequences._kit import biological

    usual = {"DNA": 11, "RNA": 11, "protein": 7}.get(biological(spec), 3)
    stride = _stride(biological(spec), spec.shape[0])
    odd = min(kernel or usual, spec.shape[0]) // 2 * 2 + 1  # so that the output is as long as the input
    return ConvolutionAttention(spec, hidden=hidden, depth=depth, kernel=odd, stride=stride, dropout=dropout,
                                both=both_strands(spec, strands))


def _stride(kind: str, longest: int) -> int:
    """Positions that become one after the first convolution: time, at little loss where motifs may stand anywhere."""
    far = {"DNA": (40, 100), "RNA": (40, 100), "protein": (300, 600)}.get(kind)
    return 1 if far is None else 1 if longest < far[0] else 2 if longest < far[1] else 4
