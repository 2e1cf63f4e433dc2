"""The labels of one target cross-examined, as LOOK-LABEL does it: on its rows, behind its guards, in its order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gnomon.data.table import Data
from gnomon.errors import InputError
from gnomon.workflow.look import LOOK_SECONDS

FEW = 20  # rows below which no label is cross-examined


@dataclass(frozen=True)
class Suspects:
    """Rows of the data whose label is doubted, the most doubtful first; sampled: ", on a seeded sample of .. rows" or ""."""

    target: str
    rows: np.ndarray
    suggested: tuple[str, ...]
    doubt: np.ndarray
    stands: bool  # beyond what hard cases explain
    sampled: str = ""

    def take(self, places: Sequence[int]) -> Suspects:
        """Some of them."""
        names = tuple(self.suggested[i] for i in places)
        return replace(self, rows=self.rows[list(places)], suggested=names, doubt=self.doubt[list(places)])


def suspects(data: Data, target: str, rows: np.ndarray, seed: int, *, right: Data | None = None, named: Sequence[int] = ()
             ) -> Suspects:
    """Rows whose out-of-fold prediction is another class (or far off), the most doubtful first, in the look's order.

    right: the data with the labels that a person corrected; named: rows to be examined whatever the look's sample holds.
    Raises E-RELABEL where the look would not judge either: other targets than classes and plain numbers, rare classes,
    inputs that say nothing.
    """
    from gnomon.analyses.explore._kit import sampled_note
    from gnomon.analyses.explore._views import full_view
    from gnomon.analyses.explore.suspect_labels import unfit
    from gnomon.data.read.endless import finite

    (data, _), (right, _) = finite(data), finite(data if right is None else right)
    aim, full = _examined(data, right, target, rows, named, seed)
    if aim.classes and (why := unfit(aim)):
        raise _refused(target, why)
    view = full_view(data, aim.rows, inputs=tuple(n for n in data.inputs if n != target), seed=seed)
    if not view.shape[1]:
        raise _refused(target, "no input says anything that could be read")
    found = _other_classes(view, aim, seed) if aim.classes else _other_numbers(view, aim, seed)
    return replace(found, sampled=sampled_note(len(aim), full))


def _examined(data: Data, right: Data, target: str, rows: np.ndarray, named: Sequence[int], seed: int) -> tuple[Any, int]:
    """(the rows LOOK-LABEL sampled and those it named, under the labels as corrected; how many have a label at all)."""
    from gnomon.analyses.explore._aim import aim_of
    from gnomon.analyses.explore.suspect_labels import PACE

    came, aim = aim_of(data, target, rows), aim_of(right, target, rows)
    if came is None or aim is None:
        kind, block = data.kind(target), bool(data.columns[target].spec.shape)
        raise _refused(target, "no training row has a label" if kind in ("number", "category") and not block else
                       f"only classes and plain numbers are cross-examined, and this is of kind {kind}{' (a block)' * block}")
    if len(aim) < FEW:
        raise _refused(target, f"known in {len(aim)} training rows, too few to cross-examine (it takes {FEW}): look at all")
    chosen = came.sampled(int(PACE * (LOOK_SECONDS / len(data.targets))), seed, "labels").rows
    return aim.take(np.flatnonzero(np.isin(aim.rows, np.concatenate([chosen, np.asarray(named, dtype=np.int64)])))), len(aim)


def _other_classes(view: np.ndarray, aim: Any, seed: int) -> Suspects:
    from gnomon.analyses.explore._aim import folds_of
    from gnomon.analyses.explore._doubts import doubts
    from gnomon.analyses.explore._lapses import each_out_of_fold, lapse_rate

    each = each_out_of_fold(view, aim, folds_of(len(aim), seed, "labels"), seed)
    doubted, stands = doubts(view, aim, each, seed), lapse_rate(each[:2].mean(axis=0), aim.values).stands
    names = tuple(aim.classes[doubted.like[i]] for i in doubted.order)
    return Suspects(aim.name, aim.rows[doubted.order], names, 1 - doubted.own[doubted.order], stands)


def _other_numbers(view: np.ndarray, aim: Any, seed: int) -> Suspects:
    from gnomon.analyses.explore._misfits import UNTOLD, misfits

    seen = misfits(view, aim, seed)
    if not seen.told:
        raise _refused(aim.name, UNTOLD)
    names = tuple(f"{seen.guess[i]:.4g}" for i in seen.order)
    return Suspects(aim.name, aim.rows[seen.order], names, seen.doubt[seen.order], seen.stands)


def _refused(target: str, why: str) -> InputError:
    return InputError("E-RELABEL", f"'{target}' was not cross-examined: {why}", do="look at labels of your own choice")
