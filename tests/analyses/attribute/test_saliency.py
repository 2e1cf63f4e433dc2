"""Saliency: the derivative itself, closed forms on linear models, and what a user's own network may do."""

import pytest
import torch
from backward_nets import (
    Odd,
    Reader,
    convolutional,
    images,
    leaves_nothing,
    leaves_nothing_after_an_error,
    mixed_inputs,
    seeded,
    whole,
)
from torch import nn

from gnomon.analyses.attribute.saliency import saliency
from gnomon.errors import InputError


def test_a_linear_model_gives_its_weights_and_contributions():
    model, x = seeded(lambda: (nn.Linear(5, 2, bias=False), torch.randn(7, 5)))
    assert torch.equal(saliency(model, x, 1), model.weight[1].expand(7, 5))
    found = saliency(model, x, 1, times_input=True)
    assert torch.allclose(found.sum(1), model(x)[:, 1], atol=1e-6)


def test_equals_autograd_whatever_the_chunk():
    model, x = seeded(convolutional), images(7)
    leaf = x.clone().requires_grad_()
    wanted = torch.autograd.grad(model(leaf)[range(7), [0, 1, 2, 3, 0, 1, 2]].sum(), leaf)[0]
    for chunk in (0, 1, 3):
        found = saliency(model, x, torch.tensor([0, 1, 2, 3, 0, 1, 2]), chunk=chunk)
        assert torch.allclose(found, wanted, atol=1e-7)


def test_agrees_with_captum():
    from captum.attr import InputXGradient

    model, x = seeded(convolutional), images()
    wanted = InputXGradient(model).attribute(x.clone().requires_grad_(), target=2)
    assert torch.allclose(saliency(model, x, 2, times_input=True), wanted.detach(), atol=1e-7)


def test_two_networks_of_one_function_get_the_same():
    """Implementation invariance: a linear layer split into two, a ReLU written as (x + |x|) / 2."""
    one = seeded(lambda: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)))

    class Other(nn.Module):
        def forward(self, x):
            h = nn.functional.linear(x, 2 * one[0].weight) / 2 + one[0].bias
            return one[2]((h + h.abs()) / 2)

    x = torch.linspace(-2, 2, 20).reshape(5, 4)
    assert torch.allclose(saliency(one, x, 1), saliency(Other(), x, 1), atol=1e-6)


def test_unused_inputs_get_zero():
    model, x = seeded(lambda: (Reader(), mixed_inputs()))
    with torch.no_grad():
        model.head[0].weight[:, 8:10] = 0  # numbers
        model.letters.weight.zero_()
    found = saliency(model, x, 1, times_input=True)
    assert (found["numbers"] == 0).all() and (found["seq"] == 0).all()
    assert (found["categories"] != 0).all() and (found["mol"] != 0).all()


def test_a_linear_reader_of_every_kind_is_complete():
    """Gradient x input of embedded codes, numbers, atoms and bonds adds up where the model is linear in all of them."""
    model, x = seeded(lambda: (Reader(), mixed_inputs()))
    ends = []

    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = model

        def forward(self, given):
            graph = given["mol"]
            seq = (model.letters(given["seq"].ids) * given["seq"].mask[..., None]).sum((1, 2))
            kinds = sum(e(given["categories"][:, j]).sum(1) for j, e in enumerate(model.kinds))
            atoms = torch.zeros(3).index_add(0, graph.owner, graph.nodes.sum(1))
            bonds = torch.zeros(3).index_add(0, graph.owner[graph.edges[0]], graph.edge_features.sum(1))
            ends.append(seq + kinds + given["numbers"].sum(1) + atoms + 3 * bonds)
            return ends[-1]

    found = saliency(Sums(), x, None, times_input=True, chunk=64)
    assert torch.allclose(whole(found), ends[-1].detach(), atol=1e-5)


def test_an_odd_network_works_and_its_input_stays_as_it_was():
    model, x = seeded(Odd).eval(), images()
    kept = x.clone()
    found = saliency(model, x, 0)
    assert torch.equal(x, kept) and found.shape == x.shape and (found != 0).any()
    step = 1e-3 * found / found.norm()
    with torch.no_grad():
        rise = model((x + step).clone())[:, 0] - model(x.clone())[:, 0]
    assert torch.allclose(rise.sum(), (step * found).sum(), rtol=0.05)


def test_nothing_is_left_behind():
    assert leaves_nothing(saliency, seeded(convolutional), images(), 1)
    assert leaves_nothing_after_an_error(saliency, images())


@pytest.mark.parametrize("forward, words", [
    (lambda m, x: m(x).detach(), "no gradient"),
    (lambda m, x: m(x)[:, :, None], "target as a function"),
    (lambda m, x: {"logits": m(x)}, "target as a function"),
])
def test_what_cannot_be_explained_is_refused_in_words(forward, words):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = convolutional()

        def forward(self, x):
            return forward(self.inner, x)

    with pytest.raises(InputError, match=words) as error:
        saliency(Model(), images(), 0)
    assert error.value.code == "E-ATTRIBUTION" and error.value.do


def test_codes_without_an_embedding_and_wrong_targets_are_refused_in_words():
    class OneHot(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(5, 2)

        def forward(self, ids):
            return self.head(nn.functional.one_hot(ids, 5).float().mean(1))

    with pytest.raises(InputError, match="reach no embedding"):
        saliency(OneHot(), torch.tensor([[1, 2], [3, 4]]), 0)
    with pytest.raises(InputError, match="none of the model's 4 outputs"):
        saliency(seeded(convolutional), images(), 4)
    with pytest.raises(InputError, match="none was named"):
        saliency(seeded(convolutional), images(), None)
    with pytest.raises(InputError, match="no rows"):
        saliency(seeded(convolutional), images()[:0], 0)


def test_an_in_place_change_that_breaks_the_gradient_is_refused_in_words():
    class Breaking(nn.Module):
        def forward(self, x):
            h = x.exp()
            h += 1  # exp's gradient is its own output
            return h.sum((1, 2, 3))[:, None]

    with pytest.raises(InputError, match="in place"):
        saliency(Breaking(), images(), 0)
