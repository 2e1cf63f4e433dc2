"""Layer-wise relevance propagation as gradients: with every function going back by its rule, x * gradient is relevance.

A function y(x) of relevance R_y = y * g hands down R_x = x * J' g. So a rule with contributions z (sum_i z_i = z) is the
function told(y, z * (y / z)), whose value is y and whose way back is z's, scaled to pass R_y on. Imported only where torch
is wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from gnomon.analyses.attribute._backward_differences import told
from gnomon.analyses.attribute._backward_leaves import Leaves, gradients
from gnomon.analyses.attribute._backward_modes import Rules, in_place, name_of, outside, refuse_scripted, tensors_in
from gnomon.analyses.attribute._backward_names import BILINEAR, ELEMENTWISE, LINEAR, POOLS
from gnomon.analyses.attribute._backward_parts import Parts
from gnomon.errors import InputError

WHO = "layer_relevance"
WEIGHTED = ("linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
SHAPES = ("view", "reshape", "flatten", "unflatten", "permute", "transpose", "squeeze", "unsqueeze", "contiguous", "clone")
SMALL = 1e-12  # sums smaller than this hand nothing down


def relevances(leaves: Leaves, mode: Relevances) -> dict[Any, Tensor]:
    """Relevance by leaf."""
    refuse_scripted(leaves.model, WHO)
    output = leaves.output(modes=(mode,))
    if not output.requires_grad:
        raise InputError("E-ATTRIBUTION", "no relevance comes through: this model's output depends on its input only through "
                         "softmax or attention weights, which layer_relevance takes as constants",
                         do="let the model give scores before the softmax, or use integrated_gradients")
    bounds = {(key, end): tensor for key, pair in mode.bounds.items() for end, tensor in enumerate(pair)}
    found = gradients(output, leaves.leaves | bounds)
    out = {key: found[key] * value for key, value in leaves.values.items()}
    for key, pair in mode.bounds.items():
        out[key] = out[key] + sum(found[key, end] * bound.detach() for end, bound in enumerate(pair))
    return out


class Relevances(Rules):
    """The rules of layer_relevance. bounds: input -> its lowest and highest values as leaves, where z-box was used."""

    def __init__(self, rule: str, epsilon: float, gamma: float, alpha: float, box: Any):
        rules: dict[str, Callable] = {name: self.passed_on for name in ELEMENTWISE}
        rules |= {name: self.shared for name in BILINEAR} | {name: self.weighted for name in WEIGHTED}
        rules |= Parts(self).rules | {"softmax": self.constant, "logsumexp": self.logsumexp, "div": self.div,
                                      "batch_norm": self.batch_norm}
        super().__init__(rules, only=LINEAR | POOLS, who=WHO)
        self.rule, self.epsilon, self.gamma, self.alpha, self.box = rule, epsilon, gamma, alpha, box
        self.bounds: dict[str, tuple[Tensor, Tensor]] = {}
        self._parted = Parts(self)

    def plain(self, func: Any, args: tuple, kwargs: dict) -> Any:
        """As it is. What was noted on a tensor ends when it is changed in place; bounds are reshaped along."""
        out = func(*args, **kwargs)
        first = args[0] if args and isinstance(args[0], Tensor) else None
        if first is not None and in_place(func, kwargs):
            first.__dict__.clear()
        elif first is not None and name_of(func) in SHAPES and isinstance(out, Tensor) and out is not first:
            ends = self._ends(first)
            if ends is not None:
                out.ends = tuple(func(end, *args[1:], **kwargs) for end in ends)
        return out

    def passed_on(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        """An activation's relevance is that of its input."""
        moving = _moving(args, kwargs)
        value = outside(func, args, kwargs)
        if len(moving) > 1:
            raise InputError("E-ATTRIBUTION", f"{WHO} has a rule for '{name_of(func)}' of one tensor that depends on the input",
                             do="write it as a product or a sum, or use integrated_gradients")
        return self._scaled(value, moving[0])

    def shared(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        """A product's relevance goes evenly to its factors that depend on the input."""
        value = outside(func, args, kwargs)
        return told(value, value / len(_moving(args, kwargs)))

    def constant(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        """Attention weights are taken as they are."""
        return outside(func, args, kwargs).detach()

    def div(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        """What is divided carries the relevance; alone, the divisor does."""
        a, b = args[0], args[1] if len(args) > 1 else kwargs["other"]
        if isinstance(a, Tensor) and a.requires_grad:
            return outside(func, (a, b.detach() if isinstance(b, Tensor) else b), {})
        return self._scaled(outside(func, args, kwargs), b)

    def logsumexp(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        """To each term z by its weight softmax(z) * z."""
        z, dim = args[0], kwargs.get("dim", args[1] if len(args) > 1 else -1)
        keep = bool(kwargs.get("keepdim", args[2] if len(args) > 2 else False))
        share = z.detach().softmax(dim if isinstance(dim, int) else dim[0])
        value = outside(func, args, kwargs)
        return self._scaled(value, (share * z.masked_fill(~z.isfinite(), 0.0)).sum(dim, keepdim=keep))

    def norm(self, x: Tensor, dims: tuple[int, ...], eps: float, centred: bool) -> Tensor:
        """x (less its mean) over its spread, which is taken as it is."""
        d = x - x.mean(dims, keepdim=True) if centred else x
        return d * (d.detach().square().mean(dims, keepdim=True) + eps).rsqrt()

    def top(self, x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The maximum over dims, and where it is: the winner takes the relevance."""
        kept = [d for d in range(x.ndim) if d not in dims]
        flat = x.permute(*kept, *dims).flatten(len(kept))
        at = flat.argmax(-1, keepdim=True)
        return flat.gather(-1, at)[..., 0], at[..., 0]

    def batch_norm(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        """Merged into the convolution or linear layer before it; else linear as it is."""
        self._parted.batch_norm(func, args, kwargs)  # refuses a batch's own statistics
        order = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = dict(zip(order, args, strict=False)) | kwargs
        layer = getattr(given["input"], "layer", None)
        value = outside(func, args, kwargs)
        if layer is None:
            return value
        call, x, weight, bias = layer
        scale = (given["running_var"] + given.get("eps", 1e-5)).rsqrt() * (1 if given["weight"] is None else given["weight"])
        shift = (0 if bias is None else bias) - given["running_mean"]
        merged = shift * scale + (0 if given["bias"] is None else given["bias"])
        return self._by_rule(value, call, x, weight * scale.reshape(-1, *[1] * (weight.ndim - 1)), merged)

    def weighted(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        """A linear layer or convolution, by the rule for its type."""
        given = dict(zip(("input", "weight", "bias"), args, strict=False)) | kwargs
        x, weight, bias = given["input"], given["weight"], given.get("bias")
        others = {k: v for k, v in kwargs.items() if k not in ("input", "weight", "bias")}
        if weight.requires_grad or (bias is not None and bias.requires_grad):
            return self.shared(func, args, kwargs)

        def call(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
            return func(x, weight, bias, *args[3:], **others)

        call.convolves = name_of(func) != "linear"  # type: ignore[attr-defined]
        out = self._by_rule(call(x.detach(), weight, bias), call, x, weight, bias)
        if "transpose" not in name_of(func) and (call.convolves or x.ndim == 2):  # type: ignore[attr-defined]
            out.layer = (call, x, weight, bias)
        return out

    def _by_rule(self, value: Tensor, call: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ends = self._ends(x)
        if ends is not None:
            up, down = weight.clamp(min=0), weight.clamp(max=0)
            return self._scaled(value, call(x, weight, None) - call(ends[0], up, None) - call(ends[1], down, None))
        rule = ("gamma" if call.convolves else "epsilon") if self.rule == "composite" else self.rule
        if rule == "epsilon":
            return self._scaled(value, call(x, weight, bias))
        rises, falls = _by_sign(call, x, weight, bias)
        if rule == "gamma":
            agreeing = torch.where(value >= 0, rises, falls)
            return self._scaled(value, call(x, weight, bias) + self.gamma * agreeing)
        beta = self.alpha - 1
        linear = self.alpha * rises * self._ratio(value, rises)
        return told(value, linear - beta * falls * self._ratio(value, falls) if beta else linear)

    def _scaled(self, value: Tensor, parts: Tensor) -> Tensor:
        """`value`, handing its relevance down as the contributions of `parts` have it."""
        return told(value, parts * self._ratio(value, parts))

    def _ratio(self, value: Tensor, parts: Tensor) -> Tensor:
        parts = parts.detach()
        below = parts + torch.where(parts >= 0, self.epsilon, -self.epsilon)
        return torch.where(below.abs() > SMALL, value.detach() / below, 0.0)

    def _ends(self, x: Tensor) -> tuple[Tensor, ...] | None:
        """The lowest and highest values of the input that x is (reshaped, perhaps), for the z-box rule."""
        key = getattr(x, "entered", None)
        if key is None or self.box is None or not isinstance(key, str):
            return getattr(x, "ends", None)
        box = self.box.get(key) if isinstance(self.box, Mapping) else self.box
        if box is None:
            return None
        if key not in self.bounds:
            self.bounds[key] = tuple(torch.as_tensor(end).to(x).expand_as(x).clone().requires_grad_() for end in box)
        return self.bounds[key]


def _by_sign(call: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
    """The sums of the contributions above and below zero, for inputs of either sign."""
    up, down = weight.clamp(min=0), weight.clamp(max=0)
    above, below = x.clamp(min=0), x.clamp(max=0)
    high, low = (None, None) if bias is None else (bias.clamp(min=0), bias.clamp(max=0))
    return call(above, up, high) + call(below, down, None), call(above, down, low) + call(below, up, None)


def _moving(args: tuple, kwargs: dict) -> list[Tensor]:
    return [t for t in tensors_in((*args, *kwargs.values())) if t.requires_grad]
