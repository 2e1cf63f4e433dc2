"""supervised: learns, is reproducible, resumes, saves and loads, refuses in words."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from deep_data import data_of, images, labelled_table, rows_of, table, task_of

import gnomon.methods._kit as kit
from gnomon.data.parts import Rows
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.errors import InputError
from gnomon.methods._desk import Desk
from gnomon.methods._learned import load_learned
from gnomon.methods._log import read_log
from gnomon.methods.labelled.supervised import batch_rows, steps_per_second, supervised
from gnomon.models.images.resnet import resnet
from gnomon.models.tables.mlp import mlp
from gnomon.models.tables.tabm import tabm
from gnomon.tasks.several import several

SMALL = partial(tabm, members=4, hidden=32, layers=2)


def score(task, learned, data, rows) -> float:
    return task.score(task.measure(learned.predict(data, rows), task.truth(data, rows)))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_beats_knowing_nothing_by_far_on_numbers(seed):
    data = table(300, seed)
    rows, test = rows_of(data)
    task = task_of(data)
    learned = supervised(task, SMALL, data, rows, seed, Desk(steps=250, threads=1))
    naive = task.score(task.measure(task.naive(task.truth(data, rows.fit)).predict(len(test)), task.truth(data, test)))
    assert score(task, learned, data, test) < 0.4 * naive


def test_beats_knowing_nothing_on_classes_and_probabilities_are_sound():
    data = labelled_table(300)
    rows, test = rows_of(data)
    task = task_of(data)
    learned = supervised(task, partial(mlp, hidden=32), data, rows, 0, Desk(steps=150, threads=1), rate=3e-3)
    assert score(task, learned, data, test) > 0.93
    proba = learned.predict(data, test).proba
    assert np.allclose(proba.sum(axis=1), 1) and learned.embed(data, test).shape == (len(test), 32)


def test_same_seed_same_weights_other_seed_others():
    data = table(120)
    rows, test = rows_of(data)
    task = task_of(data)
    desk = Desk(steps=30, threads=1)
    a, b, c = (supervised(task, SMALL, data, rows, seed, desk).predict(data, test).value for seed in (1, 1, 2))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


def test_a_killed_study_run_resumes_to_the_same_predictions(tmp_path):
    data = table(160)
    rows, test = rows_of(data)
    task = task_of(data)
    build = partial(tabm, members=2, hidden=16, layers=2, dropout=0.2)
    desk = Desk(steps=80, threads=1, folder=tmp_path / "whole", checkpoint_seconds=0.0)
    whole = supervised(task, build, data, rows, 3, desk).predict(data, test).value

    class Killed(Exception):
        pass

    def kill(line: str) -> None:
        if line.startswith("step 40 "):
            raise Killed

    broken = Desk(steps=80, threads=1, folder=tmp_path / "broken", checkpoint_seconds=0.0, say=kill)
    with pytest.raises(Killed):
        supervised(task, build, data, rows, 3, broken)
    said: list[str] = []
    again = Desk(steps=80, threads=1, folder=tmp_path / "broken", checkpoint_seconds=0.0, say=said.append)
    assert np.array_equal(whole, supervised(task, build, data, rows, 3, again).predict(data, test).value)
    assert said[0].startswith("resumed at step")
    steps = [line["step"] for line in read_log(tmp_path / "broken")]
    assert steps == sorted(steps)


KILLED = """
import os, sys
from functools import partial
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from deep_data import rows_of, table, task_of
from gnomon.methods._desk import Desk
from gnomon.methods.labelled.supervised import supervised
from gnomon.models.tables.tabm import tabm

data = table(160)
die = lambda line: os._exit(9) if line.startswith("step 40 ") else None
supervised(task_of(data), partial(tabm, members=2, hidden=16, layers=2, dropout=0.2), data, rows_of(data)[0], 3,
           Desk(steps=80, threads=1, folder=Path(sys.argv[1]), checkpoint_seconds=0.0, say=die))
