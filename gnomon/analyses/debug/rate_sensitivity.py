"""How near the edge the learning rate was: read from the range test that chose it, at no cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.card import Card
from gnomon.values import Finding, finding

CARD = Card(
    name="Learning-rate sensitivity",
    gist="Between which rates the range test's loss falls, and how far the rate that was used lies from both edges.",
    use_when="After a run whose rate came from a range test; before blaming the model.",
    avoid_when="The rate was given by hand: nothing was measured then.",
    paper="Smith 2017, arXiv:1506.01186",
    survey=("P5", "P6"),
    needs=("steps",),
    cost="seconds",
)
NEAR = 2.0  # less than so many times from an edge is near
GAINED = 0.1  # share of the whole fall from which on the loss counts as falling


@dataclass(frozen=True)
class Margin:
    """used: the rate. low, high: the rates between which the loss falls; high is None where it never broke."""

    used: float
    low: float
    high: float | None
    fall: float  # least loss over the first

    @property
    def below(self) -> float:
        return self.used / self.low

    @property
    def above(self) -> float | None:
        return None if self.high is None else self.high / self.used


def rate_sensitivity(rates: np.ndarray, losses: np.ndarray, used: float) -> Margin | None:
    """rates (k,) rising, losses (k,) smoothed. low: where a tenth of the whole fall is gained; high: where, past its
    least, the loss has given back half of it. None where the loss never fell."""
    rates, losses = np.asarray(rates, dtype=float), np.asarray(losses, dtype=float)
    if len(rates) < 4 or not np.isfinite(losses).all():
        return None
    least = int(losses.argmin())
    fall = losses[0] - losses[least]
    if fall <= 0 or losses[0] <= 0:
        return None
    low = float(rates[np.flatnonzero(losses <= losses[0] - GAINED * fall)[0]])
    broken = np.flatnonzero(losses[least:] > losses[least] + fall / 2)
    return Margin(float(used), low, float(rates[least + broken[0]]) if len(broken) else None, float(losses[least] / losses[0]))


def rate_finding(m: Margin | None) -> Finding | None:
    """DEBUG-RATE: "note" within a factor of two of either edge, else "fine"; None without a range test."""
    if m is None:
        return None
    values = {"rate": m.used, "learns_from": m.low, "breaks_at": m.high, "times_below_breaking": m.above, "fall": m.fall}
    values = {k: v for k, v in values.items() if v is not None}
    if m.above is not None and m.above < NEAR:
        claim = (f"the learning rate {m.used:.2g} lies {m.above:.1f} times below where training breaks ({m.high:.2g}): runs "
                 "may fail by chance. What helps: half the rate in plan.toml")
        return finding("DEBUG-RATE", "note", claim, values=values, source="range test")
    if m.below < 1 / NEAR:
        claim = (f"the learning rate {m.used:.2g} lies {1 / m.below:.1f} times below where the loss begins to fall "
                 f"({m.low:.2g}): training is slow. What helps: a larger rate in plan.toml, or more steps")
        return finding("DEBUG-RATE", "note", claim, values=values, source="range test")
    room = f"{m.above:.0f} times below where it breaks" if m.above else "and nothing broke up to the largest rate tried"
    return finding("DEBUG-RATE", "fine", f"the learning rate {m.used:.2g} has room: {room}", values=values, source="range test")
