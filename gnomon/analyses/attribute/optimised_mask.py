"""Meaningful perturbations: the smallest smooth mask whose removal destroys a network's output."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._masks import MaskedRows, by_masks, descended
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Optimised mask (meaningful perturbations)",
    gist="Learns by gradient which few, connected parts to take away so that the output falls the most.",
    use_when="A network, and a connected part is wanted rather than speckles: a region, a stretch of letters, bonded atoms.",
    avoid_when="The knobs of size and smoothness change the region: extremal perturbation fixes the area instead.",
    paper="Fong & Vedaldi 2017, arXiv:1704.03296",
    survey=("I4", "T2"),
    tasks=("classify", "regress", "several"),
    reads=("image", "number", "category", "sequence", "text", "molecule"),
    needs=("gradient",),
    tune={"sparsity": (0.05, 0.1, 0.3, 1.0), "smoothness": (0.0, 0.05, 0.2)},
    cost="seconds",
)
RATE, POWER = 0.1, 3.0  # of Adam; the exponent of the paper's total variation


def optimised_mask(model: nn.Module, x: Any, target: Any, *, sparsity: float = 0.3, smoothness: float = 0.05,
                   steps: int = 150, cell: int = 2, baseline: Any = None, chunk: int = 0) -> Any:
    """d in [0, 1] of x's form, 1 = deleted, that minimises g(x (1 - d) + base d) + sparsity mean(d) + smoothness TV(d)^3.

    g is the output's share of the way from the neutral row (0) to the row (1), and 0 beyond the neutral row: nothing is
    gained by an output that is lower than where there is nothing. model: an nn.Module with a gradient. x: a
    float Tensor (images (B, C, H, W), signals (B, C, L), numbers (B, D)), codes (B, c), Tokens, Graphs, or a dict of these
    by name; a mask is shared by channels, and by an embedding's dimensions. Returns its form: one number a code, an atom
    (whose bonds' features go half with each end). cell: pixels a side of one mask cell. baseline: what the deleted becomes
    (default: an image's blur, the mean of what codes embed to, else 0). steps: of Adam. TV: along an image's sides, a
    sequence, a molecule's bonds; columns have no neighbours. Rows are optimised together, each by itself. Laws: elements
    the output does not see get 0; a planted patch, stretch or group of atoms stands out. Differs: the output is scaled a
    row (so that sparsity means the same for all), no jitter; the paper has images only.
    """
    find = partial(of_rows, sparsity=sparsity, smoothness=smoothness, steps=steps, cell=cell)
    return by_masks(model, x, target, find, baseline=baseline, chunk=chunk)


def of_rows(rows: MaskedRows, *, sparsity: float = 0.3, smoothness: float = 0.05, steps: int = 150,
            cell: int = 2) -> dict[str, Tensor]:
    """The same of rows that can be masked: name -> mask."""
    import torch

    def cost(free: Mapping[str, Tensor], _: int) -> Tensor:
        gone = {name: torch.sigmoid(4 * f) for name, f in free.items()}
        kept = {name: 1 - d for name, d in _shown(gone, rows).items()}
        price = (sparsity * rows.mean(gone) + smoothness * rows.variation(gone, POWER)).sum()
        return price + rows.sum_of(lambda output: rows.share(output).clamp(min=0), kept)

    found = descended(rows.filled(0.0, cell), cost, steps=steps, rate=RATE)
    return _shown({name: torch.sigmoid(4 * f) for name, f in found.items()}, rows)


def _shown(masks: Mapping[str, Tensor], rows: MaskedRows) -> dict[str, Tensor]:
    """Masks on a grid at the size of their images and signals; others as they are."""
    from torch.nn import functional as F

    def fine(mask: Tensor, size: tuple[int, ...]) -> Tensor:
        mode = "bilinear" if len(size) == 2 else "linear"
        return F.interpolate(mask.view(len(mask), 1, *mask.shape[-len(size):]), size=size, mode=mode, align_corners=False)

    sides = {name: tuple(getattr(rows.inputs[name], "shape", ())[2:]) for name in masks}
    return {name: fine(mask, sides[name]) if sides[name] else mask for name, mask in masks.items()}
