"""Shared by masks that are found by gradient: which elements of a row stay, which give way to what stands for nothing.

A mask has one number an element of each input, in this form:
  numbers and codes of columns (B, D), tokens (B, L), images (B, 1, H, W), signals (B, 1, L), graphs (N,), one an atom
What gives way: pixels to the image's strong blur, tokens and codes to the mean of what codes embed to, anything else to 0.
A bond's features follow its two atoms, half and half; a molecule's computed properties follow its atoms (_computed.Lost).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._backward import named, picker, rows_of, rows_taken, still
from gnomon.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gnomon.analyses.attribute._backward_leaves import Leaves
    from gnomon.analyses.attribute._computed import Lost

    Masks = Mapping[Any, Tensor]
    Find = Callable[["MaskedRows"], Mapping[str, Tensor]]

CHUNK = 64  # rows whose masks are found together


class MaskedRows:
    """The rows of one chunk, run with a part of every element kept."""

    def __init__(self, leaves: Leaves, lost: Mapping[str, Lost]):
        import torch

        self.leaves, self.inputs, self.lost = leaves, leaves.inputs, lost
        self.names = tuple(n for n in self.inputs if n not in lost)
        self._nothing: dict[Any, Tensor] = {}
        self.owners = {n: v.owner for n, v in self.inputs.items() if hasattr(v, "owner")}
        self.count = rows_of(dict(self.inputs))
        with torch.no_grad():
            self.none, half, self.full = (self.output(self.filled(fill)) for fill in (0.0, 0.5, 1.0))
        gap, reach = (self.full - self.none).abs(), torch.maximum((self.full - half).abs(), (half - self.none).abs())
        least = 1e-3 * (self.full.abs() + self.none.abs()) + 1e-8
        self.scale = self.signs() * torch.maximum(torch.maximum(gap, reach), least)

    def share(self, output: Tensor) -> Tensor:
        """(B,) how far of the way from the empty rows' output (0) to the whole rows' (1) an output is; measured by the way to
        half-masked rows where that is longer, as where whole and empty rows say almost the same any change would look large."""
        return (output - self.none) / self.scale

    def output(self, kept: Masks, given: dict[Any, Tensor] | None = None) -> Tensor:
        """(B,) the explained output of rows of which `kept` stays. given: filled in with what each leaf was given."""
        given = {} if given is None else given

        def move(key: Any, value: Tensor, neutral: Callable[[], Tensor]) -> Tensor:
            name = key[0] if isinstance(key, tuple) else key
            if name in self.lost:
                source = self.lost[name].source
                given[key] = self.lost[name](value, kept[source], self.owners[source])
            else:
                if key not in self._nothing:
                    self._nothing[key] = neutral()
                given[key] = self._nothing[key] + self._at(key, name, kept) * (value - self._nothing[key])
            return given[key]

        return self.leaves.output(move)

    def sum_of(self, worth: Callable[[Tensor], Tensor], kept: Masks) -> Tensor:
        """The sum over rows of worth(output), with its gradient by `kept`, though leaves are cut off from it: what each leaf
        was given, times the slope there, has the same gradient."""
        from gnomon.analyses.attribute._backward_leaves import gradients

        given: dict[Any, Tensor] = {}
        told = worth(self.output(kept, given))
        slopes = gradients(told, self.leaves.leaves)
        linear = sum((given[key] * slope).sum() for key, slope in slopes.items())
        return told.detach().sum() + linear - linear.detach()

    def filled(self, value: float, cell: int = 1) -> dict[str, Tensor]:
        """A mask of one value; of images and signals on a grid, a cell being `cell` elements wide: (B, ...) one a cell."""
        import torch

        return {name: torch.full(self._size(name, cell), value, device=_device(self.inputs[name])) for name in self.names}

    def _size(self, name: str, cell: int) -> tuple[int, ...]:
        x = self.inputs[name]
        if name in self.owners:
            return (len(x.nodes),)
        if _is_tokens(x) or x.ndim == 2:
            return tuple((x.ids if _is_tokens(x) else x).shape)
        size = x.shape[2:] if cell == 1 else grid_of(x, cell)
        return (len(x), 1, *size) if cell == 1 else (len(x), *size)

    def _at(self, key: Any, name: str, kept: Masks) -> Tensor:
        """The mask in a form that multiplies a leaf; bonds may have one of their own, by the leaf's key."""
        if key in kept and isinstance(key, tuple):
            return kept[key][:, None]
        own = kept[name]
        if name in self.owners:
            return (own if key[1] == "nodes" else own[self.inputs[name].edges].mean(dim=0))[:, None]
        if isinstance(key, tuple):  # embedded codes: all columns, or one
            return (own if key[1] < 0 else own[:, key[1]])[..., None]
        return own

    def mean(self, masks: Masks) -> Tensor:
        """(B,) mean over all elements (or cells) of a row; padding is none."""
        total, count = zip(*(self._summed(name, m) for name, m in masks.items()), strict=True)
        return sum(total) / sum(count).clamp(min=1)

    def _summed(self, name: str, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B,) sum and number of one input's elements."""
        none = mask.new_zeros(self.count)
        if name in self.owners:
            owner = self.owners[name]
            return none.index_add(0, owner, mask), none.index_add(0, owner, mask.new_ones(len(owner)))
        if _is_tokens(self.inputs[name]):
            there = self.inputs[name].mask
            return (mask * there).sum(dim=1), there.sum(dim=1).to(mask)
        return mask.flatten(1).sum(dim=1), none + mask[0].numel()

    def padded(self, masks: Masks) -> tuple[Tensor, Tensor]:
        """(B, most) the elements of each row side by side, -1 where there is none, and (B,) how many there are, at least 1."""
        import torch

        parts: list[Tensor] = []
        count = torch.zeros(self.count, device=self.none.device)
        for name, mask in masks.items():
            count = count + self._summed(name, mask)[1]
            if name in self.owners:
                parts.append(_side_by_side(mask, self.owners[name], self.count))
            elif _is_tokens(self.inputs[name]):
                parts.append(mask.where(self.inputs[name].mask, -1.0))
            else:
                parts.append(mask.flatten(1))
        return torch.cat(parts, dim=1), count.clamp(min=1)

    def variation(self, masks: Masks, power: float) -> Tensor:
        """(B,) mean of |difference|^power of neighbouring elements or cells: along an image's sides, a sequence, bonds; none
        of columns, which have no neighbours."""
        return sum(self._varying(name, mask, power) for name, mask in masks.items())

    def _varying(self, name: str, mask: Tensor, power: float) -> Tensor:
        x, none = self.inputs[name], mask.new_zeros(self.count)
        if name in self.owners:
            start, stop = x.edges
            count = none.index_add(0, x.owner[start], mask.new_ones(len(start)))
            return none.index_add(0, x.owner[start], (mask[start] - mask[stop]).abs() ** power) / count.clamp(min=1)
        if _is_tokens(x):
            both = x.mask[:, 1:] & x.mask[:, :-1]
            return ((mask.diff(dim=1).abs() ** power) * both).sum(dim=1) / both.sum(dim=1).clamp(min=1)
        if x.ndim == 2:
            return none
        return sum((mask.diff(dim=d).abs() ** power).flatten(1).mean(1) if mask.shape[d] > 1 else none
                   for d in range(1, mask.ndim))

    def as_inputs(self, masks: Masks) -> dict[str, Tensor]:
        """In the form of the inputs: channels alike, 0 at padding."""
        out = {}
        for name, mask in masks.items():
            x, mask = self.inputs[name], mask.detach()
            plain = name not in self.owners and not _is_tokens(x)
            out[name] = mask.expand(x.shape).contiguous() if plain else mask * x.mask if _is_tokens(x) else mask
        return out

    def signs(self) -> Tensor:
        """(B,) 1 where the whole rows' output is above the empty rows', else -1: what a kept element then speaks for."""
        return (self.full >= self.none).float() * 2 - 1


