"""Audits that studies print: their values where theory says them, why one was not measured, and what each number means."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from attribution_fakes import Formula, table, values
from torch import nn

from gnomon.analyses.attribute import _printed
from gnomon.analyses.attribute._asked import asked, explain_asked
from gnomon.analyses.attribute._attempts import Attempt
from gnomon.analyses.attribute._explain import explain
from gnomon.analyses.attribute._printed import MEANS, printed, with_meaning
from gnomon.analyses.attribute._techniques import TECHNIQUES
from gnomon.analyses.attribute.input_shift import input_shift
from gnomon.analyses.attribute.saliency import saliency
from gnomon.card import load
from gnomon.data.features._view import fit_view
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.data.tensors import fit_tensors
from gnomon.methods._fitted import Fitted, matrix_of
from gnomon.methods._network import Network
from gnomon.rng import stream
from gnomon.tasks.regress import regress

TASK = regress("y")


def numbers(n=150, seed=0):
    dice = np.random.default_rng(seed)
    x = dice.normal(size=(n, 5))
    return table({**{f"x{j}": x[:, j] for j in range(5)}, "y": 3 * x[:, 0] - 2 * x[:, 1] + x[:, 2] * x[:, 3]})


def fitted(model, form, **options):
    data = numbers()
    view = fit_view(data, np.arange(90), data.inputs, dense=form == "raw", seed=0, form=form)
    estimator = load(model)({"numbers": Spec("numbers", shape=(5,))}, TASK.out, **options).fit(
        matrix_of(view, data, np.arange(90)), TASK.truth(data, np.arange(90)))
    return Fitted(view, (estimator,), (TASK.out,)), data


class Reads(nn.Module):
    """Numbers by a linear layer or a small curved one."""

    def __init__(self, curved):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 1)) if curved else nn.Linear(5, 1)

    def forward(self, inputs):
        return self.net(inputs["numbers"])


def network(curved, data):
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return Network(TASK, Reads(curved).eval(), fit_tensors(data, np.arange(90), data.inputs), {})


def audits_of(learned, data, technique, rows=40, end=float("inf")):
    question = asked(learned, TASK, data, np.arange(90, 150), np.arange(150), end=end).only(rows)
    found = TECHNIQUES[technique](question.case)
    assert isinstance(found, Attempt), found
    found = replace(found, units=question.units[found.kept])
    return {c["name"]: c for c in printed(found, question.case.only(found.kept), [found])}


def test_a_linear_networks_input_times_gradient_is_stable_and_leans_on_the_zero():
    """w * x of a row shaken by 2 % ranks alike; with zero moved by one it is w * (x + 1): another ranking, in closed form."""
    from scipy.stats import spearmanr

    data = numbers()
    learned = network(False, data)
    found = audits_of(learned, data, "saliency")
    assert 0.98 < found["stability"]["low"] < found["stability"]["value"] <= 1
    weight = learned.module.net.weight.detach().numpy()[0]
    x = learned.tensoriser.batch(data, np.arange(150))["numbers"].numpy().astype(float)
    order = stream(0, "explained").permutation(np.arange(90, 150))[:40]
    meant = [spearmanr(weight * row, weight * (row + 1)).statistic for row in x[order]]
    assert found["input shift"]["value"] == pytest.approx(np.mean(meant), abs=1e-6) and np.mean(meant) < 0.95
    assert "one standard deviation" in found["input shift"]["says"]
    assert found["agreement with occlusion"]["value"] > 0.8  # both are w * (x less the usual), by mean and by median


def test_a_gradient_alone_does_not_move_with_the_zero_in_dicts_of_tensors_either():
    from backward_nets import Reader, mixed_inputs, seeded

    model, x = seeded(Reader).eval(), seeded(mixed_inputs)
    assert input_shift(saliency, model, x, 0, shift={"numbers": 2.0}).value == pytest.approx(1)
    times = input_shift(lambda m, g, t: saliency(m, g, t, times_input=True), model, x, 0, shift={"numbers": 5.0})
    assert times.value < 1
    assert set(x) == {"seq", "categories", "numbers", "mol"} and torch.equal(x["numbers"], seeded(mixed_inputs)["numbers"])


OWN = {"ridge": ("scaled", "linear_attribution", {}), "forest": ("raw", "tree_shap", {"trees": 20}),
       "boosting": ("raw", "tree_shap", {"rounds": 60, "bags": 1}),
       "explainable_boosting": ("raw", "additive_terms", {"rounds": 100, "bags": 1})}


@pytest.mark.parametrize("model", OWN)
def test_estimators_are_audited_like_networks(model):
    form, technique, options = OWN[model]
    learned, data = fitted(model, form, **options)
    found = audits_of(learned, data, technique)
    assert 0.85 < found["stability"]["value"] <= 1 and found["stability"]["low"] is not None
    assert found["agreement with occlusion"]["value"] > 0.5
    assert found["input shift"]["value"] is None and "holds by construction" in found["input shift"]["says"]


def test_a_jagged_model_is_told_from_a_smooth_one():
    data = numbers()
    jagged = lambda d, r: np.sin(400 * np.stack(values(d, r, "x0", "x1", "x2"), axis=1)).sum(axis=1)  # noqa: E731
    smooth = lambda d, r: values(d, r, "x0", "x1")[0] * 2  # noqa: E731
    one, two = (audits_of(Formula(f), data, "occlusion")["stability"]["value"] for f in (jagged, smooth))
    assert one < 0.6 and two > 0.9


class Words:
    """A model of text: how many letters."""

    def predict(self, data, rows):
        from gnomon.tasks._task import Prediction

        return Prediction(np.array([len(v) + 3 * v.count("a") for v in data.columns["t"].take(rows)], dtype=float))


def test_what_cannot_be_shaken_or_moved_is_said():
    words = np.array([" ".join("abc"[k % 3] * (1 + k % (j + 2)) for k in range(j % 4 + 4)) for j in range(150)], dtype=object)
    data = Data({"t": Dense(words, Spec("text")), "y": Dense(np.arange(150.0), Spec("number"))},
                {"t": Role("input", ""), "y": Role("target", "")}, np.arange(150))
    found = audits_of(Words(), data, "occlusion")
    assert "cannot be shaken" in found["stability"]["says"] and found["stability"]["value"] is None
    assert "no other technique" in found["agreement"]["says"] and found["agreement"]["value"] is None


def test_features_of_sequences_have_a_second_opinion_and_no_small_noise():
    """A linear model's terms are what taking a feature away changes: both rank alike."""
    dice = np.random.default_rng(7)
    texts = np.array(["".join(dice.choice(list("ACGT"), 10)) for _ in range(150)], dtype=object)
    y = np.array([3.0 * (t[2] == "A") - 2.0 * (t[5] == "C") + (t[7] == "G") for t in texts])
    data = Data({"s": Dense(texts, Spec("sequence", detail="DNA")), "y": Dense(y, Spec("number"))},
                {"s": Role("input", ""), "y": Role("target", "")}, np.arange(150))
    view = fit_view(data, np.arange(90), data.inputs, "onehot", dense=False, seed=0)
    matrix = matrix_of(view, data, np.arange(90))
    estimator = load("ridge")({"numbers": Spec("numbers", shape=(matrix.shape[1],))}, TASK.out).fit(matrix, y[:90])
    found = audits_of(Fitted(view, (estimator,), (TASK.out,)), data, "linear_attribution")
    assert found["agreement with occlusion"]["value"] > 0.99
    assert "cannot be shaken" in found["stability"]["says"] and found["input shift"]["value"] is None


