"""Gradient-boosted trees, stopped on held-out rows."""

from __future__ import annotations

from typing import Any

from gnomon.card import Card
from gnomon.data.table import Spec

CARD = Card(
    name="Gradient boosting",
    gist="Hundreds of small trees, each correcting the sum of those before; stopped when held-out rows stop improving.",
    use_when="Tables of numbers and categories, from hundreds of rows to millions; descriptors of molecules.",
    avoid_when="Fewer than about 100 rows; smooth functions of few numbers; far more features than rows.",
    paper="Friedman 2001, Annals of Statistics 29; Ke et al. 2017, NeurIPS (LightGBM)",
    survey=("C5", "P2"),
    tasks=("classify", "regress"),
    gives=("fit",),
    tune={"rate": (0.01, 0.2), "leaves": (4, 127), "smallest": (2, 100), "shrink": (0.0, 10.0)},
    cost="seconds",
)


def boosting(inputs: Any, out: Spec, *, rate: float | None = None, leaves: int | None = None,
             smallest: int | None = None, shrink: float = 1.0, rounds: int = 2000, bags: int | None = None,
             random_state: int = 0, n_jobs: int = 1) -> Any:
    """Trees of `leaves` leaves with at least `smallest` rows each, added at the rate `rate`, shrunk by `shrink`.

    How many trees, at most `rounds`, is decided on rows the method holds back; then everything is used to fit them
    again, `bags` times with other random choices, averaged. None: by the size of the data (small trees, a
    rate of 0.05 and five bags for small data; 0.1 or 0.2 and one bag for large). LightGBM where it is installed (extra
    `boost`), else scikit-learn's histogram boosting.
    """
    from gnomon.models.tables._boosted import BoostedClasses, BoostedNumbers

    kind = BoostedClasses if out.categories else BoostedNumbers
    return kind(rate=rate, leaves=leaves, smallest=smallest, shrink=shrink, rounds=rounds, bags=bags,
                random_state=random_state, n_jobs=n_jobs)
