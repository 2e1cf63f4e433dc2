"""Audits of a study's explanations that withhold nothing: printed by name with what the number means, never counted.

Small-noise stability, stability over draws, input-shift invariance and agreement with a second technique, of explanations
that passed both gates, on as many of their rows as there is time for; else "not checked", and why.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gnomon.analyses.attribute import occlusion
from gnomon.analyses.attribute._attempts import MOST_PIECES, Attempt
from gnomon.analyses.attribute._audits import GIVEN, Audit, audited, correlations
from gnomon.analyses.attribute._backward_leaves import entering
from gnomon.analyses.attribute._case import SCALAR, Case
from gnomon.analyses.attribute._features import FeatureGround, contributions, feature_ground, onto_pieces
from gnomon.analyses.attribute._ground import LISTED, Ground
from gnomon.analyses.attribute._perturbing import PIECEWISE
from gnomon.analyses.attribute._redrawing import redrawn
from gnomon.analyses.attribute._techniques import OF_NETWORKS, WAYS, attributed
from gnomon.analyses.attribute.agreement import agreement
from gnomon.analyses.attribute.input_shift import input_shift
from gnomon.analyses.attribute.stability import stability
from gnomon.data.table import Data, Dense
from gnomon.errors import InputError
from gnomon.methods._fitted import matrix_of
from gnomon.rng import stream

ROWS = (48, 24, 12)  # rows audited: as many of these as there is time for
DRAWS, NOISE = 3, 0.02  # shaken copies a row, and by how much of the spread
AUDIT_SHARE = 0.1  # of the time for explaining is kept for audits
SHIFT = 1.0  # a network's tensors of numbers and pixels are standardised: one standard deviation
OWN = ("tree_shap", "linear_attribution", "additive_terms")  # the ways of estimators, over the features that they read
READ = {"sequence": "embedded letters", "text": "embedded words", "molecule": "atoms' features"}  # what can be shaken there
REPLACING = ("occlusion", "feature_ablation", "sufficient_subsets", "aggregated")  # put other letters in a letter's place
SECOND = "occlusion"  # asked for a second opinion where one technique alone explained these pieces
MEANS = {  # by how an audit's name begins: what its number means
    "stability over seeds": "1 = other random draws rank alike; well below 1, single rows need more draws before they are read",
    "stability": "1 = the ranking within a row stays when its numbers are shaken too little to make it another row; well below "
                 "1, single columns, features or pixels of one row are not to be read",
    "input shift": "1 = the ranking does not depend on which input value counts as zero; what is missing from 1 is that choice "
                   "and not the model",
    "agreement": "1 = the other technique ranks alike; where two disagree, neither is read without a further test",
    "share of a row under its mask": "0 = nothing, 1 = all of it: the more a mask covers, the less it tells apart",
    "completeness": "0 = the parts add up to the change of the output that they explain",
    "rank correlation, last": "should be well below 1: what stays when the last layers are made random was not learned there",
}


def with_meaning(check: dict[str, Any]) -> dict[str, Any]:
    """An audit's entry with the sentence that says what its number means, where there is one."""
    means = next((said for start, said in MEANS.items() if check["name"].startswith(start)), "")
    return {**check, "means": means} if means else check


def printed(attempt: Attempt, case: Case, others: Sequence[Attempt]) -> tuple[dict[str, Any], ...]:
    """Entries of the audits of one explanation. case: of exactly its rows. others: explanations of the same rows, whose
    agreement is measured where they rank the same pieces; where none does, occlusion is asked. case.end bounds it all."""
    agreeing = agreements(attempt, others)
    given = [("stability", shaken_rows), *([("stability over seeds", other_draws)] if _draws(attempt, case) else []),
             ("input shift", moved_zero)]
    given += [] if agreeing else [("agreement" if attempt.technique == SECOND else f"agreement with {SECOND}", second)]
    return (*(_told(name, audit, attempt, case) for name, audit in given), *agreeing)


