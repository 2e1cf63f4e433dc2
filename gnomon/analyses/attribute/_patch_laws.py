"""What a patch of an image could hold given the pixels around it: a normal law, learned from patches of other images.

    x_in | x_rest ~ N(m_in + W' (x_rest - m_rest), S),    W = S_rest^-1 S_rest,in,    S = S_in - S_in,rest W
A pixel hangs on those near it, and in the same way wherever it stands (Zintgraf et al. 2017), so windows are cut anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

RIDGE = 1e-3  # of the mean variance, added to what is around before it is inverted
IMAGES, REACH = 200, 4  # images that are cut into, at most; pixels around a patch that tell of it
WINDOWS, A_PIXEL = (1000, 2000), 4  # windows, at least and at most; as many for each pixel of them are wanted


def normal_given(around: np.ndarray, away: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(p, q) slope W and (m, q) root R, R'R = S, of `away` (N, q) given `around` (N, p), both centred.

    From the singular values of `around`, so that few rows of many pixels cost what few rows do:
    W = V s / (s^2 + l) U' B,  S = B' K B,  K = I - U s^2 / (s^2 + l) U',  B = away / sqrt(N - 1), l the ridge.
    """
    scale = np.sqrt(max(len(away) - 1, 1))
    own = away / scale
    if not around.shape[1]:
        return np.zeros((0, away.shape[1])), np.linalg.qr(own, mode="r")
    left, size, right = np.linalg.svd(around / scale, full_matrices=False)
    ridge = RIDGE * max(float((size**2).sum()) / around.shape[1], 1e-12)
    told = left.T @ own
    slope = right.T @ ((size / (size**2 + ridge))[:, None] * told)
    rest = own - left @ ((1 - np.sqrt(ridge / (size**2 + ridge)))[:, None] * told)
    return slope, np.linalg.qr(rest, mode="r")


@dataclass(frozen=True)
class PatchLaw:
    """windows: (N, C, tall + 2 reach, wide + 2 reach) of other images. made: filled in, a law a form of patch and frame."""

    windows: np.ndarray
    reach: tuple[int, int]
    made: dict = field(default_factory=dict, compare=False, repr=False)

    def drawn(self, images: np.ndarray, span: tuple[int, ...], draws: int, dice: np.random.Generator) -> np.ndarray:
        """(n, draws, C, tall, wide) what could stand at this (top, bottom, left, right) of these (n, C, H, W)."""
        inside, frame, rest = self._places(span, images.shape[2:])
        key = (inside, frame)
        if key not in self.made:
            self.made[key] = self._fitted(inside, rest)
        middle, around, slope, root = self.made[key]
        top, left = span[0] - self.reach[0], span[2] - self.reach[1]
        cut = images[:, :, max(top, 0):top + self.windows.shape[2], max(left, 0):left + self.windows.shape[3]]
        place = rest[max(-top, 0):, max(-left, 0):][:cut.shape[2], :cut.shape[3]]
        given = middle + (cut[:, :, place].reshape(len(images), len(around)) - around) @ slope
        noise = dice.standard_normal((len(images), draws, len(root))) @ root
        made = (given[:, None] + noise).reshape(len(images), draws, images.shape[1], span[1] - span[0], span[3] - span[2])
        low, high = (f(self.windows, axis=(0, 2, 3))[:, None, None] for f in (np.min, np.max))
        return np.clip(made, low, high)

    def _places(self, span: tuple[int, ...], size: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...], np.ndarray]:
        """In a window: the patch (top, bottom, left, right), what of the window lies in the image, and which pixels of it
        stand around the patch."""
        inside, frame = [], []
        for k in (0, 1):
            start, stop = span[2 * k], span[2 * k + 1]
            inside += [self.reach[k], self.reach[k] + stop - start]
            frame += [max(self.reach[k] - start, 0), min(self.reach[k] + size[k] - start, self.windows.shape[2 + k])]
        rest = np.zeros(self.windows.shape[2:], dtype=bool)
        rest[frame[0]:frame[1], frame[2]:frame[3]] = True
        rest[inside[0]:inside[1], inside[2]:inside[3]] = False
        return tuple(inside), tuple(frame), rest

    def _fitted(self, inside: tuple[int, ...], rest: np.ndarray) -> tuple[np.ndarray, ...]:
        count = len(self.windows)
        away = self.windows[:, :, inside[0]:inside[1], inside[2]:inside[3]].reshape(count, -1)
        around = self.windows[:, :, rest].reshape(count, -1)
        middle, mean = away.mean(axis=0), around.mean(axis=0)
        return middle, mean, *normal_given(around - mean, away - middle)


def patch_law(images: np.ndarray, patch: tuple[int, int], dice: np.random.Generator) -> PatchLaw:
    """The law of patches of this size (tall, wide) from windows cut from (n, C, H, W) by lot."""
    sides = images.shape[2:]
    reach = tuple(min(REACH, (side - own) // 2) for side, own in zip(sides, patch, strict=True))
    tall, wide = (own + 2 * r for own, r in zip(patch, reach, strict=True))
    count = int(np.clip(A_PIXEL * images.shape[1] * tall * wide, *WINDOWS))
    top, left = (dice.integers(0, side - own + 1, count) for side, own in zip(sides, (tall, wide), strict=True))
    out = [images[k % len(images), :, t:t + tall, x:x + wide] for k, (t, x) in enumerate(zip(top, left, strict=True))]
    return PatchLaw(np.stack(out).astype(float), (reach[0], reach[1]))
