"""Boosted trees that choose how many trees they need on held-out rows. Imported only inside the builder.

A fitted LightGBM model is kept as its own text format, so nothing but numbers and text is ever saved.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin

from gnomon.models.tables._deadline import in_time

PATIENCE = 60  # rounds without improvement on the held-out rows, at a rate of 0.05
COSTLY = ((3e5, 0.05), (1e7, 0.1), (np.inf, 0.2))  # rows x features x classes up to which this rate is used
HELD = 0.15  # share of the rows held out when none are given
LEAST_GAIN = 0.01  # loss over the root of the held rows: less than this hundredth of its noise is no improvement
TRIED = 4  # columns a tree may choose from, for each row: with more, its splits are chance's
BAGGED = 5_000  # rows shared out over the bags: five bags up to 1,000 rows, two at 2,500, one beyond 5,000


class _Boosted(BaseEstimator):
    """Shared by both: fit, stop, fit again on everything."""

    trees = True
    classes_: np.ndarray

    def __init__(self, rate: float | None = None, leaves: int | None = None, smallest: int | None = None,
                 shrink: float = 1.0, rounds: int = 2000, bags: int | None = None, random_state: int = 0,
                 n_jobs: int = 1):
        self.rate, self.leaves, self.smallest, self.shrink = rate, leaves, smallest, shrink
        self.rounds, self.bags, self.random_state, self.n_jobs = rounds, bags, random_state, n_jobs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse, tags.input_tags.allow_nan = True, True
        return tags

    def fit(self, x: Any, y: np.ndarray, sample_weight: np.ndarray | None = None, stop: Any = None) -> Any:
        """stop: (matrix, truth) that decide the number of trees; None: a random part of these rows does."""
        y = self._encode(y)
        weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        if stop is None:
            order = np.random.default_rng(self.random_state).permutation(len(y))
            held, kept = np.split(order, [max(int(HELD * len(y)), 1)])
            inner = (x[kept], y[kept], weight[kept], x[held], y[held])
        else:
            kept = np.flatnonzero(np.isin(stop[1], self.classes_)) if self._classifies else np.arange(len(stop[1]))
            extra, truth = stop[0][kept], self._place(stop[1][kept])
            inner = (x, y, weight, extra, truth)
            x, y, weight = _below(x, extra), np.concatenate([y, truth]), np.concatenate([weight, np.ones(len(truth))])
        engine = _lightgbm if _has_lightgbm() else _histogram
        self.n_features_in_ = x.shape[1]
        self.rounds_, self.models_ = engine(self, inner, (x, y, weight))
        return self

    _classifies = False

    def _encode(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(y, dtype=np.float64)

    def _place(self, y: np.ndarray) -> np.ndarray:
        return np.asarray(y, dtype=np.float64)

    def settings(self, n: int, d: int) -> dict[str, Any]:
        """LightGBM's settings for n rows of d features."""
        classes = len(self.classes_) if self._classifies else 0
        cost = n * d * max(classes, 1)
        rate = self.rate or next(rate for most, rate in COSTLY if cost <= most)
        leaves = self.leaves or int(np.clip(n // 40, 6, 31))
        smallest = self.smallest or int(np.clip(n // 100, 3, 20))
        goal = {0: {"objective": "regression"}, 2: {"objective": "binary"}}.get(
            classes, {"objective": "multiclass", "num_class": classes})
        return {**goal, "learning_rate": rate, "num_leaves": leaves, "min_data_in_leaf": smallest,
                "lambda_l2": self.shrink, "bagging_fraction": 0.8, "bagging_freq": 1,
                "min_data_in_bin": 1 if n < 2000 else 3,
                "feature_fraction": min(float(np.clip(40 / d, 0.2, 0.8 if d > 4 else 1.0)), max(TRIED * n, 40) / d),
                "num_threads": self.n_jobs,
                "deterministic": True, "force_row_wise": True, "verbosity": -1,
                "max_bin": 255 if cost <= COSTLY[1][0] else 63}

    def _outputs(self, x: Any) -> np.ndarray:
        """The mean of the bags: numbers (n,), or probabilities (n, K)."""
        parts = [_predicted(model, x, self._classifies) for model in self.models_]
        return np.mean(parts, axis=0)


class BoostedNumbers(RegressorMixin, _Boosted):
    def predict(self, x: Any) -> np.ndarray:
        return self._outputs(x)


class BoostedClasses(ClassifierMixin, _Boosted):
    _classifies = True

    def _encode(self, y: np.ndarray) -> np.ndarray:
        self.classes_, codes = np.unique(y, return_inverse=True)
        return codes

    def _place(self, y: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.classes_, y)

    def predict_proba(self, x: Any) -> np.ndarray:
        proba = self._outputs(x)
        return np.column_stack([1 - proba, proba]) if proba.ndim == 1 else proba

    def predict(self, x: Any) -> np.ndarray:
        return self.classes_[self.predict_proba(x).argmax(axis=1)]


def _has_lightgbm() -> bool:
    from importlib.util import find_spec

    return find_spec("lightgbm") is not None


def _below(x: Any, y: Any) -> Any:
    if isinstance(x, np.ndarray):
        return np.concatenate([x, y])
    from scipy.sparse import vstack

    return vstack([x, y], format="csr")


def _lightgbm(model: _Boosted, inner: tuple, whole: tuple) -> tuple[int, list[Any]]:
    """The number of trees, and the bags as text."""
    import lightgbm

    x, y, weight, held, truth = inner
    settings = model.settings(x.shape[0], x.shape[1])
    patience = int(max(PATIENCE * 0.05 / settings["learning_rate"], 10))
    least = LEAST_GAIN / len(truth) ** 0.5 if model._classifies else 0.0
    train = lightgbm.Dataset(x, y, weight=weight, params=settings, free_raw_data=True)
    first = lightgbm.train(settings | {"seed": model.random_state}, train, model.rounds,
                           valid_sets=[lightgbm.Dataset(held, truth, reference=train)],
                           callbacks=[_each_round, lightgbm.early_stopping(patience, verbose=False, min_delta=least)])
    rounds = max(first.best_iteration, 1)
    x, y, weight = whole
    rounds = int(np.ceil(rounds * min(len(y) / len(inner[1]), 1.2)))
    bags = model.bags or int(np.clip(BAGGED // len(y), 1, 5))
    data = lightgbm.Dataset(x, y, weight=weight, params=settings, free_raw_data=False)
    made = [lightgbm.train(settings | {"seed": model.random_state + bag}, data, rounds, callbacks=[_each_round])
            for bag in range(bags)]
    return rounds, [each.model_to_string() for each in made]


def _each_round(_: Any) -> None:
    in_time()


def _histogram(model: _Boosted, inner: tuple, whole: tuple) -> tuple[int, list[Any]]:
    """The same with scikit-learn: it reads dense matrices only."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    x, y, weight, held, truth = ((a if isinstance(a, np.ndarray) else a.toarray()) for a in inner)
    s = model.settings(x.shape[0], x.shape[1])
    kind = HistGradientBoostingClassifier if model._classifies else HistGradientBoostingRegressor

    def make(rounds: int, seed: int, **more: Any) -> Any:
        return kind(learning_rate=s["learning_rate"], max_iter=rounds, max_leaf_nodes=s["num_leaves"],
                    random_state=seed, min_samples_leaf=s["min_data_in_leaf"], l2_regularization=model.shrink,
                    max_features=s["feature_fraction"], **more)

    known = np.isin(truth, y) if model._classifies else np.ones(len(truth), bool)
    first = make(model.rounds, model.random_state, early_stopping=True, n_iter_no_change=PATIENCE)
    first.fit(x, y, sample_weight=weight, X_val=held[known], y_val=truth[known])
    rounds = max(int(np.argmax(first.validation_score_)), 1)
    x, y, weight = whole
    x = x if isinstance(x, np.ndarray) else x.toarray()
    bags = model.bags or int(np.clip(BAGGED // len(y), 1, 5))
    return rounds, [make(rounds, model.random_state + bag, early_stopping=False).fit(x, y, sample_weight=weight)
                    for bag in range(bags)]


@functools.lru_cache(maxsize=64)
def _opened(text: str) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=text)


def _predicted(model: Any, x: Any, classify: bool) -> np.ndarray:
    if isinstance(model, str):
        return _opened(model).predict(x)
    x = x if isinstance(x, np.ndarray) else x.toarray()
    return model.predict_proba(x) if classify else model.predict(x)
