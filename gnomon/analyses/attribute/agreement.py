"""Do two attributions of the same rows say the same?"""

from __future__ import annotations

from typing import Any

import numpy as np

from gnomon.analyses.attribute._audits import Audit, audited, correlations
from gnomon.card import Card

CARD = Card(
    name="Agreement of two attributions",
    gist="The rank correlation of two techniques' attributions, row by row, with its interval over units.",
    use_when="Two techniques explain the same predictions: where they disagree, neither is read without a further test.",
    avoid_when="As proof: techniques that share a flaw agree too. The two gates decide what is shown.",
    paper="Krishna et al. 2022, arXiv:2202.01602; Adebayo et al. 2018, arXiv:1810.03292",
    survey=("I5",),
    cost="seconds",
)


def agreement(first: Any, second: Any, *, units: np.ndarray | None = None, names: tuple[str, str] = ("", "")) -> Audit:
    """Mean over rows of Spearman's rho, 95 % interval over units.

    first, second: attributions (B, ...) of one shape, or one array a row. units: (B,) the independent unit of each row
    (default: each row). names: of the two techniques, for the sentence. A row whose first attribution is constant counts
    as 1, one whose second alone is as 0. Laws: 1 of itself, under any rising transformation too; -1 of its negative.
    """
    both = " and ".join(n.replace("_", " ") for n in names if n)
    what = f"rank correlation {{}}{' of ' + both if both else ''} over the same rows"
    return audited(f"agreement{' with ' + names[1].replace('_', ' ') if names[1] else ''}", correlations(first, second), units,
                   what)
