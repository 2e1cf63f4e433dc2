"""A score with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gnomon.analyses.validate._auc import area, covariance, is_binary_auc, logit_limits, score_limits
from gnomon.analyses.validate._bootstrap import (
    bca,
    bootstrap,
    in_blocks,
    jackknife_error,
    left_out,
    pseudo_values,
    skewed_t,
    too_dear,
)
from gnomon.analyses.validate._bounds import near_one, wilson
from gnomon.analyses.validate._scores import mean_loss, weighted
from gnomon.analyses.validate._units import FEW_GROUPS, NO_INTERVAL, scorable, undefined_because
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._task import Stats
from gnomon.values import Estimate

CARD = Card(
    name="Confidence interval of a score",
    gist="The range of scores plausible for new units of the same kind, by the method that suits the metric.",
    use_when="Any score on held-out rows, grouped or not, is going to be read by someone.",
    avoid_when="The rows were trained on: no interval repairs that.",
    paper="Wilson 1927, JASA 22; DeLong 1988, Biometrics 44; Efron 1987, JASA 82; Obuchowski 1997, Biometrics 53",
    survey=("P7", "W7"),
    needs=("labels",),
    cost="seconds",
)
CLOSED_FORM = 20  # groups below which Obuchowski's error alone is too small (covers 92 % with 8)
HEAVY = 5.0  # skewness of the losses of units: 100 squared normal errors exceed it once in 80, t (3) every other time;
# of few units half the largest that so many can show, (g - 2) / sqrt(g - 1) (Wilkins 1944, Ann. Math. Stat. 15:333)
INCLUDES = {
    "holdout": "test sampling; not training-set variation",
    "repeated_cv": "sampling of the units scored; training-set variation only in part",
    "nested_cv": "sampling of the units scored; training-set variation only in part",
    "bbc_cv": "sampling of the units scored and choosing among candidates; training-set variation only in part",
}


def interval(task: Any, stats: Stats, units: np.ndarray | None, *, level: float = 0.95, estimator: str = "holdout",
             unit: str = "row", seed: int = 0, repeats: int = 2000) -> Estimate:
    """The headline score of `stats` (n rows) and its interval at `level`, for rows in `units` (n,).

    Shares (losses of 0 and 1): Wilson; two-class AUC: DeLong on the logit scale, Obuchowski's variance for groups;
    otherwise BCa over units (for errors the wider of it and Hall's t, for BCa alone is too short when a few errors are
    large), or under 40 groups Hall's t on the jackknife with G-1 degrees of freedom. Under 3 units there is no interval
    (low and high are None). Class scores near 1 reach at least as far as binomial limits of the classes (_bounds.py), for
    too few errors are left to resample. `repeats` bootstrap draws, fewer where one is dear; 0: the
    jackknife alone.
    """
    stats, codes, g = scorable(stats, units)
    value = float(task.score(stats)) if len(stats) else float("nan")
    low, high = None, None
    method = "none: fewer than 3 units" if np.isfinite(value) or not len(stats) else f"none: {undefined_because(stats)}"
    if g >= NO_INTERVAL and np.isfinite(value):
        low, high, method = _limits(task, stats, codes, g, level, seed, repeats)
    return Estimate(task.metric.name, value, low, high, level, estimator, unit, g, len(stats),  # type: ignore[arg-type]
                    n_events=events(stats), method=method, includes=INCLUDES.get(estimator, "test sampling"),
                    by_target=by_target(task, stats))


def _limits(task: Any, stats: Stats, codes: np.ndarray, g: int, level: float, seed: int,
            repeats: int) -> tuple[float | None, float | None, str]:
    from scipy.stats import norm, t

    grouped = g < len(stats)
    tail = (1 + level) / 2
    quantile = float(t.ppf(tail, g - 1) if grouped else norm.ppf(tail))
    losses = mean_loss(task, stats)
    if losses is not None and np.isin(losses, (0.0, 1.0)).all() and task.metric.higher_is_better:
        return _share_limits(task, stats, codes, g, quantile, grouped)
    if is_binary_auc(task, stats):
        low, high, method = _auc_limits(stats, codes, g, quantile, grouped)
        if grouped and g < CLOSED_FORM and low is not None and high is not None:
            scores = weighted(task, stats, codes, g)
            lower, upper = _t_limits(task.metric.name, scores.full, left_out([scores], g)[0], level)
            low, high = min(low, 1.0 if lower is None else lower), max(high, upper or 0.0)
            return max(0.0, low), min(1.0, high), f"{method}, or the jackknife, whichever is wider"
        return low, high, method
    low, high, method = _resampled(task, stats, codes, g, level, seed, repeats)
    near = near_one(task, stats, codes, g, quantile)
    if near is None or low is None or high is None:
        return low, high, method
    return min(low, near[0]), max(high, near[1]), f"{method}, or binomial limits of the classes, whichever is wider"


def _resampled(task: Any, stats: Stats, codes: np.ndarray, g: int, level: float, seed: int,
               repeats: int) -> tuple[float | None, float | None, str]:
    grouped, losses = g < len(stats), mean_loss(task, stats)
    rng = stream(seed, "interval", task.metric.name)
    codes, g = in_blocks(codes, g, rng)
    scores = weighted(task, stats, codes, g)
    without = left_out([scores], g)[0]
    where = " over groups" if grouped else ""
    by_t = _t_limits(task.metric.name, scores.full, without, level)
    warning = _tails(losses, codes, g)
    if (grouped and g < FEW_GROUPS) or too_dear(scores) or not repeats:
        return (*by_t, f"jackknife{where}, Hall's t{warning}")
    drawn = bootstrap([scores], g, repeats, rng)[0]
    if np.isfinite(drawn).mean() < 0.9:
        return (*by_t, f"jackknife{where}, Hall's t{warning}")
    low, high = bca(scores.full, drawn, without, g).limits(level)
    if losses is None or by_t[0] is None or by_t[1] is None:
        return low, high, f"BCa{where}"
    return min(low, by_t[0]), max(high, by_t[1]), f"BCa{where} and Hall's t{warning}"


def _tails(losses: np.ndarray | None, codes: np.ndarray, g: int) -> str:
    """A warning where a few units hold so much of the loss that no interval from these rows can be trusted."""
    if losses is None:
        return ""
    each = np.bincount(codes, weights=losses, minlength=g)
    spread = each.std()
    skewness = float(((each - each.mean()) ** 3).mean() / spread**3) if spread > 0 else 0.0
    return "; heavy tails: may be too short" if skewness > min(HEAVY, (g - 2) / np.sqrt(g - 1) / 2) else ""


def _share_limits(task: Any, stats: Stats, codes: np.ndarray, g: int, quantile: float,
                  grouped: bool) -> tuple[float, float, str]:
    """Wilson; for groups with the number of independent rows that would give the jackknife's error (after Korn &
    Graubard 1998, Survey Methodology 24), never more than there are rows, and the t quantile."""
    scores = weighted(task, stats, codes, g)
    if not grouped:
        return (*wilson(scores.full, g, quantile), "Wilson")
    error = jackknife_error(left_out([scores], g)[0])
    effective = scores.full * (1 - scores.full) / error**2 if error > 0 else float(g)
    return (*wilson(scores.full, min(effective, len(stats)), quantile), "Wilson, effective rows of groups, t")


def _auc_limits(stats: Stats, codes: np.ndarray, g: int, quantile: float,
                grouped: bool) -> tuple[float | None, float | None, str]:
    found = area(stats["truth"], stats["proba"][:, 1], codes, g)
    error = float(np.sqrt(covariance(found, found, clustered=grouped)))
    if not np.isfinite(error):
        return None, None, "none: fewer than 2 rows of a class"
    if found.near_bound or error == 0:
        share = g / len(stats) if grouped else 1.0
        return (*score_limits(found.value, max(2.0, found.n1 * share), max(2.0, found.n0 * share), quantile),
                "Newcombe's score for an AUC near its bound")
    return (*logit_limits(found.value, error, quantile), "logit-DeLong" + (", Obuchowski, t" if grouped else ""))


def _t_limits(metric: str, value: float, without: np.ndarray, level: float) -> tuple[float | None, float | None]:
    """Hall's skewed t on jackknife pseudo-values, on the scale on which the metric is nearest to normal: log for
    errors, Fisher's z for correlations, logit for areas, else as it is."""
    to, back = SCALES.get(metric, (lambda x: x, lambda x: x))
    with np.errstate(divide="ignore", invalid="ignore"):
        moved, centre = to(without), float(to(np.asarray(value)))
    if not np.isfinite(centre) or not np.isfinite(moved).all():
        to, back = (lambda x: x), (lambda x: x)
        moved, centre = without[np.isfinite(without)], value
    if len(moved) < 2:
        return None, None
    low, high = skewed_t(pseudo_values(centre, moved)).limits(level)
    return float(back(low)), float(back(high))


def _logit(x: np.ndarray) -> np.ndarray:
    return np.log(x / (1 - x))


def _share(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


SCALES = {"rmse": (np.log, np.exp), "mae": (np.log, np.exp), "log_loss": (np.log, np.exp),
          "pearson": (np.arctanh, np.tanh), "spearman": (np.arctanh, np.tanh), "mcc": (np.arctanh, np.tanh),
          "roc_auc": (_logit, _share), "average_precision": (_logit, _share), "macro_f1": (_logit, _share),
          "balanced_accuracy": (_logit, _share)}


def events(stats: Stats) -> int | None:
    """Rows of the rarest class; of two classes, of the positive one. None where there are no classes."""
    if "proba" not in stats.arrays or stats.arrays.get("truth") is None or not len(stats):
        return None
    counts = np.bincount(stats["truth"].astype(int), minlength=stats["proba"].shape[1])
    return int(counts[1] if len(counts) == 2 else counts.min())


def by_target(task: Any, stats: Stats) -> Mapping[str, float]:
    """The score of each target, where there are several."""
    parts = {each.target: each.score(task.part(stats, i)) for i, each in enumerate(getattr(task, "tasks", ()))}
    return {name: float(score) for name, score in parts.items() if np.isfinite(score)}
