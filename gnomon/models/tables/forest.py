"""Random forests."""

from __future__ import annotations

from typing import Any

from gnomon.card import Card
from gnomon.data.table import Spec

CARD = Card(
    name="Random forest",
    gist="The average of many deep trees, each grown on other rows and other features.",
    use_when="Almost always: no tuning, any scale, missing values, small data; Morgan fingerprints.",
    avoid_when="Smooth functions of few numbers (a Gaussian process is better), sparse text, extrapolation.",
    paper="Breiman 2001, Machine Learning 45",
    survey=("C5", "P2"),
    tasks=("classify", "regress"),
    gives=("fit",),
    tune={"leaf": (1, 10), "share": (0.1, 1.0)},
    cost="seconds",
)
WIDE = 60  # features from which on a tree looks at a third of them at each cut
TRIED = 250  # but at no more than so many


def forest(inputs: Any, out: Spec, *, trees: int = 0, leaf: int = 1, share: float | None = None,
           rows: int = 50_000, random_state: int = 0, n_jobs: int = 1) -> Any:
    """The average of trees grown on bootstrap samples of at most `rows` rows, leaves of at least `leaf` rows.

    trees: 0 means 300 up to 3,000 rows, then fewer, 100 from 9,000 on. share: of the features, how many are tried at
    each cut; None: for classes the square root of their number, for numbers all, beyond 60 a third, at most 250.
    """
    from gnomon.models.tables._forest import ForestClasses, ForestNumbers

    width = sum(spec.shape[0] for spec in inputs.values() if spec.shape)
    tried = "sqrt" if out.categories else min(1 / 3, TRIED / width) if width > WIDE else 1.0
    tried = tried if share is None else share
    kind = ForestClasses if out.categories else ForestNumbers
    return kind(n_estimators=trees, min_samples_leaf=leaf, max_features=tried, most_rows=rows,
                random_state=random_state, n_jobs=n_jobs)
