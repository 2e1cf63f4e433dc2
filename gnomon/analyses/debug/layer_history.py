"""Gradients, activations and dead units of each layer over the run: what shrank, grew or died, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gnomon.card import Card
from gnomon.methods._probe import START
from gnomon.values import Finding, finding

CARD = Card(
    name="Layers over time",
    gist="Follows each layer's gradient, activation and dead units through the run, as logged at every look at the stopping "
         "rows; names the layer and the step where one vanished, exploded or died.",
    use_when="A deep model does badly, and the norms at the end do not say when it went wrong.",
    avoid_when="The run kept no log, or took fewer than four looks.",
    paper="Glorot & Bengio 2010, AISTATS 9; Lu et al. 2019, Dying ReLU, arXiv:1903.06733",
    survey=("P5", "R6"),
    needs=("gradient",),
    cost="seconds",
)
GROWN = 1e2  # last activation over first
TINY = 1e-6  # a gradient so small beside the weights moves nothing
DEAD = 0.9


def layer_history(lines: Sequence[Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """layer -> {"steps": (k,), "gradient": (k,), "activation": (k,), "dead": (k,)}, as far as logged."""
    out: dict[str, dict[str, Any]] = {}
    for line in lines:
        for name, value in line.items():
            if name.startswith(START):
                layer, _, what = name.removeprefix(START).rpartition(".")
                kept = out.setdefault(layer, {}).setdefault(what, ([], []))
                kept[0].append(line["step"])
                kept[1].append(value)
    return {layer: {"steps": np.array(next(iter(seen.values()))[0]), **{w: np.array(v) for w, (_, v) in seen.items()}}
            for layer, seen in out.items()}


def history_finding(history: Mapping[str, Mapping[str, Any]]) -> Finding | None:
    """DEBUG-GRADIENT: "warn" with layer and step when a gradient vanished in more than a third of the layers, an
    activation grew a hundredfold, or a layer's units died; else None. Gradients fall with the loss and the rate of any
    good run: only what falls below a millionth of the weights counts as vanished."""
    followed = {n: h for n, h in history.items() if len(h["steps"]) >= 4}
    if not followed:
        return None
    troubles: dict[str, list[tuple[str, float]]] = {"vanished": [], "grew": [], "died": []}
    for name, h in followed.items():
        gradient, activation, dead = (h.get(w) for w in ("gradient", "activation", "dead"))
        if gradient is not None and (gradient < TINY).any() and gradient[-1] < TINY:
            troubles["vanished"].append((name, _when(h["steps"], gradient < TINY)))
        if activation is not None and activation[0] > 0 and activation[-1] > GROWN * activation[0]:
            troubles["grew"].append((name, _when(h["steps"], activation > GROWN * activation[0])))
        if dead is not None and dead[-1] > DEAD and dead[0] <= DEAD:
            troubles["died"].append((name, _when(h["steps"], dead > DEAD)))
    said = {"vanished": "gradients vanish", "grew": "activations grow a hundredfold", "died": "units die"}
    helps = {"vanished": "normalisation, residual connections or another activation", "grew": "normalisation, a smaller rate",
             "died": "a smaller rate, or an activation that does not saturate"}
    for what, hits in troubles.items():
        if len(hits) > (len(followed) / 3 if what == "vanished" else 0):
            first = min(hits, key=lambda hit: hit[1])
            values = {"layers": [n for n, _ in hits][:20], "first_step": first[1], **_ends(followed[first[0]])}
            claim = (f"{said[what]} in {len(hits)} of {len(followed)} layers during training, first in '{first[0]}' by step "
                     f"{first[1]:.0f}. What helps: {helps[what]}")
            return finding("DEBUG-GRADIENT", "warn", claim, values=values, source="log.csv")
    return None


def _when(steps: np.ndarray, bad: np.ndarray) -> float:
    return float(steps[np.flatnonzero(bad)[0]])


def _ends(history: Mapping[str, Any]) -> dict[str, float]:
    return {f"{w} {e}": float(v[i]) for w, v in history.items() if w != "steps" for e, i in (("first", 0), ("last", -1))}
