"""Linear estimators of gnomon's own: thin classes around scikit-learn's that choose their penalty in `fit`.

Imported only inside builders, for scikit-learn is heavy. They hold numbers, arrays and fitted estimators, nothing else:
that is why a saved study may name them (gnomon.methods._fitted).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.linear_model import LogisticRegression, Ridge, RidgeCV

from gnomon.data.table import Spec
from gnomon.errors import InputError
from gnomon.models.tables._deadline import in_time

EXACT = 1_200  # rows or features up to which leave-one-out is worked out exactly: the time grows with their cube
PIECE = 4_000_000  # numbers of a matrix that are rotated together
WORSE = 1.02  # a held-out loss so many times the best so far ends the search: it has one minimum along the penalties
NEWTON = 60  # coefficients up to which Newton steps are faster than L-BFGS
SETTLED = 3_000  # rows from which on one held-out fifth settles a penalty; from a third of them, three folds do


def refuse_classes(out: Spec, model: str, instead: str) -> None:
    if out.categories:
        raise InputError("E-MODEL-TASK", f"{model} predicts numbers; the target has {len(out.categories)} classes",
                         do=f"use {instead}")


def refuse_numbers(out: Spec, model: str, instead: str) -> None:
    if not out.categories:
        raise InputError("E-MODEL-TASK", f"{model} predicts classes; the target is a number", do=f"use {instead}")


class _ReadsSparse(BaseEstimator):
    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class LeaveOneOutRidge(RegressorMixin, _ReadsSparse):
    """Ridge whose alpha has the smallest exact leave-one-out squared error (on a sample where rows and features both
    exceed EXACT: the best alpha hardly depends on the number of rows)."""

    def __init__(self, weakest: float = 1e-3, strongest: float = 1e6, count: int = 28):
        self.weakest, self.strongest, self.count = weakest, strongest, count

    def fit(self, x: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> LeaveOneOutRidge:
        x = x.astype(np.float64)
        alphas = np.geomspace(self.weakest, self.strongest, self.count)
        if min(x.shape) <= EXACT < x.shape[0]:
            self.alpha_ = float(alphas[left_out_errors(x, y, alphas, sample_weight).argmin()])
        elif min(x.shape) > EXACT:
            chosen = np.random.default_rng(0).permutation(x.shape[0])[:EXACT]
            weight = None if sample_weight is None else sample_weight[chosen]
            self.alpha_ = float(RidgeCV(alphas).fit(x[chosen], y[chosen], sample_weight=weight).alpha_)
        else:
            self.alpha_ = float(RidgeCV(alphas).fit(x, y, sample_weight=sample_weight).alpha_)
        model = Ridge(self.alpha_).fit(x, y, sample_weight=sample_weight)
        self.coef_, self.intercept_ = model.coef_, float(model.intercept_)
        self.n_features_in_ = x.shape[1]
        return self

    def predict(self, x: Any) -> np.ndarray:
        return x @ self.coef_ + self.intercept_


def left_out_errors(x: Any, y: np.ndarray, alphas: np.ndarray, weight: np.ndarray | None = None) -> np.ndarray:
    """(alphas,) mean weighted squared error of each row predicted by the ridge fitted without it, in closed form.

    With X, y centred, X'WX = V L V' and Z = XV: residual r = y - Z (L + a)^-1 V'X'Wy, leverage
    h = w (z'(L + a)^-1 z + 1 / sum w), left-out residual r / (1 - h) (Golub, Heath & Wahba 1979). What scikit-learn's RidgeCV
    computes, by one decomposition and two products for all alphas together, in pieces of rows.
    x: (n, d), dense or sparse, d not large.
    """
    weight = np.ones(x.shape[0]) if weight is None else np.asarray(weight, dtype=np.float64)
    total = weight.sum()
    middle, level = np.asarray(weight @ x).ravel() / total, float(weight @ y) / total
    scaled = x.multiply(weight[:, None]).tocsr() if hasattr(x, "multiply") else x * weight[:, None]
    gram = scaled.T @ x
    gram = (gram.toarray() if hasattr(gram, "toarray") else gram) - total * np.outer(middle, middle)
    values, vectors = np.linalg.eigh(gram)
    shrunk = 1 / (np.maximum(values, 0)[:, None] + alphas)
    pull = vectors.T @ (np.asarray(scaled.T @ y).ravel() - total * middle * level)
    out, step = np.zeros(len(alphas)), max(1, PIECE // x.shape[1])
    for start in range(0, x.shape[0], step):
        at = slice(start, start + step)
        axes = np.asarray(x[at] @ vectors) - middle @ vectors
        residual = (y[at] - level)[:, None] - axes @ (pull[:, None] * shrunk)
        leverage = weight[at, None] * (axes**2 @ shrunk + 1 / total)
        out += weight[at] @ (residual / np.maximum(1 - leverage, 1e-12)) ** 2
    return out / len(y)


class HeldOutLogistic(ClassifierMixin, _ReadsSparse):
    """Multinomial logistic regression whose C has the smallest log loss on held-out rows."""

    def __init__(self, weakest: float = 1e3, strongest: float = 1e-4, count: int = 8, folds: int = 5,
                 random_state: int = 0):
        self.weakest, self.strongest, self.count = weakest, strongest, count
        self.folds, self.random_state = folds, random_state

    def fit(self, x: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> HeldOutLogistic:
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        x, back = _own_space(x.astype(np.float64))
        penalties = np.geomspace(self.strongest, self.weakest, self.count)
        self.C_ = self._choose(x, y, weight, penalties)
        in_time()
        model = _logistic(self.C_, x, len(np.unique(y))).fit(x, y, sample_weight=weight)
        self.classes_ = model.classes_
        self.coef_ = model.coef_ if back is None else model.coef_ @ back
        self.intercept_ = model.intercept_
        self.n_features_in_ = self.coef_.shape[1]
        return self

    def _choose(self, x: Any, y: np.ndarray, weight: np.ndarray, penalties: np.ndarray) -> float:
        loss, classes = np.zeros(len(penalties)), len(np.unique(y))
        for fit, held in held_out(y, self.folds, self.random_state):
            model, fold = None, np.full(len(penalties), np.inf)
            for k, penalty in enumerate(penalties):  # from the strongest on, each starting where the last one ended
                in_time()
                model = _logistic(penalty, x, classes, model).fit(x[fit], y[fit], sample_weight=weight[fit])
                fold[k] = _log_loss(model, x[held], y[held], weight[held])
                if fold[k] > WORSE * fold[:k + 1].min():
                    break  # past the best one it only gets worse, and slower
            loss += fold
        return float(penalties[loss.argmin()])

    def decision_function(self, x: Any) -> np.ndarray:
        return np.asarray(x @ self.coef_.T + self.intercept_)

    def predict_proba(self, x: Any) -> np.ndarray:
        score = self.decision_function(x)
        if score.shape[1] == 1:
            score = np.concatenate([np.zeros_like(score), score], axis=1)
        score = np.exp(score - score.max(axis=1, keepdims=True))
        return score / score.sum(axis=1, keepdims=True)

    def predict(self, x: Any) -> np.ndarray:
        return self.classes_[self.predict_proba(x).argmax(axis=1)]


def _log_loss(model: Any, x: Any, y: np.ndarray, weight: np.ndarray) -> float:
    """Weighted sum of -log probability of the true class; a class the model never saw counts as one in a million."""
    proba = model.predict_proba(x)
    place = np.minimum(np.searchsorted(model.classes_, y), proba.shape[1] - 1)
    hit = np.where(model.classes_[place] == y, proba[np.arange(len(y)), place], 1e-6)
    return -float(weight @ np.log(np.maximum(hit, 1e-15)))


def _own_space(x: Any) -> tuple[Any, np.ndarray | None]:
    """A dense matrix with more columns than rows as its rows' coordinates in the space they span, and that space's axes
    (r, d): a model with an L2 penalty is the same there (Hastie & Tibshirani 2004)."""
    if not isinstance(x, np.ndarray) or x.shape[1] <= x.shape[0] or x.shape[0] > EXACT:
        return x, None
    left, size, axes = np.linalg.svd(x, full_matrices=False)
    kept = size > size[0] * 1e-10
    return left[:, kept] * size[kept], axes[kept]


def _logistic(penalty: float, x: Any, classes: int, before: Any = None) -> LogisticRegression:
    """Few coefficients: Newton steps (their Hessian has the square of features times classes), else L-BFGS from where the
    last penalty ended."""
    few = x.shape[1] * (classes if classes > 2 else 1) <= NEWTON
    if isinstance(x, np.ndarray) and few and x.shape[0] > 2 * x.shape[1]:
        return LogisticRegression(C=penalty, solver="newton-cholesky", max_iter=50)
    model = LogisticRegression(C=penalty, max_iter=200, tol=1e-4, warm_start=before is not None)
    if before is not None:
        model.coef_, model.intercept_, model.classes_ = before.coef_.copy(), before.intercept_.copy(), before.classes_
    return model


def held_out(y: np.ndarray, folds: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """(fit, held) rows, stratified where y holds classes; one split of a fifth from SETTLED rows on. A split that leaves one
    class to fit on tells nothing and is left out: none may be left."""
    from sklearn.model_selection import KFold, StratifiedKFold

    classes = np.issubdtype(np.asarray(y).dtype, np.integer)
    folds = min(folds, 3) if len(y) >= SETTLED // 3 else folds
    rarest = np.unique(y, return_counts=True)[1].min() if classes else len(y)
    kind = StratifiedKFold if classes and rarest >= 2 else KFold
    count = int(np.clip(folds, 2, max(min(rarest, len(y)), 2))) if kind is StratifiedKFold else min(folds, len(y))
    splits = list(kind(count, shuffle=True, random_state=seed % 2**32).split(np.zeros(len(y)), y))
    splits = [(fit, held) for fit, held in splits if len(np.unique(y[fit])) > 1] if classes else splits
    return splits[:1] if len(y) >= SETTLED else splits


class FewNumbers(RegressorMixin, _ReadsSparse):
    """Lasso whose alpha has the smallest squared error on held-out rows."""

    def __init__(self, count: int = 30, folds: int = 5, random_state: int = 0):
        self.count, self.folds, self.random_state = count, folds, random_state

    def fit(self, x: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> FewNumbers:
        from sklearn.linear_model import LassoCV

        x = x.astype(np.float64) if isinstance(x, np.ndarray) else x.tocsc().astype(np.float64)
        spread = float(y.std()) or 1.0
        model = LassoCV(alphas=self.count, eps=1e-3, cv=held_out(y.astype(float), self.folds, self.random_state),
                        max_iter=500, tol=1e-3, random_state=self.random_state, selection="random")
        model.fit(x, y / spread, sample_weight=sample_weight)
        self.alpha_ = float(model.alpha_) * spread
        self.coef_, self.intercept_ = model.coef_ * spread, float(model.intercept_) * spread
        self.n_features_in_ = x.shape[1]
        return self

    def predict(self, x: Any) -> np.ndarray:
        return x @ self.coef_ + self.intercept_


class FewClasses(HeldOutLogistic):
    """Logistic regression with an absolute-value penalty, one class against the others; C by held-out log loss."""

    def __init__(self, count: int = 8, folds: int = 5, random_state: int = 0):
        super().__init__(count=min(count, 8), folds=folds, random_state=random_state)

    def fit(self, x: Any, y: np.ndarray, sample_weight: np.ndarray | None = None) -> FewClasses:
        x, weight = x.astype(np.float64), np.ones(len(y)) if sample_weight is None else sample_weight
        self.classes_ = np.unique(y)
        least = _least_penalty(x, y)
        penalties = least * np.geomspace(1.2, 1000, self.count)
        loss = np.zeros(len(penalties))
        for fit, held in held_out(y, min(self.folds, 3), self.random_state):
            for k, penalty in enumerate(penalties):
                in_time()
                self._set(x[fit], y[fit], weight[fit], penalty)
                loss[k] += _log_loss(self, x[held], y[held], weight[held])
        self.C_ = float(penalties[loss.argmin()])
        self._set(x, y, weight, self.C_)
        self.n_features_in_ = x.shape[1]
        return self

    def _set(self, x: Any, y: np.ndarray, weight: np.ndarray, penalty: float) -> None:
        """Coefficients (1 or K, d). A class that is absent here keeps a score that never wins."""
        wanted = self.classes_[1:] if len(self.classes_) == 2 else self.classes_
        fits = [_sparse_logistic(x, y == c, weight, penalty) for c in wanted]
        self.coef_ = np.stack([f[0] for f in fits])
        self.intercept_ = np.array([f[1] for f in fits])

    def predict_proba(self, x: Any) -> np.ndarray:
        share = 1 / (1 + np.exp(-np.clip(self.decision_function(x), -50, 50)))
        if share.shape[1] == 1:
            return np.concatenate([1 - share, share], axis=1)
        return share / share.sum(axis=1, keepdims=True)


def _least_penalty(x: Any, y: np.ndarray) -> float:
    """The C below which every coefficient is zero (Friedman et al. 2010)."""
    steep = [np.abs(x.T @ ((y == c) - (y == c).mean())).max() for c in np.unique(y)]
    return 1.0 / max(float(max(steep)), 1e-12)


def _sparse_logistic(x: Any, y: np.ndarray, weight: np.ndarray, penalty: float) -> tuple[np.ndarray, float]:
    if y.all() or not y.any():
        return np.zeros(x.shape[1]), 20.0 if y.all() else -20.0
    model = LogisticRegression(C=penalty, l1_ratio=1.0, solver="liblinear", max_iter=60, tol=1e-3,
                               intercept_scaling=10.0, random_state=0).fit(x, y, sample_weight=weight)
    return model.coef_[0], float(model.intercept_[0])