def agreements(one: Attempt, others: Sequence[Attempt]) -> list[dict[str, Any]]:
    """With each other explanation that ranks the same pieces of the same first rows."""
    out = []
    for other in others:
        pairs = zip(one.scores, other.scores, strict=False)
        if other is not one and type(other.ground) is type(one.ground) and all(len(a) == len(b) for a, b in pairs):
            many = min(len(one.scores), len(other.scores))
            out.append(agreement(one.scores[:many], other.scores[:many], units=one.units[:many],
                                 names=(one.technique, other.technique)).entry)
    return out


def _told(name: str, audit: Callable[[Attempt, Case], Audit | str], attempt: Attempt, case: Case) -> dict[str, Any]:
    """The audit's entry, or one that says why there is none."""
    try:
        found = audit(attempt, case)
    except InputError as error:
        found = error.message
    if isinstance(found, Audit):
        return found.entry
    return {"name": name, "value": None, "low": None, "high": None, "says": found}


def _rows(case: Case, technique: str, once: Callable[[Case], Any], runs: int) -> Case | str:
    """The case about as many rows as there is time to explain `runs` times; or why not. What a row takes is what was measured
    before the technique was begun, else a small call now."""
    left, most = case.end - time.monotonic(), len(case.rows)
    if left <= 0:
        return "not checked: no time was left (--budget)"
    each = 0.0 if left == float("inf") else case.seconds_a_row(technique, once)
    for count in dict.fromkeys(min(r, most) for r in ROWS):
        if each * runs * count <= left:
            return case.only(np.arange(count))
    fewest = min(ROWS[-1], most)
    return f"not checked: about {each * runs * fewest:.0f} s for {fewest} rows, more than was left (--budget)"


def shaken_rows(attempt: Attempt, case: Case) -> Audit | str:
    """Small-noise stability: numbers and pixels shaken in the data; letters, words and atoms where a network reads them."""
    kinds = {case.data.kind(c) for c in case.data.inputs}
    structured = bool(kinds - set(SCALAR))
    if structured and attempt.technique in OWN and isinstance(attempt.ground, Ground):
        return "not checked: its weights are a fingerprint's, shared out to the atoms"
    if case.is_network and attempt.technique in WAYS and kinds & set(READ):
        return shaken_leaves(attempt, case)
    names = [n for n in case.data.inputs if case.data.kind(n) in ("number", "image")]
    if not names:
        return "not checked: letters, words, atoms and classes cannot be shaken a little" + (
            f", and {attempt.technique.replace('_', ' ')} takes them out whole" if kinds & set(READ) else "")
    few = _rows(case, attempt.technique, lambda some: _scorer(attempt, some)(some.data.take(some.rows)), DRAWS)
    if isinstance(few, str):
        return few
    own, count, scores_of = few.data.take(few.rows), len(few.rows), _scorer(attempt, few)

    def again(_: Any, values: np.ndarray, __: Any) -> list[np.ndarray]:
        return scores_of(_with_values(own, names, values))

    audit = stability(again, None, _values(own, names), None, noise=NOISE, draws=DRAWS, units=attempt.units[:count],
                      seed=case.seed, first=attempt.scores[:count])
    what = " and ".join(("numbers", "pixels")[k] for k, kind in enumerate(("number", "image"))
                        if any(case.data.kind(n) == kind for n in names))
    return replace(audit, says=f"{audit.says}, {count} rows" if len(names) == len(case.data.inputs) else
                   f"{audit.says}, {count} rows, their {what} alone")


def shaken_leaves(attempt: Attempt, case: Case) -> Audit | str:
    """The same of a technique that goes through a network, which reads letters and words as vectors and atoms as features:
    all that it reads is shaken there (the input vector of Yeh et al. 2019)."""
    few = _rows(case, attempt.technique, lambda some: scores_on(some, some.ground(), attempt.technique), DRAWS)
    if isinstance(few, str):
        return few
    ground, count, found = few.ground(), len(few.rows), []
    for draw in range(DRAWS):
        with entering(_shake(case.seed, draw)):
            found.append(correlations(attempt.scores[:count], scores_on(few, ground, attempt.technique)))
    read = " and ".join(dict.fromkeys(READ[k] for k in map(case.data.kind, case.data.inputs) if k in READ))
    return audited("stability", np.mean(found, axis=0), attempt.units[:count],
                   f"rank correlation {{}} with the attributions of {DRAWS} copies shaken by {NOISE:.0%} of the spread where "
                   f"the network reads them ({read}), {count} rows")


