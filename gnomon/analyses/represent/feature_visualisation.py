"""What an image must look like for a unit to respond most: made from noise, not picked from data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gnomon.analyses.attribute._backward import still
from gnomon.analyses.represent._ascent import climb, palette_of, plain_palette
from gnomon.analyses.represent._watch import watched
from gnomon.analyses.represent.layers import layers
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Feature visualisation",
    gist="An image that drives a unit as strongly as can be, kept legible by Fourier parameters and small moves.",
    use_when="You want to see what a unit or an output of an image network looks for, beyond the examples at hand.",
    avoid_when="As evidence alone: hold it against the unit's top examples, and several seeds against each other.",
    paper="Olah, Mordvintsev & Schubert 2017, Distill 2(11)",
    survey=("I10",),
    reads=("image",),
    needs=("gradient",),
    cost="seconds",
)


@dataclass(frozen=True)
class Visualised:
    """images: (units, C, H, W) in the form the model takes. activation: (units,) of each unit on its own image, without
    moves; best_example: (units,) the largest on the data given, or None. climb: the mean objective at every step."""

    units: tuple[int, ...]
    images: Any
    activation: Any
    best_example: Any
    climb: tuple[float, ...]


def feature_visualisation(model: nn.Module, layer: str, units: int | Sequence[int], *, like: Tensor | None = None,
                          shape: tuple[int, int, int] | None = None, steps: int = 256, rate: float = 0.05,
                          robust: bool = True, seed: int = 0) -> Visualised:
    """Images that maximise mean over positions of the units (channels) of a layer, all units in one batch.

    model: takes a Tensor (B, C, H, W). like: example images in that form: they set the range and the correlation of
    the colours, and are what the result is compared with. shape: (C, H, W) when there are none; values then stay in
    -2..2. steps, rate: of Adam. robust: random jitter (1/16 of the side), zoom (0.9 to 1.1) and turns (8 degrees) at
    every step; without them the result is noise that only this network sees. layer: "relu:1" is the second call in a pass
    of one called several times. Raises E-LAYER-ABSENT, E-ACTIVATIONS (no single call), E-ATTRIBUTION (no gradient).

    Differs: colours are decorrelated by the correlation of the images given instead of ImageNet's.
    """
    import torch

    named = (units,) if isinstance(units, int) else tuple(units)
    palette = palette_of(like) if like is not None else plain_palette((shape or (3, 64, 64))[0])
    size = tuple(like.shape[1:]) if like is not None else (shape or (3, 64, 64))
    own = torch.arange(len(named)), torch.tensor(named)
    frozen = [p for p in model.parameters() if p.requires_grad]
    for p in frozen:
        p.requires_grad_(False)
    try:
        with still(model), torch.enable_grad(), watched(model, layer) as last:

            def objective(images: Tensor) -> Tensor:
                model(images)
                return pooled(last())[own]

            images, told = climb(objective, (len(named), *size), palette, steps=steps, rate=rate, robust=robust, seed=seed)
        reached = given(model, images, layer)[own]
        best = given(model, like, layer)[:, list(named)].amax(dim=0) if like is not None else None
    finally:
        for p in frozen:
            p.requires_grad_(True)
    return Visualised(named, images, reached, best, tuple(told))


def given(model: nn.Module, images: Tensor, layer: str) -> Tensor:
    """(B, units) what the layer gives for images, pooled."""
    import torch

    return pooled(torch.from_numpy(layers(model, images, (layer,), pool="keep")[layer]))


def pooled(values: Tensor) -> Tensor:
    """(B, units): maps by their mean over positions."""
    return values if values.ndim == 2 else values.flatten(2).mean(dim=2)
