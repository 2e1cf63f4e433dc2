"""LRP: relevance is kept from layer to layer under every rule, rules by hand, captum's values, words where none holds."""

import pytest
import torch
from backward_nets import (
    Lstm,
    Odd,
    Reader,
    convolutional,
    images,
    leaves_nothing,
    leaves_nothing_after_an_error,
    mixed_inputs,
    seeded,
)
from torch import nn

from gnomon.analyses.attribute.layer_relevance import layer_relevance
from gnomon.analyses.attribute.saliency import saliency
from gnomon.errors import InputError

RULES = ("composite", "epsilon", "gamma", "alpha_beta")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("box", [None, (-3.0, 3.0)])
def test_without_biases_relevances_add_up_to_the_output(rule, box):
    model, x = seeded(lambda: convolutional(bias=False)), images().clamp(-3, 3)
    found = layer_relevance(model, x, 1, rule=rule, box=box, epsilon=1e-9)
    assert found.shape == x.shape and torch.allclose(found.flatten(1).sum(1), model(x)[:, 1], atol=1e-5)


def test_epsilon_towards_zero_is_gradient_times_input_on_relu_networks():
    """Shrikumar et al. 2016; Ancona et al. 2018, arXiv:1711.06104, proposition 1. With biases too."""
    model, x = seeded(convolutional), images()
    wanted = saliency(model, x, 2, times_input=True)
    assert torch.allclose(layer_relevance(model, x, 2, rule="epsilon", epsilon=1e-12), wanted, atol=1e-5)


def test_rules_by_hand_on_one_unit():
    """x = (1, 2, -1), w = (3, -1, -2): contributions 3, -2, 2; y = 3."""
    model, x = nn.Linear(3, 1, bias=False), torch.tensor([[1.0, 2.0, -1.0]])
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[3.0, -1.0, -2.0]]))

    def found(**options):
        return layer_relevance(model, x, 0, **{"epsilon": 1e-12, **options})[0]

    z = torch.tensor([3.0, -2.0, 2.0])
    assert torch.allclose(found(rule="epsilon"), z)
    assert torch.allclose(found(rule="epsilon", epsilon=1.0), z * 3 / 4)
    assert torch.allclose(found(rule="gamma", gamma=0.5), torch.tensor([4.5, -2.0, 3.0]) * 3 / 5.5)
    assert torch.allclose(found(rule="alpha_beta", alpha=1.0), torch.tensor([3.0, 0.0, 2.0]) * 3 / 5)
    assert torch.allclose(found(rule="alpha_beta", alpha=2.0), torch.tensor([18 / 5, -3.0, 12 / 5]))
    low, high = -1.0, 2.0
    boxed = z - low * torch.tensor([3.0, 0, 0]) - high * torch.tensor([0, -1.0, -2.0])
    assert torch.allclose(found(box=(low, high)), boxed * 3 / boxed.sum())


def test_agrees_with_captum_rule_by_rule():
    from captum.attr import LRP
    from captum.attr._utils.lrp_rules import Alpha1_Beta0_Rule, EpsilonRule, GammaRule

    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 6, 3, bias=False), nn.ReLU(), nn.MaxPool2d(2),
                                         nn.Conv2d(6, 8, 3, bias=False), nn.ReLU(), nn.Flatten(),
                                         nn.Linear(72, 4, bias=False)).eval())
    x = images().abs()  # captum's gamma and alpha-beta suppose inputs above zero
    for rule, theirs, linear in (("epsilon", EpsilonRule, EpsilonRule), ("composite", GammaRule, EpsilonRule),
                                 ("alpha_beta", Alpha1_Beta0_Rule, Alpha1_Beta0_Rule)):
        for place in (0, 3):
            model[place].rule = theirs()
        model[5].rule, model[6].rule = EpsilonRule(), linear()
        wanted = LRP(model).attribute(x.clone().requires_grad_(), target=1).detach()
        found = layer_relevance(model, x, 1, rule=rule, alpha=1.0, epsilon=1e-9)
        assert torch.allclose(found, wanted, atol=2e-5 * wanted.abs().max().clamp(min=1)), rule


