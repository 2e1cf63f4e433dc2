"""Is a new row like anything that was trained on?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.explore._kit import join
from gnomon.analyses.validate._ood_limits import FEWEST, beyond, limits
from gnomon.analyses.validate._units import unit_codes
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.values import Finding, finding

CARD = Card(
    name="Out-of-distribution score",
    gist="Distance to the nearest training rows after whitening, from the plane of their main axes, and along any one feature; "
         "flagged where one of them is unlike what 95 % of held-out units show.",
    use_when="Predictions are made for rows nobody has checked.",
    avoid_when="To call a row reliable because it is not flagged.",
    paper="Sun et al. 2022, arXiv:2204.06507; Lee et al. 2018, arXiv:1807.03888; Wang et al. 2022, arXiv:2203.10807; Nalisnick "
          "et al. 2019, arXiv:1906.02994",
    survey=("P7", "P8"),
    tasks=("classify", "regress", "several"),
    cost="seconds",
)
COMPONENTS, REFERENCE, NEIGHBOURS, FOLDS, RARE = 24, 2000, 5, 10, 0.05
CHANCE, WARNED = 0.01, 0.2  # of a finding among like rows; share of flagged rows from which on it is a warning
ROUNDING = 1e-6  # of features kept in single precision
ENOUGH = 500  # units held out, from which on no more folds are fitted: a vocabulary learnt ten times over is dear
Refit = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Ood:
    """Arrays that score new rows: centre, scale (d,), axes (d, c), spread (c,); rest: the usual distance from the centre, by
    which that from the plane of the axes is divided; points (r, c + 1): the reference rows. A row is flagged whose score is
    above threshold, or that lies nearer to the plane than off_least or further than off_limit (rows of many features lie in
    a shell around their mean, and one of hardly any content lies inside it), or further along one feature than along_limit:
    among dozens of axes one odd feature drowns. n_judged: units that were held out to set the limits, 0 where there is but
    one."""

    centre: np.ndarray
    scale: np.ndarray
    axes: np.ndarray
    spread: np.ndarray
    rest: float
    points: np.ndarray
    threshold: float
    n_units: int
    off_least: float = 0.0
    off_limit: float = float("inf")
    along_limit: float = float("inf")
    n_judged: int = 0

    @property
    def usual(self) -> float:
        """Share of the rows of new, like units that is flagged: 5 %, more where too few units set the limits."""
        return beyond(self.n_judged) / (self.n_judged + 1)

    def standard(self, x: np.ndarray) -> np.ndarray:
        """(n, d): x centred, in spreads of its columns over their weights."""
        z = (np.nan_to_num(np.asarray(x, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0) - self.centre) / self.scale
        return np.clip(z, -50, 50)

    def place(self, x: np.ndarray) -> np.ndarray:
        """(n, c + 1): whitened coordinates, and the distance from their plane in units of what is usual."""
        return self._placed(self.standard(x))

    def _placed(self, z: np.ndarray) -> np.ndarray:
        inside = z @ self.axes
        off = np.sqrt(np.maximum((z**2).sum(1) - (inside**2).sum(1), 0)) / self.rest
        return np.column_stack([inside / self.spread, off])

    def score(self, x: np.ndarray) -> np.ndarray:
        """(n,) mean distance to the nearest reference rows, or, where that is odder, how odd the distance from their plane or
        along one feature is, brought to the same limit; x (n, d)."""
        near, off, along = self.distances(x)
        odd = np.maximum(off / self.off_limit, self.off_least / np.maximum(off, 1e-9))
        return np.maximum(near, np.maximum(odd, along / self.along_limit) * self.threshold)

    def distances(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n,) mean distance to the nearest reference rows; (n,) from the plane of the axes; (n,) along the oddest feature."""
        z = self.standard(x)
        placed = self._placed(z)
        return _nearest(placed, self.points), placed[:, -1], np.abs(z).max(axis=1, initial=0.0)

    def flag(self, x: np.ndarray) -> np.ndarray:
        """(n,) whether a row is unlike the training rows."""
        return self.score(x) > self.threshold

    def state(self) -> dict[str, Any]:
        """Arrays and numbers by name; `ood_from_state` reads it."""
        return {k: getattr(self, k) for k in self.__dataclass_fields__}


