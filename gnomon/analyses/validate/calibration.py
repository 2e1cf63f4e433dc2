"""Do predicted probabilities mean what they say?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gnomon.analyses.validate._bootstrap import draws, in_blocks
from gnomon.analyses.validate._units import NO_INTERVAL, NO_P, scorable, unit_sums
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._task import Prediction, Stats
from gnomon.values import Finding, finding

CARD = Card(
    name="Calibration",
    gist="Bins of predicted against observed frequency, expected calibration error, slope and intercept.",
    use_when="A probability, not only a class, will be acted on.",
    avoid_when="Fewer than about 100 labelled rows: the bins say nothing.",
    paper="Van Calster 2019, BMC Medicine 17; Guo et al. 2017, arXiv:1706.04599; Kumar et al. 2019, arXiv:1909.10155",
    survey=("P7", "P9"),
    tasks=("classify",),
    needs=("labels",),
    cost="seconds",
)
FEWEST = 50  # rows; and 10 of each class of two
OFF, FAR_OFF = 0.03, 0.10  # calibration error (debiased) from which probabilities are called off, and far off
LEAST = 1e-6  # probabilities are kept this far from 0 and 1


@dataclass(frozen=True)
class Calibrated:
    """bins: (predicted, observed, low, high, rows) each. ece: expected calibration error, its bias from small bins
    taken out, with its interval. slope 1 and intercept 0 (calibration in the large) are perfect; a slope under 1 means
    too extreme. of: whose probability (the positive class of two, else the class predicted). p: of both perfect, None
    under 6 units; under 3 no limits are given."""

    bins: tuple[tuple[float, float, float | None, float | None, int], ...]
    ece: float
    ece_low: float | None
    ece_high: float | None
    slope: float
    slope_low: float | None
    slope_high: float | None
    intercept: float
    intercept_low: float | None
    intercept_high: float | None
    p: float | None
    of: str
    n_rows: int
    n_units: int


def calibration(stats: Stats, units: np.ndarray | None = None, *, bins: int = 10, level: float = 0.95, seed: int = 0,
                repeats: int = 500) -> Calibrated | None:
    """Compare `proba` (n, K) of `stats` with what happened; None with under 50 rows or 10 of a class."""
    from gnomon.analyses.validate.interval import wilson

    stats, codes, n_units = scorable(stats, units)
    rng = stream(seed, "calibration")
    codes, g = in_blocks(codes, n_units, rng)
    if len(stats) < FEWEST:
        return None
    said, came, of = _events(stats)
    if min(came.sum(), (1 - came).sum()) < 10:
        return None
    edges = np.unique(np.quantile(said, np.linspace(0, 1, bins + 1)[1:-1]))
    place = np.searchsorted(edges, said, side="right")
    sums = np.stack([np.ones(len(said)), said, came], axis=1)
    cells = np.zeros((len(said), (len(edges) + 1), 3))
    cells[np.arange(len(said)), place] = sums
    per_unit = unit_sums(cells.reshape(len(said), -1), codes, g)
    total = per_unit.sum(0).reshape(-1, 3)
    some = g >= NO_INTERVAL
    shown = tuple((s / n, c / n, *(wilson(c / n, n, 1.96) if some else (None, None)), int(n)) for n, s, c in total if n)
    boot = np.concatenate([_ece((w @ per_unit).reshape(len(w), -1, 3)) for w in draws(rng, g, repeats)])
    ece = float(_ece(total[None])[0])
    low, high = np.quantile(boot, [(1 - level) / 2, (1 + level) / 2]) - (boot.mean() - ece)
    limits = (max(0.0, float(low)), max(0.0, float(high))) if some else (None, None)
    return Calibrated(shown, max(0.0, ece), *limits, *_slope(said, came, codes, g, level), of, len(said), n_units)


def _events(stats: Stats) -> tuple[np.ndarray, np.ndarray, str]:
    """Probability said and whether it came true (0/1)."""
    proba, truth = stats["proba"], stats["truth"]
    if proba.shape[1] == 2:
        return proba[:, 1], (truth == 1).astype(float), "the positive class"
    top = proba.argmax(axis=1)
    return proba[np.arange(len(top)), top], (truth == top).astype(float), "the class predicted"


def _ece(cells: np.ndarray) -> np.ndarray:
    """From sums (B, bins, [rows, said, came]): the root of the weighted squared gap less its expected noise (Kumar et
    al. 2019), which unlike the mean absolute gap does not grow as bins shrink."""
    n, said, came = np.moveaxis(cells, -1, 0)
    some = n > 1
    n = np.where(some, n, 2)
    share = came / n
    square = (said / n - share) ** 2 - share * (1 - share) / (n - 1)
    mean = (np.where(some, n, 0) * square).sum(1) / np.where(some, n, 0).sum(1)
    return np.sign(mean) * np.sqrt(np.abs(mean))


Limits = tuple[float, float | None, float | None]


def _slope(said: np.ndarray, came: np.ndarray, codes: np.ndarray, g: int, level: float
           ) -> tuple[float, float | None, float | None, float, float | None, float | None, float | None]:
    """Logistic regression of what came on the logit of what was said: slope; and the intercept with slope 1; each with
    its limits (t with g-1 degrees of freedom, errors over units), and the p of both being right (Hotelling's T)."""
    from scipy.stats import f

    logit = np.log(np.clip(said, LEAST, 1 - LEAST) / np.clip(1 - said, LEAST, 1))
    design = np.stack([np.ones(len(said)), logit], axis=1)
    both, cov = _logistic(design, came, np.zeros(len(said)), codes, g)
    large, cov_large = _logistic(design[:, :1], came, logit, codes, g)
    off, p = both - np.array([0.0, 1.0]), None
    if g >= NO_P:
        p = float(f.sf(off @ np.linalg.pinv(cov) @ off * (g - 2) / (2 * (g - 1)), 2, g - 2))
    return *_by_t(both[1], cov[1, 1], g, level), *_by_t(large[0], cov_large[0, 0], g, level), p


def _by_t(value: float, variance: float, g: int, level: float) -> Limits:
    from scipy.stats import t

    if g < NO_INTERVAL:
        return float(value), None, None
    reach = float(t.ppf((1 + level) / 2, g - 1) * np.sqrt(variance))
    return float(value), float(value - reach), float(value + reach)


def _logistic(design: np.ndarray, came: np.ndarray, offset: np.ndarray, codes: np.ndarray,
              g: int) -> tuple[np.ndarray, np.ndarray]:
    """Newton steps (a ridge of 1e-6 keeps separable data finite) and the jackknife over units, one step each: what the
    coefficients' covariance is, not too small with few units (CR3; Bell & McCaffrey 2002, Survey Methodology 28)."""
    beta, ridge = np.zeros(design.shape[1]), 1e-6 * np.eye(design.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(design @ beta + offset, -30, 30)))
        curve = (design * (p * (1 - p))[:, None]).T @ design + ridge
        step = np.linalg.solve(curve, design.T @ (came - p) - ridge @ beta)
        beta = beta + np.clip(step, -2, 2)
        if np.abs(step).max() < 1e-10:
            break
    scores = unit_sums(design * (came - p)[:, None], codes, g)
    outer = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1) * (p * (1 - p))[:, None]
    without = curve - unit_sums(outer, codes, g).reshape(g, *curve.shape)
    moved = (np.linalg.pinv(without, hermitian=True) @ scores[:, :, None])[:, :, 0]
    return beta, moved.T @ moved * ((g - 1) / g)


