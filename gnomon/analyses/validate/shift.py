"""Can training rows be told from test rows?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gnomon.analyses.explore._kit import join
from gnomon.analyses.validate._shift_parts import Moved, Relation, TargetMoved
from gnomon.analyses.validate._units import NO_P, unit_codes
from gnomon.analyses.validate.interval import interval
from gnomon.card import Card
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.values import Finding, finding

CARD = Card(
    name="Domain classifier",
    gist="A linear model and a small forest together try to tell training from test rows by their inputs; an AUC above 0.5 "
         "means a shift.",
    use_when="Test or new rows come from another site, time or source than the training rows.",
    avoid_when="To show that the relation of inputs and target is the same: without targets that is not identifiable.",
    paper="Rabanser et al. 2019, arXiv:1810.11953; Lopez-Paz & Oquab 2017, arXiv:1610.06545",
    survey=("P7", "P8"),
    tasks=("classify", "regress", "several"),
    cost="seconds",
)
MOST_ROWS, FOLDS = 1500, 5
LINE = 0.3  # the logistic model's inverse penalty over the number of columns, these of unit spread
UNKNOWN = ("The targets of these rows are not known, so whether inputs and target are still related in the same way (concept "
           "shift) is not identifiable.")
UNTRIED = "Whether inputs and targets are still related in the same way (concept shift) was not checked"
SEVERAL = f"{UNTRIED}: there are several targets."
TOO_FEW = "fewer than 20 rows or 3 units on one of the two sides"
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
          test_units: np.ndarray | None = None, *, shared: bool = False, seed: int = 0) -> Shift | None:
    """Tell `train` (n, d) from `test` (m, d) by the mean of a forest and a logistic model (one moved column among many is a
    line's work, other changes a forest's), cross-validated over whole units; at most 1,500 rows of each, the two sides
    weighed alike. shared: equal units on the two sides are the same unit, else never. None where
    either side has fewer than 20 rows or 3 units."""
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression

    from gnomon.tasks.classify import classify

    rng = stream(seed, "shift")
    sides = [_sample(m, u, rng, named=shared) for m, u in ((train, train_units), (test, test_units))]
    if min(len(x) for x, _ in sides) < 20 or min(len(np.unique(u)) for _, u in sides) < 3:
        return None
    x = np.nan_to_num(np.concatenate([s[0] for s in sides]).astype(np.float32))
    level = np.clip((x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6), -5, 5)
    side = np.repeat([0, 1], [len(s[0]) for s in sides])
    codes = unit_codes(np.concatenate([s[1] for s in sides]), len(x))[0] if shared else \
        np.concatenate([sides[0][1], sides[1][1] + sides[0][1].max() + 1])
    proba, weight = np.full(len(x), 0.5), np.zeros(x.shape[1])
    place = _even_folds(codes, side, rng)
    for k in range(FOLDS):
        forest = RandomForestClassifier(60, min_samples_leaf=5, max_features="sqrt", class_weight="balanced", n_jobs=1,
                                        random_state=int(rng.integers(2**31)))
        held = place == k
        if held.any() and len(np.unique(side[~held])) == 2:
            forest.fit(x[~held], side[~held])
            line = LogisticRegression(C=LINE / x.shape[1], class_weight="balanced", max_iter=200).fit(level[~held], side[~held])
            proba[held] = (forest.predict_proba(x[held])[:, 1] + line.predict_proba(level[held])[:, 1]) / 2
            weight += forest.feature_importances_ / FOLDS
    task = classify("test", ("train", "test"), metric="roc_auc")
    both = np.stack([1 - proba, proba], axis=1)
    e = interval(task, task.measure(Prediction(both.argmax(axis=1), both), side), codes)
    top = np.argsort(-weight)[:5]
    return Shift(e.value, e.low, e.high, tuple((int(i), float(weight[i])) for i in top), *(len(s[0]) for s in sides))


def _sample(x: np.ndarray, units: np.ndarray | None, rng: np.random.Generator, *, named: bool
            ) -> tuple[np.ndarray, np.ndarray]:
    """Some rows and their units: numbered from 0, or under their own numbers."""
    rows = np.sort(rng.permutation(len(x))[:MOST_ROWS])
    if named and units is not None:
        return x[rows], np.asarray(units)[rows]
    return x[rows], unit_codes(None if units is None else np.asarray(units)[rows], len(rows))[0]


def _even_folds(codes: np.ndarray, side: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fold for every row; units stay whole, each side's units are spread over all folds."""
    place = np.empty(codes.max() + 1, dtype=np.int64)
    for s in (0, 1):  # a unit on both sides keeps the fold it was given first
        units = rng.permutation(np.setdiff1d(codes[side == s], codes[side < s]))
        place[units] = np.arange(len(units)) % FOLDS
    return place[codes]


def shift_finding(found: Shift | None, names: tuple[str, ...] = (), *, meant: str = "") -> Finding | None:
    """VALID-SHIFT: test inputs differ from training inputs well beyond chance. `names`: of the matrix's columns; `meant`:
    what the split holds out because it may differ ("whole groups"), "" where no difference is meant."""
    if found is None or found.low is None or found.low < NOTED:
        return None
    column = names[found.features[0][0]] if names else ""
    why = f", most of all by '{column}'" if column else ""
    part = f" The split holds out {meant}, so some of this is meant." if meant else ""
    grade = "warn" if found.low >= WARNED and not meant else "note"
    return finding("VALID-SHIFT", grade, f"Test rows can be told from training rows{why} "
                   f"(AUC {found.auc:.2f} [{found.low:.2f}, {found.high:.2f}]; 0.5 would be no shift).{part}",
                   columns=(column,) if column else (), values={"auc": found.auc, "low": found.low, "high": found.high},
                   source="Rabanser et al. 2019")


