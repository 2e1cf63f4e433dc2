"""More of one class: only that class is given back, and a class that limits the score promises more than one that does not."""

from __future__ import annotations

import numpy as np

from gnomon.analyses.validate.class_size_curve import class_size_curve
from gnomon.data.parts import Fold
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify


def folds(n, k=4):
    place = np.arange(n) % k
    return tuple(Fold(np.flatnonzero(place != j), np.flatnonzero(place == j)) for j in range(k))


def told(truth, classes):
    proba = np.eye(classes)[truth]
    return Prediction(truth, proba)


def test_only_the_class_is_given_back_and_in_whole_units():
    rng, seen = np.random.default_rng(0), []
    truth, units = rng.integers(0, 3, 600), np.arange(600) // 3

    def learn(rows):
        seen.append(rows)
        return lambda held: told(np.zeros(len(held), dtype=int), 3)

    curve = class_size_curve(classify("y", ("a", "b", "c"), metric="accuracy"), learn, folds(600), truth, units, "b")
    first, full = seen[0], seen[len(curve.sizes) - 1]
    assert np.array_equal(first[truth[first] != 1], full[truth[full] != 1]) and set(first) < set(full)
    kept, all_of_it = (rows[truth[rows] == 1] for rows in (first, full))
    assert all(np.isin(u, units[kept]) == np.isin(full[(units[full] == u) & (truth[full] == 1)], kept).all()
               for u in np.unique(units[all_of_it]))
    assert curve.ahead == 2 * curve.sizes[-1] and len(np.unique(units[kept])) == curve.sizes[0]


def test_the_class_that_limits_the_score_promises_more():
    """Class a is missed in proportion to n^-1/2 of its own rows; class b never is, whatever there is of it."""
    rng = np.random.default_rng(1)
    truth, n = rng.integers(0, 2, 1200), 1200
    luck = rng.random(n)

    def learn(rows):
        missed = 2.0 * (truth[rows] == 0).sum() ** -0.5
        return lambda held: told(np.where((truth[held] == 0) & (luck[held] < missed), 1, truth[held]), 2)

    task = classify("y", ("a", "b"), metric="accuracy")
    of_a, of_b = (class_size_curve(task, learn, folds(n), truth, np.arange(n), name) for name in "ab")
    share = np.mean(truth == 0)
    expected = share * 2.0 * ((0.75 * share * n) ** -0.5 - (1.5 * share * n) ** -0.5)
    assert of_a.gain_low <= expected <= of_a.gain_high and of_a.gain > 3 * of_b.gain


def test_a_class_that_only_grows_rarer_or_commoner_promises_nothing():
    """A learner that knows both densities and takes the classes' shares from its training rows has nothing to learn, yet its
    own decisions improve as the class comes to its true share: that is told apart from learning (Bayes' rule)."""
    rng = np.random.default_rng(2)
    truth, n = (rng.random(1200) < 0.4).astype(int), 1200
    x, plain = rng.normal(size=n) + 1.2 * truth, []

    def learn(rows):
        odds = np.bincount(truth[rows], minlength=2) * np.stack([np.exp(-x**2 / 2), np.exp(-((x - 1.2) ** 2) / 2)], axis=1)
        proba = odds / odds.sum(axis=1, keepdims=True)
        plain.append(float((proba.argmax(axis=1) == truth).mean()))
        return lambda held: Prediction(proba[held].argmax(axis=1), proba[held])

    task = classify("y", ("a", "b"), metric="accuracy")
    curve = class_size_curve(task, learn, folds(n), truth, np.arange(n), "b")
    assert max(plain) - min(plain) > 0.04
    assert np.ptp(curve.scores) < 0.002 and curve.gain < 0.005


def test_too_few_of_a_class_and_time_that_is_over_give_no_curve():
    truth = np.r_[np.zeros(20, dtype=int), np.ones(200, dtype=int)]
    task = classify("y", ("rare", "common"), metric="accuracy")
    learn = lambda rows: lambda held: told(np.ones(len(held), dtype=int), 2)  # noqa: E731
    assert class_size_curve(task, learn, folds(220), truth, np.arange(220), "rare") is None
    asked = iter([False] * 5 + [True] * 100)  # ends in the second repeat of four sizes
    assert class_size_curve(task, learn, folds(220), truth, np.arange(220), "common", enough=lambda: next(asked)) is None
