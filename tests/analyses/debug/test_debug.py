"""The checks find planted faults, and leave sound networks alone."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[2] / "methods"))

from deep_data import data_of, images, labelled_table, rows_of, table, task_of

from gnomon.analyses.debug.error_patterns import atoms, error_patterns, mistaken, slices
from gnomon.analyses.debug.layer_history import history_finding, layer_history
from gnomon.analyses.debug.learning_rate import learning_rate
from gnomon.analyses.debug.loss_shares import loss_shares, shares_finding
from gnomon.analyses.debug.norms import norms, of_log
from gnomon.analyses.debug.over_under import fitting_finding, over_under
from gnomon.analyses.debug.rate_sensitivity import rate_finding, rate_sensitivity
from gnomon.analyses.debug.representation_shift import representation_finding, representation_shift
from gnomon.analyses.debug.tiny_subset import tiny_subset
from gnomon.data.table import Dense, Spec
from gnomon.methods._desk import Desk
from gnomon.methods._log import read_log
from gnomon.methods._outputs import activity
from gnomon.methods._probe import layer_readings
from gnomon.methods._rate import pick_rate
from gnomon.methods._tiny import naive_loss
from gnomon.methods.labelled.supervised import supervised
from gnomon.models.images.resnet import resnet
from gnomon.models.tables.mlp import mlp
from gnomon.models.tables.tabm import tabm
from gnomon.tasks._task import Prediction
from gnomon.tasks.regress import regress
from gnomon.tasks.several import Several
from gnomon.workflow.debug import _of_errors, norms_stage

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


def lines_of(train, stop, **more):
    return [{"step": float(k + 1), "seconds": 0.0, "fit.loss": t, "fit.norm": 9.0, "stop.loss": s,
             **{n: v[k] for n, v in more.items()}} for k, (t, s) in enumerate(zip(train, stop, strict=True))]


FALL = np.linspace(1, 0.1, 40)


@pytest.mark.parametrize(("kind", "train", "stop", "code"), [
    ("sound", FALL, FALL + 0.05, None),
    ("overfit", FALL, np.r_[FALL[:20], np.linspace(0.5, 2, 20)], "DEBUG-OVERFIT"),
    ("overfit", np.linspace(1, 0.22, 40), np.r_[np.linspace(1, 0.56, 10), np.linspace(0.58, 0.67, 30)], "DEBUG-OVERFIT"),
    ("overfit", np.exp(-np.arange(40) / 5), np.full(40, 0.95), "DEBUG-OVERFIT"),
    ("overfit", np.exp(-np.arange(40) / 5), 1.3 + 0.05 * (-1.0) ** np.arange(40), "DEBUG-OVERFIT"),
    ("sound", np.linspace(1, 0.01, 40), np.linspace(1, 0.3, 40), None),
    ("sound", np.full(40, 0.3), 0.32 + 0.01 * (-1.0) ** np.arange(40), None),
    ("underfit", np.full(40, 0.95), np.full(40, 0.95), "DEBUG-UNDERFIT"),
    ("starved", 3 * np.exp(-np.arange(40) / 30), np.full(40, 0.9), "DEBUG-UNDERFIT"),
    ("unsteady", FALL, 0.5 + 0.3 * (-1.0) ** np.arange(40) - np.arange(40) / 400, "DEBUG-RATE"),
    ("unknown", FALL[:3], FALL[:3], None)])
def test_each_planted_curve_falls_into_its_class(kind, train, stop, code):
    found = over_under(lines_of(train, stop), 1.0)
    assert found.kind == kind
    told = fitting_finding(found)
    assert (told.code if told else None) == code and (told is None or "What helps" in told.claim)


def test_what_never_beat_knowing_nothing_is_said_so():
    noise = fitting_finding(over_under(lines_of(np.exp(-np.arange(40) / 5), np.full(40, 1.3)), 1.0))
    assert "never told better than by knowing nothing" in noise.claim and "other inputs" in noise.claim
    flat = fitting_finding(over_under(lines_of(np.exp(-np.arange(40) / 5), np.full(40, 0.95)), 1.0))
    assert "never came below 95%" in flat.claim


def test_a_silent_and_a_loud_term_are_named_and_equal_ones_are_fine():
    def shares(a, b):
        return loss_shares([{"step": float(k), "seconds": 0.0, "fit.a.loss": a, "fit.b.loss": b, "fit.norm": 1.0}
                            for k in range(20)])
    assert shares(3.0, 1.0) == {"a.loss": (0.75, 0.75), "b.loss": (0.25, 0.25)}
    assert shares_finding(shares(1.0, 1.0)).grade == "fine"
    silent = shares_finding(shares(1.0, 0.0001))
    assert silent.code == "DEBUG-LOSS" and silent.grade == "note" and "'a.loss'" in silent.claim  # what drowns is named first
    assert "ablate" in silent.claim and loss_shares(lines_of(FALL, FALL)) == {}
    assert shares_finding(loss_shares([{"step": 1.0, "fit.a": -1.0, "fit.b": 1.0}] * 5)) is None


def test_the_edges_of_the_rate_are_found_where_they_were_planted():
    rates = np.logspace(-4, -0.3, 60)
    losses = np.where(rates < 1e-3, 1.0, np.where(rates < 0.05, 1 - 0.5 * np.log10(rates / 1e-3) / np.log10(50), 3.0))
    m = rate_sensitivity(rates, losses, 6e-3)
    assert m.high == pytest.approx(0.05, rel=0.2) and 1e-3 <= m.low <= 2.5e-3
    assert rate_finding(m).grade == "fine"
    assert "breaks" in rate_finding(rate_sensitivity(rates, losses, 0.04)).claim
    assert "slow" in rate_finding(rate_sensitivity(rates, losses, 5e-4)).claim
    assert rate_sensitivity(rates, np.ones(60), 1e-3) is None and rate_finding(None) is None


def history(**layers):
    steps = np.arange(8)
    return {name: {"steps": steps, **{k: np.asarray(v, dtype=float) for k, v in seen.items()}} for name, seen in layers.items()}


def test_layers_that_die_vanish_or_grow_are_named_with_their_step():
    sound = {"gradient": np.geomspace(1e-2, 1e-4, 8), "activation": np.linspace(1, 2, 8), "dead": np.zeros(8)}
    assert history_finding(history(a=sound, b=sound)) is None
    died = history_finding(history(a=sound, b={**sound, "dead": [0, 0, 0, 0.95, 1, 1, 1, 1]}))
    assert died.grade == "warn" and "'b' by step 3" in died.claim and died.values["first_step"] == 3
    grew = history_finding(history(a={**sound, "activation": np.geomspace(1, 1e4, 8)}, b=sound))
    assert "hundredfold" in grew.claim
    gone = history_finding(history(a={**sound, "gradient": np.full(8, 1e-9)}, b=sound))
    assert "vanish" in gone.claim


def test_layers_are_logged_at_every_look_and_leave_training_as_it_was(tmp_path):
    data = table(200)
    rows, test = rows_of(data)
    desk = Desk(steps=60, threads=1)
    plain = supervised(task_of(data), SMALL, data, rows, 0, desk, rate=3e-3)
    logged = supervised(task_of(data), SMALL, data, rows, 0, Desk(steps=60, threads=1, folder=tmp_path), rate=3e-3)
    assert np.array_equal(plain.raw(data, test), logged.raw(data, test))
    seen = layer_history(read_log(tmp_path))
    looks = sum("stop.loss" in line for line in read_log(tmp_path))
    assert len(seen) >= 3 and all(len(h["steps"]) == looks for h in seen.values())
    assert all({"gradient", "activation"} <= set(h) for h in seen.values())
    assert {n for n, h in seen.items() if "dead" not in h} <= {n for n in seen if "tables" in n}  # of codes, no units


class Bent(nn.Module):
    """Three layers with a nonlinearity, module or function, between them; 61 of the 64 units of the second are dead."""

    def __init__(self, bend):
        super().__init__()
        self.a, self.b, self.c, self.bend = nn.Linear(3, 64), nn.Linear(64, 64), nn.Linear(64, 1), bend
        with torch.no_grad():
            self.b.bias[:61] -= 200

    def forward(self, inputs):
        return self.c(self.bend(self.b(self.bend(self.a(inputs["numbers"])))))


@pytest.mark.parametrize("bend", [torch.relu, nn.ReLU(), nn.ReLU(inplace=True), nn.functional.gelu, nn.SiLU(),
                                  lambda x: x.clamp(min=0), torch.sigmoid])
def test_units_that_are_dead_past_the_nonlinearity_are_counted(bend):
    torch.manual_seed(0)
    readings = layer_readings(Bent(bend), {"numbers": 3 * torch.randn(512, 3)})
    assert [readings[f"layer.{n}.dead"] for n in "abc"] == [0, 61 / 64, 0]


def test_a_network_with_a_dead_layer_is_not_in_order():
    data = table(120)
    rows, _ = rows_of(data)
    learned = supervised(task_of(data), lambda specs, out: Bent(torch.relu), data, rows, 0, Desk(steps=2, threads=1), rate=1e-4)
    found, = norms(learned, data, rows.fit)
    assert found.grade == "note" and "1 of 3 layers" in found.claim and "'b'" not in found.claim and "first b" in found.claim


@pytest.mark.parametrize("value", [0.03, 0.11, 0.3, 1.3, -7e4])
@pytest.mark.parametrize("n", [32, 64, 256])
def test_a_constant_unit_is_dead_whatever_its_size(value, n):
    varied = torch.cat([torch.full((n, 4), value), 1e-4 * torch.randn(n, 4)], dim=1)
    assert activity(varied, nn.Linear(1, 8), n)["dead"] == 0.5


def test_units_are_found_by_the_kind_of_layer():
    y = torch.randn(32, 16, 50)
    y[:, :12] = 0.3
    assert activity(y, nn.Conv1d(3, 16, 5), 32)["dead"] == 0.75
    assert activity(y.transpose(1, 2), nn.Conv1d(3, 16, 5), 32)["dead"] == 0.75
    assert activity(y.transpose(1, 2), nn.LayerNorm(16), 32)["dead"] == 0.75
    assert activity(y[:, :, :48].reshape(32, 16, 6, 8).movedim(1, 3), nn.LayerNorm(16), 32)["dead"] == 0.75
    members = torch.arange(3.)[:, None, None] + torch.relu(torch.randn(3, 32, 8)) * torch.tensor([1, 1, 1, 1, 0, 0, 0, 0])
    assert activity(members, nn.Linear(5, 8), 32)["dead"] == 0.5  # each member's units are its own
    assert "dead" not in activity(torch.ones(32, 4), nn.Embedding(3, 4), 32)
    assert activity(torch.ones(1, 4), nn.Linear(1, 4), 1) == {}


def test_every_layer_of_a_perceptron_is_measured():
    data = table(200)
    rows, _ = rows_of(data)
    learned = supervised(task_of(data), mlp, data, rows, 0, Desk(steps=20, threads=1), rate=1e-3)
    found, = norms(learned, data, rows.fit)
    assert found.grade == "fine" and "gradients of 5 and activations of 5 of 5 layers" in found.claim
    assert all(row["dead"] is not None for row in found.values["layers"] if "tables" not in row["layer"])


def test_mistaken_classes_are_named_and_even_errors_are_not():
    dice = np.random.default_rng(0)
    truth = dice.integers(0, 4, 1200)
    value = np.where(dice.random(1200) < 0.2, (truth + dice.integers(1, 4, 1200)) % 4, truth)
    assert mistaken(truth, value, 4) == []
    swap = (truth == 2) & (dice.random(1200) < 0.3)
    (i, j, n, share), *rest = mistaken(truth, np.where(swap, 1, value), 4)
    assert (i, j) == (2, 1) and share > 0.25 and n >= swap.sum() and not rest


def test_rows_of_one_unit_are_one_error():
    told = planted = 0
    for seed in range(40):
        dice = np.random.default_rng(seed)
        truth = dice.integers(0, 4, 120)
        value = np.where(dice.random(120) < 0.3, (truth + dice.integers(1, 4, 120)) % 4, truth)
        swapped = np.where((truth == 2) & (dice.random(120) < 0.5), 1, value)
        units = np.arange(120).repeat(10)
        told += bool(mistaken(truth.repeat(10), value.repeat(10), 4, units))
        planted += bool(mistaken(truth.repeat(10), swapped.repeat(10), 4, units))
        assert mistaken(truth, value, 4) == mistaken(truth, value, 4, np.arange(120)[::-1])
    assert told <= 3 and planted >= 15


def patterned(seed, *, planted):
    """400 rows of numbers and two categories; where planted, errors are three times as large in one site."""
    dice = np.random.default_rng(seed)
    n = 400
    x, site, kind = dice.normal(size=n), dice.integers(0, 4, n), dice.integers(0, 3, n)
    noise = dice.normal(size=n) * np.where(planted & (site == 2), 3.0, 1.0)
    data = data_of({"x": Dense(x, Spec("number")),
                    "site": Dense(site.astype(np.int32), Spec("category", categories=tuple("abcd"))),
                    "kind": Dense(kind.astype(np.int32), Spec("category", categories=tuple("pqr"))),
                    "y": Dense(x + noise, Spec("number"))}, "y")
    return data, Prediction(x)


def test_a_planted_slice_is_named_and_none_on_even_errors():
    data, guess = patterned(0, planted=True)
    found = error_patterns(task_of(data), data, np.arange(400), guess, np.arange(400))
    assert found[0].code == "DEBUG-ERRORS" and found[0].columns[0] == "site" and next(iter(found[0].values)) == "'site' is 'c'"
    assert "'c'" not in found[0].claim and "confirm" in found[0].claim
    false = 0
    for seed in range(60):
        data, guess = patterned(seed, planted=False)
        false += bool([f for f in error_patterns(task_of(data), data, np.arange(400), guess, np.arange(400))
                       if set(f.columns) - {"y", "x"}])
    assert false <= 3  # one in a hundred is meant


@pytest.mark.parametrize("explained", [0.0, 0.3, 0.5])
def test_regression_to_the_mean_is_no_pattern_and_wide_ends_of_the_prediction_are(explained):
    told = 0
    for seed in range(10):
        dice = np.random.default_rng(seed)
        guess, noise = np.sqrt(explained) * dice.normal(size=400), np.sqrt(1 - explained) * dice.normal(size=400)
        wide = np.where(guess > np.quantile(guess, 2 / 3), 3, 1)
        for even in (True, False):
            data = data_of({"x": Dense(dice.normal(size=400), Spec("number")),
                            "y": Dense(guess + noise * (1 if even else wide), Spec("number"))}, "y")
            found = error_patterns(task_of(data), data, np.arange(400), Prediction(guess), np.arange(400))
            told += even and bool(found)
            assert even or not explained or "the prediction is in its highest third" in found[0].claim
    assert told <= 1


def test_copies_of_one_unit_are_one_piece_of_evidence():
    data, guess = patterned(0, planted=True)
    assert error_patterns(task_of(data), data, np.arange(400), guess, np.arange(400) // 40) == []


def test_a_shift_the_network_sees_is_found():
    class Learned:
        def __init__(self, apart):
            self.apart = apart

        def embed(self, data, rows):
            dice = np.random.default_rng(0)
            return dice.normal(size=(len(rows), 30)) + self.apart * (np.asarray(rows) >= 200)[:, None]

    units, train, valid = np.arange(400), np.arange(200), np.arange(200, 400)
    far = representation_finding(representation_shift(Learned(0.5), None, train, valid, units), "group:patient", grouped=True)
    same = representation_finding(representation_shift(Learned(0.0), None, train, valid, units), "group:patient", grouped=True)
    assert far.code == "DEBUG-SHIFT" and far.grade == "note" and far.values["auc"] > 0.8 and "units" in far.claim
    assert same.grade == "fine"
    assert "later rows" in representation_finding(shift_seen(), "time:date", grouped=False).claim
    assert "parts were given" in representation_finding(shift_seen(), "column:split", grouped=True).claim
    assert "at random" in representation_finding(shift_seen(), "random", grouped=False).claim


def shift_seen():
    return SimpleNamespace(auc=0.8, low=0.7, high=0.9)



@pytest.mark.parametrize("worse", [0, 1, 2])
def test_every_value_of_a_number_with_few_is_a_slice(worse):
    dice = np.random.default_rng(0)
    level = dice.integers(0, 3, 600).astype(float)
    data = data_of({"level": Dense(level, Spec("number")), "y": Dense(dice.normal(size=600), Spec("number"))}, "y")
    found = slices(data, np.arange(600), np.abs(dice.normal(size=600)) * np.where(level == worse, 5, 1), np.arange(600))
    assert [s.what for s in found] == [f"'level' is {worse}"]


def test_a_tied_upper_end_is_a_slice():
    dice = np.random.default_rng(0)
    full = np.minimum(dice.uniform(0, 1.5, 600), 1.0)  # a third at the largest value
    data = data_of({"full": Dense(full, Spec("number")), "y": Dense(dice.normal(size=600), Spec("number"))}, "y")
    found = slices(data, np.arange(600), np.abs(dice.normal(size=600)) * np.where(full == 1, 5, 1), np.arange(600))
    assert [(s.what, len(s.rows)) for s in found] == [("'full' is in its highest third", int((full == 1).sum()))]


def test_rows_without_a_date_are_no_early_ones():
    dice = np.random.default_rng(0)
    when = np.datetime64("2024-01-01", "ns") + np.arange(600) * np.timedelta64(1, "D")
    when[::2] = np.datetime64("NaT")
    data = data_of({"when": Dense(when, Spec("date")), "y": Dense(dice.normal(size=600), Spec("number"))}, "y")
    found = slices(data, np.arange(600), np.abs(dice.normal(size=600)) * np.where(np.isnat(when), 5, 1), np.arange(600))
    assert [s.what for s in found] == ["'when' is missing"]


def bench_of(data, task, folder):
    rows, valid = rows_of(data)
    parts = SimpleNamespace(folds=[SimpleNamespace(train=np.sort(rows.all), valid=valid)], units=np.arange(len(data)),
                            fold_policy="random")
    return SimpleNamespace(data=data, task=task, parts=parts, folder=SimpleNamespace(path=folder), key="k", seed=0), rows


def run_of(bench, rows, method="supervised", *, build=SMALL, rate=3e-3, steps=100):
    """A trained run, its folder as a study leaves it."""
    place = bench.folder.path / "runs" / "h" / "0" / "fold0"
    learned = supervised(bench.task, build, bench.data, rows, 0, Desk(steps=steps, threads=1, folder=place), rate=rate)
    learned.save(place)
    valid = bench.parts.folds[0].valid
    recipe = SimpleNamespace(hash="h", label="net", method=method)
    return SimpleNamespace(recipe=recipe, folders=(place,), rows=valid, oof=learned.predict(bench.data, valid))


def told(notes):
    return {c.code: c.ran or c.why_not for c in notes.checks}


def test_each_item_is_a_check_that_ran_or_says_why_not(tmp_path):
    data = table(300)
    bench, rows = bench_of(data, task_of(data), tmp_path)
    run = run_of(bench, rows)
    notes = norms_stage(bench, run)
    assert told(notes) == {"DEBUG-NAN": True, "DEBUG-GRADIENT": True, "DEBUG-UNDERFIT": True, "DEBUG-OVERFIT": True,
                           "DEBUG-SHIFT": True, "DEBUG-ERRORS": True,
                           "DEBUG-LOSS": "the loss has one term, or terms below zero (net)",
                           "DEBUG-RATE": "the rate was given: no range test was made (net)"}
    again = norms_stage(bench, run)
    assert again.checks == notes.checks and [f.claim for f in again.findings] == [f.claim for f in notes.findings]


def test_an_item_that_fails_is_said_and_loses_no_other(tmp_path, monkeypatch):
    def fails(*_, **__):
        raise ValueError("planted")

    data = table(300)
    bench, rows = bench_of(data, task_of(data), tmp_path)
    run = run_of(bench, rows, steps=20)
    with monkeypatch.context() as patch:
        patch.setattr("gnomon.analyses.debug.norms.layer_norms", fails)
        notes = norms_stage(bench, run)
    assert told(notes)["DEBUG-GRADIENT"] == "could not be run: ValueError: planted (net)"
    assert told(notes)["DEBUG-SHIFT"] is True and any(f.code == "DEBUG-SHIFT" for f in notes.findings)
    assert told(norms_stage(bench, run))["DEBUG-GRADIENT"] is True  # tried again


def test_the_curve_of_a_method_that_chooses_its_rows_is_not_judged(tmp_path):
    data = table(300)
    bench, rows = bench_of(data, task_of(data), tmp_path)
    notes = norms_stage(bench, run_of(bench, rows, "co_teaching", steps=20))
    assert "chooses the rows" in told(notes)["DEBUG-OVERFIT"] and "chooses the rows" in told(notes)["DEBUG-UNDERFIT"]
    assert not {f.code for f in notes.findings} & {"DEBUG-OVERFIT", "DEBUG-UNDERFIT"}


def test_errors_of_several_targets_are_looked_at_one_by_one(tmp_path):
    dice = np.random.default_rng(0)
    x, wide = dice.normal(size=400), dice.integers(0, 2, 400)
    data = data_of({"x": Dense(x, Spec("number")), "w": Dense(wide.astype(float), Spec("number")),
                    "y": Dense(x + dice.normal(size=400), Spec("number")),
                    "z": Dense(x + dice.normal(size=400) * np.where(wide, 4, 1), Spec("number"))}, "y")
    data = replace(data, roles={**data.roles, "z": data.roles["y"]})
    task = Several((regress("y", mean=0.0, sd=1.0), regress("z", mean=0.0, sd=1.0)))
    bench, _ = bench_of(data, task, tmp_path)
    run = SimpleNamespace(rows=np.arange(400), oof=Prediction(parts=(Prediction(x), Prediction(x))))
    found, = _of_errors(bench, run)
    assert found.claim.startswith("'z': errors are ") and "'w'" in found.claim
    assert _of_errors(bench, SimpleNamespace(rows=np.arange(30), oof=Prediction(parts=(Prediction(x[:30]),) * 2))) is None


def corner(seed, times, n=800):
    """(bench, run, which) of rows whose errors are larger where two numbers are high at once: a corner that no third holds."""
    dice = np.random.default_rng(seed)
    place = dice.choice(4, n, p=[0.3, 0.29, 0.29, 0.12])
    a, b = (4 * np.isin(place, held) + 0.3 * dice.normal(size=n) for held in ((1, 3), (2, 3)))
    high = place == 3
    y = a + dice.normal(size=n) * np.where(high, times, 1)
    data = data_of({"a": Dense(a, Spec("number")), "b": Dense(b, Spec("number")), "y": Dense(y, Spec("number"))}, "y")
    return SimpleNamespace(data=data, task=task_of(data), parts=SimpleNamespace(units=np.arange(n)), seed=0), \
        SimpleNamespace(rows=np.arange(n), oof=Prediction(a)), high


def test_a_cluster_of_inputs_with_larger_errors_is_told_with_its_rows():
    bench, run, high = corner(0, 3)
    found, = _of_errors(bench, run)
    assert "the inputs are in cluster" in found.claim and found.columns[0] in "ab"
    assert found.rows_total <= high.sum() and high[list(found.rows)].mean() > 0.9
    assert sum(bool(_of_errors(*corner(seed, 1)[:2])) for seed in range(6)) <= 1


def test_molecules_are_sliced_by_their_atoms():
    assert [atoms(s) for s in ("CCO", "c1ccccc1Cl", "[NH4+].[Br-]", "C[C@H](N)C(=O)O", "[H]", "")] == [3, 7, 2, 6, 0, 0]
    dice = np.random.default_rng(0)
    size = dice.integers(3, 30, 600)
    smiles = np.array(["C" * k for k in size], dtype=object)
    data = data_of({"mol": Dense(smiles, Spec("molecule")), "y": Dense(dice.normal(size=600), Spec("number"))}, "y")
    found = slices(data, np.arange(600), np.abs(dice.normal(size=600)) * np.where(size > 20, 4, 1), np.arange(600))
    assert found[0].what == "the number of atoms of 'mol' is in its highest third"
