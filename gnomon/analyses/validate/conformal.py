"""Ranges that contain the truth as often as they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.validate._units import unit_codes
from gnomon.card import Card
from gnomon.tasks._task import Prediction
from gnomon.values import Finding, finding, plain

CARD = Card(
    name="Conformal prediction",
    gist="Intervals (numbers) or sets of classes that hold the truth at a stated rate, whatever the model.",
    use_when="Single predictions will be acted on, and new units are exchangeable with those kept for calibration.",
    avoid_when="The split is by scaffold, time or site: coverage is then measured, not guaranteed.",
    paper="Lei et al. 2018, JASA 113; Sadinle et al. 2019, JASA 114; Barber et al. 2021, arXiv:1905.02928; "
          "Lee, Barber & Willett 2023, arXiv:2306.06342",
    survey=("P7", "W7"),
    tasks=("classify", "regress", "several"),
    needs=("labels",),
    cost="seconds",
)


@dataclass(frozen=True)
class Conformal:
    """kind: "regress", "classify" or "several". threshold: the score up to which values or classes are kept; infinite
    where there are too few units (19 for 95 %). level: asked for; reached: what is certain with so few units.
    parts: one a target. residuals, fold: out-of-fold absolute errors and their folds, kept for CV+ only."""

    kind: str
    level: float
    threshold: float = float("inf")
    reached: float = 0.0
    largest: float = float("inf")
    n_units: int = 0
    n_rows: int = 0
    normalised: bool = False
    parts: tuple[Conformal, ...] = ()
    residuals: np.ndarray | None = None
    fold: np.ndarray | None = None
    weight: np.ndarray | None = None

    @property
    def enough(self) -> bool:
        """Whether the units suffice for the level."""
        return all(p.enough for p in self.parts) if self.parts else bool(np.isfinite(self.threshold))

    @property
    def radius(self) -> float:
        """The threshold, or with too few units the largest score seen (which holds at the level `reached`)."""
        return self.threshold if np.isfinite(self.threshold) else self.largest

    def interval(self, prediction: Prediction, difficulty: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """low and high of each row (n,), or (n, T) for several targets; NaN where the target is a class."""
        if self.parts:
            pairs = [c.interval(p, difficulty) for c, p in zip(self.parts, prediction.parts, strict=True)]
            return np.stack([a for a, _ in pairs], axis=1), np.stack([b for _, b in pairs], axis=1)
        if self.kind == "classify":
            return np.full(len(prediction), np.nan), np.full(len(prediction), np.nan)
        value = np.asarray(prediction.value, dtype=float)
        half = self.radius * (difficulty if self.normalised and difficulty is not None else np.ones(len(value)))
        return value - half, value + half

    def sets(self, prediction: Prediction) -> np.ndarray:
        """Which classes each row's set holds: bool (n, K); the likeliest class always."""
        proba = np.asarray(prediction.proba, dtype=float)
        kept = 1 - proba <= self.radius + 1e-12
        kept[np.arange(len(proba)), proba.argmax(axis=1)] = True
        return kept

    def crossed(self, folds: Sequence[Prediction]) -> tuple[np.ndarray, np.ndarray]:
        """CV+ limits of new rows from the predictions of each fold's own model (Barber et al. 2021): covers at least
        1 - 2 (1 - level), in practice about level."""
        if self.residuals is None or self.fold is None or self.weight is None:
            return self.interval(Prediction(value=np.mean([np.asarray(p.value) for p in folds], axis=0)))
        each = np.stack([np.asarray(p.value, dtype=float) for p in folds])[self.fold]
        low = _weighted_quantile(-(each - self.residuals[:, None]), self.weight, self.level)
        high = _weighted_quantile(each + self.residuals[:, None], self.weight, self.level)
        return -low, high

    def state(self) -> dict[str, Any]:
        """As JSON; `conformal_from_state` reads it. Infinite numbers become None."""
        keys = ("kind", "level", "threshold", "reached", "largest", "n_units", "n_rows", "normalised", "residuals",
                "fold", "weight")
        return plain({**{k: getattr(self, k) for k in keys}, "parts": [p.state() for p in self.parts]})


