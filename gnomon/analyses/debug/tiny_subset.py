"""Overfit a tiny subset: what cannot learn 32 rows by heart is broken, whatever its scores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gnomon.card import Card
from gnomon.data.table import Data
from gnomon.methods._desk import Desk
from gnomon.methods._tiny import LEARNED, overfit
from gnomon.values import Finding, finding

CARD = Card(
    name="Overfit a tiny subset",
    gist="Trains on 32 rows only, without dropout, decay, augmentation; a sound network learns them by heart.",
    use_when="Before every long run of a deep model.",
    avoid_when="The model fits itself.",
    paper="Raghu & Schmidt 2020, arXiv:2003.11755, section 9",
    survey=("P3",),
    needs=("labels", "gradient"),
    cost="seconds",
)


def tiny_subset(task: Any, build: Callable[..., Any], data: Data, rows: np.ndarray, seed: int, desk: Desk, *,
                molecules: str = "graph", steps: int = 300) -> list[Finding]:
    """DEBUG-TINY: "fine" when at most a tenth of the best constant's loss is left after `steps` steps, else "warn".

    rows: training rows to choose from. The claim names the likeliest cause: equal inputs with different targets, a
    gradient of zero, or neither.
    """
    tiny = overfit(task, build, data, rows, seed, desk, molecules=molecules, steps=steps)
    numbers = {"loss_share": tiny.share, "steps": tiny.steps, "rows": len(tiny.rows), "limit": LEARNED,
               "equal_inputs": tiny.twins, "first_gradient_norm": tiny.norm}
    if tiny.learned:
        claim = f"the network learned {len(tiny.rows)} rows by heart in {tiny.steps} steps"
        return [finding("DEBUG-TINY", "fine", claim, values=numbers, source="overfitting a tiny subset")]
    if tiny.twins:
        why = f"{tiny.twins} of them have the inputs of another row and a different target"
    elif not tiny.norm > 1e-7:
        why = "its first gradient is zero: the output does not depend on the weights"
    else:
        why = "the network, its rate or the way the inputs reach it is at fault"
    claim = (f"the network cannot learn {len(tiny.rows)} rows by heart: {tiny.share:.0%} of the loss of knowing "
             f"nothing is left after {tiny.steps} steps; {why}")
    grade = "note" if tiny.twins else "warn"
    return [finding("DEBUG-TINY", grade, claim, rows=data.position[tiny.rows], values=numbers,
                    source="overfitting a tiny subset")]
