"""Layers of a study's network compared by name: over training from what was kept, or trained once more, or said why not."""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from markupsafe import escape

sys.path.insert(0, str(Path(__file__).parents[1] / "methods"))
from deep_data import labelled_table, rows_of

from gnomon.card import load
from gnomon.errors import InputError
from gnomon.methods._desk import Desk
from gnomon.methods._snapshots import FOLDER, kept_snapshots
from gnomon.methods.labelled.supervised import supervised
from gnomon.reporting.asked import answers
from gnomon.reporting.page import render
from gnomon.tasks.classify import classify
from gnomon.workflow import _layers_compared as compared
from gnomon.workflow import run as running
from gnomon.workflow._answers import keep_entries
from gnomon.workflow._folder import Folder, write_json
from gnomon.workflow._predictions import save_prediction

DATA = labelled_table(400)
TASK = classify("y", ("no", "yes"))
ROWS, TEST = rows_of(DATA, test=0.5)
BUILD = partial(load("mlp"), hidden=16, layers=2)


def trained(place, snapshots, seed=3):
    desk = Desk(steps=40, folder=place, snapshots=snapshots, threads=1)
    learned = supervised(TASK, BUILD, DATA, ROWS, seed, desk, rate=0.01)
    learned.save(place)
    save_prediction(place / "predictions.parquet", TEST, learned.predict(DATA, TEST))
    write_json(place / "run.json", {"seconds": 1.0})
    return learned


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with one network of two seeds, as a study leaves it; trained once for all tests, which copy it."""
    place = tmp_path_factory.mktemp("made")
    for number in (0, 1):
        trained(place / "runs" / "abc" / str(number) / "fold0", 6 if number == 0 else 0, seed=3 + number)
    write_json(place / "runs" / "abc" / "recipe.json", {"model": "mlp"})
    write_json(place / "delivered.json", {"members": [{"weight": 1.0, "folders": ["runs/abc/0/fold0"]}]})
    (place / "explained").mkdir()
    return place


def study(made, tmp_path, snapshots=True):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    if not snapshots:
        shutil.rmtree(tmp_path / "runs" / "abc" / "0" / "fold0" / FOLDER)
    return Folder(tmp_path)


def asked(folder, *measures, seconds=60.0, reopen=None):
    return compared.compare_layers(folder, DATA, None, measures or ("cka",), end=time.monotonic() + seconds, seed=0,
                                   say=lambda _: None, reopen=reopen)


def test_layers_times_and_seeds_are_compared_on_rows_held_out(made, tmp_path):
    folder = study(made, tmp_path)
    entries, not_run = asked(folder, "cka", "svcca")
    assert not not_run and [e["technique"] for e in entries] == ["cka", "svcca"]
    json.dumps(entries, allow_nan=False)
    for entry in entries:
        told = entry["compared"]
        assert told["rows"] == len(TEST) and told["model"] == "mlp" and len(told["layers"]) >= 3
        assert told["course"]["times"] == [0, 1, 3, 6, 16, 40, "end"]
        final = np.array(told["course"]["final"])
        assert final.shape == (len(told["layers"]), len(told["course"]["times"])) and np.allclose(final[:, -1], 1, atol=1e-3)
        assert final[:, 0].mean() < final[:, -2].mean()  # what was learned was not there before
        values = np.array(told["matrix"]["values"])
        assert np.allclose(np.diag(values), 1, atol=1e-3) and np.allclose(values, values.T)
        assert sorted(told["matrix"]["order"]) == sorted(told["matrix"]["names"])
        assert told["seeds"]["names"] == ["seed 1"] and len(told["seeds"]["values"]) == len(told["layers"])
        said = entry["sentences"]
        assert len(said) == 3 and "half of the way" in said[1] and "Between seeds" in said[2]
    chance = next(c for c in entries[0]["other_checks"] if c["name"] == "chance")
    assert abs(chance["value"]) < 0.1 and chance["means"]  # the unbiased CKA of shuffled rows is 0


def test_the_page_shows_it(made, tmp_path):
    folder = study(made, tmp_path)
    entries, _ = asked(folder)
    kept = keep_entries(folder, entries, about={"asked": "gnomon explain x.study --technique cka", "estimate": "", "of": ""})
    assert kept == ["explained/cka_layers.json"]
    page = render({"status": "complete"}, {}, asked=answers(tmp_path))
    assert str(escape(entries[0]["sentences"][1])) in page
    assert page.count('class="heat"') >= 3 and "tree of likeness" in page and "Each layer over training" in page
    assert "trained from other seeds" in page and "style=" not in page[page.index('class="heat"'):page.index("</svg>")]
    broken = json.loads((tmp_path / kept[0]).read_text())
    broken["entry"]["compared"]["matrix"]["joins"] = [[0]]
    broken["entry"]["compared"]["course"]["final"] = [["<script>"]]
    (tmp_path / kept[0]).write_text(json.dumps(broken))
    page = render({"status": "complete"}, {}, asked=answers(tmp_path))
    assert "Layers against layers" not in page and "<script>" not in page.split("</script>")[-1]


@dataclass(frozen=True)
class Bench:
    """As much of a study's bench as training its run again needs."""

    desk: Desk
    parts: SimpleNamespace


