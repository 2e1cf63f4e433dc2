"""What shows only beside a model or a second set of rows: shift, unlike rows at prediction, weak parts.

The looks here need no study: rows marked "new" in the column `part` (set aside, never an input) are the other source, and
a small forest predicts out of fold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _data import Truth, column, fine_columns, is_classes, values_of, with_column, with_values

from gnomon.analyses.explore._aim import aim_of, folds_of
from gnomon.analyses.explore._views import quick_view
from gnomon.analyses.validate._cheap import out_of_fold, small_forest
from gnomon.analyses.validate._shift_parts import target_moved
from gnomon.analyses.validate.ood import ood, ood_finding
from gnomon.analyses.validate.shift import shift, shift_finding, sources_finding
from gnomon.analyses.validate.slices import WORSE, Judged, row_losses, slice_findings, slices
from gnomon.analyses.validate.subgroups import subgroup_findings, subgroups
from gnomon.data.parts import Fold
from gnomon.data.table import Data, strings
from gnomon.rng import stream
from gnomon.tasks._task import Prediction
from gnomon.tasks.classify import classify
from gnomon.tasks.regress import regress
from gnomon.values import Finding
from gnomon.workflow._matrix import matrices

NEW, WEAK = 0.3, 0.25  # share of the rows that are new; that are the weak part
JUDGED: dict[str, Any] = {}


# ---- planting ------------------------------------------------------------------------------------------------------
def parted(data: Data, new: np.ndarray) -> Data:
    return with_column(data, "part", column(np.where(new, "new", "old")), "ignore")


def leaning(score: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    """NEW of the rows, drawn with a weight of exp(strength z) of a score's ranks as normal values z."""
    from scipy.stats import norm

    z = norm.ppf((np.argsort(np.argsort(score)) + 0.5) / len(score))
    weight = np.exp(strength * z)
    new = np.zeros(len(score), dtype=bool)
    new[rng.choice(len(score), int(NEW * len(score)), replace=False, p=weight / weight.sum())] = True
    return new