def test_an_audit_takes_no_time_that_is_not_there(monkeypatch):
    data = numbers()
    learned = network(True, data)
    gone = audits_of(learned, data, "saliency")  # what is loaded by a first call
    gone = {}

    def dear(case, technique, once):
        return 3.0

    question = asked(learned, TASK, data, np.arange(90, 150), np.arange(150), end=float("inf"))
    found = replace(TECHNIQUES["saliency"](question.case), units=question.units)
    for left, said in ((-1.0, "no time was left"), (30.0, "about 108 s for 12 rows")):
        case = replace(question.case, end=time.monotonic() + left)
        monkeypatch.setattr(type(case), "seconds_a_row", dear)
        gone = {c["name"]: c for c in printed(found, case, [found])}
        assert said in gone["stability"]["says"] and gone["stability"]["value"] is None
    few = {c["name"]: c for c in printed(found, replace(question.case, end=time.monotonic() + 40), [found])}
    assert "12 rows" in few["input shift"]["says"] and few["input shift"]["value"] is not None


def test_every_audit_of_a_study_has_its_meaning_and_stands_in_the_evidence():
    learned, data = fitted("ridge", "scaled")
    told = explain(learned, TASK, data, np.arange(90, 150), np.arange(150))
    entry = told.explanations[1]
    names = [c["name"] for c in entry["other_checks"]]
    assert names == ["stability", "input shift", "agreement with occlusion"]
    assert all(c["means"] for c in entry["other_checks"])
    uses = next(f for f in told.findings if f.code == "WHY-USES")
    assert uses.values["stability"].startswith("rank correlation") and "by construction" in uses.values["input shift"]
    both = explain_asked(asked(learned, TASK, data, np.arange(90, 150), np.arange(150), end=time.monotonic() + 60),
                         ("linear_attribution", "sampled_shapley"))
    for entry, other in zip(both.explanations, ("sampled shapley", "linear attribution"), strict=True):
        names = [c["name"] for c in entry["other_checks"]]
        assert f"agreement with {other}" in names and "stability" in names and "agreement with occlusion" not in names
    assert with_meaning({"name": "stability over seeds"})["means"] == MEANS["stability over seeds"] != MEANS["stability"]
    assert with_meaning({"name": "held-out rows", "value": 3}) == {"name": "held-out rows", "value": 3}