def sources_finding(found: Shift | None, moved: Sequence[Moved], target: TargetMoved | None, relation: Relation | None, *,
                    what: str = "test rows", several: bool = False, lacking: Sequence[str] = ()) -> Finding | None:
    """VALID-SHIFT between the training rows and another source: inputs, target and their relation, each as far as it can
    be told. target and relation are None where the other source has no targets, or has several: their relation is not
    tried. lacking: columns that the other source lacks, by which it was not compared."""
    if found is None:
        return None
    untried = SEVERAL if several else f"{UNTRIED}: the model lacks inputs there." if lacking and target else UNKNOWN
    known = target is not None or relation is not None
    apart = found.low is not None and found.low >= NOTED
    parts = [_inputs_words(found, moved, what, apart), _target_words(target, what) if target else "",
             _relation_words(relation, bool(target and target.spread == 1)) if relation else untried,
             f"Not compared, for the {what} lack {'them' if len(lacking) > 1 else 'it'}: {join(lacking)}." if lacking else ""]
    worse = relation is not None and relation.changed
    grade = "warn" if worse or (found.low or 0) >= WARNED else "note" if apart or (target and target.beyond_chance) else "fine"
    values = {"auc": found.auc, "low": found.low, "high": found.high, "training_rows": found.n_train, "rows": found.n_test,
              "moved": [f"{m.name} ({m.difference:+.2f} sd)" for m in moved[:8]]}
    if lacking:
        values["lacking"] = list(lacking)
    if known and target:
        values |= {"target_difference": target.difference, "target_difference_expected": target.expected}
    if relation and relation.more and relation.lean:
        values |= {"matched_rows": relation.n, "error_more": list(relation.more), "lean": list(relation.lean)}
    return finding("VALID-SHIFT", grade, " ".join(p for p in parts if p), columns=tuple(m.name for m in moved[:5]),
                   values=values, source="Rabanser et al. 2019; Moreno-Torres et al. 2012, Pattern Recognition 45")


def _inputs_words(found: Shift, moved: Sequence[Moved], what: str, apart: bool) -> str:
    limits = f" [{found.low:.2f}, {found.high:.2f}]" if found.low is not None else ""
    area = f"AUC {found.auc:.2f}{limits}; 0.5 would be no shift"
    if not apart:
        one = f", though {_named(moved[:2])} moved" if moved else ""
        return (f"The {what} cannot well be told from the training rows by their inputs ({area}){one}; not flagged is not "
                "reliable.")
    where = f", most of all in {_named(moved[:3])}" if moved else ", by their inputs together rather than any one"
    return f"Covariate shift: the inputs of the {what} differ from those of the training rows ({area}){where}."


def _named(moved: Sequence[Moved]) -> str:
    words = [f"'{m.name}' ({'higher' if m.difference > 0 else 'lower'} by {abs(m.difference):.1f} sd)" if
             abs(m.difference) >= 0.05 else f"'{m.name}' (in its spread)" for m in moved]
    return " and ".join(words) if len(words) < 3 else f"{', '.join(words[:-1])} and {words[-1]}"


def _target_words(target: TargetMoved, what: str) -> str:
    if not target.beyond_chance:
        return "The target is distributed alike, as far as these rows can tell."
    size = f"{abs(target.difference):.3g}"
    size += f" ({abs(target.difference) / target.spread:.1f} sd)" if target.spread != 1 else ""
    way = "higher" if target.difference > 0 else "lower"
    head = f"The target differs too: {'the share of ' if target.spread == 1 else 'the mean of '}'{target.what}' is {size} {way}"
    if target.expected is None:
        return f"{head}."
    share = target.expected / target.difference if target.difference else 0.0
    tail = ("the model expects about as much from the inputs alone: covariate shift explains it" if 0.67 <= share <= 1.5 else
            f"from the inputs alone the model expects {target.expected:+.3g}: the rest is label shift or a changed relation, "
            "which the target's distribution cannot tell apart")
    return f"{head}; {tail}."


def _relation_words(relation: Relation, classes: bool) -> str:
    if relation.units < NO_P:
        return (f"Whether inputs and target are related as in training (concept shift) was not tested: there are only "
                f"{relation.units} independent units on one side.")
    if relation.more is None or relation.lean is None:
        return (f"Whether inputs and target are related as in training (concept shift) is not identifiable: only {relation.n} "
                f"of {relation.of} new test rows lie as near to training rows as those do to each other.")
    where = f"at the {relation.n} of {relation.of} new test rows with training rows near them"
    more, lean = relation.more, relation.lean
    if more[1] > 0:
        return (f"Concept shift is likely: {where}, errors are {_times(more)} those on the training rows, so the inputs mean "
                "something else there, or something that is not measured differs.")
    if lean[1] > 0 or lean[2] < 0:
        which = "the last class is " + ("commoner" if lean[0] > 0 else "rarer") if classes else \
            "the target is " + ("higher" if lean[0] > 0 else "lower")
        return (f"Concept shift is likely: {where}, {which} than the model expects "
                f"by {abs(lean[0]):.3g} [{min(map(abs, lean[1:])):.3g}, {max(map(abs, lean[1:])):.3g}] more than in training: "
                "another calibration, or something that is not measured differs.")
    return (f"No concept shift was seen {where} (errors {_times(more)} those on the training rows); elsewhere it is not "
            "identifiable.")


def _times(more: Sequence[float]) -> str:
    """Relative excess with its limits as a ratio: (0.5, 0.2, 0.8) is "1.5 [1.2, 1.8] times"."""
    value, low, high = (1 + m for m in more)
    return f"{value:.2g} [{low:.2g}, {high:.2g}] times"
