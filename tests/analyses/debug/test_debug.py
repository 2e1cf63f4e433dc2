"""The checks find planted faults, and leave sound networks alone."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2] / "methods"))

from deep_data import images, labelled_table, rows_of, table, task_of

from gnomon.analyses.debug.learning_rate import learning_rate
from gnomon.analyses.debug.norms import norms, of_log
from gnomon.analyses.debug.tiny_subset import tiny_subset
from gnomon.data.table import Dense, Spec
from gnomon.methods._desk import Desk
from gnomon.methods._log import read_log
from gnomon.methods._rate import pick_rate
from gnomon.methods._tiny import naive_loss
from gnomon.methods.labelled.supervised import supervised
from gnomon.models.images.resnet import resnet
from gnomon.models.tables.mlp import mlp
from gnomon.models.tables.tabm import tabm

DESK = Desk(steps=200, threads=1)
SMALL = partial(tabm, members=4, hidden=64, layers=2)


class Deaf(nn.Module):
    """A network whose inputs never reach the output."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, 8), nn.ReLU(), nn.Linear(8, 1))

    def forward(self, inputs):
        return self.layers(torch.ones(len(inputs["numbers"]), 1))

    embed = forward


class Sinking(nn.Module):
    """Thirty layers of sigmoids: gradients vanish on the way down."""

    def __init__(self, width: int):
        super().__init__()
        deep = [layer for _ in range(30) for layer in (nn.Sigmoid(), nn.Linear(8, 8))]
        self.layers = nn.Sequential(nn.Linear(width, 8), *deep, nn.Linear(8, 1))

    def forward(self, inputs):
        return self.layers(inputs["numbers"])


@pytest.mark.parametrize(("make", "build"), [(table, SMALL), (labelled_table, SMALL), (table, mlp),
                                             (images, partial(resnet, width=8))])
def test_sound_networks_learn_a_few_rows_by_heart(make, build):
    data = make(120)
    found = tiny_subset(task_of(data), build, data, np.arange(100), 0, DESK)
    assert [f.grade for f in found] == ["fine"] and found[0].values["loss_share"] <= 0.1


def test_a_deaf_network_is_found():
    data = table(120)
    found, = tiny_subset(task_of(data), lambda specs, out: Deaf(), data, np.arange(100), 0, DESK, steps=60)
    assert found.code == "DEBUG-TINY" and found.grade == "warn" and found.values["loss_share"] > 0.9


def test_rows_that_contradict_each_other_are_named_as_the_cause():
    data = labelled_table(120)
    same = {c: Dense(np.zeros_like(data.columns[c].values), data.columns[c].spec) for c in ("a", "b", "c")}
    twins = type(data)({**data.columns, **same}, data.roles, data.position)
    found, = tiny_subset(task_of(data), SMALL, twins, np.arange(100), 0, DESK, steps=40)
    assert found.grade == "note" and "different target" in found.claim and found.rows_total == 32


def test_the_naive_loss_is_the_best_constants():
    data = labelled_table(90)
    task = task_of(data)
    truth = torch.from_numpy(task.truth(data, np.arange(40)))
    share = float((truth == 1).float().mean())
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert naive_loss(task, truth) == pytest.approx(entropy, abs=1e-3)


def test_the_rate_is_the_same_for_the_same_seed_and_within_bounds():
    data = table(200)
    task = task_of(data)
    a, b = (learning_rate(task, SMALL, data, np.arange(150), 3, DESK) for _ in range(2))
    assert a.rate == b.rate and np.array_equal(a.losses, b.losses) and 5e-4 <= a.rate <= 6e-3
    assert a.losses[0] > a.losses.min()


def test_the_rate_lies_below_where_the_loss_breaks():
    rates = np.logspace(-4, 0, 41)
    losses = np.where(rates < 0.01, 1 - np.log10(rates / 1e-4) / 3, 5.0)
    assert pick_rate(rates, losses) == pytest.approx(0.0079 / 6, rel=0.1)
    assert pick_rate(rates[:2], losses[:2]) == 5e-4


def test_a_sound_run_draws_no_finding_above_fine(tmp_path):
    data = table(300)
    rows, _ = rows_of(data)
    learned = supervised(task_of(data), SMALL, data, rows, 0, Desk(steps=250, threads=1, folder=tmp_path))
    assert {(f.code, f.grade) for f in norms(learned, data, rows.fit, tmp_path)} == {("DEBUG-GRADIENT", "fine")}


def test_vanishing_gradients_are_found():
    data = table(120)
    rows, _ = rows_of(data)
    learned = supervised(task_of(data), lambda specs, out: Sinking(specs["numbers"].shape[0]), data, rows, 0,
                         Desk(steps=5, threads=1), rate=1e-3)
    found, = norms(learned, data, rows.fit)
    assert found.code == "DEBUG-GRADIENT" and found.grade == "warn" and "vanish" in found.claim


def test_weights_that_are_no_numbers_are_found():
    data = table(120)
    rows, _ = rows_of(data)
    learned = supervised(task_of(data), SMALL, data, rows, 0, Desk(steps=5, threads=1), rate=1e-3)
    with torch.no_grad():
        learned.module.layers[1].linear.weight[0, 0] = float("nan")
    assert norms(learned, data, rows.fit)[0].code == "DEBUG-NAN"


def test_overfitting_of_noise_is_seen_in_the_log(tmp_path):
    data = table(120)
    dice = np.random.default_rng(99)
    noise = type(data)({**data.columns, "y": Dense(dice.normal(size=120), Spec("number"))}, data.roles, data.position)
    rows, _ = rows_of(noise)
    learned = supervised(task_of(noise), SMALL, noise, rows, 0, Desk(steps=300, threads=1, folder=tmp_path), rate=6e-3)
    assert any("stop.loss" in line for line in read_log(tmp_path))
    assert "DEBUG-OVERFIT" in {f.code for f in norms(learned, noise, rows.fit, tmp_path)}


def test_the_course_of_a_log_is_read_rightly():
    def lines(train, stop):
        return [{"step": float(k), "seconds": 0.0, "fit.loss": t, "fit.norm": 9.0, "stop.loss": s}
                for k, (t, s) in enumerate(zip(train, stop, strict=True))]

    falling = np.linspace(1, 0.1, 40)
    assert of_log(lines(falling, falling), 1.0) == []
    rising = np.r_[falling[:20], np.linspace(0.5, 2, 20)]
    assert [f.code for f in of_log(lines(falling, rising), 1.0)] == ["DEBUG-OVERFIT"]
    flat = np.full(40, 0.95)
    under, = of_log(lines(flat, flat), 1.0)
    assert under.code == "DEBUG-UNDERFIT" and not under.values["still_falling"]
    trouble, = of_log([*lines(falling, falling), {"step": 40.0, "seconds": 0.0, "trouble": 1.0}], 1.0)
    assert trouble.code == "DEBUG-NAN" and trouble.values["steps"] == [40]
