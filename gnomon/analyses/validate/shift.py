"""Can training rows be told from test rows?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gnomon.analyses.validate._units import unit_codes
from gnomon.analyses.validate.interval import interval
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.values import Finding, finding

CARD = Card(
    name="Domain classifier",
    gist="A small forest tries to tell training from test rows by their inputs; an AUC above 0.5 means a shift.",
    use_when="Test or new rows come from another site, time or source than the training rows.",
    avoid_when="To show that there is no shift in what the inputs mean: without labels that cannot be seen.",
    paper="Rabanser et al. 2019, arXiv:1810.11953; Lopez-Paz & Oquab 2017, arXiv:1610.06545",
    survey=("P7", "P8"),
    tasks=("classify", "regress", "several"),
    cost="seconds",
)
MOST_ROWS, FOLDS = 1500, 5
NOTED, WARNED = 0.60, 0.75  # lower limits of the AUC


@dataclass(frozen=True)
class Shift:
    """auc: of telling the two apart, on rows the classifier did not see, with its 95 % interval. features: the columns
    of the matrix that give it away most, with their share."""

    auc: float
    low: float | None
    high: float | None
    features: tuple[tuple[int, float], ...]
    n_train: int
    n_test: int


def shift(train: np.ndarray, test: np.ndarray, train_units: np.ndarray | None = None,
          test_units: np.ndarray | None = None, *, seed: int = 0) -> Shift | None:
    """Tell `train` (n, d) from `test` (m, d) by a forest, cross-validated over whole units; at most 1,500 rows of each,
    the two sides weighed alike. None where either side has fewer than 20 rows or 3 units."""
    from sklearn.ensemble import RandomForestClassifier

    from gnomon.tasks.classify import classify

    rng = stream(seed, "shift")
    sides = [_sample(m, u, rng) for m, u in ((train, train_units), (test, test_units))]
    if min(len(x) for x, _ in sides) < 20 or min(len(np.unique(u)) for _, u in sides) < 3:
        return None
    x = np.nan_to_num(np.concatenate([s[0] for s in sides]).astype(np.float32))
    side = np.repeat([0, 1], [len(s[0]) for s in sides])
    codes = np.concatenate([sides[0][1], sides[1][1] + sides[0][1].max() + 1])
    proba, weight = np.empty(len(x)), np.zeros(x.shape[1])
    place = _even_folds(codes, side, rng)
    for k in range(FOLDS):
        forest = RandomForestClassifier(60, min_samples_leaf=5, max_features="sqrt", class_weight="balanced", n_jobs=1,
                                        random_state=int(rng.integers(2**31)))
        held = place == k
        if held.any():
            forest.fit(x[~held], side[~held])
            proba[held] = forest.predict_proba(x[held])[:, 1]
            weight += forest.feature_importances_ / FOLDS
    task = classify("test", ("train", "test"), metric="roc_auc")
    both = np.stack([1 - proba, proba], axis=1)
    e = interval(task, task.measure(Prediction(both.argmax(axis=1), both), side), codes)
    top = np.argsort(-weight)[:5]
    return Shift(e.value, e.low, e.high, tuple((int(i), float(weight[i])) for i in top), *(len(s[0]) for s in sides))


def _sample(x: np.ndarray, units: np.ndarray | None, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    rows = np.sort(rng.permutation(len(x))[:MOST_ROWS])
    return x[rows], unit_codes(None if units is None else np.asarray(units)[rows], len(rows))[0]


def _even_folds(codes: np.ndarray, side: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fold for every row; units stay whole, each side's units are spread over all folds."""
    place = np.empty(codes.max() + 1, dtype=np.int64)
    for s in (0, 1):
        units = rng.permutation(np.unique(codes[side == s]))
        place[units] = np.arange(len(units)) % FOLDS
    return place[codes]


def shift_finding(found: Shift | None, names: tuple[str, ...] = (), *, grouped: bool = False) -> Finding | None:
    """VALID-SHIFT: test inputs differ from training inputs well beyond chance. `names`: of the matrix's columns;
    `grouped`: the split holds out whole groups, so that some shift is meant."""
    if found is None or found.low is None or found.low < NOTED:
        return None
    column = names[found.features[0][0]] if names else ""
    why = f", most of all by '{column}'" if column else ""
    meant = " The split holds out whole groups, so some of this is meant." if grouped else ""
    grade = "warn" if found.low >= WARNED and not grouped else "note"
    return finding("VALID-SHIFT", grade, f"Test rows can be told from training rows{why} "
                   f"(AUC {found.auc:.2f} [{found.low:.2f}, {found.high:.2f}]; 0.5 would be no shift).{meant}",
                   columns=(column,) if column else (), values={"auc": found.auc, "low": found.low, "high": found.high},
                   source="Rabanser et al. 2019")