def by_masks(model: nn.Module, x: Any, target: Any, find: Find, *, baseline: Any = None, lost: Mapping[str, Lost] | None = None,
             signed: bool = False, chunk: int = 0) -> Any:
    """The masks that `find` makes of MaskedRows, chunk by chunk, the model held still; in the form of x.

    baseline: what gives way becomes this (a number, or the form of x). lost: name -> how a computed tensor follows. signed:
    masks of rows whose output is below the empty row's are turned round.
    """
    import torch

    from gnomon.analyses.attribute._backward_leaves import Leaves

    inputs, single = named(x)
    for value in inputs.values():
        _check(value)
    base, lost, pieces = _baseline(inputs, baseline), lost or {}, []
    call = (lambda given: model(given[""])) if single else model
    with still(model):
        for start in range(0, rows_of(inputs), chunk or CHUNK):
            rows = torch.arange(start, min(start + (chunk or CHUNK), rows_of(inputs)))
            leaves = Leaves(model, rows_taken(inputs, rows), call, picker(target, rows), rows_taken(base, rows))
            some = {n: v.only(rows, torch.isin(inputs[v.source].owner, rows.to(v.one.device))) for n, v in lost.items()}
            pieces.append(_found(MaskedRows(leaves, some), find, signed))
    whole = {name: torch.cat([p[name] for p in pieces]) for name in pieces[0]}
    return whole[""] if single else whole


