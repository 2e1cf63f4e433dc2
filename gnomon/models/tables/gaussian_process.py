"""Gaussian processes."""

from __future__ import annotations

from typing import Any

from gnomon.card import Card
from gnomon.data.table import Spec

CARD = Card(
    name="Gaussian process",
    gist="A distribution over smooth functions; how fast it varies along each input is learned from the data.",
    use_when="Small tables of numbers from experiments or simulations, smooth effects, few inputs.",
    avoid_when="More than about 2,000 rows; mainly categories; abrupt effects.",
    paper="Rasmussen & Williams 2006, MIT Press",
    survey=("C7", "P2"),
    tasks=("classify", "regress"),
    gives=("fit",),
    cost="seconds",
)


def gaussian_process(inputs: Any, out: Spec, *, rows: int = 2_000, searched: int = 500, restarts: int = 2,
                     random_state: int = 0) -> Any:
    """Regression: variance x Matern 5/2 with a length per input (one for all beyond 20 inputs) + linear + noise,
    the target standardised; the marginal likelihood is maximised on at most `searched` rows from `restarts` starts,
    then all rows are used. Classes: one Gaussian-kernel process a class (Laplace), up to 1,000 rows.
    Raises E-ROWS-MANY above `rows` rows: the time grows with their cube.
    """
    from gnomon.models.tables._kernels import ProcessClasses, ProcessNumbers

    kind = ProcessClasses if out.categories else ProcessNumbers
    return kind(rows=min(rows, 1_000) if out.categories else rows, searched=searched, restarts=restarts,
                random_state=random_state)
