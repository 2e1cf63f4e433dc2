"""Explainable boosting: a sum of one curve an input."""

from __future__ import annotations

from typing import Any

from gnomon.card import Card
from gnomon.data.table import Spec

CARD = Card(
    name="Explainable boosting",
    gist="Adds up one learned curve for each input, so the whole model can be drawn and read.",
    use_when="Tables of up to some hundred inputs where the model itself must be understood.",
    avoid_when="Effects that depend on combinations of inputs; thousands of features; images, text.",
    paper="Nori et al. 2019, arXiv:1909.09223; Lou et al. 2012, KDD",
    survey=("C6", "P2"),
    tasks=("classify", "regress"),
    gives=("fit",),
    tune={"rate": (0.005, 0.05), "pairs": (0, 20)},
    cost="seconds",
)


def explainable_boosting(inputs: Any, out: Spec, *, pairs: int = 0, bags: int = 4, rate: float = 0.015,
                         rounds: int = 5_000, most: int = 300, random_state: int = 0, n_jobs: int = 1) -> Any:
    """A generalised additive model: link(E y) = a + sum_j f_j(x_j), each f_j a step curve, boosted in turns with a
    small rate; `pairs` interactions of two inputs. The `most` features that vary with the target are used (by F-test).

    Needs interpret-core. Several classes: no pairs.
    """
    from gnomon.models.tables._curves import CurvesOfClasses, CurvesOfNumbers

    kind = CurvesOfClasses if out.categories else CurvesOfNumbers
    return kind(pairs=pairs if len(out.categories) <= 2 else 0, bags=bags, rate=rate, rounds=rounds, most=most,
                random_state=random_state, n_jobs=n_jobs)
