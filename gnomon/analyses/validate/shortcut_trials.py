"""How far one gets without what should matter."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.analyses.validate._bootstrap import jackknife_error, left_out
from gnomon.analyses.validate._cheap import out_of_fold, small_forest
from gnomon.analyses.validate._cues import Cue, cues
from gnomon.analyses.validate._scores import weighted
from gnomon.analyses.validate._units import scorable
from gnomon.analyses.validate.compare import compare
from gnomon.card import Card
from gnomon.data.parts import Fold
from gnomon.data.table import Data
from gnomon.rng import stream
from gnomon.tasks._task import Prediction, Stats
from gnomon.values import Finding, finding

CARD = Card(
    name="Shortcut trials",
    gist="Cheap models that see only metadata, border, brightness, length, atom counts or batch, set against the real one.",
    use_when="Always after training: a score that such a model also reaches may not be about the property.",
    avoid_when="To prove that the model takes the shortcut: the trial shows that it could.",
    paper="Geirhos et al. 2020, Nature Machine Intelligence 2; DeGrave et al. 2021, Nature Machine Intelligence 3",
    survey=("P8", "P7"),
    tasks=("classify", "regress"),
    needs=("labels",),
    cost="seconds",
)
MOST_ROWS = 2000  # rows scored
LARGE, LARGE_AT_LEAST = 2 / 3, 1 / 2  # share of the gain called large, and its least lower limit
NEARLY_ALL = 0.9  # lower limit of the share from which what is legitimate elsewhere is called a shortcut too
WORTH_A_NOTE, LEGITIMATE_NOTE = 1 / 4, 1 / 2


@dataclass(frozen=True)
class Trial:
    """score: of a model that sees only `what`; model, floor: of the recommended one and of knowing nothing, on the same
    rows. share: of the model's gain over the floor that the trial reaches, with 95 % limits over units. gain_low: lower
    limit of the trial's own gain over the floor, corrected for the number of trials."""

    cue: str
    what: str
    legitimate: bool
    columns: tuple[str, ...]
    metric: str
    score: float
    model: float
    floor: float
    gain_low: float | None
    share: float
    share_low: float | None
    share_high: float | None
    n_rows: int
    n_units: int
    seconds: float

    @property
    def beats_chance(self) -> bool:
        return self.gain_low is not None and self.gain_low > 0


def shortcut_trials(task: Any, data: Data, folds: Sequence[Fold], units: np.ndarray, rows: np.ndarray, model: Prediction,
                    floor: Prediction, *, seed: int = 0, found: Sequence[Cue] | None = None,
                    enough: Callable[[], bool] = lambda: False) -> list[Trial]:
    """Cross-predict `rows` (k,) from each cue alone in the study's own `folds`, by a small forest.

    model, floor: out-of-fold predictions of the same rows; units (n,) of all rows. At most 2,000 rows are scored.
    share = (trial - floor) / (model - floor) in the direction of better, its limits by a jackknife over units. `found`:
    cues to try instead of those the data have, with matrices over all rows of the data. enough: asked after each cue;
    once it says yes, the others are not tried.
    """
    kept = np.sort(stream(seed, "trial rows").permutation(len(rows))[:MOST_ROWS])
    rows, model, floor = rows[kept], model.take(kept), floor.take(kept)
    wanted = np.arange(len(data)) if found is not None else needed_rows(folds, rows, seed)
    truth = np.full(len(data), -1) if task.name == "classify" else np.full(len(data), np.nan)
    truth[wanted] = task.truth(data, wanted)
    folds = [f for f in folds if f.repeat == folds[0].repeat]  # once over the rows is enough for a trial
    tried, out = list(found) if found is not None else cues(data, wanted), []
    own, low = task.measure(model, truth[rows]), task.measure(floor, truth[rows])
    for cue in tried:
        if out and enough():
            break
        started = time.perf_counter()
        x = np.zeros((len(data), cue.matrix.shape[1]), dtype=np.float32)
        x[wanted] = cue.matrix
        told = out_of_fold(task, x, truth, _within(folds, wanted), rows, seed=seed, make=lambda s: small_forest(task, s))
        stats = task.measure(told, truth[rows])
        out.append(_trial(task, cue, stats, own, low, units[rows], len(tried), seed, started))
    return out


