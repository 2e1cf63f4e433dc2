"""Explainable boosting, on the features that vary most with the target.

Imported only inside the builder.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from gnomon.models.tables._deadline import in_time


class _Curves(BaseEstimator):
    """Explainable boosting over the features that vary most with the target."""

    trees = True

    def __init__(self, pairs: int = 0, bags: int = 4, rate: float = 0.015, rounds: int = 5_000, most: int = 300,
                 random_state: int = 0, n_jobs: int = 1):
        self.pairs, self.bags, self.rate, self.rounds = pairs, bags, rate, rounds
        self.most, self.random_state, self.n_jobs = most, random_state, n_jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _learn(self, kind: Any, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None) -> Any:
        self.chosen_ = self._chosen(x, y)
        self.n_features_in_ = x.shape[1]
        self.model_ = kind(interactions=self.pairs, outer_bags=self.bags, learning_rate=self.rate,
                           max_rounds=self.rounds, random_state=self.random_state, callback=_each_step,
                           n_jobs=1)  # its workers are processes
        self.model_.fit(np.asarray(x[:, self.chosen_], dtype=np.float64), y, sample_weight=sample_weight)
        self.model_.callback = None  # a function: nothing to save
        return self

    def _chosen(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        if x.shape[1] <= self.most:
            return np.arange(x.shape[1])
        from sklearn.feature_selection import f_classif, f_regression

        test = f_classif if isinstance(self, ClassifierMixin) else f_regression
        strength = np.nan_to_num(test(np.nan_to_num(x), y)[0])
        return np.sort(np.argsort(-strength, kind="stable")[:self.most])

    def _features(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x[:, self.chosen_], dtype=np.float64)

    def predict(self, x: np.ndarray) -> np.ndarray:
        return self.model_.predict(self._features(x))


def _each_step(*_: Any) -> bool:
    in_time()
    return False


class CurvesOfNumbers(RegressorMixin, _Curves):
    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Any:
        from interpret.glassbox import ExplainableBoostingRegressor

        return self._learn(ExplainableBoostingRegressor, x, y, sample_weight)


class CurvesOfClasses(ClassifierMixin, _Curves):
    def fit(self, x: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> Any:
        from interpret.glassbox import ExplainableBoostingClassifier

        self._learn(ExplainableBoostingClassifier, x, y, sample_weight)
        self.classes_ = self.model_.classes_
        return self

    def predict_proba(self, x: np.ndarray) -> np.ndarray:
        return self.model_.predict_proba(self._features(x))
