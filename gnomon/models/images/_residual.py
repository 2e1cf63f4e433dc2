"""The modules behind `resnet`; imported only where torch is wanted."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """y = ReLU(x' + BN(conv(ReLU(BN(conv(x)))))), 3 x 3 both; x' is x, pooled and projected where the shape changes.

    The last norm begins at 0, so each block begins as the identity (Goyal et al. 2017, arXiv:1706.02677).
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        nn.init.zeros_(self.norm2.weight)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or inputs != outputs:
            pool = nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False) if stride > 1 else nn.Identity()
            self.shortcut = nn.Sequential(pool, nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(y)) + self.shortcut(x))


class Residual(nn.Module):
    """(B, C, H, W) to (B, width): stem, stages at halving resolution and growing channels, mean over places.

    stem: "small" keeps the resolution of the first layer and pools once, "middle" halves once, "large" halves twice.
    side: larger images are averaged down to this side first.
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: int, stem: str, side: int):
        super().__init__()
        first, self.side = widths[0], side
        kernel, stride = {"small": (3, 1), "middle": (3, 2), "large": (7, 2)}[stem]
        self.stem = nn.Sequential(nn.Conv2d(channels, first, kernel, stride, kernel // 2, bias=False),
                                  nn.BatchNorm2d(first), nn.ReLU(inplace=True),
                                  nn.Identity() if stem == "middle" else nn.MaxPool2d(3, 2, 1))
        stages, inputs = [], first
        for i, outputs in enumerate(widths):
            for j in range(blocks):
                stages.append(Block(inputs, outputs, 2 if i and not j else 1))
                inputs = outputs
        self.stages = nn.Sequential(*stages)
        self.width = inputs
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        if max(height, width) > self.side:
            scale = self.side / max(height, width)
            size = (max(round(height * scale), 1), max(round(width * scale), 1))
            x = nn.functional.interpolate(x, size, mode="area").contiguous(memory_format=torch.channels_last)
        return self.stages(self.stem(x)).mean(dim=(2, 3))
