"""Layers over training: what never changes, what only turns, what comes late; and which layers can be watched at all."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from gnomon.analyses.represent._watch import called_once
from gnomon.analyses.represent.cka import cka
from gnomon.analyses.represent.layers import layers
from gnomon.analyses.represent.learning_dynamics import learning_dynamics
from gnomon.analyses.represent.pwcca import pwcca
from gnomon.errors import InputError

sys.path.insert(0, str(Path(__file__).parents[1] / "attribute"))
from backward_nets import Breaks, hooks, images, seeded


def course():
    """Three layers over steps 0, 10, 100: one that never changes, one that is only turned, one that is new at 100."""
    dice = np.random.default_rng(0)
    still, turned, early, late = (dice.normal(size=(300, 6)) for _ in range(4))
    rotation = np.linalg.qr(dice.normal(size=(6, 6)))[0]
    return {0: {"still": still, "turned": turned, "late": early}, 10: {"still": still, "turned": 3 * turned @ rotation,
            "late": early}, 100: {"still": still, "turned": turned, "late": late}}


def test_what_is_kept_turned_and_new_is_told_apart():
    found = learning_dynamics(course(), measure=partial(cka, unbiased=True))
    assert found.layers == ("still", "turned", "late") and found.times == (0, 10, 100)
    assert np.allclose(found.final[:2], 1) and np.allclose(found.final[:, -1], 1)
    assert np.allclose(found.final[2, :2], 0, atol=0.1) and np.allclose(found.between[2, :2, :2], 1)
    assert np.allclose(found.between, found.between.transpose(0, 2, 1))
    assert found.half_way() == {"still": 0, "turned": 0, "late": 100}


def test_half_way_is_for_good():
    states = course()
    states = {0: states[0], 10: states[100], 50: states[0], 100: states[100]}  # there, back again, there
    assert learning_dynamics(states).half_way()["late"] == 100


def test_any_measure_serves_and_one_direction_alone_is_not_taken():
    states = {t: {"late": s["late"] @ np.diag([9, 5, 3, 1, 1, 1])} for t, s in course().items()}
    found = learning_dynamics(states, measure=pwcca)
    one, two = states[0]["late"], states[100]["late"]
    assert found.final[0, 0] == pytest.approx((pwcca(one, two).value + pwcca(two, one).value) / 2)


def test_times_must_hold_the_same_layers():
    with pytest.raises(InputError, match="two or more times"):
        learning_dynamics({0: course()[0]})
    with pytest.raises(InputError, match="same layers"):
        learning_dynamics({**course(), 200: {"still": np.ones((300, 6))}})


class Mixed(nn.Module):
    """A layer called twice, one never, one that gives a tuple, and two that can be watched."""

    def __init__(self):
        super().__init__()
        self.first, self.twice, self.never = nn.Linear(3, 4), nn.Linear(4, 4), nn.Linear(1, 1)
        self.read, self.last = nn.GRU(4, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        h = self.twice(self.twice(torch.relu(self.first(x))))
        return self.last(self.read(h[:, None])[0][:, -1])


def test_layers_that_can_be_watched_are_named_and_nothing_is_left_behind():
    model = seeded(Mixed)
    model.train()
    able, unable = called_once(model, torch.ones(5, 3), torch.ones(4, 3))
    assert able == {"first": 0, "last": 0} and set(unable) == {"twice", "never", "read"}
    assert hooks(model) == 0 and model.training
    broken = seeded(Breaks)
    with pytest.raises(ArithmeticError):
        called_once(broken, images(3), images(2))
    assert hooks(broken) == 0 and broken.training


class First(nn.Module):
    """Reads sequences first: its layer gives (places, rows, units)."""

    def __init__(self):
        super().__init__()
        self.last, self.inner = nn.Linear(4, 2), nn.Linear(3, 4)

    def forward(self, x):
        return self.last(self.inner(x.transpose(0, 1)).mean(dim=0))


def test_rows_along_the_second_axis_are_found_and_kept_in_order():
    model, x = seeded(First), seeded(lambda: torch.randn(7, 5, 3))
    axes, _ = called_once(model, x, x[:3])
    assert axes == {"inner": 1, "last": 0} and list(axes) == ["inner", "last"]  # in the order of the pass
    found = layers(model, x, ("inner", "last"), rows=axes, chunk=3)
    assert np.allclose(found["inner"], model.inner(x).mean(dim=1).detach().numpy(), atol=1e-6) and found["last"].shape == (7, 2)