def _found(rows: MaskedRows, find: Find, signed: bool) -> dict[str, Tensor]:
    out = rows.as_inputs(find(rows))
    if not signed:
        return out
    signs = rows.signs()
    return {name: mask * (signs[rows.owners[name]] if name in rows.owners else signs.view(-1, *[1] * (mask.ndim - 1)))
            for name, mask in out.items()}


def descended(free: dict[Any, Tensor], cost: Callable[[dict[Any, Tensor], int], Tensor], *, steps: int, rate: float,
              within: bool = False) -> dict[Any, Tensor]:
    """`free` after so many steps of Adam down cost(free, step), which is a sum over rows; kept between 0 and 1 if `within`."""
    import torch

    values = [f.requires_grad_() for f in free.values()]
    adam = torch.optim.Adam(values, lr=rate)
    with torch.enable_grad():
        for step in range(steps):
            slopes = torch.autograd.grad(cost(free, step), values)
            for value, slope in zip(values, slopes, strict=True):
                value.grad = slope
            adam.step()
            if within:
                for value in values:
                    value.data.clamp_(0, 1)
    return {name: f.detach() for name, f in free.items()}


def covered(inputs: Mapping[str, Any], masks: Mapping[str, np.ndarray]) -> np.ndarray:
    """(B,) how much of a row lies under its mask: the mean size over its elements; padding is none."""
    count = rows_of(dict(inputs))
    total, elements = np.zeros(count), np.zeros(count)
    for name, mask in masks.items():
        x, size = inputs[name], np.abs(mask)
        if hasattr(x, "owner"):
            owner = x.owner.cpu().numpy()
            total, elements = total + np.bincount(owner, size, count), elements + np.bincount(owner, minlength=count)
        else:
            total = total + size.reshape(count, -1).sum(axis=1)
            elements = elements + (x.mask.sum(dim=1).cpu().numpy() if _is_tokens(x) else size[0].size)
    return total / np.maximum(elements, 1)


def _check(value: Any) -> None:
    import torch

    fits = hasattr(value, "owner") or _is_tokens(value) or (isinstance(value, torch.Tensor) and value.ndim >= 2)
    if not fits or not rows_of({"": value}):
        raise InputError("E-ATTRIBUTION", "a mask is found by gradient: rows are needed as a tensor (B, ...), as Tokens or "
                         f"as Graphs; {type(value).__name__} {tuple(getattr(value, 'shape', ()))} came",
                         do="for a model without gradient use sufficient_subsets or sampled_shapley")


def _baseline(inputs: Mapping[str, Any], baseline: Any) -> dict[str, Any]:
    """By name, what is not the leaves' own nothing: images' blur, or what was given, a number or in the form of x."""
    import torch

    if baseline is None:
        return {n: blurred(v.float(), max(v.shape[-2:]) / 8) for n, v in inputs.items() if getattr(v, "ndim", 0) == 4}
    given = dict(baseline) if isinstance(baseline, Mapping) else {"": baseline}
    return {name: value if _is_tokens(value) or hasattr(value, "owner") else
            torch.as_tensor(value, dtype=torch.float32, device=inputs[name].device).expand(inputs[name].shape)
            for name, value in given.items()}


def _is_tokens(value: Any) -> bool:
    return hasattr(value, "ids")


def _device(value: Any) -> Any:
    return value.nodes.device if hasattr(value, "owner") else (value.ids if _is_tokens(value) else value).device


def _side_by_side(values: Tensor, owner: Tensor, count: int) -> Tensor:
    """(N,) of graphs end to end as (count, most), -1 beyond the last."""
    import torch

    sizes = torch.bincount(owner, minlength=count)
    rank = torch.arange(len(owner), device=owner.device) - (sizes.cumsum(0) - sizes)[owner]
    most = int(sizes.max()) if len(sizes) else 0
    return values.new_full((count * most,), -1.0).index_put((owner * most + rank,), values).view(count, most)


def blurred(x: Tensor, sd: float) -> Tensor:
    """(B, C, H, W) under a Gaussian of this standard deviation in pixels, edges continued."""
    import torch
    from torch.nn import functional as F

    reach = max(1, min(int(3 * sd), min(x.shape[-2:]) - 1))
    at = torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device)
    bell = torch.exp(-(at**2) / (2 * sd**2))
    bell, channels = (bell / bell.sum()), x.shape[1]
    wide = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), bell.expand(channels, 1, 1, -1), groups=channels)
    tall = F.pad(wide, (0, 0, reach, reach), mode="replicate")
    return F.conv2d(tall, bell[:, None].expand(channels, 1, -1, 1), groups=channels)


def grid_of(x: Tensor, cell: int) -> tuple[int, ...]:
    """The mask's own size for images (H / cell, W / cell) and signals (L / cell)."""
    return tuple(max(1, int(np.ceil(n / cell))) for n in x.shape[2:])
