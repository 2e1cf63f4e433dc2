"""A small transformer encoder: every position attends to every other."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from gnomon.card import Card
from gnomon.data.table import Spec

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Transformer encoder",
    gist="self-attention with rotary positions over letters or words, trained from scratch, mean and maximum pooled",
    use_when="what counts are relations between distant positions, and there are thousands of labelled sequences",
    avoid_when="fewer than about 2,000 rows: convolutions learn faster; texts with a pretrained model at hand",
    paper="Vaswani et al. 2017, arXiv:1706.03762; Su et al. 2021, arXiv:2104.09864 (rotary positions)",
    survey=("S4", "S8"),
    tasks=("classify", "regress", "several"),
    reads=("sequence", "text"),
    gives=("gradient", "embed"),
    tune={"hidden": (64, 96, 128), "depth": (2, 3, 4), "dropout": (0.1, 0.2, 0.3)},
)


def transformer(inputs: Mapping[str, Spec], out: Spec, *, hidden: int = 64, depth: int = 2, heads: int = 4,
                dropout: float = 0.1) -> nn.Module:
    """A network over any inputs of which at least one is a sequence or a text.

    Pre-norm layers; positions are rotary (only distances count), or learned where sequences are aligned. A convolution
    over three neighbours comes first; texts also go through a bag of word vectors.

    hidden: width, a multiple of 2 x heads; time and memory grow with the square of the length. depth: layers.
    """
    from gnomon.models._fuse import fuse

    encoder = partial(_encoder, hidden=hidden, depth=depth, heads=heads, dropout=dropout)
    return fuse(inputs, out, {"tokens": encoder}, hidden=2 * hidden, dropout=dropout)


def _encoder(spec: Spec, *, hidden: int, depth: int, heads: int, dropout: float) -> nn.Module:
    from gnomon.models.sequences._rotary import Encoder

    return Encoder(spec, hidden=hidden, depth=depth, heads=heads, dropout=dropout)
