"""The area under the ROC curve and its sampling error: DeLong, DeLong & Clarke-Pearson 1988 (Biometrics 44) for
independent rows, Obuchowski 1997 (Biometrics 53) for rows in clusters. One influence value a unit serves both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.analyses.validate._units import unit_sums
from gnomon.tasks._task import Stats


def is_binary_auc(task: object, stats: Stats) -> bool:
    """Whether the headline is a two-class AUC, for which closed forms exist."""
    metric = getattr(task, "metric", None)
    return (getattr(metric, "name", "") == "roc_auc" and "proba" in stats.arrays and stats["proba"].shape[1] == 2
            and "weight" not in stats.arrays)


@dataclass(frozen=True)
class Area:
    """value: the AUC. parts: (G, 2) centred sums of placement values over each unit's positives and negatives.
    n1, n0: positives and negatives."""

    value: float
    parts: np.ndarray
    n1: int
    n0: int

    @property
    def constant(self) -> bool:
        """Every row has the same score, so that the area is 1/2 whatever rows come."""
        return self.value == 0.5 and not self.parts.any()

    @property
    def near_bound(self) -> bool:
        """Hardly a pair is out of order (or in order), so that placements tell next to nothing of the error."""
        rare = min(self.value, 1 - self.value) * min(self.n1, self.n0) < 0.5
        return rare or not (self.constant or self.parts.any())


def area(truth: np.ndarray, score: np.ndarray, codes: np.ndarray, n_units: int) -> Area:
    """The AUC of `score` for truth 1 against 0, ties half, with what its error needs. NaN when a class is absent."""
    from scipy.stats import rankdata

    positive = truth == 1
    n1, n0 = int(positive.sum()), int((~positive).sum())
    if not n1 or not n0:
        return Area(float("nan"), np.zeros((n_units, 2)), n1, n0)
    ranks = rankdata(score)
    inside = np.empty(len(score))
    inside[positive], inside[~positive] = rankdata(score[positive]), rankdata(score[~positive])
    other = ranks - inside  # for a positive: negatives below it; for a negative: positives below it (ties half)
    place = np.where(positive, other / n0, 1 - other / n1)
    value = float(place[positive].mean())
    centred = np.stack([positive * (place - value), ~positive * (place - value)], axis=1)
    return Area(value, unit_sums(centred, codes, n_units), n1, n0)


def covariance(a: Area, b: Area, *, clustered: bool) -> float:
    """Sampling covariance of two AUCs on the same rows; of one with itself, its variance."""
    if a.n1 < 2 or a.n0 < 2:
        return float("nan")
    if not clustered:
        v1 = (a.parts[:, 0] * b.parts[:, 0]).sum() / (a.n1 - 1) / a.n1
        v0 = (a.parts[:, 1] * b.parts[:, 1]).sum() / (a.n0 - 1) / a.n0
        return float(v1 + v0)
    g = len(a.parts)
    ua, ub = (x.parts[:, 0] / x.n1 + x.parts[:, 1] / x.n0 for x in (a, b))
    return float(g / (g - 1) * (ua * ub).sum())


def logit_limits(value: float, error: float, quantile: float) -> tuple[float, float]:
    """Limits on the logit scale, so that they stay inside 0 and 1 (Pepe 2003, section 5.2.3)."""
    centre, width = np.log(value / (1 - value)), quantile * error / (value * (1 - value))
    low, high = 1 / (1 + np.exp(-np.array([centre - width, centre + width])))
    return float(low), float(high)


def score_limits(value: float, n1: float, n0: float, quantile: float) -> tuple[float, float]:
    """Limits for an AUC at or near 0 or 1, where DeLong's error collapses: all areas whose own Hanley-McNeil error
    reaches the value found (Newcombe 2006, Statistics in Medicine 25, method 5)."""
    theta = np.linspace(0, 1, 20_001)
    half = (n1 + n0) / 2 - 1
    error = np.sqrt(theta * (1 - theta) * (1 + half * ((1 - theta) / (2 - theta) + theta / (1 + theta))) / (n1 * n0))
    inside = np.append(theta[np.abs(theta - value) <= quantile * error + 1e-12], value)
    return float(inside.min()), float(inside.max())


def area_limits(found: Area, error: float, share: float, quantile: float) -> tuple[float, float]:
    """Limits of one area by its error; near its bound from the numbers of rows, of which `share` count as independent."""
    if found.constant:
        return 0.5, 0.5
    if found.near_bound or error == 0:
        return score_limits(found.value, max(2.0, found.n1 * share), max(2.0, found.n0 * share), quantile)
    return logit_limits(found.value, error, quantile)


def joined_limits(a: Area, b: Area, *, clustered: bool, share: float, quantile: float) -> tuple[float, float]:
    """Limits of a less b from those of each, by the method of variance recovery (Zou & Donner 2008, Statistics in Medicine
    27): where an area is near its bound, no error that is read off the rows may be trusted."""
    va, vb, ab = (covariance(x, y, clustered=clustered) for x, y in ((a, a), (b, b), (a, b)))
    r = float(np.clip(ab / np.sqrt(va * vb), -1, 1)) if va > 0 and vb > 0 else 0.0
    (la, ua), (lb, ub) = (area_limits(x, float(np.sqrt(v)), share, quantile) for x, v in ((a, va), (b, vb)))
    gap, (da, db), (ea, eb) = a.value - b.value, (a.value - la, ub - b.value), (ua - a.value, b.value - lb)
    return (float(gap - np.sqrt(max(0.0, da**2 + db**2 - 2 * r * da * db))),
            float(gap + np.sqrt(max(0.0, ea**2 + eb**2 - 2 * r * ea * eb))))