def calibration_finding(found: Calibrated | None) -> Finding | None:
    """VALID-CALIBRATION: both beyond chance (p < 0.01, so 6 units or more) and large enough to matter."""
    if found is None or found.p is None or found.slope_low is None or found.slope_high is None:
        return None
    if found.p >= 0.01 or found.ece < OFF or not found.ece_low:
        return None
    way = "too extreme" if found.slope < 1 else "too timid"
    if found.slope_low <= 1 <= found.slope_high:
        way = "too low" if found.intercept > 0 else "too high"
    return finding("VALID-CALIBRATION", "warn" if found.ece >= FAR_OFF else "note",
                   f"Predicted probabilities are {way}: they miss the observed shares by {found.ece:.0%} on average "
                   f"(slope {found.slope:.2f} [{found.slope_low:.2f}, {found.slope_high:.2f}]).",
                   values={k: v for k, v in asdict(found).items() if k != "bins"}, source="Van Calster et al. 2019",
                   figure="calibration")


def temperature(stats: Stats) -> float:
    """The temperature T for which the probabilities' T-th root, renormalised, has the least log loss (Guo et al. 2017):
    above 1 where the model is too sure. Fit it on rows that neither trained nor stopped the model."""
    from scipy.optimize import minimize_scalar

    stats, _, _ = scorable(stats, None)
    logs = np.log(np.clip(stats["proba"], LEAST, 1))
    truth = stats["truth"].astype(int)

    def loss(log_t: float) -> float:
        z = logs / np.exp(log_t)
        z = z - z.max(axis=1, keepdims=True)
        return float((np.log(np.exp(z).sum(1)) - z[np.arange(len(z)), truth]).mean())

    found: Any = minimize_scalar(loss, bounds=(-3, 3), method="bounded")
    return float(np.exp(found.x))


def cooled(prediction: Prediction, by: float) -> Prediction:
    """The prediction with its probabilities at temperature `by`; the likeliest class stays."""
    proba = np.asarray(prediction.proba, dtype=float)
    logs = np.log(np.clip(proba, 1e-12, 1)) / by
    raised = np.exp(logs - logs.max(axis=1, keepdims=True))
    return Prediction(value=prediction.value, proba=raised / raised.sum(axis=1, keepdims=True))


def each_target(task: Any, stats: Stats, units: np.ndarray | None, *, seed: int = 0) -> dict[str, Calibrated]:
    """Calibration of every target that has classes, by name."""
    pairs = [(t, task.part(stats, i)) for i, t in enumerate(getattr(task, "tasks", ()))] or [(task, stats)]
    found = {t.target: calibration(s, units, seed=seed) for t, s in pairs if t.name == "classify"}
    return {name: c for name, c in found.items() if c is not None}
