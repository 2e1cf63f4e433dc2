"""Sub-groups nobody named, in which the model does worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.validate._conditions import Condition, conditions
from gnomon.analyses.validate._units import known, unit_codes
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._task import Stats
from gnomon.values import Finding, finding

CARD = Card(
    name="Slices that do worse",
    gist="Searches values, quantile bands, pairs of them and clusters for rows with larger errors; confirms on fresh rows.",
    use_when="No column names the sub-groups, or too many could: hidden strata, rare conditions, odd batches.",
    avoid_when="Named sub-groups are at hand and few: score those; or under about 100 judged units.",
    paper="Chung et al. 2019, arXiv:1807.06068; Oakden-Rayner et al. 2020, arXiv:1909.12475; Wiens & Dmitrienko 2005, "
          "J Biopharm Stat 15; Zhao, Small & Rosenbaum 2018, JASA 113",
    survey=("P7", "P8", "P9"),
    tasks=("classify", "regress"),
    needs=("labels",),
    cost="seconds",
)
FEWEST_UNITS, FEWEST_EVENTS = 20, 10
PAIRED = 24  # the single conditions, worst first, that are also tried in pairs
TAKEN = 5  # slices carried to confirmation
WEIGHTS = (1 / 2, 1 / 4, 1 / 8, 1 / 16, 1 / 16)  # of the level, in the order of the search
ALIKE = 0.6  # overlap (Jaccard) beyond which a slice is the same as a worse one
SEARCHED, LEVEL = 0.05, 0.05  # p to be carried to confirmation; level of confirming
SPLITS, FEW_ROWS = 5, 5_000  # halvings, up to so many rows; beyond, one halving is no matter of luck
WORSE = 1.25  # least ratio of mean losses inside and outside that is worth saying


@dataclass(frozen=True)
class Slice:
    """inside, outside: mean loss (regression: absolute error in the target's unit; classes: Brier score) on the rows
    that confirm. p: one-sided, of the gap and of what it adds to the slices before it, corrected over the slices
    carried. floor: loss of knowing nothing inside; worse_low: lower limit of how much worse the model does there than
    that. sure_low: the same, than its own probabilities say (classes). few: too few units or events to say."""

    where: tuple[Condition, ...]
    n_units: int
    n_rows: int
    n_events: int | None
    few: bool
    inside: float = float("nan")
    outside: float = float("nan")
    floor: float = float("nan")
    p: float = 1.0
    sure_low: float | None = None
    worse_low: float | None = None

    @property
    def said(self) -> str:
        return " and ".join(c.said for c in self.where)

    @property
    def confirmed(self) -> bool:
        return not self.few and self.p < LEVEL and self.inside >= WORSE * self.outside

    @property
    def fails(self) -> bool:
        """The model is of no use there: worse than knowing nothing beyond chance, and (classes) without knowing it. As good
        is no failure: where the main input is near its mean, the floor is right."""
        return self.confirmed and (self.worse_low or 0.0) > 0 and (self.sure_low is None or self.sure_low > 0)


@dataclass(frozen=True)
class Judged:
    """Rows with their statistics: of the model, of the floor, their units, and columns by name (numbers or words)."""

    stats: Stats
    floor: Stats
    units: np.ndarray
    columns: Mapping[str, np.ndarray]

    def take(self, index: np.ndarray) -> Judged:
        return Judged(self.stats.take(index), self.floor.take(index), self.units[index],
                      {n: v[index] for n, v in self.columns.items()})


def slices(task: Any, search: Judged, confirm: Judged | None = None, *, seed: int = 0) -> list[Slice]:
    """Slices of `search` whose losses are larger than the other rows', as they do on `confirm`, worst first.

    Without `confirm` the units of `search` are halved five times, and each half confirms what the other found
    (cross-screening). Conditions: each value of a column of words, each quarter of a column of numbers, and pairs of the
    worst 24. Searching carries the worst five, unlike each other, with p under 5 % each, a part of a worse slice (or what
    holds it) only if it is worse than that one's other rows (than the others); confirming tests these, and that again, by a
    t over units, at 5 % in all by the fallback procedure: half of the level for the worst, half of the rest for the next,
    each handing its part on when it stands. Under 20 units or 10 rows of the rarer of two classes: `few`, and no loss
    is given.
    """
    search = search.take(np.flatnonzero(known(search.stats)))
    if confirm is None:
        return _crossed(task, search, seed)
    confirm = confirm.take(np.flatnonzero(known(confirm.stats)))
    if len(np.unique(search.units)) < 2 * FEWEST_UNITS or not len(confirm.stats):
        return []
    return _confirmed(task, _searched(task, search, conditions(search.columns)), confirm)


def _crossed(task: Any, at: Judged, seed: int) -> list[Slice]:
    """Each half of the units confirms the other's slices, over SPLITS halvings; of slices much alike the surer stays."""
    codes, g = unit_codes(at.units, len(at.units))
    if g < 4 * FEWEST_UNITS:
        return []
    times = SPLITS if len(at.stats) <= FEW_ROWS else 1
    tried = conditions(at.columns)  # of all rows, lest the halves name other bands; it sees no loss
    said: dict[tuple[Condition, ...], list[Slice]] = {}
    for time in range(times):
        half = (stream(seed, "slices", time).permutation(g) % 2)[codes]
        parts = [at.take(np.flatnonzero(half == k)) for k in (0, 1)]
        for k in (0, 1):
            for one in _confirmed(task, _searched(task, parts[k], tried), parts[1 - k]):
                said.setdefault(one.where, []).append(one)
    kept: list[Slice] = []
    losses, masks = row_losses(task, at.stats), []
    for one in sorted((_over_halves(task, each, at, 2 * times) for each in said.values()), key=lambda s: (s.few, s.p)):
        mask = _holds(one.where, at)
        if all(_overlap(mask, other) < ALIKE for other in masks) and (
                one.few or added_p(losses, mask, masks, codes, g) < LEVEL):
            kept.append(one)
            masks.append(mask)
    return kept


def _over_halves(task: Any, each: Sequence[Slice], at: Judged, halves: int) -> Slice:
    """One slice, as the halves that confirm it say on average, with the harmonic mean of their p (1 where the other half did
    not find it; Wilson 2019, PNAS 116:1195): one halving may by bad luck leave a weak part to one side. The floor is
    compared on all its rows."""
    sure, whole = [s for s in each if not s.few], _judged(task, each[0].where, at)
    if not sure:
        return replace(each[0], n_units=whole.n_units, n_rows=whole.n_rows, n_events=whole.n_events)
    p = 1 / np.mean([1 / max(s.p, 1e-300) for s in sure] + [1.0] * (halves - len(sure)))
    mean = {name: float(np.mean([getattr(s, name) for s in sure])) for name in ("inside", "outside", "floor")}
    low = None if sure[0].sure_low is None else float(np.mean([s.sure_low for s in sure]))
    return replace(whole, p=float(p), sure_low=low, **mean)


def _holds(where: tuple[Condition, ...], at: Judged) -> np.ndarray:
    """Which rows are in the slice: bool (n,)."""
    return np.logical_and.reduce([c.holds(at.columns[c.column]) for c in where])


def _overlap(mine: np.ndarray, other: np.ndarray) -> float:
    """Jaccard index of two slices."""
    return float((mine & other).sum() / max(1, (mine | other).sum()))


def row_losses(task: Any, stats: Stats) -> np.ndarray:
    """(n,) proper losses: absolute error, or the Brier score over all classes."""
    if task.name == "classify":
        right = stats["truth"].astype(int)[:, None] == np.arange(stats["proba"].shape[1])
        return ((stats["proba"] - right) ** 2).sum(axis=1)
    return np.abs(stats["value"] - stats["truth"])


def _beyond_said(task: Any, stats: Stats) -> np.ndarray | None:
    """Brier score less what it would be on average were the probabilities right."""
    if task.name != "classify":
        return None
    p = stats["proba"]
    return row_losses(task, stats) - (p * (1 - p)).sum(axis=1)


# ---- searching -----------------------------------------------------------------------------------------------------
def _searched(task: Any, at: Judged, single: Sequence[Condition]) -> list[tuple[Condition, ...]]:
    """The worst slices on the searching rows, of these conditions and pairs of the worst of them, at most TAKEN, none much like
    a worse one."""
    losses, (codes, g) = row_losses(task, at.stats), unit_codes(at.units, len(at.units))
    if not single:
        return []
    masks = np.stack([c.holds(at.columns[c.column]) for c in single])
    z = gap_t(losses, masks, codes, g)
    worst = [i for i in np.argsort(-z, kind="stable") if np.isfinite(z[i])][:PAIRED]
    pairs = [(i, j) for a, i in enumerate(worst) for j in worst[a + 1:] if single[i].column != single[j].column]
    both = np.stack([masks[i] & masks[j] for i, j in pairs]) if pairs else np.zeros((0, len(losses)), dtype=bool)
    every = np.concatenate([masks, both])
    names = [(c,) for c in single] + [(single[i], single[j]) for i, j in pairs]
    z = np.concatenate([z, gap_t(losses, both, codes, g)])
    return [names[i] for i in _unlike(losses, every, z, codes, g)]


def gap_t(losses: np.ndarray, masks: np.ndarray, codes: np.ndarray, g: int) -> np.ndarray:
    """t of the difference of mean losses inside and outside each mask (S, n), errors over units; -inf where too few."""
    if not len(masks):
        return np.zeros(0)
    n = masks.sum(axis=1)
    out = np.full(len(masks), -np.inf)
    ok = np.flatnonzero((n >= FEWEST_UNITS) & (n <= len(losses) - FEWEST_UNITS))
    for k in ok:
        t, _, inside = _t(losses, masks[k], codes, g)
        out[k] = t if inside >= FEWEST_UNITS else -np.inf
    return out


def _t(losses: np.ndarray, mask: np.ndarray, codes: np.ndarray, g: int) -> tuple[float, float, int]:
    """(t, error, units inside) of mean(losses inside) - mean(losses outside)."""
    a, b = losses[mask], losses[~mask]
    share = np.where(mask, (losses - a.mean()) / len(a), -(losses - b.mean()) / len(b))
    inside = int((np.bincount(codes[mask], minlength=g) > 0).sum())
    error = _error(share, codes, g, inside)
    return (float((a.mean() - b.mean()) / error) if error > 0 else 0.0), error, inside


def _error(share: np.ndarray, codes: np.ndarray, g: int, units: int) -> float:
    """Standard error of a sum whose rows contribute `share`, over the `units` that carry it."""
    each = np.bincount(codes, weights=share, minlength=g)
    return float(np.sqrt((each**2).sum() * units / max(1, units - 1)))


def added_p(losses: np.ndarray, mask: np.ndarray, before: Sequence[np.ndarray], codes: np.ndarray, g: int) -> float:
    """One-sided p of what a slice adds to slices found before it: its coefficient beside theirs in a linear model of the
    losses, errors over units. A part of one of them is so set against that one's other rows, what holds one against the
    rows of neither. 0 where none was before; 1 where under 20 units are left on a side."""
    from scipy.stats import t as student

    if not len(before):
        return 0.0
    basis, _ = np.linalg.qr(np.stack([np.ones(len(losses)), *before], axis=1).astype(float))
    own = mask - basis @ (basis.T @ mask)
    sides = [len(np.unique(codes[own > 1e-6])), len(np.unique(codes[own < -1e-6]))]
    if min(sides) < FEWEST_UNITS:
        return 1.0
    size = own @ own
    more = own @ losses / size
    left = losses - basis @ (basis.T @ losses) - more * own
    error = _error(own * left / size, codes, g, sides[0])
    return float(student.sf(more / error, sides[0] - 1)) if error > 0 else 1.0


def _unlike(losses: np.ndarray, masks: np.ndarray, z: np.ndarray, codes: np.ndarray, g: int) -> list[int]:
    """The worst of masks (S, n), at most TAKEN, each unlike those before it and adding to them."""
    from scipy.stats import norm

    kept: list[int] = []
    for i in np.argsort(-z, kind="stable"):
        if norm.sf(z[i]) > SEARCHED or len(kept) == TAKEN:
            break
        if all(_overlap(masks[i], masks[j]) < ALIKE for j in kept) and \
                added_p(losses, masks[i], masks[kept], codes, g) < SEARCHED:
            kept.append(int(i))
    return kept


# ---- confirming ----------------------------------------------------------------------------------------------------
def _confirmed(task: Any, found: Sequence[tuple[Condition, ...]], at: Judged) -> list[Slice]:
    out, tested = [_judged(task, where, at) for where in found], []
    losses, (codes, g), before = row_losses(task, at.stats), unit_codes(at.units, len(at.units)), []
    for one in (s for s in out if not s.few):
        mask = _holds(one.where, at)
        tested.append(replace(one, p=max(one.p, added_p(losses, mask, before, codes, g))))
        before.append(mask)
    corrected = [replace(s, p=p) for s, p in zip(tested, fallback([s.p for s in tested]), strict=True)]
    return sorted(corrected, key=lambda s: s.p) + [s for s in out if s.few]


def fallback(p: Sequence[float]) -> list[float]:
    """Adjusted p of at most TAKEN hypotheses in their order: each is tested at its part of the level and at what those just
    before it, if they stand, hand on (Wiens & Dmitrienko 2005). The family-wise error is the level in any dependence."""
    out: list[float] = []
    for i, own in enumerate(p):
        ways = [max([own / sum(WEIGHTS[j:i + 1]), *out[j:i]]) for j in range(i + 1)]
        out.append(min(1.0, *ways))
    return out


def _judged(task: Any, where: tuple[Condition, ...], at: Judged) -> Slice:
    from scipy.stats import t as student

    mask = _holds(where, at)
    codes, g = unit_codes(at.units, len(at.units))
    units = len(np.unique(codes[mask]))
    rarest = None
    if task.name == "classify" and at.stats["proba"].shape[1] == 2:
        rarest = int(np.bincount(at.stats["truth"][mask].astype(int), minlength=2).min())
    few = units < FEWEST_UNITS or (~mask).sum() < FEWEST_UNITS or (rarest is not None and rarest < FEWEST_EVENTS)
    if few:
        return Slice(where, units, int(mask.sum()), rarest, True)
    losses = row_losses(task, at.stats)
    value, _, inside = _t(losses, mask, codes, g)
    floor, extra = row_losses(task, at.floor), _beyond_said(task, at.stats)
    lows = [None if v is None else _lower(v[mask], codes[mask], g, inside) for v in (extra, losses - floor)]
    return Slice(where, units, int(mask.sum()), rarest, False, float(losses[mask].mean()), float(losses[~mask].mean()),
                 float(floor[mask].mean()), float(student.sf(value, inside - 1)), *lows)


def _lower(values: np.ndarray, codes: np.ndarray, g: int, units: int) -> float:
    """Lower limit of a mean at 97.5 %, errors over units."""
    from scipy.stats import t as student

    error = _error((values - values.mean()) / len(values), codes, g, units)
    return float(values.mean() - student.ppf(0.975, units - 1) * error)


def slice_findings(task: Any, found: Sequence[Slice], on: str) -> list[Finding]:
    """VALID-STRATUM for each confirmed slice: a warning where the model is worse there than knowing nothing."""
    what = "mean absolute error" if task.name != "classify" else "Brier score"
    out = []
    for s in (s for s in found if s.confirmed):
        more = "; that is worse than knowing nothing" if s.fails else ""
        out.append(finding("VALID-STRATUM", "warn" if s.fails else "note",
                           f"Errors are larger where {s.said}: {what} {s.inside:.3g} against {s.outside:.3g} elsewhere "
                           f"({s.n_units} units, confirmed on {on}){more}.",
                           columns=tuple(dict.fromkeys(c.column for c in s.where if c.column)),
                           values={"inside": s.inside, "outside": s.outside, "floor": s.floor, "p": s.p,
                                   "n_units": s.n_units, "n_rows": s.n_rows}, source="Chung et al. 2019"))
    return out
