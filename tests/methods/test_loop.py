"""Laws of the loop: resumed equals unbroken, trouble is met with a remedy, players do not touch each other."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from gnomon.errors import TrainingError
from gnomon.methods import _device as device
from gnomon.methods import _kit as kit
from gnomon.methods import _loop as loop
from gnomon.methods._checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from gnomon.methods._desk import Desk
from gnomon.methods._log import Log, read_log
from gnomon.methods._loop import descend
from gnomon.methods._players import Player


class Draws:
    """Batches of noise with a linear rule; `poison` makes row 3 of the data not a number."""

    def __init__(self, poison: bool = False, n: int = 64):
        dice = torch.Generator().manual_seed(0)
        self.x = torch.randn(n, 4, generator=dice)
        self.y = self.x.sum(dim=1, keepdim=True)
        self.masked: set[int] = set()
        if poison:
            self.x[3] = math.nan

    def draw(self, step):
        order = np.random.default_rng(step).permutation(len(self.x))
        return [int(i) for i in order[:16] if int(i) not in self.masked]

    def split(self, batch, parts):
        pieces = [[int(i) for i in p] for p in np.array_split(batch, parts)]
        return [(len(p) / len(batch), p) for p in pieces]

    def mask(self, batch, healthy):
        bad = {i for i in batch if not healthy([i])}
        self.masked |= bad if len(bad) < len(batch) / 2 else set()
        return len(bad) if len(bad) < len(batch) / 2 else 0

    def state(self):
        return {"masked": sorted(self.masked)}

    def restore(self, state):
        self.masked |= set(state["masked"])


def net() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.BatchNorm1d(16), nn.Dropout(0.3), nn.Linear(16, 1))


def player(module, batches, **rest) -> Player:
    return Player("fit", module, lambda b: {"error": ((module(batches.x[b]) - batches.y[b]) ** 2).mean()},
                  kit.adamw(1e-2, 0.01), kit.warm_cosine(60), **rest)


def weights(module: nn.Module) -> torch.Tensor:
    return torch.cat([v.flatten().double() for v in module.state_dict().values()])


def run(folder, steps_before_kill: int | None = None, **rest) -> nn.Module:
    """60 steps with dropout; or killed after so many and begun again in a fresh module."""
    desk = Desk(steps=60, folder=folder, checkpoint_seconds=0.0, threads=1)
    batches, module = Draws(), net()
    best = kit.Best(module)
    for step in descend([player(module, batches, **rest)], batches, {"best": best}, seed=5, desk=desk, stamp="s"):
        best.see(-step.number if step.number < 20 else 0.0, step.number)
        if step.number == steps_before_kill:
            return run(folder, None, **rest)
    assert best.step == 19
    return module


def test_a_killed_run_equals_an_unbroken_one_bit_for_bit(tmp_path):
    whole = weights(run(tmp_path / "whole"))
    for kill in (7, 23, 60):
        assert torch.equal(whole, weights(run(tmp_path / f"killed{kill}", kill)))
    assert not torch.equal(whole, weights(net()))


def test_the_resumed_run_really_resumed(tmp_path):
    """The law above would hold by starting afresh too: count the steps taken."""
    said: list[str] = []
    desk = Desk(steps=60, folder=tmp_path, checkpoint_seconds=0.0, say=said.append)
    for _ in range(2):
        batches, module, taken = Draws(), net(), 0
        for step in descend([player(module, batches)], batches, seed=5, desk=desk, stamp="s"):
            taken += 1
            if step.number == 31:
                break
    assert taken == 1 and said == ["resumed at step 30 of 60"]
    module = net()
    list(descend([player(module, Draws())], Draws(), seed=5, desk=replace(desk, steps=1), stamp="other"))
    assert len(said) == 1  # another stamp: not resumed


def test_steps_leave_the_processes_dice_alone_and_draw_their_own():
    results = []
    for seed in (7, 8):
        batches, module = Draws(), net()
        torch.manual_seed(seed)
        wanted = torch.rand(3)
        torch.manual_seed(seed)
        list(descend([player(module, batches)], batches, seed=5, desk=Desk(steps=20)))
        assert torch.equal(torch.rand(3), wanted)
        results.append(weights(module))
    assert torch.equal(*results)


def test_rows_that_give_no_number_are_left_out_and_the_run_goes_on(tmp_path):
    said: list[str] = []
    batches, module = Draws(poison=True), net()
    desk = Desk(steps=60, folder=tmp_path, say=said.append)
    last = None
    log = Log(tmp_path)
    for step in descend([player(module, batches)], batches, seed=5, desk=desk, log=log):
        last = step.reading or last
    log.close()
    assert batches.masked == {3} and "left out" in " ".join(said)
    assert torch.isfinite(weights(module)).all() and last["fit.error"] < 2.0
    assert any("trouble" in line for line in read_log(tmp_path))


def test_a_loss_that_explodes_is_undone_and_the_rate_halved():
    said: list[str] = []
    batches, module = Draws(), nn.Linear(4, 1)
    wild = Player("fit", module, lambda b: {"error": ((module(batches.x[b]) - batches.y[b]) ** 2).mean()},
                  lambda m: torch.optim.SGD(m.parameters(), lr=1.5))
    readings = [s.reading["fit.error"] for s in descend([wild], batches, seed=0, desk=Desk(steps=80, say=said.append),
                                                        read_every=4) if s.reading]
    assert any("rate halved" in line for line in said)
    assert readings[-1] < readings[0]


def test_a_loss_that_is_never_a_number_ends_in_words():
    batches, module = Draws(), nn.Linear(4, 1)
    lost = Player("fit", module, lambda b: {"error": module(batches.x[b]).sum() * math.nan}, kit.adamw(1e-3, 0.0))
    with pytest.raises(TrainingError, match="E-DIVERGED"):
        list(descend([lost], batches, seed=0, desk=Desk(steps=50)))


def test_out_of_memory_is_met_by_halves_with_the_same_gradient():
    """Batches over 8 rows "do not fit": the weights must be those of whole batches (a net without batch norm)."""
    results = []
    for limit in (16, 8):
        batches = Draws()
        torch.manual_seed(1)
        module = nn.Linear(4, 1)

        def loss(b, module=module, batches=batches, limit=limit):
            if len(b) > limit:
                raise RuntimeError("CUDA out of memory. Tried to allocate 20 GiB")
            return {"error": ((module(batches.x[b]) - batches.y[b]) ** 2).mean()}

        said: list[str] = []
        list(descend([Player("fit", module, loss, kit.adamw(1e-2, 0.0))], batches, seed=0,
                     desk=Desk(steps=30, say=said.append)))
        results.append((weights(module), said))
    assert torch.allclose(results[0][0], results[1][0], atol=1e-6)
    assert not results[0][1] and "2 parts" in results[1][1][0]


def test_two_players_do_not_leak_into_each_other():
    """The critic's loss runs through the maker too; only the critic's own weights may move by it."""
    batches = Draws()
    torch.manual_seed(0)
    maker, critic = nn.Linear(4, 4), nn.Linear(4, 1)
    still = Player("maker", maker, lambda b: {"none": maker(batches.x[b]).sum() * 0}, kit.adamw(1e-2, 0.0), every=2)
    moves = Player("critic", critic, lambda b: {"some": critic(maker(batches.x[b])).pow(2).mean()},
                   kit.adamw(1e-2, 0.0))
    before = weights(maker).clone(), weights(critic).clone()
    names = set()
    for step in descend([still, moves], batches, seed=0, desk=Desk(steps=20), read_every=3):
        names |= set(step.reading or {})
    assert torch.equal(before[0], weights(maker)) and not torch.equal(before[1], weights(critic))
    assert names == {"maker.none", "maker.norm", "critic.some", "critic.norm"}


def test_clipping_bounds_the_step():
    batches, module = Draws(), nn.Linear(4, 1)
    start = weights(module).clone()
    one = Player("fit", module, lambda b: {"e": 1e4 * ((module(batches.x[b]) - batches.y[b]) ** 2).mean()},
                 lambda m: torch.optim.SGD(m.parameters(), lr=1.0), clip=0.5, explodes=math.inf)
    list(descend([one], batches, seed=0, desk=Desk(steps=1)))
    assert float((weights(module) - start).norm()) == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("optimiser", [kit.adamw(1e-2, 0.01), lambda m: torch.optim.SGD(m.parameters(), lr=1e-3)])
def test_the_way_of_a_gpu_takes_the_same_steps(monkeypatch, optimiser):
    """There the clip and the look at the gradient happen without waiting for the device; also with a poisoned row."""

    class Elsewhere(loop._Run):
        def __init__(self, *given):
            super().__init__(*given)
            self.on_cpu = False

    ends, masked = [], []
    for made in (loop._Run, Elsewhere):
        monkeypatch.setattr(loop, "_Run", made)
        for poison in (False, True):
            batches = Draws(poison)
            torch.manual_seed(1)
            module = nn.Linear(4, 1)
            fit = Player("fit", module, lambda b, m=module, d=batches: {"e": ((m(d.x[b]) - d.y[b]) ** 2).mean()},
                         optimiser, clip=0.5)
            list(descend([fit], batches, seed=0, desk=Desk(steps=40), read_every=5))
            ends.append(weights(module))
            masked.append(batches.masked)
    assert torch.allclose(ends[0], ends[2], atol=1e-5) and torch.isfinite(ends[3]).all()
    assert masked == [set(), {3}, set(), {3}]


def test_decay_spares_biases_norms_and_embeddings():
    module = nn.ModuleDict({"e": nn.Embedding(5, 3), "l": nn.Linear(3, 2), "n": nn.LayerNorm(2)})
    groups = {id(w): g["weight_decay"] for g in kit.adamw(1e-3, 0.1)(module).param_groups for w in g["params"]}
    assert groups[id(module["l"].weight)] == 0.1
    free = (module["l"].bias, module["e"].weight, module["n"].weight, module["n"].bias)
    assert {groups[id(w)] for w in free} == {0.0}


def test_the_schedule_rises_peaks_and_ends_at_nothing():
    factor = kit.warm_cosine(200)
    values = [factor(k) for k in range(200)]
    assert values[0] < 0.2 and max(values) == 1.0 and values.index(1.0) == 10 and values[-1] < 1e-3


def test_a_checkpoint_is_whole_or_absent(tmp_path):
    path = tmp_path / CHECKPOINT
    state = {"a": [torch.arange(3), {"b": np.array([1.5])}], "n": {"1": (2, None, "x")}, 7: True}
    write_checkpoint(path, state, "s")
    back = read_checkpoint(path, "s")
    assert torch.equal(back["a"][0], state["a"][0]) and back["a"][1]["b"][0] == 1.5
    assert back["n"] == {"1": (2, None, "x")} and back[7] is True
    assert read_checkpoint(path, "t") is None
    path.write_bytes(path.read_bytes()[:100])
    assert read_checkpoint(path, "s") is None


def test_the_log_is_readable_widens_and_rewinds(tmp_path):
    log = Log(tmp_path)
    log.write(5, {"fit.loss": 1.25})
    log.write(10, {"fit.loss": 1.0, "stop.loss": 2.0})
    log.close()
    assert [line["step"] for line in read_log(tmp_path)] == [5, 10]
    assert read_log(tmp_path)[1]["stop.loss"] == 2.0 and "stop.loss" not in read_log(tmp_path)[0]
    again = Log(tmp_path)
    again.rewind(5)
    again.write(6, {"fit.loss": 0.5})
    again.write(7, {"fit.loss": 0.4})
    again.flush()
    assert [line["step"] for line in read_log(tmp_path)] == [5, 6, 7]
    again.close()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert "fit/loss" in events.Tags()["scalars"]


def test_threads_are_taken_only_where_they_pay(monkeypatch):
    for alone, together, wanted in ((1.0, 0.5, 2), (1.0, 0.95, 1), (1.0, 30.0, 1)):
        monkeypatch.setattr(device, "_step_seconds", {1: alone, 2: together}.__getitem__)
        assert device.threads_that_pay(2) == wanted
    monkeypatch.undo()
    before = torch.get_num_threads()
    assert device.threads_that_pay(1) == 1 and device.threads_that_pay(2) in (1, 2)
    assert torch.get_num_threads() == before


def test_tensorboard_reads_what_the_log_wrote_and_no_name_of_the_computer(tmp_path):
    import socket

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = Log(tmp_path)
    for step in (10, 20):
        log.write(step, {"valid.rmse": 1.0 / step})
    log.close()
    told = EventAccumulator(str(tmp_path)).Reload()
    assert [(s.step, round(s.value, 6)) for s in told.Scalars("valid/rmse")] == [(10, 0.1), (20, 0.05)]
    assert not any(socket.gethostname() in p.name for p in tmp_path.iterdir())
