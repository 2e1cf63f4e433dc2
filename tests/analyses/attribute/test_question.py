"""What is explained as one number: log-odds that are exact where a network is sure, and bounded where shares are 0."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from attribution_fakes import table
from test_explain import LettersEncoder, network
from test_techniques import case_of

from gnomon.analyses.attribute._question import CERTAIN, ask
from gnomon.analyses.attribute._redrawing import redrawn
from gnomon.analyses.attribute.occlusion import of_pieces as occlusion
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify

TASK = classify("y", ("0", "1"))
RAW = np.array([[0.0, 18.0], [20.0, -5.0], [0.3, -0.2], [0.0, 60.0]])


@functools.cache
def sure():
    """Random DNA and a network that is as sure of every row as one that was trained for long."""
    dice = np.random.default_rng(0)
    texts = np.array(["".join(dice.choice(list("ACGT"), 12)) for _ in range(80)], dtype=object)
    data = table({"sequence:s": texts, "category:y": dice.choice(["0", "1"], 80)})
    learned = network(data, TASK, np.arange(80), {"tokens": LettersEncoder}, hidden=0)
    raw = learned.raw(data, np.arange(80))
    with torch.no_grad():
        for parameter in list(learned.module.parameters())[-2:]:  # the last layer's
            parameter.mul_(30 / float(np.median(np.abs(raw[:, 1] - raw[:, 0]))))
    return case_of(learned, TASK, data, np.arange(6))


def test_a_networks_log_odds_are_its_raw_outputs_however_sure_it_is():
    question = ask(TASK, TASK.read(RAW), of=sure().learned)
    assert question.answer(TASK.read(RAW), np.arange(4)) == pytest.approx(RAW[:, 1] - RAW[:, 0])


def test_of_several_classes_the_predicted_one_against_all_others():
    task, raw = classify("y", ("a", "b", "c")), np.array([[30.0, 0.0, 1.0], [0.0, 0.5, -9.0]])
    question = ask(task, task.read(raw), of=sure().learned)
    wanted = [30 - np.logaddexp(0, 1), 0.5 - np.logaddexp(0, -9)]
    assert question.answer(task.read(raw), np.arange(2)) == pytest.approx(wanted)


def test_shares_of_trees_that_are_0_or_1_stay_bounded():
    """Anything without a raw output: 13.8 is as sure as it may be, as before the row so of any altered one."""
    told = Prediction(value=np.array([1, 0, 1]), proba=np.array([[0.0, 1.0], [1.0, 0.0], [0.25, 0.75]]))
    found = ask(TASK, told).answer(told, np.arange(3))
    assert found == pytest.approx([-np.log(CERTAIN), np.log(CERTAIN), np.log(3)])


def test_a_sure_networks_pieces_are_told_apart():
    """What is taken away shows, by deletion and by redrawing, where no probability of either class could be told from 1."""
    case = sure()
    case = replace(case, question=ask(TASK, case.learned.predict(case.data, case.rows), of=case.learned))
    ground = case.ground()
    assert 20 < np.median(np.abs(ground.whole())) < 60
    for scores in (occlusion(ground), redrawn(case, ground)):
        assert all(np.isfinite(s).all() for s in scores) and all(np.ptp(s) > 0.1 for s in scores)