def conformal(prediction: Prediction, truth: np.ndarray, units: np.ndarray | None = None, level: float = 0.95, *,
              difficulty: np.ndarray | None = None, fold: np.ndarray | None = None) -> Conformal:
    """Calibrate on rows that neither trained, stopped nor chose the model (or on out-of-fold predictions).

    Numbers: absolute errors, divided by `difficulty` (n,) when given, such as the spread of an ensemble. Classes: one
    minus the true class's probability (LAC). Rows of a unit share one weight, so that the range holds for a row of a
    new unit (Lee et al. 2023); units None: every row its own. `fold` (n,), the fold that predicted each row, keeps what
    CV+ needs. truth -1 or NaN: left out; (n, T) for several targets.
    """
    if prediction.parts:
        parts = tuple(conformal(p, truth[:, i], units, level, difficulty=difficulty, fold=fold)
                      for i, p in enumerate(prediction.parts))
        return Conformal("several", level, reached=min(p.reached for p in parts), parts=parts,
                         n_units=min(p.n_units for p in parts), n_rows=max(p.n_rows for p in parts))
    truth = np.asarray(truth, dtype=float)
    rows = np.flatnonzero(np.isfinite(truth) & (truth >= 0 if prediction.proba is not None else True))
    scores = _scores(prediction.take(rows), truth[rows], None if difficulty is None else difficulty[rows])
    codes, g = unit_codes(None if units is None else np.asarray(units)[rows], len(rows))
    weight = 1.0 / (np.bincount(codes, minlength=g)[codes] * (g + 1.0)) if g else np.empty(0)
    threshold = float(_weighted_quantile(scores[:, None], weight, level)[0]) if g else float("inf")
    crossing = fold is not None and prediction.proba is None
    return Conformal("regress" if prediction.proba is None else "classify", level, threshold,
                     min(level, g / (g + 1.0)), float(scores.max()) if g else float("inf"), g, len(rows),
                     difficulty is not None, (), scores if crossing else None,
                     np.asarray(fold)[rows].astype(int) if crossing else None, weight if crossing else None)


def _scores(prediction: Prediction, truth: np.ndarray, difficulty: np.ndarray | None) -> np.ndarray:
    if prediction.proba is not None:
        return 1 - np.asarray(prediction.proba, dtype=float)[np.arange(len(truth)), truth.astype(int)]
    errors = np.abs(np.asarray(prediction.value, dtype=float) - truth)
    return errors if difficulty is None else errors / np.maximum(difficulty, 1e-12)


def _weighted_quantile(values: np.ndarray, weight: np.ndarray, level: float) -> np.ndarray:
    """Per column the least value up to which the weights reach `level`, else infinite: (n, m) -> (m,)."""
    order = np.argsort(values, axis=0, kind="stable")
    reach = np.cumsum(weight[order], axis=0)
    at = (reach < level - 1e-9).sum(axis=0)
    ranked = np.take_along_axis(values, order, axis=0)
    ranked = np.concatenate([ranked, np.full((1, values.shape[1]), np.inf)])
    return np.take_along_axis(ranked, at[None], axis=0)[0]


def conformal_from_state(state: Mapping[str, Any]) -> Conformal:
    """What `Conformal.state` wrote."""
    big = {k: float("inf") if state[k] is None else float(state[k]) for k in ("threshold", "largest")}
    arrays = {k: None if state.get(k) is None else np.asarray(state[k]) for k in ("residuals", "fold", "weight")}
    parts = tuple(conformal_from_state(p) for p in state["parts"])
    return Conformal(state["kind"], state["level"], big["threshold"], state["reached"], big["largest"],
                     state["n_units"], state["n_rows"], state["normalised"], parts, **arrays)


def covered(rule: Conformal, prediction: Prediction, truth: np.ndarray,
            difficulty: np.ndarray | None = None) -> np.ndarray:
    """Whether each row's truth lies in its range or set: 1, 0, or NaN without a label; (n,), several targets (n, T)."""
    if rule.parts:
        return np.stack([covered(c, p, truth[:, i], difficulty)
                         for i, (c, p) in enumerate(zip(rule.parts, prediction.parts, strict=True))], axis=1)
    truth = np.asarray(truth, dtype=float)
    if rule.kind == "classify":
        known = np.isfinite(truth) & (truth >= 0)
        code = np.where(known, truth, 0).astype(int)
        return np.where(known, rule.sets(prediction)[np.arange(len(code)), code], np.nan)
    low, high = rule.interval(prediction, difficulty)
    return np.where(np.isfinite(truth), (truth >= low) & (truth <= high), np.nan)


