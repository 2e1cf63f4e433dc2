"""Numbers brought to a common scale for networks: centred by the median, scaled by the quartiles, tails bent in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

BEND = 3.0  # scaled values beyond about this are bent smoothly towards it: |x| never exceeds it


@dataclass(frozen=True)
class Scale:
    """x -> z / sqrt(1 + (z / 3)^2) with z = (x - centre) * factor; NaN -> 0.

    arrays: centre (d,), factor (d,), from training rows. Reference: Holzmueller et al. 2024, arXiv:2407.04491.
    """

    arrays: Mapping[str, np.ndarray]

    def __call__(self, raw: np.ndarray) -> np.ndarray:
        """(n, d) with NaN to (n, d) float32 without."""
        with np.errstate(over="ignore", invalid="ignore"):
            z = (raw - self.arrays["centre"]) * self.arrays["factor"]
        z = np.nan_to_num(z, nan=0.0).clip(-1e6, 1e6)
        return (z / np.sqrt(1 + (z / BEND) ** 2)).astype(np.float32)


def fit_scale(raw: np.ndarray) -> Scale:
    """Median and quartile distance of each column; where quartiles coincide, half the range; constant columns -> 0."""
    with np.errstate(all="ignore"):
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value
            low, first, centre, third, high = np.nanquantile(raw, [0, 0.25, 0.5, 0.75, 1], axis=0)
        width = np.where(third > first, third - first, (high - low) / 2)
        factor = np.where(width > 0, 1 / width, 0.0)
    return Scale({"centre": np.nan_to_num(centre).astype(float), "factor": np.nan_to_num(factor).astype(float)})
