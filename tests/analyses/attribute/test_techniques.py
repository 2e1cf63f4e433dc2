"""Techniques by name, as a study asks for them: from a case to scores of pieces, copies for the gates, words where none."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from attribution_fakes import Odds, table, values
from test_explain import LettersEncoder, PixelsEncoder, mixed, network
from torch import nn

from gnomon.analyses.attribute._attempts import Attempt
from gnomon.analyses.attribute._case import Case
from gnomon.analyses.attribute._explain import judged
from gnomon.analyses.attribute._question import ask
from gnomon.analyses.attribute._techniques import TECHNIQUES
from gnomon.models.graphs._directed import DirectedMessages
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress

BACKWARDS = ("saliency", "smoothgrad", "integrated_gradients", "grad_cam", "deconvolution", "guided_backprop",
             "visual_backprop", "pattern_attribution", "deeplift", "layer_relevance", "optimised_mask", "extremal_perturbation",
             "gnn_explainer")


def case_of(learned, task, data, rows):
    question = ask(task, learned.predict(data, rows))
    return Case(learned, task, data, rows, np.arange(len(data)), question, 0, None, float("inf"))


@functools.cache
def of_every_kind():
    data, task, rows = mixed(8), regress("y", mean=1.0, sd=3.0), np.arange(8)
    learned = network(data, task, rows, {"tokens": LettersEncoder, "image": PixelsEncoder, "graph": lambda s:
                      DirectedMessages(*s.shape, hidden=8, depth=2, dropout=0.0, readout="mean")})
    return case_of(learned, task, data, rows)


@pytest.mark.parametrize("technique", BACKWARDS)
def test_a_network_on_every_kind_of_input_at_once(technique):
    """Scores for every piece of every row, for the model and its randomised copies."""
    case = of_every_kind()
    attempt = TECHNIQUES[technique](case)
    assert isinstance(attempt, Attempt), attempt
    ground = case.ground()
    assert [len(s) for s in attempt.scores] == [len(p) for p in ground.pieces] and attempt.technique == technique
    checks = {c["name"]: c["value"] for c in attempt.other_checks}
    assert len(attempt.again) >= 3 and attempt.of == "weights" and sum(n.startswith("rank correlation") for n in checks) == 2
    assert ("completeness" in checks) == (technique in ("integrated_gradients", "deeplift"))
    assert checks.get("completeness", 0.0) < 0.01
    assert all(np.isfinite(s).all() for s in attempt.scores) and any((s != 0).any() for s in attempt.scores)
    touched = {p.column for pieces, scores in zip(ground.pieces, attempt.scores, strict=True)
               for p, s in zip(pieces, scores, strict=True) if s != 0}
    if technique == "gnn_explainer":
        assert {case.data.kind(c) for c in touched} == {"molecule"} == {case.data.kind(c) for c in attempt.columns}
        assert "columns" not in attempt.pieces and "atoms" in attempt.pieces
    elif technique not in ("grad_cam", "visual_backprop"):
        assert touched == set(case.data.inputs)
    else:
        assert "img" in touched and "a" not in touched


def test_what_does_not_apply_says_so():
    data, task = mixed(), classify("y", ("0", "1"))
    other = case_of(Odds(lambda d, r: values(d, r, "a")[0]), task, data, np.arange(12))
    assert "goes back through a network" in TECHNIQUES["saliency"](other)
    columns = table({"a": np.arange(12.0), "b": np.ones(12) * np.arange(12)[::-1] ** 2, "y": np.arange(12.0)})
    scalar = network(columns, regress("y"), np.arange(12), {})
    said = TECHNIQUES["grad_cam"](case_of(scalar, regress("y"), columns, np.arange(12)))
    assert said is None or "keeps the places" in said


@functools.cache
def bright_patch():
    """Images whose class is a bright patch in one of two corners; a small network that has learned it."""
    dice = np.random.default_rng(0)
    pixels, label = dice.integers(0, 120, (300, 1, 16, 16)), dice.integers(0, 2, 300)
    for image, y in zip(pixels, label, strict=True):
        image[0, 2:6, 2:6] += 120 * y
        image[0, 10:14, 10:14] += 120 * (1 - y)
    data = table({"image:img": pixels.astype(np.uint8), "category:y": label.astype(str)})
    task = classify("y", ("0", "1"))

    class Corners(nn.Module):
        def __init__(self, spec):
            super().__init__()
            self.width = 128
            self.layers = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(4), nn.Flatten())

        def forward(self, x):
            return self.layers(x)

    learned = network(data, task, np.arange(200), {"image": Corners}, hidden=0)
    inputs = learned.tensoriser.batch(data, np.arange(200), "cpu")
    truth = torch.as_tensor(label[:200])
    optimiser = torch.optim.AdamW(learned.module.parameters(), lr=1e-2)
    for _ in range(60):
        loss = nn.functional.cross_entropy(learned.module(inputs), truth)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    learned.module.eval()
    held = np.arange(200, 240)
    assert (learned.predict(data, held).value == label[held]).all()
    return case_of(learned, task, data, held)


@pytest.mark.parametrize("technique", ["saliency", "deeplift", "layer_relevance", "prediction_difference"])
def test_both_gates_pass_where_the_cue_is_found(technique):
    case = bright_patch()
    attempt = replace(TECHNIQUES[technique](case), units=np.arange(40))
    corner = {(top, left) for start in (2, 10) for top in (start, start + 2) for left in (start, start + 2)}
    cue = np.array([(p.span[0], p.span[2]) in corner for p in attempt.ground.pieces[0]])
    size = np.mean([np.abs(s) for s in attempt.scores], axis=0)
    assert cue.sum() == 8 and size[cue].mean() > 3 * size[~cue].mean()
    gates = judged(attempt, 0)
    assert all(g.passed for g in gates), [g.says for g in gates]
