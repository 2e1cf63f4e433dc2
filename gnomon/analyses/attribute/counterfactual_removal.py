"""The claimed cue is taken out of held-out rows: does the prediction follow, more than without any cue of that size?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.attribute._intervals import jackknife_limits, left_out, mean_over_units
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.values import plain

CARD = Card(
    name="Counterfactual removal",
    gist="Mutates or removes a claimed cue (motif, group, column) and measures what prediction and score lose.",
    use_when="An explanation names a cue and you want to know, on other rows, that the predictor needs it.",
    avoid_when="Removal makes rows unlike any data: the loss then mixes the cue's with that of being odd.",
    paper="Fisher, Rudin & Dominici 2019, JMLR 20, arXiv:1801.01489; Hooker et al. 2019, arXiv:1806.10758",
    survey=("T2", "W9", "I5"),
    tasks=("classify", "regress", "several"),
    cost="seconds",
)


@dataclass(frozen=True)
class Effect:
    """A number with its 95 % interval over units."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Removal:
    """output: mean fall (or size of change) of the explained number when the cue goes; random: when as much else goes;
    beyond: their difference. score: how much worse the metric over all rows gets (positive = worse) when those that
    hold the cue lose it, score_random when they lose as much else, score_beyond their difference; None where rows have
    no label. holds: `beyond` is clear of 0, in the direction claimed."""

    rows: int
    pieces: float
    output: Effect
    random: Effect
    beyond: Effect
    metric: str
    score: Effect | None
    score_random: Effect | None
    score_beyond: Effect | None
    holds: bool

    @property
    def entry(self) -> dict[str, Any]:
        """As report.json wants it."""
        from dataclasses import asdict

        return plain(asdict(self))


def counterfactual_removal(ground: Any, cue: Sequence[np.ndarray], task: Any, truth: np.ndarray, units: np.ndarray, *,
                           raises: bool | None = True, draws: int = 8, seed: int = 0) -> Removal:
    """Remove the cue from every row of `ground` that holds it.

    ground: `Ground` of held-out rows, best ones that played no part in finding the cue. cue: one bool array a row over
    its pieces; rows without any are left as they are. task, truth: (n,) or (n, T) of those rows, for the score. units: (n,)
    the independent unit of each row. raises: the claim is that the cue raises the explained number (False: lowers it;
    None: moves it, either way: then sizes of changes are compared, not falls).
    draws: random cues a row: the cue's own pattern moved elsewhere in the row, overlapping it as little as can be;
    deletions that are themselves random (letters) are redrawn with them.
    """
    masks = [np.asarray(c, dtype=bool) for c in cue]
    rows = np.flatnonzero([m.any() for m in masks])
    everyone, units = np.arange(len(ground)), np.asarray(units)
    before = ground.predict(ground.data, everyone)
    gone = [_without(ground, masks, d) for d in range(draws if _is_random(ground) else 1)]
    other = [_without(ground, [moved(m, stream(seed, "random cue", i, d)) if m.any() else m for i, m in enumerate(masks)], d)
             for d in range(draws)]
    start = ground.question.answer(before, everyone)[rows]
    told = np.abs if raises is None else np.asarray
    falls, chance = (np.mean([told(start - ground.question.answer(p, everyone)[rows]) for p in ps], axis=0)
                     for ps in (gone, other))
    output, random, beyond = (Effect(*mean_over_units(v, units[rows])) for v in (falls, chance, falls - chance))
    clear = beyond.low is not None and (beyond.high < 0 if raises is False else beyond.low > 0)  # type: ignore[operator]
    score = _scores(task, np.asarray(truth), units, before, gone, other, seed)
    return Removal(len(rows), float(np.mean([masks[r].sum() for r in rows])) if len(rows) else 0.0, output, random, beyond,
                   task.metric.name, *score, bool(clear))


def moved(mask: np.ndarray, dice: np.random.Generator) -> np.ndarray:
    """The same pattern rolled to another place: one of those that overlap the original least, by lot."""
    overlap = np.array([(np.roll(mask, k) & mask).sum() for k in range(1, len(mask))])
    if not len(overlap):
        return mask
    return np.roll(mask, 1 + int(dice.choice(np.flatnonzero(overlap == overlap.min()))))


def _is_random(ground: Any) -> bool:
    return any(c.spec.kind == "sequence" for c in ground.data.columns.values())


def _without(ground: Any, masks: list[np.ndarray], draw: int) -> Any:
    everyone = np.arange(len(ground))
    return ground.predict(ground.altered(everyone, masks, draw), everyone)


def _scores(task: Any, truth: np.ndarray, units: np.ndarray, before: Any, gone: list[Any], other: list[Any],
            seed: int) -> tuple[Effect | None, Effect | None, Effect | None]:
    """What the metric loses without the cue, without a random one, and the difference; jackknife over units."""
    flat = truth.astype(float).reshape(len(truth), -1)
    known = (np.isfinite(flat) & ((flat >= 0) | (task.name != "classify"))).any(axis=1)
    if known.sum() < 2:
        return None, None, None
    kept = np.flatnonzero(known)
    stays = left_out(units[kept], seed)
    sign = 1.0 if task.metric.higher_is_better else -1.0

    def scored(prediction: Any) -> np.ndarray:
        stats = task.measure(prediction.take(kept), truth[kept])
        return sign * np.array([task.score(stats), *(task.score(stats.take(s)) for s in stays)])

    start = scored(before)
    lost, chance = (np.mean([start - scored(p) for p in ps], axis=0) for ps in (gone, other))
    if not np.isfinite([lost[0], chance[0]]).all():  # a rank such as AUC where one class is left
        return None, None, None
    first, second, third = (Effect(float(v[0]), *jackknife_limits(float(v[0]), v[1:])) for v in (lost, chance, lost - chance))
    return first, second, third
