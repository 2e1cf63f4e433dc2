"""What integrated gradients cost over the raw forward and backward passes they need.

    python benchmarks/attribution_speed.py        # some minutes; resumable; writes benchmarks/results/attribution_speed.json

1,000 images 3 x 64 x 64, 64 steps, a convolutional network and gnomon's own ResNet. The raw passes are a hand-written loop
over the same points and chunks that keeps nothing but the sum of slopes (weights frozen, as a careful hand would). Both run
in one process, in turns on the same rows (part by part), one thread, CPU time. The bar: total ratio at most 1.10.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import argparse
import time
from typing import Any

import numpy as np
import torch
from _kit import measured
from torch import nn

from gnomon.analyses.attribute.integrated_gradients import integrated_gradients
from gnomon.data.table import Spec
from gnomon.models.images.resnet import resnet

BAR = 1.10
STEPS, CHUNK, PART = 64, 64, 128  # a part is what is timed in turns


def networks() -> dict[str, Any]:
    """name -> a network on (B, 3, 64, 64) in evaluation mode."""
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(),
                          nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
    own = resnet({"image": Spec("image", shape=(3, 64, 64))}, Spec("category", shape=(10,), categories=tuple("abcdefghij")),
                 width=8, blocks=1)

    class Alone(nn.Module):
        """The same network on a tensor."""

        def __init__(self) -> None:
            super().__init__()
            self.own = own

        def forward(self, x: Any) -> Any:
            return self.own({"image": x})

    return {"three layers": plain.eval(), "ResNet, width 8": Alone().eval()}


def by_hand(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The passes, and the sum that cannot be left out."""
    points, weights = np.polynomial.legendre.leggauss(STEPS)
    out = []
    for start in range(0, len(x), CHUNK):
        part, total = x[start:start + CHUNK], torch.zeros_like(x[start:start + CHUNK])
        for point, weight in zip((points + 1) / 2, weights / 2, strict=True):
            at = (part * float(point)).requires_grad_()
            total += float(weight) * torch.autograd.grad(model(at)[:, 3].sum(), at)[0]
        out.append(total * part)
    return torch.cat(out)


def compared(model: nn.Module, images: int) -> dict[str, Any]:
    """CPU seconds of both over all rows, in turns part by part, and the largest difference of what they found."""
    for weight in model.parameters():
        weight.requires_grad_(False)
    x = torch.randn(images, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    spent, apart = {"raw": 0.0, "ours": 0.0}, 0.0
    runs = {"raw": lambda part: by_hand(model, part),
            "ours": lambda part: integrated_gradients(model, part, 3, steps=STEPS)}
    runs["raw"](x[:8])  # what is done once only
    for turn, start in enumerate(range(0, images, PART)):
        found = {}
        for name in sorted(runs, reverse=bool(turn % 2)):
            began = time.process_time()
            found[name] = runs[name](x[start:start + PART])
            spent[name] += time.process_time() - began
        apart = max(apart, float((found["raw"] - found["ours"]).abs().max() / found["raw"].abs().max()))
    return {"raw_s": round(spent["raw"], 2), "ours_s": round(spent["ours"], 2),
            "ratio": round(spent["ours"] / spent["raw"], 4), "bar": BAR, "largest_relative_difference": apart}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    images = parser.parse_args().images
    torch.set_num_threads(1)
    for name, model in networks().items():
        row = measured("attribution_speed", {"network": name, "images": images, "steps": STEPS},
                       lambda model=model: compared(model, images))
        print(f"{name}: raw {row['raw_s']} s, integrated gradients {row['ours_s']} s, ratio {row['ratio']} (bar {BAR})")


if __name__ == "__main__":
    main()
