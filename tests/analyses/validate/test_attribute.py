"""An attribute is read, erased and priced: free where the target does not need it, dear where it is the target's cause."""

from __future__ import annotations

import numpy as np
import pytest

from gnomon.analyses.validate._attribute import attribute_finding, attribute_price
from gnomon.analyses.validate.subgroups import subgroups
from gnomon.data.parts import Fold
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress


def world(seed=0, n=600, cause=0.0):
    rng = np.random.default_rng(seed)
    site = rng.integers(0, 2, n)
    x = rng.normal(size=(n, 6))
    x[:, 3] += 2.5 * site
    y = x[:, 0] + x[:, 1] + cause * site + 0.5 * rng.normal(size=n)
    place = rng.permutation(n) % 5
    folds = [Fold(np.flatnonzero(place != k), np.flatnonzero(place == k)) for k in range(5)]
    return x, y, np.array(["a", "b"], dtype=object)[site], folds, site


def test_readable_before_and_not_after_and_free_where_it_says_nothing():
    x, y, words, folds, _ = world()
    p = attribute_price(regress("y"), "site", x, y, words, folds, np.arange(len(y)))
    assert p.is_readable and p.readable > 0.8 and abs(p.left - 0.5) < 0.06
    assert p.price_low <= 0.01 and abs(p.price) < 0.03 and attribute_finding(p).columns == ("site",)


def test_price_is_what_the_cause_was_worth():
    x, y, words, folds, site = world(1, cause=3.0)
    p = attribute_price(regress("y"), "site", x, y, words, folds, np.arange(len(y)))
    seen = 2.5**2 * site.var() / (2.5**2 * site.var() + 1)  # the share of the site that its noisy trace shows
    assert p.price_low > 0 and p.gap == pytest.approx(3.0 * seen, rel=0.1) and p.gap_erased < 0.1
    left = np.hypot(0.5, 3.0 * site.std())  # with the site's part unknown, its spread joins the error
    assert p.score + p.price == pytest.approx(left, rel=0.15)


def many_sites(rng, n=400, levels=6):
    """Sites read from the last of four inputs, a target of the first."""
    site = rng.integers(0, levels, n)
    x = rng.normal(size=(n, 4))
    x[:, 3] += site
    place = rng.permutation(n) % 5
    folds = [Fold(np.flatnonzero(place != k), np.flatnonzero(place == k)) for k in range(5)]
    return x, (x[:, 0] + 0.5 * rng.normal(size=n) > 0).astype(np.int64), site.astype(str).astype(object), folds


def test_many_values_in_one_direction_cost_no_more_than_that_direction():
    x, y, words, folds = many_sites(np.random.default_rng(0))
    p = attribute_price(classify("y", ("no", "yes"), metric="roc_auc"), "site", x, y, words, folds, np.arange(len(y)))
    assert (p.removed, p.directions) == (1, 4) and abs(p.price) < 0.01
    assert p.readable > 0.4 and abs(p.left - p.chance) < 0.05  # what stood out is gone wholly
    assert "1 of 4 directions" in attribute_finding(p).claim


def test_an_attribute_that_is_nowhere_has_no_price_and_one_that_is_everywhere_neither():
    x, y, words, folds = many_sites(np.random.default_rng(1))
    task, noise = classify("y", ("no", "yes"), metric="roc_auc"), np.random.default_rng(2).integers(0, 2, len(x))
    p = attribute_price(task, "sex", x, y, noise.astype(str), folds, np.arange(len(y)))
    assert p.price is None and p.left is None and "nothing was taken out" in p.why
    p = attribute_price(task, "site", x[:, 3:], y, words, folds, np.arange(len(y)))
    assert p.price is None and "no direction" in p.why and p.why in attribute_finding(p).claim


def test_nothing_is_read_where_nothing_is_and_no_answer_where_values_are_held_out():
    x, y, words, folds, _ = world(2)
    x[:, 3] = 0
    p = attribute_price(regress("y"), "site", x, y, words, folds, np.arange(len(y)))
    assert not p.is_readable and attribute_finding(p) is None
    held = [Fold(np.flatnonzero(words == "a"), np.flatnonzero(words == "b"))]
    assert attribute_price(regress("y"), "site", x, y, words, held, np.arange(len(y))) is None


def test_reweighing_draws_predictions_of_the_groups_together():
    rng = np.random.default_rng(3)
    x, _, words, folds, site = world(3)
    y = (rng.random(len(x)) < np.where(site == 1, 0.8, 0.2)).astype(np.int64)
    p = attribute_price(classify("y", ("no", "yes"), metric="roc_auc"), "site", x, y, words, folds, np.arange(len(y)))
    assert p.gap > 0.3 and p.gap_reweighed < p.gap / 2 and p.reweighed > 0.05  # fair, and dear


def test_subgroup_bias_is_the_mean_of_said_less_came():
    rng = np.random.default_rng(4)
    n = 2000
    group = np.array(["f", "m"], dtype=object)[rng.integers(0, 2, n)]
    p = rng.uniform(0.2, 0.8, n)
    y = (rng.random(n) < p).astype(int)
    said = np.where(group == "m", np.clip(p + 0.15, 0, 1), p)
    task = classify("y", ("no", "yes"), metric="roc_auc")
    stats = task.measure(Prediction((said > 0.5).astype(int), np.stack([1 - said, said], 1)), y)
    found = {s.group: s for s in subgroups(task, stats, None, {"sex": group})}
    assert found["m"].bias == pytest.approx((said - y)[group == "m"].mean())
    assert found["m"].bias_low < 0.15 < found["m"].bias_high and found["m"].bias_low > 0
    assert found["f"].bias_low < 0 < found["f"].bias_high
