"""How each layer is doing while a network trains: gradients of the last step, activations and dead units on a few rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.methods._modes import evaluating

if TYPE_CHECKING:
    from torch import nn

LAYERS = 12  # at most so many are followed, spread evenly from input to output
ROWS = 64
START = "layer."  # log columns: layer.NAME.gradient, layer.NAME.activation, layer.NAME.dead


def leaves(module: nn.Module) -> dict[str, nn.Module]:
    """The layers with weights of their own and no layers inside."""
    return {name: m for name, m in module.named_modules()
            if not list(m.children()) and any(True for _ in m.parameters(recurse=False))}


def followed(module: nn.Module) -> dict[str, nn.Module]:
    """The layers that are followed: leaves with weights, first and last among them."""
    found = leaves(module)
    names = list(found)
    picked = np.unique(np.linspace(0, len(names) - 1, min(LAYERS, len(names))).round().astype(int)) if names else []
    return {names[i]: found[names[i]] for i in picked}


def layer_readings(module: nn.Module, inputs: Any) -> dict[str, float]:
    """gradient: norm of the last step's gradient over the norm of the weights; activation: root mean square of the
    layer's output on `inputs`, past its nonlinearity; dead: share of its units that answer the same to every row. One
    forward pass."""
    import torch

    from gnomon.methods._outputs import activity, watched

    out = {}
    with evaluating(module), torch.no_grad(), watched(leaves(module)) as outputs:
        rows = len(module(inputs))
    for name, layer in followed(module).items():
        weights = list(layer.parameters(recurse=False))
        gradients = [w.grad for w in weights if w.grad is not None]
        size = _norm(weights)
        if gradients and size > 1e-8:
            out[f"{START}{name}.gradient"] = _norm(gradients) / size
        out |= {f"{START}{name}.{k}": v for k, v in activity(outputs.get(name), layer, rows).items()}
    return out


def _norm(tensors: Any) -> float:
    import torch

    return float(torch.linalg.vector_norm(torch.stack([t.detach().float().norm() for t in tensors])))