"""


def test_a_run_killed_in_another_process_resumes_too(tmp_path):
    """Nothing in the stamp or the checkpoint may depend on the process; the rate found by the range test is kept."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(Path(__file__).parent)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    assert subprocess.run(command, env=environment).returncode == 9
    data = table(160)
    rows, test = rows_of(data)
    build = partial(tabm, members=2, hidden=16, layers=2, dropout=0.2)
    said: list[str] = []
    desk = Desk(steps=80, threads=1, folder=tmp_path, checkpoint_seconds=0.0, say=said.append)
    resumed = supervised(task_of(data), build, data, rows, 3, desk).predict(data, test).value
    assert said[0].startswith("resumed at step 3")
    whole = supervised(task_of(data), build, data, rows, 3, Desk(steps=80, threads=1)).predict(data, test).value
    assert np.array_equal(resumed, whole)


@pytest.mark.parametrize("make", [table, labelled_table, images])
def test_saves_and_loads_without_pickles(make, tmp_path):
    data = make(80)
    rows, test = rows_of(data)
    task = task_of(data)
    build = partial(resnet, width=8) if make is images else SMALL
    learned = supervised(task, build, data, rows, 0, Desk(steps=12, threads=1, folder=tmp_path), rate=1e-3)
    learned.save(tmp_path)
    back = load_learned(tmp_path)
    a, b = learned.predict(data, test), back.predict(data, test)
    assert np.allclose(a.value, b.value) and (a.proba is None or np.allclose(a.proba, b.proba))
    assert json.loads((tmp_path / "learned.json").read_text())["kind"] == "network"
    assert {p.suffix for p in tmp_path.iterdir() if "tfevents" not in p.name} == {".json", ".safetensors", ".csv"}
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_a_users_own_network_is_trained_and_loaded_but_never_run_from_the_folder(tmp_path):
    from gnomon.methods import _trust

    def own(inputs, out):
        return torch.nn.Sequential(_Pick(), torch.nn.Linear(inputs["numbers"].shape[0], out.shape[0]))

    data = table(80)
    rows, test = rows_of(data)
    learned = supervised(task_of(data), own, data, rows, 0, Desk(steps=40, threads=1), rate=5e-3)
    learned.save(tmp_path)
    wanted = learned.predict(data, test).value
    assert np.allclose(load_learned(tmp_path).predict(data, test).value, wanted)
    _trust.RUN_HERE.clear()  # as in another process
    with pytest.raises(InputError, match="E-TRUST"):
        load_learned(tmp_path)
    assert np.allclose(load_learned(tmp_path, build=own).predict(data, test).value, wanted)


class _Pick(torch.nn.Module):
    def forward(self, inputs):
        return inputs["numbers"]


def test_several_targets_with_gaps_are_learned_together(tmp_path):
    data = table(240)
    a, y = data.columns["a"].values, data.columns["y"].values.copy()
    y[1::2] = np.nan
    both = data_of({**data.columns, "y": Dense(y, Spec("number")),
                    "high": Dense(np.where(np.arange(240) % 3 == 0, -1, a > 1000).astype(np.int32),
                                  Spec("category", categories=("no", "yes")))}, "y").with_role("high", "target", "test")
    from gnomon.tasks.classify import classify
    from gnomon.tasks.regress import regress

    tasks = (regress("y", mean=np.nanmean(y), sd=np.nanstd(y)), classify("high", ("no", "yes")))
    with pytest.raises(InputError, match="E-METRIC-MIXED"):
        several(tasks)
    task = several((regress("y", mean=np.nanmean(y), sd=np.nanstd(y), metric="r2"),
                    regress("a", mean=1000.0, sd=50.0, metric="r2")))
    both = both.with_role("a", "target", "test").with_role("high", "input", "test")
    rows, test = rows_of(both)
    learned = supervised(task, SMALL, both, rows, 0, Desk(steps=200, threads=1))
    assert score(task, learned, both, test) > 0.2
    learned.save(tmp_path)
    back = load_learned(tmp_path).predict(both, test)
    assert np.allclose(back.parts[0].value, learned.predict(both, test).parts[0].value)


