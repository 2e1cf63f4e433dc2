"""The gates let a right attribution through and stop random, constant and input-only ones."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from attribution_fakes import Formula, table, values

from gnomon.analyses.attribute._explain import _withheld
from gnomon.analyses.attribute._gates import rank_correlation, top_pieces
from gnomon.analyses.attribute._ground import ground_of
from gnomon.analyses.attribute._question import ask
from gnomon.analyses.attribute.deletion_against_random import deletion_against_random
from gnomon.analyses.attribute.occlusion import of_pieces as occlusion
from gnomon.analyses.attribute.randomised_weights import randomised_weights
from gnomon.tasks.regress import regress

WEIGHTS = np.array([3.0, -2.0, 1.5, 1.0, -1.0, 0.5, 0.0, 0.0])


def predictor(weights):
    return Formula(lambda d, r: np.stack(values(d, r, *(f"x{j}" for j in range(8))), axis=1) @ weights)


def ground(seed=0, n=60):
    rng = np.random.default_rng(seed)
    data = table({**{f"x{j}": rng.normal(size=n) for j in range(8)}, "y": np.zeros(n)})
    rows, learned = np.arange(n), predictor(WEIGHTS)
    question = ask(regress("y"), learned.predict(data, rows))
    return ground_of(data, rows, rows, question, learned.predict), rng


def both(ground, scores, again, units=None):
    units = np.arange(len(scores)) if units is None else units
    return randomised_weights(scores, again, units), deletion_against_random(ground, scores, units)


def test_occlusion_of_a_linear_model_is_coefficient_times_distance_and_passes_both_gates():
    g, rng = ground()
    matrix, _ = g.data.numbers([f"x{j}" for j in range(8)])
    scores = occlusion(g)
    assert np.allclose(np.stack(scores), WEIGHTS * (matrix - np.median(matrix, axis=0)))
    again = []
    for _ in range(6):
        again.append(occlusion(replace(g, predict=predictor(rng.normal(size=8)).predict)))
    first, second = both(g, scores, again)
    assert first.passed and second.passed and second.low > 0.5


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_random_attribution_fails_deletion(seed):
    g, rng = ground(seed)
    scores = [rng.normal(size=8) for _ in range(len(g))]
    first, second = both(g, scores, [[rng.normal(size=8) for _ in range(len(g))] for _ in range(3)])
    assert first.passed and not second.passed


def test_a_constant_attribution_fails_both():
    g, _ = ground()
    scores = [np.ones(8)] * len(g)
    first, second = both(g, scores, [scores, scores])
    assert not first.passed and first.value == 1 and not second.passed


def test_an_attribution_that_reads_only_the_input_fails_the_first_gate():
    g, _ = ground()
    matrix, _ = g.data.numbers([f"x{j}" for j in range(8)])
    scores = list(matrix)
    assert not both(g, scores, [scores] * 3)[0].passed


def test_no_copies_or_too_few_units_never_pass():
    g, _ = ground()
    scores = occlusion(g)
    first, _ = both(g, scores, [])
    assert not first.passed and "not checked" in first.says
    first, second = both(g, scores, [[-s for s in scores]], units=np.arange(len(g)) % 2)
    assert not first.passed and not second.passed and second.low is None


def test_random_attributions_pass_deletion_no_more_often_than_they_should():
    """A two-sided 95 % interval lies above 0 by chance in 2.5 % of draws: at most 6 of 100 (P < 0.04 by binomial)."""
    passed = 0
    for seed in range(100):
        g, rng = ground(seed, n=25)
        passed += deletion_against_random(g, [rng.normal(size=8) for _ in range(25)], np.arange(25), seed=seed).passed
    assert passed <= 6


def test_rank_correlation_and_ties():
    assert rank_correlation(np.array([1, 2, 3]), np.array([2, 4, 9])) == pytest.approx(1)
    assert rank_correlation(np.ones(3), np.array([1, 2, 3])) == 1 and rank_correlation(np.arange(3), np.ones(3)) == 0
    hits = sum(top_pieces(np.zeros(10), 2, np.random.default_rng(s)) for s in range(500))
    assert hits.min() > 60 and hits.max() < 140


def test_too_few_units_fail_nothing():
    """Two units: no limits, so the explanation is withheld, but nothing says that it failed."""
    g, rng = ground()
    noise = [rng.normal(size=8) for _ in range(len(g))]
    attempt = SimpleNamespace(technique="occlusion", pieces="columns")
    few = both(g, noise, [noise], units=np.arange(len(g)) % 2)
    assert not any(gate.passed or gate.told for gate in few)
    said = _withheld(attempt, few).claim
    assert "fail" not in said and "deletion against random could not be judged (too few units or pieces to tell)" in said
    many = both(g, noise, [noise])
    assert all(gate.told for gate in many) and "it failed randomised weights and deletion" in _withheld(attempt, many).claim
    mixed = _withheld(attempt, [many[0], few[1]]).claim
    assert "it failed randomised weights (" in mixed and "and deletion against random could not be judged" in mixed
