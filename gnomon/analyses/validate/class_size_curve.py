"""What more rows of one class would bring to the score, measured by giving back some of that class alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gnomon.analyses.validate._size_curve import FEWEST_REPEATS, Curve, Learn, curve_of, plan_of, scored, steps_of
from gnomon.analyses.validate.data_size_curve import REPEATS
from gnomon.card import Card
from gnomon.data.parts import Fold
from gnomon.rng import stream

CARD = Card(
    name="Data-size curve of a class",
    gist="The same recipe trained on four nested samples of one class beside all of the others; a power law looks ahead.",
    use_when="Deciding which class to collect more of: the gain of twice its units in the headline score, with its range.",
    avoid_when="A score of decisions (accuracy, F1): a class is hardly predicted, then suddenly is, and ranges come out too "
               "short. Fewer than 30 units of the class, or a class whose share will be different where the model is used.",
    paper="Hestness et al. 2017, arXiv:1712.00409; Chen, Johansson & Sontag 2018, arXiv:1805.12002",
    survey=("W10", "P9"),
    tasks=("classify",),
    needs=("labels", "groups"),
    cost="minutes",
)
FEWEST, SMALLEST = 30, 8  # units of the class to begin with, and in the smallest sample
SIZES, FROM = 4, 0.25


def class_size_curve(task: Any, learn: Learn, folds: Sequence[Fold], truth: np.ndarray, units: np.ndarray, label: str, *,
                     unit: str = "row", model: str = "", seed: int = 0, repeats: int = REPEATS,
                     enough: Callable[[], bool] = lambda: False) -> Curve | None:
    """The headline score with 25, 40, 63 and 100 % of the training units that hold class `label`, all other rows kept.

    truth, units (n,) of all rows; sizes, ahead: units of the class. The curve and its range are those of the data-size
    curve, so is what it says nothing about: rows of another kind than those there are. None with fewer than 30 such units
    in a training part, or where `enough()` said to stop before two repeats were whole.

    Measured on 124 forecasts of 29 data sets (benchmarks/forecasts.py --classes): ranges of 90 % held 73 of 76 outcomes in
    AUC, but only 30 of 48 in accuracy and macro-F1, whose gains were mostly larger than told.
    """
    place = list(task.out.categories).index(label)
    plans = [plan_of(folds[r % len(folds)], truth >= 0, units, stream(seed, "class curve", label, r), truth == place)
             for r in range(repeats)]
    count = min(p.count for p in plans)
    if count < FEWEST:
        return None
    steps = steps_of(count, SMALLEST, FROM, SIZES)
    stats = scored(task, learn, plans, steps, truth, enough)
    if len(stats) < FEWEST_REPEATS:
        return None
    groups = [units[p.held] for p in plans[:len(stats)]]
    return curve_of(task, stats, groups, [r % len(folds) for r in range(len(stats))], steps, unit=unit, model=model, seed=seed)
