"""More data, measured: the data-size curve of a simple candidate, and those of the classes that it misses most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from gnomon.analyses.validate._cheap import labelled
from gnomon.analyses.validate.class_size_curve import FEWEST, class_size_curve
from gnomon.analyses.validate.data_size_curve import FEWEST as FEWEST_TRAINED
from gnomon.analyses.validate.data_size_curve import REPEATS, data_size_curve
from gnomon.tasks.logit_adjustment import decided
from gnomon.workflow._clock import Clock, merged, run_trial
from gnomon.workflow._folder import read_json
from gnomon.workflow._members import Candidate
from gnomon.workflow.run import Bench, fit

NEAR = 0.1  # of the recommended one's gain over the floor
CURVE_FITS = 2.5 * REPEATS  # what the curve costs, in fits with all units
CLASS_FITS = 3 * REPEATS  # and that of a class, whose full size the curve has trained already
CLASSES = 2
FORECAST = ("roc_auc", "accuracy")  # scores in which gains of one class were foretold better than by "no gain" on fresh sets


def more_data(bench: Bench, notes: Any, clock: Clock, candidates: Sequence[Candidate], best: Candidate) -> dict[str, Any]:
    """"curve", and "classes": by class, where the recommended candidate misses it most and the clock allows. Beside each,
    "near": whether its model is near the recommended one; "units": how many units there are to learn from and judge by."""
    chosen, seconds = curve_candidate(bench, candidates, best, clock.left)
    learn, folds = _remembering(bench, chosen), merged(bench.parts.folds)
    truth = bench.task.truth(bench.data, np.arange(len(bench.data)))
    said = {"unit": bench.parts.unit, "model": chosen.recipe.label, "seed": bench.seed, "enough": clock.over}
    found = run_trial(notes, clock, "VALID-CURVE", "the gain of twice the units, with its predictive range", seconds,
                      lambda: data_size_curve(bench.task, learn, folds, truth, bench.parts.units, **said),
                      f"fewer than {FEWEST_TRAINED} units (each a {bench.parts.unit}) with a target to train on")
    if found is None:
        return {}
    classes, near = {}, is_near(bench, candidates, best, chosen)
    for name in missed(bench, best):
        if clock.left > CLASS_FITS * fold_seconds(chosen):
            one = class_size_curve(bench.task, learn, folds, truth, bench.parts.units, name, **said)
            own = truth == list(bench.task.out.categories).index(name)
            if one is not None and one.gain is not None:
                classes[name] = asdict(one) | {"near": near, "units": _units(bench, own)}
    return {"curve": asdict(found) | {"near": near, "units": _units(bench, labelled(truth))}, "classes": classes}


def _units(bench: Bench, kept: np.ndarray) -> int:
    """Units of training and validation parts with a row that is kept: twice as many of them are twice as many to train on."""
    rows = np.unique(np.concatenate([part for f in bench.parts.folds for part in (f.train, f.valid)]))
    return len(np.unique(bench.parts.units[rows[kept[rows]]]))


def missed(bench: Bench, best: Candidate) -> list[str]:
    """The classes with units enough whose rows the candidate misses most often, at most two; none in scores in which
    forecasts of one class were never judged (benchmarks/forecasts.py --classes)."""
    if bench.task.name != "classify" or bench.task.metric.name not in FORECAST or len(bench.task.out.categories) < 2:
        return []
    truth, told = best.stats["truth"].astype(int), best.stats["value"].astype(int)
    units = bench.parts.units[best.members[0][1].rows]
    able = [k for k in range(len(bench.task.out.categories)) if len(np.unique(units[truth == k])) >= FEWEST]
    able.sort(key=lambda k: (told[truth == k] == k).mean())
    return [str(bench.task.out.categories[k]) for k in able[:CLASSES]]


def _remembering(bench: Bench, chosen: Candidate) -> Callable[[np.ndarray], Any]:
    """rows -> what the recipe learned from them, decided as the candidate decides; the full training parts, which all curves
    share, are trained once."""
    known = labelled(bench.task.truth(bench.data, np.arange(len(bench.data))))
    full = {f.train[known[f.train]].tobytes(): None for f in merged(bench.parts.folds)}

    def learn(rows: np.ndarray) -> Any:
        key = rows.tobytes()
        learned = full.get(key) or fit(bench, chosen.recipe, rows, 0, f"curve {len(rows)}", None)
        if key in full:
            full[key] = learned
        return lambda held: decided(learned.predict(bench.data, held), chosen.tilt)

    return learn


def curve_candidate(bench: Bench, candidates: Sequence[Candidate], best: Candidate, seconds: float
                    ) -> tuple[Candidate, float]:
    """The candidate whose curve is drawn, and the seconds that takes: the recommended one where it is simple and fits
    in, else the best simple one near it that fits in: not worse by more than a tenth of its gain over the floor. Deep
    ones are too dear to train twenty times over; where none is near, the best simple one stands for them."""
    simple = [c for c in candidates if c.family == "simple" and np.isfinite(c.score)] or [best]
    sign = 1 if bench.task.metric.higher_is_better else -1
    cost = lambda c: CURVE_FITS * fold_seconds(c)  # noqa: E731
    ranked = sorted(simple, key=lambda c: -sign * c.score)
    near = [c for c in ranked if is_near(bench, candidates, best, c)] or ranked[:1]
    pick = next((c for c in near if cost(c) <= seconds), min(near, key=cost))
    return pick, cost(pick)


def is_near(bench: Bench, candidates: Sequence[Candidate], best: Candidate, other: Candidate) -> bool:
    """Whether it is not worse than the recommended one by more than a tenth of that one's gain over the floor."""
    sign = 1 if bench.task.metric.higher_is_better else -1
    floor = sign * max(sign * c.score for c in candidates if c.family == "floor")
    return sign * (best.score - other.score) <= NEAR * abs(best.score - floor)


def fold_seconds(c: Candidate) -> float:
    """What one fold took, as a rule: the first one also pays for loading libraries."""
    took = [(read_json(folder / "run.json") or {}).get("seconds", 0.0) for folder in c.members[0][1].folders]
    return float(np.median(took)) if took else 0.0
