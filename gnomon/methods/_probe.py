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


def followed(module: nn.Module) -> dict[str, nn.Module]:
    """The layers that are followed: leaves with weights, first and last among them."""
    found = {name: m for name, m in module.named_modules()
             if not list(m.children()) and any(True for _ in m.parameters(recurse=False))}
    names = list(found)
    picked = np.unique(np.linspace(0, len(names) - 1, min(LAYERS, len(names))).round().astype(int)) if names else []
    return {names[i]: found[names[i]] for i in picked}


def layer_readings(module: nn.Module, inputs: Any) -> dict[str, float]:
    """gradient: norm of the last step's gradient over the norm of the weights; activation: root mean square of the
    layer's output on `inputs`; dead: share of its units that answer the same to every row. One forward pass."""
    import torch

    layers, outputs, out = followed(module), {}, {}
    handles = [m.register_forward_hook(lambda _m, _i, y, name=name: outputs.__setitem__(name, y))
               for name, m in layers.items()]
    try:
        with evaluating(module), torch.no_grad():
            module(inputs)
    finally:
        for handle in handles:
            handle.remove()
    for name, layer in layers.items():
        weights = list(layer.parameters(recurse=False))
        gradients = [w.grad for w in weights if w.grad is not None]
        size = _norm(weights)
        if gradients and size > 1e-8:
            out[f"{START}{name}.gradient"] = _norm(gradients) / size
        out |= {f"{START}{name}.{k}": v for k, v in activity(outputs.get(name)).items()}
    return out


def activity(output: Any) -> dict[str, float]:
    """activation and dead of one layer's output (B, ..., units), or (B, units, H, W); {} for outputs of other forms."""
    import torch

    if not (isinstance(output, torch.Tensor) and output.is_floating_point() and output.ndim >= 2 and len(output) > 1):
        return {}
    units = 1 if output.ndim == 4 else output.ndim - 1
    flat = output.detach().float().movedim(units, -1).reshape(-1, output.shape[units])
    return {"activation": float(flat.pow(2).mean().sqrt()), "dead": float((flat.std(dim=0) < 1e-8).float().mean())}


def _norm(tensors: Any) -> float:
    import torch

    return float(torch.linalg.vector_norm(torch.stack([t.detach().float().norm() for t in tensors])))