def test_pixels_are_shaken_in_the_form_they_are_kept_in():
    dice = np.random.default_rng(3)
    images = dice.integers(0, 256, size=(6, 1, 4, 4)).astype(np.uint8)
    data = Data({"i": Dense(images, Spec("image", shape=(1, 4, 4))), "n": Dense(np.arange(6.0), Spec("number"))},
                {"i": Role("input", ""), "n": Role("input", "")}, np.arange(6))
    held = _printed._values(data, ("i", "n"))
    assert held.shape == (6, 17)
    same = _printed._with_values(data, ("i", "n"), held)
    assert np.array_equal(same.columns["i"].values, images) and same.columns["i"].values.dtype == np.uint8
    more = _printed._with_values(data, ("i", "n"), held + 300.4)
    assert more.columns["i"].values.max() == more.columns["i"].values.min() == 255
    assert np.allclose(more.columns["n"].values, np.arange(6) + 300.4)


class Sees(nn.Module):
    """One convolution and a head."""

    def __init__(self):
        super().__init__()
        self.look, self.head = nn.Conv2d(1, 6, 3, padding=1), nn.Linear(6 * 36, 2)

    def forward(self, inputs):
        return self.head(torch.relu(nn.functional.max_pool2d(self.look(inputs["i"]), 2)).flatten(1))


def test_an_image_networks_gradients_are_audited_through_its_own_pixels():
    """Times input leans on the zero of the pixels; the pieces are stable, as a convolution of shaken pixels hardly moves."""
    from gnomon.tasks.classify import classify

    dice = np.random.default_rng(5)
    images = dice.integers(0, 256, size=(40, 1, 12, 12)).astype(np.uint8)
    data = Data({"i": Dense(images, Spec("image", shape=(1, 12, 12))),
                 "y": Dense(dice.integers(0, 2, 40).astype(np.int32), Spec("category", categories=("a", "b")))},
                {"i": Role("input", ""), "y": Role("target", "")}, np.arange(40))
    task = classify("y", ("a", "b"))
    with torch.random.fork_rng():
        torch.manual_seed(2)
        learned = Network(task, Sees().eval(), fit_tensors(data, np.arange(20), data.inputs), {})
    question = asked(learned, task, data, np.arange(20, 40), np.arange(40), end=float("inf"))
    found = replace(TECHNIQUES["saliency"](question.case), units=question.units)
    told = {c["name"]: c for c in printed(found, question.case, [found])}
    assert 0.9 < told["stability"]["value"] < 1 and "20 rows" in told["stability"]["says"]
    assert told["input shift"]["value"] < 0.9 and told["agreement with occlusion"]["value"] > 0.3


def letters(n=150):
    """Random DNA of twelve letters, and a network that embeds it."""
    from test_explain import LettersEncoder
    from test_explain import network as reads

    dice = np.random.default_rng(8)
    texts = np.array(["".join(dice.choice(list("ACGT"), 12)) for _ in range(n)], dtype=object)
    data = table({"sequence:s": texts, "y": dice.normal(size=n)})
    return reads(data, TASK, np.arange(80), {"tokens": LettersEncoder}), data


