"""States of the weights over a run: the steps they are of, the same after a kill, none of another course."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

sys.path.insert(0, str(Path(__file__).parent))
from test_loop import Draws, net, player, weights

from gnomon.methods._desk import Desk
from gnomon.methods._loop import descend
from gnomon.methods._snapshots import FOLDER, kept_snapshots, snapshot_steps, snapshot_weights


def run(folder, kill=None, snapshots=6, **rest):
    """60 steps with dropout; or killed in the middle of a step and begun again in a fresh module."""
    desk = Desk(steps=60, folder=folder, checkpoint_seconds=0.0, threads=1, snapshots=snapshots)
    batches, module = Draws(), net()
    for step in descend([player(module, batches, **rest)], batches, seed=5, desk=desk, stamp="s"):
        if step.number == kill:
            return run(folder, None, snapshots, **rest)
    return module


def held(folder):
    return {step: load_file(path) for step, path in kept_snapshots(folder / FOLDER).items()}


def test_steps_are_in_equal_ratios_and_few():
    assert snapshot_steps(1000, 6) == (0, 10, 32, 100, 316, 1000)
    assert snapshot_steps(60, 6) == (0, 1, 3, 8, 22, 60)  # 60 to the powers of 1/4
    assert snapshot_steps(5, 6) == (0, 1, 2, 3, 5) and snapshot_steps(1000, 1) == (0,) and snapshot_steps(1000, 0) == ()
    assert len(snapshot_steps(10**6, 100)) == 6


@pytest.mark.parametrize("kill", [1, 8, 22, 60])
def test_a_killed_run_keeps_the_same_ones_bit_for_bit(tmp_path, kill):
    module = run(tmp_path / "whole")
    run(tmp_path / "killed", kill)
    one, two = held(tmp_path / "whole"), held(tmp_path / "killed")
    assert tuple(one) == tuple(two) == snapshot_steps(60, 6)
    for step in one:
        assert one[step].keys() == two[step].keys() and all(torch.equal(one[step][k], two[step][k]) for k in one[step])
    first, last = ([snapshot_weights(p, net().state_dict()) for p in kept_snapshots(tmp_path / "whole" / FOLDER).values()][i]
                   for i in (0, -1))
    assert all(torch.equal(v, net().state_dict()[k]) for k, v in first.items())  # before the first step
    assert all(torch.equal(v, module.state_dict()[k]) for k, v in last.items())


def test_they_change_nothing_and_are_off_by_default(tmp_path):
    assert torch.equal(weights(run(tmp_path / "with")), weights(run(tmp_path / "without", snapshots=0)))
    assert not (tmp_path / "without" / FOLDER).exists() and Desk().snapshots == 0
    assert not list(Path(tmp_path / "with").glob("**/*.part"))


def test_a_run_begun_anew_keeps_none_of_another(tmp_path):
    desk = Desk(steps=60, folder=tmp_path, snapshots=6, threads=1)
    run(tmp_path)
    batches, module = Draws(), net()
    for step in descend([player(module, batches)], batches, seed=6, desk=replace(desk, steps=40), stamp="another"):
        if step.number == 6:
            break
    assert tuple(held(tmp_path)) == (0, 1, 3)  # of 40 steps: 0, 1, 3, 6 (broken off in it), ...


def test_states_of_a_course_that_was_undone_are_gone(tmp_path):
    """A loss that explodes after a snapshot: the run goes back, and what was kept beyond is of the new course."""
    batches, module, said = Draws(), nn.Linear(4, 1), []
    from gnomon.methods._players import Player

    wild = Player("fit", module, lambda b: {"error": ((module(batches.x[b]) - batches.y[b]) ** 2).mean()},
                  lambda m: torch.optim.SGD(m.parameters(), lr=1.5))
    seen = {}
    for step in descend([wild], batches, seed=0, desk=Desk(steps=80, folder=tmp_path, snapshots=6, say=said.append),
                        read_every=4):
        seen[step.number] = module.weight.detach().clone()  # of the last time that the step was taken
    assert any("rate halved" in line for line in said)
    for step, found in held(tmp_path).items():
        if step:
            assert torch.equal(found["fit/weight"], seen[step])


def test_the_player_that_fits_is_found_among_several(tmp_path):
    one, two = nn.Linear(4, 2), nn.Linear(4, 1)
    batches = Draws()

    def loss(module):
        return lambda b: {"error": module(batches.x[b]).pow(2).mean()}

    from gnomon.methods import _kit as kit
    from gnomon.methods._players import Player

    both = [Player(name, m, loss(m), kit.adamw(1e-2, 0.0)) for name, m in (("critic", nn.Sequential(one)), ("maker", two))]
    list(descend(both, batches, seed=1, desk=Desk(steps=3, folder=tmp_path, snapshots=2)))
    path = kept_snapshots(tmp_path / FOLDER)[3]
    assert torch.equal(snapshot_weights(path, two.state_dict())["weight"], two.weight)
    assert snapshot_weights(path, nn.Conv1d(1, 1, 1, bias=False).state_dict()) is None
