"""DeepLIFT's multipliers: every function's difference from the reference as the sum of its inputs' differences.

The model runs at the baseline first, and what every function saw there is kept in order; then at x, where each function
goes back by the difference quotient to what it saw before. No batch is doubled, so no layout of rows is assumed.
Imported only where torch is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from gnomon.analyses.attribute._backward_leaves import Leaves
from gnomon.analyses.attribute._backward_modes import Rules, name_of, outside, refuse_scripted, tensors_in
from gnomon.analyses.attribute._backward_names import BILINEAR, ELEMENTWISE, LINEAR, POOLS
from gnomon.analyses.attribute._backward_parts import Parts
from gnomon.errors import InputError

EQUAL = 1e-7  # differences below this are none; the derivative is taken
WHO = "deeplift"


def multipliers(leaves: Leaves) -> dict[Any, Tensor]:
    """(output(x) - output(baseline)) / (x - baseline) in the sense of the rescale rule, by leaf."""
    refuse_scripted(leaves.model, WHO)
    before = Differences(None)
    leaves.output(lambda key, value, neutral: neutral(), (before,))
    now = Differences(before.kept)
    found = leaves.slopes(modes=(now,))
    if now.kept:
        _another_path()
    return found


class Differences(Rules):
    """kept: what each function with a rule was given at the reference, in order; taken from the front at x."""

    def __init__(self, kept: list[tuple[str, list[Tensor]]] | None):
        primitives: dict[str, Callable] = {name: elementwise for name in ELEMENTWISE}
        primitives |= {name: bilinear for name in BILINEAR} | {"softmax": softmax, "logsumexp": logsumexp}
        primitives |= {name: pooled for name in POOLS}
        rules = {name: self._kept_or(form) for name, form in primitives.items()}
        super().__init__(rules | Parts(self).rules, only=LINEAR, who=WHO)
        self.recording = kept is None
        self.kept: list[tuple[str, list[Tensor]]] = [] if kept is None else kept[::-1]

    def _kept_or(self, form: Callable) -> Callable:
        """At the reference: as it is, its inputs kept. At x: by `form(func, args, kwargs, inputs at the reference)`."""

        def rule(func: Any, args: tuple, kwargs: dict) -> Any:
            moving = [t for t in tensors_in((*args, *kwargs.values())) if t.requires_grad]
            if form is bilinear and len(moving) == 1:
                return outside(func, args, kwargs)  # the other factor is fixed: linear
            old = self._old(name_of(func), moving)
            return outside(func, args, kwargs) if old is None else form(func, args, kwargs, old)

        return rule

    def _old(self, name: str, moving: list[Tensor]) -> list[Tensor] | None:
        """What the same call saw at the reference; None while the reference itself is run, which is kept."""
        if self.recording:
            self.kept.append((name, [t.detach().clone() for t in moving]))
            return None
        was, old = self.kept.pop() if self.kept else ("", [])
        if was != name or [t.shape for t in old] != [t.shape for t in moving]:
            _another_path()
        return old

    def norm(self, x: Tensor, dims: tuple[int, ...], eps: float, centred: bool) -> Tensor:
        """x (less its mean) over the root of its mean square."""
        old = self._old("norm", [x])
        return normed(x, dims, eps, centred, x.detach() if old is None else old[0])

    def top(self, x: Tensor, dims: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The maximum over dims, and where it is."""
        old = self._old("top", [x])
        return highest(x, dims, x.detach() if old is None else old[0])


def _another_path() -> None:
    raise InputError("E-ATTRIBUTION", "this model calls other functions, or on other shapes, at the baseline than at the "
                     "row itself: deeplift cannot compare them", do="give a baseline of the same form, make forward free "
                     "of decisions that depend on the values, or use integrated_gradients")


def told(value: Tensor, linear: Tensor) -> Tensor:
    """`value`, going back as `linear` does."""
    return value.detach() + (linear - linear.detach())


