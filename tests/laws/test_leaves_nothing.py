"""An error in a user's network leaves it as it was, whichever technique looked inside: over all cards that take one."""

from __future__ import annotations

import ast
import pickle
import sys
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1] / "analyses" / "attribute"))
sys.path.insert(0, str(Path(__file__).parents[1] / "analyses" / "represent"))
sys.path.insert(0, str(Path(__file__).parents[1] / "methods"))
from backward_nets import Reader, convolutional, images, mixed_inputs, seeded
from deep_data import images as picture_data
from test_every_module import LOOKS
from test_every_technique import OF_ESTIMATORS, OF_MODULES, call

from gnomon.analyses.attribute.deconvolution import deconvolution
from gnomon.analyses.attribute.input_shift import input_shift
from gnomon.analyses.attribute.stability import stability
from gnomon.analyses.attribute.weight_cascade import weight_cascade
from gnomon.analyses.debug.norms import layer_norms
from gnomon.analyses.represent._watch import called_once
from gnomon.card import catalogue
from gnomon.data.tensors import fit_tensors
from gnomon.methods._kit import raw_outputs
from gnomon.methods._network import Network
from gnomon.methods._probe import layer_readings
from gnomon.tasks.classify import classify

DATA = picture_data(12)
TASK = classify("bar", ("lying", "standing"))
TENSORS = fit_tensors(DATA, np.arange(12), DATA.inputs)


class Fails(nn.Module):
    """A network with a frozen weight, one part set to evaluation, a hook and a gradient of the user's own; from the pass
    after `left` ones on it fails in the middle. Takes a tensor, or a dict with one picture."""

    def __init__(self, left):
        super().__init__()
        self.first, self.norm, self.rest = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), convolutional()[1:]
        self.left = left
        self.first.bias.requires_grad_(False)
        self.first.weight.grad = torch.ones_like(self.first.weight)
        self.train()
        self.norm.eval()
        self.norm.register_forward_hook(lambda *_: None)

    def forward(self, x):
        x = x["picture"].repeat(1, 3, 1, 1) if isinstance(x, dict) else x
        self.left -= 1
        h = self.norm(self.first(x))
        if self.left < 0:
            raise ArithmeticError("in the middle")
        return self.rest(h)


class FailsOnGraphs(Fails):
    def __init__(self, left):
        super().__init__(left)
        self.rest = Reader()

    def forward(self, x):
        self.left -= 1
        if self.left < 0:
            self.rest.mix(x["mol"].nodes.new_zeros(1, 4))
            raise ArithmeticError("in the middle")
        return self.rest(x)


def network(model):
    return Network(TASK, model, TENSORS, {})


X = partial(images, 3)
USES = {
    **{name: lambda model, name=name: call(name)(model, X(), 1) for name in OF_MODULES if name != "gnn_explainer"},
    **{name: lambda model, name=name: LOOKS[name](model, images(8), "first") for name in LOOKS},
    "gnn_explainer": lambda model: call("gnn_explainer")(model, seeded(mixed_inputs), 0),
    "input_shift": lambda model: input_shift(deconvolution, model, X(), 1),
    "stability": lambda model: stability(deconvolution, model, X(), 1, draws=2),
    "weight_cascade": lambda model: weight_cascade(deconvolution, model, X(), 1, steps=1),
    "norms": lambda model: layer_norms(network(model), DATA, np.arange(8)),
}
KIT = {
    "called_once": lambda model: called_once(model, X(), X()[:2]),
    "raw_outputs": lambda model: raw_outputs(model, DATA, np.arange(8), TENSORS, network(model).desk),
    "layer_readings": lambda model: layer_readings(model, TENSORS.batch(DATA, np.arange(4))),
}


def state(model):
    """All that a technique may change and must not leave changed."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "_state_dict_hooks")
    own = [[len(getattr(m, kind)) for kind in kinds] for m in model.modules()]
    everywhere = [len(getattr(nn.modules.module, f"_global{kind}")) for kind in kinds[:4]]
    tensors = [len(p._backward_hooks or ()) for p in model.parameters()]
    gradients = [None if p.grad is None else p.grad.clone().numpy().tobytes() for p in model.parameters()]
    return (own, everywhere, tensors, gradients, [m.training for m in model.modules()],
            [p.requires_grad for p in model.parameters()], pickle.dumps(model.state_dict()), torch.is_grad_enabled(),
            torch.is_inference_mode_enabled())


@pytest.mark.parametrize("name", [*USES, *KIT])
def test_an_error_leaves_hooks_modes_flags_weights_and_gradients_as_they_were(name):
    failed = 0
    for left in (0, 1, 2):
        model = seeded(partial(FailsOnGraphs if name == "gnn_explainer" else Fails, left))
        before = state(model)
        with suppress(ArithmeticError):
            {**USES, **KIT}[name](model)
            failed -= 1
        failed += 1
        assert state(model) == before, left
    assert failed >= 1  # the first pass at least must have failed, or nothing was tried


def test_no_card_that_takes_a_network_is_missing():
    """A technique is looked at by its signature: `model: nn.Module`, or any model with a target to explain."""
    for name, card in catalogue().items():
        if not card.module.startswith("gnomon.analyses.") or name in OF_ESTIMATORS:
            continue
        source = Path(sys.modules["gnomon"].__file__).parent.joinpath(*card.module.split(".")[1:]).with_suffix(".py")
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name == name:
                taken = {a.arg: ast.unparse(a.annotation) if a.annotation else "" for a in node.args.args}
                if taken.get("model") == "nn.Module" or {"model", "target"} <= set(taken):
                    assert name in USES, f"{name} takes a network and is not in the law"
