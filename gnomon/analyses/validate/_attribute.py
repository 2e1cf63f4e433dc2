"""Can an attribute be read from the features, and what does it cost to take it out?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.analyses.validate._cheap import labelled, out_of_fold
from gnomon.analyses.validate.compare import compare
from gnomon.analyses.validate.erasure import Erased, erasure
from gnomon.analyses.validate.interval import interval
from gnomon.analyses.validate.reweighing import reweighing
from gnomon.data.parts import Fold
from gnomon.tasks.classify import classify
from gnomon.values import Finding, finding

FEWEST = 20  # rows of an attribute's value, below which it is left out
AXES = 40  # main axes of the features that the linear models read


@dataclass(frozen=True)
class Price:
    """readable: balanced accuracy of a linear probe for the attribute, with its limits, chance, and what is left of it
    after erasure. removed of directions: how many of the features' main axes the erasure took out (the most of the
    folds). price: how much worse a linear model of the target is without the attribute (positive: worse), with limits;
    None, and why, where nothing of it stands out of the noise or nothing else would be left. gap: how far mean
    predictions of the values lie apart, before, after erasure, and after reweighing (two classes). reweighed: the price
    of that."""

    attribute: str
    values: int
    readable: float
    readable_low: float | None
    readable_high: float | None
    chance: float
    left: float | None
    score: float
    metric: str
    price: float | None
    price_low: float | None
    price_high: float | None
    gap: float | None
    gap_erased: float | None
    gap_reweighed: float | None = None
    reweighed: float | None = None
    reweighed_low: float | None = None
    reweighed_high: float | None = None
    n_rows: int = 0
    removed: int = 0
    directions: int = 0
    why: str = ""

    @property
    def is_readable(self) -> bool:
        return self.readable_low is not None and self.readable_low > self.chance


def attribute_price(task: Any, name: str, x: np.ndarray, truth: np.ndarray, words: np.ndarray, folds: Sequence[Fold],
                    units: np.ndarray, *, seed: int = 0) -> Price | None:
    """Probe, erase and price one attribute with linear models, out of fold, erasure learned on training rows.

    x (n, d), truth, words (the attribute) and units of n rows; folds index these. None where fewer than two values have
    20 rows, or no fold holds rows of two values (the split holds out whole values: the question has no answer).
    """
    words = np.array(["" if w is None else str(w) for w in words])
    kept, counts = np.unique(words[words != ""], return_counts=True)
    kept = tuple(str(k) for k in kept[counts >= FEWEST])
    if len(kept) < 2:
        return None
    codes = np.array([kept.index(w) if w in kept else -1 for w in words.tolist()])
    known = np.flatnonzero((codes >= 0) & labelled(truth))
    folds = [Fold(np.intersect1d(f.train, known), np.intersect1d(f.valid, known)) for f in folds]
    if not any(len(f.valid) and np.isin(codes[f.valid], codes[f.train]).all() and len(np.unique(codes[f.valid])) > 1
               for f in folds):
        return None
    rows = np.unique(np.concatenate([f.valid for f in folds]))
    asks = classify(name, kept, metric="balanced_accuracy")
    views = [_axes(x, f.train) for f in folds]
    own = _replicates(codes, units, known)
    erased = [erasure(v[f.train], codes[f.train], own[f.train], seed=seed) for v, f in zip(views, folds, strict=True)]
    told, read_as = _told(task, asks, views, truth, codes, folds, rows, seed)
    ours, read = task.measure(told, truth[rows]), asks.measure(read_as, codes[rows])
    seen = interval(asks, read, units[rows], seed=seed, repeats=500)
    base = Price(name, len(kept), seen.value, seen.low, seen.high, 1 / len(kept), None, task.score(ours), task.metric.name,
                 None, None, None, _gap(task, told, codes[rows]), None, n_rows=len(rows),
                 removed=max(e.rank for e in erased), directions=max(e.directions for e in erased), why=_unpriced(erased))
    if not base.why:
        bare = [e(v) for e, v in zip(erased, views, strict=True)]
        without, still = _told(task, asks, bare, truth, codes, folds, rows, seed)
        d = compare(task, ours, task.measure(without, truth[rows]), units[rows], margin=None, seed=seed)
        base = replace(base, left=asks.score(asks.measure(still, codes[rows])), price=d.value, price_low=d.low,
                       price_high=d.high, gap_erased=_gap(task, without, codes[rows]))
    return _reweighed(task, base, ours, views, truth, codes, folds, rows, units, seed)


def _replicates(codes: np.ndarray, units: np.ndarray, known: np.ndarray) -> np.ndarray:
    """What repeats the values of an attribute: units; rows where each value is one unit, for only they repeat it."""
    pairs = np.unique(np.stack([codes[known], units[known]]), axis=1)
    return np.arange(len(codes)) if pairs.shape[1] == len(np.unique(codes[known])) else units


def _unpriced(erased: Sequence[Erased]) -> str:
    """Why taking the attribute out has no price; "" where it has one."""
    if not all(e.rank for e in erased):
        return "nothing of it stands out of the noise, so nothing was taken out"
    return "taking it out would leave no direction" if any(e.rank == e.directions for e in erased) else ""


def _told(task: Any, asks: Any, views: Sequence[np.ndarray], truth: np.ndarray, codes: np.ndarray, folds: Sequence[Fold],
          rows: np.ndarray, seed: int) -> tuple[Any, Any]:
    """Out-of-fold predictions of the target and of the attribute, from a view of the features a fold."""
    both = []
    for one, aim in ((task, truth), (asks, codes)):
        parts = [out_of_fold(one, v, aim, [f], rows, make=lambda s, one=one: linear(one), seed=seed)
                 for v, f in zip(views, folds, strict=True)]
        both.append(_sum(one, parts, folds, rows))
    return both[0], both[1]


def _sum(task: Any, parts: list[Any], folds: Sequence[Fold], rows: np.ndarray) -> Any:
    """Predictions of one fold each, as one: rows in several folds get the mean."""
    from gnomon.tasks._task import Prediction

    weight = np.stack([np.isin(rows, f.valid) for f in folds]).astype(float)
    weight /= np.maximum(weight.sum(axis=0), 1)
    if task.name == "classify":
        proba = sum(w[:, None] * p.proba for w, p in zip(weight, parts, strict=True))
        return Prediction(proba.argmax(axis=1), proba)  # type: ignore[union-attr]
    return Prediction(sum(w * p.value for w, p in zip(weight, parts, strict=True)))  # type: ignore[arg-type]


def _axes(x: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Standardised by the training rows; the main axes of wide ones."""
    mean, sd = x[train].mean(axis=0), x[train].std(axis=0)
    z = (x - mean) / np.where(sd > 1e-9, sd, 1)
    z = z[:, sd > 1e-9] if (sd > 1e-9).any() else z[:, :1] * 0
    if z.shape[1] <= AXES:
        return z
    _, _, way = np.linalg.svd(z[train], full_matrices=False)
    return z @ way[:AXES].T