def replaced(given: Any, old: list[Tensor]) -> Any:
    """The arguments with every moving tensor as it was at the reference (`old` is used up in order), none moving."""
    if isinstance(given, Tensor):
        return old.pop(0) if given.requires_grad else given
    if isinstance(given, (list, tuple)):
        return type(given)(replaced(g, old) for g in given) if type(given) in (list, tuple) else given
    if isinstance(given, dict):
        return {key: replaced(value, old) for key, value in given.items()}
    return given


def elementwise(func: Any, args: tuple, kwargs: dict, old: list[Tensor]) -> Tensor:
    """m = (f(x) - f(x0)) / (x - x0), or f'(x)."""
    if len(old) != 1:
        raise InputError("E-ATTRIBUTION", f"{WHO} has a rule for '{name_of(func)}' of one tensor that depends on the input, "
                         f"not of {len(old)}", do="write it as a product or a sum, or use integrated_gradients")
    x = next(t for t in tensors_in((*args, *kwargs.values())) if t.requires_grad)
    with torch.no_grad():
        value = outside(func, *replaced((args, kwargs), [x.detach()]))
        gap = x - old[0]
        near = gap.abs() <= EQUAL
        slope = (value - outside(func, *replaced((args, kwargs), list(old)))) / torch.where(near, 1.0, gap)
    if bool(near.any()):
        with torch.enable_grad():
            here = x.detach().requires_grad_()
            steep = torch.autograd.grad(outside(func, *replaced((args, kwargs), [here])).sum(), here)[0]
        slope = torch.where(near, steep, slope)
    return told(value, slope * x)


def bilinear(func: Any, args: tuple, kwargs: dict, old: list[Tensor]) -> Tensor:
    """ab - a0 b0 = (a - a0)(b + b0)/2 + (a + a0)/2 (b - b0): exact, and fair to both."""
    moving = [t for t in tensors_in((*args, *kwargs.values())) if t.requires_grad]
    if len(moving) != 2:
        raise InputError("E-ATTRIBUTION", f"{WHO} has a rule for products of two tensors that depend on the input, not of "
                         f"{len(moving)}", do="multiply two at a time, or use integrated_gradients")
    middle = [(t.detach() + o) / 2 for t, o in zip(moving, old, strict=True)]
    parts = [outside(func, *replaced((args, kwargs), pair)) for pair in
             ([moving[0], middle[1]], [middle[0], moving[1]])]
    with torch.no_grad():
        value = outside(func, *replaced((args, kwargs), [t.detach() for t in moving]))
    return told(value, parts[0] + parts[1])


def softmax(func: Any, args: tuple, kwargs: dict, old: list[Tensor]) -> Tensor:
    """e / s with e = exp(z), s = sum e: the differences of e and of 1 / s, each times the mean of the other."""
    z, dim = _along(args, kwargs)
    e, e0, slope, moving = _exponentials(z, old[0], dim)
    s, s0 = e.sum(dim, keepdim=True), e0.sum(dim, keepdim=True)
    change = slope * moving
    return told(outside(func, *replaced((args, kwargs), [z.detach()])),
                change * (1 / s + 1 / s0) / 2 - (e + e0) / 2 * change.sum(dim, keepdim=True) / (s * s0))


def logsumexp(func: Any, args: tuple, kwargs: dict, old: list[Tensor]) -> Tensor:
    """log s with s = sum exp(z): the quotient of the logarithm times the differences of the exponentials."""
    z, dim = _along(args, kwargs)
    keep = bool(kwargs.get("keepdim", args[2] if len(args) > 2 else False))
    e, e0, slope, moving = _exponentials(z, old[0], dim)
    s, s0 = e.sum(dim, keepdim=keep), e0.sum(dim, keepdim=keep)
    near = (s - s0).abs() <= EQUAL * s
    steep = torch.where(near, 1 / s, (s.log() - s0.log()) / torch.where(near, 1.0, s - s0))
    return told(outside(func, *replaced((args, kwargs), [z.detach()])), steep * (slope * moving).sum(dim, keepdim=keep))


