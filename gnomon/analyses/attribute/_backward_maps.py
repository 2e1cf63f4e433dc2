"""The maps inside a network that belong to places of its input, and their weighted sums (Grad-CAM)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from gnomon.analyses.attribute._backward_leaves import Leaves
from gnomon.analyses.attribute._backward_order import Reading, reading_of, turned_back
from gnomon.errors import InputError


class Seen(NamedTuple):
    """One call of a module: which module, its how-manieth call, what came out."""

    module: nn.Module
    turn: int
    out: Tensor


class Layer(NamedTuple):
    """Where an input's maps are taken: a call of a module. places: the dimension of its places (sequences: 1 or 2).
    reading: how its rows are those of the input."""

    module: nn.Module
    turn: int
    places: int
    reading: Reading = Reading()


PASSED = 0.5  # of the output's slope must go through a layer chosen for its maps, not round it


@contextmanager
def watched(modules: list[nn.Module], cut: int = -1) -> Iterator[list[Seen]]:
    """While inside, what these modules put out, in order; what comes after gets copies, so that nothing changes them.
    cut: the call (of the one module) whose output no slope goes back through."""
    seen: list[Seen] = []
    turns: dict[nn.Module, int] = {}

    def note(module: nn.Module, _: Any, out: Any) -> Any:
        if not isinstance(out, Tensor) or not out.requires_grad:
            return None
        turns[module] = turns.get(module, -1) + 1
        seen.append(Seen(module, turns[module], out))
        if turns[module] == cut:
            return out.detach()
        return out.clone() if getattr(out, "entered", None) is None else None

    handles = [m.register_forward_hook(note) for m in modules]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def chosen_layers(leaves: Leaves, layer: str | nn.Module | None) -> dict[Any, Layer]:
    """For each leaf with places, the last call whose output has them too (of the `layer` named, or of any that most of
    the output's slope goes through)."""
    modules = [_named_layer(leaves.model, layer)] if layer is not None else [m for m in leaves.model.modules()]
    with watched(modules) as seen:
        output = leaves.output()
    wanted = dict(leaves.leaves)
    found, round_it = {}, False
    for key, value in wanted.items():
        whole = torch.autograd.grad(output.sum(), value, retain_graph=True, allow_unused=True)[0]
        for one in reversed(seen):
            places = _places(leaves, key, value, one)
            if not places or torch.autograd.grad(one.out.sum(), value, retain_graph=True, allow_unused=True)[0] is None:
                continue
            reading = _reading(key, value, one, places)
            if reading is None:
                continue
            if layer is not None or _passed(leaves, key, whole, one) >= PASSED:
                found[key] = Layer(one.module, one.turn, places, reading)
                break
            round_it = True
    if not found:
        where = ("the layer named does not keep" if layer is not None else
                 "no layer that most of the output's slope goes through keeps" if round_it else "no layer of this model keeps")
        raise InputError("E-ATTRIBUTION", f"{where} the places of the input, one map a row, so there is nothing to weigh",
                         do="name a layer whose output has places, e.g. layer='stages.2', or use integrated_gradients")
    return found


def _reading(key: Any, value: Tensor, one: Seen, places: int) -> Reading | None:
    """How the call's rows and places are the leaf's; atoms are one to one."""
    if isinstance(key, tuple) and key[1] == "nodes":
        return Reading()
    axes = ((places, 1),) if isinstance(key, tuple) else tuple((d, d) for d in range(2, value.ndim))
    return reading_of(one.out, value, axes)


def _passed(leaves: Leaves, key: Any, whole: Tensor | None, one: Seen) -> float:
    """The share of d output / d leaf that goes through this call: |through| / (|through| + |round it|)."""
    if whole is None:
        return 1.0
    with watched([one.module], cut=one.turn):
        output = leaves.output()
    own = leaves.leaves[key]
    found = torch.autograd.grad(output.sum(), own, allow_unused=True)[0] if output.requires_grad else None
    if found is None:
        return 1.0
    through, around = float((whole - found).norm()), float(found.norm())
    return through / (through + around) if through + around > 0 else 1.0


def _named_layer(model: nn.Module, layer: str | nn.Module) -> nn.Module:
    modules = dict(model.named_modules())
    if isinstance(layer, nn.Module):
        return layer
    if layer not in modules:
        raise InputError("E-ATTRIBUTION", f"the model has no layer '{layer}'", do=f"one of {', '.join(list(modules)[1:9])} ...")
    return modules[layer]


def _places(leaves: Leaves, key: Any, value: Tensor, one: Seen) -> int:
    """The dimension of the output's places, 0 where it has none of this leaf's."""
    out = one.out
    if getattr(out, "entered", None) is not None:
        return 0  # the input itself, or its embedding
    if isinstance(key, tuple) and key[1] == "nodes":
        return 1 if out.ndim == 2 and len(out) == len(value) else 0
    if isinstance(key, tuple) and (key[1] == "edges" or value.ndim != 3):
        return 0
    if out.ndim != value.ndim or len(out) % len(value) or out.ndim < 3:
        return 0
    if not isinstance(key, tuple):
        return 2 if out[0, 0].numel() > 1 else 0
    length = value.shape[1]
    likely = [dim for dim in (1, 2) if 1 < out.shape[dim] <= length + 1]
    exact = [dim for dim in likely if out.shape[dim] == length]
    by_kind = 2 if isinstance(one.module, (nn.Conv1d, nn.BatchNorm1d)) else 1
    either = exact or likely
    return (by_kind if by_kind in either else either[0]) if either else 0


def cam(leaves: Leaves, wanted: dict[Any, Layer], rectify: bool) -> dict[str, Tensor]:
    """One chunk's maps in the form of its inputs."""
    with watched(list({layer.module for layer in wanted.values()})) as seen:
        output = leaves.output()
    taken = {key: next(s.out for s in seen if s.module is layer.module and s.turn == layer.turn)
             for key, layer in wanted.items()}
    slopes = torch.autograd.grad(output.sum(), list(taken.values()), allow_unused=True)
    found = {}
    for (key, maps), slope in zip(taken.items(), slopes, strict=True):
        slope = torch.zeros_like(maps) if slope is None else slope
        found[key] = _weighed(leaves, key, maps.detach(), slope, wanted[key], rectify)
    out = leaves.placed(found)
    said = {key[0] if isinstance(key, tuple) else key for key in found}
    return {name: values if name in said else torch.full_like(values, torch.nan) for name, values in out.items()}


def _weighed(leaves: Leaves, key: Any, maps: Tensor, slope: Tensor, layer: Layer, rectify: bool) -> Tensor:
    """relu(sum_k alpha_k A_k) at the places of the leaf, shared evenly over its features; readings of a row add up."""
    value = leaves.values[key]
    if isinstance(key, tuple) and key[1] == "nodes":
        graphs = leaves.inputs[key[0]]
        count = torch.bincount(graphs.owner, minlength=graphs.count).clamp(min=1)[:, None]
        alpha = slope.new_zeros(graphs.count, slope.shape[1]).index_add(0, graphs.owner, slope) / count
        whole = (alpha[graphs.owner] * maps).sum(dim=1)
        return _shared((whole.relu() if rectify else whole)[:, None], value, 1)
    if layer.places == 1:
        maps, slope = maps.transpose(1, 2), slope.transpose(1, 2)
    tokens = isinstance(key, tuple)
    mask = getattr(leaves.inputs[key[0]], "mask", None) if tokens else None
    size = tuple(value.shape[1:2] if tokens else value.shape[2:])
    total = torch.zeros(len(value), 1, *size, device=maps.device)
    read = layer.reading
    for own, rise, turned in zip(read.split(maps), read.split(slope), read.turned, strict=True):
        total += turned_back(_enlarged(own, rise, size, rectify), turned, mask)
    if not tokens:
        return _shared(total, value, 1)
    line = total.transpose(1, 2)
    return _shared(line if mask is None else line * mask[..., None], value, 2)


def _enlarged(maps: Tensor, slope: Tensor, size: tuple[int, ...], rectify: bool) -> Tensor:
    """(B, C, places ...) to (B, 1, size ...)."""
    alpha = slope.flatten(2).mean(dim=2).reshape(*slope.shape[:2], *[1] * (slope.ndim - 2))
    whole = (alpha * maps).sum(dim=1, keepdim=True)
    whole = whole.relu() if rectify else whole
    way = {1: "linear", 2: "bilinear", 3: "trilinear"}[len(size)]
    return nn.functional.interpolate(whole, size, mode=way, align_corners=False)


def _shared(whole: Tensor, value: Tensor, features: int) -> Tensor:
    """A map over places, evenly over the `features` dimension of the leaf."""
    return whole.expand_as(value) / value.shape[features]
