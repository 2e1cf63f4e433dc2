"""Is one predictor better than another on the same rows?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.validate._auc import Area, area, covariance, is_binary_auc, joined_limits
from gnomon.analyses.validate._bootstrap import (
    SkewedT,
    jackknife_error,
    left_out,
    mean_test,
    pseudo_values,
    skewed_t,
)
from gnomon.analyses.validate._bounds import LIMITS, wilson
from gnomon.analyses.validate._scores import mean_loss, weighted
from gnomon.analyses.validate._units import FEW_GROUPS, NO_INTERVAL, NO_P, scorable, unit_sums
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._task import Stats
from gnomon.values import Difference

CARD = Card(
    name="Paired comparison of two predictors",
    gist="The difference of two scores on the same units, with an interval and a p that come from one procedure.",
    use_when="One predictor is to be preferred to another, or to a baseline, on data neither was chosen on.",
    avoid_when="The claim is about two methods in general: that needs resplits and seeds (Bouthillier et al. 2021).",
    paper="Fagerland et al. 2013, BMC Med Res Methodol 13:91; DeLong et al. 1988; Hartigan 1969, JASA 64; Hall 1992",
    survey=("P7", "W7", "W9"),
    needs=("labels",),
    cost="seconds",
)
POWER = 0.84  # normal quantile of 80 % power


def compare(task: Any, ours: Stats, theirs: Stats, units: np.ndarray | None, *, margin: float | None,
            level: float = 0.95, seed: int = 0) -> Difference:
    """How much better `ours` scores than `theirs` on the same n rows, in the metric's unit; positive: ours is better.

    Rows that are their own units: McNemar mid-p for shares, DeLong for two-class AUC from 40 rows on. Otherwise, and in
    groups, sign flips of each unit's contribution (jackknife pseudo-values) and Hall's skewed t, the less sure of the
    two; under 6 units a t interval and no p; under 3, no interval. `margin`, the difference that would matter, fixed
    beforehand, is only carried along.
    """
    both = Stats({**{f"a.{k}": v for k, v in ours.arrays.items()}, **{f"b.{k}": v for k, v in theirs.arrays.items()}})
    both, codes, g = scorable(both, units)
    pair = _Pair(task, _half(both, "a."), _half(both, "b."), codes, g, g < len(both))
    value = pair.sign * (task.score(pair.a) - task.score(pair.b)) + 0.0 if len(both) else float("nan")  # no -0
    if g < NO_INTERVAL or not np.isfinite(value):
        return Difference(float(value), None, None, level, None, "none: fewer than 3 units", margin)
    low, high, p, test = _test(pair, float(value), level, seed)
    return Difference(float(value), low, high, level, p, test, margin)


@dataclass(frozen=True)
class _Pair:
    task: Any
    a: Stats
    b: Stats
    codes: np.ndarray
    g: int
    grouped: bool

    @property
    def sign(self) -> float:
        return 1.0 if self.task.metric.higher_is_better else -1.0


def _half(both: Stats, start: str) -> Stats:
    return Stats({k[len(start):]: v for k, v in both.arrays.items() if k.startswith(start)})


Found = tuple[float | None, float | None, float | None, str]


def _test(pair: _Pair, value: float, level: float, seed: int) -> Found:
    if not pair.grouped:
        a, b = mean_loss(pair.task, pair.a), mean_loss(pair.task, pair.b)
        if a is not None and b is not None and pair.task.metric.higher_is_better and np.isin([a, b], (0.0, 1.0)).all():
            return (*mcnemar(int(((a == 0) & (b == 1)).sum()), int(((a == 1) & (b == 0)).sum()), pair.g, level),
                    "McNemar mid-p")
        if is_binary_auc(pair.task, pair.a) and pair.g >= FEW_GROUPS:
            return _delong(pair, value, level)
    return _resampled(pair, value, level, seed)


def mcnemar(better: int, worse: int, n: int, level: float) -> tuple[float, float, float]:
    """Limits of the difference of two paired shares, and McNemar's mid-p (Fagerland et al. 2013).

    The difference is (2 q - 1) d: q, the share of discordant rows that favour ours, has mid-p limits (the ones that
    exclude 1/2 exactly when p < 1 - level); d, the share of discordant rows, has Wilson's. Both are joined by the
    method of variance recovery (Donner & Zou 2012), on the log scale where q's limit has left 1/2 behind, so that the
    sign of a limit is q's.
    """
    from scipy.stats import binom, norm

    m = better + worse
    if not m:
        width = _no_discordance(n, level)
        return -width, width, 1.0
    few = min(better, worse)
    p = float(min(1.0, 2 * binom.cdf(few, m, 0.5) - binom.pmf(few, m, 0.5)))
    alpha, z = 1 - level, float(norm.ppf((1 + level) / 2))
    q_low, q_high = _mid_p_limit(better, m, alpha / 2), 1 - _mid_p_limit(worse, m, alpha / 2)
    d_low, d_high = wilson(m / n, n, z)
    tilt, share = 2 * better / m - 1, m / n
    low = -_upper(-tilt, 1 - 2 * q_low, share, d_low, d_high)
    high = _upper(tilt, 2 * q_high - 1, share, d_low, d_high)
    return low, high, p


def _no_discordance(n: int, level: float) -> float:
    """No row tells the two apart: the share that does is at most this."""
    return float(1 - (1 - level) ** (1 / n))


def _mid_p_limit(hits: int, m: int, tail: float) -> float:
    """The lower mid-p limit of a share: where P(X > hits) + P(X = hits) / 2 is `tail`."""
    from scipy.optimize import brentq
    from scipy.stats import binom

    if hits == 0:
        return 0.0
    root: Any = brentq(lambda q: binom.sf(hits, m, q) + 0.5 * binom.pmf(hits, m, q) - tail, 0.0, 1.0, xtol=1e-12)
    return float(root)


def _upper(tilt: float, tilt_high: float, share: float, share_low: float, share_high: float) -> float:
    """Upper limit of tilt * share from the limits of each."""
    if tilt_high < 0:  # both negative throughout: nearest to 0, multiplicatively
        reach = np.hypot(np.log(tilt_high / tilt), np.log(share_low / share)) if share_low > 0 else np.inf
        return float(tilt * share * np.exp(-reach))
    across = tilt * (share_high - share) if tilt > 0 else -tilt * (share - share_low)
    return float(min(1.0, tilt * share + np.hypot((tilt_high - tilt) * share, across)))


def _areas(pair: _Pair) -> tuple[Area, Area]:
    a, b = (area(s["truth"], s["proba"][:, 1], pair.codes, pair.g) for s in (pair.a, pair.b))
    return a, b


def _delong(pair: _Pair, value: float, level: float) -> Found:
    from scipy.stats import norm

    a, b = _areas(pair)
    aa, bb, ab = (covariance(x, y, clustered=False) for x, y in ((a, a), (b, b), (a, b)))
    variance = aa + bb - 2 * ab
    if not np.isfinite(variance):
        return None, None, None, "none: fewer than 2 rows of a class"
    if np.array_equal(pair.a["proba"], pair.b["proba"]):
        return 0.0, 0.0, 1.0, "paired DeLong"
    if a.near_bound or b.near_bound or variance <= 1e-14:
        return *_of_areas(pair, a, b, level), "Newcombe's limits of two AUCs near a bound, joined"
    error = float(np.sqrt(variance))
    half = float(norm.ppf((1 + level) / 2)) * error
    return max(-1.0, value - half), min(1.0, value + half), float(2 * norm.sf(abs(value) / error)), "paired DeLong"


def _of_areas(pair: _Pair, a: Area, b: Area, level: float) -> tuple[float, float, float]:
    """Limits of the difference of two areas from those of each, and the level at which they just reach 0 as p."""
    from scipy.stats import norm, t

    law = t(pair.g - 1) if pair.grouped else norm()
    ends = lambda q: joined_limits(a, b, clustered=pair.grouped, share=pair.g / len(pair.codes), quantile=q)  # noqa: E731
    low, high = ends(float(law.ppf((1 + level) / 2)))
    clear, across = 0.0, 60.0  # quantiles at which the limits leave 0 out, and hold it
    for _ in range(40):  # by halves: limits on a grid move in steps
        q = (clear + across) / 2
        reached = ends(q)
        clear, across = (clear, q) if reached[0] <= 0 <= reached[1] else (q, across)
    return low, high, float(2 * law.sf(clear))


def _resampled(pair: _Pair, value: float, level: float, seed: int) -> Found:
    """By units; never surer than a score near its bound allows."""
    low, high, p, test = _of_units(pair, value, level, seed)
    if low is None or high is None:
        return low, high, p, test
    if is_binary_auc(pair.task, pair.a):
        a, b = _areas(pair)
        if (a.near_bound or b.near_bound) and min(a.n1, a.n0) > 1:
            wider = _of_areas(pair, a, b, level)
            low, high, p = min(low, wider[0]), max(high, wider[1]), None if p is None else max(p, wider[2])
    if pair.task.metric.name not in LIMITS:
        return low, high, p, test
    if low == value == high == 0:  # no unit tells the two apart
        low, high = -_no_discordance(pair.g, level), _no_discordance(pair.g, level)
    most = 2.0 if pair.task.metric.name == "mcc" else 1.0
    return max(-most, low), min(most, high), p, test


def _of_units(pair: _Pair, value: float, level: float, seed: int) -> Found:
    scores = [weighted(pair.task, s, pair.codes, pair.g) for s in (pair.a, pair.b)]
    without = left_out(scores, pair.g)
    gaps = pair.sign * (without[0] - without[1])
    gaps = gaps[np.isfinite(gaps)]
    if len(gaps) < NO_INTERVAL:
        return None, None, None, "none: fewer than 3 units"
    if pair.g < NO_P:
        return *_t(value, gaps, level), None, "jackknife over units, t"
    rng = stream(seed, "compare", pair.task.metric.name)
    each, ratio = _of_losses(pair, value) or (pseudo_values(value, gaps), None)
    low, high, p = mean_test(each, level, rng)
    if ratio is not None:  # errors: their ratio, less skew than their difference, must agree
        test, spread = ratio
        ends = 2 * spread * np.sinh(np.array(test.limits(level)) / 2)
        low, high, p = min(low, float(ends[0])), max(high, float(ends[1])), max(p, test.p())
    return low, high, p, "group sign-flip and Hall's t" if pair.grouped else "sign-flip and Hall's t"


def _of_losses(pair: _Pair, value: float) -> tuple[np.ndarray, tuple[SkewedT, float] | None] | None:
    """For a score that is a mean loss, or its root: each unit's part in the difference of the mean losses (of which the
    root's difference is a fixed share), so that sign flips stay exact; and the test of the log of the losses' ratio,
    with the geometric mean g that turns a log ratio r into the difference 2 g sinh(r / 2). None for other scores."""
    losses = mean_loss(pair.task, pair.a), mean_loss(pair.task, pair.b)
    if losses[0] is None or losses[1] is None:
        return None
    sums = unit_sums(np.stack([np.ones(len(pair.codes)), *losses], axis=1), pair.codes, pair.g)  # type: ignore[list-item]
    total = sums.sum(0)
    rest = total - sums
    ours, theirs = total[1:] / total[0]
    without = rest[:, 1:] / rest[:, :1]
    root = abs(np.sqrt(theirs) - np.sqrt(ours) - value) < abs(theirs - ours - value)
    share = 1 / max(np.sqrt(ours) + np.sqrt(theirs), 1e-300) if root else 1.0
    if abs((theirs - ours) * share - value) > 1e-9 * max(1.0, abs(value)):
        return None
    each = share * pseudo_values(theirs - ours, without[:, 1] - without[:, 0])
    if min(ours, theirs, without.min()) <= 0:
        return each, None
    power = 0.5 if root else 1.0
    logs = power * pseudo_values(np.log(theirs / ours), np.log(without[:, 1] / without[:, 0]))
    return each, (skewed_t(logs), float((ours * theirs) ** (power / 2)))


def _t(value: float, gaps: np.ndarray, level: float) -> tuple[float, float]:
    from scipy.stats import t

    half = float(t.ppf((1 + level) / 2, len(gaps) - 1)) * jackknife_error(gaps)
    return value - half, value + half


def outcome(difference: Difference) -> str:
    """"equivalent": the whole interval lies inside the margin (two one-sided tests); else "better": it lies above 0
    and there were units enough for a p; else "undetermined" (also when ours is worse). The first and the last
    recommend the simpler one."""
    d = difference
    if d.low is None or d.high is None or d.p is None:
        return "undetermined"
    if d.margin is not None and -d.margin < d.low and d.high < d.margin:
        return "equivalent"
    return "better" if d.low > 0 else "undetermined"


def units_needed(difference: Difference, n_units: int) -> int | None:
    """About how many units would settle it with 80 % power: show a difference as large as the one seen, or that it is
    inside the margin, whichever takes fewer. None when that cannot be told; at most 1,000 times what there is."""
    from scipy.stats import norm

    d = difference
    if d.low is None or d.high is None or not np.isfinite(d.high - d.low):
        return None
    z = float(norm.ppf((1 + d.level) / 2))
    goal = max(abs(d.value), (d.margin or 0.0) - abs(d.value))
    if goal <= 0:
        return None
    error = (d.high - d.low) / (2 * z)
    times = ((z + POWER) * error / goal) ** 2
    needed = int(np.ceil(n_units * float(np.clip(times, 1.0, 1000.0))))
    return max(needed, NO_P) if d.p is None else needed  # with fewer no p is given, however large the difference
