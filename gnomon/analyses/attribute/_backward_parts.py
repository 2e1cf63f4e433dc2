"""Larger functions taken apart into the few that rules exist for: products, sums, exponentials, norms, maxima.
Imported only where torch is wanted."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from gnomon.analyses.attribute._backward_modes import name_of, outside
from gnomon.errors import InputError


class Primitive(Protocol):
    """A mode that knows, besides its rules, how a norm and a maximum go back."""

    who: str

    def __enter__(self) -> Any: ...

    def __exit__(self, *about: Any) -> Any: ...

    def norm(self, x: Tensor, dims: tuple[int, ...], eps: float, centred: bool) -> Tensor: ...

    def top(self, x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]: ...


class Parts:
    """rules: name -> rule that calls simpler functions inside the mode, where their own rules meet them."""

    def __init__(self, mode: Primitive):
        self.mode = mode
        inside = {"div": self.div, "rdiv": self.rdiv, "addcmul": self.addcmul, "addmm": self.product_added,
                  "baddbmm": self.product_added, "addmv": self.product_added, "log_softmax": self.log_softmax,
                  "softmin": self.softmin, "scaled_dot_product_attention": self.attention, "glu": self.glu, "min": self.min,
                  "amin": self.amin, "minimum": self.minimum, "maximum": self.maximum, "max": self.max, "lerp": self.lerp}
        self.rules: dict[str, Callable] = {name: self._inside(form) for name, form in inside.items()}
        self.rules |= {"layer_norm": self.layer_norm, "rms_norm": self.rms_norm, "group_norm": self.group_norm,
                       "instance_norm": self.instance_norm, "batch_norm": self.batch_norm, "amax": self.amax}

    def _inside(self, form: Callable) -> Callable:
        def rule(func: Any, args: tuple, kwargs: dict) -> Any:
            with self.mode:
                return form(*args, **kwargs)

        return rule

    def div(self, a: Any, b: Any, *, rounding_mode: Any = None) -> Tensor:
        """a / b as a times 1 / b."""
        if rounding_mode is not None:
            raise InputError("E-ATTRIBUTION", f"{self.mode.who} cannot go back through a division that rounds",
                             do="divide without rounding, or use occlusion")
        return a * (b.reciprocal() if isinstance(b, Tensor) else 1 / b)

    def rdiv(self, b: Tensor, a: Any) -> Tensor:
        return b.reciprocal() * a

    def addcmul(self, start: Tensor, a: Tensor, b: Tensor, *, value: float = 1.0) -> Tensor:
        return start + value * (a * b)

    def product_added(self, start: Tensor, a: Tensor, b: Tensor, *, beta: float = 1.0, alpha: float = 1.0) -> Tensor:
        return beta * start + alpha * torch.matmul(a, b)

    def lerp(self, start: Tensor, end: Tensor, weight: Any) -> Tensor:
        return start + (end - start) * weight

    def log_softmax(self, input: Tensor, dim: int = -1, *_: Any, **__: Any) -> Tensor:
        return input - torch.logsumexp(input, dim, keepdim=True)

    def softmin(self, input: Tensor, dim: int = -1, *_: Any, **__: Any) -> Tensor:
        return (-input).softmax(dim)

    def glu(self, input: Tensor, dim: int = -1) -> Tensor:
        a, b = input.chunk(2, dim)
        return a * b.sigmoid()

    def attention(self, query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: float = 0.0,
                  is_causal: bool = False, scale: float | None = None, enable_gqa: bool = False) -> Tensor:
        """softmax(Q K' / sqrt(d)) V."""
        if enable_gqa:
            times = query.shape[-3] // key.shape[-3]
            key, value = key.repeat_interleave(times, -3), value.repeat_interleave(times, -3)
        scores = torch.matmul(query, key.transpose(-2, -1)) * (scale or 1 / math.sqrt(query.shape[-1]))
        if is_causal:
            attn_mask = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        if attn_mask is not None and attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, -torch.inf)
        elif attn_mask is not None:
            scores = scores + attn_mask
        return torch.matmul(scores.softmax(-1), value)

    def maximum(self, a: Tensor, b: Tensor) -> Tensor:
        return torch.stack(torch.broadcast_tensors(a, b)).amax(0)

    def minimum(self, a: Tensor, b: Tensor) -> Tensor:
        return -self.maximum(-a, -b)

    def amin(self, input: Tensor, dim: Any = (), keepdim: bool = False) -> Tensor:
        return -torch.amax(-input, dim, keepdim)

    def min(self, input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        found = self.max(-input, -dim if isinstance(dim, Tensor) else dim, keepdim)
        return -found if isinstance(found, Tensor) else torch.return_types.min((-found[0], found[1]))

    def max(self, input: Tensor, dim: Any = None, keepdim: bool = False) -> Any:
        """Of all, along a dimension (with places), or of two tensors."""
        if isinstance(dim, Tensor):
            return self.maximum(input, dim)
        if dim is None:
            return self.mode.top(input, tuple(range(input.ndim)))[0]
        values, at = self.mode.top(input, (dim % input.ndim,))
        return torch.return_types.max((values.unsqueeze(dim), at.unsqueeze(dim)) if keepdim else (values, at))

    def amax(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        given = dict(zip(("input", "dim", "keepdim"), args, strict=False)) | kwargs
        x, dim = given["input"], given.get("dim", ())
        dims = tuple(d % x.ndim for d in ((dim,) if isinstance(dim, int) else dim)) or tuple(range(x.ndim))
        values = self.mode.top(x, dims)[0]
        for d in sorted(dims) if given.get("keepdim") else ():
            values = values.unsqueeze(d)
        return values

    def layer_norm(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        order = ("input", "normalized_shape", "weight", "bias", "eps")
        given = dict(zip(order, args, strict=False)) | kwargs
        return self._last_normed(given, given.get("eps", 1e-5), True)

    def rms_norm(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        given = dict(zip(("input", "normalized_shape", "weight", "eps"), args, strict=False)) | kwargs
        eps = given.get("eps")
        return self._last_normed(given, torch.finfo(given["input"].dtype).eps if eps is None else eps, False)

    def _last_normed(self, given: dict, eps: float, centred: bool) -> Tensor:
        dims = tuple(range(-len(tuple(given["normalized_shape"])), 0))
        return _scaled(self.mode.norm(given["input"], dims, eps, centred), given.get("weight"), given.get("bias"))

    def group_norm(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        given = dict(zip(("input", "num_groups", "weight", "bias", "eps"), args, strict=False)) | kwargs
        x, groups = given["input"], given["num_groups"]
        parted = x.reshape(len(x), groups, -1)
        out = self.mode.norm(parted, (-1,), given.get("eps", 1e-5), True).reshape(x.shape)
        return _scaled(out, *(_by_channel(given.get(n), x) for n in ("weight", "bias")))

    def instance_norm(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        order = ("input", "running_mean", "running_var", "weight", "bias", "use_input_stats", "momentum", "eps")
        given = dict(zip(order, args, strict=False)) | kwargs
        if not given.get("use_input_stats", True):
            return outside(func, args, kwargs)  # fixed statistics: linear
        x = given["input"]
        out = self.mode.norm(x, tuple(range(2, x.ndim)), given.get("eps", 1e-5), True)
        return _scaled(out, *(_by_channel(given.get(n), x) for n in ("weight", "bias")))

    def batch_norm(self, func: Any, args: tuple, kwargs: dict) -> Tensor:
        """Linear with the running statistics; with a batch's own, rows would depend on one another."""
        order = ("input", "running_mean", "running_var", "weight", "bias", "training", "momentum", "eps")
        given = dict(zip(order, args, strict=False)) | kwargs
        if name_of(func) == "batch_norm" and (given.get("training") or given.get("running_mean") is None):
            raise InputError("E-ATTRIBUTION", "a batch norm here uses the statistics of the batch, so rows are not explained "
                             "on their own", do="keep running statistics (track_running_stats=True), or use a layer norm")
        return outside(func, args, kwargs)


def _by_channel(weight: Tensor | None, x: Tensor) -> Tensor | None:
    return None if weight is None else weight.reshape(1, -1, *[1] * (x.ndim - 2))


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    x = x if weight is None else x * weight
    return x if bias is None else x + bias