@pytest.mark.parametrize("rule", RULES)
def test_a_batch_norm_is_merged_into_the_layer_before_it(rule):
    def normed():
        norm = nn.BatchNorm2d(6)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        with torch.no_grad():
            norm.weight.normal_()
            norm.bias.normal_()
        return nn.Sequential(nn.Conv2d(3, 6, 3), norm, nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(600, 3)).eval()

    model, x = seeded(normed), images()
    conv, norm = model[0], model[1]
    merged = nn.Conv2d(3, 6, 3)
    with torch.no_grad():
        scale = norm.weight / (norm.running_var + norm.eps).sqrt()
        merged.weight.copy_(conv.weight * scale[:, None, None, None])
        merged.bias.copy_((conv.bias - norm.running_mean) * scale + norm.bias)
    other = nn.Sequential(merged, nn.ReLU(), nn.Flatten(), model[4])
    one, two = (layer_relevance(m, x, 1, rule=rule) for m in (model, other))
    assert torch.allclose(one, two, atol=1e-4 * two.abs().max())


def test_the_box_reaches_a_first_layer_behind_a_reshape():
    layer = seeded(lambda: nn.Linear(432, 3, bias=False))
    x = images().clamp(-2, 2)
    one = layer_relevance(nn.Sequential(nn.Flatten(), layer), x, 1, box=(-2, 2))
    two = layer_relevance(layer, x.flatten(1), 1, box=(-2, 2))
    assert torch.allclose(one.flatten(1), two, atol=1e-6)
    assert not torch.allclose(two, layer_relevance(layer, x.flatten(1), 1), atol=1e-3)


class Transformed(nn.Module):
    """Attention, norms, residual sums, a gate; no biases where one can be left out."""

    def __init__(self):
        super().__init__()
        self.enter, self.norm = nn.Linear(3, 8, bias=False), nn.LayerNorm(8, bias=False)
        self.attend = nn.MultiheadAttention(8, 2, bias=False, batch_first=True)
        self.up, self.gate, self.down = (nn.Linear(*s, bias=False) for s in ((8, 12), (8, 12), (12, 2)))

    def forward(self, x):
        h = self.enter(x)
        h = h + self.attend(self.norm(h), self.norm(h), self.norm(h))[0]
        return self.down(nn.functional.gelu(self.up(h)) * torch.sigmoid(self.gate(h))).amax(1)


def test_relevance_is_kept_through_attention_norms_and_gates():
    model, x = seeded(lambda: (Transformed(), torch.randn(4, 7, 3)))
    found = layer_relevance(model, x, 1, epsilon=1e-9)
    assert torch.allclose(found.flatten(1).sum(1), model(x)[:, 1], atol=1e-4) and (found != 0).all(1).any()


def test_several_inputs_and_unused_ones():
    model, x = seeded(lambda: (Reader(), mixed_inputs()))
    with torch.no_grad():
        model.head[0].weight[:, 8:10] = 0
    found = layer_relevance(model, x, 1, box={"numbers": (-3, 3)})
    assert (found["numbers"] == 0).all() and (found["seq"][~x["seq"].mask] == 0).all()
    assert all(found[name].isfinite().all() for name in x) and (found["mol"] != 0).all()


def test_an_odd_network_works_in_any_chunk():
    model, x = seeded(Odd).eval(), images()
    one, two = (layer_relevance(model, x, 0, chunk=c) for c in (2, 5))
    assert torch.allclose(one, two, atol=1e-5 * one.abs().max()) and one.isfinite().all()


def test_what_has_no_rule_is_refused_in_words():
    with pytest.raises(InputError, match="no rule for the function 'lstm'"):
        layer_relevance(seeded(Lstm), torch.randn(2, 4, 3), 0)
    with pytest.raises(InputError, match="only through softmax"):
        layer_relevance(nn.Sequential(nn.Linear(3, 2), nn.Softmax(1)), torch.randn(2, 3), 0)
    with pytest.raises(InputError, match="no rule 'beta'"):
        layer_relevance(seeded(convolutional), images(), 0, rule="beta")
    with pytest.raises(InputError, match="alpha is"):
        layer_relevance(seeded(convolutional), images(), 0, alpha=0.5)


def test_nothing_is_left_behind():
    assert leaves_nothing(layer_relevance, seeded(convolutional), images(), 1)
    assert leaves_nothing_after_an_error(layer_relevance, images())
