"""Which activations an image passes on its way through a convolutional network, and what lies between them
(VisualBackProp). Imported only where torch is wanted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from gnomon.analyses.attribute._backward_leaves import Leaves
from gnomon.analyses.attribute._backward_modes import Rules, name_of, refuse_scripted, tensors_in
from gnomon.errors import InputError

ACTIVATIONS = ("relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "softplus")
POOLS = ("max_pool2d", "avg_pool2d")


class Trail(NamedTuple):
    """Where a tensor comes from: the last activation's mean map, the trail before that, and the sizes and windows
    passed since. key: the leaf at the beginning."""

    key: Any
    maps: Tensor | None
    before: Trail | None
    windows: tuple[tuple[tuple[int, ...], Callable[[Tensor], Tensor]], ...]


class Trails(Rules):
    """Notes the trail of every (B, C, H, W) tensor on the tensor itself; `last` is that of the latest activation."""

    def __init__(self) -> None:
        super().__init__({})
        self.last: dict[Any, Trail] = {}

    def plain(self, func: Any, args: tuple, kwargs: dict) -> Any:
        source = next((t for t in tensors_in((*args, *kwargs.values())) if trail_of(t) is not None), None)
        name, entering = name_of(func), () if source is None else tuple(source.shape[-2:])
        trail = None if source is None else trail_of(source)
        out = func(*args, **kwargs)
        if trail is None or not isinstance(out, Tensor) or out.ndim != 4:
            return out
        if name in ACTIVATIONS:
            trail = Trail(trail.key, out.detach().mean(dim=1, keepdim=True).clamp(min=0), trail, ())
            self.last[trail.key] = trail
        elif name == "conv2d" or name in POOLS:
            trail = trail._replace(windows=(*trail.windows, (entering, _window(name, args, kwargs))))
        elif tuple(out.shape[-2:]) != entering:  # resized in some other way: its places keep their proportions
            trail = trail._replace(windows=(*trail.windows, (entering, lambda maps: maps)))
        out.trail = trail
        return out


def trail_of(tensor: Tensor) -> Trail | None:
    """What was noted on a tensor; an input of four dimensions begins a trail of its own."""
    found = getattr(tensor, "trail", None)
    key = getattr(tensor, "entered", None)
    return Trail(key, None, None, ()) if found is None and key is not None and tensor.ndim == 4 else found


def _window(name: str, args: tuple, kwargs: dict) -> Callable[[Tensor], Tensor]:
    """The transposed convolution with ones that undoes a convolution's or pooling's change of size."""
    if name == "conv2d":
        given = dict(zip(("input", "weight", "bias", "stride", "padding", "dilation", "groups"), args, strict=False)) | kwargs
        kernel = tuple(given["weight"].shape[-2:])
    else:
        order = ("input", "kernel_size", "stride", "padding", "dilation")[:5 if name == "max_pool2d" else 4]
        given = dict(zip(order, args, strict=False)) | kwargs
        kernel = _pair(given["kernel_size"])
    stride = _pair(given.get("stride") or (1 if name == "conv2d" else kernel))
    dilation = _pair(given.get("dilation") or 1)
    padding = given.get("padding", 0)
    if isinstance(padding, str):
        padding = tuple(d * (k - 1) // 2 for k, d in zip(kernel, dilation, strict=True)) if padding == "same" else 0
    ones = torch.ones(1, 1, *kernel)
    pad = _pair(padding)

    def enlarged(maps: Tensor) -> Tensor:
        return functional.conv_transpose2d(maps, ones.to(maps), stride=stride, padding=pad, dilation=dilation)

    return enlarged


def _pair(value: Any) -> tuple[int, int]:
    return (int(value), int(value)) if isinstance(value, int) else tuple(int(v) for v in (*value, value[-1])[:2])


def pictures(leaves: Leaves) -> dict[str, Tensor]:
    """One chunk's pictures in the form of its inputs."""
    refuse_scripted(leaves.model, "visual_backprop")
    mode = Trails()
    leaves.output(modes=(mode,))
    found = {}
    for key, trail in mode.last.items():
        value = leaves.values[key]
        picture = _followed(trail, tuple(value.shape[-2:]))
        picture = picture / picture.amax(dim=(2, 3), keepdim=True).clamp(min=1e-30)
        found[key] = picture.expand_as(value) / value.shape[1]
    if not found:
        raise InputError("E-ATTRIBUTION", "no convolution followed by an activation reads an image (B, C, H, W) here",
                         do="use visual_backprop on a convolutional network for images, or integrated_gradients")
    out = leaves.placed(found)
    return {name: values if name in found else torch.full_like(values, torch.nan) for name, values in out.items()}


def _followed(trail: Trail, size: tuple[int, ...]) -> Tensor:
    """From the last activation back to the input, (B, 1, H, W). Maps are kept near 1: only proportions count."""
    whole = trail.maps
    step: Trail | None = trail.before
    while step is not None:
        for entering, window in reversed(step.windows):
            whole = _sized(window(whole), entering)
        if step.maps is not None:
            whole = whole * step.maps
        whole = whole / whole.amax(dim=(2, 3), keepdim=True).clamp(min=1e-30)
        step = step.before
    return _sized(whole, size)


def _sized(maps: Tensor, size: tuple[int, ...]) -> Tensor:
    """At this size: a row or column that a stride left over is filled or cut at the end; other sizes are stretched."""
    short = [want - have for want, have in zip(size, maps.shape[-2:], strict=True)]
    if all(abs(s) <= 1 for s in short):
        return functional.pad(maps, (0, short[1], 0, short[0]), mode="replicate") if any(short) else maps
    return functional.interpolate(maps, size, mode="bilinear", align_corners=False)
