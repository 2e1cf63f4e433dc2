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
from gnomon.methods._probe import leaves
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
    found = of_layers(layer_norms(learned, data, rows))
    if folder is None:
        return found
    return found + of_log(read_log(folder), naive_on(learned.task, data, rows) if naive is None else naive)


def naive_on(task: Any, data: Data, rows: np.ndarray) -> float:
    """The loss of the best constant answer on these rows."""
    import torch

    from gnomon.methods._tiny import naive_loss

    return naive_loss(task, torch.from_numpy(np.ascontiguousarray(task.truth(data, rows))))


def layer_norms(learned: Any, data: Data, rows: np.ndarray, *, most: int = 256) -> list[dict[str, Any]]:
    """For each layer with weights: name, weight norm, gradient norm, root mean square of its output past the nonlinearity,
    share of dead units."""
    import torch

    from gnomon.methods import _kit as kit
    from gnomon.methods._outputs import activity, watched

    module, desk = learned.module, learned.desk
    rows = kit.labelled(learned.task, data, np.asarray(rows))[:most]
    batch = learned.tensoriser.batch(data, rows, desk.device)
    truth = kit.truth_tensor(learned.task, data, rows, desk.device)
    layers = leaves(module)
    before = [(weight, weight.grad) for weight in module.parameters()]
    try:
        module.zero_grad(set_to_none=True)
        with evaluating(module):
            with watched(layers) as outputs:
                raw = module(batch)
            loss = sum(learned.task.loss(raw, truth, torch.ones(len(rows), device=desk.device)).values())
            loss.backward()  # type: ignore[union-attr]
        return [_layer(name, m, activity(outputs.get(name), m, len(raw))) for name, m in layers.items()]
    finally:
        for weight, gradient in before:
            weight.grad = gradient


def _layer(name: str, module: Any, active: Mapping[str, float]) -> dict[str, Any]:
    weights = [w for w in module.parameters(recurse=False)]
    gradients = [w.grad for w in weights if w.grad is not None]
    size = lambda tensors: math.sqrt(sum(float(t.detach().float().pow(2).sum()) for t in tensors))  # noqa: E731
    return {"layer": name, "weight": size(weights), "gradient": size(gradients) if gradients else None,
            "activation": None, "dead": None, **active}


def of_layers(layers: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """DEBUG-NAN or DEBUG-GRADIENT about `layer_norms` of one batch."""
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
    elif dead:
        claim = (f"in {len(dead)} of {len(layers)} layers nine tenths of the units answer the same to every row, first "
                 f"{dead[0]}. What helps: a smaller rate, or another activation")
    else:
        seen = sum(row["activation"] is not None for row in layers)
        claim = f"gradients of {len(ratios)} and activations of {seen} of {len(layers)} layers were measured and are in order"
        return [finding("DEBUG-GRADIENT", "fine", claim, values=values, source="one batch")]
    few = not large and len(small) <= len(ratios) / 3 and len(dead) <= max(len(layers) / 3, 1)
    return [finding("DEBUG-GRADIENT", "note" if few else "warn", claim, values=values, source="one batch")]


def of_log(lines: Sequence[Mapping[str, float]], naive: float) -> list[Finding]:
    """What the course of the losses and layers says. naive: the training loss of knowing nothing."""
    told = (fitting_finding(over_under(lines, naive)), shares_finding(loss_shares(lines)),
            history_finding(layer_history(lines)))
    return troubles(lines) + [f for f in told if f is not None]


def troubles(lines: Sequence[Mapping[str, float]]) -> list[Finding]:
    """DEBUG-NAN ("note"): where a run had to go back."""
    trouble = [int(line["step"]) for line in lines if "trouble" in line]
    if not trouble:
        return []
    claim = (f"the loss was no number or exploded {len(trouble)} times; each time the run went back and on more "
             f"carefully, first at step {trouble[0]}. What helps: inputs without very large values, or a smaller rate")
    return [finding("DEBUG-NAN", "note", claim, values={"steps": trouble[:20]}, source="log.csv")]
