"""What comes out of a network's layers, past the nonlinearity that follows them; imported only where torch is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

NONLINEAR = frozenset(name + end for end in ("", "_") for name in (
    "relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "selu", "celu", "gelu", "silu", "mish", "softplus", "sigmoid",
    "tanh", "hardtanh", "hardswish", "hardsigmoid", "logsigmoid", "softsign", "threshold", "clamp", "clamp_min"))
WEIGHED = frozenset(("linear", "conv1d", "conv2d", "conv3d"))  # a layer's weights may be used without calling it
CHANNELS = ("out_channels", "num_features", "num_channels")  # modules that say so have their units in axis 1
SAME = 1e-5  # of a unit's size: answers that differ by less are the same


@contextmanager
def watched(layers: Mapping[str, nn.Module]) -> Iterator[dict[str, Any]]:
    """layer -> its output in the forward pass inside, as the next layer gets it: past the nonlinearity that follows,
    module or function. Give it all layers with weights: a nonlinearity belongs to the last that ran before it."""
    watch = _Watch({id(w): name for name, m in layers.items() for w in m.parameters(recurse=False)})
    handles = [m.register_forward_hook(lambda _m, _i, y, name=name: watch.ran(name, y)) for name, m in layers.items()]
    try:
        with watch:
            yield watch.outputs
    finally:
        for handle in handles:
            handle.remove()


class _Watch(TorchFunctionMode):
    """Sees every call of torch. owners: id of a weight -> its layer."""

    def __init__(self, owners: Mapping[int, str]):
        super().__init__()
        self.owners, self.outputs = owners, {}
        self.last: str | None = None  # the layer whose nonlinearity is still to come

    def ran(self, name: str, output: Any) -> None:
        self.outputs[name], self.last = output, name

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out, name = func(*args, **(kwargs or {})), getattr(func, "__name__", "")
        if name in WEIGHED:
            used = [self.owners.get(id(t if t._base is None else t._base)) for t in args[1:2] if isinstance(t, torch.Tensor)]
            if used and used[0] is not None:
                self.ran(used[0], out)
        elif name in NONLINEAR and self.last is not None and _alike(out, self.outputs[self.last]):
            self.outputs[self.last], self.last = out, None
        return out


def _alike(a: Any, b: Any) -> bool:
    """Of one shape, axes moved or not."""
    return isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor) and sorted(a.shape) == sorted(b.shape)


def activity(output: Any, layer: nn.Module, rows: int) -> dict[str, float]:
    """activation: root mean square of the output; dead: share of its units that answer the same to every row (a unit's
    answers differ by less than 1e-5 of its size); {} for outputs of other forms. rows: how many went in."""
    if not (isinstance(output, torch.Tensor) and output.is_floating_point() and output.ndim >= 2):
        return {}
    flat = by_unit(output.detach().float(), layer, rows)
    if len(flat) < 2 or not flat.shape[1]:
        return {}
    active = {"activation": float(flat.pow(2).mean().sqrt())}
    if isinstance(layer, nn.Embedding):  # it answers by code: one code in all rows is no dead unit
        return active
    spread, size = flat.amax(dim=0) - flat.amin(dim=0), flat.abs().amax(dim=0)
    return active | {"dead": float((spread <= SAME * size).float().mean())}


def by_unit(output: torch.Tensor, layer: nn.Module, rows: int) -> torch.Tensor:
    """(answers, units). Units lie in axis 1 of convolutions and their norms, else last; in (members, rows, units) each
    member's are its own."""
    channels = next((getattr(layer, name) for name in CHANNELS if hasattr(layer, name)), None)
    plain = isinstance(layer, (nn.Linear, nn.LayerNorm, nn.Embedding))
    if channels is None and output.ndim == 3 and output.shape[0] != rows == output.shape[1]:
        return output.movedim(0, 1).flatten(1)
    first = output.shape[1] == channels if channels is not None else output.ndim == 4 and not plain
    return output.movedim(1 if first else -1, -1).flatten(0, -2)
