"""Clusters of explanations: whether a model decides in one way or in several, and which rows it decides in which way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.card import Card
from gnomon.rng import stream

CARD = Card(
    name="Clusters of explanations",
    gist="Groups rows by what their attributions point at; a group is split only where a held-out half shows two modes.",
    use_when="To find rows that a model decides for another reason than the rest: a watermark, a scanner, a shortcut.",
    avoid_when="Fewer than some 40 rows of a class: then one cluster means only that no more could have been seen.",
    paper="Lapuschkin et al. 2019, arXiv:1902.10178 (SpRAy); Silverman 1981, JRSS B 43; Hall & York 2001, Stat. Sinica",
    survey=("T2", "I9"),
    cost="seconds",
)
AXES, RESAMPLES, GRID = 10, 200, 128  # axes rows are clustered on; of the test of modes: smoothed resamples, points
INSIDE = (5.0, 95.0)  # percentiles of a half's values between which modes are counted: tails make bumps of single rows


@dataclass(frozen=True)
class Cluster:
    """group: the class the rows were predicted as. rows: places among those given. typical: the row nearest the middle.
    share: of the group's rows. chance: of two modes where there is one, at the split that made it (1: the group is whole).
    """

    group: str
    rows: tuple[int, ...]
    typical: int
    share: float
    chance: float


def explanation_clusters(features: np.ndarray, *, groups: Sequence[str] | None = None, level: float = 0.05, fewest: int = 5,
                         seed: int = 0) -> tuple[Cluster, ...]:
    """The clusters of each group (None: of all rows), largest first; one a group where no split holds.

    features: (n, d) a row's attributions on things that mean the same in every row (columns, patches of aligned images,
    letter pairs), brought to at most ten principal axes. Rows are not divided by their length: that alone would give one long
    cloud around 0 two modes, up and down.

    How many is not chosen: rows are halved by lot, two centres are found in one half (k-means), the other half is projected
    on the line through them, and the split is made where those values have more than one mode (Silverman's smoothed
    bootstrap); both halves take their turn, the smaller chance doubled. Each part is tried again at half the level of its
    parent, so that a group without clusters is split in at most `level` of cases whatever its shape. Parts have at least
    `fewest` rows. Differs: SpRAy reads the number off an eigengap by eye.
    """
    features = np.asarray(features, dtype=float)
    names = np.array(["all rows"] * len(features) if groups is None else groups, dtype=object)
    out = []
    for name in dict.fromkeys(names):
        rows = np.flatnonzero(names == name)
        points = _axes(features[rows])
        parts = _split(points, np.arange(len(rows)), level, 1.0, fewest, seed)
        for part, chance in sorted(parts, key=lambda p: -len(p[0])):
            middle = np.median(points[part], axis=0)
            typical = part[np.linalg.norm(points[part] - middle, axis=1).argmin()]
            out.append(Cluster(str(name), tuple(int(r) for r in rows[part]), int(rows[typical]), len(part) / len(rows), chance))
    return tuple(out)


def _axes(features: np.ndarray) -> np.ndarray:
    """(n, <= 10) rows on their principal axes."""
    centred = features - features.mean(axis=0)
    left, size, _ = np.linalg.svd(centred, full_matrices=False)
    kept = size > 1e-9 * max(size.max(initial=0.0), 1e-300)
    return (left * size)[:, kept][:, :AXES] if kept.any() else np.zeros((len(features), 1))


def _split(points: np.ndarray, rows: np.ndarray, level: float, chance: float, fewest: int, seed: int
           ) -> list[tuple[np.ndarray, float]]:
    """(rows, chance) of the parts that `rows` fall into."""
    if len(rows) < 4 * fewest:
        return [(rows, chance)]
    found = _two_modes(points[rows], seed)
    if found > level:
        return [(rows, chance)]
    side = _two_means(points[rows], seed)[1]
    parts = [rows[side == k] for k in (0, 1)]
    if min(map(len, parts)) < fewest:
        return [(rows, chance)]
    return [p for part in parts for p in _split(points, part, level / 2, found, fewest, seed + 1)]


def _two_modes(points: np.ndarray, seed: int) -> float:
    """The chance of what the held-out halves show, were there one mode."""
    order = stream(seed, "halves", len(points)).permutation(len(points))
    halves = order[::2], order[1::2]
    chances = []
    for one, other in (halves, halves[::-1]):
        centres = _two_means(points[one], seed)[0]
        line = centres[1] - centres[0]
        chances.append(modes_by_chance(points[other] @ line, seed) if np.linalg.norm(line) > 0 else 1.0)
    return min(1.0, 2 * min(chances))


def _two_means(points: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    from sklearn.cluster import KMeans

    if len(np.unique(points, axis=0)) < 2:
        return np.zeros((2, points.shape[1])), np.zeros(len(points), dtype=int)
    found = KMeans(2, n_init=5, random_state=seed % 2**32).fit(points)
    return found.cluster_centers_, found.labels_


def modes_by_chance(values: np.ndarray, seed: int = 0) -> float:
    """Silverman's test of one mode against more: the share of smoothed resamples, drawn at the smallest bandwidth at which
    the density of `values` has one mode, that have more (between the 5th and 95th percentile)."""
    values = np.asarray(values, dtype=float)
    spread = float(values.std())
    if len(values) < 5 or spread == 0:
        return 1.0
    values = (values - values.mean()) / spread
    width = _critical(values)
    dice, shrink = stream(seed, "modes", len(values)), 1 / np.sqrt(1 + width**2)
    more = 0
    for _ in range(RESAMPLES):
        drawn = shrink * (dice.choice(values, len(values)) + width * dice.normal(size=len(values)))
        more += _modes(drawn, width) > 1
    return (1 + more) / (1 + RESAMPLES)


def _critical(values: np.ndarray) -> float:
    """The smallest bandwidth with one mode, by halving."""
    low, high = 1e-3, 4.0
    for _ in range(24):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if _modes(values, middle) > 1 else (low, middle)
    return high


def _modes(values: np.ndarray, width: float) -> int:
    """Local maxima of the Gaussian kernel density on a grid of the values' middle range."""
    at = np.linspace(*np.percentile(values, INSIDE), GRID)
    density = np.exp(-0.5 * ((at[:, None] - values) / width) ** 2).sum(axis=1)
    rising = np.diff(density) > 0
    return int(rising[:-1][~rising[1:]].sum()) + int(not rising[0]) + int(rising[-1])
