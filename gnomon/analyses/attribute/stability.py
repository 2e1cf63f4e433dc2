"""Stability: how far an attribution moves under another seed and under noise too small to change the prediction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gnomon.analyses.attribute._audits import Audit, audited, correlations
from gnomon.card import Card
from gnomon.rng import stream

CARD = Card(
    name="Stability of an attribution",
    gist="Explains slightly shaken copies of the rows, and with other seeds, and correlates the ranks with the original.",
    use_when="Before single pixels, atoms or columns of one row are read: an unstable ranking carries no such detail.",
    avoid_when="As a sign of truth: a constant map is perfectly stable.",
    paper="Alvarez-Melis & Jaakkola 2018, arXiv:1806.08049; Yeh et al. 2019, arXiv:1901.09392",
    survey=("I5",),
    cost="seconds",
)


def stability(technique: Callable[..., Any], model: Any, x: Any, target: Any, *, noise: float = 0.02, draws: int = 5,
              seeded: bool = False, units: np.ndarray | None = None, seed: int = 0, first: Any = None) -> Audit:
    """Mean rank correlation of a row's attribution with those of `draws` copies x + noise * sd(x) * e, e normal.

    technique: `technique(model, x, target)`. sd(x): of each element over the rows (of a constant one 0). noise: 0 with
    seeded=True measures the technique's own randomness alone. seeded: also hands the technique another `seed` each time.
    x: floats (B, ...), tensor or array; missing values (NaN) stay missing. units: (B,). first: technique(model, x, target)
    where it is known. Laws: 1 for a linear model's gradient; 1 without noise and seeds.
    """
    import torch

    tensor = isinstance(x, torch.Tensor)
    values = x.detach().cpu().numpy() if tensor else np.asarray(x)
    spread = np.ma.masked_invalid(values).std(axis=0).filled(0.0)
    first, found = technique(model, x, target) if first is None else first, []
    for draw in range(draws):
        shaken = values + noise * spread * stream(seed, "stability", draw).standard_normal(values.shape)
        given = torch.from_numpy(shaken).to(x.device, x.dtype) if tensor else shaken.astype(values.dtype)
        more = {"seed": seed + 1 + draw} if seeded else {}
        found.append(correlations(first, technique(model, given, target, **more)))
    what = f"rank correlation {{}} with the attributions of {draws} copies shaken by {noise:.0%} of the spread"
    return audited("stability", np.mean(found, axis=0), units, what + (", each with another seed" if seeded else ""))
