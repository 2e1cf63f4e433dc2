"""Aggregated explanations: the members' own where they agree, never further from the truth than they are on average."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from attribution_fakes import Formula
from test_computed import molecules
from test_explain import mixed
from test_techniques import bright_patch, case_of, of_every_kind

from gnomon.analyses.attribute import _techniques
from gnomon.analyses.attribute._asked import asked, explain_asked
from gnomon.analyses.attribute._attempts import Attempt
from gnomon.analyses.attribute._explain import judged
from gnomon.analyses.attribute._techniques import TECHNIQUES, attributed, seconds_for
from gnomon.analyses.attribute.aggregated import aggregated, of_maps
from gnomon.analyses.attribute.feature_ablation import feature_ablation
from gnomon.analyses.attribute.integrated_gradients import integrated_gradients
from gnomon.analyses.attribute.occlusion import occlusion
from gnomon.analyses.attribute.occlusion import of_pieces as occluded
from gnomon.analyses.attribute.optimised_mask import optimised_mask
from gnomon.errors import InputError
from gnomon.rng import stream
from gnomon.tasks.regress import regress


def line(width=6):
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return torch.nn.Linear(width, 1, bias=False), torch.randn(5, width)


def curved(width=9):
    with torch.random.fork_rng():
        torch.manual_seed(4)
        net = torch.nn.Sequential(torch.nn.Linear(width, 12), torch.nn.Tanh(), torch.nn.Linear(12, 1))
        return net, torch.randn(7, width)


def test_of_a_linear_model_members_agree_and_it_is_their_scaled_attribution():
    model, x = line()
    found = aggregated(model, x, None, members=(integrated_gradients, occlusion, feature_ablation))
    product = model.weight.detach() * x
    assert torch.allclose(found, product / product.abs().sum(dim=1, keepdim=True), atol=1e-5)
    assert torch.allclose(found.abs().sum(dim=1), torch.ones(5))


def test_the_error_of_the_mean_is_the_members_mean_error_less_their_spread():
    """Whatever the truth: an identity, of which the paper's inequality is one side."""
    model, x = curved()
    members = (integrated_gradients, occlusion, partial(optimised_mask, steps=30))
    maps = [m(model, x, None).detach().numpy().astype(float) for m in members]
    mean = np.stack(of_maps(maps))
    each = np.stack([m / np.abs(m).sum(axis=1, keepdims=True) for m in maps])
    for draw in range(3):
        truth = stream(draw, "truth").normal(size=mean.shape)
        error, errors = ((mean - truth) ** 2).sum(axis=1), ((each - truth) ** 2).sum(axis=2).mean(axis=0)
        assert np.allclose(error, errors - each.var(axis=0).sum(axis=1)) and (error < errors).all()
    assert np.allclose(aggregated(model, x, None, members=members).numpy(), mean, atol=1e-5)


def test_over_the_spread_what_members_disagree_on_counts_less():
    """Two places of one mean, the second of which only one member sees."""
    one, two = np.array([[0.4, 0.4, 0.2]]), np.array([[0.4, 0.0, 0.6]])
    plain, = of_maps([one, two])
    over, = of_maps([one, two], by_spread=True)
    assert plain[1] == pytest.approx(0.2) and plain[0] == pytest.approx(plain[2])
    apart = np.array([0.0, 0.2, 0.2])
    assert over == pytest.approx(plain / (apart + apart.mean()))
    assert np.argmax(over) == 0
    assert np.allclose(of_maps([one, one], by_spread=True), one)  # nothing to divide by


def test_a_member_that_says_nothing_of_a_row_adds_nothing():
    found, = of_maps([np.array([[0.0, 0.0]]), np.array([[3.0, -1.0]])])
    assert found == pytest.approx([0.375, -0.125])


def test_a_low_output_is_told_by_all_members_with_one_sign():
    """Minus a sum: gradients and deletions say so below 0, and so does the mask."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = torch.nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-2.0, -1.0, 0.0, 0.0]]))
    found = aggregated(model, torch.ones(2, 4), None)
    assert (found[:, :2] < -0.2).all() and found[:, 2:].abs().max() < 0.05


def test_in_a_study_it_is_the_mean_of_its_members_on_pieces_and_says_how_they_agree():
    case = of_every_kind().only(np.arange(3))
    attempt = TECHNIQUES["aggregated"](case)
    assert isinstance(attempt, Attempt), attempt
    ground = case.ground()
    maps = [attributed(case, case.learned, ground, n).scores for n in _techniques.MEMBERS] + [occluded(ground)]
    for row, wanted in zip(attempt.scores, of_maps(maps), strict=True):
        assert np.allclose(row, wanted, atol=1e-6) and 0 < np.abs(row).sum() <= 1 + 1e-9
    checks = {c["name"]: c for c in attempt.other_checks}
    assert -1 <= checks["agreement of its members"]["value"] <= 1 and attempt.of == "weights" and len(attempt.again) >= 3
    assert "completeness" not in checks and set(attempt.columns) >= {"img", "a"}


def test_copies_are_occluded_through_their_own_weights():
    case = molecules(curved=True)
    copies, _ = case.randomised()
    attempt, ground = TECHNIQUES["aggregated"](case), case.ground()
    wanted = attributed(replace(case, learned=copies[0]), copies[0], replace(ground, predict=copies[0].predict), "aggregated")
    assert all(np.allclose(a, b) for a, b in zip(attempt.again[0], wanted.scores, strict=True))
    assert not np.allclose(attempt.again[0][0], attempt.scores[0], atol=1e-3)


def test_both_gates_pass_where_the_cue_is_found():
    case = bright_patch()
    attempt = replace(TECHNIQUES["aggregated"](case), units=np.arange(40))
    assert all(g.passed for g in judged(attempt, 0))


def test_a_study_can_be_asked_for_it_and_its_estimate_times_every_member(monkeypatch):
    case = molecules(curved=True)
    put = asked(case.learned, case.task, case.data, np.arange(16), np.arange(16), end=float("inf"))
    entry, = explain_asked(put, ("aggregated",)).explanations
    assert entry["technique"] == "aggregated" and entry["pieces"] == "atoms"
    calls = Counter()

    def counted(name, way):
        def call(*given, **more):
            calls[name] += 1
            return way(*given, **more)
        return call

    for name in _techniques.MEMBERS:
        monkeypatch.setitem(_techniques.WAYS, name, counted(name, _techniques.WAYS[name]))
    monkeypatch.setattr(_techniques.occlusion, "of_pieces", counted("occlusion", occluded))
    assert seconds_for(replace(case, end=time.monotonic() + 1000), "aggregated") > 0
    assert len(calls) == 3 and len(set(calls.values())) == 1 and calls["occlusion"] >= 2


def test_what_has_no_gradient_is_refused_in_words():
    data = mixed(12)
    case = case_of(Formula(lambda d, r: np.zeros(len(r))), regress("y"), data, np.arange(4))
    assert "goes back through a network" in TECHNIQUES["aggregated"](case) and seconds_for(case, "aggregated") == 0
    with pytest.raises(InputError, match="as a tensor"):
        aggregated(line()[0], [[1.0, 2.0]], None)


def test_long_rows_are_refused_in_words(monkeypatch):
    monkeypatch.setattr(_techniques, "MOST_PIECES", 3)
    assert "more than 3 pieces" in TECHNIQUES["aggregated"](of_every_kind())