def linear(task: Any) -> Any:
    """A linear model, mildly shrunk, that counts classes alike when the attribute is asked for."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if task.name != "classify":
        return Ridge(1.0)
    return LogisticRegression(C=1.0, max_iter=300, class_weight="balanced" if task.metric.name == "balanced_accuracy" else None)


def _gap(task: Any, told: Any, codes: np.ndarray) -> float | None:
    """Largest less smallest mean prediction of the attribute's values: probability of the second of two classes."""
    if task.name == "classify" and told.proba.shape[1] != 2:
        return None
    value = told.proba[:, 1] if task.name == "classify" else told.value
    means = [value[codes == k].mean() for k in np.unique(codes)]
    return float(max(means) - min(means))


@dataclass
class _Weighed:
    """A logistic model whose fit counts each row by its weight; the last column of x is that weight."""

    model: Any

    def fit(self, x: np.ndarray, y: np.ndarray) -> Any:
        self.model.fit(x[:, :-1], y, sample_weight=x[:, -1])
        self.classes_ = self.model.classes_
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(x[:, :-1])


def _reweighed(task: Any, base: Price, own: Any, views: Sequence[np.ndarray], truth: np.ndarray, codes: np.ndarray,
               folds: Sequence[Fold], rows: np.ndarray, units: np.ndarray, seed: int) -> Price:
    """The same with rows weighed so that attribute and class are independent in training (two classes)."""
    if task.name != "classify" or len(task.out.categories) != 2:
        return base
    parts = []
    for view, f in zip(views, folds, strict=True):
        weight = np.ones((len(view), 1))
        weight[f.train, 0] = reweighing(codes[f.train], truth[f.train])
        parts.append(out_of_fold(task, np.concatenate([view, weight], axis=1), truth, [f], rows,
                                 make=lambda s: _Weighed(linear(task)), seed=seed))
    told = _sum(task, parts, folds, rows)
    d = compare(task, own, task.measure(told, truth[rows]), units[rows], margin=None, seed=seed)
    return replace(base, gap_reweighed=_gap(task, told, codes[rows]), reweighed=d.value, reweighed_low=d.low,
                   reweighed_high=d.high)


def attribute_finding(p: Price) -> Finding | None:
    """VALID-ATTRIBUTE: a linear probe reads the attribute beyond chance."""
    if not p.is_readable:
        return None
    limits = f" [{p.price_low:.2g}, {p.price_high:.2g}]" if p.price_low is not None else ""
    cost = p.why if p.price is None else (
        f"a linear model without it ({p.removed} of {p.directions} directions taken out) is {p.price:.2g}{limits} "
        f"{p.metric.replace('_', ' ')} worse")
    return finding("VALID-ATTRIBUTE", "note",
                   f"'{p.attribute}' can be read from the other features (balanced accuracy {p.readable:.2f} "
                   f"[{p.readable_low:.2f}, {p.readable_high:.2f}], chance {p.chance:.2f}); {cost}.", columns=(p.attribute,),
                   values={"readable": p.readable, "low": p.readable_low, "high": p.readable_high, "chance": p.chance,
                           "left": p.left, "price": p.price, "price_low": p.price_low, "price_high": p.price_high,
                           "removed": p.removed, "directions": p.directions},
                   source="Belrose et al. 2023; Kamiran & Calders 2012")
