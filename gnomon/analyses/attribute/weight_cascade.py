"""Cascading randomisation: at which depth of a network does an attribution stop being about what was learned?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gnomon.analyses.attribute._audits import Audit, audited, correlations
from gnomon.analyses.attribute._inside import shaken
from gnomon.card import Card

if TYPE_CHECKING:
    from torch import nn

CARD = Card(
    name="Cascading weight randomisation",
    gist="Randomises a network's weights from the output backwards, step by step, and correlates the explanations.",
    use_when="A picture stays alike after all is randomised: the step at which it should have changed shows why.",
    avoid_when="As a gate: the whole randomisation decides; partly random networks have no one right answer.",
    paper="Adebayo et al. 2018, arXiv:1810.03292",
    survey=("I5",),
    cost="minutes",
)


def weight_cascade(technique: Callable[..., Any], model: nn.Module, x: Any, target: Any, *, steps: int = 4,
                   units: np.ndarray | None = None, seed: int = 0) -> list[Audit]:
    """One Audit a step: rank correlation with the attribution after the last 1/steps, 2/steps ... of the weight tensors are
    drawn anew. technique: `technique(model, x, target)`. units: (B,). The model itself is not touched (a copy is made).
    Law: a map that never looks at the weights stays at 1; a linear model's gradient goes to 0 on average.
    """
    first, total, out = technique(model, x, target), len(list(model.parameters())), []
    for step in range(1, steps + 1):
        most = max(1, round(step / steps * total))
        each = correlations(first, technique(shaken(model, seed, most=most), x, target))
        audit = audited("", each, units, f"rank correlation {{}} with the last {most} of {total} weight tensors randomised")
        out.append(replace(audit, name=f"cascade, last {most} of {total}"))
    return out
