"""Kernel estimators that choose their kernel in `fit`: support vectors and Gaussian processes. Imported lazily."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from gnomon.errors import TrainingError
from gnomon.models.tables._deadline import in_time
from gnomon.models.tables._linear import held_out

TUNED = 1_500  # rows on which C and gamma are compared
PENALTIES = (1.0, 10.0, 100.0)
WIDTHS = (0.1, 0.3, 1.0)  # gamma in units of 1 / (features x variance)
LENGTHS = 20  # inputs up to which each has a length of its own
MARGIN = 0.05  # epsilon, in standard deviations of the target


def _not_too_many(x: Any, rows: int, model: str) -> None:
    if x.shape[0] > rows:
        raise TrainingError("E-ROWS-MANY", f"{model} reads at most {rows} rows; {x.shape[0]} came",
                            do=f"use boosting, or raise rows= of {model} and wait")


def _whole_width(x: Any) -> float:
    """1 / (features x variance), as scikit-learn's gamma="scale"."""
    spread = float(x.var()) if isinstance(x, np.ndarray) else float(x.multiply(x).mean() - x.mean() ** 2)
    return 1.0 / (x.shape[1] * max(spread, 1e-12))


class VectorNumbers(RegressorMixin, BaseEstimator):
    """Support vector regression of the standardised target."""

    def __init__(self, rows: int = 5_000, folds: int = 3, random_state: int = 0):
        self.rows, self.folds, self.random_state = rows, folds, random_state

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> VectorNumbers:
        _not_too_many(x, self.rows, "support_vectors")
        self.centre_, self.spread_ = float(y.mean()), float(y.std()) or 1.0
        y = (y - self.centre_) / self.spread_
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        self.C_, self.gamma_ = self._choose(x, y, weight)
        self.model_ = _regressor(self.C_, self.gamma_).fit(x, y, sample_weight=weight)
        return self

    def _choose(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
        rows = np.random.default_rng(self.random_state).permutation(len(y))[:TUNED]
        x, y, weight, unit = x[rows], y[rows], weight[rows], _whole_width(x)
        loss = {}
        splits = held_out(y, self.folds, self.random_state)
        for penalty in PENALTIES:
            for width in WIDTHS:
                gamma = width * unit
                loss[penalty, gamma] = sum(self._loss(x, y, weight, a, b, penalty, gamma) for a, b in splits)
        return min(loss, key=lambda k: loss[k])

    @staticmethod
    def _loss(x: np.ndarray, y: np.ndarray, weight: np.ndarray, a: np.ndarray, b: np.ndarray, penalty: float,
              gamma: float) -> float:
        """Weighted squared error on rows b of a fit on rows a."""
        in_time()
        model = _regressor(penalty, gamma).fit(x[a], y[a], sample_weight=weight[a])
        return float(weight[b] @ (model.predict(x[b]) - y[b]) ** 2)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model_.predict(x) * self.spread_ + self.centre_


def _regressor(penalty: float, gamma: float) -> Any:
    from sklearn.svm import SVR

    return SVR(C=penalty, gamma=gamma, epsilon=MARGIN, cache_size=500)


class VectorClasses(ClassifierMixin, BaseEstimator):
    """Support vector classification; probabilities from a logistic curve on held-out scores."""

    def __init__(self, rows: int = 5_000, folds: int = 3, random_state: int = 0):
        self.rows, self.folds, self.random_state = rows, folds, random_state

    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> VectorClasses:
        _not_too_many(x, self.rows, "support_vectors")
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        rows = np.random.default_rng(self.random_state).permutation(len(y))[:TUNED]
        few = np.unique(y[rows]).size == np.unique(y).size
        best = self._choose(x[rows], y[rows], weight[rows]) if few else self._choose(x, y, weight)
        self.C_, self.gamma_, scores, truth = best
        self.model_ = _classifier(self.C_, self.gamma_).fit(x, y, sample_weight=weight)
        self.classes_ = self.model_.classes_
        self.curve_ = _curve().fit(scores, truth)
        return self

    def _choose(self, x: np.ndarray, y: np.ndarray,
                weight: np.ndarray) -> tuple[float, float, np.ndarray, np.ndarray]:
        """C, gamma, and the held-out scores they gave with their truth; the least held-out log loss decides."""
        splits = _every_class(y, held_out(y, self.folds, self.random_state))
        unit, found = _whole_width(x), []
        for penalty in PENALTIES:
            for width in WIDTHS:
                scores, truth = [], []
                for a, b in splits:
                    in_time()
                    model = _classifier(penalty, width * unit).fit(x[a], y[a], sample_weight=weight[a])
                    scores.append(_scores(model, x[b]))
                    truth.append(y[b])
                s, t = np.concatenate(scores), np.concatenate(truth)
                curve = _curve().fit(s, t)
                hit = curve.predict_proba(s)[np.arange(len(t)), np.searchsorted(curve.classes_, t)]
                found.append((-np.log(np.maximum(hit, 1e-15)).mean(), penalty, width * unit, s, t))
        return min(found, key=lambda f: f[0])[1:]

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        proba = np.zeros((x.shape[0], len(self.classes_)))
        known = np.searchsorted(self.classes_, self.curve_.classes_)
        proba[:, known] = self.curve_.predict_proba(_scores(self.model_, x))
        return proba

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(x).argmax(axis=1)]