def test_weights_of_rows_count():
    """Half the rows say the opposite and weigh next to nothing."""
    data = table(200)
    y = data.columns["y"].values.copy()
    y[::2] = 2 * y.mean() - y[::2]
    weight = np.where(np.arange(200) % 2 == 0, 1e-4, 1.0)
    told = Data({**data.columns, "y": Dense(y, Spec("number")), "w": Dense(weight, Spec("number"))},
                {**data.roles, "w": Role("weight", "test")}, data.position)
    task = task_of(told)
    learned = supervised(task, SMALL, told, Rows(np.arange(150), np.arange(0)), 0, Desk(steps=150, threads=1))
    assert score(task, learned, told, np.arange(151, 200, 2)) < 0.6 * float(np.std(y))


def test_rows_with_extreme_inputs_do_not_stop_a_run():
    data = table(120)
    a = data.columns["a"].values.copy()
    a[5], a[6] = np.inf, 1e300
    wild = data_of({**data.columns, "a": Dense(a, Spec("number"))}, "y")
    rows, _ = rows_of(wild)
    learned = supervised(task_of(wild), SMALL, wild, rows, 0, Desk(steps=20, threads=1), rate=1e-3)
    assert np.isfinite(learned.predict(wild, np.arange(120)).value).all()


def test_rows_of_pixels_that_are_no_numbers_are_left_out():
    data = images(96, dtype=np.float32)
    pixels = data.columns["picture"].values.copy()
    pixels[7, 0, 0, 0] = np.nan
    said: list[str] = []
    broken = data_of({**data.columns, "picture": Dense(pixels, data.columns["picture"].spec)}, "bar")
    rows, test = rows_of(broken)
    desk = Desk(steps=20, threads=1, say=said.append)
    learned = supervised(task_of(broken), partial(resnet, width=8), broken, rows, 0, desk, rate=1e-3, batch=16)
    assert np.isfinite(learned.predict(broken, test).proba).all()
    assert any("1 training row gave a loss that is not a number" in line for line in said)


def test_what_cannot_be_trained_is_refused_in_words():
    data = table(60)
    rows, _ = rows_of(data)
    gone = data_of({**data.columns, "y": Dense(np.full(60, np.nan), Spec("number"))}, "y")
    with pytest.raises(InputError, match="E-LABELS-NONE"):
        supervised(task_of(data), SMALL, gone, rows, 0, Desk(steps=5))
    nothing = data.with_role("a", "ignore", "").with_role("b", "ignore", "").with_role("c", "ignore", "")
    with pytest.raises(InputError, match="E-INPUTS-NONE"):
        supervised(task_of(data), SMALL, nothing, rows, 0, Desk(steps=5))


def test_speed_is_measured_and_the_batch_follows_the_rows():
    data = table(200)
    speed = steps_per_second(task_of(data), SMALL, data, np.arange(150), Desk(threads=1), batch=32)
    assert 5 < speed < 5000
    assert [batch_rows(n) for n in (10, 100, 1000, 10_000, 10**6)] == [10, 32, 32, 128, 256]


def test_every_row_is_seen_once_an_epoch_and_batches_depend_on_the_step_alone():
    data = table(96)
    from gnomon.data.tensors import fit_tensors

    rows = np.arange(3, 93)
    tensors = fit_tensors(data, rows, data.inputs)

    def make():
        return kit.RowBatches(data, rows, tensors, torch.zeros(90), torch.ones(90), batch=30, seed=4, device="cpu",
                              lengths=np.arange(90))

    batches = make()
    first = [batches.draw(k).rows for k in range(6)]
    assert np.array_equal(np.sort(np.concatenate(first[:3])), np.arange(90))
    assert np.array_equal(make().draw(4).rows, first[4]) and not np.array_equal(first[0], first[3])


def test_members_are_judged_by_themselves():
    task = task_of(table(50))
    raw, truth = torch.randn(5, 3, 1), torch.randn(5).double()
    whole = kit.task_loss(task, raw, truth, torch.ones(5))["squared_error"]
    each = torch.stack([task.loss(raw[:, m], truth, torch.ones(5))["squared_error"] for m in range(3)])
    assert torch.allclose(whole, each.mean())
