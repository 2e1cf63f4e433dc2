"""A residual convolutional network, sized to the images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from gnomon.card import Card
from gnomon.data.table import Spec

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Residual network",
    gist="Convolutions in residual blocks, each stage at half the resolution; depth and stem follow the image's size.",
    use_when="Images of any number of channels, a few hundred or more; tables beside them are joined in.",
    avoid_when="There are a few dozen images: simple features and a linear model say as much.",
    paper="He et al. 2016, arXiv:1512.03385",
    survey=("V1", "M11"),
    tasks=("classify", "regress", "several"),
    reads=("image", "number", "category", "date"),
    needs=("steps",),
    gives=("gradient", "embed", "encoder"),
    tune={"width": (16, 32, 64), "blocks": (1, 2), "dropout": (0.0, 0.3)},
    cost="minutes",
)
SMALL, MIDDLE = 40, 96  # images up to this side lose no resolution in the first layer; up to this, one halving


def resnet(inputs: Mapping[str, Spec], out: Spec, *, width: int = 32, blocks: int = 0, side: int = 160,
           dropout: float = 0.1) -> nn.Module:
    """forward(dict with (B, C, H, W) float images) -> raw (B, out.shape[0]); embed(dict) -> (B, d).

    width: channels of the first stage; each further stage has twice as many. blocks: a stage (0 = 1 up to 40 pixels,
    else 2). side: larger images are averaged down to this many pixels on the longer side.
    """
    from gnomon.models._fuse import fuse

    def image(spec: Spec) -> nn.Module:
        from gnomon.models.images._residual import Residual

        stem, stages = shape_for(spec.shape, side)
        depth = blocks or (1 if stem == "small" else 2)
        return Residual(spec.shape[0], [width * 2**i for i in range(stages)], depth, stem, side)

    return fuse(inputs, out, {"image": image}, hidden=4 * width if len(inputs) > 1 else 0, dropout=dropout)


def shape_for(shape: tuple[int, ...], side: int) -> tuple[str, int]:
    """(stem, number of stages) so that the last stage sees about 4 to 7 pixels a side."""
    pixels = min(max(shape[-2:]), side)
    stem = "small" if pixels <= SMALL else "middle" if pixels <= MIDDLE else "large"
    first = pixels / (4 if stem == "large" else 2)
    return stem, int(min(max(round(math.log2(max(first, 1) / 4)) + 1, 1), 4))
