"""What every planting is made of: a rule, the cues a row holds, a model that learned it, and the check that it did.

Rules: "one" (a cue decides), "either" (of two cues), "both" (class 1 holds both cues, class 0 one of them or none: they act
together only). A row is explained only where the model's prediction is right and falls when the cue is taken away; under
"both" when either of the two is taken away alone, for a model may have learned that one of them is enough.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.attribute._case import Case
from gnomon.analyses.attribute._question import ask
from gnomon.card import load
from gnomon.data.features._view import fit_view
from gnomon.data.table import Data, Dense, Role, Spec
from gnomon.methods._desk import Desk
from gnomon.methods._fitted import Fitted, matrix_of
from gnomon.rng import stream

RULES = ("one", "either", "both")
PLANTINGS = 9  # three rules in three strengths


@dataclass(frozen=True)
class Plain(Case):
    """A case whose techniques are run once, without the randomised copies that only the gates need."""

    def randomised(self) -> tuple[list[Any], str]:
        return [], "labels"


@dataclass(frozen=True)
class Planting:
    """truth: for each row of the case, 1 for a piece that is cue, 0 for one that is not, NaN for one left out.
    accuracy: of the model on rows it never saw. flipped: the share of class 1 rows that pass the removal check."""

    case: Plain
    truth: list[np.ndarray]
    accuracy: float
    flipped: float


def deciding(number: int) -> tuple[str, ...]:
    """The cues of a planting's rule."""
    return ("A",) if RULES[number % 3] == "one" else ("A", "B")


def removals(number: int) -> tuple[tuple[str, ...], ...]:
    """What is taken away; each time the prediction has to fall."""
    return (("A",), ("B",)) if RULES[number % 3] == "both" else (deciding(number),)


def held_cues(number: int, y: np.ndarray, dice: np.random.Generator, *, decoy: tuple[float, float] = (0.5, 0.5)
              ) -> list[tuple[str, ...]]:
    """The cues a row holds: "A" and "B" as the rule wants; "C" (and under "one" also "B") in a share `decoy` of the rows of
    class 0 and of class 1."""
    rule = RULES[number % 3]
    out: list[tuple[str, ...]] = []
    for label in y:
        ab = ("A", "B")[int(dice.integers(2))]
        decoys = tuple(c for c in (("B", "C") if rule == "one" else ("C",)) if dice.random() < decoy[int(label)])
        some = {"one": ("A",) if label else (), "either": (ab,) if label else (),
                "both": ("A", "B") if label else ((ab,) if dice.random() < 2 / 3 else ())}[rule]
        out.append(some + decoys)
    return out


def column_data(kind: str, values: Any, y: np.ndarray, detail: str = "") -> Data:
    """One input and its class."""
    spec = Spec(kind, shape=values.shape[1:], detail=detail) if kind == "image" else Spec(kind, detail=detail)
    target = Dense(y.astype(np.int32), Spec("category", categories=("0", "1")))
    return Data({"x": Dense(values, spec), "y": target}, {"x": Role("input", "planted"), "y": Role("target", "planted")},
                np.arange(len(y)))


def network(task: Any, data: Data, rows: np.ndarray, builder: Callable[..., Any], steps: int, rate: float = 3e-3) -> Any:
    """The study's own training, of a small one of its own models."""
    from gnomon.data.parts import Rows
    from gnomon.methods.labelled.supervised import supervised

    order = stream(0, "planted rows").permutation(rows)
    cut = len(order) * 9 // 10
    desk = Desk(steps=steps, threads=1)
    return supervised(task, builder, data, Rows(np.sort(order[:cut]), np.sort(order[cut:])), 0, desk, rate=rate, batch=64,
                      augment="none")


def forest(data: Data, task: Any, rows: np.ndarray, view_name: str) -> Fitted:
    """A forest on one view, as own_fit makes it."""
    view = fit_view(data, rows, data.inputs, view_name, dense=False, seed=0, form="filled")
    estimator = load("forest")({}, task.out, trees=100).set_params(random_state=0, n_jobs=1)
    return Fitted(view, (estimator.fit(matrix_of(view, data, rows), task.truth(data, rows)),), (task.out,))


def flipping(learned: Any, task: Any, data: Data, without: Sequence[Data], train: np.ndarray, held: np.ndarray,
             truths: list[np.ndarray], rows: int) -> Planting:
    """The planting of a class: positives in `held` whose prediction is 1, and 0 in each of `without`."""
    y = task.truth(data, held)
    told = learned.predict(data, held).value
    candidates = held[(y == 1)]
    gone = [learned.predict(bare, candidates).value for bare in without]
    flips = (told[y == 1] == 1) & (np.max(gone, axis=0) == 0)
    some = candidates[flips][:rows]
    question = ask(task, learned.predict(data, some), of=learned) if len(some) else None
    case = Plain(learned, task, data, some, train, question, 0, None, float("inf"))
    place = {int(r): i for i, r in enumerate(held)}
    return Planting(case, [truths[place[int(r)]] for r in some], float((told == y).mean()), float(flips.mean()))