def coverage(rule: Conformal, prediction: Prediction, truth: np.ndarray,
             units: np.ndarray | None = None) -> dict[str, Any]:
    """Measured coverage on rows not used to calibrate, with its interval, also by third of the predicted value
    (numbers) or of the largest probability (classes), and mean width or set size. Several targets: the worst, and all.
    """
    hit = covered(rule, prediction, truth)
    if hit.ndim == 2:
        each = [coverage(c, p, truth[:, i], units) for i, (c, p) in
                enumerate(zip(rule.parts, prediction.parts, strict=True))]
        worst = min(each, key=lambda e: e["value"] if e["value"] is not None else 2.0)
        return {**worst, "targets": [e["value"] for e in each]}
    rows = np.flatnonzero(np.isfinite(hit))
    units = None if units is None else np.asarray(units)[rows]
    hit, kept = hit[rows], prediction.take(rows)
    whole = share_interval(hit, units)
    by = np.asarray(kept.value if kept.proba is None else kept.proba.max(axis=1), dtype=float)
    thirds = []
    if len(rows) >= 30:
        place = np.searchsorted(np.quantile(by, [1 / 3, 2 / 3]), by, side="right")
        thirds = [share_interval(hit[place == i], None if units is None else units[place == i]) for i in range(3)]
    sizes = np.diff(np.stack(rule.interval(kept)), axis=0) if rule.kind == "regress" else rule.sets(kept).sum(1)
    return plain({**whole, "level": rule.level, "thirds": thirds, "size": float(sizes.mean()), "enough": rule.enough,
                  "reached": rule.reached, "calibration_units": rule.n_units, "kind": rule.kind})


def share_interval(hit: np.ndarray, units: np.ndarray | None) -> dict[str, Any]:
    """A share with its interval, groups respected."""
    from gnomon.analyses.validate.interval import interval
    from gnomon.tasks._metrics import CLASSIFY
    from gnomon.tasks._task import Stats
    from gnomon.tasks.classify import Classify

    if not len(hit):
        return {"value": None, "low": None, "high": None, "n_rows": 0, "n_units": 0}
    ones = Stats({"truth": np.ones(len(hit), dtype=np.int64), "value": hit.astype(np.int64)})
    e = interval(Classify("covered", ("no", "yes"), CLASSIFY["accuracy"]), ones, units)
    return {"value": e.value, "low": e.low, "high": e.high, "n_rows": e.n_rows, "n_units": e.n_units}


def promise(level: float, units: int, reached: float | None, *, guaranteed: bool) -> str:
    """What stands against ranges of this level: too few units (Lei et al. 2018), units that are not exchangeable; or ""."""
    said = []
    if reached is not None and reached < level:
        needed = int(np.ceil(level / (1 - level) - 1e-9))
        said.append(f"{units:,} calibration unit{'s' * (units != 1)} can promise {reached:.0%} at most ({level:.0%} needs "
                    f"{needed:,}): the widest seen is given")
    if not guaranteed:
        said.append("no guarantee: the split holds out units that may be unlike those the ranges were made on")
    return "; ".join(said)


def coverage_finding(measured: Mapping[str, Any], *, guaranteed: bool = True) -> Finding | None:
    """VALID-COVERAGE: ranges hold the truth less often than they say, beyond chance (1 %), that of the calibration rows
    included; of several targets the worst is judged, and the 1 % shared among all. `guaranteed`: the split leaves units
    exchangeable; else the claim says that there was no guarantee."""
    from scipy.stats import norm

    if measured.get("high") is None:
        return None
    level, missed = measured["level"], measured["level"] - measured["value"]
    error = np.hypot((measured["high"] - measured["low"]) / 3.92,
                     np.sqrt(level * (1 - level) / max(1, measured["calibration_units"])))
    if missed <= norm.isf(0.01 / max(1, len(measured.get("targets", ())))) * error:
        return None
    far = missed > max(0.05, 1 - level)
    tail = "" if guaranteed else " This split gives no guarantee."
    return finding("VALID-COVERAGE", "warn" if far else "note",
                   f"Ranges that should hold the truth {measured['level']:.0%} of the time held it "
                   f"{measured['value']:.1%} [{measured['low']:.1%}, {measured['high']:.1%}] of the time.{tail}",
                   values=dict(measured), source="Barber et al. 2023, arXiv:2202.13415")