def needed_rows(folds: Sequence[Fold], rows: np.ndarray, seed: int, most: int = 3000) -> np.ndarray:
    """The rows scored, and at most 3,000 to train on: features of more are not computed."""
    train = np.unique(np.concatenate([f.train for f in folds]))
    return np.union1d(rows, stream(seed, "trial training").permutation(train)[:most])


def _within(folds: Sequence[Fold], wanted: np.ndarray) -> list[Fold]:
    return [Fold(np.intersect1d(f.train, wanted), np.intersect1d(f.valid, wanted), f.repeat) for f in folds]


def _trial(task: Any, cue: Cue, stats: Stats, model: Stats, floor: Stats, units: np.ndarray, count: int, seed: int,
           started: float) -> Trial:
    gain = compare(task, stats, floor, units, margin=None, level=1 - 0.05 / max(1, count), seed=seed)
    _, codes, g = scorable(stats, units)
    three = [weighted(task, *_known(s, units), g) for s in (stats, model, floor)]
    share, low, high = _share([w.full for w in three], left_out(three, g) if g > 2 else None)
    return Trial(cue.key, cue.what, cue.legitimate, cue.columns, task.metric.name, *(float(w.full) for w in three),
                 gain.low, share, low, high, len(codes), g, round(time.perf_counter() - started, 2))


def _known(stats: Stats, units: np.ndarray) -> tuple[Stats, np.ndarray]:
    kept, codes, _ = scorable(stats, units)
    return kept, codes


def _share(full: Sequence[float], without: np.ndarray | None) -> tuple[float, float | None, float | None]:
    """(trial - floor) / (model - floor) with t limits from its jackknife values."""
    from scipy.stats import t

    def ratio(a: Any, m: Any, f: Any) -> Any:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (a - f) / (m - f)

    share = float(ratio(*full))
    if without is None or not np.isfinite(share):
        return share, None, None
    each = ratio(*without)
    each = each[np.isfinite(each)]
    if len(each) < 3:
        return share, None, None
    half = float(t.ppf(0.975, len(each) - 1)) * jackknife_error(each)
    return share, share - half, share + half


def shortcut_findings(trials: Sequence[Trial]) -> list[Finding]:
    """VALID-SHORTCUT for each trial that beats chance and reaches enough of the model's gain.

    A warning: two thirds of the gain, surely more than half; where the cue is legitimate in its field (composition,
    size of a molecule, brightness): surely more than nine tenths. Otherwise a note from a quarter (a half) on.
    """
    out = []
    for t in sorted(trials, key=lambda t: -t.share):
        if not t.beats_chance or t.share_low is None or t.share_low <= 0:
            continue
        large = t.share_low >= NEARLY_ALL if t.legitimate else t.share >= LARGE and t.share_low >= LARGE_AT_LEAST
        if not large and t.share < (LEGITIMATE_NOTE if t.legitimate else WORTH_A_NOTE):
            continue
        name = t.metric.replace("_", " ")
        how = "The score is reachable" if large else "Part of the score is reachable"
        out.append(finding(
            "VALID-SHORTCUT", "warn" if large and t.cue != "order" else "note",
            f"{how} from {t.what} alone: {name} {t.score:.3g}, {min(t.share, 9.99):.0%} of the gain of the model "
            f"({t.model:.3g}) over knowing nothing ({t.floor:.3g}).", columns=t.columns,
            values={"cue": t.cue, "score": t.score, "model": t.model, "floor": t.floor, "share": t.share,
                    "share_low": t.share_low, "share_high": t.share_high, "n_units": t.n_units},
            source="Geirhos et al. 2020"))
    return out