@pytest.mark.parametrize("technique", ["integrated_gradients", "optimised_mask", "grad_cam"])
def test_letters_are_shaken_where_a_network_reads_them(technique):
    learned, data = letters()
    question = asked(learned, TASK, data, np.arange(90, 150), np.arange(150), end=float("inf")).only(20)
    attempt = TECHNIQUES[technique](question.case)
    assert isinstance(attempt, Attempt), attempt
    found = {c["name"]: c for c in printed(replace(attempt, units=question.units), question.case, [])}["stability"]
    assert 0.7 < found["value"] < 1 and "where the network reads them (embedded letters), 20 rows" in found["says"]


def test_atoms_are_shaken_where_a_network_reads_them_and_an_average_of_deletions_is_not():
    from test_computed import molecules

    case = molecules(curved=True)
    for technique, measured in (("saliency", True), ("aggregated", False)):
        attempt = replace(TECHNIQUES[technique](case), units=np.arange(8))
        found = {c["name"]: c for c in printed(attempt, case, [])}["stability"]
        assert (found["value"] is not None) == measured
        assert ("atoms' features" if measured else "takes them out whole") in found["says"]
        assert not measured or 0.5 < found["value"] <= 1


def test_noise_in_embedding_space_is_as_told_and_a_linear_reader_follows_it_in_closed_form(monkeypatch):
    """Input times gradient of sum_i w . e_i: shaken, it is w . (e_i + noise); nothing where a row has ended."""
    from gnomon.analyses.attribute._backward_leaves import ENTERS, entering
    from gnomon.data.kinds import Tokens

    class Linear(nn.Module):
        def __init__(self):
            super().__init__()
            self.table, self.head = nn.Embedding(6, 4, padding_idx=0), nn.Linear(4, 1, bias=False)

        def forward(self, tokens):
            return self.head(self.table(tokens.ids)).sum(dim=1)

    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = Linear().eval()
        ids = torch.randint(1, 6, (8, 7))
    ids[0, 4:] = 0
    tokens = Tokens(ids, ids > 0)
    shake = _printed._shake(0, 1)
    with entering(shake):
        found, again = (saliency(model, tokens, None, times_input=True) for _ in range(2))
    assert ENTERS.get() is None and torch.equal(found, again) and (found[0, 4:] == 0).all()
    plain, weight = saliency(model, tokens, None, times_input=True), model.head.weight.detach()[0]
    embedded = model.table(ids).detach()
    spread = embedded.flatten(0, 1).std(dim=0, unbiased=False)
    off = (found - plain)[ids > 0]
    assert off.std().item() == pytest.approx(0.02 * (weight * spread).norm().item(), rel=0.3)
    monkeypatch.setattr(_printed, "NOISE", 0.0)
    with entering(_printed._shake(0, 1)):
        assert torch.equal(saliency(model, tokens, None, times_input=True), plain)


def test_what_is_shaken_comes_to_rest_also_after_an_error():
    from gnomon.analyses.attribute._backward_leaves import ENTERS, entering

    with pytest.raises(ArithmeticError), entering(_printed._shake(0, 0)):
        raise ArithmeticError
    assert ENTERS.get() is None


def test_occlusion_of_letters_is_audited_for_its_draws_and_one_that_draws_nothing_is_not():
    """A count of letters A: which letter comes in place matters only where it is an A itself."""
    learned, data = letters()
    count = Formula(lambda d, r: [3.0 * (t[2] == "A") + 2.0 * (t[5] == "C") + t.count("A") for t in values(d, r, "s")[0]])
    for model in (learned, count):
        found = audits_of(model, data, "occlusion", rows=20)
        assert 0.3 < found["stability over seeds"]["value"] <= 1 and found["stability over seeds"]["low"] is not None
        assert "takes them out whole" in found["stability"]["says"]
    assert "stability over seeds" not in audits_of(network(True, numbers()), numbers(), "occlusion", rows=20)
    twice = audits_of(count, data, "lime", rows=20)
    assert "stability over seeds" not in twice  # asked for before its gates, as draws are its own
