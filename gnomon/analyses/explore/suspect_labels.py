"""Labels that are probably wrong, by row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gnomon.analyses.explore._aim import Aim, aim_of, folds_of
from gnomon.analyses.explore._doubts import Doubts, doubts
from gnomon.analyses.explore._kit import Grouping, Looked, found, many, not_run, ran, sampled_note
from gnomon.analyses.explore._lapses import Lapse, confident_joint, each_out_of_fold, lapse_rate
from gnomon.analyses.explore._misfits import UNTOLD, misfits
from gnomon.analyses.explore._views import full_view
from gnomon.card import Card
from gnomon.data.table import Data

CARD = Card(
    name="Suspect labels (confident learning behind a lapse test)",
    gist="Names rows whose label another class claims with confidence out of fold; a fault only when errors do not "
         "fade where the model is sure, which tells wrong labels from overlapping classes.",
    use_when="Labels come from people, rules or merged sources.",
    avoid_when="Classes overlap everywhere: wrong labels cannot be told from hard cases, and the check says so.",
    paper="Northcutt, Jiang & Chuang 2021, Confident learning, arXiv:1911.00068; Wichmann & Hill 2001 (lapses)",
    survey=("P1", "P5"),
    needs=("labels",),
    cost="seconds",
)
PACE = 300  # rows that are sampled for each second of looking
FEWEST, MOST_CLASSES = 10, 50  # rows of the second largest class; classes
LOOK_AT = 0.05  # of the rows: so many that another class wins are listed even if it does not claim them with confidence (where
# classes part cleanly, to be as sure as of a right label is more than a wrong one can ask); so many numbers


def suspect_labels(data: Data, target: str, rows: np.ndarray, *, groups: Mapping[str, Grouping], seed: int = 0,
                   seconds: float = 15.0) -> Looked:
    """LOOK-LABEL with the rows, those least like their label first: a warning where the errors do not fade as the model
    grows sure, else a note, for overlap explains them as well; nothing where the inputs hardly tell the classes apart (as
    `lapse_rate`). Regression: a warning where residuals lie far beyond their own tail, else a note of those that a normal law
    of the body's spread does not explain."""
    aim = aim_of(data, target, rows)
    if aim is None or len(aim) < 100:
        return Looked(checks=(not_run("LOOK-LABEL", "fewer than 100 training rows with this target"),))
    full, aim = len(aim), aim.sampled(int(PACE * seconds), seed, "labels")
    if aim.classes and (why := unfit(aim)):
        return Looked(checks=(not_run("LOOK-LABEL", why),))
    view = full_view(data, aim.rows, inputs=tuple(n for n in data.inputs if n != aim.name), seed=seed)
    if not view.shape[1]:
        return Looked(checks=(not_run("LOOK-LABEL", "no input says anything that could be read"),))
    return _classes(data, aim, view, full, seed) if aim.classes else _numbers(data, aim, view, full, seed)


def unfit(aim: Aim) -> str:
    """Why these classes cannot be cross-examined; "" where they can."""
    counts = np.sort(np.bincount(aim.values, minlength=2))
    fit = counts[-2] >= FEWEST and len(counts) <= MOST_CLASSES
    return "" if fit else f"needs two classes of {FEWEST} rows or more and at most {MOST_CLASSES} classes"


def _classes(data: Data, aim: Aim, view: np.ndarray, full: int, seed: int) -> Looked:
    each = each_out_of_fold(view, aim, folds_of(len(aim), seed, "labels"), seed)
    proba = each[:2].mean(axis=0)
    lapse = lapse_rate(proba, aim.values)
    claimed = confident_joint(proba, aim.values)
    count = int(((lapse.posterior > 0.5) | claimed if lapse.stands else claimed).sum())
    facts = {"label_error_rate": lapse.rate if lapse.stands else 0.0}
    smallest = (f"2 % wrong labels where classes part cleanly; where they overlap the rows are listed, but whether any is "
                f"wrong cannot be told{sampled_note(len(aim), full)}")
    check = ran("LOOK-LABEL", smallest)
    by_chance = 1 - float(np.bincount(aim.values).max()) / len(aim)  # the error of always naming the largest class
    if not lapse.stands and count > by_chance / 2 * len(aim):
        return Looked(checks=(check,), facts=facts)
    doubted = doubts(view, aim, each, seed)
    count = max(count, min(len(doubted.order), round(LOOK_AT * len(aim))), len(doubted.pair.rows) if doubted.pair else 0)
    if count < 3:
        return Looked(checks=(check,), facts=facts)
    listed = doubted.order[:count]
    values = {"rate": facts["label_error_rate"], "rows": len(listed), "also_confident_joint": int(claimed[listed].sum())}
    finding = found(data, "LOOK-LABEL", "warn" if lapse.stands else "note",
                    _claim(aim, doubted, listed, lapse) + sampled_note(len(aim), full), rows=aim.rows[listed],
                    columns=(aim.name,), values=values | ({"one_way": len(doubted.pair.rows)} if doubted.pair else {}),
                    source="confident learning, lapse test")
    return Looked((finding,), (check,), facts=facts)


def _claim(aim: Aim, doubted: Doubts, listed: np.ndarray, lapse: Lapse) -> str:
    pair, one_way = doubted.pair, ""
    if pair is not None:
        one_way = (f"{len(pair.rows):,} rows named '{aim.classes[pair.named]}' lie where '{aim.classes[pair.like]}' does, "
                   "far more than the other way round")
    if lapse.stands:
        return (f"About {lapse.rate:.1%} of the labels in '{aim.name}' look wrong; {len(listed):,} rows are listed, "
                f"the likeliest first{': ' + one_way if one_way else ''}")
    if one_way:
        return f"{one_way}; they come first of {len(listed):,} that look more like another class of '{aim.name}'"
    return (f"{len(listed):,} rows look more like another class of '{aim.name}': hard cases as likely as wrong labels; "
            "the first few are worth a look")


def _numbers(data: Data, aim: Aim, view: np.ndarray, full: int, seed: int) -> Looked:
    seen = misfits(view, aim, seed)
    if not seen.told:
        return Looked(checks=(not_run("LOOK-LABEL", UNTOLD),))
    smallest = "a target further from its prediction than the residuals' own tail reaches (about 8 spreads, normal)"
    check = ran("LOOK-LABEL", smallest + sampled_note(len(aim), full))
    if not seen.stands and not seen.far:
        return Looked(checks=(check,))
    listed = seen.order[:max(seen.beyond if seen.stands else seen.far, round(LOOK_AT * len(aim)))]
    if seen.stands:
        claim = (f"{many(seen.beyond, 'target')} in '{aim.name}' {'lie' if seen.beyond > 1 else 'lies'} far from what "
                 f"{'their' if seen.beyond > 1 else 'its'} inputs say; of the {many(len(listed), 'row')} listed "
                 f"{'these come' if seen.beyond > 1 else 'it comes'} first")
    else:
        claim = (f"{many(seen.far, 'row')} {'lie' if seen.far > 1 else 'lies'} far from what the inputs say of '{aim.name}', "
                 "at least twice what a normal law leaves: hard cases as likely as wrong values; the first few of "
                 f"{len(listed):,} listed are worth a look")
    claim, grade = claim + sampled_note(len(aim), full), "warn" if seen.stands else "note"
    return Looked((found(data, "LOOK-LABEL", grade, claim, rows=aim.rows[listed], columns=(aim.name,),
                         values={"rows": len(listed), "first": seen.beyond if seen.stands else seen.far},
                         source="out-of-fold residuals"),), (check,))
