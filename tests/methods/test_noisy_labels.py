"""Methods for wrong labels: the confident joint's law, cleanlab's choice, and planted noise survived."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from deep_data import images, labelled_table, rows_of, table, task_of

from gnomon.analyses.debug.layer_history import layer_history
from gnomon.data.parts import Rows
from gnomon.data.table import Dense, Spec
from gnomon.errors import InputError
from gnomon.methods._desk import Desk
from gnomon.methods._learned import load_learned
from gnomon.methods._log import read_log
from gnomon.methods._noise import confident_joint, even_folds, mislabelled, noise_rate
from gnomon.methods.labelled.co_teaching import co_teaching, easiest
from gnomon.methods.labelled.confident_learning import confident_learning, weighed
from gnomon.methods.labelled.own_fit import own_fit
from gnomon.methods.labelled.supervised import supervised
from gnomon.models.images.resnet import resnet
from gnomon.models.tables.logistic import logistic
from gnomon.models.tables.mlp import mlp

SMALL = partial(mlp, hidden=64)


def flipped(data, rows, share, seed=0):
    """The data with this share of the labels of `rows` turned over, and which rows those are."""
    dice = np.random.default_rng(seed)
    bad = dice.choice(rows, round(share * len(rows)), replace=False)
    column = data.columns[data.targets[0]]
    values = column.values.copy()
    values[bad] = 1 - values[bad]
    return replace(data, columns={**data.columns, data.targets[0]: replace(column, values=values)}), bad


def noisy_classes(n=1500, share=0.2, seed=1):
    """Honest probabilities of three classes far apart, and labels of which `share` went to the next class."""
    dice = np.random.default_rng(seed)
    truth = dice.integers(0, 3, n)
    sharp = dice.dirichlet((1, 1, 1), n) * 0.1
    proba = sharp + 0.9 * ((1 - share) * np.eye(3)[truth] + share * np.eye(3)[(truth + 1) % 3])
    bad = dice.random(n) < share
    return proba / proba.sum(axis=1, keepdims=True), np.where(bad, (truth + 1) % 3, truth), bad


def test_the_joint_recovers_the_planted_noise_and_its_direction():
    proba, labels, bad = noisy_classes()
    joint = confident_joint(proba, labels)
    assert np.allclose(joint.sum(axis=1), np.bincount(labels))
    assert noise_rate(joint) == pytest.approx(bad.mean(), abs=0.02)
    assert joint[1, 0] > 20 * max(joint[0, 1], 1)  # rows labelled 1 that are class 0, not the other way


def test_the_same_rows_as_cleanlab():
    filters = pytest.importorskip("cleanlab.filter")
    proba, labels, bad = noisy_classes(share=0.15)
    theirs = filters.find_label_issues(labels, proba, filter_by="prune_by_noise_rate", n_jobs=1)
    ours = mislabelled(proba, labels)
    assert (ours & theirs).sum() >= 0.97 * max(ours.sum(), theirs.sum())
    assert (ours & bad).sum() >= 0.97 * bad.sum()


def test_clean_labels_lose_no_row_and_every_class_keeps_two():
    proba, labels, _ = noisy_classes(share=0.0)
    assert not mislabelled(proba, labels).any()
    wrong = np.tile([0.9, 0.1], (20, 1))
    assert (~mislabelled(wrong, np.r_[np.zeros(17, int), np.ones(3, int)]))[17:].sum() >= 2


def test_folds_spread_every_class():
    labels = np.r_[np.zeros(40, int), np.ones(10, int)]
    place = even_folds(labels, 5, 3)
    assert [(place[labels == 1] == k).sum() for k in range(5)] == [2] * 5


def test_the_easiest_rows_are_chosen_and_never_one_that_is_no_number():
    chosen = easiest(torch.tensor([3.0, float("nan"), 1.0, 2.0]), 0.5)
    assert chosen.tolist() == [0.0, 0.0, 1.0, 1.0]
    assert easiest(torch.ones(5), 1.0).sum() == 5


def accuracy(task, learned, data, test) -> float:
    return float((learned.predict(data, test).value == task.truth(data, test)).mean())


def test_confident_learning_beats_training_on_noisy_labels():
    clean = labelled_table(900)
    rows, test = rows_of(clean, stop=0.1)
    noisy, _ = flipped(clean, rows.all, 0.3)
    task, desk = task_of(clean), Desk(threads=1)
    from gnomon.models.tables.boosting import boosting

    plain = accuracy(task, own_fit(task, boosting, noisy, rows, 0, desk), clean, test)
    pruned = accuracy(task, confident_learning(task, boosting, noisy, rows, 0, desk), clean, test)
    trusted = accuracy(task, confident_learning(task, boosting, noisy, rows, 0, desk, action="weigh"), clean, test)
    assert pruned > plain + 0.02 and trusted > plain


def test_co_teaching_beats_training_on_noisy_labels_and_is_reproducible():
    clean = images(600)
    rows, test = rows_of(clean, stop=0.1)
    noisy, _ = flipped(clean, rows.all, 0.3)
    task, desk, build = task_of(clean), Desk(steps=300, threads=1), partial(resnet, width=8)
    rows = Rows(rows.fit, rows.stop[:0])  # no stopping rows: learning by heart is not cut short for either
    plain = accuracy(task, supervised(task, build, noisy, rows, 0, desk, rate=3e-3, augment="none"), clean, test)
    options = {"noise": 0.3, "rate": 3e-3, "augment": "none"}
    one = co_teaching(task, build, noisy, rows, 0, desk, **options)
    assert accuracy(task, one, clean, test) > plain + 0.03
    short = replace(desk, steps=20)
    a, b = (co_teaching(task, build, noisy, rows, 0, short, **options).raw(clean, test) for _ in range(2))
    assert np.array_equal(a, b)


def test_an_interrupted_pair_equals_an_unbroken_one(tmp_path):
    data = labelled_table(200)
    rows, test = rows_of(data)
    task = task_of(data)
    options = {"noise": 0.2, "rate": 3e-3}
    whole = co_teaching(task, SMALL, data, rows, 0, Desk(steps=60, threads=1), **options)
    desk = Desk(steps=60, threads=1, folder=tmp_path, checkpoint_seconds=0.0)
    said = []

    def stop(text: str) -> None:
        said.append(text)

    import gnomon.methods.labelled.co_teaching as module

    real, calls = module.kit.judge, []

    def broken(*args):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return real(*args)

    module.kit.judge = broken
    try:
        with pytest.raises(KeyboardInterrupt):
            co_teaching(task, SMALL, data, rows, 0, desk, **options)
    finally:
        module.kit.judge = real
    resumed = co_teaching(task, SMALL, data, rows, 0, replace(desk, say=stop), **options)
    assert any("resumed" in text for text in said)
    assert np.array_equal(whole.raw(data, test), resumed.raw(data, test))


def test_layers_are_followed_in_a_pair(tmp_path):
    data = labelled_table(200)
    rows, _ = rows_of(data)
    co_teaching(task_of(data), SMALL, data, rows, 0, Desk(steps=20, threads=1, folder=tmp_path), noise=0.2, rate=1e-3)
    seen = layer_history(read_log(tmp_path))
    assert len(seen) >= 3 and all(len(h["activation"]) == len(h["steps"]) >= 4 for h in seen.values())


def test_both_save_and_load(tmp_path):
    data = labelled_table(160)
    rows, test = rows_of(data)
    task = task_of(data)
    made = {"a": co_teaching(task, SMALL, data, rows, 0, Desk(steps=20, threads=1)),
            "b": confident_learning(task, logistic, data, rows, 0, Desk(threads=1), folds=3),
            "c": confident_learning(task, SMALL, data, rows, 0, Desk(steps=20, threads=1), by="logistic")}
    for name, learned in made.items():
        learned.save(tmp_path / name)
        again = load_learned(tmp_path / name).predict(data, test)
        assert np.allclose(again.proba, learned.predict(data, test).proba, atol=1e-6)


def test_weights_multiply_those_there_are_and_touch_no_other_row():
    data = labelled_table(50)
    named = weighed(data, np.arange(5), np.full(5, 0.5))
    assert named.columns["label trust"].values[:6].tolist() == [0.5] * 5 + [1.0]
    assert named.named("weight") == ("label trust",)
    with_own = replace(data, columns={**data.columns, "w": Dense(np.full(50, 2.0), Spec("number"))},
                       roles={**data.roles, "w": replace(data.roles["a"], role="weight")})
    assert weighed(with_own, np.array([3]), np.array([0.25])).columns["w"].values[2:5].tolist() == [2.0, 0.5, 2.0]


@pytest.mark.parametrize("method", [co_teaching, confident_learning])
def test_numbers_are_refused_in_words(method):
    data = table(60)
    rows, _ = rows_of(data)
    with pytest.raises(InputError, match="classes"):
        method(task_of(data), SMALL, data, rows, 0, Desk(steps=5, threads=1))
