"""What each hidden unit responds to: the examples that drive it most, and the known columns it is tuned to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gnomon.card import Card
from gnomon.errors import InputError

CARD = Card(
    name="Unit responses",
    gist="Per hidden unit: its strongest examples and the known columns it follows, false discoveries controlled.",
    use_when="You hold activations and columns (dose, site, batch, cell type) and ask which units carry which.",
    avoid_when="Rows come in groups (patients, plates): average over each first, or the tests count rows as evidence.",
    paper="Zhou et al. 2015, arXiv:1412.6856; Conover & Iman 1981, Am. Stat. 35; Benjamini & Hochberg 1995, JRSS B 57",
    survey=("I9", "W8"),
    cost="seconds",
)
FEWEST = 4  # known values of a column below which it is not tested


@dataclass(frozen=True)
class Tuning:
    """statistic: "rank correlation" (value in -1..1) or "F on ranks". share: of the unit's rank variance that the
    column explains. adjusted: Benjamini-Hochberg adjusted p over all units and columns tested."""

    unit: int
    column: str
    statistic: str
    value: float
    share: float
    adjusted: float


@dataclass(frozen=True)
class UnitResponses:
    """top: (units, most) the rows that drive each unit most, strongest first. tuning: the significant ones, largest
    share first. tested: how many pairs of unit and column were."""

    top: np.ndarray
    tuning: tuple[Tuning, ...]
    tested: int
    level: float

    def of(self, unit: int) -> tuple[Tuning, ...]:
        """What one unit is tuned to."""
        return tuple(t for t in self.tuning if t.unit == unit)


def unit_responses(activations: np.ndarray, columns: Mapping[str, np.ndarray], *, level: float = 0.05,
                   most: int = 9) -> UnitResponses:
    """Top examples and tuning of every unit.

    activations: (n, units) floats. columns: name -> (n,) floats (NaN = missing; Spearman's rank correlation, t with
    n - 2 degrees of freedom) or strings, booleans or whole numbers (None or -1 = missing; one-way F on ranks).
    level: share of false discoveries allowed among the pairs of unit and column (Benjamini-Hochberg).
    most: top examples kept a unit. Raises E-ACTIVATIONS when shapes differ.
    """
    from scipy.stats import false_discovery_control

    activations = np.asarray(activations, dtype=float)
    if activations.ndim != 2 or any(len(v) != len(activations) for v in columns.values()):
        raise InputError("E-ACTIVATIONS", f"activations (rows, units) and columns (rows,) were wanted; activations are "
                         f"{activations.shape}", do="pool positions first, and give one value a row")
    top = np.argsort(-activations, axis=0, kind="stable")[:most].T
    found, chances = [], []
    for name, values in columns.items():
        statistic, value, share, chance = _tested(activations, np.asarray(values))
        found.append((name, statistic, value, share))
        chances.append(chance)
    if not found:
        return UnitResponses(top, (), 0, level)
    adjusted = false_discovery_control(np.concatenate(chances)).reshape(len(found), -1)
    tuning = [Tuning(int(u), name, statistic, float(value[u]), float(share[u]), float(adjusted[k, u]))
              for k, (name, statistic, value, share) in enumerate(found) for u in np.flatnonzero(adjusted[k] <= level)]
    return UnitResponses(top, tuple(sorted(tuning, key=lambda t: -t.share)), adjusted.size, level)


def _tested(activations: np.ndarray, values: np.ndarray) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """(statistic, its value a unit, explained share of rank variance, p), units at once."""
    from scipy.stats import f, rankdata, t

    number = values.dtype.kind == "f"
    known = np.isfinite(values) if number else _known(values)
    units, n = activations.shape[1], int(known.sum())
    nothing = np.zeros(units), np.zeros(units), np.ones(units)
    ranks = rankdata(activations[known], axis=0) if n else np.zeros((0, units))
    ranks = ranks - ranks.mean(axis=0) if n else ranks
    total = (ranks**2).sum(axis=0)
    if number:
        if n < FEWEST or np.ptp(values[known]) == 0:
            return "rank correlation", *nothing
        own = rankdata(values[known])
        own = own - own.mean()
        rho = np.clip(own @ ranks / np.sqrt(np.where(total > 0, total, np.inf) * (own**2).sum()), -1, 1)
        with np.errstate(divide="ignore"):
            reach = np.abs(rho) * np.sqrt((n - 2) / (1 - rho**2))
        return "rank correlation", rho, rho**2, 2 * t.sf(reach, n - 2)
    place = np.unique(values[known].astype(str), return_inverse=True)[1]
    levels = int(place.max()) + 1 if n else 0
    if levels < 2 or n <= levels:
        return "F on ranks", *nothing
    counts = np.bincount(place)
    sums = np.zeros((levels, units))
    np.add.at(sums, place, ranks)
    between = (sums**2 / counts[:, None]).sum(axis=0)
    share = np.clip(between / np.where(total > 0, total, np.inf), 0, 1)
    with np.errstate(divide="ignore"):
        ratio = share / (levels - 1) * (n - levels) / (1 - share)
    return "F on ranks", ratio, share, f.sf(ratio, levels - 1, n - levels)


def _known(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind in "iu":
        return values >= 0
    return np.array([v is not None for v in values], dtype=bool)