def covariate(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """New rows drawn where one fine column (of others: the first principal component of their view) is large."""
    names = fine_columns(data, 50)
    if names:
        score = values_of(data, str(rng.choice(names)))
    else:
        view = quick_view(data, np.arange(len(data)), inputs=data.inputs)
        score = np.linalg.svd(view - view.mean(axis=0), full_matrices=False)[0][:, 0]
    return parted(data, leaning(score, strength, rng)), Truth(("VALID-SHIFT",))


def label(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """New rows drawn where the target is large, or is of the commonest class."""
    y = values_of(data, "target").astype(float)
    score = (y == np.bincount(y.astype(int)).argmax()) + 0.01 * rng.random(len(y)) if is_classes(data) else y
    return parted(data, leaning(score, strength, rng)), Truth(("VALID-SHIFT",), columns=("target",))


def unlike(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A fifth of the new rows in another kind of trouble: numbers each moved by `strength` spreads up or down, pictures
    turned negative and noisy, sequences of two letters in turn, texts of one word repeated, molecules of one long chain."""
    new = np.zeros(len(data), dtype=bool)
    new[rng.choice(len(data), int(NEW * len(data)), replace=False)] = True
    rows = np.sort(rng.choice(np.flatnonzero(new), int(0.2 * new.sum()), replace=False))
    for name in data.of_kind("number"):
        values = values_of(data, name)
        values[rows] += strength * np.nanstd(values) * rng.choice([-1, 1], len(rows))
        data = with_values(data, name, values)
    for name in data.of_kind("image"):
        pixels = values_of(data, name)
        noisy = 255.0 - pixels[rows] + 60 * rng.normal(size=pixels[rows].shape)
        pixels[rows] = np.clip(noisy, 0, 255).astype(pixels.dtype)
        data = with_values(data, name, pixels)
    for name in data.of_kind("sequence", "text", "molecule"):
        values = values_of(data, name)
        for i in rows:
            values[i] = ("C(=O)N" * int(rng.integers(8, 14)) + "C" if data.kind(name) == "molecule"
                         else " ".join([str(rng.choice(values[i].split()))] * 20) if data.kind(name) == "text"
                         else "".join(rng.choice(sorted(set(values[i])), 2)) * (len(values[i]) // 2))
        data = with_values(data, name, values)
    return parted(data, new), Truth(("VALID-OOD",), frozenset(rows.tolist()), share=0.6)


def broken(data: Data, rng: np.random.Generator, inside: np.ndarray, strength: float) -> Data:
    """The target shuffled over a share `strength` of the rows inside."""
    values = values_of(data, "target")
    rows = np.flatnonzero(inside & (rng.random(len(inside)) < strength))
    values[rows] = values[rng.permutation(rows)]
    return with_values(data, "target", values)


def weak_group(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """Four wards; in one the target has nothing to do with the inputs (of a share `strength` of its rows)."""
    ward = rng.integers(0, 4, len(data))
    data = broken(data, rng, ward == 2, strength)
    return with_column(data, "ward", column(np.array(list("ABCD"))[ward]), "ignore"), Truth(
        ("VALID-SUBGROUP",), columns=("ward",))


def hidden_stratum(data: Data, rng: np.random.Generator, strength: float) -> tuple[Data, Truth]:
    """A number beside the specimen; where it is in its highest quarter the target is shuffled."""
    x = rng.normal(size=len(data))
    data = broken(data, rng, x > np.quantile(x, 1 - WEAK), strength)
    return with_column(data, "x17", x), Truth(("VALID-STRATUM",), columns=("x17",))


# ---- looking -------------------------------------------------------------------------------------------------------
def two_parts(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """(rows of the old part, of the new)."""
    new = strings(data.columns["part"]).astype(str) == "new"
    return np.flatnonzero(~new), np.flatnonzero(new)


def two_views(data: Data) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(view of all rows, rows of the old part, of the new)."""
    return quick_view(data, np.arange(len(data)), inputs=data.inputs), *two_parts(data)


def see_inputs(data: Data, seed: int) -> tuple[Finding, ...]:
    view, old, new = two_views(data)
    said = shift_finding(shift(view[old], view[new], seed=seed))
    return () if said is None else (said,)


def see_targets(data: Data, seed: int) -> tuple[Finding, ...]:
    view, old, new = two_views(data)
    task, truth, _ = task_of(data)
    folds = [Fold(old, np.concatenate([old, new]))]
    told = out_of_fold(task, view, truth, folds, np.arange(len(data)), make=lambda s: small_forest(task, s), seed=seed)
    moved = target_moved(task, truth[old], truth[new], (told.take(old), told.take(new)), (old, new))
    said = sources_finding(shift(view[old], view[new], seed=seed), (), moved, None) if moved and moved.beyond_chance else None
    return () if said is None else (Finding(**{**said.__dict__, "columns": ("target",)}),)


def see_unlike(data: Data, seed: int) -> tuple[Finding, ...]:
    """By the very features a study keeps for its predictions, fitted on the old rows."""
    old, new = two_parts(data)
    old_x, new_x, weight = matrices(data, old, new, seed)
    rule = ood(old_x, weight=weight, seed=seed, refit=lambda known, held: matrices(data, old[known], old[held], seed))
    said = ood_finding(rule.flag(new_x), rule)
    return () if said is None else (Finding(**{**said.__dict__, "rows": tuple(int(new[r]) for r in said.rows)}),)


def task_of(data: Data) -> tuple:
    """(task, truth, out-of-fold prediction of knowing nothing)."""
    aim = aim_of(data, "target", np.arange(len(data)))
    if aim.classes:
        share = np.bincount(aim.values, minlength=len(aim.classes)) / len(aim)
        proba = np.tile(share, (len(aim), 1))
        return classify("target", aim.classes, metric="log_loss"), aim.values, Prediction(proba.argmax(1), proba)
    return regress("target", metric="mae"), aim.values, Prediction(value=np.full(len(aim), np.median(aim.values)))


def judged(data: Data, seed: int) -> tuple:
    """(task, statistics of a small forest out of fold, of the floor); remembered: the look asks, and the one who knows."""
    if JUDGED.get("of") is not data:
        JUDGED.update(of=data, said=_judged(data, seed))
    return JUDGED["said"]


def _judged(data: Data, seed: int) -> tuple:
    view = quick_view(data, np.arange(len(data)), inputs=data.inputs)
    task, truth, floor = task_of(data)
    place = folds_of(len(data), seed, "after")
    rows = np.arange(len(data))
    folds = [Fold(rows[place != k], rows[place == k]) for k in range(5)]
    told = out_of_fold(task, view, truth, folds, rows, make=lambda s: small_forest(task, s), seed=seed)
    return task, task.measure(told, truth), task.measure(floor, truth)


def see_groups(data: Data, seed: int) -> tuple[Finding, ...]:
    task, stats, _ = judged(data, seed)
    return tuple(subgroup_findings(task, subgroups(task, stats, None, {"ward": strings(data.columns["ward"])}, seed=seed)))


def see_strata(data: Data, seed: int) -> tuple[Finding, ...]:
    task, stats, floor = judged(data, seed)
    columns = {n: values_of(data, n) for n in data.of_kind("number")}
    rng = stream(seed, "after", "decoys")
    columns |= {f"decoy {k}": rng.normal(size=len(data)) for k in range(3)}
    every = Judged(stats, floor, np.arange(len(data)), columns)
    return tuple(slice_findings(task, slices(task, every, seed=seed), "held rows"))


# ---- one who knows -------------------------------------------------------------------------------------------------
def knows_group(data: Data, seed: int) -> bool:
    return _worse(data, strings(data.columns["ward"]).astype(str) == "C", seed)


def knows_stratum(data: Data, seed: int) -> bool:
    x = values_of(data, "x17")
    return _worse(data, x > np.quantile(x, 1 - WEAK), seed, WORSE)


def _worse(data: Data, inside: np.ndarray, seed: int, least: float = 1.0) -> bool:
    """Whether one who knows the weak part, and tests it alone on every row, sees that the model does worse there (Welch's t,
    one-sided p under 0.05; losses in a ratio of `least`, which the check says it looks for): where the model hardly beats
    knowing nothing, nothing is lost with the labels."""
    from scipy.stats import ttest_ind

    task, stats, _ = judged(data, seed)
    losses = row_losses(task, stats)
    p = ttest_ind(losses[inside], losses[~inside], equal_var=False, alternative="greater").pvalue
    return bool(p < 0.05 and losses[inside].mean() >= least * losses[~inside].mean())