def _along(args: tuple, kwargs: dict) -> tuple[Tensor, Any]:
    z = args[0] if args else kwargs["input"]
    return z, kwargs.get("dim", args[1] if len(args) > 1 else -1)


def _exponentials(z: Tensor, z0: Tensor, dim: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """exp of both less their common maximum, the quotient of their differences, and z itself; masked places (-inf) 0."""
    there = z.isfinite() & z0.isfinite()
    now = z.detach().masked_fill(~there, -torch.inf)
    z0 = z0.masked_fill(~there, -torch.inf)
    top = torch.maximum(now, z0).amax(dim, keepdim=True)
    top = top.masked_fill(~top.isfinite(), 0.0)
    e, e0 = (now - top).exp(), (z0 - top).exp()
    gap = (now - z0).masked_fill(~there, 0.0)
    near = gap.abs() <= EQUAL
    slope = torch.where(near, e, (e - e0) / torch.where(near, 1.0, gap))
    return e, e0, slope, z.masked_fill(~there, 0.0)


def normed(x: Tensor, dims: tuple[int, ...], eps: float, centred: bool, old: Tensor) -> Tensor:
    """d / sqrt(mean d^2 + eps), d = x (less its mean): the differences of d and of the root, each times the other's mean."""
    def parts(t: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        d = t - t.mean(dims, keepdim=True) if centred else t
        v = d.detach().square().mean(dims, keepdim=True) + eps
        return d, v, v.rsqrt()

    d, v, r = parts(x)
    d0, v0, r0 = parts(old)
    near = (v - v0).abs() <= EQUAL * v
    steep = torch.where(near, -0.5 * r**3, (r - r0) / torch.where(near, 1.0, v - v0))
    both = d.detach() + d0
    return told(d * r, d * (r + r0) / 2 + both / 2 * steep * (both * d).mean(dims, keepdim=True))


def pooled(func: Any, args: tuple, kwargs: dict, old: list[Tensor]) -> Any:
    """Max-pooling: each window's maximum."""
    x = args[0] if args else kwargs["input"]
    name = name_of(func).removesuffix("_with_indices")
    wanted = name != name_of(func) or kwargs.get("return_indices", False)
    kwargs = {k: v for k, v in kwargs.items() if k not in ("input", "return_indices")}
    pool = getattr(torch.nn.functional, name)
    value, at = pool(x.detach(), *args[1:], **kwargs, return_indices=True)
    _, at0 = pool(old[0], *args[1:], **kwargs, return_indices=True)
    places = value.ndim - int(name[-2])
    out = _winners(x.flatten(places), old[0].flatten(places), at.flatten(places), at0.flatten(places)).reshape(value.shape)
    return (out, at) if wanted else out


def highest(x: Tensor, dims: tuple[int, ...], old: Tensor) -> tuple[Tensor, Tensor]:
    """The maximum over some dimensions, and where it was among them laid end to end."""
    kept = [d for d in range(x.ndim) if d not in dims]
    flat, flat0 = (t.permute(*kept, *dims).flatten(len(kept)) for t in (x, old))
    at, at0 = (t.argmax(-1, keepdim=True) for t in (flat, flat0))
    return _winners(flat, flat0, at, at0)[..., 0], at[..., 0]


def _winners(x: Tensor, x0: Tensor, at: Tensor, at0: Tensor) -> Tensor:
    """x at `at` along the last dimension. A rise goes to the winner at x, a fall to the winner at the reference."""
    now, then = x.gather(-1, at), x.gather(-1, at0)
    value, value0 = now.detach(), x0.gather(-1, at0)
    rise, fall = value - x0.gather(-1, at), then.detach() - value0
    up = torch.where(rise > 0, (value - value0).clamp(min=0) / torch.where(rise > 0, rise, 1.0), 0.0)
    down = torch.where(fall < 0, (value - value0).clamp(max=0) / torch.where(fall < 0, fall, 1.0), 0.0)
    still = (value == value0) & (at == at0)
    return told(value, torch.where(still, 1.0, up) * now + down * then)