def reopened():
    parts = SimpleNamespace(folds=[SimpleNamespace(train=None)])
    return SimpleNamespace(bench=Bench(Desk(steps=40, threads=1), parts), recipe=lambda _: None)


@pytest.mark.parametrize(("seed", "same"), [(3, True), (4, False)])
def test_a_run_is_trained_once_more_and_believed_only_when_it_ends_the_same(made, tmp_path, monkeypatch, seed, same):
    folder = study(made, tmp_path, snapshots=False)
    place = tmp_path / "runs" / "abc" / "0" / "fold0"
    monkeypatch.setattr(running, "fit", lambda bench, recipe, train, number, k, where: supervised(
        TASK, BUILD, DATA, ROWS, seed, replace(bench.desk, folder=where), rate=0.01))
    entries, not_run = asked(folder, reopen=reopened)
    assert ("course" in entries[0]["compared"]) == same and bool(kept_snapshots(place / FOLDER)) == same
    assert not (place / ".again").exists() and "matrix" in entries[0]["compared"]
    assert not_run == [] if same else "other weights" in not_run[0] and "snapshots = 6" in not_run[0]


def test_what_there_is_no_time_for_is_said_and_not_begun(made, tmp_path):
    folder = study(made, tmp_path, snapshots=False)
    write_json(tmp_path / "runs" / "abc" / "0" / "fold0" / "run.json", {"seconds": 500.0})
    entries, not_run = asked(folder)
    assert "about 500 s" in not_run[0] and "course" not in entries[0]["compared"] and len(entries[0]["sentences"]) == 2
    entries, not_run = asked(folder, seconds=-1.0)
    assert not entries and "more than was left" in not_run[-1]


def test_a_study_without_a_network_is_refused_in_words(tmp_path):
    write_json(tmp_path / "delivered.json", {"members": []})
    with pytest.raises(InputError) as refused:
        asked(Folder(tmp_path))
    assert refused.value.code == "E-LAYER-ABSENT" and "no trained network" in str(refused.value)


def test_only_the_first_run_of_a_recipe_keeps_snapshots(monkeypatch):
    seen = {}

    def method(task, build, data, rows, seed, desk):
        seen[len(seen)] = desk.snapshots
        return None

    monkeypatch.setattr(running, "parts_of", lambda recipe, trusted: (method, {}, None))
    monkeypatch.setattr(running, "carve_stop", lambda *a: (np.arange(3), np.arange(3, 4)))
    bench = SimpleNamespace(desk=Desk(snapshots=6), trusted={}, parts=SimpleNamespace(units=None), labels=None, seed=0,
                            task=None, data=DATA, mended=None)
    recipe = SimpleNamespace(hash="h", steps=5)
    for number, k in ((0, 0), (0, 1), (1, 0), (0, "permuted")):
        running.fit(bench, recipe, np.arange(4), number, k, None)
    assert list(seen.values()) == [6, 0, 0, 0]


def test_layers_that_read_each_row_twice_are_compared_with_those_that_read_it_once():
    """Both strands of DNA, end to end: the mean of the two readings is a row's; atoms of molecules are no readings."""
    import torch
    from torch import nn

    class Strands(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.atoms = (nn.Linear(3, width) for width in (4, 5, 2))

        def forward(self, x):
            twice = self.two(torch.cat([x, -x]))
            self.atoms(torch.arange(18.0).view(6, 3).repeat(len(x), 1))  # six a row, all different
            return self.one(x)[:, :2] + twice[:len(x), :2]

    module = Strands().eval()
    names, axes = ("one", "two", "atoms"), {n: 0 for n in ("one", "two", "atoms")}
    times = compared._times(SimpleNamespace(module=module), torch.randn(1, 3).repeat(4, 1), names, axes)
    assert times == {"one": 1, "two": 2, "atoms": 1}
    rows = torch.randn(6, 3)
    network = SimpleNamespace(module=module, tensoriser=SimpleNamespace(batch=lambda data, some, device: rows[some]))
    what = compared.Compared(Path(), "", "", network, DATA, np.arange(6), names, axes, times, "")
    seen = what.seen(network)
    with torch.no_grad():
        wanted = (module.two(rows) + module.two(-rows)) / 2
    assert np.allclose(seen["two"], wanted, atol=1e-6) and len(seen["one"]) == 6 and len(seen["atoms"]) == 36
