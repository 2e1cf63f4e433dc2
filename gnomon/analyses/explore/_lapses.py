"""Wrong labels against hard cases: out-of-fold predictions, the confident joint, and the lapse rate of a curve."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.explore._aim import Aim

COMPONENTS = 60
READ = 500  # columns of a view that the linear model reads one by one
TWICE = 2_000  # rows up to which a second round is asked: above, the first has rows enough
CLAIMED = 0.15  # of the rows: where other classes claim more, the classes overlap and none is left out of the second round
SLOPE = 0.8  # least steepness of the curve of hard cases; 1 when the probabilities are honest. A flatter one is lapses.


@dataclass(frozen=True)
class Lapse:
    """rate: share of labels that are wrong however sure the model is; stands: beyond chance; posterior (m,): the
    probability that a row's disagreement is such a lapse (0 where label and prediction agree)."""

    rate: float
    stands: bool
    posterior: np.ndarray


def out_of_fold(view: np.ndarray, aim: Aim, folds: np.ndarray, seed: int, *, taught: np.ndarray | None = None) -> np.ndarray:
    """Probabilities (m, K), or values (m,): the mean of a linear model and of trees, see `each_out_of_fold`."""
    return each_out_of_fold(view, aim, folds, seed, taught=taught)[:2].mean(axis=0)


def each_out_of_fold(view: np.ndarray, aim: Aim, folds: np.ndarray, seed: int, *,
                     taught: np.ndarray | None = None) -> np.ndarray:
    """(3, m, K) probabilities of a linear model, of trees and of a discriminant, or (2, m) values of the first two, each fitted
    without the row's fold. taught (m,) bool: the rows that may be learnt from. Of a wide view the principal axes are read, by
    the linear model all columns up to READ."""
    from sklearn.decomposition import PCA
    from sklearn.exceptions import ConvergenceWarning

    axes = view
    if view.shape[1] > 2 * COMPONENTS:
        axes = PCA(min(COMPONENTS, *view.shape), svd_solver="randomized", random_state=0).fit_transform(view)
    axes = (axes - axes.mean(axis=0)) / np.maximum(axes.std(axis=0), 1e-6)
    whole = view if 2 * COMPONENTS < view.shape[1] <= READ else axes
    out = np.zeros((3, len(aim), len(aim.classes)) if aim.classes else (2, len(aim)))
    for fold in np.unique(folds):
        fit, held = (folds != fold) if taught is None else (folds != fold) & taught, folds == fold
        for place, (model, read) in enumerate(zip(_models(bool(aim.classes)), (whole, axes, axes), strict=False)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # good enough to look with
                warnings.filterwarnings("ignore", message="Only one sample")  # of a rare class: LOOK-IMBALANCE says so
                model.fit(read[fit], aim.values[fit])
            if aim.classes:
                out[np.ix_([place], np.flatnonzero(held), model.classes_)] = model.predict_proba(read[held])
            else:
                out[place, held] = model.predict(read[held])
    return out


def _models(classes: bool) -> tuple[Any, ...]:
    """Linear, extremely randomised trees, and for classes a discriminant (one covariance, shrunk: Ledoit & Wolf 2004)."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
    from sklearn.linear_model import LogisticRegression, Ridge

    if not classes:
        return Ridge(1.0), ExtraTreesRegressor(60, min_samples_leaf=2, max_features=0.33, random_state=0)
    return (LogisticRegression(C=0.3, max_iter=200),
            ExtraTreesClassifier(100, min_samples_leaf=2, max_features="sqrt", random_state=0),
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"))


def confident_joint(proba: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Rows another class claims with confidence (bool): its probability reaches that class's mean self-confidence, and
    no class that does so is likelier (Northcutt, Jiang & Chuang 2021, section 3.1)."""
    count = proba.shape[1]
    sure = np.array([proba[labels == k, k].mean() if (labels == k).any() else np.inf for k in range(count)])
    above = np.where(proba >= sure - 1e-6, proba, -1.0)
    claimed = above.argmax(axis=1)
    return (above.max(axis=1) >= 0) & (claimed != labels)


def lapse_rate(proba: np.ndarray, labels: np.ndarray) -> Lapse:
    """Fits P(label differs from prediction | sureness m) = r + (1 - r) s(-(a m + b)), s the logistic function, and
    tests r = 0 by the likelihood ratio (its null law is half a point mass, half chi-squared with one degree).

    Overlapping classes give errors that fade as the model grows sure (r = 0); wrong labels stay. The slope a is kept
    above SLOPE, else a flat curve could pass for overlap. Labels that have nothing to do with the inputs also give a
    flat curve, at the error of always naming the largest class: r must lie below half of that to stand, for without
    rows whose class the inputs settle, wrong labels cannot be told from none (anchor points: Liu & Tao 2016).
    """
    from scipy.stats import chi2

    top = np.clip(proba.max(axis=1), 1e-6, 1 - 1e-6)
    sure = np.log(top / (1 - top))
    differs = (proba.argmax(axis=1) != labels).astype(float)
    if differs.sum() < 5:
        return Lapse(0.0, False, np.zeros(len(labels)))
    free, best = _fit(sure, differs, lapses=True)
    _, plain = _fit(sure, differs, lapses=False)
    p = 0.5 * float(chi2.sf(max(0.0, 2 * (plain - best)), 1))
    rate = float(_share(free[2]))
    hard = (1 - rate) / (1 + np.exp(np.clip((SLOPE + np.exp(free[0])) * sure + free[1], -50, 50)))
    posterior = np.where(differs > 0, rate / np.maximum(rate + hard, 1e-12), 0.0)
    floor = 1 - float(np.bincount(labels).max()) / len(labels)
    return Lapse(rate, bool(p < 0.01 and 0.01 <= rate <= floor / 2), posterior)


def _share(x: float) -> float:
    return 0.5 / (1 + np.exp(-np.clip(x, -30, 30)))


def _fit(sure: np.ndarray, differs: np.ndarray, *, lapses: bool) -> tuple[np.ndarray, float]:
    """(log of the slope above SLOPE, offset, logit of twice the lapse rate) of largest likelihood, and its -log."""
    from scipy.optimize import minimize

    def cost(x: np.ndarray) -> float:
        rate = _share(x[2]) if lapses else 0.0
        slope = SLOPE + np.exp(x[0])
        q = rate + (1 - rate) / (1 + np.exp(np.clip(slope * sure + x[1], -50, 50)))
        q = np.clip(q, 1e-9, 1 - 1e-9)
        return -float((differs * np.log(q) + (1 - differs) * np.log(1 - q)).sum())

    runs = [minimize(cost, np.array([-1.0, 0.0, start]), method="Nelder-Mead", options={"maxiter": 400})
            for start in ((-1.0, -4.0) if lapses else (-30.0,))]
    best = min(runs, key=lambda r: r.fun)
    return best.x, float(best.fun)
