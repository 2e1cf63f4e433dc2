"""A map of what a layer can represent: activations laid out on a plane, averaged by cell, each cell drawn as an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._backward import still
from gnomon.analyses.represent._ascent import climb, palette_of
from gnomon.analyses.represent._watch import layer_slopes, watched
from gnomon.card import Card
from gnomon.rng import key, stream

if TYPE_CHECKING:
    from torch import Tensor, nn

CARD = Card(
    name="Activation atlas",
    gist="Cells of a plane of activations, each with the image that stands for it and the outputs it speaks for.",
    use_when="Many images and a trained network: which things it tells apart, where classes touch, what mixes them up.",
    avoid_when="Fewer than some hundred images; the layout is made by eye-pleasing rules: distances mean little.",
    paper="Carter et al. 2019, Distill 4(3); McInnes et al. 2018, arXiv:1802.03426",
    survey=("I10",),
    reads=("image",),
    needs=("gradient",),
)


@dataclass(frozen=True)
class Cell:
    """column, row: in the grid, from the lower left. members: rows (images) whose activation fell here. activation:
    (channels,) their mean. effect: (outputs,) what that activation adds to each output, to first order. image: (C, H, W)."""

    column: int
    row: int
    members: tuple[int, ...]
    activation: np.ndarray
    effect: np.ndarray
    image: np.ndarray


def activation_atlas(model: nn.Module, images: Tensor, layer: str, *, outputs: tuple[int, ...] = (0,), grid: int = 8,
                     fewest: int = 5, layout: np.ndarray | None = None, steps: int = 128, seed: int = 0) -> tuple[Cell, ...]:
    """One cell for every part of a grid x grid plane that at least `fewest` activations fall into.

    images: (n, C, H, W) in the form the model takes; of each, the activation at one random position of `layer` is taken.
    outputs: those whose effects are told. layout: (n, 2) coordinates; None: UMAP of the activations. steps: of the
    ascent that draws all cells' images in one batch, along each cell's mean activation v: maximise
    (a . v) cos(a, v) at the middle position a. Raises as feature_visualisation, and E-ATTRIBUTION without a gradient.

    Differs: the effect of a cell is the mean over its members of slope times activation at the sampled position.
    """
    import torch

    pairs = [layer_slopes(model, images, layer, k) for k in outputs]
    values = pairs[0][0].flatten(2) if pairs[0][0].ndim > 2 else pairs[0][0][..., None]
    at = torch.from_numpy(stream(seed, "atlas").integers(0, values.shape[2], len(values)))
    rows = torch.arange(len(values))
    taken = values[rows, :, at].cpu().numpy()
    slopes = np.stack([s.reshape(values.shape)[rows, :, at].cpu().numpy() for _, s in pairs], axis=1)
    effects = (slopes * taken[:, None]).sum(axis=2)
    plane = _laid_out(taken, seed) if layout is None else np.asarray(layout, dtype=float)
    span = np.maximum(np.ptp(plane, axis=0), 1e-12)
    place = np.minimum(((plane - plane.min(axis=0)) / span * grid).astype(int), grid - 1)
    cells = [c for c in np.unique(place, axis=0) if ((place == c).all(axis=1)).sum() >= fewest]
    members = [np.flatnonzero((place == c).all(axis=1)) for c in cells]
    if not cells:
        return ()
    means = np.stack([taken[m].mean(axis=0) for m in members])
    drawn = _drawn(model, layer, torch.from_numpy(means), images, steps, seed)
    return tuple(Cell(int(c[0]), int(c[1]), tuple(map(int, m)), v, effects[m].mean(axis=0), image)
                 for c, m, v, image in zip(cells, members, means, drawn, strict=True))


def _laid_out(taken: np.ndarray, seed: int) -> np.ndarray:
    import warnings

    from umap import UMAP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # UMAP tells that a seed costs it its parallelism
        return UMAP(n_neighbors=min(15, len(taken) - 1), random_state=key(seed, "atlas layout") % 2**31).fit_transform(taken)


def _drawn(model: nn.Module, layer: str, directions: Tensor, like: Tensor, steps: int, seed: int) -> np.ndarray:
    """(cells, C, H, W) images along these directions."""
    import torch

    directions = directions / directions.norm(dim=1, keepdim=True).clamp_min(1e-9)
    frozen = [p for p in model.parameters() if p.requires_grad]
    for p in frozen:
        p.requires_grad_(False)
    try:
        with still(model), torch.enable_grad(), watched(model, layer) as last:

            def objective(images: Tensor) -> Tensor:
                model(images)
                here = _middle(last())
                along = (here * directions).sum(dim=1)
                return along * (along / here.norm(dim=1).clamp_min(1e-9)).clamp_min(0.1)

            shape: Any = (len(directions), *like.shape[1:])
            return climb(objective, shape, palette_of(like), steps=steps, rate=0.05, robust=True, seed=seed)[0].cpu().numpy()
    finally:
        for p in frozen:
            p.requires_grad_(True)


def _middle(values: Tensor) -> Tensor:
    """(B, channels) at the middle position."""
    for axis in range(2, values.ndim):
        values = values.narrow(axis, values.shape[axis] // 2, 1)
    return values.flatten(1)