def _every_class(y: np.ndarray, splits: list) -> list:
    """Only splits whose fitting rows hold every class, so that scores have the same columns; all rows twice where there are
    none, or where these splits hold one class out."""
    whole = [(a, b) for a, b in splits if np.unique(y[a]).size == np.unique(y).size]
    told = np.unique(np.concatenate([y[b] for _, b in whole])).size if whole else 0
    return whole if told > 1 else [(np.arange(len(y)), np.arange(len(y)))]


def _classifier(penalty: float, gamma: float) -> Any:
    from sklearn.svm import SVC

    return SVC(C=penalty, gamma=gamma, cache_size=500, decision_function_shape="ovr", break_ties=True)


def _scores(model: Any, x: np.ndarray) -> np.ndarray:
    score = model.decision_function(x)
    return score[:, None] if score.ndim == 1 else score


def _curve() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=10.0, max_iter=200)


class ProcessNumbers(RegressorMixin, BaseEstimator):
    """Gaussian process regression; `predict(x, return_std=True)` also gives the standard deviation of a new value."""

    def __init__(self, rows: int = 2_000, searched: int = 500, restarts: int = 2, random_state: int = 0):
        self.rows, self.searched, self.restarts, self.random_state = rows, searched, restarts, random_state

    def fit(self, x: np.ndarray, y: np.ndarray) -> ProcessNumbers:
        from sklearn.gaussian_process import GaussianProcessRegressor

        _not_too_many(x, self.rows, "gaussian_process")
        x = np.asarray(x, dtype=np.float64)
        self.centre_, self.spread_ = float(y.mean()), float(y.std()) or 1.0
        y = (y - self.centre_) / self.spread_
        rows = np.random.default_rng(self.random_state).permutation(len(y))[:self.searched]
        search = GaussianProcessRegressor(_kernel(x), alpha=1e-8, n_restarts_optimizer=self.restarts - 1,
                                          optimizer=_likeliest, random_state=self.random_state)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a length at its bound says: this input does not matter
            search.fit(x[rows], y[rows])
        kernel = search.kernel_
        in_time()
        self.model_ = GaussianProcessRegressor(kernel, alpha=1e-8, optimizer=None).fit(x, y)
        return self

    def predict(self, x: np.ndarray, return_std: bool = False) -> Any:
        x = np.asarray(x, dtype=np.float64)
        if not return_std:
            return self.model_.predict(x) * self.spread_ + self.centre_
        mean, sd = self.model_.predict(x, return_std=True)
        return mean * self.spread_ + self.centre_, sd * self.spread_


def _likeliest(loss: Any, start: np.ndarray, bounds: np.ndarray) -> tuple[np.ndarray, float]:
    """L-BFGS-B, as scikit-learn's own, within the budget."""
    from scipy.optimize import minimize

    def timed(theta: np.ndarray) -> Any:
        in_time()
        return loss(theta)

    found = minimize(timed, start, method="L-BFGS-B", jac=True, bounds=bounds)
    return found.x, found.fun


def _kernel(x: np.ndarray) -> Any:
    from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

    d = x.shape[1]
    size = np.sqrt(max(float(x.var(axis=0).sum()), 1e-6))
    length = np.full(d, size) if d <= LENGTHS else size
    smooth = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(length, (size * 0.02, size * 100), nu=2.5)
    straight = ConstantKernel(0.1 / d, (1e-6, 10.0)) * DotProduct(1.0, "fixed")
    return smooth + straight + WhiteKernel(0.1, (1e-6, 2.0))


def _processes(model: Any) -> list[Any]:
    """The classifier, and the binary ones inside it: one, or one a class."""
    inner = model.base_estimator_
    return [model, *([inner.estimator, *inner.estimators_] if hasattr(inner, "estimators_") else [inner])]


class ProcessClasses(ClassifierMixin, BaseEstimator):
    """Gaussian process classification, one process a class."""

    def __init__(self, rows: int = 1_000, searched: int = 300, restarts: int = 1, random_state: int = 0):
        self.rows, self.searched, self.restarts, self.random_state = rows, searched, restarts, random_state

    def fit(self, x: np.ndarray, y: np.ndarray) -> ProcessClasses:
        from sklearn.gaussian_process import GaussianProcessClassifier
        from sklearn.gaussian_process.kernels import RBF, ConstantKernel

        _not_too_many(x, self.rows, "gaussian_process")
        x = np.asarray(x, dtype=np.float64)
        size = np.sqrt(max(float(x.var(axis=0).sum()), 1e-6))
        kernel = ConstantKernel(4.0, (0.1, 1e3)) * RBF(size, (size * 0.05, size * 20))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model_ = GaussianProcessClassifier(kernel, optimizer=_likeliest, random_state=self.random_state).fit(x, y)
        for each in _processes(self.model_):
            each.optimizer = None  # a function: nothing to save
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return self.model_.predict_proba(np.asarray(x, dtype=np.float64))

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.classes_[self.predict_proba(x).argmax(axis=1)]
