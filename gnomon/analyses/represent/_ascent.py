"""Images made by climbing an activation: Fourier parameters, decorrelated colours, small random moves at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._backward_leaves import gradients
from gnomon.rng import key

if TYPE_CHECKING:
    from torch import Tensor

SCALES = (0.9, 1.1)  # of the random zoom
TURN_DEGREES = 8.0
JITTER = 1 / 16  # of the image's side


@dataclass(frozen=True)
class Palette:
    """What images of these data look like: low, high (C, 1, 1) the range values stay in; mix (C, C) turns independent
    channels into ones correlated like the data's."""

    low: Any
    high: Any
    mix: Any


def palette_of(like: Tensor) -> Palette:
    """From example images (n, C, H, W) in the form the model takes. mix: the symmetric root of the channels'
    correlation, so that a step changes colours the way the data's vary together."""
    import torch

    flat = like.float().transpose(0, 1).flatten(1)
    low, high = (flat.quantile(q, dim=1) if flat.shape[1] < 1e7 else flat[:, ::97].quantile(q, dim=1) for q in (0.005, 0.995))
    centred = (flat - flat.mean(dim=1, keepdim=True)) / flat.std(dim=1, keepdim=True).clamp_min(1e-6)
    values, vectors = torch.linalg.eigh(centred @ centred.T / flat.shape[1])
    mix = vectors @ torch.diag(values.clamp_min(0).sqrt()) @ vectors.T
    return Palette(low[:, None, None], torch.maximum(high, low + 1e-6)[:, None, None], mix)


def plain_palette(channels: int) -> Palette:
    """Standardised values, channels independent."""
    import torch

    return Palette(torch.full((channels, 1, 1), -2.0), torch.full((channels, 1, 1), 2.0), torch.eye(channels))


def climb(objective: Callable[[Tensor], Tensor], shape: tuple[int, ...], palette: Palette, *, steps: int, rate: float,
          robust: bool, seed: int) -> tuple[Tensor, list[float]]:
    """(images (B, C, H, W) that raise objective(images) -> (B,), its mean at every step). Adam on Fourier parameters.

    Every frequency's coefficient is divided by that frequency, which makes equal steps give natural spectra; a
    sigmoid keeps values in the data's range. robust: each step sees the images jittered, zoomed and turned a little.
    """
    import torch

    dice = torch.Generator().manual_seed(key(seed, "climb") % 2**63)
    spectrum = (0.01 * torch.randn(*shape[:2], shape[2], shape[3] // 2 + 1, 2, generator=dice)).requires_grad_(True)
    optimiser = torch.optim.Adam([spectrum], lr=rate)
    scale = _scale(shape[2], shape[3])
    told = []
    for _ in range(steps):
        images = painted(spectrum, scale, shape, palette)
        seen = _moved(images, dice) if robust else images
        value = objective(seen)
        spectrum.grad = -gradients(value, {"spectrum": spectrum})["spectrum"]
        optimiser.step()
        told.append(value.sum().item() / shape[0])
    with torch.no_grad():
        return painted(spectrum, scale, shape, palette), told


def _scale(height: int, width: int) -> Tensor:
    """(H, W // 2 + 1, 1): 1 / frequency, times the root of the size so that pixels vary about like 1."""
    import torch

    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    return torch.tensor(np.sqrt(height * width) / np.maximum(frequency, 1 / max(height, width)) / 4,
                        dtype=torch.float32)[..., None]


def painted(spectrum: Tensor, scale: Tensor, shape: tuple[int, ...], palette: Palette) -> Tensor:
    """Coefficients to images in the data's range."""
    import torch

    waves = torch.fft.irfft2(torch.view_as_complex((spectrum * scale).contiguous()), s=shape[2:])
    colour = torch.einsum("dc,bchw->bdhw", palette.mix, waves)
    return palette.low + (palette.high - palette.low) * torch.sigmoid(colour)


def _moved(images: Tensor, dice: Any) -> Tensor:
    """One random jitter, zoom and turn for each image, in one resampling; edges are mirrored."""
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    draw = torch.rand(4, len(images), generator=dice) * 2 - 1
    zoom = (SCALES[0] + SCALES[1]) / 2 + draw[0] * (SCALES[1] - SCALES[0]) / 2
    angle = draw[1] * np.deg2rad(TURN_DEGREES)
    theta = torch.stack([torch.stack([zoom * angle.cos(), -zoom * angle.sin(), draw[2] * 2 * JITTER], dim=1),
                         torch.stack([zoom * angle.sin(), zoom * angle.cos(), draw[3] * 2 * JITTER], dim=1)], dim=1)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="reflection", align_corners=False)