def _shake(seed: int, draw: int) -> Callable[[Any, Any], Any]:
    """What enters a leaf, and normal noise of NOISE times each feature's spread over rows, letters or atoms; nothing at
    padding, and the same whenever the same leaf is entered."""
    made: dict[Any, Any] = {}

    def shaken(key: Any, value: Any) -> Any:
        import torch

        if value.ndim < 2 or not len(value):
            return value
        if (key, value.shape) not in made:
            dice = stream(seed, "shaken", draw, str(key))
            made[key, value.shape] = torch.from_numpy(dice.standard_normal(value.shape, dtype=np.float32)).to(value)
        spread = value.flatten(0, -2).std(dim=0, unbiased=False) if value.ndim != 4 else value.std(dim=0, unbiased=False)
        there = (value != 0).any(dim=-1, keepdim=True) if value.ndim == 3 else 1
        return value + NOISE * spread * there * made[key, value.shape]

    return shaken


def other_draws(attempt: Attempt, case: Case) -> Audit | str:
    """Stability over seeds, of techniques that draw what they put in a piece's place."""
    few = _rows(case, attempt.technique, lambda some: scores_on(some, some.ground(), attempt.technique), 1)
    if isinstance(few, str):
        return few
    ground, count = few.ground(), len(few.rows)
    again = scores_on(replace(few, seed=few.seed + 1), replace(ground, seed=few.seed + 1), attempt.technique)
    return audited("stability over seeds", correlations(attempt.scores[:count], again), attempt.units[:count],
                   f"rank correlation {{}} with the same technique on other draws, {count} rows")


def _draws(attempt: Attempt, case: Case) -> bool:
    """Whether a technique's numbers hang on draws that it has not been audited for."""
    if not isinstance(attempt.ground, Ground) or any(c["name"] == "stability over seeds" for c in attempt.other_checks):
        return False
    kinds = {case.data.kind(c) for c in case.data.inputs}
    letters = any(isinstance(n, str) and n not in ("", LISTED) for n in attempt.ground.neutral.values())
    drawn = {"smoothgrad": True, "prediction_difference": bool(kinds & {"image", "sequence", "text"})}
    return drawn.get(attempt.technique, letters and attempt.technique in REPLACING)


def moved_zero(attempt: Attempt, case: Case) -> Audit | str:
    """Input-shift invariance, of techniques that go through a network's tensors."""
    if attempt.technique not in OF_NETWORKS or not case.is_network or not isinstance(attempt.ground, Ground):
        return f"{GIVEN}, not measured: what stands for nothing is taken from the data and moves with them"
    network = case.learned
    moved = {name: SHIFT for name, encoder in network.tensoriser.encoders.items() if encoder.kind in ("numbers", "image")}
    if not moved:
        return "not checked: letters, words, atoms and classes have no zero that could be moved"
    few = _rows(case, attempt.technique, lambda some: scores_on(some, some.ground(), attempt.technique), 1)
    if isinstance(few, str):
        return few
    ground, count = few.ground(), len(few.rows)
    inputs = network.tensoriser.batch(ground.data, np.arange(count), next(network.module.parameters()).device)

    def again(module: Any, _: Any, __: Any) -> list[np.ndarray]:
        return attributed(few, replace(network, module=module), ground, attempt.technique, moved=moved).scores

    audit = input_shift(again, network.module, inputs, None, shift=moved, units=attempt.units[:count],
                        first=attempt.scores[:count])
    return replace(audit, says=f"{audit.says} by one standard deviation, {count} rows")


