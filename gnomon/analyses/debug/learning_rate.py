"""Find a learning rate by letting it rise until training breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gnomon.card import Card
from gnomon.data.parts import Rows
from gnomon.data.table import Data
from gnomon.methods._desk import Desk
from gnomon.methods._rate import RangeTest, range_test

CARD = Card(
    name="Learning-rate range test",
    gist="Lets the rate rise from 1e-4 to 0.5 over a few dozen steps; the loss shows where learning begins and breaks.",
    use_when="A new model or new data: the rate is the setting that matters most.",
    avoid_when="A rate is known to work for this model and batch size.",
    paper="Smith 2017, arXiv:1506.01186",
    survey=("P6",),
    needs=("labels", "gradient"),
    cost="seconds",
)


def learning_rate(task: Any, build: Callable[..., Any], data: Data, rows: np.ndarray, seed: int, desk: Desk, *,
                  batch: int | None = None, molecules: str = "graph") -> RangeTest:
    """rates (k,), smoothed losses (k,) and the `rate` that supervised would take. The same seed gives the same rate."""
    from gnomon.methods.labelled.supervised import prepare

    rows = np.asarray(rows)
    made = prepare(task, build, data, Rows(rows, rows[:0]), seed, desk, batch=batch, molecules=molecules)
    return range_test(made.module, made.loss_of, made.batches, seed, made.desk)
