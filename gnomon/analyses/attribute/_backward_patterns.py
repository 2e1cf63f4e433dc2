"""Patterns of the units of a network: fitted in one pass over data, then used in place of weights on the way back
(pattern_attribution.py). Imported only where torch is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gnomon.analyses.attribute._backward_differences import told
from gnomon.analyses.attribute._backward_leaves import Leaves, gradients
from gnomon.analyses.attribute._backward_modes import Rules, name_of, outside, refuse_scripted, tensors_in
from gnomon.errors import InputError

WHO = "pattern_attribution"
WEIGHTED = ("linear", "conv1d", "conv2d", "conv3d")
SAME_SIGN = ("batch_norm", "dropout", "dropout1d", "dropout2d", "dropout3d", "clone", "contiguous")  # before a ReLU
FEWEST = 2.0  # values of a unit from which a covariance can be taken


class Pattern(NamedTuple):
    """Of the units of one call, in order of calls. values: the shape of the weight; 0 for units that never vary."""

    name: str
    values: Tensor


class Call(NamedTuple):
    """One weighted sum: which in order, how to compute it from (x, weight), and what came out."""

    turn: int
    of: Any
    x: Tensor
    weight: Tensor
    y: Tensor


@dataclass
class Sums:
    """Over rows and places where a unit is on: how many, its sum, its inputs' sum, and that of their products."""

    name: str
    weight: Tensor
    count: Any = 0.0
    y: Any = 0.0
    x: Any = 0.0
    xy: Any = 0.0

    def add(self, call: Call, on: Tensor) -> None:
        """Sums over inputs come as gradients of weighted outputs: d/dw sum_n g_n (w . x_n) = sum_n g_n x_n."""
        with torch.enable_grad():
            weight = call.weight.detach().clone().requires_grad_()
            out = call.of(call.x, weight)
            on = on.to(out)
            self.x += torch.autograd.grad(out, weight, on, retain_graph=True)[0].double()
            self.xy += torch.autograd.grad(out, weight, on * call.y)[0].double()
        units = tuple(d for d in range(on.ndim) if d != _unit_dimension(self.name, on))
        self.count += on.sum(units).double()
        self.y += (on * call.y).sum(units).double()

    def pattern(self) -> Pattern:
        """a = cov / (w . cov), of shape (units, ...)."""
        shape = (-1, *[1] * (self.weight.ndim - 1))
        count = self.count.clamp(min=1).reshape(shape)
        covariance = self.xy / count - (self.x / count) * (self.y.reshape(shape) / count)
        along = (covariance * self.weight.double()).flatten(1).sum(1).reshape(shape)
        size = covariance.flatten(1).norm(dim=1) * self.weight.double().flatten(1).norm(dim=1)
        known = (self.count.reshape(shape) >= FEWEST) & (along > 1e-9 * size.reshape(shape))
        return Pattern(self.name, torch.where(known, covariance / torch.where(known, along, 1.0), 0.0).to(self.weight))


def _unit_dimension(name: str, out: Tensor) -> int:
    return out.ndim - 1 if name == "linear" else out.ndim - int(name[4]) - 1


@dataclass
class Moments:
    """The sums of every call, over all chunks watched."""

    sums: list[Sums] = field(default_factory=list)

    def watch(self, leaves: Leaves) -> None:
        """One chunk more."""
        refuse_scripted(leaves.model, WHO)
        mode = Watching()
        with torch.enable_grad():
            leaves.output(modes=(mode,))
        for call, on in mode.calls.values():
            name = f"conv{call.y.ndim - 2}d" if call.weight.ndim > 2 else "linear"
            if call.turn == len(self.sums):
                self.sums.append(Sums(name, call.weight.detach()))
            self.sums[call.turn].add(call, torch.ones_like(call.y) if on is None else on)

    def patterns(self) -> list[Pattern]:
        if not self.sums:
            raise InputError("E-ATTRIBUTION", "the model has no linear layer or convolution that patterns could be fitted for",
                             do="use integrated_gradients")
        return [s.pattern() for s in self.sums]


class Watching(Rules):
    """calls: turn -> the call, and where the ReLU that follows it is on (None when none follows)."""

    def __init__(self) -> None:
        rules: dict[str, Any] = {name: self.weighted for name in WEIGHTED} | {name: self.handed_on for name in SAME_SIGN}
        super().__init__(rules | {"relu": self.relu})
        self.calls: dict[int, tuple[Call, Tensor | None]] = {}

    def weighted(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        of, x, weight = _taken(func, args, kwargs)
        out = func(*args, **kwargs)
        if not weight.requires_grad:
            call = Call(len(self.calls), of, x.detach().clone(), weight, out.detach().clone())
            self.calls[call.turn] = call, None
            out.turn = call.turn
        return out

    def handed_on(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        out = outside(func, args, kwargs)
        source = next(tensors_in((*args, *kwargs.values())))
        if hasattr(source, "turn"):
            out.turn = source.turn
        return out

    def relu(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        x = args[0] if args else kwargs["input"]
        if hasattr(x, "turn"):
            self.calls[x.turn] = self.calls[x.turn][0], (x.detach() > 0)
        return outside(func, args, kwargs)


def _taken(func: Any, args: tuple, kwargs: dict) -> tuple[Any, Tensor, Tensor]:
    """A weighted sum as a function of (x, weight) without bias, and those two."""
    given = dict(zip(("input", "weight", "bias"), args, strict=False)) | kwargs
    others = {k: v for k, v in kwargs.items() if k not in ("input", "weight", "bias")}
    return lambda x, weight: func(x, weight, None, *args[3:], **others), given["input"], given["weight"]


def through_patterns(leaves: Leaves, patterns: list[Pattern], signal: bool) -> dict[Any, Tensor]:
    """The output handed back along the patterns, by leaf."""
    output = leaves.output(modes=(Patterned(patterns, signal),))
    return gradients(output * output.detach(), leaves.leaves)


class Patterned(Rules):
    """Weighted sums that go back by w * a, or by a; batch norms by their scale's own pattern."""

    def __init__(self, patterns: list[Pattern], signal: bool):
        super().__init__({**{name: self.weighted for name in WEIGHTED}, "batch_norm": self.batch_norm})
        self.left, self.signal = patterns[::-1], signal

    def weighted(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        of, x, weight = _taken(func, args, kwargs)
        value = func(*args, **kwargs)
        if weight.requires_grad:
            return value
        pattern = self.left.pop() if self.left else None
        if pattern is None or pattern.values.shape != weight.shape or pattern.name != name_of(func):
            raise InputError("E-ATTRIBUTION", "this model calls other layers on these rows than on the data its patterns were "
                             "fitted on", do="fit and explain with the same model, on rows of one form")
        values = pattern.values.to(weight)
        return told(value, of(x, values if self.signal else values * weight))

    def batch_norm(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        order = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = dict(zip(order, args, strict=False)) | kwargs
        x, var = given["input"], given["running_var"]
        value = outside(func, args, kwargs)
        if var is None or given.get("training"):
            return value
        scale = (var + given.get("eps", 1e-5)).rsqrt() * (1 if given["weight"] is None else given["weight"])
        shape = (1, -1, *[1] * (x.ndim - 2))
        back = torch.where(scale.abs() > 1e-12, 1 / scale, 0.0).reshape(shape) if self.signal else 1.0
        return told(value, x * back)
