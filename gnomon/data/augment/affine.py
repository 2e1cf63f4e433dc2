"""Shift, flip, turn and scale a whole batch of images at once."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.card import Card

if TYPE_CHECKING:
    from torch import Tensor

CARD = Card(
    name="Random affine maps",
    gist="Each image of a batch is shifted, scaled, turned or mirrored by its own dice, all in one grid_sample.",
    use_when="The answer does not change when the specimen lies elsewhere in the picture.",
    avoid_when="Position, size or handedness is the answer: dials, digits under mirroring, left and right lungs.",
    paper="Krizhevsky, Sutskever & Hinton 2012, NeurIPS 25",
    survey=("L15", "W5"),
    tasks=("classify", "regress", "several"),
    reads=("image",),
    cost="seconds",
)
PRESETS = {"shift": {"scale": 0.0, "turn_degrees": 0.0},
           "flip": {"scale": 0.0, "turn_degrees": 0.0, "flip": (True, False)},
           "turn": {"turn_degrees": 180.0, "flip": (True, True)}}
SYMMETRIC = 0.15  # mean images that differ from their mirror by less than this share of a pixel's spread are symmetric
LOOKED_AT = 4096


def affine(images: Tensor, *, shift: float = 0.08, scale: float = 0.08, turn_degrees: float = 8.0,
           flip: tuple[bool, bool] = (False, False)) -> Tensor:
    """(B, C, H, W) float to the same, on its device, outside filled by reflection.

    shift: at most this share of the side, each way. scale: by a factor within 1 +- scale. turn_degrees: at most, each
    way. flip: mirror left-right, top-bottom, each with probability one half. Without scaling and turning, shifts are by
    whole pixels, so that nothing is blurred.
    """
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    count, device = len(images), images.device
    dice = torch.rand(6, count, device=device) * 2 - 1
    angle, size = dice[0] * (turn_degrees * np.pi / 180), 1 + dice[1] * scale
    across = torch.where(dice[4] < 0, -1.0, 1.0) if flip[0] else torch.ones_like(angle)
    down = torch.where(dice[5] < 0, -1.0, 1.0) if flip[1] else torch.ones_like(angle)
    ratio = images.shape[2] / images.shape[3]  # turning an oblong image must not shear it
    cos, sin = torch.cos(angle) * size, torch.sin(angle) * size
    aside, up = dice[2] * shift, dice[3] * shift
    if not scale and not turn_degrees:
        aside, up = ((s * side).round() / side for s, side in ((aside, images.shape[3]), (up, images.shape[2])))
    theta = torch.stack([torch.stack([cos * across, -sin * down * ratio, 2 * aside], 1),
                         torch.stack([sin * across / ratio, cos * down, 2 * up], 1)], 1)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    moved = grid_sample(images, grid.to(images.dtype), mode="bilinear", padding_mode="reflection", align_corners=False)
    return moved.contiguous(memory_format=torch.channels_last)


def preset(how: str) -> Callable[[Tensor], Tensor]:
    """The map called "shift", "flip" (left-right too) or "turn" (no direction counts)."""
    from gnomon.errors import InputError

    if how not in PRESETS:
        raise InputError("E-PLAN-OPTION", f"augment = '{how}' is not known",
                         do=f"choose none, auto, {', '.join(PRESETS)}")
    return partial(affine, **PRESETS[how])


def borne(column: Any, rows: np.ndarray, codes: np.ndarray) -> str:
    """Which preset the training images bear: directions count unless every class looks, on average, like its mirror.

    codes: (n,) the class of each row; all alike where there are none.
    """
    few = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(int)]
    codes = codes[np.searchsorted(rows, few)] if (np.diff(rows) > 0).all() else codes[np.linspace(
        0, len(rows) - 1, len(few)).astype(int)]
    pixels = np.asarray(column.take(few), dtype=np.float32)
    spread = float(np.nanstd(pixels)) or 1.0
    unlike = {"across": 0.0, "down": 0.0, "turned": 0.0}
    for code in np.unique(codes):
        mine = pixels[codes == code]
        noise = spread * np.sqrt(2 / len(mine))  # how much two means of so few images differ by chance
        mean = np.nanmean(mine, axis=0)
        square = mean.shape[-1] == mean.shape[-2]
        for what, mirrored in (("across", mean[..., ::-1]), ("down", mean[..., ::-1, :]),
                               ("turned", mean.swapaxes(-1, -2) if square else mean + 9 * spread)):
            apart = float(np.sqrt(np.nanmean((mean - mirrored) ** 2)))
            unlike[what] = max(unlike[what], max(apart - noise, 0.0) / spread)
    if max(unlike.values()) < SYMMETRIC:
        return "turn"
    return "flip" if unlike["across"] < SYMMETRIC else "shift"