def ood(x: np.ndarray, units: np.ndarray | None = None, *, weight: np.ndarray | None = None, refit: Refit | None = None,
        seed: int = 0) -> Ood:
    """Fit on the training rows' matrix (n, d). The limits lie so far out that 95 % of the rows of whole units held out in
    turn are within all of them, a row of a large unit counting less, so that 5 % of the rows of new, like units are flagged.

    weight: (d,) of the columns after scaling, lest a block of thousands (words) drown one of six. refit: (places to learn
    from, places held out) -> their matrices and the weight, by features learnt from the former alone; without it features
    that were learnt from every row, such as a vocabulary, make the held-out rows differ from new ones.
    """
    x = np.asarray(x, dtype=np.float32)
    codes, g = unit_codes(units, len(x))
    rng = stream(seed, "ood")
    fold = (rng.permutation(g) % min(FOLDS, g))[codes]
    least = len(x) - int(np.bincount(fold).max()) if g > 1 else len(x)
    axes = max(1, min(COMPONENTS, x.shape[1], min(least, REFERENCE) // 5))  # in every fit: distances grow with them
    apart, judged = np.empty((3, len(x))), np.zeros(len(x), dtype=bool)
    for k in range(fold.max() + 1):
        known, held = np.flatnonzero((fold != k) | (g == 1)), np.flatnonzero(fold == k)
        a, b, w = refit(known, held) if refit is not None else (x[known], x[held], weight)
        apart[:, held] = _fit(a, w, axes, rng).distances(b)
        judged[held] = True
        if len(np.unique(codes[judged])) >= ENOUGH:
            break
    reach, final = limits(*apart[:, judged], codes[judged]), _fit(x, weight, axes, rng)
    within = x[judged][apart[2, judged] <= reach["along_limit"]]
    reach["along_limit"] = max(reach["along_limit"], _outermost(final, within)) * (1 + ROUNDING)
    reach["threshold"] = max(reach["threshold"], _half_step(final.points), ROUNDING)
    return replace(final, **reach, n_units=g, n_judged=len(np.unique(codes[judged])) if g > 1 else 0)


def _outermost(final: Ood, within: np.ndarray) -> float:
    """How far out along one feature the rows (k, d) lie that were within the limit when they were held out: of inputs in
    steps a level that was within stays within, and half a step beyond it."""
    if not len(within):
        return 0.0
    far = np.abs(final.standard(within))
    column = int(far.max(axis=0).argmax())
    levels = np.unique(within[:, column])
    steps = np.diff(levels) if 2 * len(levels) <= len(within) else np.zeros(0)
    return float(far.max() + (np.median(steps) / final.scale[column] / 2 if len(steps) else 0.0))


def _half_step(points: np.ndarray) -> float:
    """Half the usual distance from a reference row to the nearest that differs: of inputs in steps most rows repeat another,
    and their distance, zero but for rounding, is no measure of what is strange."""
    distinct = np.unique(np.round(points, 6), axis=0)
    return float(np.median(_nearest(distinct, distinct, 2)))  # the nearest of the two is the row itself


def _fit(x: np.ndarray, weight: np.ndarray | None, count: int, rng: np.random.Generator) -> Ood:
    rows = np.sort(rng.permutation(len(x))[:REFERENCE])
    z = np.nan_to_num(x[rows].astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    centre, scale = z.mean(0), _spread(z) / (1.0 if weight is None else weight)
    z = np.clip((z - centre) / scale, -50, 50)
    axes, spread = _axes(z, count)
    rest = max(float(np.sqrt((z**2).sum(1)).mean()), 1e-9)
    bare = Ood(centre, scale, axes, spread, rest, np.empty((0, 0)), 1.0, 0)
    return replace(bare, points=bare.place(x[rows]))


def _spread(x: np.ndarray) -> np.ndarray:
    """(d,) spread of each column, of one that seldom leaves its usual value (a rare word) as if it left it in a share RARE of
    the rows: else the rarer a word, the stranger every row that holds it. 1 for a constant column."""
    seldom = (np.abs(x - np.median(x, axis=0)) > 1e-9).mean(axis=0)
    spread = x.std(axis=0) / np.sqrt(np.clip(seldom / RARE, 1e-9, 1))
    return np.where(spread > 1e-9, spread, 1.0)


def _axes(z: np.ndarray, c: int) -> tuple[np.ndarray, np.ndarray]:
    """The c main axes of z (n, d), by the smaller of the two products, and the spread along each."""
    n, d = z.shape
    if d <= n:
        values, vectors = np.linalg.eigh(z.T @ z / n)
        axes, spread = vectors[:, ::-1][:, :c], np.sqrt(np.maximum(values[::-1][:c], 0))
    else:
        values, vectors = np.linalg.eigh(z @ z.T / n)
        spread = np.sqrt(np.maximum(values[::-1][:c], 0))
        axes = z.T @ vectors[:, ::-1][:, :c] / np.maximum(spread * np.sqrt(n), 1e-9)
    kept = spread > 1e-6 * max(1e-12, spread.max())
    return (axes[:, kept], spread[kept]) if kept.any() else (np.zeros((d, 1)), np.ones(1))


def _nearest(a: np.ndarray, points: np.ndarray, few: int = NEIGHBOURS) -> np.ndarray:
    """Mean distance of each row of a to its nearest few of `points`."""
    out = np.empty(len(a))
    k = min(few, len(points))
    for start in range(0, len(a), 512):
        part = a[start:start + 512]
        square = (part**2).sum(1)[:, None] + (points**2).sum(1) - 2 * part @ points.T
        near = np.partition(np.sqrt(np.maximum(square, 0)), k - 1, axis=1)[:, :k]
        out[start:start + 512] = near.mean(1)
    return out


def ood_from_state(state: Mapping[str, Any]) -> Ood:
    """What `Ood.state` gave, from arrays or from lists."""
    arrays = {k: np.asarray(state[k]) for k in ("centre", "scale", "axes", "spread", "points")}
    return Ood(**arrays, rest=float(state["rest"]), threshold=float(state["threshold"]), n_units=int(state["n_units"]),
               n_judged=int(state.get("n_judged") or 0),
               off_least=float(state.get("off_least", 0.0)), off_limit=float(state.get("off_limit") or np.inf),
               along_limit=float(state.get("along_limit") or np.inf))


def too_few(rule: Ood) -> str:
    """Why no limit that 5 % of like rows pass could be set; "" where it could."""
    if not rule.n_judged:
        return "the training rows are one unit: how far from it others lie is not known"
    if rule.n_judged >= FEWEST and len(rule.points) >= FEWEST:
        return ""
    return (f"{rule.n_judged} units are too few for a limit that 5 % of like rows pass (it takes {FEWEST}): about "
            f"{rule.usual:.0%} of them will be flagged")


def detection(rule: Ood, held_out: np.ndarray, *, seed: int = 0) -> dict[str, float]:
    """Share of rows (n, d) flagged, as they are and after planted shifts: a tenth of the features moved by 3 sd; each
    feature shuffled over rows; noise of 1 sd on all; distances from the mean doubled."""
    rng = stream(seed, "ood", "detection")
    x = np.asarray(held_out, dtype=np.float64)
    d = x.shape[1]
    some = rng.permutation(d)[:max(1, d // 10)]
    moved = x.copy()
    moved[:, some] += 3 * rule.scale[some]
    shuffled = np.stack([rng.permutation(column) for column in x.T], axis=1)
    planted = {"as they are": x, "a tenth of the features moved by 3 sd": moved, "features shuffled": shuffled,
               "noise of 1 sd": x + rng.normal(size=x.shape) * rule.scale,
               "doubled": rule.centre + 2 * (x - rule.centre)}
    return {name: float(rule.flag(rows).mean()) for name, rows in planted.items()}


def odd_beyond_chance(flagged: np.ndarray, rule: Ood, units: np.ndarray | None = None) -> bool:
    """Whether more of the rows are flagged than like rows would be, but in one case of a hundred. Units held out and new
    ones are exchangeable: of g held out with k allowed beyond, the number of m new ones beyond is beta-binomial, the error
    of the limits included. The share flagged of each unit counts, as if whole units were: theirs varies most."""
    from scipy.stats import betabinom

    codes, m = unit_codes(units, len(flagged))
    g = rule.n_judged
    if not m or not g or len(rule.points) < FEWEST:
        return False
    odd = float((np.bincount(codes, weights=flagged, minlength=m) / np.bincount(codes, minlength=m)).sum())
    return bool(odd and betabinom.sf(np.ceil(odd - 1e-9) - 1, m, beyond(g), g + 1 - beyond(g)) <= CHANCE)


def ood_finding(flagged: np.ndarray, rule: Ood, units: np.ndarray | None = None, positions: np.ndarray | None = None,
                *, what: str = "rows", lacking: Sequence[str] = ()) -> Finding | None:
    """VALID-OOD: clearly more of the rows than usual are unlike anything trained on. units (n,): rows of one count together;
    positions (n,): the rows' places as read; lacking: columns that none of them has."""
    from gnomon.analyses.validate.conformal import share_interval

    flagged = np.asarray(flagged, dtype=bool)
    if not odd_beyond_chance(flagged, rule, units):
        return None
    e, count = share_interval(flagged, units), int(flagged.sum())
    grade = "warn" if e["value"] > WARNED else "note"
    limits = f" [{e['low']:.0%}, {e['high']:.0%}]" if e["low"] is not None else ""
    of = f"; {e['n_units']:,} independent units" if e["n_units"] < len(flagged) else ""
    filled = f" They lack {join(lacking)}, filled in by usual values: that alone may set them apart." if lacking else ""
    rows = np.flatnonzero(flagged)
    return finding("VALID-OOD", grade, f"{count:,} of {len(flagged):,} {what} are unlike anything trained on ({e['value']:.0%}"
                   f"{limits}{of}; about {rule.usual:.0%} would be usual): their predictions are guesses. A row that is not "
                   f"flagged is not thereby reliable.{filled}", rows=rows if positions is None else np.asarray(positions)[rows],
                   values={"share": e["value"], "low": e["low"], "high": e["high"], "usual": rule.usual,
                           "rows": len(flagged), "units": e["n_units"], "limit_units": rule.n_judged})