def second(attempt: Attempt, case: Case) -> Audit | str:
    """Agreement with occlusion, which asks nothing of the model: of pieces, or of the features that an estimator reads."""
    most, of = max((len(p) for p in attempt.scores), default=0), Case.ground
    if not isinstance(attempt.ground, Ground):
        of = _features_of
    if attempt.technique == SECOND or not 2 <= most <= MOST_PIECES:
        return "not checked: no other technique explained these pieces; name two with --technique"
    few = _rows(case, SECOND if of is Case.ground else f"{SECOND} of features", lambda some: occlusion.of_pieces(of(some)), 1)
    if isinstance(few, str):
        return few
    count, own = len(few.rows), of(few)
    if [len(p) for p in own.pieces] != [len(s) for s in attempt.scores[:count]]:
        return "not checked: its pieces are a part of the row's"
    audit = agreement(attempt.scores[:count], occlusion.of_pieces(own), units=attempt.units[:count],
                      names=(attempt.technique, SECOND))
    return replace(audit, says=f"{audit.says}, {count} rows")


def _scorer(attempt: Attempt, few: Case) -> Callable[[Data], list[np.ndarray]]:
    """The scores of the same rows once altered, on the pieces (or the features) that they had."""
    if isinstance(attempt.ground, Ground):
        ground = few.ground()
        return lambda data: scores_on(few, replace(ground, data=data), attempt.technique)
    present = _features_of(few).present
    return lambda data: [v[p] for v, p in zip(_of_features(few, data), present, strict=True)]


def _features_of(case: Case) -> FeatureGround:
    return feature_ground(case.learned, case.data, case.rows, case.reference, case.question)


def _of_features(case: Case, data: Data) -> np.ndarray:
    """(n, d) an estimator's contributions for the case's rows, as `data` now has them."""
    usual = _features_of(case)
    matrix = matrix_of(case.learned.view, data, np.arange(len(data)))
    found = contributions(usual.estimator, matrix, usual.neutral, case.question)
    return np.zeros(matrix.shape) if found is None else found[1]


def scores_on(case: Case, ground: Ground, technique: str) -> list[np.ndarray]:
    """One technique's scores of a ground of the case's rows, which may have been altered; its pieces stay the same."""
    if technique in OF_NETWORKS:
        return attributed(case, case.learned, ground, technique).scores
    if technique == "prediction_difference":
        kept = {k: v for k, v in case.made.items() if not k.startswith("redrawn")}  # those are of rows as they were
        return redrawn(replace(case, made=kept), ground)
    if technique == "occlusion" or technique in PIECEWISE:
        return (occlusion.of_pieces if technique == "occlusion" else PIECEWISE[technique])(ground)
    return onto_pieces(ground, ground.data, case.learned.view.names, case.learned.view.source, _of_features(case, ground.data))


def _values(data: Data, names: Sequence[str]) -> np.ndarray:
    """(n, all their numbers and pixels) float32 or float64."""
    taken = [data.columns[n].take(np.arange(len(data))).reshape(len(data), -1) for n in names]
    return np.concatenate([t.astype(np.float64 if t.dtype == np.float64 else np.float32, copy=False) for t in taken], axis=1)


def _with_values(data: Data, names: Sequence[str], values: np.ndarray) -> Data:
    """The data with these columns' values, in the form that each is kept in (whole pixels where they are whole)."""
    columns, start = dict(data.columns), 0
    for name in names:
        old = columns[name].take(np.arange(len(data)))
        width = int(np.prod(old.shape[1:], dtype=np.int64))
        new = values[:, start:start + width].reshape(old.shape)
        if old.dtype.kind in "iu":
            new = np.clip(np.rint(new), np.iinfo(old.dtype).min, np.iinfo(old.dtype).max)
        start += width
        kept = columns[name] if isinstance(columns[name], Dense) else Dense(old, columns[name].spec)
        columns[name] = replace(kept, values=new.astype(old.dtype))
    return replace(data, columns=columns)
