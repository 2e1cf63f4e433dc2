"""Gradients, activations and the course of the loss: what a run's own record says about how it went."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gnomon.analyses.debug.layer_history import history_finding, layer_history
from gnomon.analyses.debug.loss_shares import loss_shares, shares_finding
from gnomon.analyses.debug.over_under import fitting_finding, over_under
from gnomon.card import Card
from gnomon.data.table import Data
from gnomon.methods._log import read_log
from gnomon.methods._modes import evaluating
from gnomon.methods._probe import activity
from gnomon.values import Finding, finding

CARD = Card(
    name="Gradient and activation norms",
    gist="Reads a run's log and one batch: vanishing, exploding gradients, dead units, NaN, under- and overfitting.",
    use_when="After every run of a deep model, and first when it does badly.",
    avoid_when="The model fits itself.",
    paper="Glorot & Bengio 2010, AISTATS 9",
    survey=("P5", "R6"),
    needs=("gradient",),
    cost="seconds",
)
VANISHED, EXPLODED = 1e-6, 1e3  # a layer's gradient norm over the norm of its weights
DEAD = 0.9  # share of a layer's units that answer the same to every row


def norms(learned: Any, data: Data, rows: np.ndarray, folder: Path | None = None, *, naive: float | None = None
          ) -> list[Finding]:
    """Findings DEBUG-NAN, DEBUG-GRADIENT, DEBUG-OVERFIT, DEBUG-UNDERFIT about a Network and the run in `folder`.

    rows: training rows of which one batch is looked at. naive: the loss of knowing nothing (in the log's own terms);
    None = of the best constant on these rows.
    """
    from gnomon.methods._tiny import naive_loss

    layers = layer_norms(learned, data, rows)
    found = _of_layers(layers)
    if folder is None:
        return found
    lines = read_log(folder)
    if naive is None:
        import torch

        naive = naive_loss(learned.task, torch.from_numpy(np.ascontiguousarray(learned.task.truth(data, rows))))
    return found + of_log(lines, naive)


def layer_norms(learned: Any, data: Data, rows: np.ndarray, *, most: int = 256) -> list[dict[str, Any]]:
    """For each layer with weights: name, weight norm, gradient norm, mean square of its output, share of dead units."""
    import torch

    from gnomon.methods import _kit as kit

    module, desk = learned.module, learned.desk
    rows = kit.labelled(learned.task, data, np.asarray(rows))[:most]
    batch = learned.tensoriser.batch(data, rows, desk.device)
    truth = kit.truth_tensor(learned.task, data, rows, desk.device)
    outputs: dict[str, Any] = {}
    layers = {name: m for name, m in module.named_modules()
              if any(True for _ in m.parameters(recurse=False)) and not list(m.children())}
    handles = [m.register_forward_hook(lambda _m, _i, out, name=name: outputs.__setitem__(name, out))
               for name, m in layers.items()]
    before = [(weight, weight.grad) for weight in module.parameters()]
    try:
        module.zero_grad(set_to_none=True)
        with evaluating(module):
            loss = sum(learned.task.loss(module(batch), truth, torch.ones(len(rows), device=desk.device)).values())
            loss.backward()  # type: ignore[union-attr]
        return [_layer(name, m, outputs.get(name)) for name, m in layers.items()]
    finally:
        for handle in handles:
            handle.remove()
        for weight, gradient in before:
            weight.grad = gradient


def _layer(name: str, module: Any, output: Any) -> dict[str, Any]:
    weights = [w for w in module.parameters(recurse=False)]
    gradients = [w.grad for w in weights if w.grad is not None]
    size = lambda tensors: math.sqrt(sum(float(t.detach().float().pow(2).sum()) for t in tensors))  # noqa: E731
    row = {"layer": name, "weight": size(weights), "gradient": size(gradients) if gradients else None,
           "activation": None, "dead": None}
    row |= activity(output)
    return row


def _of_layers(layers: Sequence[Mapping[str, Any]]) -> list[Finding]:
    broken = [row["layer"] for row in layers
              if any(not math.isfinite(row[what] or 0.0) for what in ("weight", "gradient", "activation"))]
    if broken:
        claim = (f"{len(broken)} layers hold or make values that are no numbers, first {broken[0]}. What helps: inputs without "
                 "infinite or very large values, or a smaller rate")
        return [finding("DEBUG-NAN", "warn", claim, values={"layers": broken[:20]}, source="one batch")]
    ratios = {row["layer"]: row["gradient"] / row["weight"] for row in layers
              if row["gradient"] is not None and row["weight"] > 1e-8}
    dead = [row["layer"] for row in layers if (row["dead"] or 0) > DEAD]
    small = [name for name, ratio in ratios.items() if ratio < VANISHED]
    large = [name for name, ratio in ratios.items() if ratio > EXPLODED]
    values = {"layers": [dict(row) for row in layers][:60]}
    if large:
        claim = (f"gradients explode in {len(large)} of {len(ratios)} layers, first {large[0]}. What helps: normalisation, or "
                 "a smaller rate")
    elif ratios and len(small) > len(ratios) / 3:
        claim = (f"gradients vanish in {len(small)} of {len(ratios)} layers, first {small[0]}. What helps: normalisation, "
                 "residual connections or another activation")
    elif len(dead) > max(len(layers) / 3, 1):
        claim = (f"{len(dead)} of {len(layers)} layers answer the same to every row. What helps: a smaller rate, or another "
                 "activation")
    else:
        return [finding("DEBUG-GRADIENT", "fine", f"gradients and activations of {len(layers)} layers are in order",
                        values=values, source="one batch")]
    return [finding("DEBUG-GRADIENT", "warn", claim, values=values, source="one batch")]


def of_log(lines: Sequence[Mapping[str, float]], naive: float) -> list[Finding]:
    """What the course of the losses and layers says. naive: the training loss of knowing nothing."""
    found = []
    trouble = [int(line["step"]) for line in lines if "trouble" in line]
    if trouble:
        claim = (f"the loss was no number or exploded {len(trouble)} times; each time the run went back and on more "
                 f"carefully, first at step {trouble[0]}. What helps: inputs without very large values, or a smaller rate")
        found.append(finding("DEBUG-NAN", "note", claim, values={"steps": trouble[:20]}, source="log.csv"))
    told = (fitting_finding(over_under(lines, naive)), shares_finding(loss_shares(lines)),
            history_finding(layer_history(lines)))
    return found + [f for f in told if f is not None]
